//! `content_type: any` (threats E-06, E-07): bodies that are called something else, and those that a backend could read
//! by what they are called.

use super::*;

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
        // Called something else, or nothing, it is no form to anybody.
        assert_eq!(Sent::body("text/plain", &body).order(&any(json())).as_deref(), Ok("A"), "{body}");
        assert_eq!(Sent::json(&body).order(&any(json())).as_deref(), Ok("A"), "{body}");
    }
    let hidden = "<xml><out_trade_no>A</out_trade_no><attach><![CDATA[a&out_trade_no=B&c]]></attach></xml>";
    all_get(Reason::FieldRepeated, &any(xml()), [Sent::body(FORM, hidden)]);
    let harmless = "<xml><out_trade_no>A</out_trade_no><attach><![CDATA[a=1&b=2;c]]></attach><n>&lt;</n></xml>";
    assert_eq!(Sent::body(FORM, harmless).order(&any(xml())).as_deref(), Ok("A"));
    for body in [r#"{"OrderID":"B","x":"&OrderID=A&"}"#, " [1,\"&OrderID=A\"]", "<a>&OrderID=A&</a>"] {
        all_get(Reason::BodyMalformed, &any(app()), [Sent::body("application/json", body), Sent::form(body)]);
    }
}
