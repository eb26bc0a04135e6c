//! What the gate does not do by itself, and a named person may decide: to send an order that was paid at another price
//! than it costs, that was accepted before, or that is paid twice.

use super::ids::EntryId;
use super::search::Search;
use super::{BoxFuture, By};
use crate::domain::money::Money;
use crate::domain::order::{ChannelId, OrderId};
use jiff::Timestamp;
use std::fmt;

/// One such decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Override {
    /// Another amount was paid than is expected.
    Amount,
    /// The order system took it before.
    Accepted,
    /// Another payment of the same order was confirmed before.
    SecondPayment,
}

impl Override {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Amount, Self::Accepted, Self::SecondPayment];

    /// The word in requests, headers and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Amount => "amount",
            Self::Accepted => "accepted",
            Self::SecondPayment => "second-payment",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|other| other.as_str() == name)
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Amount => 1,
            Self::Accepted => 2,
            Self::SecondPayment => 4,
        }
    }
}

/// Several of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Overrides(u8);

impl Overrides {
    /// None.
    pub const NONE: Self = Self(0);

    /// Those of these bits; others are nothing.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 7)
    }

    /// What [`from_bits`](Self::from_bits) makes them of.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether this one is among them.
    #[must_use]
    pub const fn has(self, one: Override) -> bool {
        self.0 & one.bit() != 0
    }

    /// With this one, if `wanted`.
    #[must_use]
    pub const fn with(self, one: Override, wanted: bool) -> Self {
        if wanted { Self(self.0 | one.bit()) } else { self }
    }

    /// These and those.
    #[must_use]
    pub const fn and(self, those: Self) -> Self {
        Self(self.0 | those.0)
    }

    /// These, but for those.
    #[must_use]
    pub const fn without(self, those: Self) -> Self {
        Self(self.0 & !those.0)
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Override> {
        Override::ALL.into_iter().filter(move |one| self.has(*one))
    }
}

impl FromIterator<Override> for Overrides {
    fn from_iter<I: IntoIterator<Item = Override>>(all: I) -> Self {
        all.into_iter().fold(Self::NONE, |these, one| these.with(one, true))
    }
}

impl fmt::Display for Overrides {
    /// `amount, accepted`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, one) in self.iter().enumerate() {
            f.write_str(if place > 0 { ", " } else { "" })?;
            f.write_str(one.as_str())?;
        }
        Ok(())
    }
}

/// What an order costs, as far as anybody but its callback says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// How much.
    pub amount: Money,
    /// Who says so: a source of pending orders by name, or `bill`.
    pub source: String,
    /// Since when it does; not known of the bill.
    pub listed_at: Option<Timestamp>,
}

impl Price {
    /// The source of a price that a bill says.
    pub const BILL: &str = "bill";
}

/// An entry that would be sent, and what a person has to decide for that.
#[derive(Debug, Clone)]
pub struct Needed {
    /// The entry.
    pub entry: EntryId,
    /// Its channel.
    pub channel: ChannelId,
    /// Its order.
    pub order: OrderId,
    /// What has to be decided; none if it is sent by the rules.
    pub needs: Overrides,
    /// What was paid, as far as that is confirmed.
    pub paid: Option<Money>,
    /// What it costs, where that is something else or nothing was paid yet.
    pub price: Option<Price>,
}

impl Needed {
    /// `paid ¥0.01, costs ¥9.90`, if these are not the same.
    #[must_use]
    pub fn amounts(&self) -> Option<String> {
        let price = self.price.as_ref().filter(|_| self.needs.has(Override::Amount))?;
        let paid = self.paid.map_or_else(|| "another amount".to_owned(), yuan);
        Some(format!("paid {paid}, costs {}", yuan(price.amount)))
    }
}

/// `¥0.01`, or `0.01 HKD`.
#[must_use]
pub fn yuan(amount: Money) -> String {
    let (whole, rest) = (amount.fen.0 / 100, amount.fen.0 % 100);
    match amount.currency.as_str() {
        "CNY" => format!("¥{whole}.{rest:02}"),
        other => format!("{whole}.{rest:02} {other}"),
    }
}

/// What a person wants sent again.
#[derive(Debug, Clone)]
pub struct Redelivery {
    /// Which.
    pub search: Search,
    /// How many entries at most.
    pub limit: usize,
    /// What is decided.
    pub given: Overrides,
    /// Why.
    pub because: Option<String>,
    /// Whether what needs more than is given is left out; otherwise nothing is done if there is any.
    pub leave_out: bool,
    /// By whom.
    pub by: By,
}

/// What came of that.
#[derive(Debug, Clone, Default)]
pub struct Redelivered {
    /// What is due now, in ascending order.
    pub entries: Vec<EntryId>,
    /// What needs more than was given. Unless it was to be left out, nothing was done if there is any.
    pub held: Vec<Needed>,
    /// What was decided and is not to be decided. Nothing was done if there is any.
    pub unneeded: Overrides,
    /// The last entry that was looked at: `search.after` goes on from there.
    pub last: Option<EntryId>,
}

/// What a journal does of it.
pub trait Redeliveries: Send + Sync {
    /// Makes due what matches and can be sent, once for each delivery, at most `limit`, and keeps a line of it.
    ///
    /// # Errors
    /// If it cannot be written; then nothing was done.
    fn redeliver(&self, redelivery: Redelivery) -> BoxFuture<'_, Redelivered>;

    /// What would have to be decided of what can be sent.
    ///
    /// # Errors
    /// If it cannot be read.
    fn needed(&self, search: Search, limit: usize) -> BoxFuture<'_, Vec<Needed>>;
}

/// How long a reason is, in characters.
const BECAUSE: std::ops::RangeInclusive<usize> = 4..=200;

/// What a person gives as the reason of a decision.
///
/// # Errors
/// If it says nothing or too much.
pub fn because(text: &str) -> Result<String, &'static str> {
    let is_said = text.chars().any(|char| !(char.is_whitespace() || char.is_control()));
    if !(is_said && BECAUSE.contains(&text.chars().count())) {
        return Err("because says why, in 4 to 200 characters");
    }
    Ok(text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::{Currency, Fen};

    #[test]
    fn they_are_told_in_one_order() {
        let all: Overrides = [Override::SecondPayment, Override::Amount, Override::Accepted].into_iter().collect();
        assert_eq!(all.to_string(), "amount, accepted, second-payment");
        assert_eq!(all.without(Overrides::from_bits(2)).to_string(), "amount, second-payment");
        assert_eq!(Overrides::from_bits(all.bits()), all);
        assert!(Overrides::from_bits(0xF8).is_empty());
        for one in Override::ALL {
            assert_eq!(Override::from_name(one.as_str()), Some(one));
        }
    }

    #[test]
    fn a_reason_says_something_and_not_too_much() {
        for good in ["shop", "  voucher 8.90", &"é".repeat(200)] {
            assert!(because(good).is_ok(), "{good}");
        }
        for bad in ["", "abc", "      ", &"x".repeat(201)] {
            assert!(because(bad).is_err(), "{bad}");
        }
        assert_eq!(because("a\nb\u{7}c").unwrap(), "a b c");
    }

    #[test]
    fn amounts_are_told_as_people_write_them() {
        let money = |fen, currency: &str| Money { fen: Fen(fen), currency: Currency::parse(currency).unwrap() };
        assert_eq!([yuan(money(1, "CNY")), yuan(money(99_005, "HKD"))], ["¥0.01", "990.05 HKD"]);
    }
}
