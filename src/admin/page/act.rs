//! What can be done about an order: the question before, the doing, and what is said after. Without a script the question is
//! a page; with one it is a dialog of the order's page.

use super::chart;
use super::notice;
use super::shell::{FLASH, Notice, Shell, encoded, order_href};
use super::words::reasons::explain;
use super::words::{Language, Words, fill};
use super::{Html, See, render, show};
use crate::admin::{Action, Admin, Asked, NotDone, Who};
use crate::journal::State;
use crate::order::{ChannelId, OrderId};
use crate::reason::Reason;
use crate::server::Peer;
use askama::Template;
use axum::Extension;
use axum::extract::{Path, State as Shared};
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use std::sync::Arc;

/// What somebody can press.
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

    fn ask(self, channel: ChannelId, order: OrderId, state: Option<State>, words: &Words) -> Ask {
        let (label, text, now) = match self {
            Self::Redeliver => (words.redeliver, words.redeliver_text, words.redeliver_now),
            Self::Query => (words.query, words.query_text, words.query_now),
            Self::Park => (words.park, words.park_text, words.park_now),
            Self::Unpark => (words.unpark, words.unpark_text, words.unpark_now),
        };
        let likeliest = match state {
            Some(State::Parked) => Self::Unpark,
            Some(State::Asking | State::Closed) => Self::Query,
            Some(State::Delivering | State::Accepted) | None => Self::Redeliver,
        };
        let href = format!("{}/{}", order_href(channel.as_str(), order.as_str()), self.as_str());
        Ask { name: self.as_str(), href, label, text, now, first: self == likeliest }
    }
}

/// What can be done to an order in this state.
pub(super) fn possible(state: State, channel: ChannelId, order: OrderId, words: &Words) -> Vec<Ask> {
    let fitting = Button::ALL.into_iter().filter(|button| button.fits(state));
    fitting.map(|button| button.ask(channel, order, Some(state), words)).collect()
}

/// Asks, on a page of its own.
pub(super) async fn ask(
    Extension(who): Extension<Who>,
    Path((channel, order, name)): Path<(String, String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Html {
    let shell = Shell::new(&order, &uri, &headers, Some(&who));
    let (Ok(channel), Ok(order), Some(button)) =
        (ChannelId::parse(&channel), OrderId::parse(&order), Button::named(&name))
    else {
        return notice::not_found(shell, "/orders");
    };
    let about = fill(shell.words.about_order, &[&order, &channel]);
    let back = order_href(channel.as_str(), order.as_str());
    let ask = button.ask(channel, order, None, shell.words);
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
) -> Response {
    let (Ok(channel), Ok(order), Some(button)) =
        (ChannelId::parse(&channel), OrderId::parse(&order), Button::named(&name))
    else {
        return notice::not_found(Shell::new(&order, &uri, &headers, Some(&who)), "/orders").into_response();
    };
    let action = match button {
        Button::Redeliver => Some(Action::Redeliver),
        Button::Park => Some(Action::Park),
        Button::Unpark => Some(Action::Unpark),
        Button::Query => None,
    };
    let said = match action {
        Some(action) => admin.act(action, channel, order, &who, peer.addr).await.map(|_| button.as_str().to_owned()),
        None => admin.ask(channel, order, &who, peer.addr).await.map(|asked| said(&asked)),
    };
    let said = said.unwrap_or_else(|refusal| format!("not~{}", why_not(&refusal)));
    See::other(order_href(channel.as_str(), order.as_str())).with_cookie(flash(&said, channel, order)).into_response()
}

/// What WeChat Pay said, for the flash: the reason, and the payment if there is one.
fn said(asked: &Asked) -> String {
    let payment = asked.payment.as_ref().map(|payment| (payment.transaction_id, show::plain_amount(payment.amount)));
    let payment = payment.map(|(id, amount)| format!("~{id}~{}", encoded(&amount)));
    format!("query~{}{}", asked.reason.code(), payment.unwrap_or_default())
}

fn why_not(refusal: &NotDone) -> &'static str {
    match refusal {
        NotDone::NoSuchOrder => "none",
        NotDone::NoSuchChannel => "no-channel",
        NotDone::Conflict(_) => "state",
        NotDone::Journal(reason) => reason.code(),
    }
}

/// The cookie that carries what was done to the order's page, and nowhere else.
fn flash(said: &str, channel: ChannelId, order: OrderId) -> String {
    cookie(said, 60, channel, order)
}

/// The cookie that ends it.
pub(super) fn forget_flash(channel: ChannelId, order: OrderId) -> String {
    cookie("", 0, channel, order)
}

fn cookie(said: &str, seconds: u32, channel: ChannelId, order: OrderId) -> String {
    let path = order_href(channel.as_str(), order.as_str());
    format!("{FLASH}={said}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Strict")
}

/// What a flash says, in words.
pub(super) fn read_flash(said: &str, language: Language) -> Option<Notice> {
    let words = language.words();
    let mut parts = said.split('~');
    let good = |text: &str| Some(Notice { good: true, text: text.to_owned() });
    let reason = |code: Option<&str>| code.and_then(Reason::from_code).map(|reason| explain(reason, language));
    match parts.next()? {
        "redeliver" => good(words.did_redeliver),
        "park" => good(words.did_park),
        "unpark" => good(words.did_unpark),
        "query" => {
            let reason = parts.next().and_then(Reason::from_code)?;
            let mut text = explain(reason, language).short.to_owned();
            if let Some(verdict) = reason.verdict() {
                text = format!("{} – {text}", chart::name(Some(verdict), words));
            }
            for more in parts {
                text = format!("{text}, {}", percent_decode_str(more).decode_utf8_lossy());
            }
            good(&fill(words.did_query, &[&text]))
        }
        "not" => {
            let text = match parts.next() {
                Some("none") => words.no_such_order,
                Some("no-channel") => words.no_such_channel,
                Some("state") => words.not_in_this_state,
                code => reason(code).map_or(words.not_done, |explained| explained.meaning),
            };
            Some(Notice { good: false, text: fill(words.did_nothing, &[&text]) })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_said_in_words() {
        let said = |flash| read_flash(flash, Language::English).map(|notice| (notice.good, notice.text));
        assert_eq!(
            said("query~paid~4200001~¥66.00").unwrap(),
            (true, "WeChat Pay was asked just now and says: paid – Paid, 4200001, ¥66.00.".to_owned())
        );
        assert_eq!(
            said("not~none").unwrap(),
            (false, "Nothing was changed: There is no such order on this channel.".to_owned())
        );
        assert!(said("park").unwrap().0 && said("redeliver").unwrap().0 && said("unpark").unwrap().0);
        assert!(said("").is_none() && said("query~<b>").is_none() && said("x~y").is_none());
    }

    #[test]
    fn buttons_stand_where_they_do_something() {
        let (channel, order) = (ChannelId::parse("2/c1").unwrap(), OrderId::parse("A1").unwrap());
        let names = |state| {
            possible(state, channel, order, Language::English.words()).iter().map(|ask| ask.name).collect::<Vec<_>>()
        };
        assert_eq!(names(State::Delivering), ["redeliver", "query", "park"]);
        assert_eq!(names(State::Parked), ["redeliver", "unpark", "query"]);
        assert_eq!(names(State::Accepted), ["redeliver", "query"]);
        assert_eq!(names(State::Closed), ["query"]);
        for state in State::ALL {
            let first = possible(state, channel, order, Language::English.words()).into_iter().filter(|ask| ask.first);
            assert_eq!(first.count(), 1, "{state}");
        }
    }
}
