//! Claims in multipart/form-data (threat E-08), held against readers of other habits.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn multipart() -> ClaimFields {
    ClaimFields { carrier: Carrier::Multipart, channel: vec![is(None, "app")], ..app() }
}

/// Parts by their heads and contents.
fn body(parts: &[(&str, &str)]) -> String {
    let parts: String = parts.iter().map(|(head, content)| format!("--xYz\r\n{head}\r\n\r\n{content}\r\n")).collect();
    format!("{parts}--xYz--\r\n")
}

fn sent(body: impl AsRef<[u8]>) -> Sent {
    Sent::body("multipart/form-data; boundary=xYz", body)
}

fn named(name: &str) -> String {
    format!("Content-Disposition: form-data; name=\"{name}\"")
}

/// What curl, PHP, Java, .NET and Python write.
#[test]
fn honest_parts_are_read() {
    let fee = named("TotalFee");
    for head in [
        named("OrderID"),
        "Content-Disposition: form-data; name=OrderID".to_owned(),
        "content-disposition: form-data; name=\"OrderID\"\r\nContent-Type: text/plain; charset=UTF-8".to_owned(),
        "Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=OrderID".to_owned(),
        "Content-Disposition: form-data; name=\"OrderID\"\r\nContent-Length: 3".to_owned(),
        "Content-Disposition:form-data;name=\"OrderID\"\r\nContent-Type: text/plain;charset=\"ISO-8859-1\"".to_owned(),
    ] {
        let form = body(&[
            (&head, "A-1"),
            (&fee, "6600"),
            (
                "Content-Disposition: form-data; name=\"图\"; filename=\"C:\\图.png\"; filename*=UTF-8''%E5%9B%BE.png\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary",
                "\u{1}\r\n--x\0",
            ),
        ]);
        let reader = ClaimReader::new(multipart());
        let sent = sent(form);
        let callback = sent.read_by(&reader).unwrap_or_else(|error| panic!("{head}: {error}"));
        assert_eq!((callback.claim.order.as_str(), callback.claim.amount), ("A-1", Some(Fen(6600))), "{head}");
    }
    let plain = body(&[(&named("OrderID"), "A")]);
    for content_type in [
        "multipart/form-data; boundary=\"xYz\"",
        "Multipart/Form-Data; Boundary=xYz",
        "multipart/form-data; charset=utf-8; boundary=xYz",
    ] {
        assert_eq!(Sent::body(content_type, &plain).order(&multipart()).as_deref(), Ok("A"), "{content_type}");
    }
    // As the guides for Android write it.
    let stars = plain.replace("xYz", "*****");
    assert_eq!(Sent::body("multipart/form-data;boundary=*****", stars).order(&multipart()).as_deref(), Ok("A"));
    let quoted = plain.replace("xYz", "----=_Part_0_12.34");
    let content_type = "multipart/form-data; boundary=\"----=_Part_0_12.34\"";
    assert_eq!(Sent::body(content_type, quoted).order(&multipart()).as_deref(), Ok("A"));
    for body in [plain.trim_end().to_owned(), format!("\r\n{plain}")] {
        assert_eq!(sent(body).order(&multipart()).as_deref(), Ok("A"));
    }
    all_get(Reason::FieldMissing, &multipart(), [sent("--xYz--"), sent(body(&[(&named("OrderID"), "")]))]);
}

#[test]
fn e_08_one_part_for_each_field_and_no_other_spelling() {
    let order = named("OrderID");
    let twice = [
        "OrderID",
        "orderid",
        "Order_ID",
        "OrderID[]",
        "OrderID.x",
        " OrderID",
        "Order%49D",
        "order%69d",
        "ＯrderID",
        "OrderID\\",
    ];
    for name in &twice[..9] {
        let head = named(name);
        all_get(
            Reason::FieldRepeated,
            &multipart(),
            [sent(body(&[(&order, "A"), (&head, "B")])), sent(body(&[(&head, "B"), (&order, "A")]))],
        );
    }
    for name in &twice[1..9] {
        all_get(Reason::FieldRepeated, &multipart(), [sent(body(&[(&named(name), "A")]))]);
    }
    let whole = sent(body(&[(&order, "A")]));
    all_get(
        Reason::FieldRepeated,
        &multipart(),
        [whole.clone().and_query("OrderID=A"), whole.clone().header("cookie", "orderid=A")],
    );
    for value in ["A ", " A", "A\r\n", "A\n", "%41", "A+B", "订", "\u{feff}A", "A\0"] {
        all_get(Reason::FieldMalformed, &multipart(), [sent(body(&[(&order, value)]))]);
    }
}

