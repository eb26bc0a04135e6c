//! What a command says: lines for people, JSON for programs.

use serde::Serialize;
use std::io::{self, ErrorKind, Write};

/// Lines for people.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<String>);

/// The reader has gone: `tollgate explain ID | head -1`.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads on")]
struct ReaderGone;

/// Standard output. If its reader is gone, that is no failure of the command.
#[derive(Debug)]
pub(super) struct Out(io::Stdout);

/// The columns of a name.
const NAME: usize = 16;

impl Lines {
    /// Adds a line.
    pub(super) fn say(&mut self, line: impl Into<String>) {
        self.0.push(line.into());
    }

    /// Adds all lines of another.
    pub(super) fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Adds a line `name  value`, the values below each other.
    pub(super) fn item(&mut self, name: &str, value: impl std::fmt::Display) {
        let blanks = " ".repeat(NAME.saturating_sub(width(name)));
        self.0.push(format!("  {name}{blanks}{value}"));
    }
}

/// The columns that a text takes on a terminal: two for each Chinese character.
fn width(text: &str) -> usize {
    text.chars().map(|c| if c >= '\u{2E80}' { 2 } else { 1 }).sum()
}

/// Standard output.
pub(super) fn out() -> Out {
    Out(io::stdout())
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(broken_by_its_reader)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(broken_by_its_reader)
    }
}

fn broken_by_its_reader(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::BrokenPipe { io::Error::other(ReaderGone) } else { error }
}

/// Whether a command ended because its reader has gone.
pub(super) fn is_reader_gone(error: &anyhow::Error) -> bool {
    let inner = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref).is_some_and(|inner| inner.is::<ReaderGone>())
    };
    error.chain().any(inner)
}

/// Prints one or the other on standard output.
pub(super) fn print(as_json: bool, value: &impl Serialize, lines: &Lines) -> io::Result<()> {
    if as_json {
        return json(value);
    }
    let mut text = lines.0.join("\n");
    text.push('\n');
    let mut out = out();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Prints one JSON value.
pub(super) fn json(value: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    let mut out = out();
    out.write_all(&text)?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_below_each_other_in_both_languages() {
        let mut lines = Lines::default();
        lines.item("why", "a");
        lines.item("原因", "a");
        assert_eq!(lines.0, ["  why             a", "  原因            a"]);
    }

    #[test]
    fn only_a_reader_that_is_gone_is_no_failure() {
        let gone = |error: io::Error| is_reader_gone(&anyhow::Error::from(error).context("printing"));
        assert!(gone(broken_by_its_reader(ErrorKind::BrokenPipe.into())));
        assert!(!gone(ErrorKind::BrokenPipe.into()) && !gone(broken_by_its_reader(ErrorKind::StorageFull.into())));
    }
}
