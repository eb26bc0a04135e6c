//! Claim fields hidden in the text of another (threat E-11): by name, and held against readers as naive as those that
//! are found in old order systems. They share no code with the reader.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// A notification-like document of A whose attach is this.
fn attached(attach: &str) -> Sent {
    Sent::xml(format!("<xml><attach>{attach}</attach><out_trade_no><![CDATA[A]]></out_trade_no></xml>"))
}

#[test]
fn e_11_the_tag_of_a_claim_field_in_a_text_is_refused() {
    let tags = [
        "<out_trade_no>B</out_trade_no>",
        "<out_trade_no>",
        "</out_trade_no>",
        "<out_trade_no/>",
        "<out_trade_no >B</out_trade_no\n>",
        "< out_trade_no>",
        "</ out_trade_no>",
        "<\tout_trade_no a='<'>",
        "<out_trade_no",
        "<OUT_TRADE_NO>B",
        "<Out_Trade_No>B",
        "<outTradeNo>B",
        "<out-trade-no>B",
        "<out_trade_no.x>B",
        "<ｏut_trade_no>B",
        "<x:out_trade_no>B</x:out_trade_no>",
        "<x:y:out_trade_no>B",
        "<!-- <out_trade_no>B</out_trade_no> -->",
        "<!out_trade_no>",
        "<?out_trade_no B?>",
        "<<out_trade_no>>",
        "<a<out_trade_no>>",
        "a]]]]><![CDATA[><out_trade_no>B",
        "<out_]]><![CDATA[trade_no>B",
        "&lt;out_trade_no&gt;B",
        "&LT;out_trade_no>",
        "&ltout_trade_no&gtB",
        "&#60;out_trade_no&#62;B",
        "&#0060out_trade_no>",
        "&#x3C;out_trade_no&#x3E;B",
        "&#X3c;out_trade_no>",
        "&amp;lt;out_trade_no&amp;gt;B",
        "&amp;amp;lt;out_trade_no",
        "&#38;lt;out_trade_no",
        "&#38;#60;out_trade_no",
        "&l&#116;;out_trade_no",
        "&lt;out&#95;trade&#x5f;no&gt;",
        "&lt;out&lowbar;trade&lowbar;no&gt;",
        "&lt;&sol;out_trade_no&gt;",
        "&lt;x&colon;out_trade_no&gt;",
        "<transaction_id>4200000001</transaction_id>",
        "&lt;total_fee&gt;1",
        "<result_code>SUCCESS</result_code>",
        "<mch_id>1900000001</mch_id>",
        "&lt;fee_type&gt;JPY",
    ];
    all_get(Reason::FieldRepeated, &xml(), tags.map(|tag| attached(&format!("<![CDATA[{tag}]]>"))));
    let as_text = tags.map(|tag| tag.replace("]]>", "").replace("<![CDATA[", "").replace('<', "&lt;"));
    let is_xml = |text: &String| !text.contains("&LT;") && !text.contains("&lowbar") && !text.contains("&sol;");
    let as_text =
        as_text.into_iter().filter(is_xml).filter(|text| attached(text).order(&xml()) != Err(Reason::BodyMalformed));
    let as_text: Vec<_> = as_text.map(|text| attached(&text)).collect();
    assert!(as_text.len() > 30, "{}", as_text.len());
    all_get(Reason::FieldRepeated, &xml(), as_text);
    let behind = "<xml><out_trade_no>A</out_trade_no><a>1</a><b><![CDATA[<out_trade_no>B]]></b></xml>";
    all_get(Reason::FieldRepeated, &xml(), [Sent::xml(behind)]);
}

#[test]
fn other_tags_and_other_texts_are_the_merchants_own() {
    for attach in [
        "a=1&b=<2>",
        "<2>",
        "channel=7&shop=<A>",
        "<uid>5</uid><note>x</note>",
        "<out_trade_no_2>B</out_trade_no_2>",
        "<my_out_trade_no>B",
        "<trade_no>B",
        "out_trade_no=B&total_fee=1",
        "out_trade_no",
        "{\"out_trade_no\":\"B\"}",
        "out_trade_no>B",
        "1 < 2 && out_trade_no > 3",
        "a<b>c",
        "<",
        "<>",
        "</>",
        "&lt;&amp;lt;&nbsp;&&;",
        "&amp;amp;amp;amp;amp;x",
        "<a href=\"?out_trade_no=B\">",
        "值 <&>",
        "(o_o)<3",
        "%3Cout_trade_no%3EB",
    ] {
        assert_eq!(attached(&format!("<![CDATA[{attach}]]>")).order(&xml()).as_deref(), Ok("A"), "{attach}");
    }
}

