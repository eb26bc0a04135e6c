//! The one reading of a callback, for all that read one: the gate, the follow-up, the maker of callbacks and `tollgate
//! verify`.
//!
//! Each step gives what the next one needs. [`Intake::read`] takes what stands in the clear. [`Intake::fetch_keys`] has
//! the keys fetched that a notification was signed with, where nobody knows them. [`Intake::channel`] finds the channel,
//! by the route's rules or by who opens the notification. [`Intake::open`] lets the channel's account open the callback, where
//! the route takes its provider's own notifications; only then is a sealed claim known, and what WeChat Pay calls the
//! order.

mod addressee;

use super::channel::{Channel, Channels};
use super::claim::{self, Blank, Claim, Sealed, Unreadable};
use super::event::Event;
use super::path::PathValues;
use super::route::{Reading, Route};
use crate::domain::money::{Currency, Money};
use crate::domain::order::{ChannelId, OrderId};
use crate::domain::reason::Reason;
use crate::journal::{Claimed, DeliveryId};
use crate::provider::preset::Sealing;
use crate::provider::{self, Envelope, NotifiedClaim, Refund, SignedBy, Told, Unopened};
use bytes::Bytes;
use hyper::http::request::Parts;
use jiff::Timestamp;
use std::sync::Arc;
use tokio::time::Instant;

/// A callback whose fields in the clear were read.
#[derive(Debug)]
pub struct Intake<'m> {
    route: &'m Route,
    reading: &'m Reading,
    head: &'m Parts,
    body: &'m Bytes,
    at: Timestamp,
    read: Read<'m>,
}

