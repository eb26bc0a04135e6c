//! What is answered below `/v3/`: API v3 over the same orders as API v2 (`docs/reference/wechatpay-v3.md`).

mod answer;

mod authorization;

mod bill;

mod certificates;

mod envelope;

mod parameters;

mod query;

mod refusal;

mod signed;

mod transaction;

pub(super) use envelope::{Delivered, Envelope, Event, compose};

use super::bill::Bill;
use super::book::Book;
use super::fault::{Fault, FaultKind};
use super::keys::{Keyring, MerchantKeys, SigningKey};
use super::orderquery::merge;
use super::query::{Api, BillQuery, Host, Query};
use super::seed::Seed;
use super::serve::{self, Cut};
use super::{BookAndStop, Sandbox, bad_gateway};
use crate::domain::clock;
use crate::provider::wechat::v3::headers::SERIAL;
use crate::provider::wechat::v3::rsa::PrivateKey;
use answer::{Answer, Written};
use authorization::{Nonces, Question, authorised};
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::IntoResponse;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Method, Response, StatusCode, Uri};
use jiff::Timestamp;
use parameters::{Parameters, decoded};
use query::{Asked, By};
use refusal::Refusal;
use std::time::Duration;

/// What is remembered from one question to the next, beside the book.
#[derive(Debug, Default)]
pub(super) struct Memory {
    nonces: Nonces,
    links: bill::Links,
}

/// What a path asks for.
#[derive(Debug)]
enum Path {
    Transaction(Asked),
    Certificates,
    TradeBill,
    File,
}

/// An answer, how long it is held back, and what is needed to write it.
struct Reply {
    delay: Duration,
    content: Content,
    fault: Option<FaultKind>,
    stranger: Option<PrivateKey>,
    number: (Seed, u64),
}

enum Content {
    Answer(Answer),
    /// An answer whose body takes a while.
    Made(Answer, Box<bill::Made>),
    File(Box<Bill>),
}

/// Where a question came in.
#[derive(Debug, Clone, Copy)]
struct Place<'p> {
    host: Host,
    /// The name and port that it was sent to.
    name: &'p str,
}

/// A question that is being answered.
struct Asking<'q> {
    number: u64,
    place: Place<'q>,
    parameters: &'q Parameters,
    question: &'q Question<'q>,
    /// What is wrong with the host.
    fault: Option<Fault>,
    now: Timestamp,
}

impl Path {
    fn read(path: &str) -> Option<Self> {
        match path {
            "/v3/certificates" => return Some(Self::Certificates),
            "/v3/bill/tradebill" => return Some(Self::TradeBill),
            "/v3/billdownload/file" => return Some(Self::File),
            _ => {}
        }
        let rest = path.strip_prefix("/v3/pay/")?;
        let (partner, rest) = rest.strip_prefix("partner/").map_or((false, rest), |rest| (true, rest));
        let (by, number) = rest.strip_prefix("transactions/")?.split_once('/')?;
        if number.is_empty() || number.contains('/') {
            return None;
        }
        let by = match by {
            "id" => By::Transaction(decoded(number)),
            "out-trade-no" => By::OutTradeNo(decoded(number)),
            _ => return None,
        };
        Some(Self::Transaction(Asked { partner, by }))
    }
}

/// Answers a question.
pub(super) async fn answer(
    State(sandbox): State<Sandbox>,
    Extension(host): Extension<Host>,
    Extension(wire): Extension<serve::Wire>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let target = uri.path_and_query().map_or("", |target| target.as_str());
    let question = Question { method: &method, target, headers: &headers, body: &body };
    let name = headers.get(HOST).and_then(|name| name.to_str().ok()).unwrap_or_default();
    let reply = respond(&mut sandbox.lock(), Place { host, name }, &question, &uri);
    tokio::time::sleep(reply.delay).await;
    match reply.fault {
        Some(FaultKind::Reset) => match wire.cut(Cut::Reset).await {},
        Some(FaultKind::Html502) => return bad_gateway(),
        _ => {}
    }
    let answer = match reply.content {
        Content::File(bill) => return file(*bill, reply.fault),
        Content::Answer(answer) => answer,
        Content::Made(answer, made) => {
            let body = tokio::task::spawn_blocking(move || made.body()).await;
            Answer { body: body.unwrap_or_default(), ..answer }
        }
    };
    let Some(stranger) = reply.stranger else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let Written { status, headers, body } = answer.written(reply.fault, &stranger, reply.number, clock::now());
    let mut response = match reply.fault {
        Some(FaultKind::Truncated) => serve::half_response(&body, wire),
        _ => body.into_response(),
    };
    *response.status_mut() = status;
    response.headers_mut().remove(CONTENT_TYPE);
    response.headers_mut().extend(headers);
    response
}

