//! A sample of the legacy order systems the gate stands before: it believes whoever calls, and its refund needs a
//! transaction id that callbacks do not bring.

use super::serve;
use crate::domain::clock;
use crate::net::xml::Fields;
use crate::provider::wechat::v3::aead::ApiV3Key;
use crate::provider::wechat::v3::headers::SignatureHeaders;
use crate::provider::wechat::v3::rsa::PublicKey;
use crate::provider::wechat::v3::serial::Serial;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Form, Json, Router};
use hyper::{HeaderMap, StatusCode, header};
use parking_lot::{Mutex, MutexGuard};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;

/// Where the gate's header is looked for, as the shop's one concession.
pub const TRANSACTION_HEADER: &str = "X-Verified-Transaction-Id";

/// Where the gate says which delivery it is.
pub const DELIVERY_HEADER: &str = "X-Tollgate-Delivery";

/// Where the gate says why it sends.
pub const ORIGIN_HEADER: &str = "X-Tollgate-Origin";

/// The shop. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Shop {
    tables: Arc<Mutex<Tables>>,
    v3: Option<Arc<ShopKeys>>,
    door: Arc<watch::Sender<Door>>,
}

/// What the shop reads notifications of API v3 with.
#[derive(Debug)]
pub struct ShopKeys {
    /// What opens them.
    pub api_v3_key: ApiV3Key,
    /// What it has been told to verify them with.
    pub signed_by: Vec<(Serial, PublicKey)>,
}

/// Whether the shop is to be reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Door {
    #[default]
    Open,
    Closing,
    Closed,
}

#[derive(Debug, Default)]
struct Tables {
    fails: bool,
    orders: BTreeMap<String, ShopOrder>,
    received: VecDeque<Received>,
}

/// A line of the order table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ShopOrder {
    /// What was ordered, if that was by way of [`Shop::takes_order`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ordered: Option<Ordered>,
    /// Whether the goods are on their way.
    pub paid: bool,
    /// What a refund needs.
    pub transaction_id: Option<String>,
    /// Whether the money went back.
    pub refunded: bool,
}

/// What the shop knows of an order before anybody has paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ordered {
    /// By which channel it is to be paid.
    pub channel: String,
    /// The number that the payment centre gave it, if that is not the order id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out_trade_no: Option<String>,
    /// What it costs.
    pub total_fee: u64,
    /// When it was made, RFC 3339.
    pub created_at: String,
}

/// A line of the page of unpaid orders, as the gate's sources of pending orders want it.
#[derive(Debug, Serialize)]
struct Unpaid {
    order: String,
    channel: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    out_trade_no: Option<String>,
    amount: u64,
    created_at: String,
}

/// A callback as it reached the shop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Received {
    /// The path.
    pub path: String,
    /// The order it marked as paid.
    pub order: String,
    /// All headers, in the order they came, repeated ones repeated.
    pub headers: Vec<(String, String)>,
    /// The key of which it had a signature that was made just now: the shop looks, and believes it all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
}

impl Received {
    /// Every value of the headers that a backend may read under this name, where `_` is `-` and case is nothing.
    #[must_use]
    pub fn header(&self, name: &str) -> Vec<&str> {
        let fold = |name: &str| name.to_ascii_lowercase().replace('_', "-");
        self.headers.iter().filter(|header| fold(&header.0) == fold(name)).map(|header| header.1.as_str()).collect()
    }
}

/// How many callbacks are remembered.
const MOST_RECEIVED: usize = 10_000;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

