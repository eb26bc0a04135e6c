//! What a backend that speaks API v3 makes of a request: whose signature it has, and which order is sealed in it.

use crate::fakes::wechat::v3::{ACCOUNTS, Key, PLATFORM_1, PLATFORM_2, RESIGN};
use crate::wechatpay_v3::{open, verify};
use crate::wire::Message;
use serde_json::Value;

const SIGNED: [&str; 4] = ["Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Signature", "Wechatpay-Serial"];

/// What is wrong with a notification of API v3 as the backend got it; `None` if it is right, or none of API v3's.
pub(super) fn breach(request: &Message) -> Option<String> {
    sealed(request)?;
    let values = SIGNED.map(|name| request.folded(name));
    let [[timestamp], [nonce], [signature], [serial]] = values.each_ref().map(Vec::as_slice) else {
        return Some("a header that signs it is not there once".to_owned());
    };
    let Some(key) = keys().find(|key| key.serial == serial) else { return Some(format!("nobody knows {serial}")) };
    let message = [format!("{timestamp}\n{nonce}\n").as_bytes(), &request.body, b"\n"].concat();
    (!verify(&message, signature, key.name)).then(|| "its signature does not fit".to_owned())
}

/// The number of the order that is sealed in a notification.
pub(super) fn out_trade_no(request: &Message) -> Option<String> {
    let resource = sealed(request)?;
    let text = |name: &str| resource[name].as_str().unwrap_or_default().to_owned();
    let plain = ACCOUNTS
        .iter()
        .find_map(|account| open(&text("ciphertext"), &text("nonce"), &text("associated_data"), account.api_v3_key))?;
    let plain: Value = serde_json::from_slice(&plain).ok()?;
    plain["out_trade_no"].as_str().map(str::to_owned)
}

fn sealed(request: &Message) -> Option<Value> {
    let mut envelope: Value = serde_json::from_slice(&request.body).ok()?;
    let resource = envelope.get_mut("resource")?.take();
    resource["ciphertext"].is_string().then_some(resource)
}

fn keys() -> impl Iterator<Item = Key> {
    ACCOUNTS.iter().filter_map(|account| account.public_key).chain([PLATFORM_1, PLATFORM_2, RESIGN])
}
