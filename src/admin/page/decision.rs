//! What a person has to decide before an order is sent again: how it is asked, and what was decided.

use super::show;
use super::words::{Words, fill};
use crate::admin::{Decided, needs};
use crate::domain::money::{Fen, Money};
use crate::journal::overrides::{self, Needed, Override, Overrides};
use axum::Form;
use axum::extract::rejection::FormRejection;

/// The question.
#[derive(Debug)]
pub(super) struct Decision {
    /// What is decided by pressing, one field each.
    pub(super) overrides: Vec<&'static str>,
    /// `paid ¥0.01, costs ¥9.90`, or what else is the matter.
    pub(super) matters: Vec<String>,
    /// Whether what was paid has to be typed.
    pub(super) wants_amount: bool,
}

impl Decision {
    /// What is asked; `None` if nothing is to be decided.
    pub(super) fn of(all: &[Needed], words: &Words) -> Option<Self> {
        let needs = needs(all);
        if needs.is_empty() {
            return None;
        }
        let over_price = all.iter().filter(|one| one.needs.has(Override::Amount));
        let said = |amount: Option<Money>| amount.map_or_else(|| "?".to_owned(), show::plain_amount);
        let amounts = over_price
            .map(|one| fill(words.paid_costs, &[&said(one.paid), &said(one.price.as_ref().map(|price| price.amount))]));
        let mut matters: Vec<String> = amounts.collect();
        matters.dedup();
        let more = [(Override::Accepted, words.accepted_before), (Override::SecondPayment, words.paid_twice)];
        matters.extend(more.into_iter().filter(|(one, _)| needs.has(*one)).map(|(_, text)| text.to_owned()));
        let overrides = needs.iter().map(Override::as_str).collect();
        Some(Self { overrides, matters, wants_amount: needs.has(Override::Amount) })
    }
}

/// What a form says.
#[derive(Debug, Default)]
pub(super) struct Filled {
    overrides: Overrides,
    confirm: String,
    because: String,
}

/// Why a form is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotFilled {
    /// What was typed is not what was paid.
    Confirm,
    /// There is no reason.
    Because,
}

impl NotFilled {
    /// In the flash.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Because => "because",
        }
    }
}

impl Filled {
    /// Reads the fields; without them nothing is decided.
    pub(super) fn read(form: Result<Form<Vec<(String, String)>>, FormRejection>) -> Self {
        let mut filled = Self::default();
        for (name, value) in form.map(|Form(fields)| fields).unwrap_or_default() {
            match name.as_str() {
                "override" => {
                    filled.overrides = value
                        .split(',')
                        .filter_map(|one| Override::from_name(one.trim()))
                        .chain(filled.overrides.iter())
                        .collect();
                }
                "confirm" => filled.confirm = value,
                "because" => filled.because = value,
                _ => {}
            }
        }
        filled
    }

    /// Whether what was paid has to have been typed.
    pub(super) fn is_over_price(&self) -> bool {
        self.overrides.has(Override::Amount)
    }

    /// What was decided of these.
    pub(super) fn decided(self, all: &[Needed]) -> Result<Decided, NotFilled> {
        if self.overrides.is_empty() {
            return Ok(Decided::default());
        }
        let over_price = || all.iter().filter(|one| one.needs.has(Override::Amount));
        let typed = Fen::parse_yuan(self.confirm.trim().trim_start_matches(['¥', '￥'])).ok();
        let is_paid = |one: &Needed| one.paid.is_some() && one.paid.map(|paid| paid.fen) == typed;
        if self.is_over_price() && !over_price().all(is_paid) {
            return Err(NotFilled::Confirm);
        }
        let because = overrides::because(&self.because).map_err(|_| NotFilled::Because)?;
        Ok(Decided { overrides: self.overrides, because: Some(because) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::Currency;
    use crate::domain::order::{ChannelId, OrderId};
    use crate::journal::EntryId;
    use crate::journal::overrides::Price;

    fn needed(needs: &[Override], paid: u64) -> Needed {
        let money = |fen| Money { fen: Fen(fen), currency: Currency::default() };
        Needed {
            entry: EntryId(1),
            channel: ChannelId::parse("c1").unwrap(),
            order: OrderId::parse("A1").unwrap(),
            needs: needs.iter().copied().collect(),
            paid: Some(money(paid)),
            price: Some(Price { amount: money(990), source: "shop".to_owned(), listed_at: None }),
        }
    }

    fn form(fields: &[(&str, &str)]) -> Filled {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Filled::read(Ok(Form(fields)))
    }

    #[test]
    fn both_amounts_are_told_in_words() {
        let words = super::super::words::Language::English.words();
        let decision = Decision::of(&[needed(&[Override::Amount, Override::Accepted], 1)], words).unwrap();
        assert_eq!(decision.matters[0], "paid ¥0.01, costs ¥9.90");
        assert_eq!((decision.overrides, decision.wants_amount), (vec!["amount", "accepted"], true));
        assert!(Decision::of(&[needed(&[], 990)], words).is_none());
    }

    #[test]
    fn only_the_amount_that_was_paid_confirms_it() {
        let all = [needed(&[Override::Amount], 1)];
        for (confirm, because, outcome) in [
            ("0.01", "voucher 8.90", Ok(true)),
            (" ¥0.01 ", "voucher 8.90", Ok(true)),
            ("0.1", "voucher 8.90", Err(NotFilled::Confirm)),
            ("9.90", "voucher 8.90", Err(NotFilled::Confirm)),
            ("", "voucher 8.90", Err(NotFilled::Confirm)),
            ("0.01", "abc", Err(NotFilled::Because)),
        ] {
            let filled = form(&[("override", "amount"), ("confirm", confirm), ("because", because)]);
            let decided = filled.decided(&all).map(|decided| decided.overrides.has(Override::Amount));
            assert_eq!(decided, outcome, "{confirm} {because}");
        }
        let accepted = form(&[("override", "accepted"), ("because", "it was lost")]);
        assert!(accepted.decided(&[needed(&[Override::Accepted], 990)]).is_ok(), "no amount is asked for");
        assert!(form(&[("because", "no override")]).decided(&all).unwrap().overrides.is_empty());
    }
}
