//! The presets: providers' own notifications, of which a route needs to say little.

use super::accepted;
use super::channels::ReadChannel;
use super::fields::{CARRIERS, Context, UNITS};
use super::read::{Map, Value};
use super::reply;
use super::strictness;
use crate::domain::order::{AppId, ChannelId};
use crate::gate::accepted::Accepted;
use crate::gate::claim::{ChannelRule, Choose, ClaimFields, Field, Place};
use crate::gate::reply::ReplyStyle;
use crate::gate::route::Route;
use crate::provider::Account as _;
use crate::provider::Preset;
use crate::provider::preset::Sealing;
use crate::provider::wechat::{Credentials, v2, v3};
use hyper::Method;
use std::collections::HashMap;

/// The notifications that a word of `preset` takes: one kind, or several, which their first byte tells apart.
#[derive(Debug)]
pub(super) struct Notifications {
    pub(super) name: &'static str,
    /// The one that a route's own notifications are made in comes first.
    pub(super) kinds: &'static [&'static Preset],
}

/// How a callback is read and answered.
pub(super) struct HowRead {
    pub(super) fields: ClaimFields,
    pub(super) reply: ReplyStyle,
    pub(super) accepted: Accepted,
}

/// WeChat Pay's API v2.
pub(super) static WECHAT_V2: Notifications = Notifications { name: "wechat-v2", kinds: &[&v2::preset::PRESET] };

static WECHAT_V3: Notifications = Notifications { name: "wechat-v3", kinds: &[&v3::preset::PRESET] };

/// Whichever of WeChat Pay's comes.
static WECHAT: Notifications = Notifications { name: "wechat", kinds: &[&v3::preset::PRESET, &v2::preset::PRESET] };

/// The presets by name.
pub(super) static PRESETS: &[(&str, &Notifications)] =
    &[(WECHAT.name, &WECHAT), (WECHAT_V3.name, &WECHAT_V3), (WECHAT_V2.name, &WECHAT_V2)];

/// The word of `channel` that leaves the channel to the notification.
pub(super) const AUTO: &str = "auto";

/// A provider's own notifications, one way of reading for each kind. What they call the order is the provider's number
/// already, so no channel's prefix goes to it.
pub(super) fn of_preset(
    notifications: &'static Notifications,
    map: &Map<'_>,
    context: &Context<'_>,
    methods: &[Method],
) -> Option<Vec<HowRead>> {
    report_contradictions(notifications, map, methods);
    let kinds = notifications.kinds;
    let channel = channel(notifications, map, context);
    let accepted = match map.get("accepted") {
        Some(value) => vec![accepted::of_notification(&value, kinds).unwrap_or(Accepted::any_2xx()); kinds.len()],
        None => kinds.iter().map(|preset| Accepted::of(preset)).collect(),
    };
    let reply = match map.get("reply") {
        Some(value) => reply::of_notification(&value, kinds),
        None => kinds.iter().map(|preset| reply::plain(Some(preset.dialect))).collect(),
    };
    // What is the same for all kinds is read once, so that its problems are told once.
    let strictness = strictness::strictness(map, kinds.last()?.carrier);
    let channel = channel?;
    let fields = kinds.iter().map(|preset| ClaimFields {
        carrier: preset.carrier,
        out_trade_no: Some(at(Place::Carrier, preset.order)),
        order: at(Place::Carrier, preset.order),
        transaction: Some(at(Place::Carrier, preset.transaction)),
        amount: Some((at(Place::Carrier, preset.amount), preset.amount_unit)),
        fill: None,
        channel: channel.clone(),
        strictness,
    });
    let read = fields.zip(reply).zip(accepted);
    Some(read.map(|((fields, reply), accepted)| HowRead { fields, reply, accepted }).collect())
}

/// What a kind of notification has where a key of the route says it.
type Word = fn(&Preset) -> &'static str;

