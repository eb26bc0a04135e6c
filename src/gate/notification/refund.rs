//! Refund notifications: opened before anything is asked, so that a forgery costs no query; then confirmed, since a right one is
//! still only a claim. They go on in their own request only: nothing is kept of them, since the provider sends again, and nothing
//! of them can be taken for a payment later.

use super::Event;
use crate::domain::order::OrderId;
use crate::domain::reason::{Reason, Verdict};
use crate::gate::channel::{Channel, Channels};
use crate::gate::claim::{Claim, Sealed, Unreadable};
use crate::gate::confirm::Source;
use crate::gate::decide::{self, Confirmed, OnRefunded};
use crate::gate::number_proof::Pair;
use crate::gate::route::{PathValues, Route};
use crate::gate::story::Story;
use crate::gate::{Checked, Gate};
use crate::journal::{Claimed, DeliveryId, EntryKey, Origin};
use crate::provider::{self, Account, Envelope, NotifiedClaim, OrderState, Refund, Told, Unopened};
use bytes::Bytes;
use hyper::HeaderMap;
use hyper::http::request::Parts;
use std::sync::Arc;
use tokio::time::Instant;

/// The notification that was found sealed, as its account opens it.
#[must_use]
pub fn envelope<'m>(headers: &'m HeaderMap, body: &'m [u8], sealed: &'m Sealed<'m>) -> Envelope<'m> {
    Envelope { headers, body, fields: Some(&sealed.xml), sealed: true }
}

/// Opens a sealed notification of a refund: the refund, and what is claimed of the payment that it is of.
///
/// # Errors
/// Why it is none.
pub fn open(account: &dyn Account, envelope: &Envelope<'_>) -> Result<(Refund, NotifiedClaim), Unopened> {
    let opened = account.open(envelope)?;
    match (opened.event, opened.claim) {
        (provider::Event::Refund(refund), Told::Sealed(claim)) => Ok((refund, claim)),
        // No provider seals anything else yet.
        (provider::Event::Payment | provider::Event::Refund(_), _) => Err(Reason::NotificationUndecipherable.into()),
    }
}

/// A sealed claim as any other.
///
/// # Errors
/// If its number is no order's id.
pub fn claim(told: &NotifiedClaim) -> Result<Claim, Reason> {
    Ok(Claim {
        order: OrderId::parse(told.out_trade_no.as_str()).map_err(|_| Reason::FieldMalformed)?,
        out_trade_no: Some(told.out_trade_no),
        transaction_id: Some(told.transaction_id),
        amount: Some(told.amount),
        currency: told.currency.unwrap_or_default(),
    })
}

impl Gate {
    /// Checks a callback that is a refund notification; `None` if it is none.
    pub(in crate::gate) async fn check_refund<'g>(
        &'g self,
        route: &'g Route,
        path: &PathValues<'_>,
        head: &Parts,
        body: &Bytes,
        story: &mut Story<'g>,
    ) -> Option<Result<Checked, Reason>> {
        let sealed = route.notification.then(|| route.claim.read_sealed(head, path, body)).flatten()?;
        let envelope = envelope(&head.headers, body, &sealed);
        let confirmed = self.confirm_refund(route, &sealed, &envelope, story).await;
        Some(confirmed.map(|confirmed| Checked { confirmed, fill: None }))
    }

    async fn confirm_refund<'g>(
        &'g self,
        route: &'g Route,
        sealed: &Sealed<'_>,
        envelope: &Envelope<'_>,
        story: &mut Story<'g>,
    ) -> Result<Confirmed, Reason> {
        let channel = channel(&self.channels, sealed, envelope).ok_or(Reason::ChannelUnknown)?;
        story.channel = Some(channel);
        let opened = story.span.around("claim", || open(&*channel.account, envelope));
        let (refund, told) = opened.map_err(|unopened| super::unopened(unopened, story))?;
        let claim = claim(&told)?;
        (story.order, story.out_trade_no) = (Some(claim.order), Some(told.out_trade_no));
        let delivery = DeliveryId::of_refund(&route.name, &refund.id, &refund.status);
        story.event = Event::Refund(delivery);
        tell(story, &told, &refund);
        if !route.events.refund {
            return Err(Reason::NotificationNotPayment);
        }
        let asked_at = Instant::now();
        let within = story.span.parent();
        let finding = self.confirm.ask_again(channel, channel.ask(&claim, told.out_trade_no), &within).await;
        story.confirmed(Source::Miss, asked_at.elapsed());
        let confirmed = decide(claim, &told, &finding).map_err(|reason| refused(reason, story))?;
        self.tell_the_payment(route, channel, &confirmed, story);
        Ok(confirmed)
    }

    /// What is kept of the payment tells of its refund too, if it came as a notification and is at hand.
    fn tell_the_payment(&self, route: &Route, channel: &Channel, confirmed: &Confirmed, story: &Story<'_>) {
        let (Some(order), payment) = (story.order, confirmed.payment()) else { return };
        let claimed = Claimed {
            channel: channel.id,
            order,
            out_trade_no: payment.out_trade_no,
            transaction_id: Some(payment.transaction_id),
            amount: Some(payment.amount),
        };
        if let Some(record) = self.records.known(&EntryKey::of(&route.name, &claimed, Origin::Callback)) {
            self.records.again(&record, story.id, Reason::RefundConfirmed);
        }
    }
}

/// The channel of a refund: the one that the route's rules select, or, where they go by what a refund does not tell, the first
/// that it is addressed to.
#[must_use]
pub fn channel<'c>(channels: &'c Channels, sealed: &Sealed<'_>, envelope: &Envelope<'_>) -> Option<&'c Arc<Channel>> {
    match &sealed.channel {
        Some(id) => channels.get(id),
        None => channels.iter().find(|channel| channel.account.is_addressed_by(envelope)),
    }
}

/// Whether the order was paid, by this payment and so much. That it was refunded is what the notification says, so
/// `on_refunded` has no part in it.
fn decide(claim: Claim, told: &NotifiedClaim, finding: &OrderState) -> Result<Confirmed, Reason> {
    let currency = match (told.currency, finding) {
        (None, OrderState::Paid(payment)) => payment.amount.currency,
        (Some(_), _) | (None, OrderState::NotPaid(_)) => claim.currency,
    };
    let claim = Claim { currency, ..claim };
    decide::decide(&claim, None, &told.out_trade_no, Pair::Proven, finding, OnRefunded::Forward)
}

/// What is known against the order is one reason here; that nothing is known stays what it is.
fn refused(reason: Reason, story: &mut Story<'_>) -> Reason {
    if reason.verdict() == Some(Verdict::Unknown) {
        return reason;
    }
    let detail = format!("the order query says {reason} of the refund's order");
    story.unreadable(Unreadable { reason: Reason::RefundNotConfirmed, detail })
}

fn tell(story: &Story<'_>, told: &NotifiedClaim, refund: &Refund) {
    let Refund { id: refund_id, merchant_number: out_refund_no, status: refund_status } = refund;
    tracing::info!(
        request_id = story.request_id.to_str().unwrap_or_default(),
        out_trade_no = %told.out_trade_no,
        transaction_id = %told.transaction_id,
        refund_id,
        out_refund_no,
        refund_status,
        "a refund notification"
    );
}
