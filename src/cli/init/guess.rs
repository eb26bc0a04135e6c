//! What the fields of a saved request mean, by the names that Chinese order systems give them.

use super::fields::{Field, Request};
use crate::domain::money::Fen;
use crate::domain::order::{OrderId, OutTradeNo, TransactionId};
use crate::gate::claim::Carrier;
use crate::provider::wechat::v3::Serial;
use crate::provider::wechat::v3::headers::SERIAL;
use hyper::Method;
use hyper::http::request::Parts;

/// The order id, the likeliest name first; all in lower case, with letters and digits only.
const ORDER: &[&str] = &[
    "orderid",
    "orderno",
    "ordersn",
    "ordernumber",
    "ordernum",
    "ordercode",
    "outorderno",
    "outorderid",
    "merchantorderno",
    "merchantorderid",
    "merorderno",
    "merorderid",
    "mchorderno",
    "mchorderid",
    "shoporderno",
    "shoporderid",
    "bizorderno",
    "bizorderid",
    "billno",
    "billid",
    "dingdanhao",
    "ddh",
    "订单号",
    "订单编号",
    "outtradeno",
    "payorderno",
    "payorderid",
    "tradeno",
    "oid",
    "sn",
    "id",
];

/// The number that WeChat Pay knows, where it is another one.
const NUMBER: &[&str] =
    &["outtradeno", "paymentcenterid", "paymentno", "paymentid", "payno", "paysn", "payid", "payorderno", "payorderid"];

const TRANSACTION: &[&str] = &[
    "transactionid",
    "wxtransactionid",
    "weixintransactionid",
    "wechattransactionid",
    "wxtransid",
    "transid",
    "微信支付订单号",
    "wxtradeno",
    "tradeno",
    "thirdtradeno",
    "thirdorderno",
    "channelorderno",
    "channeltradeno",
    "payno",
];

const AMOUNT: &[&str] = &[
    "totalfee",
    "totalamount",
    "orderamount",
    "ordermoney",
    "payamount",
    "paymoney",
    "paidamount",
    "paymentamount",
    "realamount",
    "realmoney",
    "payprice",
    "orderprice",
    "payfee",
    "orderfee",
    "amount",
    "money",
    "fee",
    "price",
    "total",
    "amounttotal",
    "sum",
    "金额",
    "支付金额",
];

/// What may say which merchant account it is.
const CHANNEL: &[&str] = &[
    "channelid",
    "channel",
    "paychannel",
    "mchid",
    "merchantid",
    "merid",
    "shopid",
    "storeid",
    "customerid",
    "appid",
    "payway",
    "paytype",
];

/// Parameters by which order systems of one file tell their pages apart.
const ROUTERS: &[&str] = &[
    "s",
    "r",
    "route",
    "m",
    "c",
    "a",
    "mod",
    "module",
    "act",
    "action",
    "op",
    "do",
    "ctl",
    "controller",
    "method",
    "wc-api",
];

/// How many names of the order id are tried.
const MOST: usize = 8;

/// What a route of such requests would be.
#[derive(Debug, Clone)]
pub(super) struct Guess {
    pub(super) path: String,
    /// Parameters of the query, and their values.
    pub(super) matched: Vec<(String, String)>,
    pub(super) method: Method,
    pub(super) carrier: Carrier,
    /// WeChat Pay's own notification.
    pub(super) is_notification: bool,
    /// If it is one of API v3: what names the key that signed it.
    pub(super) of_v3: Option<SignedBy>,
    pub(super) order: Choice,
    pub(super) out_trade_no: Option<Choice>,
    pub(super) transaction: Option<Choice>,
    /// The transaction's field, if it stands there empty.
    pub(super) fill: bool,
    pub(super) amount: Option<Choice>,
    /// Whether the amount has a decimal point.
    pub(super) in_yuan: bool,
    /// Fields that may name a merchant account.
    pub(super) channels: Vec<Field>,
    /// Whether the request's type is not that of its carrier.
    pub(super) any_type: bool,
    /// Whether a cookie is called like one of its fields.
    pub(super) ignores_cookies: bool,
}

/// The kind of key that signed a notification of API v3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignedBy {
    /// The public key with this id.
    PublicKey(Serial),
    /// A platform certificate, or nothing that is known.
    Certificate,
}

/// A field that was taken, and what it might be instead.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    pub(super) field: Field,
    pub(super) others: Vec<String>,
}

/// Every route that such a request may be for, the likeliest first.
pub(super) fn guesses(head: &Parts, request: &Request) -> Vec<Guess> {
    if let Some(of_v3) = signed_by(head, request) {
        // What it is about is sealed.
        let order =
            Choice { field: Field { name: "out_trade_no".to_owned(), value: String::new() }, others: Vec::new() };
        let sealed = Request { carrier: request.carrier, fields: Vec::new(), query: request.query.clone() };
        let strict = Guess { of_v3: Some(of_v3), ..guess(head, &sealed, order, true) };
        return [false, true].map(|any_type| Guess { any_type, ..strict.clone() }).into();
    }
    let is_notification = is_notification(request);
    let names: &[&str] = if is_notification { &["outtradeno"] } else { ORDER };
    let mut orders =
        ranked(&request.fields, names, |field| OrderId::parse(&field.value).is_ok() && !is_wechats(&field.value));
    let by_part = |field: &&Field| {
        folded(leaf(&field.name)).contains("order") && OrderId::parse(&field.value).is_ok() && !orders.contains(field)
    };
    let further: Vec<_> = request.fields.iter().filter(by_part).collect();
    orders.extend(further);
    let outside: Vec<Field> = if request.carrier == Carrier::Query {
        Vec::new()
    } else {
        let prefixed = |field: &Field| Field { name: format!("query.{}", field.name), value: field.value.clone() };
        request.query.iter().map(prefixed).collect()
    };
    orders.extend(ranked(&outside, ORDER, |field| OrderId::parse(&field.value).is_ok()));
    let mut guesses = Vec::new();
    for order in orders.iter().take(MOST) {
        let others = orders.iter().filter(|other| *other != order).map(|other| other.name.clone()).collect();
        let order = Choice { field: (*order).clone(), others };
        let strict = guess(head, request, order, is_notification);
        for (any_type, ignores_cookies) in [(false, false), (true, false), (false, true), (true, true)] {
            guesses.push(Guess { any_type, ignores_cookies, ..strict.clone() });
        }
    }
    guesses
}

