//! Which account a notification is for, where the route leaves that to the notification (`channel: auto`).

use crate::domain::reason::Reason;
use crate::gate::channel::{Channel, Channels};
use crate::provider::{Envelope, Unopened};
use futures_util::future::join_all;
use std::sync::Arc;
use tokio::time::Instant;

/// Accounts that fetch keys for one notification whose key nobody knows. Who sends made-up ones causes no more, and
/// each account has a pace of its own.
const MOST_FETCHES: usize = 16;

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

/// Has keys fetched, if no account knows the one that the notification names.
///
/// # Errors
/// If none of those who were asked could be had.
pub(super) async fn fetch_keys(
    channels: &Channels,
    envelope: &Envelope<'_>,
    deadline: Instant,
) -> Result<(), Unopened> {
    if channels.iter().any(|channel| channel.account.is_addressed_by(envelope)) {
        return Ok(());
    }
    let lacking = channels.iter().filter(|channel| channel.account.lacks_key(envelope)).take(MOST_FETCHES);
    let fetched = join_all(lacking.map(|channel| channel.account.fetch_keys(deadline))).await;
    match fetched.iter().find_map(|fetched| fetched.as_ref().err()) {
        Some(reason) if fetched.iter().all(Result::is_err) => Err((*reason).into()),
        _ => Ok(()),
    }
}
