//! The daily bill in WeChat Pay's language: every payment and refund of a merchant's day, also those that no callback
//! told of (`docs/reference/wechatpay-v2.md` section 10).
//!
//! A bill is not signed, is in no order, and may have millions of rows. [`BillReader`] reads it as it comes, a row at a
//! time; [`WeChatPay::download_bill`](super::WeChatPay::download_bill) fetches it. What a row means for an order is
//! decided elsewhere.

mod layout;

mod reader;

mod refusal;

mod unpack;

pub use reader::BillReader;
pub use refusal::{Refusal, RefusalKind};
pub(super) use unpack::Unpacker;

use crate::provider::bill::{self, BadRow, BillPayment, BillRefund, BillType, Broken, Row, Summary};

/// Why there is no bill, or not the whole of it. Rows that came before the error are as good as any.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BillError {
    /// Nothing came in time.
    #[error("no answer in time")]
    Timeout,
    /// Connection, TLS or DNS failed before anything was answered.
    #[error("WeChat Pay could not be reached")]
    Transport,
    /// Not the 200 that WeChat Pay always answers.
    #[error("HTTP status {0}")]
    HttpStatus(u16),
    /// WeChat Pay says that there is none, or not yet, or not for this question.
    #[error("WeChat Pay refused: {0}")]
    Refused(Refusal),
    /// The end is missing.
    #[error("the bill is cut off")]
    CutOff,
    /// It cannot be decompressed.
    #[error("the bill is damaged")]
    Damaged,
    /// A line longer than [`BillReader::LONGEST_LINE`].
    #[error("line {0} is too long")]
    LineTooLong(u64),
    /// No header of a bill: this column is not in it.
    #[error("the first line has no column {0}")]
    NoColumn(&'static str),
    /// It looks like XML and is not the flat XML of a refusal; or, of API v3, it is not the answer that says where the
    /// bill is.
    #[error("the answer is unreadable")]
    Unreadable,
    /// The answer that says where it is is not WeChat Pay's.
    #[error("the answer that says where the bill is is not believed: {0}")]
    NotBelieved(&'static str),
    /// It has another SHA-1 than WeChat Pay signed, or was another one the second time. No row of it was used.
    #[error("the file is not the one whose SHA-1 WeChat Pay signed")]
    OtherHash,
    /// It is said to be on a host that is none of `wechat.hosts`.
    #[error("download_url leads to a host that is not in wechat.hosts")]
    Elsewhere,
}

/// What `bill_type` says.
pub(super) const fn bill_type(which: BillType) -> &'static str {
    match which {
        BillType::All => "ALL",
        BillType::Success => "SUCCESS",
    }
}

impl From<BillError> for bill::BillError {
    fn from(error: BillError) -> Self {
        let text = error.to_string();
        match error {
            BillError::Refused(refusal) => match refusal.kind() {
                RefusalKind::NoBill => Self::NoBill(text),
                RefusalKind::Configuration => Self::Permanent(text),
                RefusalKind::Creating | RefusalKind::CompressFailed | RefusalKind::Busy => Self::TryAgain(text),
            },
            BillError::LineTooLong(_) | BillError::NoColumn(_) => Self::Permanent(text),
            BillError::Timeout
            | BillError::Transport
            | BillError::HttpStatus(_)
            | BillError::CutOff
            | BillError::Damaged
            | BillError::Unreadable
            | BillError::NotBelieved(_)
            | BillError::OtherHash
            | BillError::Elsewhere => Self::TryAgain(text),
        }
    }
}
