//! The names of the headers that confirmed callbacks carry. They are the gate's word, so no two of them may look alike
//! to a backend, and none may be a header that means something else already (threat P-09).

use super::read::{Map, Section, Value};
use crate::gate::stamp::{HeaderNames, SIGNATURE_BY_DEFAULT, SignatureHeader};
use hyper::header::HeaderName;

pub(super) static HEADERS: Section = Section {
    name: "headers",
    keys: &[
        "transaction_id",
        "out_trade_no",
        "amount",
        "currency",
        "paid_at",
        "trade_state",
        "channel",
        "delivery",
        "attempt",
        "origin",
        "override",
        "event",
        "signature",
    ],
};
pub(super) static SIGNATURE: Section = Section { name: "headers.signature", keys: &["name", "key"] };

/// Shorter keys can be guessed.
const MIN_KEY: usize = 16;

/// What HTTP, proxies and the carriers use; folded.
const TAKEN: &[&str] = &[
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-request-id",
];

pub(super) fn headers(value: &Value<'_>) -> Option<HeaderNames> {
    let map = value.map(&HEADERS)?;
    let default = HeaderNames::default();
    let names = HeaderNames {
        transaction_id: map.or("transaction_id", default.transaction_id, name),
        out_trade_no: map.or("out_trade_no", default.out_trade_no, name),
        amount: map.or("amount", default.amount, name),
        currency: map.or("currency", default.currency, name),
        paid_at: map.or("paid_at", default.paid_at, name),
        trade_state: map.or("trade_state", default.trade_state, name),
        channel: map.or("channel", default.channel, name),
        delivery: map.or("delivery", default.delivery, name),
        attempt: map.or("attempt", default.attempt, name),
        origin: map.or("origin", default.origin, name),
        overrides: map.or("override", default.overrides, name),
        event: map.or("event", default.event, name),
        signature: map.optional("signature", signature),
    };
    report_alike(&map, &names);
    Some(names)
}

fn signature(value: &Value<'_>) -> Option<SignatureHeader> {
    let map = value.map(&SIGNATURE)?;
    let header = map.or("name", SIGNATURE_BY_DEFAULT.clone(), name);
    let key = map.required("key", "key: ${TOLLGATE_HEADER_KEY}", |value| {
        let key = value.secret()?;
        if key.expose().len() < MIN_KEY {
            value.problem("is shorter than 16 characters", "make one with: openssl rand -hex 32");
        }
        Some(key)
    });
    Some(SignatureHeader { name: header, key: key? })
}

fn name(value: &Value<'_>) -> Option<HeaderName> {
    let name = value.parse(
        |text| text.parse::<HeaderName>().map_err(|_| "is not a header name"),
        "use letters, digits and - as in X-Verified-Transaction-Id",
    )?;
    if TAKEN.contains(&fold(&name).as_str()) {
        value.problem("is a header with a meaning of its own", "choose a name of your own, beginning with X-");
        return None;
    }
    Some(name)
}

/// Two names that a backend could take for one are one name.
fn report_alike(map: &Map<'_>, names: &HeaderNames) {
    let signature = names.signature.as_ref().map(|signature| ("signature", &signature.name));
    let all = [
        ("transaction_id", &names.transaction_id),
        ("out_trade_no", &names.out_trade_no),
        ("amount", &names.amount),
        ("currency", &names.currency),
        ("paid_at", &names.paid_at),
        ("trade_state", &names.trade_state),
        ("channel", &names.channel),
        ("delivery", &names.delivery),
        ("attempt", &names.attempt),
        ("origin", &names.origin),
        ("override", &names.overrides),
        ("event", &names.event),
    ];
    let all: Vec<_> = all.into_iter().chain(signature).collect();
    for (index, (key, name)) in all.iter().enumerate() {
        let Some((other, _)) = all.iter().take(index).find(|(_, earlier)| fold(earlier) == fold(name)) else {
            continue;
        };
        let (value, other) = match map.get(key) {
            Some(value) => (Some(value), other),
            None => (map.get(other), key),
        };
        if let Some(value) = value {
            value.problem(
                format!("cannot be told from headers.{other}"),
                "choose names that differ in more than - _ . or case",
            );
        }
    }
}

/// As CGI, PHP and WSGI fold names: case, and `-` `_` `.` alike.
fn fold(name: &HeaderName) -> String {
    name.as_str().replace(['_', '.'], "-")
}
