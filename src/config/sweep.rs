//! Which channels' bills are compared, and when.

use super::read::{Map, Section, Value};
use super::synthesize::{RouteName, target};
use crate::domain::clock;
use crate::domain::order::ChannelId;
use crate::gate::channel::Channel;
use crate::journal::{self, Settings, gate_since};
use crate::provider::bill::BillType;
use crate::reconcile::bill::{BeforeGate, Plan};
use jiff::civil::{Date, Time};
use std::collections::HashMap;

pub(super) static SWEEP: Section =
    Section { name: "channels.NAME.sweep", keys: &["route", "at", "days", "from", "before_gate", "bill_type"] };

/// Half an hour after the bill of the day before is there.
const AT: Time = Time::constant(10, 30, 0, 0);
const DAYS: u8 = 3;

/// A channel's `sweep`.
pub(super) fn sweep(value: &Value<'_>, channel: Option<ChannelId>, routes: &[RouteName<'_>]) -> Option<Plan> {
    let map = value.map(&SWEEP)?;
    let route = map.required("route", "route: the name of the route to deliver to", |v| target(v, routes));
    let at = map.or("at", AT, |v| {
        let read = |text: &str| Time::strptime("%H:%M", text).map_err(|_| "is not a time of day");
        v.parse(read, "write \"10:30\"; it is Beijing time, and bills are ready from 10:00")
    });
    let days = map.or("days", DAYS, |v| v.number(1..=90));
    let from = map.optional("from", |v| {
        let read = |text: &str| text.parse::<Date>().map_err(|_| "is not a date");
        v.parse(read, "write 2026-11-24, or leave it out: then it is the gate's first whole day")
    });
    let before_gate = map.or("before_gate", BeforeGate::default(), |v| {
        v.choice(&[("compare", BeforeGate::Compare), ("deliver", BeforeGate::Deliver)])
    });
    let bill_type =
        map.or("bill_type", BillType::All, |v| v.choice(&[("ALL", BillType::All), ("SUCCESS", BillType::Success)]));
    Some(Plan { channel: channel?, route: route?, at, days, from, before_gate, bill_type })
}

/// Warns of days that are swept and may have come to the order system without the gate, as the `journal` knows, if it
/// is there.
pub(super) fn warn(file: &Map<'_>, plans: &[&Plan], journal: &Settings) {
    if plans.iter().all(|plan| plan.from.is_none()) {
        return;
    }
    let (made_at, today) = (journal::made_at_in_file(journal), clock::now());
    let first = gate_since(made_at.unwrap_or(today));
    for plan in plans {
        let at = || file.get("channels")?.peek(plan.channel.as_str())?.peek("sweep")?.peek("from");
        let (Some(from), Some(first), Some(at)) = (plan.from, first, at()) else { continue };
        if from >= first {
            continue;
        }
        let why = match made_at {
            Some(_) => format!("it is {from}, and the gate's is {first}, the day after its journal was made"),
            None => format!("it is {from}, and there is no journal yet, so the gate's is {first} or later"),
        };
        let so = match plan.before_gate {
            BeforeGate::Compare => "days before it are compared, and nothing of them is delivered; leave `from` out",
            BeforeGate::Deliver => "what the order system got on days before it, without the gate, is SENT AGAIN",
        };
        at.warn(format!("from is before the gate's first whole day: {why}; {so}"));
    }
}

/// Two channels whose payments look alike in the bill.
pub(super) fn check(file: &Map<'_>, channels: &[(&Channel, Option<&Plan>)]) {
    let mut swept = HashMap::new();
    for (channel, _) in channels.iter().filter(|(_, plan)| plan.is_some()) {
        let first = *swept.entry((channel.account.payee(), &channel.out_trade_no)).or_insert(channel.id);
        if first == channel.id {
            continue;
        }
        if let Some(at) = file.get("channels").and_then(|all| all.peek(channel.id.as_str())?.peek("sweep")) {
            let what = format!("cannot tell its payments from those of channel {first} in the bill");
            at.problem(what, "sweep one of the two, or give them other prefixes in out_trade_no");
        }
    }
}
