//! Orders: a list of their entries, the story of one, and what can be done to it.

use super::params::{self, Asked, Nothing, OrderPlace, Place, Said};
use crate::admin::act::{Action, Decided, Done};
use crate::admin::problem::Problem;
use crate::admin::records::{self, Entry, EntryStory, words};
use crate::admin::{Admin, NotDone, Who};
use crate::domain::order::{ChannelId, OrderId};
use crate::domain::reason::Reason;
use crate::journal::audit;
use crate::journal::overrides::{self, Override, Overrides};
use crate::journal::view::{Cursor, Filter};
use crate::journal::{Origin, State};
use crate::server::Peer;
use axum::extract::{Extension, State as Shared};
use axum::http::StatusCode;
use axum::{Json, http};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// In this state.
    #[param(value_type = Option<words::State>)]
    state: Option<String>,
    /// On this channel.
    #[param(min_length = 1, max_length = 64, pattern = "^[0-9A-Za-z_./-]+$")]
    channel: Option<String>,
    /// For this reason.
    #[param(value_type = Option<words::Reason>)]
    reason: Option<String>,
    /// Brought by this.
    #[param(value_type = Option<words::Origin>)]
    origin: Option<String>,
    /// Received at this time or later.
    #[param(value_type = Option<words::Time>)]
    since: Option<String>,
    /// Received before this time.
    #[param(value_type = Option<words::Time>)]
    until: Option<String>,
    /// Whose order id, `out_trade_no` or `transaction_id` begins with this; or whose request or delivery id it is.
    #[param(min_length = 1, max_length = 64, pattern = "^[0-9A-Za-z_|*@-]+$")]
    text: Option<String>,
    /// `next` of the page before.
    #[param(max_length = 40, pattern = "^[0-9]{1,18}-[0-9]{1,18}$")]
    cursor: Option<String>,
    /// How many at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u64>,
}

impl Which {
    fn filter(&self) -> Result<Filter, Problem> {
        Ok(Filter {
            state: params::one_of("state", self.state.as_ref(), State::from_name)?,
            channel: params::optional("channel", self.channel.as_ref())?,
            reason: params::one_of("reason", self.reason.as_ref(), Reason::from_code)?,
            origin: params::one_of("origin", self.origin.as_ref(), Origin::from_name)?,
            since: params::time("since", self.since.as_ref())?,
            until: params::time("until", self.until.as_ref())?,
            text: params::optional("text", self.text.as_ref())?,
            confirmed: false,
        })
    }
}

/// A page of entries.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Orders {
    /// The latest first. A search that takes long may have found few so far, or none, although `next` is there.
    pub(super) orders: Vec<Entry>,
    /// The `cursor` of the next page; null if there is none.
    pub(super) next: Option<String>,
}

/// The entries of orders.
///
/// One for each claim on each route, in pages, those that were received last first.
#[utoipa::path(get, path = "/api/orders", tag = "orders", params(Which), responses(
    (status = 200, description = "A page of them.", body = Orders)
))]
pub(super) async fn orders(
    Shared(admin): Shared<Arc<Admin>>,
    Asked(which): Asked<Which>,
) -> Result<Json<Orders>, Problem> {
    let after: Option<Cursor> = params::optional("cursor", which.cursor.as_ref())?;
    let page = admin.orders(&which.filter()?, after, params::limit(which.limit)?).await?;
    let orders = page.records.iter().map(Entry::from).collect();
    Ok(Json(Orders { orders, next: page.next.map(|next| next.to_string()) }))
}

/// An order's story.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Order {
    /// The merchant account.
    pub(super) channel: String,
    /// The legacy system's order id.
    pub(super) order: String,
    /// Its entries, the latest first.
    pub(super) entries: Vec<EntryStory>,
}

impl OrderPlace {
    fn read(&self) -> Result<(ChannelId, OrderId), Problem> {
        Ok((params::read("channel", &self.channel)?, params::read("order", &self.order)?))
    }
}

