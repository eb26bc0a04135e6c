//! Why a source gave no list, in words that tell its operator what to do. No message has a password or an address
//! with one.

use super::column::Column;
use crate::net::http_client;
use crate::net::tls::NoTls;
use std::io;

/// Why there is no list. The texts are for the log: short, on one line, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// No server answers, or not now.
    #[error("cannot be reached ({0}); see that it runs, and that the address is right")]
    Unreachable(String),
    /// It answers, and does not let us in.
    #[error(
        "refuses the login ({0}); check user, password and database in the url; in a password write %40 for @, %2F for /, %3A for :, %23 for #"
    )]
    LoginRefused(String),
    /// It shows no certificate that we believe, or none at all.
    #[error("has no certificate that can be believed ({0}); name its authority in SSL_CERT_FILE, or change the url")]
    Certificate(String),
    /// The database does not understand, or does not permit, the query.
    #[error("refuses the query ({0}); try it with the database's own client")]
    QueryRefused(String),
    /// The query is more than reading.
    #[error("is only read, and the query writes ({0}); write one plain SELECT")]
    Writes(String),
    /// No row has it.
    #[error("gives no {0}; name the column by an alias: SELECT order_no AS \"order\", channel_id AS channel ...")]
    MissingColumn(Column),
    /// Which of the two is meant is not for us to say.
    #[error("gives {0} twice; name only one column so")]
    TwoColumns(Column),
    /// It took longer than it may, on either side.
    #[error("took too long; ask for fewer orders, or give the query an index")]
    TimedOut,
    /// More than 16 MiB.
    #[error("gives more than 16 MiB; list only the orders that wait for payment")]
    TooLarge,
    /// A page that is not 200.
    #[error("answers with status {0}; only 200 is a list, and redirects are not followed")]
    Status(u16),
    /// Neither a JSON array nor JSON lines.
    #[error("is no JSON at line {line}, column {column}; write an array of objects, or one object on each line")]
    NotJson {
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in bytes.
        column: usize,
    },
    /// The file.
    #[error("cannot be read ({0}); see that it is a file which the gate may read")]
    File(io::ErrorKind),
    /// The program.
    #[error("cannot be started ({0}); see that it is a program which the gate may run")]
    NotStarted(io::ErrorKind),
    /// The program said that it failed.
    #[error("failed with {status}: {stderr}")]
    Failed {
        /// How it ended.
        status: String,
        /// The end of what it wrote to stderr.
        stderr: String,
    },
    /// It ended in the middle.
    #[error("broke off ({0})")]
    BrokeOff(String),
    /// Something on our side is not as it must be.
    #[error("cannot be asked ({0})")]
    NotSetUp(String),
}

/// Most characters of a server's message.
const LONGEST_SAID: usize = 200;

impl SourceError {
    /// One word for it, for figures.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::LoginRefused(_) => "login-refused",
            Self::Certificate(_) => "certificate",
            Self::QueryRefused(_) => "query-refused",
            Self::Writes(_) => "writes",
            Self::MissingColumn(_) => "missing-column",
            Self::TwoColumns(_) => "two-columns",
            Self::TimedOut => "timed-out",
            Self::TooLarge => "too-large",
            Self::Status(_) => "status",
            Self::NotJson { .. } => "not-json",
            Self::File(_) => "file",
            Self::NotStarted(_) => "not-started",
            Self::Failed { .. } => "failed",
            Self::BrokeOff(_) => "broke-off",
            Self::NotSetUp(_) => "not-set-up",
        }
    }
}

impl From<NoTls> for SourceError {
    fn from(error: NoTls) -> Self {
        Self::NotSetUp(error.to_string())
    }
}

/// A server's message as it may stand in the log: the beginning of it, on one line, `secret` masked.
pub(super) fn said(message: &str, secret: Option<&str>) -> String {
    let masked = match secret {
        Some(secret) if !secret.is_empty() => message.replace(secret, "***"),
        _ => message.to_owned(),
    };
    let line: String = masked.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut said: String = line.chars().filter(|character| !character.is_control()).take(LONGEST_SAID).collect();
    if line.chars().nth(LONGEST_SAID).is_some() {
        said.push('…');
    }
    said
}

/// The innermost cause, which is the one that says something.
pub(super) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    said(&http_client::innermost(error), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_is_one_short_line_without_the_password() {
        assert_eq!(said("no such\n\ttable\u{7}: orders", None), "no such table: orders");
        assert_eq!(said("near 'hunter2', hunter2", Some("hunter2")), "near '***', ***");
        assert_eq!(said("kept", Some("")), "kept");
        let long = said(&"字".repeat(1000), None);
        assert_eq!(long.chars().count(), LONGEST_SAID + 1);
    }
}
