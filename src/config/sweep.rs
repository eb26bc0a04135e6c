//! Which channels' bills are compared, and when.

use super::read::{Map, Section, Value};
use super::synthesize::{RouteName, target};
use crate::gate::channel::Channel;
use crate::order::ChannelId;
use crate::sweep::Plan;
use crate::wechat::bill::BillType;
use jiff::civil::{Date, Time};

pub(super) static SWEEP: Section =
    Section { name: "channels.NAME.sweep", keys: &["route", "at", "days", "from", "bill_type"] };

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
        v.parse(read, "write 2026-11-24: the first day on which callbacks came through the gate")
    });
    let bill_type =
        map.or("bill_type", BillType::All, |v| v.choice(&[("ALL", BillType::All), ("SUCCESS", BillType::Success)]));
    Some(Plan { channel: channel?, route: route?, at, days, from, bill_type })
}

/// Two channels whose payments look alike in the bill.
pub(super) fn check(file: &Map<'_>, channels: &[(&Channel, Option<&Plan>)]) {
    let swept: Vec<_> = channels.iter().filter(|(_, plan)| plan.is_some()).map(|(channel, _)| *channel).collect();
    for (index, channel) in swept.iter().enumerate() {
        let alike = |other: &&&Channel| {
            let (one, two) = (&channel.account, &other.account);
            (one.mch_id, one.appid, one.sub_mch_id) == (two.mch_id, two.appid, two.sub_mch_id)
                && channel.out_trade_no == other.out_trade_no
        };
        let at = || file.get("channels")?.peek(channel.id.as_str())?.peek("sweep");
        if let (Some(other), Some(at)) = (swept.iter().take(index).find(alike), at()) {
            let what = format!("cannot tell its payments from those of channel {} in the bill", other.id);
            at.problem(what, "sweep one of the two, or give them other prefixes in out_trade_no");
        }
    }
}
