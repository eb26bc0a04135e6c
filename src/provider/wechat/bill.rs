//! The daily bill in WeChat Pay's language: every payment and refund of a merchant's day, also those that nobody was told
//! of (`wechatpay-v2.md` section 10).
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

use crate::domain::money::{Fen, Money};
use crate::domain::order::{AppId, MerchantId, OutTradeNo, TransactionId};
use jiff::Timestamp;
use std::fmt;

/// Which rows a bill has (`bill_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BillType {
    /// Payments, refunds and the rest.
    All,
    /// Payments only.
    Success,
}

impl BillType {
    /// What `bill_type` says.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "ALL",
            Self::Success => "SUCCESS",
        }
    }
}

/// A line of a bill's details.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// `交易状态` SUCCESS: money came in, whatever became of it later.
    Payment(BillPayment),
    /// `交易状态` REFUND: money went back.
    Refund(BillRefund),
    /// A payment whose `商户订单号` is none that an order of ours can have.
    NotOurs {
        /// `微信订单号`.
        transaction_id: TransactionId,
        /// What it says, shortened.
        number: String,
        /// Counts from 1.
        line: u64,
    },
    /// Any other `交易状态`, such as REVOKED.
    Other {
        /// What it says, shortened.
        state: String,
        /// Counts from 1.
        line: u64,
    },
    /// A line that cannot be read. It may be a payment.
    Malformed {
        /// Counts from 1.
        line: u64,
        /// What is wrong with it.
        why: BadRow,
    },
}

/// A payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillPayment {
    /// `公众账号ID`: one of the applications that are bound to the merchant.
    pub appid: Option<AppId>,
    /// `商户号`.
    pub mch_id: Option<MerchantId>,
    /// `特约商户号`: the sub-merchant, in service-provider mode.
    pub sub_mch_id: Option<MerchantId>,
    /// `微信订单号`.
    pub transaction_id: TransactionId,
    /// `商户订单号`.
    pub out_trade_no: OutTradeNo,
    /// `订单金额`: the `total_fee` of the order; `None` if the row does not tell.
    pub amount: Option<Money>,
    /// `交易时间`: when it was paid.
    pub trade_time: Option<Timestamp>,
    /// Counts from 1.
    pub line: u64,
    /// Why only what stands in front of the free text was used.
    pub broken: Option<Broken>,
}

/// A row that can be read up to its free text only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken {
    /// What is wrong with it.
    pub why: BadRow,
    /// `应结订单金额`, which stands in front; less than the order's amount where coupons were used, so it is only told.
    pub settled: Option<Money>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; only what stands in front of its free text is used", self.why)?;
        if let Some(settled) = self.settled {
            write!(f, " (settlement amount {settled})")?;
        }
        Ok(())
    }
}

/// A refund, in full or in part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillRefund {
    /// `公众账号ID`: one of the applications that are bound to the merchant.
    pub appid: Option<AppId>,
    /// `商户号`.
    pub mch_id: Option<MerchantId>,
    /// `特约商户号`: the sub-merchant, in service-provider mode.
    pub sub_mch_id: Option<MerchantId>,
    /// `微信订单号` of the payment.
    pub transaction_id: TransactionId,
    /// `商户订单号` of the payment, if it is one that an order of ours can have.
    pub out_trade_no: Option<OutTradeNo>,
    /// `微信退款单号`.
    pub refund_id: Option<String>,
    /// `退款状态`.
    pub refund_status: Option<String>,
    /// `交易时间`: when it was refunded.
    pub trade_time: Option<Timestamp>,
    /// Counts from 1.
    pub line: u64,
}

/// Why a line is not a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRow {
    /// More or fewer values than the header has columns.
    #[error("has {found} values where the header has {columns} columns")]
    Values {
        /// How many there are.
        found: usize,
        /// How many there must be.
        columns: usize,
    },
    /// A value that is not what its column holds.
    #[error("has no usable {0}")]
    Column(&'static str),
    /// The row before it ended within its free text, and its rest never came.
    #[error("may be part of the text of the row before, which has no end")]
    MayBeText,
    /// No line of details, and none of the summary.
    #[error("is neither a row nor the summary")]
    OutOfPlace,
}

/// What was read, beside what the bill says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Rows that were read, of every kind.
    pub rows: u64,
    /// Those of them that are [`Row::Malformed`].
    pub malformed: u64,
    /// The sum of all payments, as far as their rows tell.
    pub paid: Fen,
    /// Payments whose rows do not.
    pub amounts_unknown: u64,
    /// Whether the bill has a summary. One without it and without rows may be of a day without trades.
    pub is_stated: bool,
    /// `总交易单数`, if the bill has it.
    pub stated_rows: Option<u64>,
    /// `订单总金额`, if the bill has it.
    pub stated_paid: Option<Fen>,
}

/// Where a bill contradicts its own summary. The rows are what counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// `总交易单数` is another number.
    #[error("the summary counts {stated} rows, the bill has {seen}")]
    Rows {
        /// What the summary says.
        stated: u64,
        /// What was read.
        seen: u64,
    },
    /// `订单总金额` is another amount.
    #[error("the summary adds up to {stated} fen, the payments to {seen}")]
    Paid {
        /// What the summary says.
        stated: Fen,
        /// What was read.
        seen: Fen,
    },
}

impl Summary {
    /// Where the summary and the rows differ: worth a warning, and no reason to do without the rows.
    pub fn contradictions(&self) -> impl Iterator<Item = Contradiction> {
        let rows = self.stated_rows.filter(|stated| *stated != self.rows);
        let paid = self.stated_paid.filter(|stated| *stated != self.paid && self.amounts_unknown == 0);
        let rows = rows.map(|stated| Contradiction::Rows { stated, seen: self.rows });
        rows.into_iter().chain(paid.map(|stated| Contradiction::Paid { stated, seen: self.paid }))
    }
}

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
    /// It looks like XML and is not the flat XML of a refusal.
    #[error("the answer is unreadable")]
    Unreadable,
}