#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "the large one is the usual one, and a box would cost each callback an allocation"
)]
enum Read<'m> {
    InTheClear(claim::Callback<'m>),
    Sealed(Sealed<'m>),
    /// All of it is the account's to read; the route's rules select this channel, if they select one.
    Whole(Option<ChannelId>),
}

/// A callback that was read to its end. It is still only a claim.
#[derive(Debug)]
pub struct Callback {
    /// What it claims, and of which order.
    pub claimed: Claimed,
    /// Whether it tells of a payment or of a refund.
    pub event: Event,
    /// The refund that it tells of.
    pub refund: Option<Refund>,
    /// Whether it says what its amount is counted in.
    pub tells_currency: bool,
    /// Where the verified transaction id can be written, if the route wants it and the field is free.
    pub fill: Option<Blank>,
    /// Whether all of this was read in the callback itself. Of one that opens no more it is what the journal has.
    pub opened: bool,
}

impl<'m> Intake<'m> {
    /// Reads what stands in the clear of a callback that arrived `at` that time.
    ///
    /// # Errors
    /// As [`ClaimReader::read`](super::claim::ClaimReader::read), unless the claim is sealed.
    pub fn read(
        route: &'m Route,
        path: &PathValues<'_>,
        head: &'m Parts,
        body: &'m Bytes,
        at: Timestamp,
    ) -> Result<Self, Unreadable> {
        let reading = route.reading(body)?;
        let read = if reading.is_sealed() {
            Read::Whole(reading.claim.select(head, path)?)
        } else if let Some(sealed) = reading.read_sealed(head, path, body) {
            Read::Sealed(sealed)
        } else {
            Read::InTheClear(reading.claim.read(head, path, body)?)
        };
        Ok(Self { route, reading, head, body, at, read })
    }

    /// The claim, where it stands in the clear.
    #[must_use]
    pub const fn claim(&self) -> Option<&Claim> {
        match &self.read {
            Read::InTheClear(callback) => Some(&callback.claim),
            Read::Sealed(_) | Read::Whole(_) => None,
        }
    }

    /// The channel that the route's rules select, which may not be configured; `None` if no rule applied.
    #[must_use]
    pub const fn selected(&self) -> Option<ChannelId> {
        match &self.read {
            Read::InTheClear(callback) => callback.channel,
            Read::Sealed(sealed) => sealed.channel,
            Read::Whole(channel) => *channel,
        }
    }

    /// The channel of the callback: the one that the route's rules select; or, where they go by what a sealed
    /// notification does not tell, or are to find it, the one that it is addressed to.
    ///
    /// # Errors
    /// If there is none; why not, where accounts were tried.
    pub fn channel<'c>(&self, channels: &'c Channels) -> Result<&'c Arc<Channel>, Unopened> {
        let found = match (self.selected(), self.envelope()) {
            (Some(id), _) => channels.get(&id),
            (None, Some(envelope)) if self.reading.is_auto() => return addressee::find(channels, &envelope),
            (None, Some(envelope)) if matches!(self.read, Read::Sealed(_)) => {
                channels.iter().find(|channel| channel.account.is_addressed_by(&envelope))
            }
            (None, _) => None,
        };
        found.ok_or(Reason::ChannelUnknown.into())
    }

    /// Whether [`channel`](Self::channel) may be this one.
    #[must_use]
    pub fn selects(&self, channel: &Channel) -> bool {
        match (self.selected(), &self.read, self.envelope()) {
            (Some(id), ..) => id == channel.id,
            // What it was opened by may be known no more.
            (None, Read::Whole(_), Some(envelope)) => channel.account.reads(envelope.preset),
            (None, Read::Sealed(_), Some(envelope)) => channel.account.is_addressed_by(&envelope),
            (None, Read::InTheClear(_), Some(envelope)) => {
                self.reading.is_auto() && channel.account.is_addressed_by(&envelope)
            }
            (None, _, None) => false,
        }
    }

    /// Has the keys fetched that a notification was signed with, where they are not known. Nearly always there is
    /// nothing to do.
    ///
    /// # Errors
    /// If it cannot be authentic whatever the key, or the keys cannot be had before the deadline.
    pub async fn fetch_keys(&self, channels: &Channels, deadline: Instant) -> Result<(), Unopened> {
        let Some(envelope) = self.envelope() else { return Ok(()) };
        (envelope.preset.examine)(envelope.headers, envelope.at)?;
        match self.selected() {
            Some(id) => match channels.get(&id).filter(|channel| channel.account.lacks_key(&envelope)) {
                Some(channel) => Ok(channel.account.fetch_keys(deadline).await?),
                None => Ok(()),
            },
            None if self.reading.is_auto() => Box::pin(addressee::fetch_keys(channels, &envelope, deadline)).await,
            None => Ok(()),
        }
    }

    /// Whether [`fetch_keys`](Self::fetch_keys) would fetch some.
    #[must_use]
    pub fn lacks_key(&self, channels: &Channels) -> bool {
        let Some(envelope) = self.envelope() else { return false };
        match self.selected() {
            Some(id) => channels.get(&id).is_some_and(|channel| channel.account.lacks_key(&envelope)),
            None => self.reading.is_auto() && channels.iter().any(|channel| channel.account.lacks_key(&envelope)),
        }
    }

    /// Which of the provider's keys it is signed with, once the account of `channel` has opened it.
    #[must_use]
    pub fn signed_by(&self, channel: &Channel) -> Option<SignedBy> {
        channel.account.signed_by(&self.envelope()?)
    }

    /// Opens the callback as one of `channel`: where the route takes notifications, it must be authentic and for this
    /// account.
    ///
    /// # Errors
    /// Why the account does not take it for a claim; or if it names no order that the provider can have a number for.
    pub fn open(self, channel: &Channel) -> Result<Callback, Unopened> {
        let opened = self.envelope().map(|envelope| channel.account.open(&envelope)).transpose()?;
        self.read_opened(channel, opened)
    }

    /// Opens a callback that the gate made: no provider has signed it where signatures age.
    ///
    /// # Errors
    /// As [`open`](Self::open), but for the signature.
    pub fn open_made(self, channel: &Channel) -> Result<Callback, Unopened> {
        let opened = self.envelope().map(|envelope| channel.account.reopen(&envelope)).transpose()?;
        self.read_opened(channel, opened)
    }

    fn read_opened(self, channel: &Channel, opened: Option<provider::Opened>) -> Result<Callback, Unopened> {
        match (self.read, opened) {
            (Read::InTheClear(callback), Some(provider::Opened { event: provider::Event::Refund(refund), claim })) => {
                let Told::InTheClear { currency } = claim else {
                    return Err(Reason::NotificationUndecipherable.into());
                };
                let told = refunded(&callback.claim, channel, currency)?;
                Ok(sealed(self.route, channel, provider::Event::Refund(refund), &told)?)
            }
            // What the provider vouches for is never dropped for what stands beside it.
            (Read::InTheClear(_), Some(provider::Opened { claim: Told::Sealed(_), .. })) => {
                Err(Reason::NotificationUndecipherable.into())
            }
            (Read::InTheClear(callback), opened) => {
                let currency = opened.and_then(|opened| match opened.claim {
                    Told::InTheClear { currency } => Some(currency),
                    Told::Sealed(_) => None,
                });
                Ok(in_the_clear(callback, channel, currency)?)
            }
            (Read::Sealed(_) | Read::Whole(_), Some(provider::Opened { event, claim: Told::Sealed(told) })) => {
                Ok(sealed(self.route, channel, event, &told)?)
            }
            (Read::Sealed(_) | Read::Whole(_), _) => Err(Reason::NotificationUndecipherable.into()),
        }
    }

    /// Reads a callback again that was opened when it was taken in, or was made here, with what the journal has as its
    /// claim. Where the claim stands in the clear it is not refused if it does not open any more, since the account's
    /// key may have changed: the currency of its amount is then that of the journal's claim of the same amount.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn reopen(self, channel: &Channel, journaled: &Claimed) -> Result<Callback, Unopened> {
        let currency = self.currency(channel, journaled);
        match self.read {
            Read::InTheClear(callback) => Ok(in_the_clear(callback, channel, currency)?),
            Read::Sealed(_) | Read::Whole(_) => self.reopen_sealed(channel, journaled),
        }
    }

    /// A sealed claim is read again where it opens. Where it does not, it is what was read when it was opened: a key is
    /// replaced.
    fn reopen_sealed(self, channel: &Channel, journaled: &Claimed) -> Result<Callback, Unopened> {
        let sealing = self.reading.preset.and_then(|preset| preset.sealed);
        let may_be_kept = sealing.is_some_and(Sealing::is_of_payments);
        if !may_be_kept {
            return Err(Reason::NotificationUndecipherable.into());
        }
        match self.open_made(channel) {
            Ok(callback) if callback.refund.is_none() => Ok(callback),
            Ok(_) => Err(Reason::NotificationUndecipherable.into()),
            Err(_) => Ok(Callback {
                claimed: *journaled,
                event: Event::Payment,
                refund: None,
                tells_currency: journaled.amount.is_some(),
                fill: None,
                opened: false,
            }),
        }
    }

    /// The currency of an amount that stands in the clear, where a notification tells one.
    fn currency(&self, channel: &Channel, journaled: &Claimed) -> Option<Currency> {
        let (envelope, claim) = self.envelope().zip(self.claim())?;
        match channel.account.open(&envelope) {
            Ok(provider::Opened { claim: Told::InTheClear { currency }, .. }) => Some(currency),
            _ => journaled.amount.filter(|amount| claim.amount == Some(amount.fen)).map(|amount| amount.currency),
        }
    }

    /// The callback as its account gets it, if it is a provider's notification.
    fn envelope(&self) -> Option<Envelope<'_>> {
        let (fields, sealed) = match &self.read {
            Read::InTheClear(callback) => (callback.xml.as_ref(), false),
            Read::Sealed(sealed) => (Some(&sealed.xml), true),
            Read::Whole(_) => (None, true),
        };
        let (preset, headers) = (self.reading.preset?, &self.head.headers);
        Some(Envelope { preset, at: self.at, headers, body: self.body, fields, sealed })
    }
}

