//! A simulated WeChat Pay, because there is nothing to test against: the official sandbox needs a real merchant, knows
//! micropay only, and never sends a notification; API v3 has none at all.
//!
//! [`Sandbox`] answers order queries like WeChat Pay (`docs/reference/wechatpay-v2.md` sections 3 to 6), gets them
//! wrong on request, sends notifications on WeChat Pay's schedule (section 7), gives out bills (section 10), and is
//! steered over HTTP below `/sandbox/` (`docs/sandbox.md`) or by the methods here. It does the same in API v3, over
//! the same orders.

mod seed;

mod merchant;

mod fault;

mod order;

mod message;

mod coupon;

mod bill_settings;

mod query;

mod book;

mod generated;

mod orderquery;

mod bill;

mod keys;

mod notification;

mod announce;

mod notifier;

mod v3;

mod refund;

mod control;

mod control_error;

mod serve;

/// A client for loopback.
pub mod http;

/// A sample legacy order system.
pub mod shop;

pub use bill_settings::{BillLayout, BillSettings, EmptyDay, Gzip, LineEnd};
pub use control_error::ControlError;
pub use fault::{Fault, FaultKind, Faults};
pub use keys::{CannotWrite, Papers, Signing};
pub use merchant::{BadMerchant, DEMO_MERCHANTS, Merchant, demo_merchants};
pub use notification::{Announcement, Attempt, Forgery, Judgement, Notification, Progress, RETRY_SCHEDULE};
pub use order::{BadOrder, KnownTo, Order, OrderFields, OrderKey, TradeState};
pub use query::{Api, BillQuery, Host, Query};
pub use seed::Seed;

use crate::domain::order::{MerchantId, OutTradeNo};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::routing::any;
use axum::{Extension, response::IntoResponse};
use book::Book;
use hyper::{Method, Response, StatusCode, header};
use keys::Keyring;
use orderquery::{Reply, Wire};
use parking_lot::{Mutex, MutexGuard};
use serve::Cut;
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The simulated WeChat Pay. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Sandbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<BookAndStop>,
    client: http::Client,
    time_scale: u32,
}

/// What is known, and what stops the notifications that came of it.
#[derive(Debug)]
struct BookAndStop {
    book: Book,
    /// What signs and opens in API v3; absent only if the cryptographic library fails.
    keys: Option<Keyring>,
    memory: v3::Memory,
    stop: CancellationToken,
}

/// How many copies of a notification are sent at once at most.
const MOST_COPIES: u32 = 1000;

impl Sandbox {
    /// A WeChat Pay with these merchants and nothing else. Ids and nonces derive from `seed`, keys do not. `time_scale`
    /// shortens the waits between notifications: 60 makes a minute a second.
    #[must_use]
    pub fn new(merchants: Vec<Merchant>, seed: Seed, time_scale: u32) -> Self {
        let keys = Keyring::of(&merchants).ok();
        let book = Book::new(merchants, seed);
        let memory = v3::Memory::default();
        let state = Mutex::new(BookAndStop { book, keys, memory, stop: CancellationToken::new() });
        Self(Arc::new(Inner { state, client: http::Client::default(), time_scale: time_scale.max(1) }))
    }

    /// Answers on `listener` as `host` until the future is dropped.
    pub async fn serve(&self, listener: TcpListener, host: Host) -> Infallible {
        serve::serve(listener, self.router().layer(Extension(host))).await
    }

    fn router(&self) -> Router {
        Router::new()
            .route("/pay/orderquery", any(order_query))
            .route("/pay/downloadbill", any(download_bill))
            .route("/v3/{*path}", any(v3::answer))
            .merge(control::routes())
            .fallback(async || {
                (
                    StatusCode::NOT_FOUND,
                    "POST /pay/orderquery or /pay/downloadbill, GET below /v3/, or GET /sandbox/ for the control calls\n",
                )
            })
            .with_state(self.clone())
    }

    /// The full name of an order; without `mch_id` the first merchant's.
    ///
    /// # Errors
    /// If an id is malformed or the merchant is not known.
    pub fn key(
        &self,
        mch_id: Option<&str>,
        sub_mch_id: Option<&str>,
        out_trade_no: &str,
    ) -> Result<OrderKey, ControlError> {
        let read_mch_id = |field, id: Option<&str>| {
            id.map(MerchantId::parse).transpose().map_err(|why| ControlError::Id { field, why })
        };
        let mch_id = read_mch_id("mch_id", mch_id)?;
        let sub_mch_id = read_mch_id("sub_mch_id", sub_mch_id)?;
        let out_trade_no =
            OutTradeNo::parse(out_trade_no).map_err(|why| ControlError::Id { field: "out_trade_no", why })?;
        let book = &self.lock().book;
        let mut merchants = book.merchants.iter().map(|merchant| merchant.mch_id);
        let mch_id = merchants.find(|known| mch_id.is_none_or(|wanted| wanted == *known));
        Ok(OrderKey { mch_id: mch_id.ok_or(ControlError::NoSuchMerchant)?, sub_mch_id, out_trade_no })
    }

