//! Charsets that forms declare (threat E-06).

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

fn declared(charset: &str, body: impl AsRef<[u8]>) -> Sent {
    Sent::body(&format!("{FORM}; charset={charset}"), body)
}

const SUPERSETS: [&str; 9] =
    ["iso-8859-1", "ISO-8859-1", "windows-1252", "gbk", "GBK", "gb2312", "gb18030", "big5", "us-ascii"];

#[test]
fn a_form_in_a_superset_of_ascii_is_read_if_its_claims_are_ascii() {
    for charset in SUPERSETS {
        assert_eq!(declared(charset, "OrderID=A&Attach=x+y").order(&app()).as_deref(), Ok("A"), "{charset}");
        let query = declared(charset, "x=1").and_query("OrderID=A");
        assert_eq!(query.order(&fields(Carrier::Query, "OrderID")).as_deref(), Ok("A"), "{charset}");
        let wide = declared(charset, "OrderID=%D6%D0").order(&app()).unwrap_err();
        assert!([Reason::FieldMalformed, Reason::BodyMalformed].contains(&wide), "{charset} {wide}");
        all_get(Reason::FieldMalformed, &app(), [declared(charset, "OrderID=A%20")]);
        all_get(Reason::FieldRepeated, &app(), [declared(charset, "OrderID=A&orderid=B")]);
        all_get(Reason::FieldMissing, &app(), [declared(charset, "x=1")]);
    }
    // 中文, raw and escaped, and a name of the two.
    let gbk = [&b"OrderID=A&Attach=\xd6\xd0\xce\xc4"[..], b"Attach=%D6%D0%CE%C4&OrderID=A", b"\xd6\xd0=1&OrderID=A"];
    for charset in ["gbk", "gb2312", "gb18030", "iso-8859-1", "windows-1252"] {
        for body in gbk {
            assert_eq!(declared(charset, body).order(&app()).as_deref(), Ok("A"), "{charset} {body:?}");
        }
    }
    assert_eq!(declared("big5", b"OrderID=A&n=\xa4\xa4\xa4\xe5&m=%A4%A4").order(&app()).as_deref(), Ok("A"));
    // A character of four bytes, two of them digits.
    assert_eq!(declared("gb18030", b"n=\x81\x30\x81\x30&OrderID=A&m=%810%810").order(&app()).as_deref(), Ok("A"));
}

#[test]
fn what_is_not_in_the_declared_charset_is_refused() {
    for body in [
        &b"OrderID=A&Attach=\xd6"[..],
        b"Attach=\xd6&OrderID=A",
        b"Attach=%D6&OrderID=A",
        b"OrderID=A&Attach=%D6",
        b"OrderID=A&\xd6=1",
        b"OrderID=A&%D6=1",
        b"OrderID=A&x=\xd6%D0",
        b"OrderID=A&x=%D6\xd0\xd6",
        b"OrderID=A&x=\xd6;OrderID=B",
        b"OrderID=A&x=%FF",
    ] {
        let reason = declared("gbk", body).order(&app()).unwrap_err();
        assert!([Reason::BodyMalformed, Reason::FieldRepeated].contains(&reason), "{reason}");
    }
    all_get(
        Reason::BodyMalformed,
        &app(),
        [
            declared("us-ascii", "OrderID=A&x=%D6%D0"),
            declared("big5", b"OrderID=A&x=\xa4"),
            declared("ascii", "OrderID=A&x=\u{e9}"),
        ],
    );
}

#[test]
fn a_name_that_is_a_claims_in_that_charset_only_is_refused() {
    // Full-width letters, which Windows maps to plain ones.
    let wide = "ＯｒｄｅｒＩＤ";
    let (gbk, ..) = encoding_rs::GBK.encode(wide);
    let (big5, ..) = encoding_rs::BIG5.encode(wide);
    let escaped = |bytes: &[u8]| bytes.iter().map(|byte| format!("%{byte:02X}")).collect::<String>();
    for (charset, name) in [("gbk", &gbk), ("gb18030", &gbk), ("big5", &big5)] {
        let raw = [b"OrderID=A&", &name[..], b"=B"].concat();
        let inner = [b"OrderID=A&x=1;", &name[..], b"=B"].concat();
        let escaped = format!("{}=B&OrderID=A", escaped(name));
        all_get(
            Reason::FieldRepeated,
            &app(),
            [declared(charset, raw), declared(charset, inner), declared(charset, escaped)],
        );
    }
    // A byte of a character before the name, or in it, hides the name from nobody.
    all_get(Reason::FieldRepeated, &app(), [declared("iso-8859-1", b"\xa0OrderID=B&OrderID=A")]);
}

