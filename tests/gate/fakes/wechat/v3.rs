//! The same WeChat Pay in API v3 (`docs/reference/wechatpay-v3.md`): the same orders and the same bills. What it signs, seals
//! and checks is done by Python's `cryptography`.

mod account;

mod authorization;

mod bill;

mod certificates;

mod notification;

mod stamp;

mod wrong;

pub use account::{
    ACCOUNTS, Account, Key, MIXED, NEW, OLD, PLATFORM_1, PLATFORM_2, PROVIDER, RESIGN, STRANGER, SWITCHING, VALID,
};
pub use bill::NoBill;
pub use certificates::NoCertificates;
pub use notification::{Notice, with_headers};
pub use stamp::{Headers, PROBE, SCHEME, Stamp, now, set_header};
pub use wrong::Wrong;

use super::{Confirmation, Fault, Order, Query, Reply, WeChat, step};
use crate::wire::Message;
use authorization::{Asker, asker};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::sync::{Condvar, Mutex};
use std::time::Duration;
use wrong::{Answer, change_object, distorted};

/// What only API v3 has.
#[derive(Default)]
pub(super) struct State {
    certificates: certificates::Certificates,
    links: bill::Links,
    /// Answers are signed with a certificate (or not), whatever the request asks for.
    with_certificate: Option<bool>,
    nonces: HashSet<String>,
    refused: Vec<String>,
    expects_refusals: bool,
}

impl WeChat {
    /// Serves these platform certificates from now on, valid from when until when in seconds; the last one signs.
    pub fn has_certificates(&self, list: &[(Key, Range<i64>)]) {
        self.shared.0.lock().unwrap().v3.certificates.list = list.to_vec();
    }

    /// How downloads of certificates go wrong from now on.
    pub fn certificates_fail(&self, fault: Option<NoCertificates>) {
        self.shared.0.lock().unwrap().v3.certificates.fault = fault;
    }

    /// Which merchants downloaded certificates, each time.
    pub fn downloads(&self) -> Vec<&'static str> {
        self.shared.0.lock().unwrap().v3.certificates.downloads.clone()
    }

    /// Signs answers with a platform certificate, or the account's public key, whatever the request asks for.
    pub fn signs_with_certificate(&self, certificate: Option<bool>) {
        self.shared.0.lock().unwrap().v3.with_certificate = certificate;
    }

    /// The next requests for a bill go wrong like this, one after another.
    pub fn bills_fail(&self, faults: &[NoBill]) {
        self.shared.0.lock().unwrap().v3.links.faults.extend(faults);
    }

    /// The targets of all requests for bills and their files.
    pub fn bills_asked(&self) -> Vec<String> {
        self.shared.0.lock().unwrap().v3.links.asked.clone()
    }

    /// The requests that it refused for their headers: what and why.
    pub fn refused(&self) -> Vec<String> {
        self.shared.0.lock().unwrap().v3.refused.clone()
    }

    /// Those that the scenario did not want to be refused.
    pub fn wrongly_asked(&self) -> Vec<String> {
        let state = self.shared.0.lock().unwrap();
        if state.v3.expects_refusals { Vec::new() } else { state.v3.refused.clone() }
    }

    /// The gate will send what must be refused.
    pub fn expects_refusals(&self) {
        self.shared.0.lock().unwrap().v3.expects_refusals = true;
    }
}

pub(super) fn reply(shared: &(Mutex<super::State>, Condvar), request: &Message) -> Reply {
    let who = asker(request);
    let mut state = shared.0.lock().unwrap();
    if state.down {
        return Reply::Reset;
    }
    let target = request.target();
    let who = who.and_then(|who| {
        let fresh = state.v3.nonces.insert(who.nonce_str.clone());
        if fresh { Ok(who) } else { Err(format!("nonce_str was used before: {}", who.nonce_str)) }
    });
    let who = match who {
        Ok(who) => who,
        Err(why) => {
            state.v3.refused.push(format!("{target}: {why}"));
            let answer = |body| Answer::json(401, &body).dated().into();
            let detail =
                json!({ "detail": { "issue": "sign not match" }, "field": "signature", "location": "authorization" });
            let body = json!({ "code": "SIGN_ERROR", "message": message(&why), "detail": detail });
            return answer(body);
        }
    };
    state.signs.push(who.signature.clone());
    let (path, args) = parts(&target);
    let question = question(&path);
    if let Some((by, value, _)) = &question {
        let mut fields: BTreeMap<_, _> = args.clone().into_iter().collect();
        fields.insert((*by).to_owned(), value.clone());
        fields.insert("serial".to_owned(), request.header("Wechatpay-Serial").unwrap_or_default());
        fields.insert("nonce_str".to_owned(), who.nonce_str.clone());
        state.queries.push(Query { path: target.clone(), fields });
    }
    match path.as_str() {
        "/v3/certificates" => state.v3.certificates.downloads.push(who.account.merchant.mch_id),
        "/v3/bill/tradebill" | "/v3/billdownload/file" => state.v3.links.asked.push(target.clone()),
        _ => {}
    }
    let mut state = shared.1.wait_while(state, |state| state.held).unwrap();
    let key = state.v3.key_for(&who.account, request);
    let answered = if !request.line().starts_with("GET ") {
        Answered::At(Answer { status: 405, ..Answer::default() })
    } else if let Some((by, value, partner)) = question {
        state.answers(&who, (by, &value, partner), &args, key)
    } else {
        state.serves(&who, &path, &args, request, key)
    };
    drop(state);
    match answered {
        Answered::At(answer) => answer.into(),
        Answered::Later(answer, delay) => {
            std::thread::sleep(delay);
            answer.into()
        }
        Answered::Never(reply, delay) => {
            std::thread::sleep(delay);
            reply
        }
    }
}

