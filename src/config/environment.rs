//! Where `${NAME}` and `${file:PATH}` get their values: a seam, so that tests pass a map.

use std::cell::RefCell;
use std::env::VarError;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Most bytes of a `${file:PATH}`, which holds one key or token.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// What surrounds the program.
pub trait Environment {
    /// The environment variable `name`.
    ///
    /// # Errors
    /// If it is not set, or is not text.
    fn variable(&self, name: &str) -> Result<String, VarError>;

    /// The text of the file at `path`.
    ///
    /// # Errors
    /// If it cannot be read, is not text, or is far larger than a key.
    fn file(&self, path: &Path) -> io::Result<String>;

    /// Whether there is a file at `path` that this process may read; its content is not looked at.
    ///
    /// # Errors
    /// If there is none, or it may not.
    fn readable(&self, path: &Path) -> io::Result<()>;
}

/// The environment and files of this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct Process;

impl Environment for Process {
    fn variable(&self, name: &str) -> Result<String, VarError> {
        std::env::var(name)
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        let mut text = String::new();
        File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(text)
    }

    fn readable(&self, path: &Path) -> io::Result<()> {
        if File::open(path)?.metadata()?.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(()) }
    }
}

/// An environment, and the files that were looked for in it.
pub(super) struct Noting<'e> {
    environment: &'e dyn Environment,
    files: RefCell<Vec<PathBuf>>,
}

impl<'e> Noting<'e> {
    /// Notes what is looked for in `environment` after `file`.
    pub(super) fn new(environment: &'e dyn Environment, file: &Path) -> Self {
        Self { environment, files: RefCell::new(vec![file.to_owned()]) }
    }

    /// The files.
    pub(super) fn files(self) -> Vec<PathBuf> {
        self.files.into_inner()
    }
}

impl Environment for Noting<'_> {
    fn variable(&self, name: &str) -> Result<String, VarError> {
        self.environment.variable(name)
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        self.files.borrow_mut().push(path.to_owned());
        self.environment.file(path)
    }

    fn readable(&self, path: &Path) -> io::Result<()> {
        self.files.borrow_mut().push(path.to_owned());
        self.environment.readable(path)
    }
}

/// A whole value that stands for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reference<'t> {
    /// `${NAME}`
    Variable(&'t str),
    /// `${file:PATH}`
    File(&'t str),
}

/// Why a reference has no value: what is wrong, and the remedy.
pub(super) type Unresolved = (String, String);

impl<'t> Reference<'t> {
    /// Reads `text` as a reference; `None` if it is an ordinary value.
    ///
    /// # Errors
    /// If it is `${...}` around something that is neither a name nor a file.
    pub(super) fn parse(text: &'t str) -> Option<Result<Self, Unresolved>> {
        let inner = text.strip_prefix("${")?.strip_suffix('}')?;
        if let Some(path) = inner.strip_prefix("file:") {
            return (!path.is_empty()).then_some(Ok(Self::File(path)));
        }
        let named = inner.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && inner.starts_with(|c: char| !c.is_ascii_digit());
        Some(if named {
            Ok(Self::Variable(inner))
        } else {
            Err(("is no usable ${...}".to_owned(), "write ${NAME} or ${file:PATH}".to_owned()))
        })
    }

    /// The value, never empty; one newline at the end of a file is dropped. `directory` is the config file's.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn resolve(self, environment: &dyn Environment, directory: &Path) -> Result<String, Unresolved> {
        let (value, name) = match self {
            Self::Variable(name) => (variable(environment, name)?, format!("the environment variable {name}")),
            Self::File(path) => (file(environment, &directory.join(path))?, format!("the file {path}")),
        };
        if value.is_empty() {
            return Err((format!("{name} is empty"), "put the value there".to_owned()));
        }
        Ok(value)
    }
}

impl Reference<'_> {
    /// Whether it names a file that is there and is not text.
    pub(super) fn is_binary(self, environment: &dyn Environment, directory: &Path) -> bool {
        let Self::File(path) = self else { return false };
        environment.file(&directory.join(path)).is_err_and(|error| error.kind() == io::ErrorKind::InvalidData)
    }
}

impl std::fmt::Display for Reference<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "${{{name}}}"),
            Self::File(path) => write!(f, "${{file:{path}}}"),
        }
    }
}

fn variable(environment: &dyn Environment, name: &str) -> Result<String, Unresolved> {
    environment.variable(name).map_err(|error| match error {
        VarError::NotPresent => (
            format!("the environment variable {name} is not set"),
            format!("set it before starting, or write ${{file:PATH}} instead of ${{{name}}}"),
        ),
        VarError::NotUnicode(_) => (format!("the environment variable {name} is not UTF-8"), "set it anew".to_owned()),
    })
}

fn file(environment: &dyn Environment, path: &Path) -> Result<String, Unresolved> {
    let mut text = environment.file(path).map_err(|error| {
        let what = format!("the file {} cannot be read ({})", path.display(), error.kind());
        (what, "create it, readable for the user that runs the gate".to_owned())
    })?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}
