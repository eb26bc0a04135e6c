//! A WeChat Pay that knows some orders, signs like the real one, and answers, delays, drops or lies as it is told
//! (`docs/reference/wechatpay-v2.md` sections 2 to 7).

mod answer;

mod bill;

mod message;

mod refund;

pub mod v3;

pub use bill::{Bill, refusal};
pub use message::{Fields, SignType, notification, scan, set, sign, signed_xml, xml};
pub use refund::Refund;

use super::{reset, serve};
use crate::wire::{Message, Wire};
use answer::{distorted, state_fields};
use md5::{Digest, Md5};
use message::own;
use std::collections::{BTreeMap, HashMap};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::time::Duration;

/// The openid in every paid answer and notification: personal, so no log may show it.
pub const OPENID: &str = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o";

/// One merchant account, on both sides.
#[derive(Debug, Clone, Copy)]
pub struct Merchant {
    pub appid: &'static str,
    pub mch_id: &'static str,
    pub key: &'static str,
}

pub const APP: Merchant =
    Merchant { appid: "wxd930ea5d5a258f4f", mch_id: "1900000109", key: "Aa11Bb22Cc33Dd44Ee55Ff66Gg77Hh88" };

pub const C1: Merchant =
    Merchant { appid: "wx2421b1c4370ec43b", mch_id: "1900000110", key: "Zz99Yy88Xx77Ww66Vv55Uu44Tt33Ss22" };

/// A running WeChat Pay. Clones are the same one.
#[derive(Clone)]
pub struct WeChat {
    pub addr: SocketAddr,
    shared: Arc<(Mutex<State>, Condvar)>,
}

/// An order being written into a [`WeChat`]'s books; it is there when this is dropped.
pub struct OrderBuilder<'a> {
    wechat: &'a WeChat,
    at: (&'static str, String),
    order: Order,
}

/// An order query as it arrived.
#[derive(Debug, Clone)]
pub struct Query {
    pub path: String,
    pub fields: BTreeMap<String, String>,
}

/// A true, signed answer that an order is paid: what alone entitles a callback to pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    pub appid: String,
    pub mch_id: String,
    pub out_trade_no: String,
    pub transaction_id: String,
    pub total_fee: String,
    pub trade_state: String,
}

