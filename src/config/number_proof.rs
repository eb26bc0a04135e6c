//! `number_proof`: how a route that reads both the order id and WeChat Pay's number proves that they belong together.

use super::read::{Map, Value};
use crate::gate::policy::NumberProof;
use crate::gate::route::Route;
use crate::reconcile::pending_orders::Watched;
use crate::reconcile::pending_orders::source::Place;

const REMEDY: &str = "write attach, attach.FIELD, source, first or shared";

/// What one line of `check` says where the pair rests on who comes first.
const FIRST: &str = "with first, whoever pays can claim his own payment for one other order if he is faster than its \
                     callback; write attach or source if you can";

/// Says for each route how it is proven. Of the sources, those that deliver to a route can prove its pairs.
pub(super) fn settle(file: &Map<'_>, routes: &mut [Route], sources: &[Watched]) {
    let items = file.get("routes").map(|routes| routes.peek_items()).unwrap_or_default();
    for route in routes {
        let named = |item: &&Value<'_>| item.peek("name").and_then(|name| name.written()) == Some(&route.name);
        let Some(item) = items.iter().find(named) else { continue };
        let own: Vec<_> = sources.iter().filter(|source| source.route == route.name).collect();
        let written = item.peek("number_proof");
        let fields = route.main.claim.fields();
        let reads_both = fields.out_trade_no.as_ref().is_some_and(|number| *number != fields.order);
        route.number_proof = match &written {
            Some(value) => written_proof(value, route.takes_notifications(), reads_both, &own).unwrap_or_default(),
            None if reads_both => by_sources(&own),
            None => NumberProof::First,
        };
        if reads_both && matches!(route.number_proof, NumberProof::First | NumberProof::SourceOnceNamed(_)) {
            match &written {
                Some(value) => value.warn(FIRST),
                None => item.warn_of("number_proof", FIRST),
            }
        }
    }
}

fn written_proof(value: &Value<'_>, notification: bool, reads_both: bool, sources: &[&Watched]) -> Option<NumberProof> {
    let proof = value.parse(parse, REMEDY)?;
    let problem = match &proof {
        _ if notification && !matches!(proof, NumberProof::First | NumberProof::Shared) => Some((
            "cannot stand beside a preset",
            "WeChat Pay's own notification needs no proof: write first or shared",
        )),
        _ if !notification && !reads_both => {
            Some(("stands without out_trade_no", "remove it: the number is made from the order id"))
        }
        NumberProof::Source(_) if sources.is_empty() => {
            Some(("needs a source of this route", "add one to pending_orders, or write attach or first"))
        }
        _ => None,
    };
    if let Some((what, remedy)) = problem {
        value.problem(what, remedy);
        return None;
    }
    Some(match proof {
        NumberProof::Source(_) => NumberProof::Source(names(sources)),
        proof => proof,
    })
}

fn parse(text: &str) -> Result<NumberProof, &'static str> {
    match text {
        "attach" => Ok(NumberProof::Attach(None)),
        "source" => Ok(NumberProof::Source(Vec::new())),
        "first" => Ok(NumberProof::First),
        "shared" => Ok(NumberProof::Shared),
        _ => match text.strip_prefix("attach.") {
            Some(field) if !field.is_empty() => Ok(NumberProof::Attach(Some(field.to_owned()))),
            _ => Err("is no way to prove a number"),
        },
    }
}

/// Only a query says beforehand which columns it has.
fn by_sources(sources: &[&Watched]) -> NumberProof {
    let names_it = |source: &&&Watched| match &source.source.place {
        Place::Sql(_, query) => query.as_str().to_ascii_lowercase().contains("out_trade_no"),
        Place::Http(_) | Place::File(_) | Place::Command(_) => false,
    };
    if sources.iter().any(|source| names_it(&source)) {
        return NumberProof::Source(names(sources));
    }
    let may_name_it = |source: &&Watched| !matches!(source.source.place, Place::Sql(..));
    if sources.iter().any(may_name_it) { NumberProof::SourceOnceNamed(names(sources)) } else { NumberProof::First }
}

fn names(sources: &[&Watched]) -> Vec<String> {
    sources.iter().map(|source| source.name.clone()).collect()
}