#[test]
fn a_field_that_does_not_stand_in_the_body_may_be_named_there() {
    let fields = ClaimFields { channel: vec![from(&["path.channel"])], ..xml() };
    assert_eq!(attached("<![CDATA[<channel>ios</channel>]]>").order(&fields).as_deref(), Ok("A"));
    let in_body = ClaimFields { channel: vec![from(&["channel"])], ..xml() };
    all_get(Reason::FieldRepeated, &in_body, [attached("<![CDATA[<channel>ios</channel>]]>")]);
}

#[test]
fn what_is_escaped_without_end_costs_little_and_is_refused() {
    let started = std::time::Instant::now();
    all_get(
        Reason::BodyMalformed,
        &xml(),
        [
            attached(&format!("<![CDATA[&{}lt;x]]>", "amp;".repeat(15_000))),
            attached(&"&amp;amp;amp;amp;amp;amp;amp;amp;amp;amp;".repeat(1500)),
        ],
    );
    for text in [
        "<".repeat(60_000),
        "< ".repeat(30_000),
        "<a:".repeat(20_000),
        "&".repeat(60_000),
        format!("<{}", ":".repeat(60_000)),
    ] {
        assert_eq!(attached(&format!("<![CDATA[{text}]]>")).order(&xml()).as_deref(), Ok("A"));
    }
    assert!(started.elapsed().as_secs() < 30);
}

#[test]
fn the_detail_names_the_field_and_nothing_of_the_senders() {
    let reader = reader_of(&xml());
    let sent = attached("<![CDATA[oUpF8uMuAJO<OUT_TRADE_NO>VICTIM]]>");
    let unreadable = sent.read_by(&reader).unwrap_err();
    assert_eq!(
        unreadable.detail,
        "the tag of out_trade_no stands in the text of a field, where some programs find it first"
    );
}

// ---- naive readers ----

/// The first match of `<out_trade_no>(.*?)</out_trade_no>`.
fn by_pattern(text: &str) -> Option<String> {
    let (_, behind) = text.split_once("<out_trade_no>")?;
    let (value, _) = behind.split_once("</out_trade_no>")?;
    Some(value.to_owned())
}

/// The same without regard to case, to blanks in the tag and to what ends it.
fn by_lenient_pattern(text: &str) -> Option<String> {
    for (at, _) in text.match_indices('<') {
        let behind = text[at + 1..].trim_start();
        let Some((name, behind)) = behind.split_at_checked("out_trade_no".len()) else { continue };
        if !name.eq_ignore_ascii_case("out_trade_no") {
            continue;
        }
        let Some((attributes, behind)) = behind.split_once('>') else { continue };
        if attributes.is_empty() || attributes.starts_with(char::is_whitespace) {
            return Some(behind.split('<').next().unwrap().trim().to_owned());
        }
    }
    None
}

/// As HTML parsers do: names in lower case, attributes skipped, prefixes cut off, comments and CDATA left out up to the
/// first `>`, and the text up to the next tag.
fn by_html(text: &str) -> Option<String> {
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once('<') {
        let (tag, content) = behind.split_once('>')?;
        rest = if tag.starts_with(|c: char| c.is_ascii_alphabetic()) { content } else { behind };
        let name = tag.split(|c: char| c.is_whitespace() || c == '/').next().unwrap().to_lowercase();
        if name == "out_trade_no" || name.ends_with(":out_trade_no") {
            return Some(content.split('<').next().unwrap().to_owned());
        }
    }
    None
}

fn without_cdata(text: &str) -> String {
    text.replace("<![CDATA[", "").replace("]]>", "")
}

