//! `POST /pay/downloadbill` as WeChat Pay answers it (`docs/reference/wechatpay-v2.md` section 10), in every shape that
//! was seen of it.

mod body;

mod columns;

mod entry;

mod sheet;

mod totals;

pub(super) use body::BillBody;

use super::bill_settings::{EmptyDay, Gzip, day};
use super::book::Book;
use super::fault::{Fault, FaultKind};
use super::generated;
use super::merchant::{self, Merchant, Stranger};
use super::message::Message;
use super::order::{KnownTo, Order};
use super::query::{BillQuery, Host};
use crate::domain::clock;
use crate::domain::order::MerchantId;
use crate::net::xml::Fields;
use columns::Columns;
use entry::{Entry, Kind};
use jiff::civil::Date;
use sheet::Sheet;
use std::time::Duration;

/// What goes over the wire.
#[derive(Debug)]
pub(super) enum Wire {
    /// HTTP 200, `text/plain`.
    Text(String),
    /// HTTP 200 and a bill.
    Bill(Box<BillBody>),
    /// HTTP 502 with a page.
    BadGateway,
    /// A reset connection.
    Reset,
}

/// An answer and how long it is held back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) delay: Duration,
    pub(super) wire: Wire,
}

/// `return_msg`, and `error_code` as far as it is known (section 10.2).
type Refused = (&'static str, Option<&'static str>);

const XML: Refused = ("XML格式错误", None);
const SIGN: Refused = ("sign error", Some("20001"));
const APPID: Refused = ("商户号mch_id与appid不匹配", None);
const MISSING: Refused = ("missing parameter", None);
const DATE: Refused = ("data format error", None);
const TYPE: Refused = ("invalid bill_type", None);
const CREATING: Refused = ("Bill Creating", None);
const COMPRESS: Refused = ("CompressGZip Error", None);
const SYSTEM_ERROR: Refused = ("SYSTEMERROR", None);
const NO_BILL: Refused = ("No Bill Exist", Some("20002"));

/// A question whose signature holds.
struct Question {
    merchant: Merchant,
    sub_mch_id: Option<MerchantId>,
    date: Date,
    kind: BillKind,
    compressed: bool,
}

/// `bill_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BillKind {
    All,
    Success,
    Refund,
}

/// Answers one question and remembers it.
pub(super) fn answer(book: &mut Book, host: Host, body: &[u8]) -> Reply {
    let number = book.next_query();
    let fault = book.host(host).take();
    let kind = fault.map(|fault| fault.kind);
    let mut query = BillQuery {
        number,
        host,
        mch_id: None,
        bill_date: None,
        bill_type: None,
        tar_type: None,
        answer: "bill".to_owned(),
        fault: kind,
    };
    let wire = match (read(&book.merchants, body, &mut query), kind) {
        (_, Some(FaultKind::Reset)) => Wire::Reset,
        (_, Some(FaultKind::Html502)) => Wire::BadGateway,
        (Ok(_), Some(FaultKind::SystemError | FaultKind::SystemErrorUnsigned)) => refusal(SYSTEM_ERROR, &mut query),
        (Ok(question), kind) => match compose(book, &question, kind == Some(FaultKind::Truncated)) {
            Ok(bill) => Wire::Bill(Box::new(bill)),
            Err(refused) => refusal(refused, &mut query),
        },
        (Err(refused), _) => refusal(refused, &mut query),
    };
    tracing::info!(?host, mch_id = query.mch_id, bill_date = query.bill_date, answer = query.answer, fault = ?kind, "bill");
    book.record_bill(query);
    Reply { delay: fault.map_or(Duration::ZERO, Fault::delay), wire }
}

fn refusal((return_msg, error_code): Refused, query: &mut BillQuery) -> Wire {
    return_msg.clone_into(&mut query.answer);
    let mut message = Message::default();
    message.push("return_code", "FAIL");
    message.push("return_msg", return_msg);
    message.push_some("error_code", error_code);
    Wire::Text(message.to_xml(&[]))
}

