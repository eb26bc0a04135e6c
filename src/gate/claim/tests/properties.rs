//! What the readers accept, held against models of what backends read (invariant I4). The models share no code with
//! the readers, and are lenient wherever some backend is.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde::Deserialize;
use serde::de::{MapAccess, SeqAccess, Visitor};

// ---- forms ----

/// `%XX`, the `%uXXXX` of classic ASP, and `+`.
fn lenient_decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let number = |range: Range<usize>| rest.get(range).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let wide = if rest.starts_with("%u") { number(2..6).and_then(char::from_u32) } else { None };
        let taken = if let Some(wide) = wide {
            bytes.extend(wide.to_string().bytes());
            6
        } else if let (true, Some(byte)) = (first == '%', number(1..3)) {
            bytes.push(byte as u8);
            3
        } else {
            bytes.extend(if first == '+' { " ".to_owned() } else { first.to_string() }.bytes());
            first.len_utf8()
        };
        rest = &rest[taken..];
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn php_name(name: &str) -> String {
    let name = name.split('\0').next().unwrap_or_default().trim_start_matches(' ');
    let base = match (name.find('['), name.find(']')) {
        (Some(open), Some(close)) if open > 0 && open < close => &name[..open],
        _ => name,
    };
    base.replace(['.', ' ', '['], "_")
}

/// Every value that some backend finds under the name, in order.
fn form_values(texts: &[&str], wanted: &str, separators: &[char], same: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let pairs = texts.iter().flat_map(|text| text.split(separators));
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .filter(|(name, _)| same(&lenient_decode(name), wanted))
        .map(|(_, value)| lenient_decode(value))
        .collect()
}

/// Query before body and body before query; first, last and joined; exact, PHP's names, and names without case.
fn assert_forms_agree(query: &str, body: &str, wanted: &str, id: &str) {
    for texts in [[query, body], [body, query]] {
        for separators in [&['&'][..], &['&', ';']] {
            let readings = [
                form_values(&texts, wanted, separators, |name, wanted| name == wanted),
                form_values(&texts, wanted, separators, |name, wanted| php_name(name) == wanted),
                form_values(&texts, wanted, separators, |name, wanted| name.trim().eq_ignore_ascii_case(wanted)),
                form_values(&texts, wanted, separators, |name, wanted| php_name(name).eq_ignore_ascii_case(wanted)),
            ];
            for values in readings {
                let (first, last) = (values.first().cloned(), values.last().cloned());
                let joined = values.join(",");
                assert_eq!([first.as_deref(), last.as_deref(), Some(&joined)], [Some(id); 3], "{query:?} {body:?}");
            }
        }
    }
}

fn form_name() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => Just("OrderID".to_owned()),
        2 => select(vec!["x", "Attach", "TotalFee", "MyOrderID", "WeixinTransactionID", ""]).prop_map(str::to_owned),
        1 => select(VARIANTS.to_vec()).prop_map(str::to_owned),
        1 => select(vec!["Order%49D", "%4frderID", "%4F%72%64%65%72%49%44", "Order%2549D"]).prop_map(str::to_owned),
        1 => "[OoRrDdEeIi%+._\\[\\]0459-]{0,9}",
    ]
}

fn form_value() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[A-Za-z0-9_|*@-]{0,6}",
        1 => "[A-Z](%7C|%2a|%40|%41|%20|%00|%zz|%u0041|\\+|;|=| )?[A-Z]",
        1 => "(%5F|%2d|%2541|%25|%2B|%41|%7a|%3B|%26|%3D|%C1%81|%30){1,3}",
        1 => "[a-z]{0,2}(;|&amp;)(OrderID|orderid|x)=[A-Z]",
    ]
}

fn form_text() -> impl Strategy<Value = String> {
    let other = vec((form_name(), form_value()), 0..4);
    let separator = select(vec!["&", "&", "&", ";", "&&"]);
    (other, form_value(), separator, any::<prop::sample::Index>(), any::<bool>()).prop_map(
        |(mut pairs, id, separator, at, with_order)| {
            if with_order {
                pairs.insert(at.index(pairs.len() + 1), ("OrderID".to_owned(), id));
            }
            pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(separator)
        },
    )
}

