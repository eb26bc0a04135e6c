//! The merchant accounts.

mod account;

mod keys;

mod material;

mod mix_ups;

use self::mix_ups::MixUps;
use super::read::{Section, Value};
use super::synthesize::RouteName;
use super::{settings, sweep};
use crate::domain::config_status;
use crate::domain::order::{BadId, ChannelId, ORDER_BYTES, is_order_byte};
use crate::gate::channel::{Affix, Channel, QueryBy};
use crate::gate::policy::{Mode, OnRefunded, OnSecondPayment};
use crate::provider::wechat::{Account, Service};
use crate::reconcile::bill::Plan;
use crate::upstream::Upstream;
pub(super) use keys::{is_unread, resign_key};
use std::sync::Arc;

pub(super) static CHANNEL: Section = Section {
    name: "channels.NAME",
    keys: &[
        "provider",
        "appid",
        "mch_id",
        "private_key",
        "certificate",
        "serial",
        "api_v3_key",
        "public_key_id",
        "public_key",
        "platform_certificates",
        "key",
        "sign_type",
        "query_by",
        "out_trade_no",
        "sub_mch_id",
        "sub_appid",
        "upstream",
        "sweep",
        "mode",
        "on_refunded",
        "on_second_payment",
    ],
};
pub(super) static OUT_TRADE_NO: Section = Section { name: "channels.NAME.out_trade_no", keys: &["prefix", "suffix"] };

/// Most bytes of an `out_trade_no`.
const OUT_TRADE_NO_BYTES: usize = 32;

/// What a channel inherits, and the names it may refer to.
pub(super) struct Inherited<'a> {
    /// `None` if the file's own is unreadable.
    pub(super) upstream: Option<&'a Upstream>,
    pub(super) mode: Mode,
    pub(super) routes: &'a [RouteName<'a>],
    /// What accounts at WeChat Pay ask by.
    pub(super) wechat: &'a Arc<Service>,
}

/// A channel, its account as what it is, and what is swept of it.
pub(super) struct ReadChannel {
    pub(super) channel: Channel,
    pub(super) account: Arc<Account>,
    pub(super) sweep: Option<Plan>,
}

/// The words of `mode`, here and for the whole gate.
pub(super) const MODES: &[(&str, Mode)] = &[("enforce", Mode::Enforce), ("observe", Mode::Observe)];

pub(super) fn channels(value: &Value<'_>, inherited: &Inherited<'_>) -> Option<Vec<ReadChannel>> {
    let entries = value.entries_or("write each name as a key, app: { provider: wechat-v2, ... }, without -")?;
    if entries.is_empty() {
        value.problem("has no channel", "add at least one merchant account");
    }
    let mut mix_ups = MixUps::default();
    let channels =
        entries.iter().filter_map(|(name, _, value)| channel(name, value, inherited, &mut mix_ups)).collect();
    mix_ups.report();
    Some(channels)
}

/// What a route's `channel` means where it names no channel, so that no channel can have the name.
const AUTO: &str = "auto";

fn channel<'v>(
    name: &str,
    value: &Value<'v>,
    inherited: &Inherited<'_>,
    mix_ups: &mut MixUps<'v>,
) -> Option<ReadChannel> {
    if name == AUTO {
        value.problem(
            "the channel's name is what routes write to find the channel by the notification",
            "choose another name",
        );
    }
    let id = ChannelId::parse(name)
        .map_err(|error| value.problem(format!("the channel's name {error}"), "choose a name like app or 2/c1"))
        .ok();
    let map = value.map(&CHANNEL)?;
    let (credentials, v3) = account::credentials(&map);
    mix_ups.take(&map, v3);
    let query_by = map.or("query_by", QueryBy::default(), |v| {
        v.choice(&[("out_trade_no", QueryBy::OutTradeNo), ("transaction_id", QueryBy::TransactionId)])
    });
    let out_trade_no = map.or("out_trade_no", Affix::default(), affix);
    let upstream = map.optional("upstream", settings::upstream);
    let mode = map.or("mode", inherited.mode, |v| v.choice(MODES));
    let on_refunded = map.or("on_refunded", OnRefunded::default(), |v| {
        v.choice(&[("refuse", OnRefunded::Refuse), ("forward", OnRefunded::Forward)])
    });
    let sweep = map.optional("sweep", |v| sweep::sweep(v, id, inherited.routes));
    let on_second_payment = map.or("on_second_payment", OnSecondPayment::default(), |v| {
        v.choice(&[("park", OnSecondPayment::Park), ("forward", OnSecondPayment::Forward)])
    });
    let upstream = upstream.or_else(|| inherited.upstream.cloned())?;
    let id = id?;
    let account = Arc::new(Account { channel: id, credentials: credentials?, service: Arc::clone(inherited.wechat) });
    let channel = Channel {
        id,
        account: Arc::<Account>::clone(&account),
        query_by,
        out_trade_no,
        upstream,
        mode,
        on_refunded,
        on_second_payment,
        generation: config_status::FIRST,
    };
    Some(ReadChannel { channel, account, sweep })
}

fn affix(value: &Value<'_>) -> Option<Affix> {
    let map = value.map(&OUT_TRADE_NO)?;
    let affix = Affix {
        prefix: map.or("prefix", String::new(), affix_text),
        suffix: map.or("suffix", String::new(), affix_text),
    };
    if affix.prefix.len() + affix.suffix.len() >= OUT_TRADE_NO_BYTES {
        value.problem("leaves no room for the order id", "WeChat Pay takes 32 characters in all");
    }
    Some(affix)
}

fn affix_text(value: &Value<'_>) -> Option<String> {
    let text = value.text_or_empty()?;
    if !text.bytes().all(is_order_byte) {
        value.problem(BadId::Character(ORDER_BYTES).to_string(), "use only what WeChat Pay allows in out_trade_no");
    }
    Some(text)
}

#[cfg(test)]
mod tests;
