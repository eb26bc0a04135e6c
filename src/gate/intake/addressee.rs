//! Which account a notification is for, where the route leaves that to the notification (`channel: auto`).

use crate::domain::reason::Reason;
use crate::gate::channel::{Channel, Channels};
use crate::provider::{Envelope, Unopened};
use futures_util::future::join_all;
use std::collections::HashSet;
use std::sync::Arc;
use tokio::time::Instant;

/// Merchants whose keys are fetched for one notification whose key nobody knows. Who sends made-up ones causes no more,
/// and each merchant has a pace of its own.
const MOST_FETCHES: usize = 16;

/// In a second.
const NANOSECONDS: i128 = 1_000_000_000;

/// The channel whose account opens the notification; if none does, the one that came nearest to it, whose account says
/// why it does not.
///
/// # Errors
/// If it is addressed to none.
pub(super) fn find<'c>(channels: &'c Channels, envelope: &Envelope<'_>) -> Result<&'c Arc<Channel>, Unopened> {
    (envelope.preset.examine)(envelope.headers, envelope.at)?;
    let mut nearest: Option<(u8, &Arc<Channel>)> = None;
    for channel in channels.iter().filter(|channel| channel.account.is_addressed_by(envelope)) {
        let Err(unopened) = channel.account.open(envelope) else { return Ok(channel) };
        let near = nearness(unopened.reason);
        if nearest.is_none_or(|(nearest, _)| near > nearest) {
            nearest = Some((near, channel));
        }
    }
    nearest.map(|(_, channel)| channel).ok_or(envelope.preset.unaddressed.into())
}

/// How far an account came with a notification that it does not take.
const fn nearness(reason: Reason) -> u8 {
    match reason {
        Reason::NotificationKeysMissing => 0,
        Reason::NotificationSerialUnknown => 1,
        Reason::NotificationBadlySigned => 2,
        Reason::NotificationUndecipherable => 3,
        Reason::NotificationForOtherMerchant => 4,
        _ => 5,
    }
}

/// Has keys fetched, if no account knows the one that the notification names, or if it is the provider's and none of the
/// accounts that know the key can open it: one key can sign for many accounts.
///
/// # Errors
/// If none of those who were asked could be had.
pub(super) async fn fetch_keys(
    channels: &Channels,
    envelope: &Envelope<'_>,
    deadline: Instant,
) -> Result<(), Unopened> {
    // The provider has keys for each merchant, and a merchant may have many channels.
    let mut merchants = HashSet::new();
    let lacking: Vec<_> = channels
        .iter()
        .filter(|channel| channel.account.lacks_key(envelope) && merchants.insert(channel.account.payee().merchant))
        .collect();
    if lacking.is_empty() || !is_for_another(channels, envelope) {
        return Ok(());
    }
    // Who cannot have the key does not keep the others from fetching it: each notification begins with another one.
    let begin =
        usize::try_from(envelope.at.as_nanosecond().rem_euclid(NANOSECONDS)).unwrap_or_default() % lacking.len();
    let chosen = lacking.iter().cycle().skip(begin).take(lacking.len().min(MOST_FETCHES));
    let fetched = join_all(chosen.map(|channel| channel.account.fetch_keys(deadline))).await;
    match fetched.iter().find_map(|fetched| fetched.as_ref().err()) {
        Some(reason) if fetched.iter().all(Result::is_err) => Err((*reason).into()),
        _ => Ok(()),
    }
}

/// Whether none of the accounts that know the key opens it, although the signature is right where there is one to know.
fn is_for_another(channels: &Channels, envelope: &Envelope<'_>) -> bool {
    let mut addressed = channels.iter().filter(|channel| channel.account.is_addressed_by(envelope));
    addressed.all(|channel| {
        let opened = channel.account.open(envelope);
        matches!(opened, Err(Unopened { reason: Reason::NotificationUndecipherable, .. }))
    })
}
