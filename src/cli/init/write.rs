//! The configuration that is written: short, with a comment where an operator has to check.

use super::guess::{Choice, Guess, SignedBy};
use crate::cli::words::{Words, fill};
use crate::domain::order::{AppId, MerchantId};
use crate::gate::claim::Carrier;
use crate::upstream::Upstream;
use std::fmt::Write;

/// What no request says.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) upstream: Upstream,
    pub(super) appid: AppId,
    pub(super) mch_id: MerchantId,
}

/// The reference to the key of the merchant account.
pub(super) const KEY: &str = "WECHAT_KEY";

/// The reference to its APIv3 key.
pub(super) const V3_KEY: &str = "WECHAT_V3_KEY";

/// The files of the merchant platform, under its names, and WeChat Pay's public key.
pub(super) const PRIVATE_KEY: &str = "apiclient_key.pem";
pub(super) const CERTIFICATE: &str = "apiclient_cert.pem";
pub(super) const PUBLIC_KEY: &str = "pub_key.pem";

/// The column of comments.
const COMMENT: usize = 46;

/// The whole file. `from` is the request's.
pub(super) fn write(guess: &Guess, known: &Known, from: &str, words: &Words) -> String {
    let mut file = File::default();
    file.comment(&fill(words.made_from, &[&from]));
    file.comment(if guess.of_v3.is_some() { words.next_steps_v3 } else { words.next_steps });
    file.blank();
    file.line(0, "listen: 127.0.0.1:8080", words.listen_here);
    file.line(0, &format!("upstream: {}", known.upstream), words.upstream_keeps);
    file.line(0, "mode: enforce", words.mode_first);
    file.blank();
    file.line(0, "routes:", "");
    route(&mut file, guess, words);
    file.blank();
    file.line(0, "channels:", "");
    file.line(2, "app:", "");
    file.line(4, if guess.of_v3.is_some() { "provider: wechat-v3" } else { "provider: wechat-v2" }, "");
    file.line(4, &format!("appid: {}", known.appid), "");
    file.line(4, &format!("mch_id: \"{}\"", known.mch_id), "");
    match guess.of_v3 {
        Some(signed_by) => keys_of_v3(&mut file, signed_by, words),
        None => file.line(4, &format!("key: ${{{KEY}}}"), words.key_is),
    }
    file.blank();
    file.line(0, "journal: { path: tollgate.db }", words.journal_is);
    file.comment(words.behind_proxy);
    file.comment("forwarding: { trusted_proxies: [127.0.0.1] }");
    file.0
}

fn keys_of_v3(file: &mut File, signed_by: SignedBy, words: &Words) {
    file.line(4, &format!("private_key: ${{file:{PRIVATE_KEY}}}"), words.private_key_is);
    file.line(4, &format!("certificate: ${{file:{CERTIFICATE}}}"), words.certificate_is);
    file.line(4, &format!("api_v3_key: ${{{V3_KEY}}}"), words.v3_key_is);
    match signed_by {
        SignedBy::PublicKey(id) => {
            file.line(4, &format!("public_key_id: {id}"), words.public_key_id_is);
            file.line(4, &format!("public_key: ${{file:{PUBLIC_KEY}}}"), words.public_key_is);
        }
        SignedBy::Certificate => file.line(4, "platform_certificates: auto", words.certificates_are),
    }
}

