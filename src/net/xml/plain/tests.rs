use super::super::{Document, XmlError};
use super::*;
use proptest::prelude::*;

/// What the parser says of a document that passes the checks before it.
fn parsed<'b>(root: &'static str, text: &'b str) -> Result<Vec<(&'b str, Cow<'b, str>)>, XmlError> {
    Document::read(root, text)
}

/// A document with each part as some program could write it.
fn document() -> impl Strategy<Value = String> {
    let one = |pieces: &'static [&'static str]| proptest::sample::select(pieces);
    let space = one(&["", "", "", "\n", " \t\r\n"]);
    let name = prop_oneof![
        20 => "[a-zA-Z_][a-zA-Z0-9_.-]{0,6}",
        1 => one(&["", "1a", "-", ".a", "x:a", "中", "a中", "a ", "a b=\"1\"", "a/", "/a", "!a", "?a", "a\n", "a<", "a]"]).prop_map(str::to_owned),
    ];
    let value = prop_oneof![
        8 => "[ -%'-;=?-\\\\^-~\t\r\n中]{0,12}",
        8 => "[ -~中\t\n]{0,12}".prop_map(|text| format!("<![CDATA[{text}]]>")),
        2 => proptest::collection::vec(one(&[
            "<![CDATA[", "]]>", "]]", "]", ">", "<", "&", "&amp;", "&#60;", "x", " ", "</a>", "<a>", "<!-- -->", "<b/>", "<?x?>", "<![CDATA[x]]>", "<!",
        ]), 0..5).prop_map(|pieces| pieces.concat()),
    ];
    let closes = one(&[
        "</N>", "</N>", "</N>", "</N>", "</N>", "</N>", "</N>", "</N>", "</N>", "</N >", "</n>", "</N", "", "<N>",
    ]);
    let field = (space, name, value, closes).prop_map(|(space, name, value, closes)| {
        let end = if closes == "</n>" { closes.to_owned() } else { closes.replace('N', &name) };
        format!("{space}<{name}>{value}{end}")
    });
    let start = one(&[
        "<xml>",
        "<xml>",
        "<xml>",
        "<xml>",
        "<xml>",
        "<xml>",
        " <xml>",
        "<xml >",
        "<XML>",
        "<xmlx>",
        "<?xml version=\"1.0\"?><xml>",
        "x<xml>",
    ]);
    let end = one(&[
        "</xml>",
        "</xml>",
        "</xml>",
        "</xml>",
        "</xml>\n \t\r",
        "</xml >",
        "</xml>x",
        "</xm>",
        "",
        "</xml></xml>",
        "<a/></xml>",
        "</xml><!-- -->",
    ]);
    (start, proptest::collection::vec(field, 0..4), one(&["", "\n", " x"]), end)
        .prop_map(|(start, fields, space, end)| format!("{start}{}{space}{end}", fields.concat()))
}

#[test]
fn what_programs_write_is_taken_at_once() {
    for document in [
        include_str!("../../../../tests/fixtures/wechat/paid.xml"),
        include_str!("../../../../tests/fixtures/wechat/not-paid.xml"),
        include_str!("../../../../tests/fixtures/wechat/order-not-exist.xml"),
        include_str!("../../../../tests/fixtures/wechat/notification.xml"),
        "<xml></xml>",
        "<xml>\n<a></a> <b><![CDATA[]]></b>\t<c>1 > 0</c>\r\n<d><![CDATA[</d>]] ]>&amp;中]]]></d></xml>\n",
    ] {
        let fields = scan("xml", document).unwrap();
        assert_eq!(Ok(&fields), parsed("xml", document).as_ref());
        assert!(fields.iter().all(|(_, value)| matches!(value, Cow::Borrowed(_))));
    }
}

#[test]
fn what_is_not_that_plain_is_left_to_the_parser() {
    for document in [
        "",
        "<xml/>",
        "<xml >\n</xml>",
        " <xml></xml>",
        "<?xml version=\"1.0\"?><xml></xml>",
        "<xml><a/></xml>",
        "<xml><a>&amp;</a></xml>",
        "<xml><a>x<![CDATA[y]]></a></xml>",
        "<xml><a><![CDATA[x]]><![CDATA[y]]></a></xml>",
        "<xml><a>]</a></xml>",
        "<xml><名>1</名></xml>",
        "<xml></xml",
        "<root></root>",
    ] {
        assert_eq!(scan("xml", document), None, "{document}");
    }
}

/// A document of more fields than may be is the parser's to refuse, like all others.
#[test]
fn the_bound_on_fields_is_the_parsers() {
    let document = |count: usize| format!("<xml>{}</xml>", "<a>1</a>".repeat(count));
    assert_eq!(scan("xml", &document(Fields::MOST)).unwrap().len(), Fields::MOST);
    let beyond = document(Fields::MOST + 1);
    assert_eq!((scan("xml", &beyond), parsed("xml", &beyond)), (None, Err(XmlError::TooMany)));
}

proptest! {
    #[test]
    fn the_parser_reads_alike_whatever_is_taken(document in document()) {
        if let Some(fields) = scan("xml", &document) {
            prop_assert_eq!(Ok(fields), parsed("xml", &document));
        }
    }

    #[test]
    fn a_change_anywhere_in_a_plain_document_is_read_alike(
        at in any::<proptest::sample::Index>(), cut in 0_usize..12, piece in proptest::sample::select(vec![
            "", "<", ">", "/", "&", "]", "]]>", "<![CDATA[", "</", "x", " ", "\n", "<a>", "</a>", "!", "?", "-", ":", "中", "\"", "=",
        ]),
    ) {
        let whole = "<xml><a><![CDATA[x]]></a>\n<b>1</b><c><![CDATA[<b>]]></c><d_1></d_1>\n</xml>\n";
        let at = at.index(whole.len() + 1);
        let end = (at + cut).min(whole.len());
        let document = [&whole[..at], piece, &whole[end..]].concat();
        if let Some(fields) = scan("xml", &document) {
            prop_assert_eq!(Ok(fields), parsed("xml", &document));
        }
    }
}