#[test]
fn e_08_a_claim_in_a_file_or_under_a_coding_is_refused() {
    for head in [
        "Content-Disposition: form-data; name=\"OrderID\"; filename=\"a.txt\"",
        "Content-Disposition: form-data; name=\"OrderID\"; filename=\"\"",
        "Content-Disposition: form-data; filename=\"a.txt\"; name=\"OrderID\"",
        "Content-Disposition: form-data; name=\"OrderID\"; filename*=utf-8''a",
        "Content-Disposition: form-data; name=\"OrderID\"\r\nContent-Transfer-Encoding: base64",
        "Content-Disposition: form-data; name=\"OrderID\"\r\nContent-Transfer-Encoding: 8bit",
        "Content-Disposition: form-data; name=\"OrderID\"\r\nContent-Type: application/json",
        "Content-Disposition: form-data; name=\"OrderID\"\r\nContent-Type: text/plain; charset=utf-16",
        "Content-Disposition: form-data; name=\"OrderID\"\r\nContent-Type: text/plain; charset=utf-7",
        "Content-Disposition: form-data; name=\"OrderID\"\r\nContent-Type: text/plain; charset=utf-8; charset=utf-7",
        "Content-Disposition: form-data; name=\"OrderID\"\r\nContent-Encoding: gzip",
    ] {
        all_get(Reason::FieldMalformed, &multipart(), [sent(body(&[(head, "QQ")]))]);
    }
}

#[test]
fn e_08_parts_that_programs_find_differently_are_refused() {
    let order = named("OrderID");
    for head in [
        "Content-Disposition: form-data",
        "Content-Disposition: form-data; name",
        "Content-Disposition: form-data; name=",
        "Content-Disposition: form-data; name=\"x\"; name=\"OrderID\"",
        "Content-Disposition: form-data; name=\"x\"; name*=utf-8''OrderID",
        "Content-Disposition: form-data; name*=utf-8''OrderID",
        "Content-Disposition: form-data; name=\"x\\\"; name=\\\"OrderID\"",
        "Content-Disposition: form-data; name=\"x\" name=\"OrderID\"",
        "Content-Disposition: form-data, name=\"OrderID\"",
        "Content-Disposition: form-data; name=\"x",
        "Content-Disposition: form-data; name = \"OrderID\"",
        "Content-Disposition: attachment; name=\"OrderID\"",
        "Content-Disposition: form-data; name='OrderID'; x=1",
        // PHP takes ' for a quote, so that a name begins in the middle of what is a file's name to others.
        "Content-Disposition: form-data; name=x'; filename=\"a'; name=OrderID; z\"",
        "Content-Disposition: form-data; name=x; filename*=a'; filename=\"b'; name=OrderID; z\"",
        "Content-Disposition: form-data; name=\"x\"; filename=\"a; name=OrderID; z\"",
        "Content-Disposition: form-data; name=\"x; name=OrderID\"",
        "Content-Disposition: form-data; name=\"x\"\r\nContent-Disposition: form-data; name=\"OrderID\"",
        "Content-Disposition: form-data;\r\n name=\"OrderID\"",
        "Content-Disposition: form-data; name=\"x\"\n\nOrderID",
        "Content-Disposition: form-data; name=\"x\"\nContent-Disposition: form-data; name=\"OrderID\"",
        "Content-Disposition : form-data; name=\"OrderID\"",
        "Content-Disposition: form-data; name=\"x\"\r\nContent-Type: multipart/mixed; boundary=y",
        "Content-Disposition: form-data; name=\"x\"\r\nContent-Length: 9",
        "Content-Disposition: form-data; name=\"_charset_\"",
        "Content-Disposition: form-data; name=\"=?utf-8?Q?OrderID?=\"",
        "Content-Type: text/plain",
        "OrderID",
        "",
    ] {
        all_get(Reason::BodyMalformed, &multipart(), [sent(body(&[(&order, "A"), (head, "B")]))]);
    }
    let hidden = format!("--xYz\r\n{order}\r\n\r\nB\r\n");
    let whole = body(&[(&order, "A")]);
    for damaged in [
        String::new(),
        format!("\r\n\r\n{whole}"),
        format!("\n{whole}"),
        format!("preamble\r\n{whole}"),
        format!("{whole}epilogue"),
        format!("{whole}\r\n"),
        format!("{whole}{hidden}--xYz--\r\n"),
        whole.replace("--xYz--", "--xYz"),
        whole.replace("\r\n", "\n"),
        whole.replace("--xYz\r\n", "--xYz \r\n"),
        whole.replace("--xYz\r\n", "--xYz\t\r\n"),
        whole.replace("--xYz--", "--xYz --"),
        whole.replace("A\r\n", "A\r\n--xYzz\r\n"),
        whole.replace("A\r\n", "A\n--xYz\n"),
        whole.replace("\r\nA\r\n", "\r\nA--xYz\r\n"),
        whole.replace("\r\n\r\nA\r\n", "\r\n"),
        body(&[(&order, "A"), (&named("x"), &format!("y\n--xYz\n{order}\n\nB\n"))]),
        body(&[(&order, "A"), (&named("x"), "--xYz--")]),
        body(&vec![(named("x").as_str(), "1"); 257]),
        body(&[(&order, "A"), (&named(&"x".repeat(5000)), "1")]),
    ] {
        all_get(Reason::BodyMalformed, &multipart(), [sent(damaged)]);
    }
    for content_type in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=xYz; boundary=y",
        "multipart/form-data; boundary=x,Yz",
        "multipart/form-data; boundary=\"=?utf-8?Q?xYz?=\"",
        "multipart/form-data; boundary=\"xYz",
        "multipart/form-data; boundary=x Yz",
        "multipart/form-data; boundary=xYz; charset=gbk",
        "multipart/form-data; boundary=xYz; x=1",
        "multipart/mixed; boundary=xYz",
        FORM,
        "",
    ] {
        all_get(Reason::UnsupportedMediaType, &multipart(), [Sent::body(content_type, &whole)]);
    }
    let long = format!("multipart/form-data; boundary={}", "x".repeat(71));
    all_get(
        Reason::UnsupportedMediaType,
        &multipart(),
        [Sent::body(&long, &whole), Sent::default().with_body(whole.into())],
    );
}

