//! Where the verified id is written.

use super::*;

#[test]
fn the_verified_id_goes_where_the_backend_looks_for_it() {
    let id = txn();
    let bodies = [
        (app(), Sent::form("OrderID=A"), format!("OrderID=A&WeixinTransactionID={id}")),
        (app(), Sent::form("WeixinTransactionID=&OrderID=A"), format!("WeixinTransactionID={id}&OrderID=A")),
        (app(), Sent::form("WeixinTransactionID&OrderID=A"), format!("WeixinTransactionID={id}&OrderID=A")),
        (app(), Sent::form("OrderID=A&WeixinTransactionID"), format!("OrderID=A&WeixinTransactionID={id}")),
        (
            json(),
            Sent::json(r#" {"data": {"order_id":"A"}}"#),
            format!(r#" {{"data": {{"txn":"{id}","order_id":"A"}}}}"#),
        ),
        (
            json(),
            Sent::json(r#"{"data":{"order_id":"A","txn":""}}"#),
            format!(r#"{{"data":{{"order_id":"A","txn":"{id}"}}}}"#),
        ),
        (
            json(),
            Sent::json(r#"{"data":{"txn": null ,"order_id":"A"}}"#),
            format!(r#"{{"data":{{"txn": "{id}" ,"order_id":"A"}}}}"#),
        ),
        (
            xml(),
            Sent::xml("<xml><out_trade_no>A</out_trade_no>\n</xml>\n"),
            format!("<xml><out_trade_no>A</out_trade_no>\n<transaction_id>{id}</transaction_id></xml>\n"),
        ),
        (
            xml(),
            Sent::xml(
                "<xml><a><![CDATA[<transaction></transaction>]]></a><transaction_id /><out_trade_no>A</out_trade_no></xml>",
            ),
            format!(
                "<xml><a><![CDATA[<transaction></transaction>]]></a><transaction_id>{id}</transaction_id><out_trade_no>A</out_trade_no></xml>"
            ),
        ),
        (
            xml(),
            Sent::xml("<xml><transaction_id><![CDATA[]]></transaction_id ><out_trade_no>A</out_trade_no></xml >"),
            format!("<xml><transaction_id>{id}</transaction_id><out_trade_no>A</out_trade_no></xml >"),
        ),
    ];
    for (fields, sent, wanted) in bodies {
        let filled = filled(&sent, &fields).unwrap();
        assert_eq!(String::from_utf8_lossy(&filled.body), wanted);
    }
    let query = ClaimFields { fill: Some(field("txn")), ..fields(Carrier::Query, "OrderID") };
    assert_eq!(filled(&Sent::query("OrderID=A"), &query).unwrap().query, format!("OrderID=A&txn={id}"));
    let in_query = ClaimFields { fill: Some(field("query.txn")), ..fields(Carrier::Form, "OrderID") };
    assert_eq!(filled(&Sent::form("OrderID=A"), &in_query).unwrap().query, format!("txn={id}"));
    let in_query = ClaimFields { fill: Some(field("query.txn")), ..fields(Carrier::Json, "id") };
    assert_eq!(filled(&Sent::json(r#"{"id":"A"}"#), &in_query).unwrap().query, format!("txn={id}"));
}

#[test]
fn a_json_field_without_a_parent_is_filled_at_the_top_only() {
    let top = ClaimFields { fill: Some(field("t\"xn")), ..fields(Carrier::Json, "id") };
    let body = filled(&Sent::json(r#"{"id":"A"}"#), &top).unwrap().body;
    assert_eq!(body, format!(r#"{{"t\"xn":"{}","id":"A"}}"#, txn()));
    let nested = ClaimFields { fill: Some(field("pay.txn")), ..fields(Carrier::Json, "id") };
    for body in [r#"{"id":"A"}"#, r#"{"id":"A","pay":null}"#, r#"{"id":"A","pay":[]}"#] {
        assert!(filled(&Sent::json(body), &nested).is_none(), "{body}");
    }
    let body = filled(&Sent::json(r#"{"pay":{},"id":"A"}"#), &nested).unwrap().body;
    assert_eq!(body, format!(r#"{{"pay":{{"txn":"{}"}},"id":"A"}}"#, txn()));
}