/// Reports keys that say otherwise than the preset does.
fn report_contradictions(notifications: &Notifications, map: &Map<'_>, methods: &[Method]) {
    let name = notifications.name;
    let contradicted = |value: &Value<'_>, fixed: &str| {
        let what = format!("contradicts preset: {name}, where it is {fixed}");
        value.problem(what, "remove the key, or the preset");
    };
    let style = map.get("reply").and_then(|reply| if reply.is_map() { reply.peek("style") } else { Some(reply) });
    let fixed: [(_, Word); 6] = [
        ("carrier", |preset| word_of(CARRIERS, preset.carrier)),
        ("order", |preset| preset.order),
        ("out_trade_no", |preset| preset.order),
        ("transaction", |preset| preset.transaction),
        ("amount", |preset| preset.amount),
        ("amount_unit", |preset| word_of(UNITS, preset.amount_unit)),
    ];
    let written = fixed.into_iter().filter_map(|(key, fixed)| Some((map.get(key)?, fixed)));
    for (value, fixed) in written.chain(style.map(|style| (style, (|preset| preset.dialect.name) as Word))) {
        let mut words: Vec<&str> = notifications.kinds.iter().map(|preset| fixed(preset)).collect();
        words.dedup();
        if words.iter().any(|word| value.written() != Some(word)) {
            contradicted(&value, &words.join(" or "));
        }
    }
    if let (Some(value), false) = (map.get("methods"), methods == [Method::POST]) {
        contradicted(&value, "[POST]");
    }
    let beside = |key, remedy: &str| {
        if let Some(value) = map.get(key) {
            value.problem(format!("cannot stand beside preset: {name}"), remedy);
        }
    };
    beside("fill", "remove it: the notification brings its transaction_id");
    if notifications.kinds.iter().all(|preset| is_sealed(preset)) {
        beside("order_type", "remove it: the channel's account reads what is sealed");
    }
}

/// The rules that select the channel; none where the notification says whose it is.
fn channel(notifications: &Notifications, map: &Map<'_>, context: &Context<'_>) -> Option<Vec<ChannelRule>> {
    let has_placeholder = context.path.is_none_or(|path| path.placeholders().any(|name| name == "channel"));
    let Some(value) = map.get("channel") else {
        let by_path = ChannelRule { when_empty: None, choose: Choose::From(vec![at(Place::Path, "channel")]) };
        return Some(if has_placeholder { vec![by_path] } else { Vec::new() });
    };
    if value.written() == Some(AUTO) {
        return Some(Vec::new());
    }
    let rules = context.rules(&value)?;
    let looked_at = rules.iter().flat_map(|rule| rule.when_empty.iter().chain(rule.choose.fields()));
    let in_body = looked_at.filter(|field| field.place == Place::Carrier).count() > 0;
    if in_body && notifications.kinds.iter().any(|preset| is_sealed(preset)) {
        let what = format!("looks into the body, which preset: {} finds sealed", notifications.name);
        value.problem(what, "write auto, or name fields of the path, the query or a header");
    }
    Some(rules)
}

fn is_sealed(preset: &Preset) -> bool {
    matches!(preset.sealed, Some(Sealing::Body))
}

