//! The outside judge of the invariants of docs/threat-model.md: it compares what WeChat Pay said, what the legacy
//! system saw, what the sender was told and what the log shows, after every scenario and whatever that scenario was
//! about.

mod envelope;

use crate::fakes::upstream::{MARK, Upstream};
use crate::fakes::wechat::{APP, C1, Confirmation, OPENID, WeChat, scan, v3};
use crate::harness::{ADMIN_TOKEN, return_code};
use crate::wire::Message;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

/// What is shorter is no secret that could be told from other text.
const SHORTEST_SECRET: usize = 16;

/// What one world has on record.
pub struct Ledger {
    config: Value,
    answers: Vec<Message>,
}

impl Ledger {
    pub fn new(config: Value) -> Self {
        Self { config, answers: Vec::new() }
    }

    /// Another config, from the next start on.
    pub fn config_is(&mut self, config: Value) {
        self.config = config;
    }

    pub fn heard(&mut self, answer: &Message) {
        self.answers.push(answer.clone());
    }

    /// Every breach of an invariant, in words.
    pub fn wrong(&self, wechats: &[WeChat], upstreams: &[Upstream], log: &str) -> Vec<String> {
        let confirmations: Vec<_> = wechats.iter().flat_map(WeChat::confirmations).collect();
        let confirmations = by_number(&confirmations);
        let requests: Vec<_> = upstreams.iter().flat_map(Upstream::requests).collect();
        let mut wrong: Vec<_> =
            requests.iter().filter_map(|request| self.passed_wrongly(request, &confirmations)).collect();
        wrong.extend(self.lost_as_success());
        let refused = wechats.iter().flat_map(WeChat::wrongly_asked);
        wrong.extend(refused.map(|why| format!("WeChat Pay refused to be asked like this: {why}")));
        wrong.extend(self.told(wechats, log));
        wrong
    }

    /// I1, I3 and I4 for one request that the upstream saw.
    fn passed_wrongly(&self, request: &Message, confirmations: &Confirmations<'_>) -> Option<String> {
        let breach =
            |what: &str| Some(format!("{what}: {} {}", String::from_utf8_lossy(&request.head), request.text()));
        if request.header("Transfer-Encoding").is_some() || request.folded("Content-Length").len() > 1 {
            return breach("I3: not framed by one Content-Length");
        }
        if request.folded("Host").len() != 1 {
            return breach("P-07: no Host, or more than one");
        }
        let ours = [
            "transaction_id",
            "out_trade_no",
            "amount",
            "currency",
            "trade_state",
            "channel",
            "delivery",
            "attempt",
            "origin",
            "paid_at", // last, because WeChat Pay may leave it out
        ];
        let values: Vec<_> = ours.map(|name| request.folded(&self.header_name(name))).into();
        if values.iter().all(Vec::is_empty) {
            return if self.observes() { None } else { breach("I1: passed without any verified header") };
        }
        if let Some(wrong) = envelope::breach(request) {
            return breach(&format!("API v3: {wrong}"));
        }
        let [ids @ .., paid_at] = values.as_slice() else { return None };
        let Some([transaction_id, out_trade_no, total_fee, _, trade_state, channel, ..]) = once(ids) else {
            // In observe mode the delivery headers may stand on what is not confirmed, the verified ones may not.
            let verified = ids[..6].iter().any(|values| !values.is_empty());
            return if self.observes() && !verified { None } else { breach("I3: a verified header is not there once") };
        };
        if paid_at.len() > 1 {
            return breach("I3: a verified header is there twice");
        }
        let account = &self.config["channels"][channel];
        let entitles = |confirmation: &&Confirmation| {
            is_or_has(&account["appid"], &confirmation.appid)
                && confirmation.mch_id == account["mch_id"]
                && confirmation.out_trade_no == out_trade_no
                && confirmation.transaction_id == transaction_id
                && confirmation.total_fee == total_fee
                && confirmation.trade_state == trade_state
        };
        if !confirmations.get(out_trade_no).is_some_and(|these| these.iter().any(entitles)) {
            return breach("I1: WeChat Pay never confirmed this");
        }
        for reading in readings(request) {
            let affix = |end: &str| account["out_trade_no"][end].as_str().unwrap_or_default().to_owned();
            if format!("{}{reading}{}", affix("prefix"), affix("suffix")) != out_trade_no {
                return breach(&format!("I4: a backend may read {reading:?}, which is not what was asked for"));
            }
        }
        None
    }