/// What `html_entity_decode` makes of it, more or less.
fn decoded(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    'text: while let Some(first) = rest.chars().next() {
        for (name, meant) in
            [("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"'), ("&amp;", '&'), ("&LT;", '<'), ("&lowbar;", '_')]
        {
            if let Some(behind) = rest.strip_prefix(name) {
                out.push(meant);
                rest = behind;
                continue 'text;
            }
        }
        if let Some((number, behind)) = rest.strip_prefix("&#").and_then(|number| number.split_once(';')) {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            if let Some(meant) = code.ok().and_then(char::from_u32) {
                out.push(meant);
                rest = behind;
                continue;
            }
        }
        out.push(first);
        rest = &rest[first.len_utf8()..];
    }
    out
}

/// What each of them reads, from the body as it is and after each of the usual preparations.
fn naive_readings(body: &str) -> Vec<String> {
    let once = decoded(body);
    let texts = [
        body.to_owned(),
        without_cdata(body),
        once.clone(),
        without_cdata(&once),
        decoded(&once),
        decoded(&without_cdata(&decoded(&once))),
    ];
    let readers = [by_pattern, by_lenient_pattern, by_html];
    let values = texts.iter().flat_map(|text| readers.map(|reader| reader(text)));
    values.flatten().map(|value| without_cdata(&value)).filter(|value| !value.is_empty()).collect()
}

fn attach() -> impl Strategy<Value = String> {
    let open = select(vec![
        "<",
        "&lt;",
        "&amp;lt;",
        "&amp;amp;lt;",
        "&#60;",
        "&#x3C;",
        "&LT;",
        "&amp;#60;",
        "< ",
        "<x:",
        "<y ",
    ]);
    let name = select(vec![
        "out_trade_no",
        "OUT_TRADE_NO",
        "Out_Trade_No",
        "out&#95;trade_no",
        "out&lowbar;trade_no",
        "out_trade",
        "note",
        "2",
        "",
    ]);
    let close = select(vec![">", "&gt;", " >", " a=\"1\">", "/>", "&#62;", "&amp;gt;", ""]);
    let tag = (open, name, close)
        .prop_map(|(open, name, close)| (format!("{open}{name}{close}"), format!("{open}/{name}{close}")));
    let text = prop_oneof![Just("a=1&b=<2>".to_owned()), Just(String::new()), "[a-z&;#<> ]{0,6}"];
    (tag, text, any::<bool>(), any::<bool>()).prop_map(|((open, close), text, with_end, in_cdata)| {
        let end = if with_end { close } else { String::new() };
        let content = format!("{text}{open}VICTIM{end}{text}");
        if in_cdata { format!("<![CDATA[{}]]>", content.replace("]]>", "")) } else { content.replace('<', "&lt;") }
    })
}

fn document() -> impl Strategy<Value = String> {
    let order = select(vec![
        "<out_trade_no>A</out_trade_no>",
        "<out_trade_no><![CDATA[A]]></out_trade_no>",
        "<out_trade_no >A</out_trade_no>",
    ]);
    let others = vec(attach(), 0..3);
    (order, others, any::<prop::sample::Index>()).prop_map(|(order, others, at)| {
        let mut elements: Vec<_> = others.iter().enumerate().map(|(n, text)| format!("<f{n}>{text}</f{n}>")).collect();
        elements.insert(at.index(elements.len() + 1), order.to_owned());
        format!("<xml>{}</xml>", elements.concat())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn whatever_a_naive_reader_finds_is_what_was_read(body in document()) {
        if let Ok(id) = Sent::xml(&body).order(&xml()) {
            for value in naive_readings(&body) {
                prop_assert_eq!(&value, &id, "{}", body);
            }
        }
    }
}

/// The property says nothing if everything is refused, or if the readers find nothing.
#[test]
fn the_documents_are_accepted_and_refused_and_the_readers_are_fooled() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let bodies: Vec<_> = (0..1000).map(|_| document().new_tree(&mut runner).unwrap().current()).collect();
    let accepted = bodies.iter().filter(|body| Sent::xml(body).order(&xml()).is_ok()).count();
    let fooled = bodies.iter().filter(|body| naive_readings(body).iter().any(|value| value == "VICTIM")).count();
    assert!((200..900).contains(&accepted) && fooled > 100, "{accepted} accepted, {fooled} fooled");
}