/// What a 401 says, as far as it was seen (section 5).
fn message(why: &str) -> &'static str {
    match why {
        why if why.contains("five minutes") => "Http头Authorization中的timestamp与发起请求的时间不得超过5分钟",
        why if why.contains("serial_no") => "商户证书序列号有误。请使用签名私钥匹配的证书序列号",
        why if why.contains("malformed") => "Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》",
        _ => "签名错误，请检查后再试",
    }
}

enum Answered {
    At(Answer),
    Later(Answer, Duration),
    Never(Reply, Duration),
}

impl State {
    /// What signs an answer: what the request asks for, if the account has it (section 3.1).
    fn key_for(&self, account: &Account, request: &Message) -> Key {
        let wanted = request.header("Wechatpay-Serial").unwrap_or_default();
        let listed: Vec<_> = self.certificates.list.iter().map(|(key, _)| *key).collect();
        let public = account.public_key.filter(|key| match self.with_certificate {
            Some(certificate) => !certificate,
            None => key.serial == wanted || listed.is_empty(),
        });
        public
            .or_else(|| listed.iter().copied().find(|key| key.serial == wanted))
            .or_else(|| listed.last().copied())
            .unwrap_or(PLATFORM_1)
    }
}

impl super::State {
    /// Certificates and bills.
    fn serves(
        &mut self,
        who: &Asker,
        path: &str,
        args: &HashMap<String, String>,
        request: &Message,
        key: Key,
    ) -> Answered {
        match path {
            "/v3/certificates" => match self.v3.certificates.answer(&who.account) {
                Some(answer) => Answered::At(answer),
                None => Answered::Never(Reply::Reset, Duration::ZERO),
            },
            "/v3/bill/tradebill" => {
                Answered::At(self.v3.links.trade_bill(&who.account, args, request, (&self.bills, key)))
            }
            "/v3/billdownload/file" => Answered::At(self.v3.links.file(&who.account, args)),
            _ => Answered::At(Answer { status: 404, ..Answer::default() }),
        }
    }

    /// An order query.
    fn answers(
        &mut self,
        who: &Asker,
        (by, value, partner): (&str, &str, bool),
        args: &HashMap<String, String>,
        key: Key,
    ) -> Answered {
        let account = who.account;
        let mch_id = account.merchant.mch_id;
        let wanted: Vec<(&str, &str)> = match account.sub {
            None => vec![("mchid", mch_id)],
            Some((sub_mch_id, _)) => vec![("sp_mchid", mch_id), ("sub_mchid", sub_mch_id)],
        };
        let given = wanted.iter().all(|(name, value)| args.get(*name).is_some_and(|found| found == value));
        if !given || args.len() != wanted.len() || partner != account.sub.is_some() {
            return Answered::At(Answer::error(403, "NO_AUTH"));
        }
        let mood = self.mood;
        let fields = BTreeMap::from([(by.to_owned(), value.to_owned())]);
        let Some((out_trade_no, order)) = self.find(&account.merchant, &Query { path: String::new(), fields }) else {
            let (_, delay) = mood.unwrap_or((Fault::None, Duration::ZERO));
            return Answered::Later(Answer::error(404, "ORDER_NOT_EXIST"), delay);
        };
        order.asked += 1;
        let (state, fault) = (step(&order.states, order.asked), step(&order.faults, order.asked));
        let order = order.clone();
        let (fault, delay) = mood.unwrap_or((fault, order.delay));
        match broken(fault) {
            Some(Broken::Wire(reply)) => return Answered::Never(reply, delay),
            Some(Broken::Answer(answer)) => return Answered::Later(answer, delay),
            None => {}
        }
        let mut object = state_object(&account, &order, &out_trade_no, state);
        change_object(&mut object, fault);
        self.notes(&account, &object, fault);
        let answer = match fault {
            Fault::V3(Wrong::CodedAndSigned(status, code)) => Answer::error(status, code).signed(key),
            Fault::V3(Wrong::CodedAndBadlySigned(status, code)) => {
                Answer::error(status, code).signed(Key { serial: key.serial, name: STRANGER.name })
            }
            fault => distorted(&object, &account, key, fault),
        };
        self.signs.extend(signature(&answer));
        Answered::Later(answer, delay)
    }

