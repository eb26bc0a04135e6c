//! What an order query was answered.

use crate::net::xml::Fields;
use bytes::Bytes;
use std::fmt;

/// Whether an answer or notification carries a signature, and whether it is WeChat Pay's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// Present, and made with one of the account's keys over every received field.
    Valid,
    /// No `sign`, or an empty one.
    Missing,
    /// Present, and fits none of the keys.
    Wrong,
}

/// An order query's answer: the fields the decision needs, as they were received, under WeChat's names
/// (`docs/reference/wechatpay-v2.md` section 4.1). `None` means absent or empty.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether any of the rest may be believed.
    pub signature: Signature,
    /// `SUCCESS` if the message was accepted.
    pub return_code: Option<String>,
    /// The reason for a `FAIL`; text for the log only.
    pub return_msg: Option<String>,
    /// `SUCCESS` if the query worked, which does not mean paid.
    pub result_code: Option<String>,
    /// The error code, where `result_code` is FAIL.
    pub err_code: Option<String>,
    /// As the account's, or the answer is not believed.
    pub appid: Option<String>,
    /// As the account's, or the answer is not believed.
    pub mch_id: Option<String>,
    /// As the account's, or the answer is not believed.
    pub sub_appid: Option<String>,
    /// As the account's, or the answer is not believed.
    pub sub_mch_id: Option<String>,
    /// The merchant's number of the order that is answered for.
    pub out_trade_no: Option<String>,
    /// WeChat Pay's number of the payment, once paid.
    pub transaction_id: Option<String>,
    /// Paid or refunded or not: the state of the order.
    pub trade_state: Option<String>,
    /// The order's amount in fen.
    pub total_fee: Option<String>,
    /// Its currency; absent means CNY.
    pub fee_type: Option<String>,
    /// When it was paid: `yyyyMMddHHmmss`, Beijing time.
    pub time_end: Option<String>,
    /// What the merchant attached to the order when it was made.
    pub attach: Option<String>,
    /// The whole document as it was received, for the notification that is made of it
    /// ([`write_notification`](super::write_notification)). It holds a full signature and is never shown.
    pub document: Bytes,
}

impl Answer {
    /// What these fields say, without the document.
    pub(super) fn of(signature: Signature, fields: &Fields<'_>) -> Self {
        let mut answer = Self {
            signature,
            return_code: None,
            return_msg: None,
            result_code: None,
            err_code: None,
            appid: None,
            mch_id: None,
            sub_appid: None,
            sub_mch_id: None,
            out_trade_no: None,
            transaction_id: None,
            trade_state: None,
            total_fee: None,
            fee_type: None,
            time_end: None,
            attach: None,
            document: Bytes::new(),
        };
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
            if let Some(field) = answer.field(name) {
                *field = Some(value.to_owned());
            }
        }
        answer
    }

    fn field(&mut self, name: &str) -> Option<&mut Option<String>> {
        Some(match name {
            "return_code" => &mut self.return_code,
            "return_msg" => &mut self.return_msg,
            "result_code" => &mut self.result_code,
            "err_code" => &mut self.err_code,
            "appid" => &mut self.appid,
            "mch_id" => &mut self.mch_id,
            "sub_appid" => &mut self.sub_appid,
            "sub_mch_id" => &mut self.sub_mch_id,
            "out_trade_no" => &mut self.out_trade_no,
            "transaction_id" => &mut self.transaction_id,
            "trade_state" => &mut self.trade_state,
            "total_fee" => &mut self.total_fee,
            "fee_type" => &mut self.fee_type,
            "time_end" => &mut self.time_end,
            "attach" => &mut self.attach,
            _ => return None,
        })
    }
}

impl fmt::Debug for Answer {
    /// What decisions and logs are about.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("signature", &self.signature)
            .field("return_code", &self.return_code)
            .field("return_msg", &self.return_msg)
            .field("result_code", &self.result_code)
            .field("err_code", &self.err_code)
            .field("out_trade_no", &self.out_trade_no)
            .field("transaction_id", &self.transaction_id)
            .field("trade_state", &self.trade_state)
            .field("total_fee", &self.total_fee)
            .finish_non_exhaustive()
    }
}
