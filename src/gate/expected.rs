//! What the merchant's own system expects: the orders that its sources of pending orders list, and at which price. It
//! is held against what WeChat Pay says, and proves nothing by itself.

pub mod requests;

use super::channel::Affix;
use super::delivery::Latest;
use crate::domain::money::{Currency, Fen, Money};
use crate::domain::order::{ChannelId, OrderId, OutTradeNo};
use crate::journal::pending_orders::PendingOrder;
use jiff::Timestamp;
use parking_lot::RwLock;
use requests::Requests;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The orders that are listed, and those that were until a while ago.
#[derive(Debug, Default)]
pub struct Expected {
    orders: RwLock<HashMap<(ChannelId, OutTradeNo), Vec<Word>>>,
    /// Whether anything was ever learnt: without sources no callback looks.
    in_use: AtomicBool,
    /// The sources that are configured.
    sources: RwLock<Vec<String>>,
    /// Those that have named WeChat Pay's number of an order, and not only the order id.
    naming_numbers: RwLock<HashSet<String>>,
    /// Where several gates read the sources: what the journal said last of the numbers that callbacks named. It alone counts then.
    told: Option<Told>,
    /// Whether it is not known yet which sources have named numbers.
    is_unsure: AtomicBool,
    /// The desks where a callback has a source read at once.
    pub requests: Requests,
}

/// What is known of the latest numbers that were looked up.
type Told = Latest<(ChannelId, OutTradeNo), Arc<[Word]>>;

/// What one source says of an order.
#[derive(Debug, Clone)]
struct Word {
    source: Arc<str>,
    order: OrderId,
    amount: Option<Fen>,
    gone_at: Option<Timestamp>,
}

/// What sources say of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// They list this order with this number, or did.
    ThisOrder,
    /// They list another order with it.
    AnotherOrder,
    /// They do not know the number.
    Unknown,
}

impl Expected {
    /// What the sources say that several gates read, each for all. Of so many numbers at least it is remembered what the journal
    /// [said](Self::is_told).
    #[must_use]
    pub fn of_several(numbers: usize) -> Self {
        Self { told: Some(Latest::new(numbers)), is_unsure: AtomicBool::new(true), ..Self::default() }
    }

    /// This is all that sources say of a number, by the journal.
    pub fn is_told(
        &self,
        (channel, affix): (ChannelId, &Affix),
        number: OutTradeNo,
        listed: &[(String, PendingOrder)],
    ) {
        let Some(told) = &self.told else { return };
        if listed.is_empty() && !self.in_use.load(Ordering::Relaxed) {
            return;
        }
        let known: Vec<_> = {
            let sources = self.sources.read();
            listed.iter().filter(|(source, _)| sources.contains(source)).collect()
        };
        for (source, listed) in &known {
            if !affix.makes(&number, &listed.order) {
                self.has_named_a_number(source);
            }
        }
        let words = known.into_iter().map(|(source, listed)| Word::of(&source.as_str().into(), listed));
        told.put((channel, number), words.collect());
        self.in_use.store(true, Ordering::Relaxed);
    }

    /// What an order costs, if a source says so; one that still lists it rather than one that did.
    #[must_use]
    pub fn amount(&self, channel: ChannelId, number: OutTradeNo) -> Option<Money> {
        let fen = self.of(channel, number, |words| {
            let priced = words.iter().filter(|word| word.amount.is_some());
            priced.min_by_key(|word| word.gone_at.is_some())?.amount
        })?;
        Some(Money { fen, currency: Currency::default() })
    }

    /// Whether no source listed an order any more when it was paid.
    #[must_use]
    pub fn was_gone(&self, channel: ChannelId, number: OutTradeNo, paid_at: Option<Timestamp>) -> bool {
        let all_gone =
            |words: &[Word]| words.iter().map(|word| word.gone_at).collect::<Option<Vec<_>>>()?.into_iter().max();
        let gone_at = self.of(channel, number, all_gone);
        gone_at.zip(paid_at).is_some_and(|(gone_at, paid_at)| paid_at > gone_at)
    }

