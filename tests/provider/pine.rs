//! Pine Pay, a payment provider that does not exist: JSON, numeric states, amounts in cents, a seal in a header. It shares no word with
//! WeChat Pay, and the gate knows none of its own.

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tollgate::domain::carrier::Carrier;
use tollgate::domain::money::{AmountUnit, Currency, Fen, Money};
use tollgate::domain::order::{AppId, MerchantId, OutTradeNo, TransactionId};
use tollgate::domain::reason::Reason;
use tollgate::provider::bill::{Bill, BillError, BillPayment, BillType, Row, Summary};
use tollgate::provider::payment::Written;
use tollgate::provider::preset::{Phrase, TakenWhen};
use tollgate::provider::{
    Account, AskBy, Asked, BoxFuture, CannotNotify, Dialect, Envelope, Event, Evidence, Fingerprint, HostState,
    Notification, Opened, OrderState, Payee, Payment, Preset, Provider, Query, Refund, ToNotify, Told, Unopened,
};

/// Pine Pay's notifications as a preset.
pub static PRESET: Preset = Preset {
    name: "pine",
    carrier: Carrier::Json,
    begins: b'{',
    order: "no",
    transaction: "txn",
    amount: "cents",
    amount_unit: AmountUnit::Fen,
    vouched_for: &[],
    sealed: None,
    examine: |_, _| Ok(()),
    unaddressed: Reason::NotificationForOtherMerchant,
    signed_at: None,
    dialect: &DIALECT,
    accepted: TakenWhen::Body("{\"ack\":1}"),
};

static DIALECT: Dialect = Dialect {
    name: "pine",
    taken: Phrase { content_type: JSON, body: "{\"ack\":1}" },
    not_taken: Phrase { content_type: JSON, body: "{\"ack\":0}" },
    status: |_, _| StatusCode::ACCEPTED,
    status_decides: false,
    reads_as_not_taken: |_, body| body.contains("\"ack\":0"),
    own_failure: "write a body with ack 0",
};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
pub const SEAL: &str = "x-pine-seal";
const SECRET: &str = "needles";
const SHOP: &str = "pine77";

/// An order in Pine Pay's books: 3 waits, 4 is dead, 7 is paid, 9 went back.
#[derive(Debug, Clone)]
pub struct Order {
    pub txn: &'static str,
    pub cents: u64,
    pub state: u8,
}

/// The account of shop `pine77`, and Pine Pay itself.
#[derive(Debug, Default)]
pub struct Pine {
    pub books: Mutex<HashMap<String, Order>>,
    pub asked: AtomicUsize,
}

pub fn seal(body: &[u8]) -> String {
    hex::encode(Sha256::new().chain_update(SECRET).chain_update(body).finalize())
}

/// A notification: kind 1 tells of a payment, 2 of money that went back.
pub fn notice(kind: u8, no: &str, txn: &str, cents: u64) -> String {
    json!({ "kind": kind, "shop": SHOP, "no": no, "txn": txn, "cents": cents, "note": format!("note-{no}") })
        .to_string()
}

impl Pine {
    pub fn has(&self, no: &str, txn: &'static str, cents: u64, state: u8) {
        self.books.lock().unwrap().insert(no.to_owned(), Order { txn, cents, state });
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    fn answer(&self, ask: AskBy) -> Asked {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let books = self.books.lock().unwrap();
        let found = match ask {
            AskBy::OutTradeNo(no) => books.get_key_value(no.as_str()),
            AskBy::TransactionId(txn) => books.iter().find(|(_, order)| order.txn == txn.as_str()),
        };
        let (state, evidence) = match found {
            None => (OrderState::NotPaid(Reason::OrderNotFound), Evidence::default()),
            Some((no, order)) => match order.state {
                7 | 9 => (OrderState::Paid(Arc::new(payment(no, order))), Evidence(evidence(no, order).into())),
                4 => (OrderState::NotPaid(Reason::Closed), Evidence::default()),
                _ => (OrderState::NotPaid(Reason::NotPaidYet), Evidence::default()),
            },
        };
        Asked { state, evidence, host: Some("https://pine.test".into()), refused_for: None }
    }
}

fn evidence(no: &str, order: &Order) -> String {
    json!({ "no": no, "txn": order.txn, "cents": order.cents, "state": order.state }).to_string()
}

fn payment(no: &str, order: &Order) -> Payment {
    Payment {
        transaction_id: TransactionId::parse(order.txn).unwrap(),
        out_trade_no: OutTradeNo::parse(no).unwrap(),
        amount: Money { fen: Fen(order.cents), currency: Currency::default() },
        paid_at: Timestamp::from_second(1_700_000_000).ok(),
        refunded: order.state == 9,
        attach: None,
        written: Written::default(),
    }
}

impl Account for Pine {
    fn payee(&self) -> Payee {
        Payee {
            merchant: MerchantId::parse(SHOP).unwrap(),
            sub_merchant: None,
            application: AppId::parse("grove").unwrap(),
        }
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of([SHOP.as_bytes(), SECRET.as_bytes()])
    }