/// The pairs that programs find: those that split bytes and decode each piece, those that decode first and split
/// characters, before and after escapes are undone. `None` for a program that takes the text for damaged.
fn readings(body: &[u8], encoding: &'static encoding_rs::Encoding) -> Vec<Vec<(String, String)>> {
    let lossy = |bytes: &[u8]| encoding.decode_without_bom_handling(bytes).0.into_owned();
    let unescape = |bytes: &[u8]| percent_encoding::percent_decode(bytes).collect::<Vec<u8>>();
    let pair = |piece: &str| {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        (name.to_owned(), value.to_owned())
    };
    let pieces = body.split(|byte| *byte == b'&');
    let by_bytes = pieces.clone().map(|piece| {
        let end = piece.iter().position(|byte| *byte == b'=').unwrap_or(piece.len());
        (lossy(&unescape(&piece[..end])), lossy(&unescape(piece.get(end + 1..).unwrap_or_default())))
    });
    let text = lossy(body);
    // Escapes of a text are undone into bytes of the same charset.
    let again = |text: &str| lossy(&unescape(&encoding.encode(text).0));
    let by_text = text.split('&').map(pair).map(|(name, value)| (again(&name), again(&value)));
    // The single bytes as PHP has them, which knows no charset.
    let latin = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
    let by_latin = pieces.map(|piece| {
        let (name, value) = pair(&latin(piece));
        (
            latin(&unescape(&name.chars().map(|c| c as u8).collect::<Vec<_>>())),
            latin(&unescape(&value.chars().map(|c| c as u8).collect::<Vec<_>>())),
        )
    });
    vec![by_bytes.collect(), by_text.collect(), by_latin.collect()]
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => Just(b"&OrderID=A".to_vec()),
        2 => Just(b"&x=".to_vec()),
        1 => Just(b"&".to_vec()),
        1 => Just(b"=".to_vec()),
        3 => Just(b"\xd6\xd0".to_vec()),
        2 => Just(b"%D6%D0".to_vec()),
        2 => Just(b"\x81\x5c\xaa\x40".to_vec()),
        1 => Just(b"\x81\x30\x81\x30".to_vec()),
        1 => Just(b"%81\\".to_vec()),
        1 => Just(b"\xa3\xcf".to_vec()),
        1 => (0x80..=0xff_u8).prop_map(|byte| vec![byte]),
        1 => (0x80..=0xff_u8).prop_map(|byte| format!("%{byte:02X}").into_bytes()),
        1 => vec(0x21..=0x7e_u8, 0..3),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn every_program_finds_the_same_claim_in_a_form_of_a_declared_charset(
        pieces in vec(piece(), 0..9),
        charset in proptest::sample::select(vec!["gbk", "gb18030", "big5", "windows-1252"]),
    ) {
        let body = pieces.concat();
        let fields = fields(Carrier::Form, "OrderID");
        if let Ok(id) = declared(charset, &body).order(&fields) {
            let encoding = encoding_rs::Encoding::for_label(charset.as_bytes()).unwrap();
            for pairs in readings(&body, encoding) {
                let named = pairs.iter().filter(|(name, _)| name.eq_ignore_ascii_case("OrderID"));
                let values: Vec<_> = named.map(|(_, value)| value.as_str()).collect();
                prop_assert_eq!(values, [id.as_str()], "{} {:?}", charset, body);
            }
        }
    }
}

/// The property says nothing if everything is refused.
#[test]
fn the_forms_are_accepted_and_refused() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let bodies = (0..1000).map(|_| vec(piece(), 0..9).new_tree(&mut runner).unwrap().current().concat());
    let fields = fields(Carrier::Form, "OrderID");
    let accepted: Vec<_> = bodies.filter(|body| declared("gbk", body).order(&fields).is_ok()).collect();
    let wide = accepted.iter().filter(|body| !body.is_ascii()).count();
    assert!((50..800).contains(&accepted.len()) && wide > 20, "{} accepted, {wide} of them not ASCII", accepted.len());
}
