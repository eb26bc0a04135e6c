//! What an order query was answered, in either language.

use super::v2::{self, Signature};
use super::v3::{self, answer::Fault};
use super::{Credentials, QueryError};
use crate::provider::{AskBy, Evidence, OrderState, RefusedFor};

/// An answer, which may be an error, not authentic, or about something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// API v2's.
    V2(Box<v2::Answer>),
    /// API v3's.
    V3(v3::Answer),
}

/// What is counted of one that is authentic.
const ANSWERED: &str = "answered";

impl Answer {
    /// Whether asking again may bring a better answer. WeChat Pay's probes are badly signed on purpose (threat V-04);
    /// answers of API v2 with `return_code` FAIL are never signed and stay what they are; where it wants fewer queries
    /// it gets no more.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::V2(answer) => is_transient(answer),
            Self::V3(answer) => answer.is_transient(),
        }
    }

    /// The word in metrics.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::V2(answer) => match answer.signature {
                Signature::Valid => ANSWERED,
                Signature::Missing => "unsigned",
                Signature::Wrong => "badly-signed",
            },
            Self::V3(v3::Answer::Order { .. }) => ANSWERED,
            Self::V3(v3::Answer::Refused(refusal)) if refusal.status == 404 => ANSWERED,
            Self::V3(v3::Answer::Refused(_)) => "refused",
            Self::V3(v3::Answer::NotBelieved(fault)) => fault.as_str(),
        }
    }

    /// Whether an operator may want to know. A probe is wrong on purpose.
    #[must_use]
    pub fn is_trouble(&self) -> bool {
        let is_probe = matches!(self, Self::V3(v3::Answer::NotBelieved(Fault::Probe)));
        self.as_str() != ANSWERED && !is_probe
    }

    /// What is wrong with the question's signature, or with the clock, if API v3 says so.
    #[must_use]
    pub fn refused_for(&self) -> Option<RefusedFor> {
        match self {
            Self::V3(answer) => answer.refused_for(),
            Self::V2(_) => None,
        }
    }

    /// What proves it, as it was received.
    #[must_use]
    pub fn evidence(self) -> Evidence {
        match self {
            Self::V2(answer) => Evidence(answer.document),
            Self::V3(v3::Answer::Order { document, .. }) => Evidence(document),
            Self::V3(v3::Answer::Refused(_) | v3::Answer::NotBelieved(_)) => Evidence::default(),
        }
    }

    /// The serial of the key that signed it, if it is an order of API v3.
    #[must_use]
    pub fn signed_by(&self) -> Option<&str> {
        match self {
            Self::V3(v3::Answer::Order { by, .. }) => Some(by.as_str()),
            Self::V2(_) | Self::V3(_) => None,
        }
    }
}

fn is_transient(answer: &v2::Answer) -> bool {
    match answer.err_code.as_deref() {
        Some("SYSTEMERROR" | "BIZERR_NEED_RETRY") => return true,
        Some("INVALID_REQ_TOO_MUCH") => return false,
        Some(code) if code.starts_with("FREQUENCY_LIMIT") => return false,
        _ => {}
    }
    match answer.signature {
        Signature::Valid => false,
        Signature::Missing => answer.return_code.as_deref() != Some("FAIL"),
        Signature::Wrong => true,
    }
}

/// What `answer` to the question `ask` establishes about the order.
#[must_use]
pub fn judge(account: &Credentials, ask: &AskBy, answer: &Result<Answer, QueryError>) -> OrderState {
    match answer {
        Ok(Answer::V2(answer)) => v2::order_state::judge(account, ask, answer),
        Ok(Answer::V3(answer)) => v3::order_state::judge(account, ask, answer),
        Err(error) => OrderState::NotPaid(error.reason()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::order::OutTradeNo;
    use crate::domain::reason::Reason;

    #[test]
    fn without_an_answer_nothing_is_known() {
        let ask = AskBy::OutTradeNo(OutTradeNo::parse("ORDER20240101000001").unwrap());
        for (error, expected) in [
            (QueryError::Timeout, Reason::QueryTimeout),
            (QueryError::Transport, Reason::QueryFailed),
            (QueryError::RateLimited, Reason::RateLimited),
            (QueryError::NotSigned, Reason::QueryRefused),
            (QueryError::HttpStatus(502), Reason::AnswerHttpStatus),
            (QueryError::TooLarge, Reason::AnswerTooLarge),
            (QueryError::Unreadable, Reason::AnswerUnreadable),
        ] {
            assert_eq!(judge(&v3::tests::account(), &ask, &Err(error)), OrderState::NotPaid(expected));
        }
    }
}
