//! The routes: which requests are callbacks, and how each kind is read and answered.

use super::accepted;
use super::fields::{CARRIERS, Context, UNITS};
use super::presets::{AUTO, HowRead, PRESETS, WECHAT_V2, of_preset};
use super::query_match;
use super::read::{Map, Section, Value};
use super::reply;
use super::resign::{self, Again};
use super::strictness;
use super::synthesize::{self, RouteName};
use crate::gate::accepted::Accepted;
use crate::gate::claim::{AmountUnit, Carrier, ClaimFields, ClaimReader, Field, Place};
use crate::gate::event::Events;
use crate::gate::path::PathPattern;
use crate::gate::policy::{Duplicates, NumberProof};
use crate::gate::route::{QueryMatch, Reading, Route};
use crate::provider::Preset;
use crate::provider::wechat::v2::preset::PRESET;
use hyper::Method;

pub(super) static ROUTE: Section = Section {
    name: "routes[]",
    keys: &[
        "name",
        "path",
        "match",
        "preset",
        "events",
        "methods",
        "carrier",
        "order",
        "out_trade_no",
        "number_proof",
        "transaction",
        "amount",
        "amount_unit",
        "channel",
        "fill",
        "reply",
        "duplicates",
        "accepted",
        "deadline",
        "synthesize",
        "resign",
        "upstream_window",
        "content_type",
        "claim_everywhere",
        "order_type",
        "cookies",
    ],
};

const METHODS: &[(&str, Method)] = &[
    ("POST", Method::POST),
    ("GET", Method::GET),
    ("PUT", Method::PUT),
    ("PATCH", Method::PATCH),
    ("DELETE", Method::DELETE),
];

/// What two routes must not share.
struct Taken<'r> {
    at: Value<'r>,
    path: PathPattern,
    query: QueryMatch,
    methods: Vec<Method>,
}

impl Taken<'_> {
    /// Whether one request could match both routes. A route without `match` shares its path with none: otherwise a
    /// query that the other refuses would be read by it.
    fn clashes(&self, other: &Self) -> bool {
        self.path.overlaps(&other.path)
            && !self.query.excludes(&other.query)
            && self.methods.iter().any(|method| other.methods.contains(method))
    }
}

pub(super) fn routes(value: &Value<'_>, channels: &[&str]) -> Option<Vec<Route>> {
    let items = value.list()?;
    let mut taken: Vec<Taken<'_>> = Vec::new();
    let routes = items.iter().filter_map(|item| route(&item.map(&ROUTE)?, channels, &mut taken)).collect();
    report_same_names(&items);
    for (index, route) in taken.iter().enumerate() {
        if let Some(other) = taken.iter().take(index).find(|other| other.clashes(route)) {
            let what = format!("matches the same requests as {} ({})", other.at.path(), other.at.place());
            let remedy = "give the routes other paths or methods, or each of them a match with another value of the same parameter";
            route.at.problem(what, remedy);
        }
    }
    Some(routes)
}

/// The names of the routes as far as they are readable, and whether a callback can be made for them.
pub(super) fn names<'v>(value: &Value<'v>) -> Vec<RouteName<'v>> {
    let name = |item: Value<'v>| {
        let name = item.peek("name")?.written()?;
        let can_be_made = item.peek("synthesize").is_some() || item.peek("preset").is_some();
        Some(RouteName { name, can_be_made })
    };
    value.peek_items().into_iter().filter_map(name).collect()
}