    fn provider(&self) -> &dyn Provider {
        self
    }

    fn open(&self, envelope: &Envelope<'_>) -> Result<Opened, Unopened> {
        let given = envelope.headers.get(SEAL).ok_or(Reason::NotificationUnsigned)?;
        if given.as_bytes() != seal(envelope.body).as_bytes() {
            return Err(Reason::NotificationBadlySigned.into());
        }
        let told: Value = serde_json::from_slice(envelope.body).map_err(|_| Reason::BodyMalformed)?;
        if told["shop"] != SHOP {
            return Err(Unopened {
                reason: Reason::NotificationForOtherMerchant,
                detail: Some("another shop's".into()),
            });
        }
        let event = match told["kind"].as_u64() {
            Some(1) => Event::Payment,
            Some(2) => Event::Refund(Refund {
                id: told["note"].as_str().unwrap_or_default().to_owned(),
                merchant_number: String::new(),
                status: "back".to_owned(),
            }),
            _ => return Err(Reason::NotificationNotPayment.into()),
        };
        Ok(Opened { event, claim: Told::InTheClear { currency: Currency::default() } })
    }

    fn is_addressed_by(&self, _: &Envelope<'_>) -> bool {
        false
    }

    fn query<'a>(&'a self, query: Query<'a>) -> BoxFuture<'a, Asked> {
        Box::pin(async move { self.answer(query.ask) })
    }

    fn reads(&self, preset: &Preset) -> bool {
        *preset == PRESET
    }

    fn notify(&self, wanted: &ToNotify<'_>) -> Result<Notification, CannotNotify> {
        let answer: Value = serde_json::from_slice(&wanted.evidence.0)
            .map_err(|_| CannotNotify::Evidence("Pine Pay's answer is no JSON".into()))?;
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        let body = notice(1, &text("no"), &text("txn"), answer["cents"].as_u64().unwrap_or_default());
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, JSON)]);
        headers.insert(SEAL, HeaderValue::from_str(&seal(body.as_bytes())).unwrap());
        Ok(Notification { headers, body: body.into() })
    }

    fn bill(&self, _: Date, _: BillType) -> BoxFuture<'_, Result<Box<dyn Bill>, BillError>> {
        let books = self.books.lock().unwrap();
        let paid = books.iter().filter(|(_, order)| order.state == 7);
        let rows = paid.enumerate().map(|(line, (no, order))| {
            Row::Payment(BillPayment {
                appid: None,
                mch_id: None,
                sub_mch_id: None,
                transaction_id: TransactionId::parse(order.txn).unwrap(),
                out_trade_no: OutTradeNo::parse(no).unwrap(),
                amount: Some(payment(no, order).amount),
                trade_time: None,
                line: line as u64 + 1,
                broken: None,
            })
        });
        let sheet = Sheet { rows: Some(rows.collect()), summary: Summary::default() };
        Box::pin(async { Ok(Box::new(sheet) as Box<dyn Bill>) })
    }

    fn sample_evidence(&self, payment: &Payment) -> Evidence {
        let Payment { out_trade_no, transaction_id, amount, .. } = payment;
        let answer =
            json!({ "no": out_trade_no.as_str(), "txn": transaction_id.as_str(), "cents": amount.fen.0, "state": 7 });
        Evidence(answer.to_string().into())
    }
}

impl Provider for Pine {
    fn name(&self) -> &'static str {
        "pine"
    }

    fn queries_per_second(&self) -> u32 {
        1000
    }

    fn queries_left(&self, _: &MerchantId) -> (u32, u32) {
        (1000, 1000)
    }

    fn hosts(&self) -> Vec<(Arc<str>, HostState)> {
        vec![("https://pine.test".into(), HostState::Closed)]
    }
}

/// A bill of one page.
struct Sheet {
    rows: Option<Vec<Row>>,
    summary: Summary,
}

impl Bill for Sheet {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Vec<Row>>, BillError>> {
        let rows = self.rows.take();
        self.summary.rows += rows.as_ref().map_or(0, |rows| rows.len() as u64);
        Box::pin(async { Ok(rows) })
    }

    fn summary(&self) -> Option<&Summary> {
        Some(&self.summary)
    }
}
