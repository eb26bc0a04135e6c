//! What tells configurations apart that are to be the same on every gate of a journal.

use super::{Admin, Config, Journal};
use crate::gate::channel::Channel;
use crate::journal::Place;
use crate::provider::Fingerprint;

impl Config {
    /// The digest of all that must be the same on gates that share a journal: everything but where this one listens, its own name,
    /// its files for TLS and where the database is. It is made of secrets too, so it is never shown as it is.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let Self {
            listen: _,
            tls,
            upstream,
            mode,
            routes,
            channels,
            accounts: _,
            headers,
            wechat,
            deadline,
            confirm_deadline,
            cache,
            limits,
            forwarding,
            log,
            shutdown_grace,
            journal,
            follow_up,
            sweeps,
            pending_orders,
            admin,
            traces,
            warnings: _,
        } = self;
        let flow = format!("{:?}", (tls.is_some(), upstream, mode, routes, headers, deadline, confirm_deadline));
        let bounds = format!("{:?}", (wechat.settings(), cache, limits, forwarding, log, shutdown_grace, follow_up));
        let recovery = format!("{:?}", (sweeps, pending_orders, traces, journal.as_ref().map(kept)));
        let hosts = format!("{:?}", admin.as_ref().map(|Admin { hosts, tls, .. }| (hosts, tls.is_some())));
        let token = admin.as_ref().and_then(|admin| admin.token.as_ref()).map_or("", |token| token.expose());
        let channels: Vec<_> =
            channels.iter().map(|channel| (channel.account.fingerprint(), channel_text(channel))).collect();
        let channels = channels.iter().flat_map(|(account, text)| [account.as_bytes(), text.as_bytes()]);
        let texts = [&flow, &bounds, &recovery, &hosts].map(|text| text.as_bytes());
        Fingerprint::of(texts.into_iter().chain([token.as_bytes()]).chain(channels))
    }
}

fn kept(journal: &Journal) -> String {
    let Journal { settings, keep } = journal;
    let lease = match &settings.place {
        Place::File(_) => None,
        Place::Database(database) => Some((database.lease, database.timeout)),
    };
    format!("{keep:?} {:?} {lease:?}", settings.room)
}

fn channel_text(channel: &Channel) -> String {
    let Channel {
        id,
        account: _,
        query_by,
        out_trade_no,
        upstream,
        mode,
        on_refunded,
        on_second_payment,
        generation: _,
    } = channel;
    format!("{:?}", (id, query_by, out_trade_no, upstream, mode, on_refunded, on_second_payment))
}
