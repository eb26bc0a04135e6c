//! What a database's refusal means for whoever opens the journal: to give up and say what to do, or to wait until it answers.

use super::error::{Error, said};
use crate::journal::{DatabaseProblem, DatabaseSettings, OpenError};
use tokio_postgres::error::SqlState;

/// Why a journal is not to be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// It may be had later without anybody's doing.
    #[error(transparent)]
    Away(#[from] Error),
    /// Somebody has to do something.
    #[error(transparent)]
    Problem(#[from] DatabaseProblem),
}

impl Refused {
    /// As it is told to a person, for whom it is at an end.
    pub(super) fn into_open_error(self, settings: &DatabaseSettings) -> OpenError {
        let problem = match self {
            Self::Problem(problem) => problem,
            Self::Away(error) => DatabaseProblem::Away { said: error.to_string() },
        };
        OpenError::Database { database: settings.shown.clone(), problem }
    }
}

/// What an error means.
pub(super) fn refused(error: Error) -> Refused {
    match problem(&error) {
        Some(problem) => Refused::Problem(problem),
        None => Refused::Away(error),
    }
}

fn problem(error: &Error) -> Option<DatabaseProblem> {
    let Error::Database(cause) = error else { return None };
    let said = said(cause);
    let Some(code) = cause.code() else {
        return match kind(cause)? {
            Kind::Tls => Some(DatabaseProblem::NoTls { said }),
            Kind::Login => Some(DatabaseProblem::Login { said }),
        };
    };
    if code.code().starts_with("28") {
        return Some(DatabaseProblem::Login { said });
    }
    if *code == SqlState::INVALID_CATALOG_NAME {
        return Some(DatabaseProblem::NoDatabase { said });
    }
    if *code == SqlState::INSUFFICIENT_PRIVILEGE {
        return Some(DatabaseProblem::NoRight { said });
    }
    (!error.may_pass()).then_some(DatabaseProblem::Other { said })
}

/// What the client itself cannot do, which no server has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tls,
    Login,
}

/// The client says of which kind an error is by its text alone.
fn kind(error: &tokio_postgres::Error) -> Option<Kind> {
    match error.to_string().as_str() {
        "error performing TLS handshake" if !is_broken_off(error) => Some(Kind::Tls),
        "authentication error" | "invalid configuration" => Some(Kind::Login),
        _ => None,
    }
}

/// Whether a handshake ended because the connection did.
fn is_broken_off(error: &tokio_postgres::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            // One that only carries what TLS found wrong has that inside.
            return io.get_ref().is_none_or(|inner| !inner.is::<rustls::Error>());
        }
        cause = error.source();
    }
    false
}
