//! API v2's notifications, as a route's preset (`docs/reference/wechatpay-v2.md` section 7).

use super::refund::REQ_INFO;
use crate::domain::carrier::Carrier;
use crate::domain::money::AmountUnit;
use crate::domain::reason::{Reason, Stage};
use crate::provider::preset::{Dialect, Phrase, Preset, SealedForm, Sealing, TakenWhen};
use hyper::StatusCode;
use hyper::header::HeaderValue;

/// Notifications of payments, which are signed, and of refunds, which are sealed.
pub static PRESET: Preset = Preset {
    name: "wechat-v2",
    carrier: Carrier::Xml,
    begins: b'<',
    order: "out_trade_no",
    transaction: "transaction_id",
    amount: "total_fee",
    amount_unit: AmountUnit::Fen,
    vouched_for: &["return_code", "result_code", "appid", "sub_appid", "mch_id", "sub_mch_id", "fee_type"],
    sealed: Some(Sealing::Field(SealedForm {
        field: REQ_INFO,
        never_beside: &["sign", "result_code"],
        of_payments: false,
    })),
    examine: |_, _| Ok(()),
    unaddressed: Reason::NotificationForOtherMerchant,
    signed_at: None,
    dialect: &DIALECT,
    accepted: TakenWhen::ReturnCode("SUCCESS"),
};

/// 200 and `return_code` in XML (section 7.4); only what is no notification at all gets another status.
pub static DIALECT: Dialect = Dialect {
    name: "wechat-v2",
    taken: Phrase {
        content_type: XML,
        body: "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>",
    },
    not_taken: Phrase {
        content_type: XML,
        body: "<xml><return_code><![CDATA[FAIL]]></return_code><return_msg><![CDATA[not taken]]></return_msg></xml>",
    },
    status,
    status_decides: false,
    reads_as_not_taken,
    own_failure: "write a 4xx or 5xx status, or 200 and an XML body whose return_code is FAIL",
};

const XML: HeaderValue = HeaderValue::from_static("text/xml; charset=utf-8");

const fn status(reason: Reason, http: StatusCode) -> StatusCode {
    match (reason, reason.stage()) {
        // Not what the route takes, whatever WeChat Pay could say of an order.
        (Reason::NotificationNotPayment, _) | (_, Stage::Request | Stage::Claim) => http,
        (_, Stage::Verdict(_) | Stage::Upstream | Stage::FollowUp | Stage::Gate) => StatusCode::OK,
    }
}

fn reads_as_not_taken(status: StatusCode, body: &str) -> bool {
    status == StatusCode::OK && body.contains("<return_code>") && body.contains("FAIL") && !body.contains("SUCCESS")
}