fn word_of<T: PartialEq + Copy>(words: &[(&'static str, T)], meant: T) -> &'static str {
    words.iter().find(|(_, value)| *value == meant).map_or("", |(word, _)| word)
}

fn at(place: Place, name: &str) -> Field {
    Field { place, name: name.to_owned() }
}

/// Says where no channel can read what a route takes, and where two could.
pub(super) fn check(file: &Map<'_>, routes: &[Route], channels: &[ReadChannel]) {
    let written = file.get("channels").map(|channels| channels.peek_keys().len());
    // Of a faulty file, what is missing is not missed.
    let all_are_known = written == Some(channels.len());
    let items = file.get("routes").map(|routes| routes.peek_items()).unwrap_or_default();
    for route in routes.iter().filter(|route| route.takes_notifications()) {
        let named = |item: &&Value<'_>| item.peek("name").and_then(|name| name.written()) == Some(&route.name);
        let Some(item) = items.iter().find(named) else { continue };
        let able: Vec<_> = channels.iter().filter(|read| reads(route, read)).collect();
        report_unreadable(item, route, channels, &able, all_are_known);
        if route.main.is_auto() {
            report_same_accounts(item, &able);
        }
    }
}

/// Whether the channel has the keys of what the route takes, or of some of it.
fn reads(route: &Route, read: &ReadChannel) -> bool {
    route.readings().filter_map(|reading| reading.preset).any(|preset| read.account.reads(preset))
}

fn report_unreadable(
    item: &Value<'_>,
    route: &Route,
    channels: &[ReadChannel],
    able: &[&ReadChannel],
    all_are_known: bool,
) {
    let chosen = route.main.claim.fields().channel.iter().filter_map(|rule| match rule.choose {
        Choose::Is(channel) => Some(channel),
        Choose::From(_) => None,
    });
    let unable = chosen.filter_map(|chosen| {
        let is_it = |read: &&ReadChannel| read.channel.id == chosen;
        channels.iter().find(is_it).filter(|_| !able.iter().any(|read| read.channel.id == chosen))
    });
    let preset = item.peek("preset");
    let name = preset.as_ref().and_then(Value::written).unwrap_or_default();
    let mut unable = unable.peekable();
    if able.is_empty() && unable.peek().is_none() && all_are_known {
        let what = "is read by none of the channels, which lack the keys";
        preset.as_ref().unwrap_or(item).problem(what, remedy(route, &[]));
    }
    for read in unable {
        let id: ChannelId = read.channel.id;
        let what = format!("names {id}, which lacks the keys to read preset: {name}");
        item.peek("channel").as_ref().unwrap_or(item).problem(what, remedy(route, &[&read.account.credentials]));
    }
}

/// What a channel needs.
fn remedy(route: &Route, unable: &[&Credentials]) -> &'static str {
    const V2: &str = "give the channel key, its APIv2 key";
    const V3: &str = "give the channel api_v3_key, and public_key with its public_key_id";
    let takes = |preset: &Preset| route.readings().any(|reading| reading.preset == Some(preset));
    let lacks_public_key =
        |credentials: &&Credentials| credentials.v3().is_some_and(|keys| !keys.api_v3.is_empty() && !keys.verifies());
    match takes(&v3::preset::PRESET) {
        false => V2,
        true if unable.iter().any(lacks_public_key) => {
            "give the channel public_key with its public_key_id, or platform_certificates"
        }
        true => V3,
    }
}

/// A notification says whose it is, and must not be two channels'.
fn report_same_accounts(item: &Value<'_>, able: &[&ReadChannel]) {
    let at = item.peek("channel");
    // Only channels of one merchant and application can be one account.
    let mut before = HashMap::<_, Vec<usize>>::new();
    for (index, read) in able.iter().enumerate() {
        let credentials = &read.account.credentials;
        let alike = apps(credentials).map(|app| (credentials.mch_id, credentials.sub_mch_id, app));
        let others = alike.clone().filter_map(|key| before.get(&key)).flatten();
        let others = others.filter_map(|other| Some((other, able.get(*other)?)));
        let same = others.filter(|(_, other)| is_same_account(credentials, &other.account.credentials));
        if let Some((_, other)) = same.min_by_key(|(other, _)| **other) {
            let what = format!(
                "is auto, and channels {} and {} are one account: a notification does not say for which of them it is",
                other.channel.id, read.channel.id
            );
            let remedy = "write {channel} into the path, name the channel, or make one channel of them";
            at.as_ref().unwrap_or(item).problem(what, remedy);
        }
        alike.for_each(|key| before.entry(key).or_default().push(index));
    }
}

/// The applications of an account.
fn apps(of: &Credentials) -> impl Iterator<Item = AppId> + Clone {
    std::iter::once(of.appid).chain(of.other_appids.iter().copied())
}

/// Whether a notification can be for both, which are of one merchant and application.
fn is_same_account(one: &Credentials, other: &Credentials) -> bool {
    !matches!((one.sub_appid, other.sub_appid), (Some(one), Some(other)) if one != other)
}
