//! What can be done about an order: the question before, the doing, and what is said after. Without a script the question is
//! a page; with one it is a dialog of the order's page.

use super::decision::{Decision, Filled, NotFilled};
use super::flash;
use super::href::{encoded, order_href};
use super::notice;
use super::shell::Shell;
use super::words::{Words, fill};
use super::{Html, See, render, show};
use crate::admin::{Action, Admin, Asked, NotDone, Who, needs};
use crate::domain::order::{ChannelId, OrderId};
use crate::domain::reason::Reason;
use crate::journal::State;
use crate::journal::overrides::Needed;
use crate::server::Peer;
use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{Path, State as Shared};
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form};
use std::sync::Arc;

/// What an operator can press.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Button {
    Redeliver,
    Query,
    Park,
    Unpark,
}

/// The question before something is done.
#[derive(Debug)]
pub(super) struct Ask {
    /// In addresses.
    pub(super) name: &'static str,
    pub(super) href: String,
    pub(super) label: &'static str,
    /// What will happen.
    pub(super) text: &'static str,
    /// What is pressed then.
    pub(super) now: &'static str,
    /// Whether it is what one most likely wants.
    pub(super) first: bool,
    /// What has to be decided for it.
    pub(super) decision: Option<Decision>,
}

#[derive(Debug, Template)]
#[template(path = "ask.html")]
struct Page {
    shell: Shell,
    ask: Ask,
    about: String,
    back: String,
    in_page: bool,
}

impl Button {
    const ALL: [Self; 4] = [Self::Redeliver, Self::Unpark, Self::Query, Self::Park];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Redeliver => "redeliver",
            Self::Query => "query",
            Self::Park => "park",
            Self::Unpark => "unpark",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|button| button.as_str() == name)
    }

    /// Whether it does anything to an order in this state.
    const fn fits(self, state: State) -> bool {
        match self {
            Self::Query => true,
            // Of what is closed nothing is kept that could be sent.
            Self::Redeliver => !matches!(state, State::Closed),
            Self::Park => matches!(state, State::Asking | State::Delivering),
            Self::Unpark => matches!(state, State::Parked),
        }
    }

    fn ask(self, channel: ChannelId, order: OrderId, standing: Option<Standing<'_>>, words: &Words) -> Ask {
        let (label, text, now) = match self {
            Self::Redeliver => (words.redeliver, words.redeliver_text, words.redeliver_now),
            Self::Query => (words.query, words.query_text, words.query_now),
            Self::Park => (words.park, words.park_text, words.park_now),
            Self::Unpark => (words.unpark, words.unpark_text, words.unpark_now),
        };
        let likeliest = standing.and_then(Standing::likeliest);
        let href = format!("{}/{}", order_href(channel.as_str(), order.as_str()), self.as_str());
        let needed = standing.map(|standing| standing.needed).filter(|_| self == Self::Redeliver);
        let decision = needed.and_then(|needed| Decision::of(needed, words));
        Ask { name: self.as_str(), href, label, text, now, first: Some(self) == likeliest, decision }
    }
}

/// How an order stands, as far as that says what is done next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing<'n> {
    pub(super) state: State,
    pub(super) reason: Option<Reason>,
    /// What has to be decided before it is sent again.
    pub(super) needed: &'n [Needed],
}

impl Standing<'_> {
    /// What one most likely wants. Nothing where a person has to decide first, and nothing where all is done.
    fn likeliest(self) -> Option<Button> {
        let is_held =
            matches!(self.reason, Some(Reason::ExpectedAmountDiffers | Reason::AmountDiffers | Reason::SecondPayment));
        match self.state {
            State::Accepted => None,
            State::Closed => Some(Button::Query),
            _ if is_held || !needs(self.needed).is_empty() => None,
            State::Parked => Some(Button::Unpark),
            State::Asking => Some(Button::Query),
            State::Delivering => Some(Button::Redeliver),
        }
    }
}

/// What can be done to an order that stands so.
pub(super) fn possible(standing: Standing<'_>, channel: ChannelId, order: OrderId, words: &Words) -> Vec<Ask> {
    let fitting = Button::ALL.into_iter().filter(|button| button.fits(standing.state));
    fitting.map(|button| button.ask(channel, order, Some(standing), words)).collect()
}

/// Asks, on a page of its own.
pub(super) async fn ask(
    Shared(admin): Shared<Arc<Admin>>,
    shell: Shell,
    Path((channel, order, name)): Path<(String, String, String)>,
) -> Html {
    let shell = shell.titled(&order);
    let (Ok(channel), Ok(order), Some(button)) =
        (ChannelId::parse(&channel), OrderId::parse(&order), Button::named(&name))
    else {
        return notice::not_found(shell, "/orders");
    };
    let about = fill(shell.words.about_order, &[&order, &channel]);
    let back = order_href(channel.as_str(), order.as_str());
    let needed = if button == Button::Redeliver { admin.needed(channel, order).await } else { Vec::new() };
    let standing = Standing { state: State::Closed, reason: None, needed: &needed };
    let ask = button.ask(channel, order, Some(standing), shell.words);
    render(Page { ask, about, back, in_page: true, shell })
}