impl Shop {
    /// Answers on `listener` until the future is dropped. While the shop is down its address refuses connections.
    ///
    /// # Errors
    /// If the listener is of no use.
    pub async fn serve(&self, mut listener: TcpListener) -> io::Result<Infallible> {
        let address = listener.local_addr()?;
        let mut door = self.door.subscribe();
        loop {
            tokio::select! {
                never = serve::serve(listener, self.router()) => match never {},
                _ = door.wait_for(|door| *door == Door::Closing) => {}
            }
            // Bound and not listening: connections are refused, and nobody else gets the port.
            let bound = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            bound.set_reuseaddr(true)?;
            bound.bind(address)?;
            self.door.send_replace(Door::Closed);
            // The sender is in `self`, so there will always be another word.
            let _ = door.wait_for(|door| *door == Door::Open).await;
            listener = bound.listen(BACKLOG)?;
        }
    }

    /// A shop that also reads notifications of API v3.
    #[must_use]
    pub fn reading(keys: ShopKeys) -> Self {
        Self { v3: Some(Arc::new(keys)), ..Self::default() }
    }

    fn router(&self) -> Router {
        Router::new()
            .route("/pay/success", post(pay_success))
            .route("/wxpay/notify/{channel}", post(wxpay_notify))
            .route("/wxpay/v3/{channel}", post(wxpay_v3))
            .route("/refund", post(refund))
            .route("/unpaid.json", get(async |State(shop): State<Self>| Json(shop.unpaid())))
            .route("/fails", put(async |State(shop): State<Self>, said: String| shop.fails(said.trim() == "true")))
            .route("/orders", get(async |State(shop): State<Self>| Json(shop.lock().orders.clone())))
            .route("/received", get(async |State(shop): State<Self>| Json(shop.received())))
            .with_state(self.clone())
    }

    /// Stops [`serve`](Self::serve) as a crash would: connections end, and new ones are refused when this is ready. The
    /// order table stays.
    pub async fn goes_down(&self) {
        let mut door = self.door.subscribe();
        self.door.send_replace(Door::Closing);
        let _ = door.wait_for(|door| *door == Door::Closed).await;
    }

    /// The shop is to be reached again.
    pub fn comes_back(&self) {
        self.door.send_replace(Door::Open);
    }

    /// What was received, oldest first.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.lock().received.iter().cloned().collect()
    }

    /// Somebody orders something and is sent to WeChat Pay.
    /// `out_trade_no` is its number there, if that is not the order id.
    pub fn takes_order(&self, order: &str, channel: &str, out_trade_no: Option<&str>, total_fee: u64) {
        let created_at = clock::rfc3339_beijing(clock::now());
        let (channel, out_trade_no) = (channel.to_owned(), out_trade_no.map(str::to_owned));
        let ordered = Some(Ordered { channel, out_trade_no, total_fee, created_at });
        self.lock().orders.insert(order.to_owned(), ShopOrder { ordered, ..ShopOrder::default() });
    }

    /// Whether it answers every callback with 503 and does nothing, as while its database is gone.
    pub fn fails(&self, fails: bool) {
        self.lock().fails = fails;
    }

    fn unpaid(&self) -> Vec<Unpaid> {
        let tables = self.lock();
        let unpaid = tables.orders.iter().filter(|(_, line)| !line.paid);
        let unpaid = unpaid.filter_map(|(order, line)| {
            let Ordered { channel, out_trade_no, total_fee, created_at } = line.ordered.clone()?;
            Some(Unpaid { order: order.clone(), channel, out_trade_no, amount: total_fee, created_at })
        });
        unpaid.collect()
    }

    /// A line of the order table.
    #[must_use]
    pub fn order(&self, order: &str) -> Option<ShopOrder> {
        self.lock().orders.get(order).cloned()
    }

    fn mark_paid(&self, path: String, order: &str, brought: Option<&str>, headers: &HeaderMap, body: &[u8]) {
        let signed_by = self.v3.as_ref().and_then(|keys| keys.signer(headers, body));
        let text = |value: &header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let brought = brought.filter(|id| !id.is_empty()).map(str::to_owned);
        let transaction_id = brought.or_else(|| headers.get(TRANSACTION_HEADER).map(text));
        let headers = headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let mut tables = self.lock();
        let line = tables.orders.entry(order.to_owned()).or_default();
        line.paid = true;
        line.transaction_id = transaction_id.or(line.transaction_id.take());
        if tables.received.len() == MOST_RECEIVED {
            tables.received.pop_front();
        }
        tables.received.push_back(Received { path, order: order.to_owned(), headers, signed_by });
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock()
    }
}

