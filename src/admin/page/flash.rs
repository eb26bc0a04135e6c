//! What was just done, carried by a cookie to the page of the order, and said there once.

use super::chart;
use super::href::order_href;
use super::words::reasons::explain;
use super::words::{Language, fill};
use crate::domain::order::{ChannelId, OrderId};
use crate::domain::reason::Reason;
use percent_encoding::percent_decode_str;

/// The cookie in which what was just done goes on to the next page.
pub(super) const COOKIE: &str = "flash";

/// Something to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) good: bool,
    pub(super) text: String,
}

/// The cookie that carries what was done to the order's page, and nowhere else.
pub(super) fn keep(said: &str, channel: ChannelId, order: OrderId) -> String {
    cookie(said, 60, channel, order)
}

/// The cookie that ends it.
pub(super) fn forget(channel: ChannelId, order: OrderId) -> String {
    cookie("", 0, channel, order)
}

fn cookie(said: &str, seconds: u32, channel: ChannelId, order: OrderId) -> String {
    let path = order_href(channel.as_str(), order.as_str());
    format!("{COOKIE}={said}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Strict")
}

/// What a flash says, in words.
pub(super) fn read(said: &str, language: Language) -> Option<Notice> {
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
                Some("confirm") => words.wrong_confirm,
                Some("because") => words.no_because,
                Some("not-needed") => words.override_not_needed,
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
        let said = |flash| read(flash, Language::English).map(|notice| (notice.good, notice.text));
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
}
