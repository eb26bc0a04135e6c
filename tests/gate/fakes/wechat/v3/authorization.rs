//! Whether a request may be answered: as strict as the real one (`docs/reference/wechatpay-v3.md` section 3.1).

use super::account::{ACCOUNTS, Account};
use super::stamp::{SCHEME, now};
use crate::wechatpay_v3::verify;
use crate::wire::Message;
use std::collections::BTreeMap;

/// Who asks.
pub(super) struct Asker {
    pub account: Account,
    pub nonce_str: String,
    pub signature: String,
}

/// Reads `Authorization`, and what other headers must be there; or says what is wrong with them.
pub(super) fn asker(request: &Message) -> Result<Asker, String> {
    let values = request.folded("Authorization");
    let [value] = values.as_slice() else { return Err("Authorization is missing or stands twice".to_owned()) };
    let Some(rest) = value.strip_prefix(SCHEME).and_then(|rest| rest.strip_prefix(' ')) else {
        return Err(format!("another scheme: {value}"));
    };
    let items = rest.split(',').map(|item| item.split_once('=').unwrap_or((item, "")));
    let items: Vec<_> = items.map(|(name, value)| (name, value.trim_matches('"'))).collect();
    let written = items.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect::<Vec<_>>().join(",");
    let named: BTreeMap<_, _> = items.iter().copied().collect();
    let names: Vec<_> = named.keys().copied().collect();
    if written != rest || items.len() != 5 || names != ["mchid", "nonce_str", "serial_no", "signature", "timestamp"] {
        return Err(format!("Authorization is malformed: {value}"));
    }
    let Some(account) = ACCOUNTS.into_iter().find(|account| account.merchant.mch_id == named["mchid"]) else {
        return Err(format!("an unknown merchant: {}", named["mchid"]));
    };
    if !named["timestamp"].parse().is_ok_and(|at: i64| (at - now()).abs() <= 300) {
        return Err("the time is more than five minutes off".to_owned());
    }
    if named["serial_no"] != account.private_key.serial {
        return Err("serial_no is not the merchant's certificate".to_owned());
    }
    let nonce_str = named["nonce_str"].to_owned();
    if !(8..=32).contains(&nonce_str.len()) || !nonce_str.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(format!("a malformed nonce_str: {nonce_str}"));
    }
    let (line, body) = (request.line(), request.text());
    let method = line.split(' ').next().unwrap_or_default();
    let text = format!("{method}\n{}\n{}\n{nonce_str}\n{body}\n", request.target(), named["timestamp"]);
    if !verify(text.as_bytes(), named["signature"], account.private_key.name) {
        return Err(format!("the signature does not fit: {line}"));
    }
    if request.header("User-Agent").is_none_or(|agent| agent.is_empty()) {
        return Err("no User-Agent".to_owned());
    }
    if !request.folded("Accept").iter().any(|accept| accept.contains("application/json") || accept.contains("*/*")) {
        return Err("no Accept".to_owned());
    }
    Ok(Asker { account, nonce_str, signature: named["signature"].to_owned() })
}
