//! Which callbacks look like those that were confirmed: by the shape of their order numbers, and by who sends them. It
//! proves nothing; it says who is asked about first when there is not enough for all (threat R-05).
//!
//! A sender that copies the shape, or sends through the same proxy, makes it say less: what brings more numbers that
//! WeChat Pay does not know than confirmed ones is not familiar until that is over.

mod shape;

use super::decide::Confirmed;
use super::sender::Senders;
use crate::domain::order::{ChannelId, OutTradeNo};
use crate::domain::reason::Reason;
use crate::journal::{Callback, Claimed, Rank, Trust};
use crate::provider::Part;
use crate::server::Peer;
use parking_lot::{Mutex, MutexGuard};
pub use shape::Shape;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::Instant;

/// What is known of shapes and senders. Channels come from the configuration and numbers have 32 lengths at most;
/// senders give way to later ones.
#[derive(Debug, Default)]
pub struct Familiar {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    shapes: HashMap<(ChannelId, usize), (Shape, Score)>,
    senders: HashMap<IpAddr, Score>,
    /// Shapes that have changed.
    news: HashSet<(ChannelId, usize)>,
}

/// What makes a callback likely to be true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Familiarity {
    /// Callbacks from its address were confirmed.
    Sender,
    /// Numbers that look like its own were.
    Shape,
    /// Neither.
    None,
}

/// Who called back, about what.
#[derive(Debug, Clone, Copy)]
pub struct Appearance {
    /// The channel of the callback.
    pub channel: ChannelId,
    /// What WeChat Pay calls the order.
    pub number: OutTradeNo,
    /// The sender, as [`Senders::from`](super::sender::Senders::from) tells it.
    pub from: IpAddr,
}

/// Senders that are remembered.
const MOST_SENDERS: usize = 10_000;

/// After this time half of what happened counts.
const HALF_LIFE: Duration = Duration::from_secs(60);

/// How many numbers that WeChat Pay does not know a sender or shape with a confirmed one is allowed, and how many more
/// for each of the first [`TRUSTED_UP_TO`].
const ALLOWED: f64 = 4.0;
const ALLOWED_FOR_EACH: f64 = 2.0;
const TRUSTED_UP_TO: u32 = 32;

/// How often a shape or a sender was right and wrong.
#[derive(Debug, Clone, Copy)]
struct Score {
    /// Confirmed ones there ever were, up to [`TRUSTED_UP_TO`].
    ever: u32,
    /// Confirmed ones, and ones that WeChat Pay does not know, of late.
    confirmed: f64,
    missed: f64,
    at: Instant,
}

impl Score {
    const fn new(at: Instant) -> Self {
        Self { ever: 0, confirmed: 0.0, missed: 0.0, at }
    }

    fn age(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64() / HALF_LIFE.as_secs_f64();
        let left = 0.5_f64.powf(passed);
        (self.confirmed, self.missed, self.at) = (self.confirmed * left, self.missed * left, self.at.max(now));
    }

    fn confirmed(&mut self, now: Instant) {
        self.age(now);
        self.confirmed += 1.0;
        self.ever = (self.ever + 1).min(TRUSTED_UP_TO);
    }

    fn missed(&mut self, now: Instant) {
        self.age(now);
        self.missed += 1.0;
    }

    fn is_good(mut self, now: Instant) -> bool {
        self.age(now);
        self.ever > 0 && self.missed < ALLOWED + ALLOWED_FOR_EACH * f64::from(self.ever) + self.confirmed
    }
}

impl Familiar {
    /// What makes a callback likely to be true.
    #[must_use]
    pub fn look(&self, appearance: &Appearance) -> Familiarity {
        self.lock().look(appearance, Instant::now())
    }

    /// Learns from what a callback came to when it was asked about for the first time.
    pub fn learn(&self, appearance: &Appearance, decided: &Result<Confirmed, Reason>) {
        match decided {
            Ok(_) => self.remember(appearance),
            Err(Reason::OrderNotFound) => self.lock().missed(appearance, Instant::now()),
            Err(_) => {}
        }
    }