    /// Makes an order, or replaces it.
    ///
    /// # Errors
    /// If `said` is nonsense.
    pub fn put(&self, key: OrderKey, state: TradeState, said: OrderFields) -> Result<Order, ControlError> {
        Ok(self.lock().book.put(key, state, said)?)
    }

    /// Somebody pays the order, which is made if it is not there.
    ///
    /// # Errors
    /// If `said` is nonsense.
    pub fn pay(&self, key: OrderKey, said: OrderFields) -> Result<Order, ControlError> {
        Ok(self.lock().book.change(key, TradeState::Success, said)?)
    }

    /// A paid order is refunded, in full or in part.
    ///
    /// # Errors
    /// If there is no such order, or it is not paid.
    pub fn refund(&self, key: OrderKey) -> Result<Order, ControlError> {
        let book = &mut self.lock().book;
        let order = book.orders.get(&key).ok_or(ControlError::NoSuchOrder)?;
        if !order.trade_state.is_paid() {
            return Err(ControlError::NothingToRefund);
        }
        Ok(book.change(key, TradeState::Refund, OrderFields::default())?)
    }

    /// The merchant closes the order. WeChat Pay would not let a paid one be closed; here it may.
    ///
    /// # Errors
    /// If there is no such order.
    pub fn close(&self, key: OrderKey) -> Result<Order, ControlError> {
        let book = &mut self.lock().book;
        if !book.orders.contains_key(&key) {
            return Err(ControlError::NoSuchOrder);
        }
        Ok(book.change(key, TradeState::Closed, OrderFields::default())?)
    }

    /// The order.
    ///
    /// # Errors
    /// If there is no such order.
    pub fn order(&self, key: OrderKey) -> Result<Order, ControlError> {
        self.lock().book.order(key).ok_or(ControlError::NoSuchOrder)
    }

    /// How the next queries for an order go wrong, instead of what was said before.
    ///
    /// # Errors
    /// If there is no such order.
    pub fn order_faults(&self, key: OrderKey, faults: Faults) -> Result<(), ControlError> {
        self.lock().book.orders.get_mut(&key).ok_or(ControlError::NoSuchOrder)?.faults = faults;
        Ok(())
    }

    /// How the next queries to a host go wrong, instead of what was said before.
    pub fn host_faults(&self, host: Host, faults: Faults) {
        *self.lock().book.host(host) = faults;
    }

    /// The queries that were received, oldest first.
    #[must_use]
    pub fn queries(&self) -> Vec<Query> {
        self.lock().book.queries.iter().cloned().collect()
    }

    /// What the bills are like from now on, instead of what was said before.
    ///
    /// # Errors
    /// If `settings` are nonsense.
    pub fn set_bills(&self, settings: BillSettings) -> Result<(), ControlError> {
        if settings.generated_day.as_ref().is_some_and(|day| bill_settings::day(day).is_none()) {
            return Err(ControlError::GeneratedDay);
        }
        self.lock().book.bills = settings;
        Ok(())
    }

    /// What the bills are like.
    #[must_use]
    pub fn bills(&self) -> BillSettings {
        self.lock().book.bills.clone()
    }

    /// The questions for bills that were received, oldest first.
    #[must_use]
    pub fn bill_queries(&self) -> Vec<BillQuery> {
        self.lock().book.bill_queries.iter().cloned().collect()
    }

    /// How likely a notification is lost from now on, 0 to 1. Which ones are derives from the seed.
    ///
    /// # Errors
    /// If it is no share.
    pub fn lose(&self, probability: f64) -> Result<(), ControlError> {
        if !(0.0..=1.0).contains(&probability) {
            return Err(ControlError::Probability);
        }
        self.lock().book.loss = probability;
        Ok(())
    }

    /// What notifications are signed with from now on.
    ///
    /// # Errors
    /// If there is no API v3 here.
    pub fn sign_with(&self, signing: Signing) -> Result<(), ControlError> {
        self.lock().keys.as_mut().ok_or(ControlError::NoV3)?.signing = signing;
        Ok(())
    }

