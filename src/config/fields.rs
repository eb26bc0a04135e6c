//! The fields that carry a claim, and the rules by which they select a channel.

use super::read::{Section, Value, suggest};
use crate::domain::order::ChannelId;
use crate::gate::claim::{AmountUnit, Carrier, ChannelRule, Choose, Field, Place};
use crate::gate::path::PathPattern;
use hyper::header::HeaderName;

pub(super) static RULE: Section = Section { name: "routes[].channel[]", keys: &["when_empty", "is", "from"] };

/// The carriers, by name.
pub(super) const CARRIERS: &[(&str, Carrier)] = &[
    ("query", Carrier::Query),
    ("form", Carrier::Form),
    ("json", Carrier::Json),
    ("xml", Carrier::Xml),
    ("multipart", Carrier::Multipart),
];

/// The units of an amount, by name.
pub(super) const UNITS: &[(&str, AmountUnit)] = &[("fen", AmountUnit::Fen), ("yuan", AmountUnit::Yuan)];

/// What a field's name is read against.
pub(super) struct Context<'c> {
    pub(super) carrier: Carrier,
    /// `None` if it is unreadable.
    pub(super) path: Option<&'c PathPattern>,
    pub(super) channels: &'c [&'c str],
}

impl Context<'_> {
    /// `OrderID`, `data.order_id` (json), `path.NAME`, `query.NAME` or `header.NAME`.
    pub(super) fn field(&self, value: &Value<'_>) -> Option<Field> {
        let text = value.text()?;
        let (place, name) = match text.split_once('.') {
            Some(("path", name)) => (Place::Path, name),
            Some(("query", name)) if self.carrier == Carrier::Query => (Place::Carrier, name),
            Some(("query", name)) => (Place::Query, name),
            Some(("header", name)) => (Place::Header, name),
            _ => (Place::Carrier, &*text),
        };
        self.check(place, name)
            .map_err(|(what, remedy)| value.problem(what, remedy))
            .ok()
            .map(|()| Field { place, name: name.to_owned() })
    }

    fn check(&self, place: Place, name: &str) -> Result<(), (&'static str, &'static str)> {
        if name.is_empty() || name != name.trim() || name.chars().any(char::is_control) {
            return Err(("is not the name of a field", "write it exactly as callbacks bring it"));
        }
        let known = |path: &PathPattern| path.placeholders().any(|placeholder| placeholder == name);
        match place {
            Place::Path if !self.path.is_none_or(known) => {
                Err(("is no placeholder of the route's path", "write {name} into the path, and path.name here"))
            }
            Place::Header if name.parse::<HeaderName>().is_err() => {
                Err(("is not a header name", "write header.X-Shop"))
            }
            Place::Carrier if self.carrier == Carrier::Json && name.split('.').any(str::is_empty) => {
                Err(("is not a dotted path", "write data.order_id"))
            }
            _ => Ok(()),
        }
    }

    /// The rules of `channel`: a name, or a list of maps.
    pub(super) fn rules(&self, value: &Value<'_>) -> Option<Vec<ChannelRule>> {
        if !value.is_list() && !value.is_map() {
            let is = Choose::Is(self.channel(value)?);
            return Some(vec![ChannelRule { when_empty: None, choose: is }]);
        }
        let mut rules: Vec<ChannelRule> = Vec::new();
        for item in value.list()? {
            let always = |rule: &ChannelRule| rule.when_empty.is_none() && matches!(rule.choose, Choose::Is(_));
            if rules.last().is_some_and(always) {
                item.problem("is never reached, because the rule above always applies", "put it above, or remove it");
            }
            rules.extend(self.rule(&item));
        }
        Some(rules)
    }

    fn rule(&self, value: &Value<'_>) -> Option<ChannelRule> {
        let map = value.map(&RULE)?;
        let when_empty = map.optional("when_empty", |v| self.field(v));
        let is = map.get("is");
        let from = map.get("from");
        if is.is_some() == from.is_some() {
            value.problem("needs either is or from", "write is: CHANNEL, or from: FIELD");
        }
        let is = is.map(|v| self.channel(&v).map(Choose::Is));
        let from = from.map(|v| Some(Choose::From(v.one_or_list()?.iter().filter_map(|v| self.field(v)).collect())));
        Some(ChannelRule { when_empty, choose: is.or(from)?? })
    }

    fn channel(&self, value: &Value<'_>) -> Option<ChannelId> {
        let name = value.text()?;
        if self.channels.is_empty() {
            // Reported where they are missing.
            return None;
        }
        if !self.channels.contains(&&*name) {
            let remedy = format!("name one of the channels: {}", self.channels.join(", "));
            value.problem("is no channel", suggest(&name, self.channels, &remedy));
            return None;
        }
        ChannelId::parse(&name).ok()
    }
}