    /// A callback that looks so was confirmed.
    pub fn remember(&self, appearance: &Appearance) {
        self.lock().confirmed(appearance, Instant::now());
    }

    /// The shapes that have changed since the last time, each with its channel.
    pub fn take_news(&self) -> Vec<(ChannelId, Shape)> {
        let mut known = self.lock();
        let news = std::mem::take(&mut known.news);
        news.into_iter().filter_map(|key| Some((key.0, known.shapes.get(&key)?.0.clone()))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock()
    }
}

impl Known {
    fn look(&self, appearance: &Appearance, now: Instant) -> Familiarity {
        let Appearance { channel, number, from } = appearance;
        if self.senders.get(from).is_some_and(|score| score.is_good(now)) {
            return Familiarity::Sender;
        }
        let shape = self.shapes.get(&(*channel, number.as_str().len()));
        match shape.is_some_and(|(shape, score)| shape.fits(number) && score.is_good(now)) {
            true => Familiarity::Shape,
            false => Familiarity::None,
        }
    }

    fn confirmed(&mut self, appearance: &Appearance, now: Instant) {
        let Appearance { channel, number, from } = appearance;
        let shape = self.shapes.entry((*channel, number.as_str().len()));
        let (shape, score) = shape.or_insert_with(|| (Shape::of(number), Score::new(now)));
        if !shape.fits(number) || score.ever == 0 {
            self.news.insert((*channel, number.as_str().len()));
        }
        shape.learn(number);
        score.confirmed(now);
        if self.senders.len() >= MOST_SENDERS && !self.senders.contains_key(from) {
            self.forget_half(now);
        }
        self.senders.entry(*from).or_insert_with(|| Score::new(now)).confirmed(now);
    }

    /// Strangers are not remembered for it, or a flood would fill the memory.
    fn missed(&mut self, appearance: &Appearance, now: Instant) {
        let Appearance { channel, number, from } = appearance;
        if let Some((shape, score)) = self.shapes.get_mut(&(*channel, number.as_str().len()))
            && shape.fits(number)
        {
            score.missed(now);
        }
        if let Some(score) = self.senders.get_mut(from) {
            score.missed(now);
        }
    }

    /// Forgets the senders of whom nothing was heard for longest.
    fn forget_half(&mut self, now: Instant) {
        let mut quiet: Vec<_> = self.senders.values().map(|score| now.saturating_duration_since(score.at)).collect();
        quiet.sort_unstable();
        let Some(median) = quiet.get(quiet.len() / 2).copied() else { return };
        self.senders.retain(|_, score| now.saturating_duration_since(score.at) < median);
    }
}

impl Appearance {
    /// How a callback that is kept looked; `None` if the entry has no callback.
    #[must_use]
    pub fn of(callback: &Callback, senders: &Senders) -> Option<Self> {
        let Claimed { channel, out_trade_no, .. } = callback.claimed;
        let request = callback.request.as_ref().filter(|_| !callback.origin.is_found())?;
        let from = senders.from(Peer::new(request.peer, request.tls), &request.headers);
        Some(Self { channel, number: out_trade_no, from })
    }
}

impl Familiarity {
    /// Out of which part of the budget it is asked about while it waits.
    #[must_use]
    pub const fn part(self) -> Part {
        match self {
            Self::Sender => Part::KnownSender,
            Self::Shape => Part::KnownShape,
            Self::None => Part::Stranger,
        }
    }

    /// What a record of it is worth before it is confirmed.
    #[must_use]
    pub const fn trust(self) -> Trust {
        match self {
            Self::Sender | Self::Shape => Trust::Likely,
            Self::None => Trust::Unconfirmed,
        }
    }