fn in_the_clear(
    callback: claim::Callback<'_>,
    channel: &Channel,
    currency: Option<Currency>,
) -> Result<Callback, Reason> {
    let claim = callback.claim;
    let claimed = Claimed {
        channel: channel.id,
        order: claim.order,
        out_trade_no: channel.number(&claim)?,
        transaction_id: claim.transaction_id,
        amount: claim.amount.map(|fen| Money { fen, currency: currency.unwrap_or_default() }),
    };
    Ok(Callback {
        claimed,
        event: Event::Payment,
        refund: None,
        tells_currency: currency.is_some(),
        fill: callback.fill,
        opened: true,
    })
}

/// The claim of a refund's notification that stands in the clear, as if it had been sealed.
fn refunded(claim: &Claim, channel: &Channel, currency: Currency) -> Result<NotifiedClaim, Reason> {
    let out_trade_no = channel.number(claim)?;
    let (Some(transaction_id), Some(amount)) = (claim.transaction_id, claim.amount) else {
        return Err(Reason::FieldMissing);
    };
    Ok(NotifiedClaim { out_trade_no, transaction_id, amount, currency: Some(currency) })
}

/// A sealed claim as any other: its order is called what the provider calls it.
fn sealed(route: &Route, channel: &Channel, event: provider::Event, told: &NotifiedClaim) -> Result<Callback, Reason> {
    let NotifiedClaim { out_trade_no, transaction_id, amount: fen, currency } = *told;
    let claimed = Claimed {
        channel: channel.id,
        order: OrderId::parse(out_trade_no.as_str()).map_err(|_| Reason::FieldMalformed)?,
        out_trade_no,
        transaction_id: Some(transaction_id),
        amount: Some(Money { fen, currency: currency.unwrap_or_default() }),
    };
    let (event, refund) = match event {
        provider::Event::Payment => (Event::Payment, None),
        provider::Event::Refund(refund) => {
            (Event::Refund(DeliveryId::of_refund(&route.name, &refund.id, &refund.status)), Some(refund))
        }
    };
    Ok(Callback { claimed, event, refund, tells_currency: currency.is_some(), fill: None, opened: true })
}