fn guess(head: &Parts, request: &Request, order: Choice, is_notification: bool) -> Guess {
    let fields: Vec<Field> = request.fields.iter().filter(|field| field.name != order.field.name).cloned().collect();
    let differs = |field: &Field| OutTradeNo::parse(&field.value).is_ok() && field.value != order.field.value;
    let number = |field: &Field| differs(field) && !is_wechats(&field.value);
    let out_trade_no = choice(&fields, NUMBER, number);
    let is_taken = |field: &Field| out_trade_no.as_ref().is_some_and(|taken| taken.field == *field);
    let transaction = choice(&fields, TRANSACTION, |field| {
        let by_name = folded(leaf(&field.name)).contains("trans");
        !is_taken(field) && (is_wechats(&field.value) || by_name && may_be_transaction(&field.value))
    });
    let amount = choice(&fields, AMOUNT, |field| is_amount(&field.value));
    let in_yuan = amount.as_ref().is_some_and(|amount| amount.field.value.contains('.'));
    let fill = transaction.as_ref().is_some_and(|taken| taken.field.value.is_empty());
    let used: Vec<String> = [Some(&order), out_trade_no.as_ref(), transaction.as_ref(), amount.as_ref()]
        .into_iter()
        .flatten()
        .map(|choice| folded(&choice.field.name))
        .collect();
    let matched = request.query.iter().filter(|field| is_router(field) && !used.contains(&folded(&field.name)));
    let matched: Vec<_> = matched.map(|field| (field.name.clone(), field.value.clone())).collect();
    let channels = ranked(&fields, CHANNEL, |field| !field.value.is_empty()).into_iter().cloned().collect();
    Guess {
        path: head.uri.path().to_owned(),
        matched,
        method: head.method.clone(),
        carrier: request.carrier,
        is_notification,
        of_v3: None,
        order,
        out_trade_no,
        transaction,
        fill,
        amount,
        in_yuan,
        channels,
        any_type: false,
        ignores_cookies: false,
    }
}

/// WeChat Pay's own notification of a payment, API v2.
pub(super) fn is_notification(request: &Request) -> bool {
    let has =
        ["appid", "mch_id", "out_trade_no", "transaction_id", "total_fee", "sign"].iter().all(|name| request.has(name));
    request.carrier == Carrier::Xml && has
}

/// Which key signed a notification of API v3; `None` if it is none.
fn signed_by(head: &Parts, request: &Request) -> Option<SignedBy> {
    let has = ["event_type", "resource.ciphertext", "resource.nonce"].iter().all(|name| request.has(name));
    if request.carrier != Carrier::Json || !has {
        return None;
    }
    let serial = head.headers.get(SERIAL).and_then(|serial| serial.to_str().ok()).map(Serial::of_public_key);
    Some(serial.and_then(Result::ok).map_or(SignedBy::Certificate, SignedBy::PublicKey))
}

/// The field that a table names first, and the others that it names.
fn choice(fields: &[Field], names: &[&str], fits: impl Fn(&Field) -> bool) -> Option<Choice> {
    let ranked = ranked(fields, names, fits);
    let (first, others) = ranked.split_first()?;
    Some(Choice { field: (*first).clone(), others: others.iter().map(|other| other.name.clone()).collect() })
}

fn ranked<'f>(fields: &'f [Field], names: &[&str], fits: impl Fn(&Field) -> bool) -> Vec<&'f Field> {
    let named = |name: &str, field: &Field| folded(leaf(&field.name)) == name || folded(&field.name) == name;
    let mut ranked: Vec<&Field> = Vec::new();
    for name in names {
        for field in fields.iter().filter(|field| named(name, field) && fits(field)) {
            if !ranked.contains(&field) {
                ranked.push(field);
            }
        }
    }
    ranked
}

fn leaf(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

fn folded(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// WeChat Pay's numbers of payments have 28 digits and begin with a 4.
fn is_wechats(value: &str) -> bool {
    value.len() == 28 && value.starts_with('4') && value.bytes().all(|byte| byte.is_ascii_digit())
}

fn may_be_transaction(value: &str) -> bool {
    value.is_empty() || TransactionId::parse(value).is_ok()
}

fn is_amount(value: &str) -> bool {
    if value.contains('.') { Fen::parse_yuan(value).is_ok() } else { Fen::parse(value).is_ok() }
}

/// The name of a page: letters, perhaps in a path.
fn is_router(field: &Field) -> bool {
    let Field { name, value } = field;
    let is_page = value.len() <= 128
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./\\@".contains(&byte))
        && value.bytes().any(|byte| byte.is_ascii_alphabetic());
    ROUTERS.contains(&name.as_str()) && is_page && !is_wechats(value)
}