fn route(file: &mut File, guess: &Guess, words: &Words) {
    let is_plain = guess.matched.is_empty();
    file.line(2, &format!("- name: {}", if guess.is_notification { "wechat-notify" } else { "pay-success" }), "");
    file.line(4, &format!("path: {}", quoted(&guess.path)), if is_plain { words.path_exact } else { "" });
    if !is_plain {
        let wanted =
            |(name, value): &(String, String)| format!("{}: {}", quoted(&format!("query.{name}")), quoted(value));
        let wanted: Vec<_> = guess.matched.iter().map(wanted).collect();
        file.line(4, &format!("match: {{ {} }}", wanted.join(", ")), words.match_exact);
    }
    if guess.is_notification {
        match guess.of_v3 {
            Some(_) => file.line(4, "preset: wechat", words.preset_any),
            None => file.line(4, "preset: wechat-v2", words.preset_is),
        }
        if guess.any_type && guess.of_v3.is_some() {
            file.line(4, "content_type: any", words.any_type);
        }
        file.line(4, "channel: app", "");
        return;
    }
    let usual = if guess.carrier == Carrier::Query { "GET" } else { "POST" };
    if guess.method.as_str() != usual {
        file.line(4, &format!("methods: [{}]", guess.method), "");
    }
    file.line(4, &format!("carrier: {}", carrier(guess.carrier)), words.carrier_is);
    if guess.any_type {
        file.line(4, "content_type: any", words.any_type);
    }
    if guess.ignores_cookies {
        file.line(4, "cookies: ignore", words.cookies_are);
    }
    field(file, "order", Some(&guess.order), words);
    field(file, "out_trade_no", guess.out_trade_no.as_ref(), words);
    if guess.out_trade_no.is_some() {
        file.line(4, "number_proof: first", words.proof_is);
    }
    field(file, "transaction", guess.transaction.as_ref(), words);
    if let (true, Some(taken)) = (guess.fill, &guess.transaction) {
        file.line(4, &format!("fill: {}", quoted(&taken.field.name)), words.fill_is);
    }
    field(file, "amount", guess.amount.as_ref(), words);
    if guess.amount.is_some() {
        let (unit, why) = if guess.in_yuan { ("yuan", words.unit_yuan) } else { ("fen", words.unit_fen) };
        file.line(4, &format!("amount_unit: {unit}"), why);
    }
    let names: Vec<_> = guess.channels.iter().map(|field| field.name.as_str()).collect();
    let hint = if names.is_empty() { String::new() } else { fill(words.channel_hint, &[&names.join(", ")]) };
    file.line(4, "channel: app", &hint);
    file.line(4, "reply: http", "");
    file.line(4, "accepted: { status: 2xx }", words.accepted_is);
}

fn field(file: &mut File, key: &str, choice: Option<&Choice>, words: &Words) {
    let Some(Choice { field, others }) = choice else { return };
    let others = if others.is_empty() { String::new() } else { fill(words.or_perhaps, &[&others.join(", ")]) };
    file.line(4, &format!("{key}: {}", quoted(&field.name)), &others);
}

pub(super) const fn carrier(carrier: Carrier) -> &'static str {
    match carrier {
        Carrier::Query => "query",
        Carrier::Json => "json",
        Carrier::Xml => "xml",
        Carrier::Multipart => "multipart",
        Carrier::Form => "form",
    }
}

/// A scalar that YAML takes for this text. JSON's quotes are YAML's.
fn quoted(text: &str) -> String {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_./-".contains(&byte))
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && !matches!(text.to_ascii_lowercase().as_str(), "null" | "true" | "false" | "yes" | "no" | "on" | "off");
    if is_plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

#[derive(Default)]
struct File(String);

impl File {
    fn blank(&mut self) {
        self.0.push('\n');
    }

    /// Nothing that a request says can end a comment.
    fn comment(&mut self, text: &str) {
        for line in text.lines() {
            // Writing into a text does not fail.
            let _ = writeln!(self.0, "# {}", line.replace(char::is_control, " "));
        }
    }

    fn line(&mut self, indent: usize, text: &str, comment: &str) {
        let comment = comment.replace(char::is_control, " ");
        let line = format!("{}{text}", " ".repeat(indent));
        let line = if comment.is_empty() { line } else { format!("{line:<COMMENT$}  # {comment}") };
        let _ = writeln!(self.0, "{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_yaml_would_take_for_something_else_is_quoted() {
        for (text, written) in [
            ("OrderID", "OrderID"),
            ("/index.php", "/index.php"),
            ("data.order_id", "data.order_id"),
            ("订单号", "\"订单号\""),
            ("null", "\"null\""),
            ("No", "\"No\""),
            ("1", "\"1\""),
            ("a: b", "\"a: b\""),
            ("a\"b", "\"a\\\"b\""),
            ("", "\"\""),
        ] {
            assert_eq!(quoted(text), written);
        }
    }
}