fn read(merchants: &[Merchant], body: &[u8], query: &mut BillQuery) -> Result<Question, Refused> {
    let fields = Fields::read(body).map_err(|_| XML)?;
    let owned = |name| fields.filled(name).map(str::to_owned);
    query.mch_id = owned("mch_id");
    query.bill_date = owned("bill_date");
    query.bill_type = owned("bill_type");
    query.tar_type = owned("tar_type");
    let (merchant, _) = merchant::asking(merchants, &fields).map_err(|stranger| match stranger {
        Stranger::Sign => SIGN,
        Stranger::AppId => APPID,
    })?;
    let (Some(_), Some(date)) = (fields.filled("nonce_str"), fields.filled("bill_date")) else { return Err(MISSING) };
    let kind = match fields.filled("bill_type") {
        None | Some("ALL") => BillKind::All,
        Some("SUCCESS") => BillKind::Success,
        Some("REFUND") => BillKind::Refund,
        Some(_) => return Err(TYPE),
    };
    Ok(Question {
        merchant: merchant.clone(),
        sub_mch_id: fields.filled("sub_mch_id").and_then(|id| MerchantId::parse(id).ok()),
        date: day(date).ok_or(DATE)?,
        kind,
        compressed: fields.filled("tar_type") == Some("GZIP"),
    })
}

/// Today in Beijing.
fn today() -> Date {
    clock::beijing(clock::now()).date()
}

fn compose(book: &mut Book, question: &Question, cut_off: bool) -> Result<BillBody, Refused> {
    // Its bill would be ready tomorrow; who tries things out does not want to wait.
    if question.date > today() {
        return Err(NO_BILL);
    }
    if book.bills.creating > 0 {
        book.bills.creating -= 1;
        return Err(CREATING);
    }
    let settings = book.bills.clone();
    if question.compressed && settings.gzip == Gzip::CompressError {
        return Err(COMPRESS);
    }
    let mut entries = entries(book, question);
    if settings.unsorted {
        fastrand::Rng::with_seed(book.seed.0).shuffle(&mut entries);
    }
    let generated = match question.kind {
        BillKind::All | BillKind::Success => generated::rows(&settings, question.date),
        BillKind::Refund => 0..0,
    };
    // A provider's payments belong to its sub-merchants, and generated ones to nobody.
    let generated = if question.merchant.service_provider { 0..0 } else { generated };
    let empty = entries.is_empty() && generated.is_empty();
    if empty && settings.empty_day == EmptyDay::Error {
        return Err(NO_BILL);
    }
    let mch_id = question.merchant.mch_id;
    let first = book.merchants.iter().find(|merchant| merchant.mch_id == mch_id);
    let sheet = Sheet::new(
        (mch_id, first.unwrap_or(&question.merchant).appid),
        question.date,
        Columns::of(settings.layout, question.kind),
        entries,
        generated,
        &settings,
    );
    let sheet = if empty && settings.empty_day == EmptyDay::HeaderOnly { sheet.without_summary() } else { sheet };
    let sheet = if cut_off { sheet.cut_off() } else { sheet };
    Ok(BillBody::new(sheet, question.compressed && settings.gzip == Gzip::Honoured))
}

/// The day's rows of orders that somebody made, by time.
fn entries(book: &Book, question: &Question) -> Vec<Entry> {
    let day = question.date.strftime("%Y%m%d").to_string();
    let on_the_day = |time: &Option<String>| time.as_ref().is_some_and(|time| time.starts_with(&day));
    let asked = |order: &&Order| {
        let (own, sub) = (order.key.mch_id == question.merchant.mch_id, question.sub_mch_id);
        own && (sub.is_none() || order.key.sub_mch_id == sub) && order.known_to != KnownTo::Query
    };
    let mut entries = Vec::new();
    for order in book.orders.values().filter(asked) {
        if question.kind != BillKind::Refund && on_the_day(&order.time_end) {
            entries.push(Entry { order: order.clone(), kind: Kind::Payment });
        }
        if question.kind != BillKind::Success && on_the_day(&order.refund_time) {
            entries.push(Entry { order: order.clone(), kind: Kind::Refund });
        }
    }
    entries.sort_by_key(|entry| entry.time().to_owned());
    entries
}