#[test]
fn a_part_is_filled_or_added() {
    let id = txn();
    let order = (named("OrderID"), "A".to_owned());
    let txn = named("WeixinTransactionID");
    let with = |value: &str| body(&[(&order.0, &order.1), (&txn, value), (&named("z"), "1")]);
    assert_eq!(filled(&sent(with("")), &multipart()).unwrap().body, with(id.as_str()));
    let absent = body(&[(&order.0, &order.1)]);
    let added = body(&[(&order.0, &order.1), (&txn, id.as_str())]);
    assert_eq!(filled(&sent(absent), &multipart()).unwrap().body, added);
    let query = ClaimFields { fill: Some(field("query.txn")), transaction: None, ..multipart() };
    assert_eq!(filled(&sent(body(&[(&order.0, "A")])), &query).unwrap().query, format!("txn={id}"));
}

// ---- other readers ----

/// The parts by a reader that takes any line end, skips what is before the first boundary, and cares for no case.
fn lenient(body: &str, stops_at_end: bool) -> Vec<(String, String)> {
    let body = body.replace("\r\n", "\n");
    let mut occurrences = Vec::new();
    let mut pieces = body.split("--xYz");
    pieces.next();
    for piece in pieces {
        if piece.starts_with("--") && stops_at_end {
            break;
        }
        let Some((head, content)) = piece.split_once("\n\n") else { continue };
        let head = head.replace("\n ", " ").to_lowercase();
        for (at, _) in head.match_indices("name=") {
            if head[..at].ends_with(|c: char| c.is_alphanumeric()) {
                continue;
            }
            let name = head[at + 5..].trim_start_matches('"').split(['"', ';', '\n']).next().unwrap().trim();
            occurrences.push((name.to_owned(), content.strip_suffix('\n').unwrap_or(content).to_owned()));
        }
    }
    occurrences
}

fn piece() -> impl Strategy<Value = String> {
    let line = select(vec![
        "--xYz\r\n",
        "--xYz\n",
        "--xYz--\r\n",
        "--xYz",
        "\r\n",
        "\n",
        "\r\n\r\n",
        "Content-Disposition: form-data; name=\"OrderID\"\r\n",
        "Content-Disposition: form-data; name=\"x\"; name=\"OrderID\"\r\n",
        "Content-Disposition: form-data; name=orderid\r\n",
        "Content-Type: text/plain\r\n",
        "B\r\n",
        " name=\"OrderID\"\r\n",
        "\"",
        ";",
    ]);
    let part =
        select(vec!["OrderID", "x", "y", "orderid"]).prop_map(|name| format!("--xYz\r\n{}\r\n\r\nA\r\n", named(name)));
    prop_oneof![3 => part, 1 => line.prop_map(str::to_owned)]
}

fn document() -> impl Strategy<Value = String> {
    let order = format!("--xYz\r\n{}\r\n\r\nA\r\n", named("OrderID"));
    (vec(piece(), 0..4), vec(piece(), 0..3))
        .prop_map(move |(before, behind)| format!("{}{order}{}--xYz--\r\n", before.concat(), behind.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn every_reader_finds_the_same_claim_in_an_accepted_body(body in document()) {
        let fields = ClaimFields { channel: vec![is(None, "app")], ..fields(Carrier::Multipart, "OrderID") };
        if let Ok(id) = sent(&body).order(&fields) {
            for stops_at_end in [true, false] {
                let occurrences = lenient(&body, stops_at_end);
                let values: Vec<_> = occurrences.iter().filter(|(name, _)| name == "orderid").map(|(_, value)| value.as_str()).collect();
                prop_assert_eq!(values, [id.as_str()], "{:?}", body);
            }
        }
    }

    #[test]
    fn no_multipart_makes_the_reader_panic(mut body in document().prop_map(String::into_bytes), at: prop::sample::Index, byte: u8) {
        let _ = sent(&body).order(&multipart());
        let at = at.index(body.len());
        body[at] = byte;
        let _ = sent(&body).order(&multipart());
        let _ = sent(&body[..at]).order(&multipart());
    }
}

/// The property says nothing if everything is refused.
#[test]
fn the_bodies_are_accepted_and_refused() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let bodies = (0..1000).map(|_| document().new_tree(&mut runner).unwrap().current());
    let accepted = bodies.filter(|body| sent(body).order(&multipart()).is_ok()).count();
    assert!((50..900).contains(&accepted), "{accepted}");
}