    /// What these sources say of a pair, or have said until a while ago.
    #[must_use]
    pub fn listing(&self, sources: &[String], channel: ChannelId, number: &OutTradeNo, order: &OrderId) -> Listing {
        let listing = self.of(channel, *number, |words| {
            let mut theirs =
                words.iter().filter(|word| sources.iter().any(|source| **source == *word.source)).peekable();
            theirs.peek()?;
            Some(if theirs.any(|word| word.order == *order) { Listing::ThisOrder } else { Listing::AnotherOrder })
        });
        listing.unwrap_or(Listing::Unknown)
    }

    /// Whether one of these sources has ever named WeChat Pay's number of an order, so that it can prove one; also as long as that
    /// is not [known](Self::is_recalled).
    #[must_use]
    pub fn names_numbers(&self, sources: &[String]) -> bool {
        if self.is_unsure.load(Ordering::Relaxed) {
            return true;
        }
        let naming = self.naming_numbers.read();
        sources.iter().any(|source| naming.contains(source))
    }

    /// It is known from the journal which sources have named numbers.
    pub fn is_recalled(&self) {
        self.is_unsure.store(false, Ordering::Relaxed);
    }

    /// A source has named WeChat Pay's number of an order.
    pub fn has_named_a_number(&self, source: &str) {
        if !self.naming_numbers.read().contains(source) {
            self.naming_numbers.write().insert(source.to_owned());
        }
    }

    fn of<T>(&self, channel: ChannelId, number: OutTradeNo, read: impl FnOnce(&[Word]) -> Option<T>) -> Option<T> {
        if !self.in_use.load(Ordering::Relaxed) {
            return None;
        }
        if let Some(told) = &self.told {
            return told.get(&(channel, number)).and_then(|words| read(&words));
        }
        let orders = self.orders.read();
        orders.get(&(channel, number)).and_then(|words| read(words))
    }

    /// Takes in what a source says of an order.
    pub fn learn(&self, source: &Arc<str>, listed: &PendingOrder) {
        let (key, word) = ((listed.channel, listed.out_trade_no), Word::of(source, listed));
        self.in_use.store(true, Ordering::Relaxed);
        if let Some(told) = &self.told {
            let known = told.get(&key).unwrap_or_default();
            let others = known.iter().filter(|word| word.source != *source).cloned();
            told.put(key, others.chain([word]).collect());
            return;
        }
        let mut orders = self.orders.write();
        let words = orders.entry(key).or_default();
        words.retain(|word| word.source != *source);
        words.push(word);
    }

    /// Whether a source of this name is configured.
    #[must_use]
    pub fn has_source(&self, name: &str) -> bool {
        self.sources.read().iter().any(|source| source == name)
    }

    /// These are the sources; what others have said is forgotten.
    pub fn keep_sources(&self, names: &[&str]) {
        self.requests.keep(names);
        self.naming_numbers.write().retain(|name| names.contains(&name.as_str()));
        *self.sources.write() = names.iter().map(ToString::to_string).collect();
        if let Some(told) = &self.told {
            told.clear();
        }
        let mut orders = self.orders.write();
        orders.retain(|_, words| {
            words.retain(|word| names.contains(&&*word.source));
            !words.is_empty()
        });
    }

    /// Forgets what is not listed since before `time`.
    pub fn forget_gone(&self, time: Timestamp) {
        let mut orders = self.orders.write();
        orders.retain(|_, words| {
            words.retain(|word| word.gone_at.is_none_or(|gone_at| gone_at >= time));
            !words.is_empty()
        });
    }
}

