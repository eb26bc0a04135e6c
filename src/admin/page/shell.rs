//! What stands around every page: title, navigation, language, what was just done.

use super::assets;
use super::language::cookie;
use super::words::reasons::{Explained, explain};
use super::words::{Language, Words, fill};
use super::{flash, show};
use crate::admin::Who;
use crate::domain::reason::Reason;
use crate::journal::{Origin, State};
use askama::filters::HtmlSafe;
use axum::Extension;
use axum::extract::FromRequestParts;
use axum::extract::rejection::ExtensionRejection;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use jiff::Timestamp;
use std::fmt::{self, Display, Formatter};

/// What stands around a page.
#[derive(Debug)]
pub(super) struct Shell {
    pub(super) words: &'static Words,
    pub(super) language: Language,
    pub(super) title: String,
    /// The page's own address.
    pub(super) here: String,
    /// Whether it is for those who are let in.
    pub(super) inside: bool,
    pub(super) can_log_out: bool,
    pub(super) flash: Option<flash::Notice>,
    pub(super) now: Timestamp,
}

/// A link of the navigation.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) href: &'static str,
    pub(super) name: &'static str,
    pub(super) here: bool,
}

/// A state, with its sign.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chip {
    state: State,
    words: &'static Words,
}

// It writes nothing but its own words.
impl HtmlSafe for Chip {}

/// The shell of the page that is asked for, still without a title. A page whose path the guard lets everybody ask for has no
/// [`Who`], and must make its shell by [`Shell::new`].
impl<S: Send + Sync> FromRequestParts<S> for Shell {
    type Rejection = ExtensionRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let Extension(who) = Extension::<Who>::from_request_parts(parts, state).await?;
        Ok(Self::new("", &parts.uri, &parts.headers, Some(&who)))
    }
}

impl Shell {
    /// Around a page for `who`, or for a visitor who is not logged in yet.
    pub(super) fn new(title: &str, uri: &Uri, headers: &HeaderMap, who: Option<&Who>) -> Self {
        let words = Language::of(headers).words();
        Self {
            words,
            language: words.language,
            title: title.to_owned(),
            here: uri.path_and_query().map_or("/", |here| here.as_str()).to_owned(),
            inside: who.is_some(),
            can_log_out: matches!(who, Some(Who::Session(_))),
            flash: cookie(headers, flash::COOKIE).and_then(|said| flash::read(&said, words.language)),
            now: crate::domain::clock::now(),
        }
    }

    /// This shell with another title.
    pub(super) fn titled(self, title: impl Into<String>) -> Self {
        Self { title: title.into(), ..self }
    }

    /// This shell with one of the words as its title.
    pub(super) fn titled_by(self, title: impl FnOnce(&Words) -> &'static str) -> Self {
        let title = title(self.words);
        self.titled(title)
    }

    /// Whether something was just done, which is said once.
    pub(super) fn says_something(&self) -> bool {
        self.flash.is_some()
    }

    pub(super) fn asset(&self, name: &str) -> String {
        assets::address(name)
    }

    pub(super) fn places(&self) -> Vec<Place> {
        let w = self.words;
        let path = self.here.split('?').next().unwrap_or_default();
        let places = [
            ("/", w.overview),
            ("/orders", w.orders),
            ("/ledger", w.ledger),
            ("/sweeps", w.sweeps),
            ("/sources", w.sources),
            ("/refused", w.refused),
            ("/audit", w.audit),
        ];
        let is_here = |href: &str| {
            path == href || (href != "/" && path.strip_prefix(href).is_some_and(|rest| rest.starts_with('/')))
        };
        places.into_iter().map(|(href, name)| Place { href, name, here: is_here(href) }).collect()
    }

    pub(super) fn chip(&self, state: State) -> Chip {
        Chip { state, words: self.words }
    }

    pub(super) fn moment(&self, at: Timestamp) -> show::Moment {
        show::moment(at, self.now)
    }

    pub(super) fn away(&self, at: Timestamp) -> String {
        show::away(at, self.now, self.language)
    }

    /// Why something is in this state, and what to do about it.
    pub(super) fn explain(&self, state: State, why: Option<Reason>) -> Explained {
        let (words, meaning) = (self.words, self.state_text(state));
        let name = state_name(state, words);
        match (state, why.map(|reason| explain(reason, self.language))) {
            // What is done, or being done, needs nothing but for what is odd about it.
            (State::Accepted, Some(explained)) if why == Some(Reason::Paid) => {
                Explained { short: name, meaning: explained.meaning, to_do: words.nothing_to_do }
            }
            (State::Delivering, Some(_)) if why == Some(Reason::Paid) => {
                Explained { short: words.being_sent, meaning, to_do: words.nothing_to_do }
            }
            (_, Some(explained)) => explained,
            (_, None) => Explained { short: name, meaning, to_do: words.nothing_to_do },
        }
    }

    pub(super) const fn state_text(&self, state: State) -> &'static str {
        match state {
            State::Asking => self.words.asking_text,
            State::Delivering => self.words.delivering_text,
            State::Accepted => self.words.accepted_text,
            State::Parked => self.words.parked_text,
            State::Closed => self.words.closed_text,
        }
    }

    pub(super) const fn origin(&self, origin: Origin) -> &'static str {
        match origin {
            Origin::Callback => self.words.by_callback,
            Origin::FollowUp => self.words.by_follow_up,
            Origin::Sweep => self.words.by_sweep,
            Origin::Pending => self.words.by_pending,
        }
    }

    /// How many orders.
    pub(super) fn orders(&self, count: u64) -> String {
        if count == 1 {
            self.words.held_count_one.to_owned()
        } else {
            fill(self.words.held_count, &[&show::count(count)])
        }
    }
}

/// What a state is called.
pub(super) const fn state_name(state: State, words: &Words) -> &'static str {
    match state {
        State::Asking => words.asking,
        State::Delivering => words.delivering,
        State::Accepted => words.accepted,
        State::Parked => words.parked,
        State::Closed => words.closed,
    }
}

impl Display for Chip {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let sign = match self.state {
            State::Asking => "◌",
            State::Delivering => "!",
            State::Accepted => "✓",
            State::Parked => "‖",
            State::Closed => "–",
        };
        let (class, name) = (self.state.as_str(), state_name(self.state, self.words));
        write!(f, r#"<span class="chip {class}"><span aria-hidden="true">{sign}</span>{name}</span>"#)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(uri: &'static str) -> Shell {
        Shell::new("A", &Uri::from_static(uri), &HeaderMap::new(), Some(&Who::Local))
    }

    #[test]
    fn the_navigation_knows_where_one_is() {
        let here = |uri| {
            let places = shell(uri).places().into_iter().filter(|place| place.here).map(|place| place.href);
            places.collect::<Vec<_>>()
        };
        assert_eq!(here("/"), ["/"]);
        assert_eq!(here("/orders?state=parked"), ["/orders"]);
        assert_eq!(here("/orders/app/A1"), ["/orders"]);
        assert!(here("/ordersx").is_empty());
    }

    #[test]
    fn a_chip_says_its_state_in_words() {
        let chip = |state| shell("/").chip(state).to_string();
        let parked = r#"<span class="chip parked"><span aria-hidden="true">‖</span>Parked</span>"#;
        assert_eq!(chip(State::Parked), parked);
        for state in State::ALL {
            let named = format!("</span>{}</span>", state_name(state, shell("/").words));
            assert!(chip(state).ends_with(&named), "{state}: {}", chip(state));
        }
    }
}