/// Does it, and leads back to the order, which says what came of it.
pub(super) async fn act(
    Shared(admin): Shared<Arc<Admin>>,
    Extension(who): Extension<Who>,
    Extension(peer): Extension<Peer>,
    Path((channel, order, name)): Path<(String, String, String)>,
    uri: Uri,
    headers: HeaderMap,
    form: Result<Form<Vec<(String, String)>>, FormRejection>,
) -> Response {
    let (Ok(channel), Ok(order), Some(button)) =
        (ChannelId::parse(&channel), OrderId::parse(&order), Button::named(&name))
    else {
        return notice::not_found(Shell::new(&order, &uri, &headers, Some(&who)), "/orders").into_response();
    };
    let did = || button.as_str().to_owned();
    let said = match button {
        Button::Redeliver => redeliver(&admin, channel, order, &who, peer, Filled::read(form)).await.map(|()| did()),
        Button::Park => admin.act(Action::Park, channel, order, &who, peer.addr).await.map_err(why_not).map(|_| did()),
        Button::Unpark => {
            admin.act(Action::Unpark, channel, order, &who, peer.addr).await.map_err(why_not).map(|_| did())
        }
        Button::Query => admin.ask(channel, order, &who, peer.addr).await.map_err(why_not).map(|asked| said(&asked)),
    };
    let said = said.unwrap_or_else(|why| format!("not~{why}"));
    See::other(order_href(channel.as_str(), order.as_str()))
        .with_cookie(flash::keep(&said, channel, order))
        .into_response()
}

/// Has an order sent again, if the form says all that has to be decided.
async fn redeliver(
    admin: &Admin,
    channel: ChannelId,
    order: OrderId,
    who: &Who,
    peer: Peer,
    filled: Filled,
) -> Result<(), &'static str> {
    let needed = if filled.is_over_price() { admin.needed(channel, order).await } else { Vec::new() };
    let decided = filled.decided(&needed).map_err(NotFilled::as_str)?;
    admin.redeliver(channel, order, decided, who, peer.addr).await.map(drop).map_err(why_not)
}

/// What WeChat Pay said, for the flash: the reason, and the payment if there is one.
fn said(asked: &Asked) -> String {
    let payment = asked.payment.as_ref().map(|payment| (payment.transaction_id, show::plain_amount(payment.amount)));
    let payment = payment.map(|(id, amount)| format!("~{id}~{}", encoded(&amount)));
    format!("query~{}{}", asked.reason.code(), payment.unwrap_or_default())
}

fn why_not(refusal: NotDone) -> &'static str {
    match refusal {
        NotDone::NoSuchOrder => "none",
        NotDone::NoSuchChannel => "no-channel",
        NotDone::Conflict(_) => "state",
        NotDone::OverrideNeeded { .. } => Reason::OverrideNeeded.code(),
        NotDone::OverrideNotNeeded(_) => "not-needed",
        NotDone::Journal(reason) => reason.code(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::page::words::Language;
    use crate::journal::{EntryId, Override};

    fn buttons(state: State, reason: Option<Reason>, needed: &[Needed]) -> Vec<Ask> {
        let (channel, order) = (ChannelId::parse("2/c1").unwrap(), OrderId::parse("A1").unwrap());
        possible(Standing { state, reason, needed }, channel, order, Language::English.words())
    }

    #[test]
    fn buttons_stand_where_they_do_something() {
        let names = |state| buttons(state, None, &[]).iter().map(|ask| ask.name).collect::<Vec<_>>();
        assert_eq!(names(State::Delivering), ["redeliver", "query", "park"]);
        assert_eq!(names(State::Parked), ["redeliver", "unpark", "query"]);
        assert_eq!(names(State::Accepted), ["redeliver", "query"]);
        assert_eq!(names(State::Closed), ["query"]);
    }

    #[test]
    fn the_first_button_is_what_one_most_likely_wants_and_never_a_decision() {
        let needed = |needs: &[Override]| Needed {
            entry: EntryId(1),
            channel: ChannelId::parse("c1").unwrap(),
            order: OrderId::parse("A1").unwrap(),
            needs: needs.iter().copied().collect(),
            paid: None,
            price: None,
        };
        for (state, reason, needs, first) in [
            (State::Delivering, Some(Reason::Paid), &[][..], Some("redeliver")),
            (State::Parked, Some(Reason::GaveUpDelivering), &[], Some("unpark")),
            (State::Asking, Some(Reason::NotPaidYet), &[], Some("query")),
            (State::Closed, Some(Reason::AmountDiffers), &[], Some("query")),
            (State::Accepted, Some(Reason::Paid), &[Override::Accepted], None),
            (State::Parked, Some(Reason::ExpectedAmountDiffers), &[Override::Amount], None),
            (State::Parked, Some(Reason::ExpectedAmountDiffers), &[], None),
            (State::Parked, Some(Reason::ParkedByOperator), &[Override::Amount], None),
            (State::Parked, Some(Reason::SecondPayment), &[Override::SecondPayment], None),
            (State::Delivering, Some(Reason::Paid), &[Override::Accepted], None),
        ] {
            let buttons = buttons(state, reason, &[needed(needs)]);
            let blue: Vec<_> = buttons.iter().filter(|ask| ask.first).map(|ask| ask.name).collect();
            assert_eq!(blue, first.into_iter().collect::<Vec<_>>(), "{state} {reason:?}");
            let asks = buttons.iter().filter(|ask| ask.decision.is_some());
            assert_eq!(asks.count(), usize::from(!needs.is_empty()), "{state} {reason:?}");
        }
    }
}