    /// Issues a new platform certificate; the one before stays listed until the next time.
    ///
    /// # Errors
    /// If the cryptographic library fails.
    pub fn rotate_certificates(&self) -> Result<(), ControlError> {
        let mut state = self.lock();
        state.keys.as_mut().ok_or(ControlError::NoV3)?.rotate().map_err(|_| ControlError::Issue)
    }

    /// Writes what a merchant platform would give out for API v3, each merchant's files and `merchants.json`, into a
    /// directory, which is made if it is not there. Keys that a configuration brought along are not written.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write_keys(&self, directory: &Path) -> Result<(), CannotWrite> {
        let state = self.lock();
        let Some(keys) = &state.keys else { return Ok(()) };
        keys.write(&state.book.merchants, directory)
    }

    /// What a merchant platform would give out for this number; `None` if it is not known, or if a configuration brought
    /// its keys along.
    #[must_use]
    pub fn papers(&self, mch_id: &str) -> Option<Papers> {
        self.lock().keys.as_ref()?.papers(mch_id)
    }

    /// The merchants that are not answered in API v3: nothing that the sandbox can sign would be believed by their
    /// configuration.
    #[must_use]
    pub fn without_v3(&self) -> Vec<MerchantId> {
        let state = self.lock();
        state.keys.as_ref().map(|keys| keys.without(&state.book.merchants)).unwrap_or_default()
    }

    /// A notification and what became of it; `None` if there is none of this number.
    #[must_use]
    pub fn notification(&self, id: u64) -> Option<Notification> {
        self.lock().book.notifications.get(&id).cloned()
    }

    /// Forgets orders, faults, queries, notifications and what was said of bills, and stops sending.
    pub fn reset(&self) {
        let mut state = self.lock();
        state.stop.cancel();
        state.stop = CancellationToken::new();
        state.book.reset();
        state.memory = v3::Memory::default();
        if let Some(keys) = &mut state.keys {
            keys.reset();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BookAndStop> {
        self.0.state.lock()
    }

    fn client(&self) -> &http::Client {
        &self.0.client
    }

    fn time_scale(&self) -> u32 {
        self.0.time_scale
    }

    fn record(&self, id: u64, attempt: Attempt) {
        if let Some(notification) = self.lock().book.notifications.get_mut(&id) {
            notification.attempts.push(attempt);
        }
    }

    fn end(&self, id: u64, progress: Progress) {
        if let Some(notification) = self.lock().book.notifications.get_mut(&id) {
            notification.progress = progress;
        }
    }
}

async fn order_query(
    State(sandbox): State<Sandbox>,
    Extension(host): Extension<Host>,
    Extension(wire): Extension<serve::Wire>,
    method: Method,
    body: Bytes,
) -> Response<Body> {
    if method != Method::POST {
        return text_plain(orderquery::refuse("请使用post方法"));
    }
    let Reply { delay, wire: answer } = orderquery::answer(&mut sandbox.lock().book, host, &body);
    tokio::time::sleep(delay).await;
    match answer {
        Wire::Text(text) => text_plain(text),
        Wire::Half(text) => serve::half_response(&text, wire),
        Wire::BadGateway => bad_gateway(),
        Wire::Status(status) => bare_status(status),
        Wire::Reset => match wire.cut(Cut::Reset).await {},
    }
}

async fn download_bill(
    State(sandbox): State<Sandbox>,
    Extension(host): Extension<Host>,
    Extension(wire): Extension<serve::Wire>,
    method: Method,
    body: Bytes,
) -> Response<Body> {
    if method != Method::POST {
        return text_plain(orderquery::refuse("请使用post方法"));
    }
    let bill::Reply { delay, wire: answer } = bill::answer(&mut sandbox.lock().book, host, &body);
    tokio::time::sleep(delay).await;
    match answer {
        bill::Wire::Text(text) => text_plain(text),
        bill::Wire::Bill(body) => ([(header::CONTENT_TYPE, "text/plain")], Body::new(*body)).into_response(),
        bill::Wire::BadGateway => bad_gateway(),
        bill::Wire::Status(status) => bare_status(status),
        bill::Wire::Reset => match wire.cut(Cut::Reset).await {},
    }
}

fn text_plain(text: String) -> Response<Body> {
    ([(header::CONTENT_TYPE, "text/plain")], text).into_response()
}

fn bad_gateway() -> Response<Body> {
    let page = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n";
    (StatusCode::BAD_GATEWAY, [(header::CONTENT_TYPE, "text/html")], page).into_response()
}

fn bare_status(status: u16) -> Response<Body> {
    StatusCode::from_u16(status).unwrap_or_default().into_response()
}
