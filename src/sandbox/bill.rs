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
use super::query::{Api, BillQuery, Host};
use crate::domain::clock;
use crate::domain::order::MerchantId;
use crate::net::xml::Fields;
use columns::Columns;
use entry::{Entry, Kind};
use jiff::civil::Date;
use sheet::{Sheet, Written};
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
    /// This status and nothing else.
    Status(u16),
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

/// Which bill is wanted, in either language.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) mch_id: MerchantId,
    /// A provider's payments belong to its sub-merchants.
    pub(super) service_provider: bool,
    pub(super) sub_mch_id: Option<MerchantId>,
    pub(super) date: Date,
    pub(super) kind: BillKind,
    pub(super) compressed: bool,
}

/// Why there is no bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoBill {
    /// The day had no trades, or has not been.
    Empty,
    /// It is being made.
    Creating,
    /// It cannot be compressed.
    Compress,
}

/// A bill that is ready to be written, as often as wanted.
#[derive(Debug, Clone)]
pub(super) struct Bill {
    sheet: Sheet,
    compressed: bool,
}

impl Bill {
    /// Only half of its rows, and then the connection ends.
    pub(super) fn cut_off(self) -> Self {
        Self { sheet: self.sheet.cut_off(), ..self }
    }

    /// What goes over the wire.
    pub(super) fn body(self) -> BillBody {
        BillBody::new(self.sheet, self.compressed)
    }

    /// Whether that is compressed.
    pub(super) const fn is_compressed(&self) -> bool {
        self.compressed
    }

    /// Writes it as it is before it is compressed, piece by piece.
    pub(super) fn write(mut self, mut to: impl FnMut(&str)) {
        let mut written = Written::Piece;
        while written == Written::Piece {
            let mut text = String::new();
            written = self.sheet.write(&mut text);
            to(&text);
        }
    }
}

/// `bill_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BillKind {
    All,
    Success,
    Refund,
}

impl BillKind {
    /// Reads it; left out, everything is wanted.
    pub(super) fn parse(text: Option<&str>) -> Option<Self> {
        match text {
            None | Some("ALL") => Some(Self::All),
            Some("SUCCESS") => Some(Self::Success),
            Some("REFUND") => Some(Self::Refund),
            Some(_) => None,
        }
    }
}

/// Answers one question and remembers it.
pub(super) fn answer(book: &mut Book, host: Host, body: &[u8]) -> Reply {
    let number = book.next_query();
    let fault = book.host(host).take();
    let kind = fault.map(|fault| fault.kind);
    let mut query = BillQuery {
        number,
        host,
        api: Api::V2,
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
        (_, Some(kind @ (FaultKind::Http401 | FaultKind::Http429 | FaultKind::Http500))) => {
            Wire::Status(kind.status().unwrap_or_default())
        }
        (Ok(_), Some(FaultKind::SystemError | FaultKind::SystemErrorUnsigned)) => refusal(SYSTEM_ERROR, &mut query),
        (Ok(wanted), kind) => match compose(book, &wanted) {
            Ok(bill) if kind == Some(FaultKind::Truncated) => Wire::Bill(Box::new(bill.cut_off().body())),
            Ok(bill) => Wire::Bill(Box::new(bill.body())),
            Err(NoBill::Empty) => refusal(NO_BILL, &mut query),
            Err(NoBill::Creating) => refusal(CREATING, &mut query),
            Err(NoBill::Compress) => refusal(COMPRESS, &mut query),
        },
        (Err(refused), _) => refusal(refused, &mut query),
    };
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

fn read(merchants: &[Merchant], body: &[u8], query: &mut BillQuery) -> Result<Wanted, Refused> {
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
    let kind = BillKind::parse(fields.filled("bill_type")).ok_or(TYPE)?;
    Ok(Wanted {
        mch_id: merchant.mch_id,
        service_provider: merchant.service_provider,
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

/// Makes the bill of what there is now.
pub(super) fn compose(book: &mut Book, wanted: &Wanted) -> Result<Bill, NoBill> {
    // Its bill would be ready tomorrow; who tries things out does not want to wait.
    if wanted.date > today() {
        return Err(NoBill::Empty);
    }
    if book.bills.creating > 0 {
        book.bills.creating -= 1;
        return Err(NoBill::Creating);
    }
    let settings = book.bills.clone();
    if wanted.compressed && settings.gzip == Gzip::CompressError {
        return Err(NoBill::Compress);
    }
    let mut entries = entries(book, wanted);
    if settings.unsorted {
        fastrand::Rng::with_seed(book.seed.0).shuffle(&mut entries);
    }
    let generated = match wanted.kind {
        // A provider's payments belong to its sub-merchants, and generated ones to nobody.
        BillKind::All | BillKind::Success if !wanted.service_provider => generated::rows(&settings, wanted.date),
        _ => 0..0,
    };
    let empty = entries.is_empty() && generated.is_empty();
    if empty && settings.empty_day == EmptyDay::Error {
        return Err(NoBill::Empty);
    }
    let appid = book.appid(wanted.mch_id).ok_or(NoBill::Empty)?;
    let columns = Columns::of(settings.layout, wanted.kind);
    let sheet = Sheet::new((wanted.mch_id, appid), wanted.date, columns, entries, generated, &settings);
    let sheet = if empty && settings.empty_day == EmptyDay::HeaderOnly { sheet.without_summary() } else { sheet };
    Ok(Bill { sheet, compressed: wanted.compressed && settings.gzip == Gzip::Honoured })
}

/// The day's rows of orders that somebody made, by time.
fn entries(book: &Book, wanted: &Wanted) -> Vec<Entry> {
    let day = wanted.date.strftime("%Y%m%d").to_string();
    let on_the_day = |time: &Option<String>| time.as_ref().is_some_and(|time| time.starts_with(&day));
    let asked = |order: &&Order| {
        let (own, sub) = (order.key.mch_id == wanted.mch_id, wanted.sub_mch_id);
        own && (sub.is_none() || order.key.sub_mch_id == sub) && order.known_to != KnownTo::Query
    };
    let mut entries = Vec::new();
    for order in book.orders.values().filter(asked) {
        if wanted.kind != BillKind::Refund && on_the_day(&order.time_end) {
            entries.push(Entry { order: order.clone(), kind: Kind::Payment });
        }
        if wanted.kind != BillKind::Success && on_the_day(&order.refund_time) {
            entries.push(Entry { order: order.clone(), kind: Kind::Refund });
        }
    }
    entries.sort_by_key(|entry| entry.time().to_owned());
    entries
}