    /// How such a callback stands that was taken in as `rank`: a number that looked strange may look familiar by now.
    #[must_use]
    pub fn rank(self, rank: Rank) -> Rank {
        match (self, rank) {
            (Self::Sender | Self::Shape, Rank::Strange) => Rank::Likely,
            (Self::Sender | Self::Shape, Rank::Absent) => Rank::LikelyAbsent,
            (_, rank) => rank,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn appearance(number: &str, from: [u8; 4]) -> Appearance {
        let channel = ChannelId::parse("app").unwrap();
        Appearance { channel, number: OutTradeNo::parse(number).unwrap(), from: from.into() }
    }

    const HOME: [u8; 4] = [203, 0, 113, 1];
    const AWAY: [u8; 4] = [198, 51, 100, 7];

    #[test]
    fn what_was_confirmed_is_familiar_by_sender_and_by_shape() {
        let (mut known, now) = (Known::default(), Instant::now());
        assert_eq!(known.look(&appearance("A0001", HOME), now), Familiarity::None);
        known.confirmed(&appearance("A0001", HOME), now);
        for (number, from, familiarity) in [
            ("A0002", HOME, Familiarity::Sender),
            ("whatever", HOME, Familiarity::Sender),
            ("A0002", AWAY, Familiarity::Shape),
            ("B0002", AWAY, Familiarity::None),
        ] {
            assert_eq!(known.look(&appearance(number, from), now), familiarity, "{number} {from:?}");
        }
        let other = Appearance { channel: ChannelId::parse("other").unwrap(), ..appearance("A0002", AWAY) };
        assert_eq!(known.look(&other, now), Familiarity::None, "a channel's shapes are its own");
    }

    #[test]
    fn a_copied_shape_is_not_familiar_while_it_is_copied_and_the_true_senders_are() {
        let (mut known, now) = (Known::default(), Instant::now());
        (0..10).for_each(|serial| known.confirmed(&appearance(&format!("A{serial:04}"), HOME), now));
        let copied = (0..1000).position(|serial| {
            let copy = appearance(&format!("A{serial:04}"), AWAY);
            let familiarity = known.look(&copy, now);
            known.missed(&copy, now);
            familiarity == Familiarity::None
        });
        assert!(copied.is_some_and(|copied| copied < 100), "{copied:?}");
        assert_eq!(known.look(&appearance("A5555", HOME), now), Familiarity::Sender);
        let later = now + 10 * HALF_LIFE;
        assert_eq!(known.look(&appearance("A5555", AWAY), later), Familiarity::Shape);
    }

    #[test]
    fn one_payment_of_his_own_makes_nobody_familiar_for_long() {
        let (mut known, now) = (Known::default(), Instant::now());
        known.confirmed(&appearance("A0001", AWAY), now);
        let queries = (0..1000).take_while(|serial| {
            let made_up = appearance(&format!("X{serial}"), AWAY);
            let familiar = known.look(&made_up, now) == Familiarity::Sender;
            known.missed(&made_up, now);
            familiar
        });
        assert!(queries.count() <= 8);
    }

    #[test]
    fn a_shape_is_news_when_it_changes() {
        let familiar = Familiar::default();
        for (number, news) in [("A0001", 1), ("A0002", 0), ("B0003", 1), ("C0004", 0), ("CC004", 1), ("LONGER1", 1)] {
            familiar.remember(&appearance(number, HOME));
            assert_eq!(familiar.take_news().len(), news, "{number}");
        }
    }

    #[test]
    fn a_busy_sender_may_be_wrong_as_often_as_it_is_right() {
        let (mut known, now) = (Known::default(), Instant::now());
        for serial in 0..2000 {
            known.confirmed(&appearance(&format!("A{serial:04}"), HOME), now);
            known.missed(&appearance(&format!("B{serial:04}"), HOME), now);
        }
        assert_eq!(known.look(&appearance("C0001", HOME), now), Familiarity::Sender);
    }

    #[test]
    fn senders_are_forgotten_before_they_are_too_many() {
        let (mut known, start) = (Known::default(), Instant::now());
        for index in 0..3 * u32::try_from(MOST_SENDERS).unwrap() {
            let now = start + Duration::from_millis(index.into());
            known.confirmed(&appearance("A0001", index.to_be_bytes()), now);
            assert!(known.senders.len() <= MOST_SENDERS);
        }
        // Within one moment too.
        let now = start + Duration::from_secs(3600);
        for index in 0..2 * u32::try_from(MOST_SENDERS).unwrap() {
            known.confirmed(&appearance("A0001", (index + (1 << 24)).to_be_bytes()), now);
            assert!(known.senders.len() <= MOST_SENDERS);
        }
    }
}