    /// I7: what reads as success comes from the upstream, each from a request of its own; a route that absorbs duplicates
    /// says it again.
    fn lost_as_success(&self) -> Vec<String> {
        let mut routes = self.config["routes"].as_array().into_iter().flatten();
        let absorbs = routes.any(|route| route["duplicates"] == "absorb");
        let says_success = |answer: &Message| match return_code(answer).as_str() {
            "" => (200..300).contains(&answer.status()),
            code => code == "SUCCESS",
        };
        let mut seen = BTreeSet::new();
        let mut lost = Vec::new();
        for answer in self.answers.iter().filter(|answer| says_success(answer)) {
            match answer.header(MARK) {
                Some(serial) if seen.insert(serial.clone()) || absorbs => {}
                None if absorbs && !seen.is_empty() => {}
                _ => lost.push(format!("I7: told success without delivery: {} {}", answer.line(), answer.text())),
            }
        }
        lost
    }

    /// I5: secrets in the log, or in answers that the gate made itself.
    fn told(&self, wechats: &[WeChat], log: &str) -> Vec<String> {
        let mut secrets: BTreeSet<String> = wechats.iter().flat_map(WeChat::signs).collect();
        secrets.extend([APP.key, C1.key, OPENID, ADMIN_TOKEN].map(str::to_owned));
        secrets.extend(
            v3::ACCOUNTS.iter().flat_map(|account| [account.api_v3_key, account.merchant.key]).map(str::to_owned),
        );
        secrets.extend(self.private_keys());
        secrets.extend(self.config["headers"]["signature"]["key"].as_str().map(str::to_owned));
        secrets.retain(|secret| secret.len() >= SHORTEST_SECRET && !secret.starts_with("00000000"));
        let own = self.answers.iter().filter(|answer| answer.header(MARK).is_none()).map(Message::text);
        let places = own.chain([log.to_owned()]).collect::<Vec<_>>().join("\n").to_lowercase();
        let secrets: Vec<_> = secrets.iter().map(|secret| secret.to_lowercase()).collect();
        let told: BTreeSet<_> = found(&secrets, &places).into_iter().collect();
        told.into_iter().map(|secret| format!("I5: the secret {secret} was told")).collect()
    }

    /// The lines of every private key that stands in the config.
    fn private_keys(&self) -> Vec<String> {
        let channels = self.config["channels"].as_object().into_iter().flatten().map(|(_, channel)| channel);
        let routes = self.config["routes"].as_array().into_iter().flatten().map(|route| &route["resign"]);
        let keys = channels.chain(routes).filter_map(|keys| keys["private_key"].as_str());
        // The first line of all keys is the same.
        keys.flat_map(|key| key.lines().skip(2)).filter(|line| !line.starts_with('-')).map(str::to_owned).collect()
    }

    fn header_name(&self, key: &str) -> String {
        let default = match key {
            "transaction_id" => "X-Verified-Transaction-Id",
            "out_trade_no" => "X-Verified-Out-Trade-No",
            "amount" => "X-Verified-Total-Fee",
            "currency" => "X-Verified-Fee-Type",
            "paid_at" => "X-Verified-Time-End",
            "trade_state" => "X-Verified-Trade-State",
            "channel" => "X-Verified-Channel",
            "delivery" => "X-Tollgate-Delivery",
            "attempt" => "X-Tollgate-Attempt",
            _ => "X-Tollgate-Origin",
        };
        self.config["headers"][key].as_str().unwrap_or(default).to_owned()
    }

    fn observes(&self) -> bool {
        let channels = self.config["channels"].as_object().into_iter().flatten();
        self.config["mode"] == "observe" || channels.into_iter().any(|(_, channel)| channel["mode"] == "observe")
    }
}

/// Whether a value is this text, or a list that has it.
fn is_or_has(value: &Value, text: &str) -> bool {
    value == text || value.as_array().is_some_and(|list| list.iter().any(|item| item == text))
}

/// What WeChat Pay confirmed, by `out_trade_no`.
type Confirmations<'c> = HashMap<&'c str, Vec<&'c Confirmation>>;

fn by_number(confirmations: &[Confirmation]) -> Confirmations<'_> {
    let mut by_number = Confirmations::new();
    for confirmation in confirmations {
        by_number.entry(&confirmation.out_trade_no).or_default().push(confirmation);
    }
    by_number
}

/// The secrets in a text, looked for all at once: there are thousands after a long scenario.
fn found<'s>(secrets: &'s [String], text: &str) -> Vec<&'s str> {
    let mut by_start: HashMap<&[u8], Vec<&str>> = HashMap::new();
    for secret in secrets {
        by_start.entry(&secret.as_bytes()[..SHORTEST_SECRET]).or_default().push(secret);
    }
    let places = text.as_bytes().windows(SHORTEST_SECRET).enumerate();
    let starts = places.filter_map(|(at, window)| Some((at, by_start.get(window)?)));
    let here = |at: usize, secret: &&str| text.as_bytes()[at..].starts_with(secret.as_bytes());
    starts.flat_map(|(at, secrets)| secrets.iter().copied().filter(move |secret| here(at, secret))).collect()
}

