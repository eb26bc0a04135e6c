//! What is wrong with a configuration, said so that somebody can put it right without reading this program.
//!
//! No message repeats a value of the file: a key pasted into the wrong line would land in a log (invariant I5).

use std::fmt;
use std::path::PathBuf;

/// A position in the file, both counted from 1; the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The character in it.
    pub column: usize,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where in the file; `None` if it is about the file as a whole.
    pub place: Option<Place>,
    /// The key's path, `routes[0].order`; empty if it is about the file as a whole.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

/// Everything that is wrong with one file, in the file's order; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    /// The file, as it was named to us.
    pub file: PathBuf,
    /// At least one.
    pub list: Vec<Problem>,
}

/// Something that works and may not be meant. It never keeps a configuration from being used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Where in the file; `None` if it is about a key that is left out.
    pub place: Option<Place>,
    /// The key's path, `channels.app.sweep.from`.
    pub key: String,
    /// What may go wrong, and what to write instead.
    pub text: String,
}

impl fmt::Display for Warning {
    /// `14:9: channels.app.sweep.from: is before the gate's first whole day; ...`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}: {}", self.key, self.text)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl fmt::Display for Problem {
    /// `14:9: routes[0].carier: unknown key; did you mean carrier?`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = self.place {
            write!(f, "{place}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}; {}", self.what, self.remedy)
    }
}

impl fmt::Display for Problems {
    /// One line each: `config.yaml:14:9: routes[0].carier: unknown key; did you mean carrier?`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            let space = if problem.place.is_some() { "" } else { " " };
            write!(f, "{}:{space}{problem}", self.file.display())?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
