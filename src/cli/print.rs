//! What a command says: lines for people, JSON for programs.

use serde::Serialize;
use std::io::{self, Write};

/// Lines for people.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<String>);

impl Lines {
    /// Adds a line.
    pub(super) fn say(&mut self, line: impl Into<String>) {
        self.0.push(line.into());
    }

    /// Adds a line `name  value`, the values below each other.
    pub(super) fn item(&mut self, name: &str, value: impl std::fmt::Display) {
        self.0.push(format!("  {name:<16}{value}"));
    }
}

/// Prints one or the other on standard output.
pub(super) fn print(as_json: bool, value: &impl Serialize, lines: &Lines) -> io::Result<()> {
    if as_json {
        return json(value);
    }
    let mut out = io::stdout().lock();
    lines.0.iter().try_for_each(|line| writeln!(out, "{line}"))
}

/// Prints one JSON value.
pub(super) fn json(value: &impl Serialize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)
}
