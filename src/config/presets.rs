//! The presets: providers' own notifications, of which a route needs to say little.

use super::accepted;
use super::fields::Context;
use super::read::Map;
use super::reply;
use super::routes::{CARRIERS, HowRead, UNITS};
use super::strictness;
use crate::gate::accepted::Accepted;
use crate::gate::claim::{ChannelRule, Choose, ClaimFields, Field, Place};
use crate::provider::Preset;
use crate::provider::wechat::v2::preset::PRESET;
use hyper::Method;

/// The presets by name.
pub(super) const PRESETS: &[(&str, &Preset)] = &[("wechat-v2", &PRESET)];

/// A provider's own notification. What it calls the order is the provider's number already, so no channel's prefix goes
/// to it.
pub(super) fn of_preset(
    preset: &'static Preset,
    map: &Map<'_>,
    context: &Context<'_>,
    methods: &[Method],
) -> Option<HowRead> {
    let style = map.get("reply").and_then(|reply| if reply.is_map() { reply.peek("style") } else { Some(reply) });
    let fixed = [
        ("carrier", word_of(CARRIERS, preset.carrier)),
        ("order", preset.order),
        ("out_trade_no", preset.order),
        ("transaction", preset.transaction),
        ("amount", preset.amount),
        ("amount_unit", word_of(UNITS, preset.amount_unit)),
    ];
    let written = fixed.into_iter().filter_map(|(key, fixed)| Some((map.get(key)?, fixed)));
    for (value, fixed) in written.chain(style.map(|style| (style, preset.dialect.name))) {
        if value.written() != Some(fixed) {
            value.problem(
                format!("contradicts preset: {}, where it is {fixed}", preset.name),
                "remove the key, or the preset",
            );
        }
    }
    if let (Some(value), false) = (map.get("methods"), methods == [Method::POST]) {
        let what = format!("contradicts preset: {}, where it is [POST]", preset.name);
        value.problem(what, "remove the key, or the preset");
    }
    if let Some(value) = map.get("fill") {
        let what = format!("cannot stand beside preset: {}", preset.name);
        value.problem(what, "remove it: the notification brings its transaction_id");
    }
    let by_path = || ChannelRule { when_empty: None, choose: Choose::From(vec![at(Place::Path, "channel")]) };
    let has_placeholder = context.path.is_none_or(|path| path.placeholders().any(|name| name == "channel"));
    let channel = match map.get("channel") {
        None if has_placeholder => Some(vec![by_path()]),
        _ => map.required("channel", "{channel} to the path, or channel: the name of a channel", |v| context.rules(v)),
    };
    let accepted = map.or("accepted", Accepted::of(preset), |v| accepted::of_notification(v, preset));
    let order = at(Place::Carrier, preset.order);
    let fields = ClaimFields {
        carrier: preset.carrier,
        out_trade_no: Some(order.clone()),
        order,
        transaction: Some(at(Place::Carrier, preset.transaction)),
        amount: Some((at(Place::Carrier, preset.amount), preset.amount_unit)),
        fill: None,
        channel: channel?,
        strictness: strictness::strictness(map, preset.carrier),
    };
    let reply = map.or("reply", reply::plain(Some(preset.dialect)), |v| reply::reply(v, Some(preset.dialect)));
    Some(HowRead { fields, reply, accepted })
}

fn word_of<T: PartialEq + Copy>(words: &[(&'static str, T)], meant: T) -> &'static str {
    words.iter().find(|(_, value)| *value == meant).map_or("", |(word, _)| word)
}

fn at(place: Place, name: &str) -> Field {
    Field { place, name: name.to_owned() }
}
