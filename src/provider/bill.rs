//! A day's bill: every payment and refund of a merchant, also those that no callback told of.
//!
//! A bill is only a question. Most are not signed: what stands in one is looked up before anything is done about it.

use super::BoxFuture;
use crate::domain::money::{Fen, Money};
use crate::domain::order::{AppId, MerchantId, OutTradeNo, TransactionId};
use jiff::Timestamp;
use std::fmt;

/// A bill that is being read as it comes. It may have millions of rows, in no order.
pub trait Bill: Send {
    /// The next rows, about a thousand; `None` at its end, when the [`summary`](Self::summary) is there.
    ///
    /// # Errors
    /// If the rest of the bill does not come, or cannot be read. There is nothing after that; rows that came before are
    /// as good as any.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Vec<Row>>, BillError>>;

    /// What the whole bill says, once [`next`](Self::next) was `None`.
    fn summary(&self) -> Option<&Summary>;
}

/// Why there is no bill, or not the whole of it, in the provider's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BillError {
    /// The provider has none for that day: nothing was traded, or it is not made yet.
    #[error("{0}")]
    NoBill(String),
    /// It could not be had, or not the whole of it. Asking again later may help.
    #[error("{0}")]
    TryAgain(String),
    /// The question or the bill is wrong, and will be wrong again.
    #[error("{0}")]
    Permanent(String),
}

/// Which rows a bill has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BillType {
    /// Payments, refunds and the rest.
    All,
    /// Payments only.
    Success,
}

/// A line of a bill's details.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// Money came in, whatever became of it later.
    Payment(BillPayment),
    /// A refund of a payment.
    Refund(BillRefund),
    /// A payment whose number is none that an order of ours can have.
    NotOurs {
        /// The provider's number of it.
        transaction_id: TransactionId,
        /// What it says, shortened.
        number: String,
        /// The row's line in the bill, from 1.
        line: u64,
    },
    /// Anything else that happened to an order, such as that it was revoked.
    Other {
        /// What it says, shortened.
        state: String,
        /// The row's line in the bill, from 1.
        line: u64,
    },
    /// A line that cannot be read. It may be a payment.
    Malformed {
        /// The row's line in the bill, from 1.
        line: u64,
        /// What is wrong with it.
        why: BadRow,
    },
}

/// A payment, as its row in the bill has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillPayment {
    /// The application that it was made with: one of those that are bound to the merchant.
    pub appid: Option<AppId>,
    /// The merchant whose bill it is; `None` if the row does not tell.
    pub mch_id: Option<MerchantId>,
    /// The merchant's own merchant, where it is a service provider's bill.
    pub sub_mch_id: Option<MerchantId>,
    /// The provider's number of the payment.
    pub transaction_id: TransactionId,
    /// The merchant's number of the order.
    pub out_trade_no: OutTradeNo,
    /// What the order costs, before coupons; `None` if the row does not tell.
    pub amount: Option<Money>,
    /// When it was paid.
    pub trade_time: Option<Timestamp>,
    /// The row's line in the bill, from 1.
    pub line: u64,
    /// Why only what stands in front of the free text was used.
    pub broken: Option<Broken>,
}

/// A row that can be read up to its free text only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken {
    /// What is wrong with it.
    pub why: BadRow,
    /// What is settled, which stands in front; less than the order's amount where coupons were used, so it is only
    /// told.
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
    /// The application that it was made with: one of those that are bound to the merchant.
    pub appid: Option<AppId>,
    /// The merchant whose bill it is; `None` if the row does not tell.
    pub mch_id: Option<MerchantId>,
    /// The merchant's own merchant, where it is a service provider's bill.
    pub sub_mch_id: Option<MerchantId>,
    /// The provider's number of the payment.
    pub transaction_id: TransactionId,
    /// The merchant's number of the order, if it is one that an order of ours can have.
    pub out_trade_no: Option<OutTradeNo>,
    /// The provider's number of the refund.
    pub refund_id: Option<String>,
    /// How it stands, in the provider's word.
    pub refund_status: Option<String>,
    /// When it was refunded.
    pub trade_time: Option<Timestamp>,
    /// The row's line in the bill, from 1.
    pub line: u64,
}

/// Why a line is not a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRow {
    /// More or fewer values than the header has columns.
    #[error("has {found} values where the header has {columns} columns")]
    Values {
        /// How many values the row has.
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
    /// How many rows it says that it has, if it does.
    pub stated_rows: Option<u64>,
    /// What its payments come to, if it says so.
    pub stated_paid: Option<Fen>,
}

/// Where a bill contradicts its own summary. The rows are what counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// It counts another number of rows.
    #[error("the summary counts {stated} rows, the bill has {seen}")]
    Rows {
        /// What the summary says.
        stated: u64,
        /// How many rows were read.
        seen: u64,
    },
    /// It adds up to another amount.
    #[error("the summary adds up to {stated} fen, the payments to {seen}")]
    Paid {
        /// What the summary says.
        stated: Fen,
        /// What the rows that were read add up to.
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
