//! Refund notifications, which have no signature (`provider/wechat/v2/refund.rs`): opened with the channel's key before anything is asked,
//! so that a forgery costs no query; then confirmed, since a right one is still only a claim. They go on in their own request
//! only: nothing is kept of them, since WeChat Pay sends again, and nothing of them can be taken for a payment later.

use super::Event;
use crate::domain::money::Currency;
use crate::domain::order::OrderId;
use crate::domain::reason::{Reason, Verdict};
use crate::gate::channel::{Channel, Channels};
use crate::gate::claim::{Claim, REQ_INFO, Sealed, Unreadable};
use crate::gate::confirm::Source;
use crate::gate::decide::{self, Confirmed, Finding, Pair};
use crate::gate::path::PathValues;
use crate::gate::policy::OnRefunded;
use crate::gate::route::Route;
use crate::gate::story::Story;
use crate::gate::{Checked, Gate};
use crate::journal::{Claimed, DeliveryId, EntryKey, Origin};
use crate::provider::wechat::Account;
use crate::provider::wechat::v2::refund::{self, Refund, Unopened};
use crate::provider::wechat::xml::Fields;
use bytes::Bytes;
use hyper::http::request::Parts;
use std::sync::Arc;
use tokio::time::Instant;

/// Opens a refund notification, and checks that it is one for this account.
///
/// # Errors
/// Why it is none.
pub fn open(account: &Account, fields: &Fields<'_>) -> Result<Refund, Unreadable> {
    let refused = |reason, detail: &str| Err(Unreadable { reason, detail: detail.to_owned() });
    if !refund::is_addressed_to(account, fields) {
        return refused(Reason::NotificationForOtherMerchant, "appid, mch_id or sub_mch_id is not the channel's");
    }
    let opened = refund::open(account, fields.get(REQ_INFO).unwrap_or_default());
    let refund = opened.map_err(|unopened| Unreadable { reason: reason(unopened), detail: unopened.to_string() })?;
    if fields.get("return_code") != Some("SUCCESS") {
        return refused(Reason::NotificationNotSuccess, "return_code is not SUCCESS");
    }
    Ok(refund)
}

const fn reason(unopened: Unopened) -> Reason {
    match unopened {
        Unopened::Sealed => Reason::NotificationUndecipherable,
        Unopened::Missing(_) => Reason::FieldMissing,
        Unopened::Malformed(_) => Reason::FieldMalformed,
    }
}

/// What a refund notification claims of the payment that it is of.
///
/// # Errors
/// If its number is no order's id.
pub fn claim(refund: &Refund) -> Result<Claim, Reason> {
    Ok(Claim {
        order: OrderId::parse(refund.out_trade_no.as_str()).map_err(|_| Reason::FieldMalformed)?,
        out_trade_no: Some(refund.out_trade_no),
        transaction_id: Some(refund.transaction_id),
        amount: Some(refund.total_fee),
        currency: Currency::default(),
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
        let confirmed = self.confirm_refund(route, &sealed, story).await;
        Some(confirmed.map(|confirmed| Checked { confirmed, fill: None }))
    }

    async fn confirm_refund<'g>(
        &'g self,
        route: &'g Route,
        sealed: &Sealed<'_>,
        story: &mut Story<'g>,
    ) -> Result<Confirmed, Reason> {
        let channel = channel(&self.channels, sealed).ok_or(Reason::ChannelUnknown)?;
        story.channel = Some(channel);
        let opened = story.span.around("claim", || open(&channel.account, &sealed.xml));
        let refund = opened.map_err(|unreadable| story.unreadable(unreadable))?;
        let claim = claim(&refund)?;
        (story.order, story.out_trade_no) = (Some(claim.order), Some(refund.out_trade_no));
        let delivery = DeliveryId::of_refund(&route.name, &refund.refund_id, &refund.refund_status);
        story.event = Event::Refund(delivery);
        tell(story, &refund);
        if !route.events.refund {
            return Err(Reason::NotificationNotPayment);
        }
        let asked_at = Instant::now();
        let within = story.span.parent();
        let finding = self.confirm.ask_again(channel, channel.ask(&claim, refund.out_trade_no), &within).await;
        story.confirmed(Source::Asked, asked_at.elapsed());
        let confirmed = decide(claim, &refund, &finding).map_err(|reason| refused(reason, story))?;
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
pub fn channel<'c>(channels: &'c Channels, sealed: &Sealed<'_>) -> Option<&'c Arc<Channel>> {
    match &sealed.channel {
        Some(id) => channels.get(id),
        None => channels.iter().find(|channel| refund::is_addressed_to(&channel.account, &sealed.xml)),
    }
}

/// Whether the order was paid, by this payment and so much. That it was refunded is what the notification says, so
/// `on_refunded` has no part in it.
fn decide(claim: Claim, refund: &Refund, finding: &Finding) -> Result<Confirmed, Reason> {
    let currency = match finding {
        Finding::Paid(payment) => payment.amount.currency,
        Finding::Not(_) => claim.currency,
    };
    // The notification does not tell the currency.
    let claim = Claim { currency, ..claim };
    decide::decide(&claim, None, &refund.out_trade_no, Pair::Proven, finding, OnRefunded::Forward)
}

/// What is known against the order is one reason here; that nothing is known stays what it is.
fn refused(reason: Reason, story: &mut Story<'_>) -> Reason {
    if reason.verdict() == Some(Verdict::Unknown) {
        return reason;
    }
    let detail = format!("the order query says {reason} of the refund's order");
    story.unreadable(Unreadable { reason: Reason::RefundNotConfirmed, detail })
}

fn tell(story: &Story<'_>, refund: &Refund) {
    let Refund { refund_id, out_refund_no, refund_status, .. } = refund;
    tracing::info!(
        request_id = story.request_id.to_str().unwrap_or_default(),
        out_trade_no = %refund.out_trade_no,
        transaction_id = %refund.transaction_id,
        refund_id,
        out_refund_no,
        refund_status,
        "a refund notification"
    );
}
