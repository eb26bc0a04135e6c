//! The payment notification: what it says, how it is forged, and what became of it (`docs/reference/wechatpay-v2.md`
//! section 7).

use super::coupon;
use super::merchant::Merchant;
use super::message::Message;
use super::order::{Order, OrderKey};
use super::query::Api;
use super::seed::Seed;
use crate::domain::order::TransactionId;
use crate::net::xml::Fields;
use crate::provider::wechat::sign::SignType;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The waits between deliveries that failed (section 7.1): fifteen retries in 24 h 4 min, then nothing more.
pub const RETRY_SCHEDULE: [Duration; 15] = [
    Duration::from_secs(15),
    Duration::from_secs(15),
    Duration::from_secs(30),
    minutes(3),
    minutes(10),
    minutes(20),
    minutes(30),
    minutes(30),
    minutes(30),
    minutes(60),
    minutes(3 * 60),
    minutes(3 * 60),
    minutes(3 * 60),
    minutes(6 * 60),
    minutes(6 * 60),
];

const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

/// How a notification is forged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Forgery {
    /// Not at all: WeChat Pay's own. Only a paid order has one.
    #[default]
    None,
    /// Without a sign.
    Unsigned,
    /// Signed, or in API v3 sealed, with a key that is nobody's.
    WrongKey,
    /// The amount changed after it was signed: 1 fen paid for everything.
    Amount,
    /// Behind a document type that defines an entity.
    Doctype,
    /// Rightly signed, for an order that need not be paid or exist: the key has leaked.
    LeakedKey,
    /// API v3: signed with a key that is nobody's, under WeChat Pay's serial number.
    Stranger,
    /// API v3: the first delivery is signed wrongly on purpose, by WeChat Pay itself; the next one is right.
    Probe,
    /// API v3: rightly signed, ten minutes ago.
    Old,
    /// API v3: what is sealed changed after it was signed.
    Tampered,
    /// API v3: rightly signed, and sealed beside other data than it says.
    WrongAad,
    /// API v3: signed with a key that is nobody's, under a serial number that is nobody's.
    UnknownSerial,
}

impl Forgery {
    /// Whether there is such a thing in this language.
    pub(super) const fn is_of(self, format: Api) -> bool {
        match self {
            Self::None | Self::Unsigned | Self::WrongKey | Self::LeakedKey => true,
            Self::Amount | Self::Doctype => matches!(format, Api::V2),
            Self::Stranger | Self::Probe | Self::Old | Self::Tampered | Self::WrongAad | Self::UnknownSerial => {
                matches!(format, Api::V3)
            }
        }
    }

    /// Whether WeChat Pay sends it, which knows what is paid.
    pub(super) const fn is_wechat_pays(self) -> bool {
        matches!(self, Self::None | Self::Probe)
    }
}

/// What is to be sent where.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Announcement {
    /// Whose order; by default the first merchant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mch_id: Option<String>,
    /// Which sub-merchant's, in service-provider mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_mch_id: Option<String>,
    /// The order.
    pub out_trade_no: String,
    /// That this much came back, in fen, rather than that it was paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<u64>,
    /// Where to: an absolute `http://` URL.
    pub notify_url: String,
    /// In which language.
    #[serde(default)]
    pub format: Api,
    /// What happened, in API v3: by default `TRANSACTION.SUCCESS`, or `REFUND.SUCCESS` if something came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// How many times at once, as if several of WeChat Pay's servers sent it.
    #[serde(default = "one")]
    pub copies: u32,
    /// Whether it is forged.
    #[serde(default)]
    pub forge: Forgery,
    /// `MD5` or `HMAC-SHA256`, in API v2.
    #[serde(default = "md5")]
    pub sign_type: String,
    /// Whether deliveries that fail are repeated on WeChat Pay's schedule.
    #[serde(default = "yes")]
    pub retry: bool,
}

const fn one() -> u32 {
    1
}

fn md5() -> String {
    SignType::Md5.as_str().to_owned()
}

const fn yes() -> bool {
    true
}

/// How far a notification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// Deliveries are under way or waiting for their time.
    Sending,
    /// The receiver acknowledged.
    Acknowledged,
    /// Nothing more will be sent.
    GivenUp,
    /// Nothing was sent, and nothing will be: it got lost within WeChat Pay.
    Lost,
}