    fn notes(&mut self, account: &Account, object: &Value, fault: Fault) {
        let text = |name: &str| object[name].as_str().unwrap_or_default().to_owned();
        let harmless =
            matches!(fault, Fault::None | Fault::Without("success_time") | Fault::V3(Wrong::Offset(-290..=290)));
        if harmless && ["SUCCESS", "REFUND"].contains(&text("trade_state").as_str()) {
            self.confirmations.push(Confirmation {
                appid: account.merchant.appid.to_owned(),
                mch_id: account.merchant.mch_id.to_owned(),
                out_trade_no: text("out_trade_no"),
                transaction_id: text("transaction_id"),
                total_fee: object["amount"]["total"].to_string(),
                trade_state: text("trade_state"),
            });
        }
    }
}

/// The path and the decoded query of a target.
fn parts(target: &str) -> (String, HashMap<String, String>) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    (path.to_owned(), pairs.map(|(name, value)| (decoded(name), decoded(value))).collect())
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// By which name an order query asks, its value, and whether it is a partner's.
fn question(path: &str) -> Option<(&'static str, String, bool)> {
    let direct = path.strip_prefix("/v3/pay/transactions/").map(|rest| (rest, false));
    let (rest, partner) =
        direct.or_else(|| path.strip_prefix("/v3/pay/partner/transactions/").map(|rest| (rest, true)))?;
    let (by, value) = rest.split_once('/')?;
    let by = match by {
        "id" => "transaction_id",
        "out-trade-no" => "out_trade_no",
        _ => return None,
    };
    (!value.contains('/')).then(|| (by, decoded(value), partner))
}

enum Broken {
    Wire(Reply),
    Answer(Answer),
}

/// What is no answer to the question at all.
fn broken(fault: Fault) -> Option<Broken> {
    let html = |status| Answer {
        status,
        headers: vec![("Content-Type".to_owned(), "text/html".to_owned())],
        body: b"<html><h1>Bad Gateway</h1></html>".to_vec(),
        cut: false,
    };
    Some(match fault {
        Fault::Reset => Broken::Wire(Reply::Reset),
        Fault::Silence => Broken::Wire(Reply::Silence),
        Fault::Html502 => Broken::Answer(html(502)),
        Fault::Http500 => Broken::Answer(html(500)),
        Fault::RedirectTo(addr) => {
            let mut answer = html(302);
            answer.headers.push(("Location".to_owned(), format!("http://{addr}/v3/pay/transactions/id/1?mchid=1")));
            Broken::Answer(answer)
        }
        Fault::Error("SYSTEMERROR") => Broken::Answer(Answer::error(500, "SYSTEM_ERROR")),
        Fault::V3(Wrong::Coded(status, code)) => Broken::Answer(Answer::error(status, code)),
        _ => return None,
    })
}

/// What an answer carries in each state (section 3.2); the keys are in alphabetical order.
fn state_object(account: &Account, order: &Order, out_trade_no: &str, state: &str) -> Value {
    let mut object = notification::paid(account, out_trade_no, order.total_fee);
    notification::merge(
        &mut object,
        json!({ "transaction_id": order.transaction_id, "trade_state": state, "trade_state_desc": "说明" }),
    );
    if !["SUCCESS", "REFUND"].contains(&state) {
        let mut unpaid = account.names();
        let more = json!({ "out_trade_no": out_trade_no, "trade_state": state, "trade_state_desc": "说明" });
        notification::merge(&mut unpaid, more);
        if state == "NOTPAY" {
            let amount = json!({ "total": order.total_fee, "payer_currency": "CNY" });
            notification::merge(&mut unpaid, json!({ "amount": amount, "payer": {}, "promotion_detail": [] }));
        }
        object = unpaid;
    }
    for (name, value) in &order.more {
        let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
        notification::put(&mut object, &format!("/{name}"), value);
    }
    object
}

/// A signature is a secret as far as logs go; a probe's is none.
fn signature(answer: &Answer) -> Option<String> {
    let (_, value) = answer.headers.iter().find(|(name, _)| name == "Wechatpay-Signature")?;
    Some(value.clone()).filter(|value| !value.starts_with(PROBE) && !value.starts_with("AAAA"))
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        let named = |name: &str| answer.headers.iter().any(|(found, _)| found == name);
        let kind = if named("Content-Type") { "" } else { "Content-Type: application/json; charset=utf-8\r\n" };
        let headers: String = answer.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let headers = format!("{kind}Request-ID: 08F2A1B2C3D4E5F6-0\r\n{headers}");
        let status = format!("{} Its Own Reason", answer.status);
        if answer.cut {
            let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", answer.body.len());
            let half = &answer.body[..answer.body.len() / 2];
            return Self::Breaks([head.as_bytes(), half].concat());
        }
        Self::Http { status, headers, body: answer.body }
    }
}