/// What it answers while it fails.
const FAILURE: (StatusCode, &str) = (StatusCode::SERVICE_UNAVAILABLE, "database-gone\n");

#[derive(Debug, Deserialize)]
struct PaySuccess {
    #[serde(rename = "OrderID")]
    order_id: String,
    #[serde(rename = "WeixinTransactionID", default)]
    transaction_id: String,
}

async fn pay_success(State(shop): State<Shop>, headers: HeaderMap, Form(form): Form<PaySuccess>) -> Response {
    if shop.lock().fails {
        return FAILURE.into_response();
    }
    shop.mark_paid("/pay/success".to_owned(), &form.order_id, Some(&form.transaction_id), &headers, &[]);
    "order-marked-paid".into_response()
}

const ACKNOWLEDGEMENT: &str =
    "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>";

async fn wxpay_notify(
    State(shop): State<Shop>,
    Path(channel): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if shop.lock().fails {
        return FAILURE.into_response();
    }
    let fields = Fields::read(&body).ok();
    let get = |name| fields.as_ref().and_then(|fields| fields.get(name));
    let Some(order) = get("out_trade_no") else { return StatusCode::BAD_REQUEST.into_response() };
    shop.mark_paid(format!("/wxpay/notify/{channel}"), order, get("transaction_id"), &headers, &body);
    ([(header::CONTENT_TYPE, "text/xml")], ACKNOWLEDGEMENT).into_response()
}

impl ShopKeys {
    /// The key that this was signed with just now.
    fn signer(&self, headers: &HeaderMap, body: &[u8]) -> Option<String> {
        let read = SignatureHeaders::read(headers).ok().filter(|read| read.is_within_window(clock::now()))?;
        let (serial, key) = self.signed_by.iter().find(|(serial, _)| serial.as_str() == read.serial)?;
        read.verifies(key, body).then(|| serial.to_string())
    }

    /// What is sealed in a notification.
    fn open(&self, body: &[u8]) -> Option<serde_json::Value> {
        let document: serde_json::Value = serde_json::from_slice(body).ok()?;
        let text = |name: &str| document.get("resource")?.get(name)?.as_str();
        let opened = self.api_v3_key.open(
            text("nonce")?.as_bytes(),
            text("associated_data")?.as_bytes(),
            text("ciphertext")?,
        )?;
        serde_json::from_slice(&opened).ok()
    }
}

async fn wxpay_v3(State(shop): State<Shop>, Path(channel): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    if shop.lock().fails {
        return FAILURE.into_response();
    }
    let told = shop.v3.as_ref().and_then(|keys| keys.open(&body));
    let get = |name| told.as_ref()?.get(name)?.as_str();
    let Some(order) = get("out_trade_no") else { return StatusCode::BAD_REQUEST.into_response() };
    shop.mark_paid(format!("/wxpay/v3/{channel}"), order, get("transaction_id"), &headers, &body);
    StatusCode::NO_CONTENT.into_response()
}

#[derive(Debug, Deserialize)]
struct Refund {
    #[serde(rename = "OrderID")]
    order_id: String,
}

async fn refund(State(shop): State<Shop>, Form(form): Form<Refund>) -> Response {
    let mut tables = shop.lock();
    let Some(line) = tables.orders.get_mut(&form.order_id).filter(|line| line.paid) else {
        return (StatusCode::NOT_FOUND, "refund-failed: no such paid order\n").into_response();
    };
    let Some(transaction_id) = line.transaction_id.clone() else {
        return (StatusCode::CONFLICT, "refund-failed: the transaction id is not known\n").into_response();
    };
    line.refunded = true;
    format!("refund-sent for transaction {transaction_id}\n").into_response()
}
