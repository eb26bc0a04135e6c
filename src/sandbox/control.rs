//! The control calls below `/sandbox/`. Bodies are JSON whatever their Content-Type says, so that a plain `curl -d`
//! will do.

use super::keys::{Keyring, MerchantKeys, PlatformKey};
use super::{
    Announcement, BillQuery, BillSettings, ControlError, Fault, Faults, Host, Merchant, Notification, Order,
    OrderFields, OrderKey, Query as Asked, Sandbox, Signing, TradeState,
};
use crate::domain::clock;
use axum::body::Bytes;
use axum::extract::{Path, Query, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use hyper::{StatusCode, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What `GET /sandbox/` says.
const CALLS: &str = "\
GET    /sandbox/merchants
GET    /sandbox/orders
GET    /sandbox/orders/{mch_id}/{out_trade_no}           [?sub_mch_id=]
PUT    /sandbox/orders/{mch_id}/{out_trade_no}           {\"trade_state\":\"NOTPAY\",\"total_fee\":100}
POST   /sandbox/orders/{mch_id}/{out_trade_no}/pay       {\"total_fee\":100}
POST   /sandbox/orders/{mch_id}/{out_trade_no}/refund
POST   /sandbox/orders/{mch_id}/{out_trade_no}/close
DELETE /sandbox/orders/{mch_id}/{out_trade_no}
PUT    /sandbox/orders/{mch_id}/{out_trade_no}/faults    [{\"kind\":\"reset\",\"count\":2}]
GET    /sandbox/hosts
PUT    /sandbox/hosts/{api|api2}/faults                  [{\"kind\":\"delay\",\"delay_ms\":3000}]
GET    /sandbox/queries                                  [?out_trade_no=]
GET    /sandbox/bills
GET    /sandbox/bills/settings
PUT    /sandbox/bills/settings                           {\"layout\":\"old\",\"gzip\":\"ignored\"}
POST   /sandbox/notifications                            {\"out_trade_no\":\"A1\",\"notify_url\":\"http://127.0.0.1:8080/notify\"}
GET    /sandbox/notifications
GET    /sandbox/notifications/{id}
GET    /sandbox/notifications/loss
PUT    /sandbox/notifications/loss                       {\"probability\":0.2}
GET    /sandbox/signing
PUT    /sandbox/signing                                  {\"with\":\"mixed\"}
GET    /sandbox/certificates
POST   /sandbox/certificates/rotate
POST   /sandbox/reset
";

pub(super) fn routes() -> Router<Sandbox> {
    let order = "/sandbox/orders/{mch_id}/{out_trade_no}";
    Router::new()
        .route("/sandbox/", get(CALLS))
        .route("/sandbox/merchants", get(merchants))
        .route("/sandbox/orders", get(orders))
        .route(order, get(order_get).put(order_put).delete(order_delete))
        .route(&format!("{order}/pay"), post(order_pay))
        .route(&format!("{order}/refund"), post(order_refund))
        .route(&format!("{order}/close"), post(order_close))
        .route(&format!("{order}/faults"), put(order_faults))
        .route("/sandbox/hosts", get(hosts))
        .route("/sandbox/hosts/{host}/faults", put(host_faults))
        .route("/sandbox/queries", get(queries))
        .route("/sandbox/bills", get(bill_queries))
        .route("/sandbox/bills/settings", get(bills).put(set_bills))
        .route("/sandbox/notifications/loss", get(loss).put(lose))
        .route("/sandbox/notifications", get(notifications).post(notify))
        .route("/sandbox/notifications/{id}", get(notification))
        .route("/sandbox/signing", get(signing).put(sign_with))
        .route("/sandbox/certificates", get(certificates))
        .route("/sandbox/certificates/rotate", post(rotate))
        .route("/sandbox/reset", post(reset))
        .layer(middleware::from_fn(refuse_browsers))
}

/// No page that happens to be open in a browser on this machine may send notifications from it.
async fn refuse_browsers(request: Request, next: Next) -> Response {
    if request.headers().contains_key(header::ORIGIN) {
        return (StatusCode::FORBIDDEN, Json(json!({ "error": "not from a web page" }))).into_response();
    }
    next.run(request).await
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::NoSuchMerchant | Self::NoSuchOrder => StatusCode::NOT_FOUND,
            Self::NotPaid | Self::NothingToRefund | Self::NoV2 | Self::NoV3 => StatusCode::CONFLICT,
            Self::Issue => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Id { .. }
            | Self::BadOrder(_)
            | Self::SignType
            | Self::Forge
            | Self::EventType
            | Self::NotifyUrl
            | Self::Copies
            | Self::Refund
            | Self::Probability
            | Self::GeneratedDay => StatusCode::BAD_REQUEST,
        };
        (status, Json(json!({ "error": self.to_string() }))).into_response()
    }
}

/// A JSON body; an empty one is `{}`.
struct Said<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> axum::extract::FromRequest<S> for Said<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let body = Bytes::from_request(request, state).await.map_err(IntoResponse::into_response)?;
        let body = if body.is_empty() { b"{}" } else { body.as_ref() };
        serde_json::from_slice(body)
            .map(Self)
            .map_err(|error| (StatusCode::BAD_REQUEST, Json(json!({ "error": error.to_string() }))).into_response())
    }
}

#[derive(Debug, Deserialize)]
struct Place {
    mch_id: String,
    out_trade_no: String,
}

#[derive(Debug, Deserialize)]
struct Narrow {
    sub_mch_id: Option<String>,
}

/// The order that a path and its `sub_mch_id` name.
struct Named(OrderKey);

impl axum::extract::FromRequestParts<Sandbox> for Named {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut hyper::http::request::Parts, state: &Sandbox) -> Result<Self, Response> {
        let Path(place): Path<Place> =
            Path::from_request_parts(parts, state).await.map_err(IntoResponse::into_response)?;
        let Query(Narrow { sub_mch_id }) =
            Query::from_request_parts(parts, state).await.map_err(IntoResponse::into_response)?;
        let key = state.key(Some(&place.mch_id), sub_mch_id.as_deref(), &place.out_trade_no);
        key.map(Self).map_err(IntoResponse::into_response)
    }
}

/// A merchant without its key, which may be a real one.
#[derive(Debug, Serialize)]
struct KnownMerchant {
    appid: String,
    mch_id: String,
    service_provider: bool,
    /// Of its certificate for API v3, if it is answered there.
    serial: Option<String>,
    /// Of its WeChat Pay public key, if the sandbox signs with one.
    public_key_id: Option<String>,
}

impl KnownMerchant {
    fn new(merchant: &Merchant, keys: Option<&MerchantKeys>) -> Self {
        Self {
            serial: keys.map(|keys| keys.serial.to_string()),
            public_key_id: keys.and_then(|keys| keys.public_key.as_ref()).map(|key| key.serial.to_string()),
            appid: merchant.appid.to_string(),
            mch_id: merchant.mch_id.to_string(),
            service_provider: merchant.service_provider,
        }
    }
}

async fn merchants(State(sandbox): State<Sandbox>) -> Json<Vec<KnownMerchant>> {
    let state = sandbox.lock();
    let keys = |merchant: &Merchant| state.keys.as_ref()?.merchant(merchant.mch_id.as_str());
    let known = |merchant| KnownMerchant::new(merchant, keys(merchant));
    Json(state.book.merchants.iter().map(known).collect())
}

async fn orders(State(sandbox): State<Sandbox>) -> Json<Vec<Order>> {
    Json(sandbox.lock().book.orders.values().cloned().collect())
}

async fn order_get(State(sandbox): State<Sandbox>, Named(key): Named) -> Result<Json<Order>, ControlError> {
    sandbox.order(key).map(Json)
}

/// An order as `PUT` wants it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WholeOrder {
    #[serde(default)]
    trade_state: TradeState,
    #[serde(flatten)]
    fields: OrderFields,
}

async fn order_put(
    State(sandbox): State<Sandbox>,
    Named(key): Named,
    Said(order): Said<WholeOrder>,
) -> Result<Json<Order>, ControlError> {
    sandbox.put(key, order.trade_state, order.fields).map(Json)
}

async fn order_delete(State(sandbox): State<Sandbox>, Named(key): Named) -> Result<Json<Order>, ControlError> {
    sandbox.lock().book.orders.remove(&key).map(Json).ok_or(ControlError::NoSuchOrder)
}

async fn order_pay(
    State(sandbox): State<Sandbox>,
    Named(key): Named,
    Said(fields): Said<OrderFields>,
) -> Result<Json<Order>, ControlError> {
    sandbox.pay(key, fields).map(Json)
}

async fn order_refund(State(sandbox): State<Sandbox>, Named(key): Named) -> Result<Json<Order>, ControlError> {
    sandbox.refund(key).map(Json)
}

async fn order_close(State(sandbox): State<Sandbox>, Named(key): Named) -> Result<Json<Order>, ControlError> {
    sandbox.close(key).map(Json)
}

async fn order_faults(
    State(sandbox): State<Sandbox>,
    Named(key): Named,
    Said(faults): Said<Vec<Fault>>,
) -> Result<Json<Order>, ControlError> {
    sandbox.order_faults(key, Faults(faults.into()))?;
    sandbox.order(key).map(Json)
}

/// What is wrong with the hosts.
#[derive(Debug, Serialize)]
struct Hosts {
    api: Faults,
    api2: Faults,
}

async fn hosts(State(sandbox): State<Sandbox>) -> Json<Hosts> {
    let book = &sandbox.lock().book;
    Json(Hosts { api: book.api.clone(), api2: book.api2.clone() })
}

async fn host_faults(
    State(sandbox): State<Sandbox>,
    Path(host): Path<Host>,
    Said(faults): Said<Vec<Fault>>,
) -> Json<Hosts> {
    sandbox.host_faults(host, Faults(faults.into()));
    hosts(State(sandbox)).await
}

#[derive(Debug, Deserialize)]
struct Which {
    out_trade_no: Option<String>,
}

async fn queries(State(sandbox): State<Sandbox>, Query(which): Query<Which>) -> Json<Vec<Asked>> {
    let mut queries = sandbox.queries();
    queries.retain(|query| which.out_trade_no.is_none() || query.out_trade_no == which.out_trade_no);
    Json(queries)
}

async fn bill_queries(State(sandbox): State<Sandbox>) -> Json<Vec<BillQuery>> {
    Json(sandbox.bill_queries())
}

async fn bills(State(sandbox): State<Sandbox>) -> Json<BillSettings> {
    Json(sandbox.bills())
}

async fn set_bills(
    State(sandbox): State<Sandbox>,
    Said(settings): Said<BillSettings>,
) -> Result<Json<BillSettings>, ControlError> {
    sandbox.set_bills(settings)?;
    Ok(Json(sandbox.bills()))
}

/// How likely a notification is lost.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Loss {
    probability: f64,
}

async fn loss(State(sandbox): State<Sandbox>) -> Json<Loss> {
    Json(Loss { probability: sandbox.lock().book.loss })
}

async fn lose(State(sandbox): State<Sandbox>, Said(said): Said<Loss>) -> Result<Json<Loss>, ControlError> {
    sandbox.lose(said.probability)?;
    Ok(loss(State(sandbox)).await)
}

async fn notify(
    State(sandbox): State<Sandbox>,
    Said(announcement): Said<Announcement>,
) -> Result<(StatusCode, Json<serde_json::Value>), ControlError> {
    let id = sandbox.notify(announcement)?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "id": id }))))
}

