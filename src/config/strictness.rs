//! How strictly a route's callbacks are read, where honest senders cannot keep to the rules.

use super::read::Map;
use crate::gate::claim::{Carrier, ContentType, Cookies, OrderType, Strictness};

/// The keys of a route that loosen a rule, or hold to it more strictly.
pub(super) fn strictness(map: &Map<'_>, carrier: Carrier) -> Strictness {
    let default = Strictness::default();
    let content_type = map.or("content_type", default.content_type, |v| {
        v.choice(&[("carrier", ContentType::Carrier), ("any", ContentType::Any)])
    });
    if let (Some(value), ContentType::Any) = (map.get("content_type"), content_type) {
        match carrier {
            Carrier::Query => {
                value.problem("has no meaning beside carrier: query", "remove it: there is no body to read")
            }
            Carrier::Multipart => {
                value.problem(
                    "cannot stand beside carrier: multipart",
                    "remove it: Content-Type says where the parts end",
                );
            }
            Carrier::Form | Carrier::Json | Carrier::Xml => {}
        }
    }
    let order_type = map.or("order_type", default.order_type, |v| {
        v.choice(&[("text", OrderType::Text), ("integer", OrderType::Integer)])
    });
    if let (Some(value), true) = (map.get("order_type"), order_type == OrderType::Integer && carrier != Carrier::Json) {
        value.problem("has no meaning without carrier: json", "remove it: only JSON has numbers beside texts");
    }
    Strictness {
        content_type,
        claim_everywhere: map
            .or("claim_everywhere", default.claim_everywhere, |v| v.choice(&[("true", true), ("false", false)])),
        order_type,
        cookies: map
            .or("cookies", default.cookies, |v| v.choice(&[("refuse", Cookies::Refuse), ("ignore", Cookies::Ignore)])),
        // Of all routes alike: `limits.json_keys`.
        ..default
    }
}