/// The whole story of one order.
///
/// Every claim that named it, what WeChat Pay said, and each time it was sent.
#[utoipa::path(get, path = "/api/orders/{channel}/{order}", tag = "orders", params(OrderPlace), responses(
    (status = 200, description = "The story.", body = Order),
    (status = 404, description = "There is no such order.", body = Problem, content_type = "application/problem+json")
))]
pub(super) async fn order(
    Shared(admin): Shared<Arc<Admin>>,
    Place(place): Place<OrderPlace>,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Json<Order>, Problem> {
    let (channel, order) = place.read()?;
    let records = admin.order(channel, order).await?;
    if records.is_empty() {
        return Err(NotDone::NoSuchOrder.into());
    }
    let entries = records.iter().map(EntryStory::from).collect();
    Ok(Json(Order { channel: channel.to_string(), order: order.to_string(), entries }))
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Acted {
    /// `redeliver`, `park` or `unpark`.
    pub(super) action: &'static str,
    /// On which channel.
    pub(super) channel: String,
    /// To which order.
    pub(super) order: String,
    /// To which entries of it.
    pub(super) entries: Vec<i64>,
}

impl From<NotDone> for Problem {
    fn from(refusal: NotDone) -> Self {
        let status = match refusal {
            NotDone::NoSuchOrder | NotDone::NoSuchChannel => StatusCode::NOT_FOUND,
            NotDone::Conflict(_) | NotDone::OverrideNeeded { .. } => StatusCode::CONFLICT,
            NotDone::OverrideNotNeeded(_) => StatusCode::BAD_REQUEST,
            NotDone::Journal(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        let problem = Self::new(status, refusal.to_string());
        match refusal {
            NotDone::Journal(reason) => problem.because(reason.code()),
            NotDone::OverrideNeeded { needs, .. } => problem.needing(needs.iter().map(Override::as_str).collect()),
            NotDone::NoSuchOrder | NotDone::NoSuchChannel | NotDone::Conflict(_) | NotDone::OverrideNotNeeded(_) => {
                problem
            }
        }
    }
}

async fn act(
    action: Action,
    admin: &Admin,
    place: &OrderPlace,
    who: &Who,
    peer: Peer,
) -> Result<(StatusCode, Json<Acted>), Problem> {
    let (channel, order) = place.read()?;
    let done = admin.act(action, channel, order, who, peer.addr).await?;
    // The rest is the follow-up's, in a moment.
    let status = if action == Action::Park { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(Acted::new(action, channel, order, &done))))
}

impl Acted {
    fn new(action: Action, channel: ChannelId, order: OrderId, done: &Done) -> Self {
        Self {
            action: audit::Action::Act(action).as_str(),
            channel: channel.to_string(),
            order: order.to_string(),
            entries: done.entries.iter().map(|entry| entry.0).collect(),
        }
    }
}

/// What is decided against the rules, and why.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Decision {
    /// What is decided.
    #[serde(default, rename = "override")]
    #[schema(value_type = Vec<words::Override>, required = false)]
    overrides: Vec<String>,
    /// Why, as the audit trail has it. There must be a reason for an override.
    #[schema(min_length = 4, max_length = 200, pattern = "[^\\s\\x00-\\x1f\\x7f-\\x9f]")]
    because: Option<String>,
}

impl Decision {
    fn read(self) -> Result<Decided, Problem> {
        let wrong = |detail: String| Problem::new(StatusCode::BAD_REQUEST, detail);
        let named = |name: &String| {
            Override::from_name(name)
                .ok_or_else(|| wrong("override has something that is none of its words".to_owned()))
        };
        let overrides: Overrides = self.overrides.iter().map(named).collect::<Result<_, _>>()?;
        let because = self.because.map(|text| overrides::because(&text)).transpose();
        let because = because.map_err(|problem| wrong(problem.to_owned()))?;
        if because.is_none() && !overrides.is_empty() {
            return Err(wrong("because is missing: an override has a reason, in 4 to 200 characters".to_owned()));
        }
        Ok(Decided { overrides, because })
    }
}

/// Confirms an order again and sends it again.
///
/// What is not paid is not sent. What was paid at another price than the order costs, was accepted before, or is a
/// second payment, is sent only with an `override` that says so, and a reason. The follow-up does it in a moment.
#[utoipa::path(post, path = "/api/orders/{channel}/{order}/redeliver", tag = "actions", params(OrderPlace),
    request_body(content = Option<Decision>, description = "What is decided against the rules; there may be no body."),
    responses(
    (status = 202, description = "It is due now.", body = Acted),
    (status = 400, description = "An override that is not needed, or no reason for one.", body = Problem,
        content_type = "application/problem+json"),
    (status = 404, description = "There is no such order.", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "Nothing of it is left to be sent, or an override is needed (reason `override-needed`).",
        body = Problem, content_type = "application/problem+json")
))]
pub(super) async fn redeliver(
    Shared(admin): Shared<Arc<Admin>>,
    Extension(who): Extension<Who>,
    Extension(peer): Extension<Peer>,
    Place(place): Place<OrderPlace>,
    Asked(Nothing {}): Asked<Nothing>,
    Said(decision): Said<Decision>,
) -> Result<(http::StatusCode, Json<Acted>), Problem> {
    let (channel, order) = place.read()?;
    let done = admin.redeliver(channel, order, decision.read()?, &who, peer.addr).await?;
    Ok((StatusCode::ACCEPTED, Json(Acted::new(Action::Redeliver, channel, order, &done))))
}

