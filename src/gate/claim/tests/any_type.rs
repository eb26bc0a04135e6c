//! `content_type: any` (threats E-06, E-07): bodies that are called something else, and those that a backend could read
//! by what they are called.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn any(fields: ClaimFields) -> ClaimFields {
    let strictness = Strictness { content_type: ContentType::Any, ..Strictness::default() };
    ClaimFields { strictness, ..fields }
}

const JSON: &str = r#"{"data":{"order_id":"A"}}"#;
const XML: &str = "<xml><out_trade_no>A</out_trade_no><attach>x</attach></xml>";

#[test]
fn the_body_is_read_as_the_carrier_whatever_it_is_called() {
    let types = [
        FORM,
        "text/plain",
        "text/html; charset=utf8",
        "application/octet-stream",
        "application/json",
        "text/xml",
        "",
        "*/*",
    ];
    for (fields, body) in [(json(), JSON), (xml(), XML), (app(), "OrderID=A")] {
        for content_type in types {
            let sent = Sent::body(content_type, body);
            assert_eq!(sent.order(&any(fields.clone())).as_deref(), Ok("A"), "{content_type} {body}");
        }
        let untyped = Sent::default().with_body(body.into());
        assert_eq!(untyped.order(&any(fields)).as_deref(), Ok("A"), "{body}");
    }
    let with_parameter = Sent::body("text/plain; format=flowed; charset=utf-8", JSON);
    assert_eq!(with_parameter.order(&any(json())).as_deref(), Ok("A"));
    assert_eq!(Sent::body("text/plain; charset=gbk", "OrderID=A&n=%D6%D0").order(&any(app())).as_deref(), Ok("A"));
}

#[test]
fn what_changes_the_bytes_meaning_is_refused_all_the_same() {
    for content_type in [
        "text/plain; charset=utf-16",
        "text/plain; charset=utf-7",
        "application/json; charset=gbk",
        "text/plain; charset=utf-8; charset=utf-7",
        "text/plain; charset = utf-7",
        "multipart/form-data; boundary=x",
        "Multipart/Mixed; boundary=\"x\"",
    ] {
        all_get(Reason::UnsupportedMediaType, &any(json()), [Sent::body(content_type, JSON)]);
        all_get(Reason::UnsupportedMediaType, &any(xml()), [Sent::body(content_type, XML)]);
    }
    all_get(
        Reason::UnsupportedMediaType,
        &any(json()),
        [
            Sent::body(FORM, JSON).header("content-type", "text/plain"),
            Sent::body(FORM, JSON).header("content-encoding", "gzip"),
        ],
    );
}

#[test]
fn a_claim_that_the_other_parser_would_find_is_refused() {
    let hidden = r#"{"data":{"order_id":"A"},"note":"&NAME=B&"}"#;
    for name in ["data.order_id", "order_id", "Order%5Fid", "data[order_id]", "+order_id"] {
        let body = hidden.replace("NAME", name);
        all_get(Reason::FieldRepeated, &any(json()), [Sent::body(FORM, &body)]);
        // Rack, CGI.pm and Python's cgi take a body that is called nothing for a form.
        let untyped = Sent::default().with_body(body.clone().into());
        all_get(Reason::FieldRepeated, &any(json()), [untyped, Sent::body("", &body), Sent::body(" ;x=1", &body)]);
        // Called something else, it is no form to anybody.
        assert_eq!(Sent::body("text/plain", &body).order(&any(json())).as_deref(), Ok("A"), "{body}");
        assert_eq!(Sent::json(&body).order(&any(json())).as_deref(), Ok("A"), "{body}");
    }
    let hidden = "<xml><out_trade_no>A</out_trade_no><attach><![CDATA[a&out_trade_no=B&c]]></attach></xml>";
    all_get(Reason::FieldRepeated, &any(xml()), [Sent::body(FORM, hidden)]);
    let harmless = "<xml><out_trade_no>A</out_trade_no><attach><![CDATA[a=1&b=2;c]]></attach><n>&lt;</n></xml>";
    assert_eq!(Sent::body(FORM, harmless).order(&any(xml())).as_deref(), Ok("A"));
    for body in [
        r#"{"OrderID":"B","x":"&OrderID=A&"}"#,
        "\u{feff}{\"OrderID\":\"B\",\"x\":\"&OrderID=A&\"}",
        "/**/{\"OrderID\":\"B\",\"x\":\"&OrderID=A&\"}",
        " [1,\"&OrderID=A\"]",
        "[1]&OrderID=A",
        "<a>&OrderID=A&</a>",
    ] {
        all_get(Reason::BodyMalformed, &any(app()), [Sent::body("application/json", body), Sent::form(body)]);
    }
}

/// What PHP and others find under the name in a body that is called a form, in any case.
fn as_form(body: &str, wanted: &str) -> Vec<String> {
    let pairs = body.split(['&', ';']).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let decoded =
        |text: &str| percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let named = pairs.filter(|(name, _)| {
        let name = decoded(name).trim().replace(['.', ' '], "_").to_lowercase();
        name.split('[').next() == Some(wanted)
    });
    named.map(|(_, value)| decoded(value)).collect()
}

fn note() -> impl Strategy<Value = String> {
    let piece = select(vec!["&", ";", "=", "id", "ID", "i%64", "+id", "id[]", "B", "x", "%20", "[", "."]);
    vec(piece, 0..7).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn no_form_of_the_claim_is_found_in_json_that_is_called_one(before in note(), behind in note()) {
        let body = format!(r#"{{"a":"{before}","id":"A","b":"{behind}"}}"#);
        if Sent::body(FORM, &body).order(&any(fields(Carrier::Json, "id"))).is_ok() {
            prop_assert_eq!(as_form(&body, "id"), [""; 0], "{}", body);
        }
    }

    #[test]
    fn no_form_of_the_claim_is_found_in_xml_that_is_called_one(before in note(), behind in note()) {
        let body = format!("<xml><a><![CDATA[{before}]]></a><id>A</id><b><![CDATA[{behind}]]></b></xml>");
        if Sent::body(FORM, &body).order(&any(fields(Carrier::Xml, "id"))).is_ok() {
            prop_assert_eq!(as_form(&body, "id"), [""; 0], "{}", body);
        }
    }
}

/// The properties say nothing if everything is refused, or if nothing would be found.
#[test]
fn the_notes_are_accepted_and_refused() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let bodies: Vec<_> = (0..1000)
        .map(|_| format!(r#"{{"id":"A","b":"{}"}}"#, note().new_tree(&mut runner).unwrap().current()))
        .collect();
    let fields = any(fields(Carrier::Json, "id"));
    let accepted = bodies.iter().filter(|body| Sent::body(FORM, body).order(&fields).is_ok()).count();
    let fooling = bodies.iter().filter(|body| !as_form(body, "id").is_empty()).count();
    assert!((200..990).contains(&accepted) && fooling > 10, "{accepted} accepted, {fooling} fooling");
}
