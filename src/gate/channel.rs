//! Which merchant account a callback is checked against. What a callback says may select among the configured channels
//! and proves nothing (threats E-16, V-06).

use super::claim::{Claim, Field, Unreadable};
use super::decide::{Mode, OnRefunded};
use super::flag::OnSecondPayment;
use crate::domain::order::{BadId, ChannelId, OrderId, OutTradeNo};
use crate::domain::reason::Reason;
use crate::provider::{Account, AskBy, Provider};
use crate::upstream::Upstream;
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
    /// Its legacy system.
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

    /// The one id to ask by; `number` is the claim's.
    #[must_use]
    pub fn ask(&self, claim: &Claim, number: OutTradeNo) -> AskBy {
        match (self.query_by, claim.transaction_id) {
            (QueryBy::TransactionId, Some(claimed)) => AskBy::TransactionId(claimed),
            (QueryBy::TransactionId, None) | (QueryBy::OutTradeNo, _) => AskBy::OutTradeNo(number),
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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Affix {
    /// Before the order id.
    pub prefix: String,
    /// Behind it.
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
}

/// One rule of a route's `channel`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelRule {
    /// The rule applies only if this field is absent or empty.
    pub when_empty: Option<Field>,
    /// Which channel then.
    pub choose: Choose,
}

/// How a rule names a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choose {
    /// This one.
    Is(ChannelId),
    /// The values of these fields, joined by `/`. The rule applies only if none of them is absent or empty.
    From(Vec<Field>),
}

impl Choose {
    /// The fields that a choice looks at.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        match self {
            Self::Is(_) => &[],
            Self::From(fields) => fields,
        }
    }
}

/// The channel of the first rule that applies; `None` if none does. `value` looks a field up: `None` if it is absent or
/// empty.
///
/// # Errors
/// If a value that a rule asks for cannot be read, or the values are no [`ChannelId`].
pub(super) fn select<T: AsRef<str>>(
    rules: &[ChannelRule],
    value: impl Fn(&Field) -> Result<Option<T>, Unreadable>,
) -> Result<Option<ChannelId>, Unreadable> {
    for rule in rules {
        if let Some(field) = &rule.when_empty
            && value(field)?.is_some()
        {
            continue;
        }
        let chosen = match &rule.choose {
            Choose::Is(channel) => Some(*channel),
            Choose::From(fields) => fields
                .iter()
                .map(&value)
                .collect::<Result<Option<Vec<_>>, _>>()?
                .map(|values| join(fields, &values))
                .transpose()?,
        };
        if chosen.is_some() {
            return Ok(chosen);
        }
    }
    Ok(None)
}

fn join<T: AsRef<str>>(fields: &[Field], values: &[T]) -> Result<ChannelId, Unreadable> {
    let mut joined = String::new();
    for value in values {
        // "2/c" with "1" would be the same channel as "2" with "c/1".
        if values.len() > 1 && value.as_ref().contains('/') {
            return Err(no_channel(fields));
        }
        if !joined.is_empty() {
            joined.push('/');
        }
        joined.push_str(value.as_ref());
    }
    ChannelId::parse(&joined).map_err(|_| no_channel(fields))
}

fn no_channel(fields: &[Field]) -> Unreadable {
    let names: Vec<_> = fields.iter().map(Field::to_string).collect();
    Unreadable::new(Reason::FieldMalformed, format!("{} cannot be a channel's name", names.join("/")))
}

/// The configured channels by name.
#[derive(Debug)]
pub struct Channels(Vec<Arc<Channel>>);

impl Channels {
    /// These channels, whose names are unique.
    #[must_use]
    pub fn new(channels: Vec<Channel>) -> Self {
        let mut channels: Vec<_> = channels.into_iter().map(Arc::new).collect();
        channels.sort_by_key(|channel| channel.id);
        Self(channels)
    }

    /// The channel of this name; shared, because an order query outlives the callback that asked for it.
    #[must_use]
    pub fn get(&self, id: &ChannelId) -> Option<&Arc<Channel>> {
        self.0.binary_search_by_key(id, |channel| channel.id).ok().and_then(|at| self.0.get(at))
    }

    /// The channels of the same merchant, `channel` among them: a number is one order's for all of them.
    pub fn of_merchant_of(&self, channel: &Channel) -> impl Iterator<Item = ChannelId> {
        let payee = channel.account.payee();
        let same = move |other: &&Arc<Channel>| other.account.payee().numbers_orders_with(&payee);
        self.0.iter().filter(same).map(|channel| channel.id)
    }

    /// The providers behind them, each once.
    pub fn providers(&self) -> impl Iterator<Item = &dyn Provider> {
        let of = |channel: &'_ Arc<Channel>| channel.account.provider().name();
        let is_first = move |(at, channel): &(usize, &Arc<Channel>)| {
            !self.0.iter().take(*at).any(|before| of(before) == of(channel))
        };
        self.0.iter().enumerate().filter(is_first).map(|(_, channel)| channel.account.provider())
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Channel>> {
        self.0.iter()
    }
}
