//! Which merchant account a callback is checked against. What a callback says may select among the configured channels
//! and proves nothing (threats E-16, V-06).

use super::claim::Claim;
use super::policy::{Mode, OnRefunded, OnSecondPayment};
use crate::domain::order::{BadId, ChannelId, MerchantId, OrderId, OutTradeNo};
use crate::domain::reason::Reason;
use crate::journal::Claimed;
use crate::provider::{Account, AskBy, Provider};
use crate::upstream::Upstream;
use std::collections::HashMap;
use std::sync::Arc;

/// One merchant account and how the gate treats its orders.
#[derive(Debug)]
pub struct Channel {
    /// Its name in config.
    pub id: ChannelId,
    /// Who is asked, and with which keys.
    pub account: Arc<dyn Account>,
    /// Which id is asked by when the callback brings both.
    pub query_by: QueryBy,
    /// What an order id is called at WeChat Pay.
    pub out_trade_no: Affix,
    /// The legacy system that its callbacks go to.
    pub upstream: Upstream,
    /// Whether verdicts are enforced.
    pub mode: Mode,
    /// What becomes of orders that were paid and refunded since.
    pub on_refunded: OnRefunded,
    /// What becomes of a second payment of the same order.
    pub on_second_payment: OnSecondPayment,
    /// The configuration since which this account is asked so: what was found out before is not believed.
    pub generation: u32,
}

impl Channel {
    /// What WeChat Pay calls the order of a claim: the number it names, or its order id with the channel's affixes.
    ///
    /// # Errors
    /// If that is no `out_trade_no`, for instance longer than 32 characters.
    pub fn number(&self, claim: &Claim) -> Result<OutTradeNo, Reason> {
        match claim.out_trade_no {
            Some(named) => Ok(named),
            None => self.out_trade_no.apply(&claim.order).map_err(|_| Reason::FieldMalformed),
        }
    }

    /// The one id to ask by.
    #[must_use]
    pub fn ask(&self, claimed: &Claimed) -> AskBy {
        match (self.query_by, claimed.transaction_id) {
            (QueryBy::TransactionId, Some(id)) => AskBy::TransactionId(id),
            (QueryBy::TransactionId, None) | (QueryBy::OutTradeNo, _) => AskBy::OutTradeNo(claimed.out_trade_no),
        }
    }
}

/// Which id a query names when the callback brings a transaction id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QueryBy {
    /// The merchant's number of the order.
    #[default]
    OutTradeNo,
    /// The claimed transaction id; without one, the merchant's number.
    TransactionId,
}

/// How an order id becomes an `out_trade_no`, where a payment centre adds to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Affix {
    /// Before the order id.
    pub prefix: String,
    /// Behind the order id.
    pub suffix: String,
}

impl Affix {
    /// What WeChat Pay calls `order`.
    ///
    /// # Errors
    /// If the result is not an `out_trade_no`, for instance longer than 32 characters.
    pub fn apply(&self, order: &OrderId) -> Result<OutTradeNo, BadId> {
        if self.prefix.is_empty() && self.suffix.is_empty() {
            return OutTradeNo::parse(order.as_str());
        }
        OutTradeNo::parse(&format!("{}{order}{}", self.prefix, self.suffix))
    }

    /// Whether WeChat Pay calls `order` this.
    #[must_use]
    pub fn makes(&self, number: &OutTradeNo, order: &OrderId) -> bool {
        let inner = number.as_str().strip_prefix(&*self.prefix).and_then(|rest| rest.strip_suffix(&*self.suffix));
        inner == Some(order.as_str())
    }
}

/// The configured channels by name.
#[derive(Debug)]
pub struct Channels {
    all: Vec<Arc<Channel>>,
    /// Those whose orders are numbered together.
    of_merchants: HashMap<(MerchantId, Option<MerchantId>), Vec<ChannelId>>,
}

impl Channels {
    /// These channels, whose names are unique.
    #[must_use]
    pub fn new(channels: Vec<Channel>) -> Self {
        let mut all: Vec<_> = channels.into_iter().map(Arc::new).collect();
        all.sort_by_key(|channel| channel.id);
        let mut of_merchants = HashMap::<_, Vec<_>>::new();
        for channel in &all {
            of_merchants.entry(channel.account.payee().numbering()).or_default().push(channel.id);
        }
        Self { all, of_merchants }
    }

    /// The channel of this name; shared, because an order query outlives the callback that asked for it.
    #[must_use]
    pub fn get(&self, id: &ChannelId) -> Option<&Arc<Channel>> {
        self.all.binary_search_by_key(id, |channel| channel.id).ok().and_then(|at| self.all.get(at))
    }

    /// The channels of the same merchant, `channel` among them: a number is one order's for all of them.
    #[must_use]
    pub fn of_merchant_of(&self, channel: &Channel) -> &[ChannelId] {
        self.of_merchants.get(&channel.account.payee().numbering()).map_or(&[], Vec::as_slice)
    }

    /// The providers behind them, each once.
    pub fn providers(&self) -> impl Iterator<Item = &dyn Provider> {
        let of = |channel: &'_ Arc<Channel>| channel.account.provider().name();
        let is_first = move |(at, channel): &(usize, &Arc<Channel>)| {
            !self.all.iter().take(*at).any(|before| of(before) == of(channel))
        };
        self.all.iter().enumerate().filter(is_first).map(|(_, channel)| channel.account.provider())
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Channel>> {
        self.all.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_made_of_an_order_where_applying_the_affix_gives_it() {
        let affix = |prefix: &str, suffix: &str| Affix { prefix: prefix.to_owned(), suffix: suffix.to_owned() };
        for affix in [affix("", ""), affix("p-", ""), affix("", "-s"), affix("p-", "-s"), affix("aa", "aa")] {
            for order in ["A", "aa", "p-A", "A-s", "p-A-s", "aaa", "A".repeat(32).as_str(), "A".repeat(64).as_str()] {
                let order = OrderId::parse(order).unwrap();
                for number in ["A", "aa", "aaa", "aaaa", "aaaaa", "p-A", "A-s", "p-A-s", "p-p-A", "p-p-A-s-s"] {
                    let number = OutTradeNo::parse(number).unwrap();
                    let applied = affix.apply(&order).as_ref() == Ok(&number);
                    assert_eq!(affix.makes(&number, &order), applied, "{affix:?} {order} {number}");
                }
            }
        }
    }
}
