use super::*;
use proptest::prelude::*;

fn read(document: &str) -> Result<Vec<(&str, Cow<'_, str>)>, XmlError> {
    Fields::read(document.as_bytes()).map(|fields| fields.0)
}

fn value(document: &str) -> Result<String, XmlError> {
    read(document).map(|fields| fields[0].1.clone().into_owned())
}

/// `docs/reference/wechatpay-v2.md` section 7.3, example D.
#[test]
fn a_notification_is_read_as_it_was_written() {
    let text = include_str!("../../../tests/fixtures/wechat/notification.xml");
    let fields = Fields::read(text.as_bytes()).unwrap();
    assert_eq!(fields.iter().len(), 22);
    assert_eq!(fields.iter().next(), Some(("appid", "wxd930ea5d5a258f4f")));
    assert_eq!(fields.get("total_fee"), Some("100"));
    assert_eq!(fields.get("attach"), Some("channel=7&shop=<A>"));
    assert_eq!(fields.get("trade_state"), None);
    assert!(
        fields.0.iter().all(|(_, value)| matches!(value, Cow::Borrowed(_))),
        "values without references are borrowed"
    );
    let bare = "<total_fee>100</total_fee>";
    assert_eq!(write(fields.iter()) + "\n", text.replace(bare, "<total_fee><![CDATA[100]]></total_fee>"));
}

#[test]
fn empty_fields_are_there_and_empty() {
    let fields = Fields::read(b"<xml><a></a><b/><c><![CDATA[]]></c><d /></xml>").unwrap();
    assert!(["a", "b", "c", "d"].iter().all(|name| fields.get(name) == Some("")));
    assert_eq!(read("<xml></xml>").unwrap(), []);
    assert_eq!(read("<xml/>").unwrap(), []);
}

#[test]
fn text_cdata_and_references_are_joined_into_one_value() {
    assert_eq!(value("<xml><a>1&amp;2</a></xml>").unwrap(), "1&2");
    assert_eq!(
        value("<xml><a>x<![CDATA[<y>&amp;]]>&#x4e2d;&#25991;&lt;&gt;&apos;&quot;</a></xml>").unwrap(),
        "x<y>&amp;中文<>'\""
    );
    assert_eq!(value("<xml><a><![CDATA[a]]]]><![CDATA[>b]]></a></xml>").unwrap(), "a]]>b");
}

#[test]
fn nothing_is_trimmed() {
    assert_eq!(value("<xml><a> \t1 \r\n</a></xml>").unwrap(), " \t1 \r\n");
    assert_eq!(value("<xml><a> <![CDATA[ 1 ]]> </a></xml>").unwrap(), "  1  ");
}

#[test]
fn white_space_and_a_plain_declaration_may_stand_around_the_fields() {
    for document in [
        "\n <xml> <a >1</a >\r\n</xml > \n",
        r#"<?xml version="1.0"?><xml><a>1</a></xml>"#,
        r#"<?xml version='1.0' encoding='utf-8'?><xml><a>1</a></xml>"#,
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<xml>\n  <a>1</a>\n</xml>",
    ] {
        assert_eq!(value(document).unwrap(), "1", "{document}");
    }
}