impl Word {
    fn of(source: &Arc<str>, listed: &PendingOrder) -> Self {
        let PendingOrder { order, amount, gone_at, .. } = *listed;
        Self { source: Arc::clone(source), order, amount, gone_at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::order::OrderId;

    #[test]
    fn the_latest_word_of_a_source_counts() {
        let (channel, number) = (ChannelId::parse("app").unwrap(), OutTradeNo::parse("A").unwrap());
        let at = |second| Timestamp::from_second(second).unwrap();
        let order = OrderId::parse("A").unwrap();
        let listed = |amount, gone_at| PendingOrder { channel, out_trade_no: number, order, amount, gone_at };
        let expected = Expected::default();
        let (shop, other): (Arc<str>, Arc<str>) = ("shop".into(), "other".into());
        assert_eq!(expected.amount(channel, number), None);
        expected.learn(&shop, &listed(Some(Fen(1)), None));
        expected.learn(&shop, &listed(Some(Fen(2)), None));
        assert_eq!(expected.amount(channel, number).map(|money| money.fen), Some(Fen(2)));
        assert!(!expected.was_gone(channel, number, Some(at(100))));
        expected.learn(&shop, &listed(Some(Fen(2)), Some(at(50))));
        assert!(expected.was_gone(channel, number, Some(at(100))) && !expected.was_gone(channel, number, Some(at(50))));
        assert!(!expected.was_gone(channel, number, None));
        // Another source lists it still, at its own price.
        expected.learn(&other, &listed(Some(Fen(3)), None));
        assert_eq!(expected.amount(channel, number).map(|money| money.fen), Some(Fen(3)));
        assert!(!expected.was_gone(channel, number, Some(at(100))));
        expected.forget_gone(at(51));
        expected.learn(&other, &listed(None, Some(at(60))));
        assert!(expected.was_gone(channel, number, Some(at(61))));
        expected.forget_gone(at(61));
        assert_eq!(expected.amount(channel, number), None);
        expected.learn(&shop, &listed(Some(Fen(1)), None));
        expected.learn(&other, &listed(Some(Fen(2)), None));
        expected.keep_sources(&["other"]);
        assert_eq!(expected.amount(channel, number).map(|money| money.fen), Some(Fen(2)));
    }

    #[test]
    fn where_several_read_the_sources_what_the_journal_says_takes_the_place_of_all_that_was_known() {
        let (channel, number) = (ChannelId::parse("app").unwrap(), OutTradeNo::parse("A").unwrap());
        let order = OrderId::parse("A").unwrap();
        let listed =
            |amount| PendingOrder { channel, out_trade_no: number, order, amount: Some(Fen(amount)), gone_at: None };
        let expected = Expected::of_several(10);
        let told = |listed: &[(&str, PendingOrder)]| {
            let listed: Vec<_> = listed.iter().map(|(source, listed)| ((*source).to_owned(), *listed)).collect();
            expected.is_told((channel, &Affix::default()), number, &listed);
            expected.amount(channel, number).map(|money| money.fen)
        };
        expected.keep_sources(&["shop"]);
        assert_eq!(told(&[]), None);
        assert_eq!(told(&[("other", listed(1)), ("shop", listed(2))]), Some(Fen(2)), "of sources that are configured");
        expected.learn(&"shop".into(), &listed(3));
        assert_eq!(expected.amount(channel, number).map(|money| money.fen), Some(Fen(3)));
        assert_eq!(told(&[("shop", listed(4))]), Some(Fen(4)));
        assert_eq!(told(&[]), None, "it is listed no more");
    }

    #[test]
    fn a_source_of_which_nothing_is_recalled_may_have_named_numbers() {
        let (channel, number) = (ChannelId::parse("app").unwrap(), OutTradeNo::parse("N").unwrap());
        let order = OrderId::parse("A").unwrap();
        let expected = Expected::of_several(10);
        expected.keep_sources(&["shop"]);
        let names = || expected.names_numbers(&["shop".to_owned()]);
        assert!(names());
        expected.is_recalled();
        assert!(!names());
        let listed = PendingOrder { channel, out_trade_no: number, order, amount: None, gone_at: None };
        expected.is_told((channel, &Affix::default()), number, &[("shop".to_owned(), listed)]);
        assert!(names());
    }
}