async fn notifications(State(sandbox): State<Sandbox>) -> Json<Vec<Notification>> {
    Json(sandbox.lock().book.notifications.values().cloned().collect())
}

async fn notification(State(sandbox): State<Sandbox>, Path(id): Path<u64>) -> Response {
    match sandbox.notification(id) {
        Some(notification) => Json(notification).into_response(),
        None => (StatusCode::NOT_FOUND, Json(json!({ "error": "no such notification" }))).into_response(),
    }
}

/// What notifications are signed with.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct With {
    with: Signing,
}

async fn signing(State(sandbox): State<Sandbox>) -> Result<Json<With>, ControlError> {
    let state = sandbox.lock();
    Ok(Json(With { with: state.keys.as_ref().ok_or(ControlError::NoV3)?.signing }))
}

async fn sign_with(State(sandbox): State<Sandbox>, Said(said): Said<With>) -> Result<Json<With>, ControlError> {
    sandbox.sign_with(said.with)?;
    signing(State(sandbox)).await
}

/// A platform certificate that can be downloaded.
#[derive(Debug, Serialize)]
struct ListedCertificate {
    serial: String,
    effective_time: String,
    expire_time: String,
}

impl From<&PlatformKey> for ListedCertificate {
    fn from(key: &PlatformKey) -> Self {
        Self {
            serial: key.signing.serial.to_string(),
            effective_time: clock::rfc3339_beijing(key.effective),
            expire_time: clock::rfc3339_beijing(key.expires),
        }
    }
}

async fn certificates(State(sandbox): State<Sandbox>) -> Json<Vec<ListedCertificate>> {
    let state = sandbox.lock();
    let listed = state.keys.iter().flat_map(Keyring::certificates);
    Json(listed.map(ListedCertificate::from).collect())
}

async fn rotate(State(sandbox): State<Sandbox>) -> Result<Json<Vec<ListedCertificate>>, ControlError> {
    sandbox.rotate_certificates()?;
    Ok(certificates(State(sandbox)).await)
}

async fn reset(State(sandbox): State<Sandbox>) -> StatusCode {
    sandbox.reset();
    StatusCode::NO_CONTENT
}