/// How an answer goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    Unsigned,
    EmptySign,
    BadSign,
    SignedWithAnotherKey,
    OtherAlgorithm,
    AmountTampered,
    ForAnotherOrder,
    ForAnotherMerchant,
    ForAnotherApp,
    ForAnotherSubMerchant,
    Without(&'static str),
    FieldTwice,
    Truncated,
    Doctype,
    Comment,
    Huge,
    Empty,
    Html502,
    Http500,
    RedirectTo(SocketAddr),
    /// `return_code` FAIL with this text, unsigned as such answers are.
    ReturnFail(&'static str),
    /// `result_code` FAIL with this `err_code`, signed.
    Error(&'static str),
    SystemErrorUnsigned,
    Reset,
    Silence,
    /// What only an answer of API v3 can have.
    V3(v3::Wrong),
}

#[derive(Default)]
struct State {
    orders: HashMap<(&'static str, String), Order>,
    queries: Vec<Query>,
    confirmations: Vec<Confirmation>,
    /// Every signature that went over a wire, to look for in logs.
    signs: Vec<String>,
    /// All there ever were.
    connections: Vec<Weak<TcpStream>>,
    down: bool,
    held: bool,
    mood: Option<(Fault, Duration)>,
    bills: bill::Bills,
    v3: v3::State,
}

#[derive(Debug, Clone)]
struct Order {
    transaction_id: String,
    total_fee: u64,
    states: Vec<&'static str>,
    faults: Vec<Fault>,
    delay: Duration,
    more: Vec<(&'static str, String)>,
    asked: usize,
}

impl WeChat {
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// Over TLS.
    pub fn start_with(tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let shared = Arc::<(Mutex<State>, Condvar)>::default();
        let state = Arc::clone(&shared);
        let addr = serve(tls, move |wire, stream| connection(&state, wire, stream));
        Self { addr, shared }
    }

    /// Writes an order into its books, unpaid until the builder says otherwise.
    pub fn order(&self, merchant: &Merchant, out_trade_no: &str) -> OrderBuilder<'_> {
        let order = Order {
            transaction_id: transaction_id(merchant, out_trade_no),
            total_fee: 100,
            states: vec!["NOTPAY"],
            faults: vec![Fault::None],
            delay: Duration::ZERO,
            more: Vec::new(),
            asked: 0,
        };
        OrderBuilder { wechat: self, at: (merchant.mch_id, out_trade_no.to_owned()), order }
    }

    /// The bill of a day, `20261122`.
    pub fn bill(&self, merchant: &Merchant, day: &str, bill: &Bill) {
        self.shared.0.lock().unwrap().bills.put(merchant, day, bill.text());
    }

    /// Refuses the next bills with this XML.
    pub fn refuses_bills(&self, xml: &str, times: usize) {
        self.shared.0.lock().unwrap().bills.refuse(xml, times);
    }

    /// Resets every connection from now on.
    pub fn goes_down(&self) {
        self.shared.0.lock().unwrap().down = true;
    }

    pub fn comes_back(&self) {
        self.shared.0.lock().unwrap().down = false;
    }

    /// Gives every answer from now on this fault and this delay, whatever the order's own; `None` ends that.
    pub fn is_in_a_mood(&self, mood: Option<(Fault, Duration)>) {
        self.shared.0.lock().unwrap().mood = mood;
    }

    /// Keeps every answer back until [`Self::release`].
    pub fn hold(&self) {
        self.shared.0.lock().unwrap().held = true;
    }

    pub fn release(&self) {
        self.shared.0.lock().unwrap().held = false;
        self.shared.1.notify_all();
    }

    /// Answers what is asked from now on; what is held stays held.
    pub fn answers_new_queries(&self) {
        let mut state = self.shared.0.lock().unwrap();
        state.held = false;
    }

    pub fn queries(&self) -> Vec<Query> {
        self.shared.0.lock().unwrap().queries.clone()
    }

    /// How often it was asked for an order.
    pub fn asked(&self, out_trade_no: &str) -> usize {
        self.queries().iter().filter(|query| query.field("out_trade_no") == out_trade_no).count()
    }

    pub fn connections(&self) -> usize {
        self.shared.0.lock().unwrap().connections.len()
    }

    /// Closes every connection the gate keeps open to it.
    pub fn closes_its_connections(&self) {
        for stream in self.shared.0.lock().unwrap().connections.iter().filter_map(Weak::upgrade) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub fn confirmations(&self) -> Vec<Confirmation> {
        self.shared.0.lock().unwrap().confirmations.clone()
    }

    pub fn signs(&self) -> Vec<String> {
        self.shared.0.lock().unwrap().signs.clone()
    }
}

impl Query {
    /// A field's value; empty if it was not sent.
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

impl OrderBuilder<'_> {
    /// Paid, with this much in fen. Returns the transaction id.
    pub fn paid(mut self, total_fee: u64) -> String {
        self.order.total_fee = total_fee;
        self.order.states = vec!["SUCCESS"];
        self.order.transaction_id.clone()
    }

    pub fn state(self, state: &'static str) -> Self {
        self.states(&[state])
    }

    /// One state per query; the last one stays.
    pub fn states(mut self, states: &[&'static str]) -> Self {
        self.order.states = states.to_vec();
        self
    }

    pub fn fault(self, fault: Fault) -> Self {
        self.faults(&[fault])
    }

    /// One fault per query; the last one stays.
    pub fn faults(mut self, faults: &[Fault]) -> Self {
        self.order.faults = faults.to_vec();
        self
    }

    pub fn delay(mut self, delay: Duration) -> Self {
        self.order.delay = delay;
        self
    }

    /// One more or another field in the answer, signed.
    pub fn field(mut self, name: &'static str, value: &str) -> Self {
        self.order.more.push((name, value.to_owned()));
        self
    }
}

impl Drop for OrderBuilder<'_> {
    fn drop(&mut self) {
        let mut state = self.wechat.shared.0.lock().unwrap();
        state.orders.insert(self.at.clone(), self.order.clone());
    }
}

/// The transaction id an order gets unless a scenario gives another: 28 digits that no two orders share.
pub fn transaction_id(merchant: &Merchant, out_trade_no: &str) -> String {
    let digest = Md5::digest(format!("{}/{out_trade_no}", merchant.mch_id));
    let digits: String = digest.iter().map(|byte| char::from(b'0' + byte % 10)).collect();
    format!("420000000020{digits}")
}

enum Reply {
    Http {
        status: String,
        headers: String,
        body: Vec<u8>,
    },
    /// Writes these bytes and closes.
    Breaks(Vec<u8>),
    Reset,
    Silence,
}

fn connection(shared: &(Mutex<State>, Condvar), mut wire: Wire, stream: &TcpStream) {
    let Ok(handle) = stream.try_clone().map(Arc::new) else { return };
    shared.0.lock().unwrap().connections.push(Arc::downgrade(&handle));
    while let Some(request) = wire.request() {
        match reply(shared, &request) {
            Reply::Reset => return reset(stream),
            Reply::Silence => {
                wire.rest();
                return;
            }
            Reply::Breaks(bytes) => {
                wire.send(&bytes);
                return;
            }
            Reply::Http { status, headers, body } => {
                let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
                if !wire.send(&[head.into_bytes(), body].concat()) {
                    return;
                }
            }
        }
    }
}

fn reply(shared: &(Mutex<State>, Condvar), request: &Message) -> Reply {
    if request.target().starts_with("/v3/") {
        return v3::reply(shared, request);
    }
    let fields = scan(&request.text());
    let mut state = shared.0.lock().unwrap();
    if state.down {
        return Reply::Reset;
    }
    let query = Query { path: request.target(), fields };
    state.signs.push(query.field("sign").to_owned());
    state.queries.push(query.clone());
    let mut state = shared.1.wait_while(state, |state| state.held).unwrap();
    let (reply, delay) = state.answer(&query);
    drop(state);
    std::thread::sleep(delay);
    reply
}

impl State {
    fn answer(&mut self, query: &Query) -> (Reply, Duration) {
        let Some(merchant) = merchants().find(|known| known.mch_id == query.field("mch_id")) else {
            return (refused("商户号mch_id与appid不匹配"), Duration::ZERO);
        };
        let sign_type = match query.field("sign_type") {
            "HMAC-SHA256" => SignType::HmacSha256,
            _ => SignType::Md5,
        };
        let sent: Fields = query.fields.clone().into_iter().collect();
        let bill = query.path == "/pay/downloadbill";
        if query.field("appid") != merchant.appid || !(bill || query.path == "/pay/orderquery") {
            return (refused("商户号mch_id与appid不匹配"), Duration::ZERO);
        }
        if query.field("sign") != sign(&sent, merchant.key, sign_type) {
            return (refused("签名错误"), Duration::ZERO);
        }
        if bill {
            let answer = self.bills.answer(&merchant, query.field("bill_date"), query.field("tar_type") == "GZIP");
            return (xml_reply(answer), Duration::ZERO);
        }
        let base = own(&[
            ("return_code", "SUCCESS"),
            ("return_msg", "OK"),
            ("appid", merchant.appid),
            ("mch_id", merchant.mch_id),
            ("nonce_str", "sRz3mCkR8uQx0bTL"),
        ]);
        let mood = self.mood;
        let Some((out_trade_no, order)) = self.find(&merchant, query) else {
            return (self.signed(error(base, "ORDERNOTEXIST"), merchant.key, sign_type), Duration::ZERO);
        };
        order.asked += 1;
        let (state, fault) = (step(&order.states, order.asked), step(&order.faults, order.asked));
        let order = order.clone();
        let (fault, delay) = mood.unwrap_or((fault, order.delay));
        let reply = match fault {
            Fault::Reset => Reply::Reset,
            Fault::Silence => Reply::Silence,
            Fault::Html502 => html("502 Bad Gateway", ""),
            Fault::Http500 => html("500 Internal Server Error", ""),
            Fault::RedirectTo(addr) => html("302 Found", &format!("Location: http://{addr}/pay/orderquery\r\n")),
            Fault::ReturnFail(text) => refused(text),
            Fault::Error(code) => self.signed(error(base, code), merchant.key, sign_type),
            Fault::SystemErrorUnsigned => {
                let bare = own(&[("return_code", "SUCCESS"), ("return_msg", "OK")]);
                xml_reply(xml(&error(bare, "SYSTEMERROR")).into_bytes())
            }
            fault => {
                let mut fields = base;
                fields.extend(state_fields(&order, &out_trade_no, state));
                for name in ["sub_mch_id", "sub_appid"] {
                    if !query.field(name).is_empty() {
                        set(&mut fields, name, query.field(name));
                    }
                }
                for (name, value) in &order.more {
                    set(&mut fields, name, value);
                }
                self.note(&fields, fault);
                let body = distorted(fields, merchant.key, sign_type, fault);
                self.signs.extend(scan(&String::from_utf8_lossy(&body)).remove("sign"));
                xml_reply(body)
            }
        };
        (reply, delay)
    }

    /// By transaction id if one is sent, as the real one does even when both are (threat V-01).
    fn find(&mut self, merchant: &Merchant, query: &Query) -> Option<(String, &mut Order)> {
        let by_transaction = query.field("transaction_id");
        if by_transaction.is_empty() {
            let at = (merchant.mch_id, query.field("out_trade_no").to_owned());
            return self.orders.get_mut(&at).map(|order| (at.1, order));
        }
        let matches = |(mch_id, _): &(&str, String), order: &Order| {
            *mch_id == merchant.mch_id && order.transaction_id == by_transaction && order.states != ["NOTPAY"]
        };
        let found = self.orders.iter_mut().find(|(at, order)| matches(at, order));
        found.map(|((_, out_trade_no), order)| (out_trade_no.clone(), order))
    }

    fn signed(&mut self, fields: Fields, key: &str, sign_type: SignType) -> Reply {
        self.signs.push(sign(&fields, key, sign_type));
        xml_reply(signed_xml(fields, key, sign_type).into_bytes())
    }

    fn note(&mut self, fields: &Fields, fault: Fault) {
        let field = |name: &str| fields.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone());
        let state = field("trade_state").unwrap_or_default();
        if matches!(fault, Fault::None | Fault::Without("time_end")) && ["SUCCESS", "REFUND"].contains(&state.as_str())
        {
            self.confirmations.push(Confirmation {
                appid: field("appid").unwrap_or_default(),
                mch_id: field("mch_id").unwrap_or_default(),
                out_trade_no: field("out_trade_no").unwrap_or_default(),
                transaction_id: field("transaction_id").unwrap_or_default(),
                total_fee: field("total_fee").unwrap_or_default(),
                trade_state: state,
            });
        }
    }
}

/// Those that can ask by API v2.
fn merchants() -> impl Iterator<Item = Merchant> {
    let accounts = v3::ACCOUNTS.map(|account| account.merchant);
    [APP, C1].into_iter().chain(accounts).filter(|merchant| !merchant.key.is_empty())
}

fn step<T: Copy>(steps: &[T], asked: usize) -> T {
    steps[(asked - 1).min(steps.len() - 1)]
}

fn error(mut base: Fields, code: &str) -> Fields {
    base.extend(own(&[("result_code", "FAIL"), ("err_code", code), ("err_code_des", "says the fake")]));
    base
}

fn refused(text: &str) -> Reply {
    xml_reply(xml(&own(&[("return_code", "FAIL"), ("return_msg", text)])).into_bytes())
}

fn xml_reply(body: Vec<u8>) -> Reply {
    Reply::Http { status: "200 OK".to_owned(), headers: "Content-Type: text/plain\r\n".to_owned(), body }
}

fn html(status: &str, headers: &str) -> Reply {
    let headers = format!("Content-Type: text/html\r\n{headers}");
    Reply::Http { status: status.to_owned(), headers, body: b"<html><h1>Bad Gateway</h1></html>".to_vec() }
}