fn report_same_names(items: &[Value<'_>]) {
    let names: Vec<_> = items.iter().filter_map(|item| item.peek("name")).collect();
    for (index, name) in names.iter().enumerate() {
        let same = |other: &&Value<'_>| other.written().is_some() && other.written() == name.written();
        if let Some(other) = names.iter().take(index).find(same) {
            name.problem(
                format!("is the same as {} ({})", other.path(), other.place()),
                "give every route its own name",
            );
        }
    }
}

fn route<'r>(map: &Map<'r>, channels: &[&str], taken: &mut Vec<Taken<'r>>) -> Option<Route> {
    let name = map.required("name", "name: app-pay-success", |v| {
        v.parse(route_name, "use letters, digits, - _ and . as in app-pay-success")
    });
    let path = map.required("path", "path: /pay/success", query_match::path);
    let query = map.or("match", QueryMatch::default(), query_match::query_match);
    let carrier = map.optional("carrier", |v| v.choice(CARRIERS));
    // Where it names none that there is, the rest is read as that of the usual one.
    let notifications = map.get("preset").map(|v| v.choice(PRESETS).unwrap_or(&WECHAT_V2));
    let carrier = notifications
        .and_then(|notifications| notifications.kinds.first())
        .map_or(carrier, |preset| Some(preset.carrier));
    let methods = map.or("methods", default_methods(carrier), methods);
    if let (Some(at), Some(path)) = (map.get("path"), &path) {
        taken.push(Taken { at, path: path.clone(), query: query.clone(), methods: methods.clone() });
    }
    let context = Context { carrier: carrier.unwrap_or(Carrier::Form), path: path.as_ref(), channels };
    let how_read = match notifications {
        Some(notifications) => of_preset(notifications, map, &context, &methods),
        None => custom(map, &context).map(|how_read| vec![how_read]),
    };
    let synthesize = match notifications {
        Some(notifications) => Some(synthesize::notification(notifications.name, map)),
        None => map.optional("synthesize", |v| synthesize::template(v, context.carrier)),
    };
    let kinds = notifications.map_or(&[][..], |notifications| notifications.kinds);
    let Again { resign, upstream_window } = resign::again(map, kinds.iter().any(|preset| preset.signed_at.is_some()));
    let deadline = map.optional("deadline", Value::duration);
    let duplicates = map.or("duplicates", Duplicates::default(), |v| {
        v.choice(&[("forward", Duplicates::Forward), ("absorb", Duplicates::Absorb)])
    });
    if notifications.is_none() {
        map.required("carrier", "carrier: form (or query, json, xml, multipart)", |_| Some(()));
    }
    let presets = notifications.map(|notifications| notifications.kinds).unwrap_or_default();
    let presets = presets.iter().copied().map(Some).chain(std::iter::repeat(None));
    let readings = presets.zip(how_read?).map(|(preset, how_read)| reading(map, &query, preset, how_read));
    let mut readings = readings.collect::<Option<Vec<_>>>()?.into_iter();
    let (main, also) = (readings.next()?, readings.collect());
    let events = events(map)?;
    let (name, path) = (name?, path?);
    // Settled once the sources are known.
    let number_proof = NumberProof::First;
    Some(Route {
        name,
        path,
        query,
        methods,
        main,
        also,
        events,
        resign,
        upstream_window,
        number_proof,
        deadline,
        duplicates,
        synthesize,
    })
}

/// One way of reading a route's callbacks.
fn reading(map: &Map<'_>, query: &QueryMatch, preset: Option<&'static Preset>, how_read: HowRead) -> Option<Reading> {
    let HowRead { fields, reply, accepted } = how_read;
    if let Err(bad) = fields.check() {
        map.value().problem(bad.to_string(), "name fields that no backend can take for one another");
        return None;
    }
    query_match::check(map, query, &fields);
    // A route that reads WeChat Pay's XML by its own words has an order system behind it that may read all of it.
    let vouched_for = preset.unwrap_or(&PRESET).vouched_for;
    let claim = ClaimReader::new(fields).guarding(query.names()).vouching_for(vouched_for);
    Some(Reading { preset, claim, accepted, reply })
}