/// Threats E-11 and E-12.
#[test]
fn everything_that_parsers_differ_on_is_refused() {
    let cases: &[(&str, XmlError)] = &[
        ("", XmlError::Root),
        ("x", XmlError::Root),
        ("<XML><a>1</a></XML>", XmlError::Root),
        ("<root><a>1</a></root>", XmlError::Root),
        ("<?xml version=\"1.0\"?>", XmlError::Root),
        ("<![CDATA[x]]><xml/>", XmlError::Root),
        ("\u{feff}<xml/>", XmlError::ByteOrderMark),
        ("<!DOCTYPE xml><xml/>", XmlError::Doctype),
        ("<!doctype xml><xml/>", XmlError::Doctype),
        ("<!DOCTYPE xml SYSTEM \"http://127.0.0.1/x.dtd\"><xml/>", XmlError::Doctype),
        ("<!DOCTYPE x [<!ENTITY a \"SUCCESS\">]><xml><a>&a;</a></xml>", XmlError::Doctype),
        ("<xml><!DOCTYPE x><a>1</a></xml>", XmlError::Doctype),
        ("<!-- --><xml/>", XmlError::Comment),
        ("<xml><!-- --><a>1</a></xml>", XmlError::Comment),
        ("<xml><a>1<!-- -->2</a></xml>", XmlError::Comment),
        ("<?php 1 ?><xml/>", XmlError::Instruction),
        ("<xml><a>1<?x?></a></xml>", XmlError::Instruction),
        ("<?XML version=\"1.0\"?><xml/>", XmlError::Instruction),
        (" <?xml version=\"1.0\"?><xml/>", XmlError::Declaration),
        ("<?xml version=\"1.0\"?><?xml version=\"1.0\"?><xml/>", XmlError::Declaration),
        ("<xml><?xml version=\"1.0\"?></xml>", XmlError::Declaration),
        ("<?xml version=\"1.1\"?><xml/>", XmlError::Declaration),
        ("<?xml?><xml/>", XmlError::Declaration),
        ("<?xml encoding=\"utf-8\"?><xml/>", XmlError::Declaration),
        ("<?xml version=\"1.0\" encoding=\"gbk\"?><xml/>", XmlError::Declaration),
        ("<?xml version=\"1.0\" encoding=\"utf-8\" encoding=\"gbk\"?><xml/>", XmlError::Declaration),
        ("<?xml version=\"1.0\" standalone=\"yes\" encoding=\"gbk\"?><xml/>", XmlError::Declaration),
        ("<?xml version=\"1.0\" x=\"y\"?><xml/>", XmlError::Declaration),
        ("<xml a=\"1\"/>", XmlError::Attribute),
        ("<xml xmlns=\"urn:x\"/>", XmlError::Attribute),
        ("<xml><a b=\"1\">1</a></xml>", XmlError::Attribute),
        ("<xml><a b>1</a></xml>", XmlError::Attribute),
        ("<x:xml/>", XmlError::Prefix),
        ("<xml><x:a>1</x:a></xml>", XmlError::Prefix),
        ("<xml><a><b>1</b></a></xml>", XmlError::Nested),
        ("<xml><a>1<b/></a></xml>", XmlError::Nested),
        ("<xml><a>1</a><b>2</b><a>1</a></xml>", XmlError::Duplicate),
        ("<xml><a/><a>1</a></xml>", XmlError::Duplicate),
        ("<xml>1<a>1</a></xml>", XmlError::TextBetween),
        ("<xml><a>1</a><![CDATA[ ]]></xml>", XmlError::TextBetween),
        ("<xml><a>1</a>&#32;</xml>", XmlError::TextBetween),
        ("<xml><a>1</a>\u{a0}</xml>", XmlError::TextBetween),
        ("<xml><a>&x;</a></xml>", XmlError::Entity),
        ("<xml><a>&;</a></xml>", XmlError::Entity),
        ("<xml><a>&LT;</a></xml>", XmlError::Entity),
        ("<xml><a>&#0;</a></xml>", XmlError::Character),
        ("<xml><a>&#x1;</a></xml>", XmlError::Character),
        ("<xml><a>&#xd800;</a></xml>", XmlError::Character),
        ("<xml><a>&#xffff;</a></xml>", XmlError::Character),
        ("<xml><a>&#X31;</a></xml>", XmlError::Character),
        ("<xml><a>&#+49;</a></xml>", XmlError::Character),
        ("<xml><a>\u{1}</a></xml>", XmlError::Character),
        ("<xml><a>\0</a></xml>", XmlError::Character),
        ("<xml><a>\u{fffe}</a></xml>", XmlError::Character),
        ("<xml>", XmlError::CutOff),
        ("<xml><a>1</a>", XmlError::CutOff),
        ("<xml><a>1", XmlError::CutOff),
        ("<xml/><xml/>", XmlError::Behind),
        ("<xml></xml>x", XmlError::Behind),
        ("<xml></xml><!-- -->", XmlError::Behind),
        ("<xml></xml></xml>", XmlError::Behind),
        ("<xml></xml>\0", XmlError::Character),
        ("<xml><a>1</b></xml>", XmlError::Malformed),
        ("<xml><a>1</a", XmlError::Malformed),
        ("<xml><a>1 & 2</a></xml>", XmlError::Malformed),
        ("<xml><a>]]></a></xml>", XmlError::Malformed),
        ("<xml><a><![cdata[1]]></a></xml>", XmlError::Malformed),
        ("<xml><1a>1</1a></xml>", XmlError::Malformed),
        ("<xml>< a>1</ a></xml>", XmlError::Malformed),
        ("<xml><a<b>1</a<b></xml>", XmlError::Malformed),
        ("<xml><>1</></xml>", XmlError::Malformed),
    ];
    for (document, expected) in cases {
        assert_eq!(read(document), Err(*expected), "{document:?}");
    }
    assert_eq!(Fields::read(b"<xml><a>\xff</a></xml>"), Err(XmlError::NotUtf8));
    assert_eq!(Fields::read(b"\xfe\xff\0<\0x"), Err(XmlError::NotUtf8));
}

