//! `pending_orders`: where orders wait for payment, and how often that is read.

use super::fields::UNITS;
use super::read::{Section, Value};
use super::synthesize::{RouteName, target};
use crate::domain::money::AmountUnit;
use crate::domain::secret::Secret;
use crate::reconcile::pending_orders::Watched;
use crate::reconcile::pending_orders::command::Command;
use crate::reconcile::pending_orders::database::Database;
use crate::reconcile::pending_orders::http::Page;
use crate::reconcile::pending_orders::query::Query;
use crate::reconcile::pending_orders::source::{Place, Source};
use hyper::http::uri::Uri;
use std::time::Duration;

pub(super) static PENDING: Section = Section {
    name: "pending_orders[]",
    keys: &["name", "every", "route", "amount_unit", "sql", "http", "file", "command"],
};
pub(super) static SQL: Section = Section { name: "pending_orders[].sql", keys: &["url", "query"] };
pub(super) static HTTP: Section = Section { name: "pending_orders[].http", keys: &["url", "token"] };
pub(super) static FILE: Section = Section { name: "pending_orders[].file", keys: &["path"] };

const EVERY: Duration = Duration::from_secs(30);
/// More often is a load on the order system, and WeChat Pay is not asked more often either.
const SHORTEST_EVERY: Duration = Duration::from_secs(1);
const LONGEST_NAME: usize = 64;

pub(super) fn pending_orders(value: &Value<'_>, routes: &[RouteName<'_>]) -> Option<Vec<Watched>> {
    let sources = value.list()?;
    for (index, source) in sources.iter().enumerate() {
        let Some(name) = source.peek("name") else { continue };
        let earlier = sources.iter().take(index).filter_map(|earlier| earlier.peek("name"));
        if name.written().is_some() && earlier.into_iter().any(|earlier| earlier.written() == name.written()) {
            name.problem("is the name of another source", "give each its own: logs and figures go by it");
        }
    }
    Some(sources.iter().filter_map(|source| pending(source, routes)).collect())
}

fn pending(value: &Value<'_>, routes: &[RouteName<'_>]) -> Option<Watched> {
    let map = value.map(&PENDING)?;
    let name = map.required("name", "name: shop", |v| v.parse(name, "write letters, digits, - _ ."));
    let every = map.or("every", EVERY, every);
    let route = map.required("route", "route: the name of the route to deliver to", |v| target(v, routes));
    let amount_unit = map.or("amount_unit", AmountUnit::default(), |v| v.choice(UNITS));
    let places = [
        map.get("sql").map(|v| sql(&v)),
        map.get("http").map(|v| http(&v)),
        map.get("file").map(|v| file(&v)),
        map.get("command").map(|v| command(&v)),
    ];
    let mut places = places.into_iter().flatten();
    let (first, second) = (places.next(), places.next());
    if first.is_none() || second.is_some() {
        value.problem("names no source, or several", "write exactly one of sql, http, file, command");
    }
    let source = Source { place: first??, amount_unit };
    Some(Watched { name: name?, every, route: route?, source })
}

fn name(text: &str) -> Result<String, &'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if text.len() > LONGEST_NAME {
        return Err("is longer than 64 characters");
    }
    if text.bytes().all(allowed) { Ok(text.to_owned()) } else { Err("has other characters than a name may") }
}

fn every(value: &Value<'_>) -> Option<Duration> {
    let every = value.duration()?;
    if every < SHORTEST_EVERY {
        value.problem("is less than a second", "write 1s or more; 30s finds an order soon enough");
    }
    Some(every)
}

fn sql(value: &Value<'_>) -> Option<Place> {
    let map = value.map(&SQL)?;
    let database = map.required("url", "url: ${SHOP_DATABASE}", database);
    let remedy = "write one SELECT of order, channel and, if known, out_trade_no, amount, created_at";
    let query = map
        .required("query", "query: a SELECT of order, channel, amount, created_at", |v| v.parse(Query::parse, remedy));
    Some(Place::Sql(database?, query?))
}

fn database(value: &Value<'_>) -> Option<Database> {
    let url = value.secret()?;
    if value.is_unread() {
        // Nobody reads a source of an outline.
        return Some(Database::Postgres(url));
    }
    let remedy = "write mysql://USER:PASSWORD@HOST/DATABASE, postgres://... or sqlite:PATH, and in a password %40 for @, %2F for /, %3A for :, %23 for #";
    Database::parse(&url, value.directory()).map_err(|error| value.problem(error.to_string(), remedy)).ok()
}

fn http(value: &Value<'_>) -> Option<Place> {
    let map = value.map(&HTTP)?;
    let remedy = "write a URL like http://127.0.0.1:5000/unpaid.json; for a login there is token";
    let url = map.required("url", "url: http://127.0.0.1:5000/unpaid.json", |v| v.parse(page, remedy));
    let token = map.optional("token", token);
    Some(Place::Http(Page { url: url?, token }))
}

fn page(text: &str) -> Result<Uri, &'static str> {
    match text.parse::<Uri>() {
        Ok(url) if !matches!(url.scheme_str(), Some("http" | "https")) => Err("is not a URL"),
        Ok(url) if url.authority().is_some_and(|authority| authority.as_str().contains('@')) => Err("has a user in it"),
        Ok(url) => Ok(url),
        Err(_) => Err("is not a URL"),
    }
}

fn token(value: &Value<'_>) -> Option<Secret> {
    let token = value.secret()?;
    if !token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        value.problem("has other than visible ASCII characters", "write the token alone, without Bearer");
    }
    Some(token)
}

fn file(value: &Value<'_>) -> Option<Place> {
    let path = value.map(&FILE)?.required("path", "path: unpaid.jsonl", Value::file_path)?;
    Some(Place::File(path))
}

/// A program with a `/` in its path starts at the config file's directory, as files do; another is looked for in PATH.
fn command(value: &Value<'_>) -> Option<Place> {
    let mut words = value.list()?.into_iter();
    let program = words.next()?.text();
    let arguments: Vec<String> = words.filter_map(|word| word.text_or_empty()).collect();
    let program = program?;
    let program = if program.contains('/') { value.directory().join(program).to_str()?.to_owned() } else { program };
    Some(Place::Command(Command { program, arguments }))
}