/// The only value of each header.
fn once(values: &[Vec<String>]) -> Option<[&str; 9]> {
    let only = values.iter().map(|values| match values.as_slice() {
        [value] => Some(value.as_str()),
        _ => None,
    });
    only.collect::<Option<Vec<_>>>()?.try_into().ok()
}

/// Every number for WeChat Pay that some backend would read from a request: any occurrence, any spelling, query or
/// body. A payment centre's number goes before the order id.
fn readings(request: &Message) -> BTreeSet<String> {
    let mut pairs = Vec::new();
    if let Some((_, query)) = request.target().split_once('?') {
        pairs.extend(form_pairs(query));
    }
    match request.header("Content-Type").unwrap_or_default() {
        kind if kind.contains("form") => pairs.extend(form_pairs(&request.text())),
        kind if kind.contains("xml") => pairs.extend(scan(&request.text())),
        kind if kind.contains("json") => {
            let order = serde_json::from_slice::<Value>(&request.body).unwrap_or_default();
            let order = order.pointer("/data/order_id").and_then(Value::as_str).map(str::to_owned);
            let order = order.or_else(|| envelope::out_trade_no(request));
            pairs.extend(order.map(|order| ("orderid".to_owned(), order)));
        }
        _ => {}
    }
    let named = |names: &[&str]| -> BTreeSet<String> {
        let matches = |name: &str| names.contains(&name.to_lowercase().replace(['.', ' ', '+', '-'], "_").as_str());
        let found = pairs.iter().filter(|(name, value)| matches(name) && !value.is_empty());
        found.map(|(_, value)| value.clone()).collect()
    };
    let numbers = named(&["paymentcenter_id"]);
    if numbers.is_empty() { named(&["orderid", "out_trade_no"]) } else { numbers }
}

fn form_pairs(text: &str) -> Vec<(String, String)> {
    let decode = |part: &str| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned();
    let pairs = text.split(['&', ';']).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(name, value)| (decode(name.split('[').next().unwrap_or_default()), decode(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Ledger {
        Ledger::new(serde_json::json!({ "channels": { "app": { "appid": APP.appid, "mch_id": APP.mch_id } } }))
    }

    fn confirmation() -> Confirmation {
        Confirmation {
            appid: APP.appid.to_owned(),
            mch_id: APP.mch_id.to_owned(),
            out_trade_no: "A".to_owned(),
            transaction_id: "T".to_owned(),
            total_fee: "1".to_owned(),
            trade_state: "SUCCESS".to_owned(),
        }
    }

    #[test]
    fn the_judge_sees_each_secret_in_a_text() {
        let secrets = ["0123456789abcdef".to_owned(), "0123456789abcdefgh".to_owned(), "not-told-not-told".to_owned()];
        assert_eq!(found(&secrets, "x0123456789abcdefgh"), [&secrets[0], &secrets[1]]);
        assert!(found(&secrets, "0123456789abcde").is_empty());
    }

    fn request(more: &str, form: &str) -> Message {
        let head = format!(
            "POST /pay/success HTTP/1.1\r\nHost: s\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             X-Verified-Transaction-Id: T\r\nX-Verified-Out-Trade-No: A\r\nX-Verified-Total-Fee: 1\r\n\
             X-Verified-Fee-Type: CNY\r\nX-Verified-Time-End: x\r\nX-Verified-Trade-State: SUCCESS\r\n\
             X-Verified-Channel: app\r\nX-Tollgate-Delivery: d\r\nX-Tollgate-Attempt: 1\r\n\
             X-Tollgate-Origin: callback\r\n{more}\r\n"
        );
        Message { head: head.into_bytes(), body: form.as_bytes().to_vec() }
    }

    #[test]
    fn the_judge_lets_the_honest_pass() {
        assert_eq!(ledger().passed_wrongly(&request("", "OrderID=A"), &by_number(&[confirmation()])), None);
    }

    #[test]
    fn the_judge_sees_each_breach() {
        let bare = Message { head: b"POST /pay/success HTTP/1.1\r\nHost: s\r\n\r\n".to_vec(), body: Vec::new() };
        for (request, confirmations, breach) in [
            (bare, vec![confirmation()], "I1"),
            (request("", "OrderID=A"), vec![], "I1"),
            (request("X_Verified.Transaction-ID: F\r\n", "OrderID=A"), vec![confirmation()], "I3"),
            (request("", "OrderID=A&orderid=B"), vec![confirmation()], "I4"),
            (request("", "OrderID=A&paymentcenter_id=B"), vec![confirmation()], "I4"),
        ] {
            let found = ledger().passed_wrongly(&request, &by_number(&confirmations)).unwrap_or_default();
            assert!(found.starts_with(breach), "{found}");
        }
    }
}