/// The file of a bill, which nothing signs.
fn file(bill: Bill, fault: Option<FaultKind>) -> Response<Body> {
    let content_type = if bill.is_compressed() { "application/gzip" } else { "text/plain" };
    let bill = if fault == Some(FaultKind::Truncated) { bill.cut_off() } else { bill };
    ([(CONTENT_TYPE, content_type)], Body::new(bill.body())).into_response()
}

fn respond(state: &mut BookAndStop, place: Place<'_>, question: &Question<'_>, uri: &Uri) -> Reply {
    let BookAndStop { book, keys, memory, .. } = state;
    let number = book.next_query();
    let host_fault = book.host(place.host).take();
    let parameters = Parameters::read(uri.query().unwrap_or_default());
    let asking = Asking { number, place, parameters: &parameters, question, fault: host_fault, now: clock::now() };
    let (content, fault) = match (Path::read(uri.path()), keys.as_ref()) {
        (None, _) => (Refusal::NO_SUCH_PATH.into(), host_fault),
        (Some(_), _) if *question.method != Method::GET => (Refusal::METHOD.into(), host_fault),
        (Some(_), None) => (Refusal::SYSTEM_ERROR.into(), host_fault),
        (Some(Path::Transaction(asked)), Some(keys)) => asking.transaction(book, memory, keys, &asked),
        (Some(Path::Certificates), Some(keys)) => (asking.certificates(book.seed, memory, keys), host_fault),
        (Some(Path::TradeBill), Some(keys)) => (asking.trade_bill(book, memory, keys), host_fault),
        (Some(Path::File), Some(keys)) => (asking.file(book, memory, keys), host_fault),
    };
    let kind = fault.map(|fault| fault.kind);
    Reply {
        delay: fault.map_or(Duration::ZERO, Fault::delay),
        content: bare(kind).map_or(content, Content::from),
        fault: kind,
        stranger: keys.as_ref().map(|keys| keys.stranger.clone()),
        number: (book.seed, number),
    }
}