/// What a preset's route takes notifications of: payments always, refunds if it says so.
fn events(map: &Map<'_>) -> Option<Events> {
    let Some(value) = map.get("events") else { return Some(Events::default()) };
    if map.get("preset").is_none() {
        value.problem("stands without a preset", "remove it: a route's own fields are those of payments");
    }
    let items = value.list()?;
    let kinds: Vec<bool> =
        items.iter().filter_map(|item| item.choice(&[("payment", false), ("refund", true)])).collect();
    if kinds.len() == items.len() && kinds.iter().filter(|refund| !**refund).count() != 1 || kinds.len() > 2 {
        value.problem("names neither payment alone nor payment and refund", "write [payment] or [payment, refund]");
    }
    Some(Events { refund: kinds.contains(&true) })
}

fn route_name(text: &str) -> Result<String, &'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let usable = text.len() <= 64 && text.bytes().all(allowed);
    usable.then(|| text.to_owned()).ok_or("is not a name")
}

fn default_methods(carrier: Option<Carrier>) -> Vec<Method> {
    match carrier {
        Some(Carrier::Query) => vec![Method::GET],
        _ => vec![Method::POST],
    }
}

fn methods(value: &Value<'_>) -> Option<Vec<Method>> {
    let mut methods = Vec::new();
    if let Some(written) = value.written().map(named_methods).filter(|names| !names.is_empty()) {
        value.problem("must be a list", format!("write [{written}]"));
        return None;
    }
    for item in value.list()? {
        if let Some(meant) =
            item.written().map(named_methods).filter(|meant| Some(&**meant) != item.written() && !meant.is_empty())
        {
            item.problem("is not in capital letters", format!("write [{meant}]"));
            continue;
        }
        let Some(method) = item.choice(METHODS) else { continue };
        if methods.contains(&method) {
            item.problem("names the same method again", "remove it");
        }
        methods.push(method);
    }
    Some(methods)
}

/// The methods that a text names in any case: `POST, GET`; nothing if it names anything else.
fn named_methods(text: &str) -> String {
    let known = |word: &str| METHODS.iter().map(|(name, _)| *name).find(|name| name.eq_ignore_ascii_case(word));
    let words = text.split([',', ' ']).filter(|word| !word.is_empty());
    words.map(known).collect::<Option<Vec<_>>>().unwrap_or_default().join(", ")
}

/// A route that says itself what its callbacks look like.
fn custom(map: &Map<'_>, context: &Context<'_>) -> Option<HowRead> {
    let order = map.required("order", "order: the field with the order id", |v| context.field(v));
    let out_trade_no = map.optional("out_trade_no", |v| context.field(v));
    let transaction = map.optional("transaction", |v| context.field(v));
    let unit = map.or("amount_unit", AmountUnit::default(), |v| v.choice(UNITS));
    let amount = map.optional("amount", |v| Some((context.field(v)?, unit)));
    if let (Some(unit), None) = (map.get("amount_unit"), map.get("amount")) {
        unit.problem("stands without an amount", "add amount: the field with the amount, or remove amount_unit");
    }
    let fill = map.optional("fill", |v| fill(v, context));
    let channel = map.required("channel", "channel: the name of a channel, or rules", |v| {
        if v.written() == Some(AUTO) {
            v.problem("goes by whose a notification is, and stands without a preset", "name a channel, or write rules");
            return None;
        }
        context.rules(v)
    });
    let reply = map.or("reply", reply::plain(None), |v| reply::reply(v, None));
    let accepted = map.or("accepted", Accepted::any_2xx(), accepted::accepted);
    let carrier = context.carrier;
    let strictness = strictness::strictness(map, carrier);
    let (order, channel) = (order?, channel?);
    let fields = ClaimFields { carrier, order, out_trade_no, transaction, amount, fill, channel, strictness };
    Some(HowRead { fields, reply, accepted })
}

/// The body or the query can be written into, and nothing else.
fn fill(value: &Value<'_>, context: &Context<'_>) -> Option<Field> {
    let field = context.field(value)?;
    if !matches!(field.place, Place::Carrier | Place::Query) {
        value.problem("is not in the body or query", "name a field that the gate can write into");
        return None;
    }
    Some(field)
}