#[test]
fn two_hundred_fields_are_read_and_one_more_is_refused() {
    let document = |count: usize| {
        let fields: String = (0..count).map(|n| format!("<f{n}>{n}</f{n}>")).collect();
        format!("<xml>{fields}</xml>")
    };
    assert_eq!(read(&document(Fields::MOST)).unwrap().len(), Fields::MOST);
    assert_eq!(read(&document(Fields::MOST + 1)), Err(XmlError::TooMany));
}

/// A document cut off anywhere is no document (quick-xml ends it without an error).
#[test]
fn no_beginning_of_a_document_passes_for_the_whole() {
    let whole = include_bytes!("../../../tests/fixtures/wechat/paid.xml");
    let whole = whole.trim_ascii_end();
    assert!(Fields::read(whole).is_ok());
    for end in 0..whole.len() {
        assert!(Fields::read(&whole[..end]).is_err(), "cut at {end}");
    }
}

fn xml_text() -> impl Strategy<Value = String> {
    let piece =
        prop_oneof![Just("]]>".to_owned()), Just("<&".to_owned()), "[\\t\\r\\n -\u{d7ff}\u{e000}-\u{fffd}]{0,8}"];
    proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_is_written_is_read(fields in proptest::collection::btree_map("[a-zA-Z_][a-zA-Z0-9_.-]{0,8}", xml_text(), 0..20)) {
        let text = write(fields.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let read = Fields::read(text.as_bytes()).unwrap();
        prop_assert_eq!(read.iter().collect::<Vec<_>>(), fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect::<Vec<_>>());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Fields::read(&bytes);
    }

    #[test]
    fn no_markup_makes_it_panic(pieces in proptest::collection::vec(proptest::sample::select(vec![
        "<xml>", "</xml>", "<a>", "</a>", "<", ">", "</", "/>", "<!", "<!--", "-->", "<![CDATA[", "]]>", "<?", "?>", "xml", " ",
        "<?xml version=\"1.0\"?>", "&", ";", "&amp;", "&#", "\"", "'", "=", "<!DOCTYPE", "[", "]", "中", "x:", "-", "!",
    ]), 0..24)) {
        let document = format!("<xml>{}</xml>", pieces.concat());
        for document in [document.as_str(), &pieces.concat()] {
            if let Ok(fields) = Fields::read(document.as_bytes()) {
                let text = write(fields.iter());
                prop_assert_eq!(Fields::read(text.as_bytes()).unwrap(), fields.clone());
            }
        }
    }
}