fn query_text() -> impl Strategy<Value = String> {
    prop_oneof![3 => Just(String::new()), 1 => form_text().prop_map(|text| text.replace(' ', "+"))]
}

// ---- JSON ----

/// A document as it was written, duplicates and all.
enum Tree {
    Object(Vec<(String, Tree)>),
    Array(Vec<Tree>),
    Text(String),
    Other,
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TreeVisitor;
        impl<'de> Visitor<'de> for TreeVisitor {
            type Value = Tree;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Tree::Object(members))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Tree::Array(items))
            }
            fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
                Ok(Tree::Text(text.to_owned()))
            }
            fn visit_bool<E>(self, _: bool) -> Result<Tree, E> {
                Ok(Tree::Other)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Tree, E> {
                Ok(Tree::Other)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Tree, E> {
                Ok(Tree::Other)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Tree, E> {
                Ok(Tree::Other)
            }
            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Other)
            }
        }
        deserializer.deserialize_any(TreeVisitor)
    }
}

impl Tree {
    /// Every text found on the path, duplicates included, keys compared by `same`.
    fn on_path(&self, path: &[&str], same: &dyn Fn(&str, &str) -> bool) -> Vec<String> {
        match (self, path) {
            (Self::Text(text), []) => vec![text.clone()],
            (Self::Object(members), [first, rest @ ..]) => members
                .iter()
                .filter(|(key, _)| same(key, first))
                .flat_map(|(_, tree)| tree.on_path(rest, same))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Every text under the key, at any depth.
    fn anywhere(&self, wanted: &str) -> Vec<String> {
        match self {
            Self::Object(members) => members
                .iter()
                .flat_map(|(key, tree)| {
                    let mut occurrences = tree.anywhere(wanted);
                    if key.eq_ignore_ascii_case(wanted) {
                        occurrences.extend(tree.on_path(&[], &|_, _| false));
                    }
                    occurrences
                })
                .collect(),
            Self::Array(items) => items.iter().flat_map(|item| item.anywhere(wanted)).collect(),
            Self::Text(_) | Self::Other => Vec::new(),
        }
    }
}

fn assert_json_agrees(body: &[u8], id: &str, claim_everywhere: bool) {
    // A half of a character is a question mark to many.
    let body = String::from_utf8_lossy(body).replace("\\ud83e", "\\u003f");
    let tree: Tree = serde_json::from_str(&body).unwrap();
    let path = ["data", "order_id"];
    assert_eq!(tree.on_path(&path, &|key, wanted| key == wanted), [id]);
    assert_eq!(tree.on_path(&path, &|key, wanted| key.eq_ignore_ascii_case(wanted)), [id]);
    assert_eq!(tree.on_path(&path, &|key, wanted| php_name(key) == wanted), [id]);
    assert_eq!(tree.on_path(&path, &|key, wanted| fold::fold(key) == fold::fold(wanted)), [id]);
    // Those who look a dotted path up take a key of that name for it, and may prefer it.
    let dotted = |key: &str, wanted: &str| php_name(key).eq_ignore_ascii_case(&php_name(wanted));
    assert_eq!(tree.on_path(&["data.order_id"], &dotted), [""; 0]);
    if claim_everywhere {
        assert_eq!(tree.anywhere("order_id"), [id]);
    }
    let last_wins: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(last_wins["data"]["order_id"], id);
}

fn json_text() -> impl Strategy<Value = String> {
    let keys = [
        "data",
        "order_id",
        "txn",
        "x",
        "user",
        "Data",
        "ORDER_ID",
        "order_id[]",
        "data.order_id",
        "data_order_id",
        "order\\u005fid",
        "order_id\\ud83e",
        "",
    ];
    let scalar = prop_oneof![
        Just("1".to_owned()),
        Just("null".to_owned()),
        Just("\"\"".to_owned()),
        "\"[A-Z]{1,4}\"",
        Just("\"\\u0041\"".to_owned()),
        Just("\"B\\ud83e\"".to_owned())
    ];
    let value = scalar.prop_recursive(3, 12, 3, move |inner| {
        let members = vec((select(keys.to_vec()), inner.clone()), 0..3);
        prop_oneof![
            2 => members.prop_map(|members| object(&members)),
            1 => vec(inner, 0..3).prop_map(|items| format!("[{}]", items.join(","))),
        ]
    });
    let inside = vec((select(keys.to_vec()), value.clone()), 0..2);
    let beside = vec((select(keys.to_vec()), value), 0..2);
    ("[A-Za-z0-9_|*@-]{1,5}", inside, beside).prop_map(|(id, mut inside, mut beside)| {
        inside.insert(inside.len() / 2, ("order_id", format!("\"{id}\"")));
        beside.insert(beside.len() / 2, ("data", object(&inside)));
        object(&beside)
    })
}

fn object(members: &[(&str, String)]) -> String {
    let members: Vec<_> = members.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
    format!("{{{}}}", members.join(" ,"))
}

// ---- XML ----

/// The first text run of every element, as a DOM reader that asks for the first child sees it, and all of its text up
/// to the next tag.
fn xml_runs(body: &str) -> Vec<(String, String, String)> {
    let mut elements = Vec::new();
    let mut rest = body;
    while let Some(at) = rest.find('<') {
        rest = &rest[at..];
        if let Some(data) = rest.strip_prefix("<![CDATA[") {
            rest = &data[data.find("]]>").unwrap()..];
            continue;
        }
        let end = rest.find('>').unwrap();
        let name = rest[1..end].trim_end_matches(['/', ' ']).to_owned();
        let is_empty = rest[..end].ends_with('/');
        rest = &rest[end + 1..];
        if name.starts_with('/') || is_empty {
            continue;
        }
        let (mut runs, mut content) = (Vec::new(), rest);
        loop {
            if let Some(data) = content.strip_prefix("<![CDATA[") {
                let (data, behind) = data.split_once("]]>").unwrap();
                runs.push(data);
                content = behind;
            } else if content.starts_with('<') {
                break;
            } else {
                let end = content.find('<').unwrap();
                runs.push(&content[..end]);
                content = &content[end..];
            }
        }
        elements.push((name, (*runs.first().unwrap_or(&"")).to_owned(), runs.concat()));
    }
    elements
}

fn assert_xml_agrees(body: &[u8], id: &str) {
    let elements = xml_runs(std::str::from_utf8(body).unwrap());
    let named: Vec<_> = elements.iter().filter(|(name, ..)| name.eq_ignore_ascii_case("out_trade_no")).collect();
    assert_eq!(named, [&("out_trade_no".to_owned(), id.to_owned(), id.to_owned())]);
}

fn xml_text() -> impl Strategy<Value = String> {
    let names = ["out_trade_no", "OUT_TRADE_NO", "transaction_id", "attach", "out_trade_no.x", "Transaction_Id"];
    let runs =
        ["A", "<![CDATA[B]]>", "<![CDATA[]]>", " ", "&#65;", "<![CDATA[<out_trade_no>C</out_trade_no>]]>", "&lt;"];
    let value = prop_oneof![
        3 => "[A-Za-z0-9_|*@-]{1,5}",
        3 => "[A-Za-z0-9]{1,5}".prop_map(|text| format!("<![CDATA[{text}]]>")),
        2 => Just(String::new()),
        1 => vec(select(runs.to_vec()), 0..3).prop_map(|runs| runs.concat()),
    ];
    let order = select(vec!["out_trade_no"]);
    let name = prop_oneof![1 => order, 3 => select(names.to_vec())];
    let element = (name, value, any::<bool>()).prop_map(|(name, value, short)| {
        if value.is_empty() && short { format!("<{name}/>") } else { format!("<{name}>{value}</{name}>") }
    });
    vec(element, 1..4).prop_map(|elements| format!("<xml>{}</xml>", elements.join("\n")))
}

// ---- the properties ----

/// Reads, and if that goes well, gives the id to the check, and again when the blank is filled.
fn check(sent: &Sent, fields: &ClaimFields, agrees: impl Fn(&Sent, &str)) {
    let Ok(id) = sent.order(fields) else { return };
    agrees(sent, &id);
    if let Some(filled) = filled(sent, fields) {
        agrees(&filled, &id);
    }
}

fn text(sent: &Sent) -> &str {
    std::str::from_utf8(&sent.body).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_backend_reads_the_same_id_from_an_accepted_form(body in form_text(), query in query_text()) {
        let fields = ClaimFields { amount: None, ..app() };
        let agrees = |sent: &Sent, id: &str| assert_forms_agree(&sent.query, text(sent), "OrderID", id);
        check(&Sent::form(body).and_query(&query), &fields, agrees);
    }

    #[test]
    fn every_backend_reads_the_same_id_from_an_accepted_query(query in form_text(), body in query_text()) {
        let query = query.replace(' ', "+");
        let fields = ClaimFields { fill: Some(field("txn")), ..fields(Carrier::Query, "OrderID") };
        let agrees = |sent: &Sent, id: &str| assert_forms_agree(&sent.query, text(sent), "OrderID", id);
        check(&Sent::form(body).and_query(&query), &fields, agrees);
    }

    #[test]
    fn every_backend_reads_the_same_id_from_accepted_json(body in json_text()) {
        for claim_everywhere in [false, true] {
            let strictness = Strictness { claim_everywhere, ..Strictness::default() };
            let fields = ClaimFields { amount: None, strictness, ..json() };
            check(&Sent::json(&body), &fields, |sent, id| assert_json_agrees(&sent.body, id, claim_everywhere));
        }
    }

    #[test]
    fn every_backend_reads_the_same_id_from_accepted_xml(body in xml_text()) {
        check(&Sent::xml(body), &xml(), |sent, id| assert_xml_agrees(&sent.body, id));
    }

    #[test]
    fn no_bytes_make_a_reader_panic(body in vec(any::<u8>(), 0..120), query in "[!-~&&[^#<>\"`^{}\\\\]]{0,40}") {
        let sent = Sent::form(&body).and_query(&query);
        for (content_type, fields) in [(FORM, app()), ("application/json", json()), ("text/xml", xml())] {
            let _ = Sent::body(content_type, &body).order(&fields);
            let _ = sent.order(&fields);
        }
        let _ = Sent::form(&body).and_query(&query).order(&fields(Carrier::Query, "OrderID"));
    }

    #[test]
    fn damaged_bodies_never_make_a_reader_panic(body in prop_oneof![json_text(), xml_text(), form_text()], at: prop::sample::Index, byte: u8) {
        let mut body = body.into_bytes();
        body.push(b' ');
        let at = at.index(body.len());
        body[at] = byte;
        for (content_type, fields) in [(FORM, app()), ("application/json", json()), ("text/xml", xml())] {
            let _ = Sent::body(content_type, &body).order(&fields);
            let _ = Sent::body(content_type, &body[..at]).order(&fields);
        }
    }
}

/// The properties say nothing if everything is refused.
#[test]
fn the_strategies_make_enough_that_is_accepted() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    fn accepted(strategy: impl Strategy<Value = String>, fields: &ClaimFields, sent: fn(String) -> Sent) -> usize {
        let mut runner = TestRunner::deterministic();
        let bodies = (0..500).map(|_| strategy.new_tree(&mut runner).unwrap().current());
        bodies.filter(|body| sent(body.clone()).order(fields).is_ok()).count()
    }
    let counts = [
        accepted(form_text(), &ClaimFields { amount: None, ..app() }, Sent::form),
        accepted(json_text(), &ClaimFields { amount: None, ..json() }, Sent::json),
        accepted(xml_text(), &xml(), Sent::xml),
    ];
    assert!(counts.iter().all(|count| (25..475).contains(count)), "{counts:?}");
}