/// Stops going on with an order.
///
/// The follow-up neither asks about it nor sends it until it is unparked or redelivered. A callback of it that comes in
/// itself still passes.
#[utoipa::path(post, path = "/api/orders/{channel}/{order}/park", tag = "actions", params(OrderPlace), responses(
    (status = 200, description = "It is parked.", body = Acted),
    (status = 404, description = "There is no such order.", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "Nothing goes on with it.", body = Problem, content_type = "application/problem+json")
))]
pub(super) async fn park(
    Shared(admin): Shared<Arc<Admin>>,
    Extension(who): Extension<Who>,
    Extension(peer): Extension<Peer>,
    Place(place): Place<OrderPlace>,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<(http::StatusCode, Json<Acted>), Problem> {
    act(Action::Park, &admin, &place, &who, peer).await
}

/// Goes on with a parked order by the rules.
///
/// Unlike a redelivery it sends nothing that was accepted before, and what was parked for a reason that still holds is
/// parked again.
#[utoipa::path(post, path = "/api/orders/{channel}/{order}/unpark", tag = "actions", params(OrderPlace), responses(
    (status = 202, description = "It is due now.", body = Acted),
    (status = 404, description = "There is no such order.", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It is not parked.", body = Problem, content_type = "application/problem+json")
))]
pub(super) async fn unpark(
    Shared(admin): Shared<Arc<Admin>>,
    Extension(who): Extension<Who>,
    Extension(peer): Extension<Peer>,
    Place(place): Place<OrderPlace>,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<(http::StatusCode, Json<Acted>), Problem> {
    act(Action::Unpark, &admin, &place, &who, peer).await
}

/// Asks WeChat Pay about an order now.
///
/// By the number that its callbacks named, or that the channel makes of its id. Nothing is noted of the order.
#[utoipa::path(post, path = "/api/orders/{channel}/{order}/query", tag = "actions", params(OrderPlace), responses(
    (status = 200, description = "What it says.", body = records::Asked),
    (status = 404, description = "There is no such channel, or no order can have this id there.", body = Problem,
        content_type = "application/problem+json")
))]
pub(super) async fn query(
    Shared(admin): Shared<Arc<Admin>>,
    Extension(who): Extension<Who>,
    Extension(peer): Extension<Peer>,
    Place(place): Place<OrderPlace>,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Json<records::Asked>, Problem> {
    let (channel, order) = place.read()?;
    let asked = admin.ask(channel, order, &who, peer.addr).await?;
    Ok(Json(records::Asked::new(channel, asked.out_trade_no, asked.reason, asked.payment.as_ref())))
}
