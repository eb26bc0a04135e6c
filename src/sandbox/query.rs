//! A query that was received: for an order, or for a bill.

use super::fault::FaultKind;
use serde::{Deserialize, Serialize};

/// Which of the two entries of WeChat Pay a query came to (`docs/reference/wechatpay-v2.md` section 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Host {
    /// `api.mch.weixin.qq.com`.
    Api,
    /// `api2.mch.weixin.qq.com`, the one for disaster recovery.
    Api2,
}

/// Which of WeChat Pay's languages a question was in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Api {
    /// XML, signed with the APIv2 key.
    #[default]
    V2,
    /// JSON, signed with RSA.
    V3,
}

/// A query that was received, and what became of it.
#[derive(Debug, Clone, Serialize)]
pub struct Query {
    /// Counts from 1.
    pub number: u64,
    /// Where it came in.
    pub host: Host,
    /// In which language.
    pub api: Api,
    /// Whose order was asked for, as far as it could be read.
    pub mch_id: Option<String>,
    /// The order that was asked for, if by the merchant's number.
    pub out_trade_no: Option<String>,
    /// The payment that was asked for, if by WeChat Pay's number.
    pub transaction_id: Option<String>,
    /// What the answer says: a trade_state, an error code, or the message of a refusal.
    pub answer: String,
    /// The order that the answer is for, if there is one: not always the one that was asked for.
    pub answered_order: Option<String>,
    /// What the answer says it costs, fen.
    pub answered_fee: Option<u64>,
    /// What was wrong with the answer on purpose.
    pub fault: Option<FaultKind>,
}

/// A question for a bill that was received, and what became of it.
#[derive(Debug, Clone, Serialize)]
pub struct BillQuery {
    /// Counts from 1, together with the order queries.
    pub number: u64,
    /// Where it came in.
    pub host: Host,
    /// In which language.
    pub api: Api,
    /// Whose bill was asked for, as far as it could be read.
    pub mch_id: Option<String>,
    /// Of which day.
    pub bill_date: Option<String>,
    /// Which rows of it.
    pub bill_type: Option<String>,
    /// `GZIP`, if it was to be compressed.
    pub tar_type: Option<String>,
    /// `bill`, `file`, or the message of a refusal.
    pub answer: String,
    /// What was wrong with the answer on purpose.
    pub fault: Option<FaultKind>,
}
