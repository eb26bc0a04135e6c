//! API v3's notifications, as a route's preset (`docs/reference/wechatpay-v3.md` section 6).

use super::headers;
use super::notification;
use crate::domain::carrier::Carrier;
use crate::domain::money::AmountUnit;
use crate::domain::reason::{Reason, Stage, Verdict};
use crate::provider::preset::{Dialect, Phrase, Preset, Sealing, TakenWhen};
use hyper::StatusCode;
use hyper::header::HeaderValue;

/// Notifications of payments and refunds, which are signed by headers and sealed as a whole.
pub static PRESET: Preset = Preset {
    name: "wechat-v3",
    carrier: Carrier::Json,
    begins: b'{',
    order: "out_trade_no",
    transaction: "transaction_id",
    amount: "amount.total",
    amount_unit: AmountUnit::Fen,
    vouched_for: &[],
    sealed: Some(Sealing::Body),
    examine: notification::examine,
    unaddressed: Reason::NotificationSerialUnknown,
    signed_at: Some(headers::signed_at),
    dialect: &DIALECT,
    accepted: TakenWhen::Code("SUCCESS"),
};

/// The status decides (section 6.5), so what is not taken has an error's.
pub static DIALECT: Dialect = Dialect {
    name: "wechat-v3",
    taken: Phrase { content_type: JSON, body: r#"{"code":"SUCCESS","message":"OK"}"# },
    not_taken: Phrase { content_type: JSON, body: r#"{"code":"FAIL","message":"not taken"}"# },
    status,
    status_decides: true,
    reads_as_not_taken: |_, _| false,
    own_failure: "write a 4xx or 5xx status: WeChat Pay looks at nothing else",
};

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// What is not authentic is 401, whatever HTTP has for it elsewhere.
const fn status(reason: Reason, http: StatusCode) -> StatusCode {
    match reason {
        Reason::NotificationUnsigned | Reason::NotificationBadlySigned | Reason::NotificationUndecipherable => {
            StatusCode::UNAUTHORIZED
        }
        // The upstream's own answer would be read as success.
        Reason::NotAccepted => StatusCode::SERVICE_UNAVAILABLE,
        _ => match reason.stage() {
            // API v3 has no 402.
            Stage::Verdict(Verdict::Unpaid | Verdict::Refunded) => StatusCode::FORBIDDEN,
            Stage::Upstream if http.as_u16() < 400 => StatusCode::SERVICE_UNAVAILABLE,
            _ => http,
        },
    }
}