impl Asking<'_> {
    fn merchant<'k>(&self, memory: &mut Memory, keys: &'k Keyring) -> Result<&'k MerchantKeys, Refusal> {
        authorised(self.question, keys, &mut memory.nonces, self.now)
    }

    /// What the question wants its answer signed with.
    fn signing(&self, keys: &Keyring, merchant: &MerchantKeys) -> Option<SigningKey> {
        let wanted = self.question.headers.get(SERIAL).and_then(|serial| serial.to_str().ok());
        Some(keys.for_answer(merchant, wanted, self.number))
    }

    fn transaction(
        &self,
        book: &mut Book,
        memory: &mut Memory,
        keys: &Keyring,
        asked: &Asked,
    ) -> (Content, Option<Fault>) {
        let mut note = self.note();
        asked.by.note(&mut note);
        let (content, fault) = match self.merchant(memory, keys) {
            Err(refusal) => {
                refusal.message.clone_into(&mut note.answer);
                (refusal.into(), self.fault)
            }
            Ok(merchant) => {
                note.mch_id = Some(merchant.mch_id.to_string());
                let found = query::find(book, merchant.mch_id, asked, self.parameters);
                let found = found.and_then(|key| query::order(book, key));
                let order = found.as_ref().ok().and_then(|order| book.orders.get_mut(&order.key));
                let fault = merge(self.fault, order.and_then(|order| order.faults.take()));
                let kind = fault.map(|fault| fault.kind);
                let answer = query::compose(book, found.as_ref(), kind, &mut note);
                // What is wrong with a question is told without a signature, as was seen of WeChat Pay.
                let is_signed = !matches!(answer.status, 400 | 403);
                let signed_with = self.signing(keys, merchant).filter(|_| is_signed);
                (Content::Answer(Answer { signed_with, ..answer }), fault)
            }
        };
        note.fault = fault.map(|fault| fault.kind);
        book.record(note);
        (content, fault)
    }

    fn certificates(&self, seed: Seed, memory: &mut Memory, keys: &Keyring) -> Content {
        let merchant = match self.merchant(memory, keys) {
            Ok(merchant) => merchant,
            Err(refusal) => return refusal.into(),
        };
        let answer = certificates::answer(keys, merchant, self.kind(), (seed, self.number));
        Content::Answer(Answer { signed_with: self.signing(keys, merchant), ..answer })
    }

    fn trade_bill(&self, book: &mut Book, memory: &mut Memory, keys: &Keyring) -> Content {
        let mut note = self.bill_note();
        let made = self.merchant(memory, keys).and_then(|merchant| {
            note.mch_id = Some(merchant.mch_id.to_string());
            match self.kind() {
                Some(FaultKind::SystemError | FaultKind::SystemErrorUnsigned) => return Err(Refusal::SYSTEM_ERROR),
                Some(FaultKind::FrequencyLimited) => return Err(Refusal::FREQUENCY_LIMITED),
                _ => {}
            }
            let origin = format!("http://{}", self.place.name);
            let about = (self.number, origin.as_str(), self.now);
            let made = bill::make(book, &mut memory.links, merchant.mch_id, self.parameters, about)?;
            Ok((made, self.signing(keys, merchant)))
        });
        match made {
            Ok((made, signed_with)) => {
                book.record_bill(note);
                let answer = Answer { status: 200, body: serde_json::Value::Null, number: 0, signed_with };
                Content::Made(answer, Box::new(made))
            }
            Err(refusal) => refused(book, note, refusal),
        }
    }

    fn file(&self, book: &mut Book, memory: &mut Memory, keys: &Keyring) -> Content {
        let mut note = self.bill_note();
        let found = self.merchant(memory, keys).and_then(|merchant| {
            note.mch_id = Some(merchant.mch_id.to_string());
            bill::file(book, &memory.links, merchant.mch_id, self.parameters, self.now)
        });
        match found {
            Ok(bill) => {
                "file".clone_into(&mut note.answer);
                book.record_bill(note);
                Content::File(Box::new(bill))
            }
            Err(refusal) => refused(book, note, refusal),
        }
    }

    fn kind(&self) -> Option<FaultKind> {
        self.fault.map(|fault| fault.kind)
    }

    fn note(&self) -> Query {
        Query {
            number: self.number,
            host: self.place.host,
            api: Api::V3,
            mch_id: None,
            out_trade_no: None,
            transaction_id: None,
            answer: String::new(),
            answered_order: None,
            answered_fee: None,
            fault: None,
        }
    }

    fn bill_note(&self) -> BillQuery {
        let owned = |name| self.parameters.get(name).map(str::to_owned);
        BillQuery {
            number: self.number,
            host: self.place.host,
            api: Api::V3,
            mch_id: None,
            bill_date: owned("bill_date"),
            bill_type: owned("bill_type"),
            tar_type: owned("tar_type"),
            answer: "bill".to_owned(),
            fault: self.kind(),
        }
    }
}

/// What is said to who gets no bill.
fn refused(book: &mut Book, mut note: BillQuery, refusal: Refusal) -> Content {
    refusal.message.clone_into(&mut note.answer);
    book.record_bill(note);
    refusal.into()
}

/// What a host says that does not even look at the question.
fn bare(fault: Option<FaultKind>) -> Option<Refusal> {
    match fault? {
        FaultKind::Http401 => Some(Refusal::unauthorised("签名错误", serde_json::Value::Null)),
        FaultKind::Http429 => Some(Refusal::RATE_LIMITED),
        FaultKind::Http500 => Some(Refusal::SYSTEM_ERROR),
        _ => None,
    }
}

impl From<Refusal> for Content {
    fn from(refusal: Refusal) -> Self {
        Self::Answer(Answer::from(&refusal))
    }
}