/// A notification and all its deliveries.
#[derive(Debug, Clone, Serialize)]
pub struct Notification {
    /// Counts from 1.
    pub id: u64,
    /// Of which order.
    #[serde(flatten)]
    pub order: OrderKey,
    /// Where to.
    pub notify_url: String,
    /// In which language.
    pub format: Api,
    /// What it tells, in API v3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// Whether it is forged.
    pub forge: Forgery,
    /// How far it is.
    pub progress: Progress,
    /// Every delivery, in the order they ended.
    pub attempts: Vec<Attempt>,
}

/// One delivery.
#[derive(Debug, Clone, Serialize)]
pub struct Attempt {
    /// Which round: 1, and up to 15 retries.
    pub round: usize,
    /// Which of the copies of this round.
    pub copy: u32,
    /// Milliseconds until the answer was there, or was given up.
    pub elapsed_ms: u64,
    /// By which key it was signed, in API v3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The answer's status, if there was an answer.
    pub status: Option<u16>,
    /// The answer's body, shortened.
    pub answer: Option<String>,
    /// What WeChat Pay makes of it.
    pub judgement: Judgement,
}

/// What WeChat Pay makes of a receiver's answer (section 7.4; in API v3 `docs/reference/wechatpay-v3.md` section 6.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// HTTP 200 with return_code SUCCESS; in API v3 200 or 204.
    Acknowledged,
    /// return_code FAIL: send it again.
    Failed,
    /// Not the acknowledgement: no XML, `success`, JSON, a page, nothing.
    NotAnAcknowledgement,
    /// Another HTTP status.
    HttpStatus,
    /// No answer within 5 seconds.
    Timeout,
    /// No connection, or a broken one.
    Connection,
}

impl Judgement {
    /// Judges an answer. In API v3 the status alone decides.
    pub(super) fn of(format: Api, status: u16, body: &[u8]) -> Self {
        if format == Api::V3 {
            return if matches!(status, 200 | 204) { Self::Acknowledged } else { Self::HttpStatus };
        }
        if status != 200 {
            return Self::HttpStatus;
        }
        match Fields::read(body) {
            Ok(fields) if fields.get("return_code") == Some("SUCCESS") => Self::Acknowledged,
            Ok(fields) if fields.get("return_code") == Some("FAIL") => Self::Failed,
            _ => Self::NotAnAcknowledgement,
        }
    }
}

/// The notification's document: sorted, everything in CDATA but `total_fee` (section 7.3).
pub(super) fn compose(
    order: &Order,
    merchant: &Merchant,
    nonce_str: String,
    forge: Forgery,
    sign_type: SignType,
    seed: Seed,
) -> String {
    let mut message = Message::default();
    message.push("return_code", "SUCCESS");
    message.push("result_code", "SUCCESS");
    message.push("appid", merchant.appid.as_str());
    message.push("mch_id", merchant.mch_id.as_str());
    message.push_some("sub_mch_id", order.key.sub_mch_id.map(|id| id.to_string()));
    message.push("nonce_str", nonce_str);
    message.push("sign", "");
    message.push("openid", &order.openid);
    message.push("is_subscribe", "N");
    message.push("trade_type", &order.trade_type);
    message.push("bank_type", &order.bank_type);
    message.push("total_fee", order.total_fee.to_string());
    message.push("fee_type", "CNY");
    message.push("cash_fee", (order.total_fee - order.coupon_fee).to_string());
    coupon::push(&mut message, order);
    message.push_some("transaction_id", order.transaction_id.as_ref().map(TransactionId::as_str));
    message.push("out_trade_no", order.key.out_trade_no.as_str());
    message.push_some("attach", Some(order.attach.as_str()).filter(|attach| !attach.is_empty()));
    message.push_some("time_end", order.time_end.as_deref());
    message.sort();
    match forge {
        Forgery::WrongKey => message.sign(seed.wrong_key().as_bytes(), sign_type),
        _ => message.sign(merchant.v2_key(), sign_type),
    }
    match forge {
        Forgery::Unsigned => message.remove("sign"),
        Forgery::Amount => message.replace("total_fee", if order.total_fee == 1 { "2" } else { "1" }),
        _ => {}
    }
    let document = message.to_xml(&["total_fee"]);
    match forge {
        Forgery::Doctype => format!("<!DOCTYPE xml [<!ENTITY paid SYSTEM \"file:///etc/hostname\">]>\n{document}"),
        _ => document,
    }
}
