//! The same name elsewhere in a JSON document (threats E-09, E-10).

use super::*;

const ELSEWHERE: [&str; 12] = [
    r#"{"data":{"order_id":"A"},"order_id":"B"}"#,
    r#"{"order_id":"B","data":{"order_id":"A"}}"#,
    r#"{"data":{"order_id":"A","more":{"order_id":"B"}}}"#,
    r#"{"x":[[{"orderid":"B"}]],"data":{"order_id":"A"}}"#,
    r#"{"data":{"order_id":"A","lines":[{"order_id":"B"},{"order_id":"C"}]}}"#,
    r#"{"data":{"order_id":"A"},"user":{"OrderId":5,"order_id":null}}"#,
    r#"{"data":{"order_id":"A"},"user":{"data":{"order_id":"B"}}}"#,
    r#"{"data":{"order_id":"A","data":{"order_id":"B"}}}"#,
    r#"{"data":{"order_id":"A"},"user":{"order_id[]":"B"}}"#,
    r#"{"data":{"order_id":"A","order_id_old":"B"},"x":{"order_id":{"y":1}}}"#,
    r#"{"data":{"order_id":"A"},"x":{"order_id":1,"Order_ID":2}}"#,
    r#"{"data":{"order_id":"A"},"x":[{"data":{"order_id":"B"}}]}"#,
];

fn everywhere(fields: ClaimFields) -> ClaimFields {
    ClaimFields { strictness: Strictness { claim_everywhere: true, ..Strictness::default() }, ..fields }
}

#[test]
fn the_same_name_under_another_parent_is_another_field() {
    for body in ELSEWHERE {
        assert_eq!(Sent::json(body).order(&json()).as_deref(), Ok("A"), "{body}");
    }
    let order = fields(Carrier::Json, "id");
    let body = r#"{"id":"B24","lines":[{"id":1},{"id":2}],"user":{"id":"u5"},"order":{"ID":7}}"#;
    assert_eq!(Sent::json(body).order(&order).as_deref(), Ok("B24"));
    let order = fields(Carrier::Json, "order_id");
    assert_eq!(Sent::json(r#"{"order":{"id":7},"order_id":"A"}"#).order(&order).as_deref(), Ok("A"));
    let two = ClaimFields { transaction: Some(field("id")), ..fields(Carrier::Json, "order.id") };
    for body in [r#"{"id":"42","order":{"id":"A"}}"#, r#"{"order":{"id":"A"},"id":"42"}"#] {
        let reader = ClaimReader::new(two.clone());
        let sent = Sent::json(body);
        let claim = sent.read_by(&reader).unwrap().claim;
        assert_eq!((claim.order.as_str(), claim.transaction_id), ("A", TransactionId::parse("42").ok()), "{body}");
    }
    // Only what is on the way is looked for.
    all_get(Reason::FieldMissing, &json(), [r#"{"order_id":"A"}"#, r#"{"data":[{"order_id":"A"}]}"#].map(Sent::json));
}

#[test]
fn claim_everywhere_refuses_it() {
    let beyond_today = [ELSEWHERE[9], r#"{"data":{"order_id":"A"},"data_":1}"#];
    for body in ELSEWHERE.iter().filter(|body| !beyond_today.contains(body)) {
        all_get(Reason::FieldRepeated, &everywhere(json()), [Sent::json(body)]);
    }
    all_get(Reason::FieldRepeated, &everywhere(json()), [Sent::json(r#"{"data":[{"order_id":"A"}]}"#)]);
    let nested = r#"{"id":"B24","lines":[{"id":1},{"id":2}]}"#;
    all_get(Reason::FieldRepeated, &everywhere(fields(Carrier::Json, "id")), [Sent::json(nested)]);
    assert_eq!(Sent::json(r#"{"data":{"order_id":"A"},"x":[1]}"#).order(&everywhere(json())).as_deref(), Ok("A"));
}

#[test]
fn a_spelling_of_the_way_is_refused_wherever_it_begins() {
    let repeated = [
        r#"{"data":{"order_id":"A"},"DATA":{"order_id":"B"}}"#,
        r#"{"Data":null,"data":{"order_id":"A"}}"#,
        r#"{"d\u0061ta[]":1,"data":{"order_id":"A"}}"#,
        r#"{"data.order_id":"B","data":{"order_id":"A"}}"#,
        r#"{"data[order_id]":"B","data":{"order_id":"A"}}"#,
        r#"{"data_order_id":"B","data":{"order_id":"A"}}"#,
        r#"{"data":{"order_id":"A","orderId":"B"}}"#,
        r#"{"data":{"order_id":"A","order_id\u0000":"B"}}"#,
        r#"{"data":{"order_id":"A","order_id.x":"B"}}"#,
    ];
    all_get(Reason::FieldRepeated, &json(), repeated.map(Sent::json));
    let twice = [
        r#"{"data":{"order_id":"A"},"data":{"order_id":"B"}}"#,
        r#"{"data":{"order_id":"A"},"d\u0061ta":{}}"#,
        r#"{"data":null,"data":{"order_id":"A"}}"#,
    ];
    all_get(Reason::FieldRepeated, &json(), twice.map(Sent::json));
    let beside = [r#"{"data":{"order_id":"A"},"x":{"a":1,"a":2}}"#, r#"{"x":1,"data":{"order_id":"A"},"x":1}"#];
    all_get(Reason::BodyMalformed, &json(), beside.map(Sent::json));
    // A copy in the query is refused by its last name too, and one of a query's field in the document.
    let sent = Sent::json(r#"{"data":{"order_id":"A"}}"#);
    for query in ["order_id=B", "data.order_id=B", "data[order_id]=B", "Order%5Fid=B"] {
        all_get(Reason::FieldRepeated, &json(), [sent.clone().and_query(query)]);
    }
    let by_query = ClaimFields { channel: vec![from(&["query.shop"])], ..json() };
    let sent = Sent::json(r#"{"Shop":"b","data":{"order_id":"A"}}"#).and_query("shop=a");
    all_get(Reason::FieldRepeated, &by_query, [sent]);
    let sent = Sent::json(r#"{"x":{"shop":"b"},"data":{"order_id":"A"}}"#).and_query("shop=a");
    assert_eq!(sent.order(&by_query).as_deref(), Ok("A"));
}

#[test]
fn an_order_of_many_lines_has_many_keys() {
    let lines: Vec<_> = (0..1300).map(|n| format!(r#"{{"sku":"s{n}","price":1,"id":{n}}}"#)).collect();
    let body = format!(r#"{{"id":"A","lines":[{}]}}"#, lines.join(","));
    let order = fields(Carrier::Json, "id");
    assert_eq!(Sent::json(&body).order(&order).as_deref(), Ok("A"));
    let few = Strictness { json_keys: 3901, ..Strictness::default() };
    all_get(Reason::BodyMalformed, &ClaimFields { strictness: few, ..order.clone() }, [Sent::json(&body)]);
    let enough = Strictness { json_keys: 3902, ..Strictness::default() };
    assert_eq!(Sent::json(&body).order(&ClaimFields { strictness: enough, ..order.clone() }).as_deref(), Ok("A"));
    // Of many keys in one object none may be there twice.
    let keys = |last: usize| {
        let keys: Vec<_> = (0..4000).chain([last]).map(|key| format!("\"k{key}\":0")).collect();
        Sent::json(format!("{{\"id\":\"A\",{}}}", keys.join(",")))
    };
    assert_eq!(keys(4000).order(&order).as_deref(), Ok("A"));
    all_get(Reason::BodyMalformed, &order, [keys(3), keys(3999), keys(40)]);
}
