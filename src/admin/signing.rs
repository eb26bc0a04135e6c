//! Which keys sign what the provider sends, by channel: how far a switch from certificates to a public key has got.

use crate::domain::order::ChannelId;
use crate::gate::Gate;
use crate::observe::metrics::{On, Signed};
use crate::provider::KeyInfo;

/// The keys of a channel whose account believes a signature, and what they have signed in this process.
#[derive(Debug, Clone)]
pub struct ChannelKeys {
    /// The channel.
    pub channel: ChannelId,
    /// The merchant's and the provider's keys.
    pub keys: Vec<KeyInfo>,
    /// What was verified of answers, and of notifications.
    pub signed: [Signed; On::ALL.len()],
}

/// Of each channel that has such keys.
pub(super) fn by_channel(gate: &Gate) -> Vec<ChannelKeys> {
    let keys = gate.channels.iter().map(|channel| (channel.id, channel.account.keys()));
    let signed = |channel| gate.metrics.queries.signing().so_far(channel);
    let with_keys = keys.filter(|(_, keys)| !keys.is_empty());
    with_keys.map(|(channel, keys)| ChannelKeys { channel, keys, signed: signed(channel) }).collect()
}

/// By how many seconds the provider's clock is ahead of this machine's; `None` before an answer has told.
pub(super) fn clock_is_ahead(gate: &Gate, keys: &[ChannelKeys]) -> Option<f64> {
    let has_told = keys
        .iter()
        .flat_map(|channel| &channel.signed)
        .any(|signed| signed.on == On::Answer && signed.latest.is_some());
    let ahead = gate.metrics.queries.signing().clock_is_ahead();
    // One that is refused for its time counts for no channel.
    (has_told || ahead != 0.0).then_some(ahead)
}
