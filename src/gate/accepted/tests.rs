use super::*;
use crate::provider::wechat::v2::preset::PRESET;
use bytes::Bytes;
use hyper::HeaderMap;
use proptest::prelude::*;

fn answer(status: u16, body: &[u8]) -> UpstreamAnswer {
    let status = StatusCode::from_u16(status).unwrap();
    UpstreamAnswer { status, headers: HeaderMap::new(), body: Bytes::copy_from_slice(body) }
}

fn body(text: &str) -> Accepted {
    Accepted { body: Some(text.to_owned()), ..Accepted::any_2xx() }
}

fn contains(text: &str) -> Accepted {
    Accepted { body_contains: Some(text.to_owned()), ..Accepted::any_2xx() }
}

fn json(rules: &[(&str, Scalar)]) -> Accepted {
    let rule = |(path, is): &(&str, Scalar)| JsonRule { path: (*path).to_owned(), is: is.clone() };
    Accepted { json: rules.iter().map(rule).collect(), ..Accepted::any_2xx() }
}

fn text(text: &str) -> Scalar {
    Scalar::Text(text.to_owned())
}

/// What holds, said in one way; the parts for people say the same.
fn judged(rule: &Accepted, answer: &UpstreamAnswer) -> Option<FailedRule> {
    let failed = rule.judge(answer).err();
    let first = rule.parts(answer).into_iter().find(|part| !part.holds).map(|part| part.rule);
    assert_eq!(failed, first, "{rule} {answer:?}");
    failed
}

/// D-09.
#[test]
fn the_first_part_that_does_not_hold_is_named() {
    let exactly = Accepted { status: AcceptedStatus::Exactly(StatusCode::OK), ..Accepted::any_2xx() };
    let all = Accepted {
        body_contains: Some("code".to_owned()),
        ..json(&[("code", Scalar::Integer(0)), ("ok", Scalar::Bool(true))])
    };
    for (rule, answer, failed) in [
        (Accepted::any_2xx(), answer(204, b""), None),
        (Accepted::any_2xx(), answer(302, b""), Some(FailedRule::Status)),
        (exactly.clone(), answer(200, b""), None),
        (exactly, answer(201, b""), Some(FailedRule::Status)),
        (body("ok"), answer(200, b"ok"), None),
        (body("ok"), answer(500, b"ok"), Some(FailedRule::Status)),
        (body("ok"), answer(200, b"no"), Some(FailedRule::Body)),
        (contains("success"), answer(200, b"it is a success"), None),
        (contains("success"), answer(200, b"SUCCESS"), Some(FailedRule::BodyContains)),
        (Accepted::of(&PRESET), answer(200, b"SUCCESS"), Some(FailedRule::ReturnCode)),
        (all.clone(), answer(200, br#"{"code":0,"ok":true}"#), None),
        (all.clone(), answer(200, br#"{"code":0,"ok":false}"#), Some(FailedRule::Json)),
        (all.clone(), answer(200, br#"{"ok":true}"#), Some(FailedRule::BodyContains)),
        (all, answer(400, b""), Some(FailedRule::Status)),
    ] {
        assert_eq!(judged(&rule, &answer), failed, "{rule} {answer:?}");
    }
}

#[test]
fn a_body_is_compared_whole_but_for_what_stands_around_it() {
    for said in [
        &b"success"[..],
        b" success\r\n",
        b"\xef\xbb\xbfsuccess",
        b"\xef\xbb\xbf\xef\xbb\xbf\r\nsuccess\n",
        b"\n\xef\xbb\xbfsuccess",
        "\u{3000}success\u{a0}".as_bytes(),
        b"\xff\xfes\0u\0c\0c\0e\0s\0s\0",
        b"\xfe\xff\0s\0u\0c\0c\0e\0s\0s",
    ] {
        assert_eq!(judged(&body("success"), &answer(200, said)), None, "{said:?}");
        assert_eq!(judged(&body(" success "), &answer(200, said)), None, "{said:?}");
    }
    for said in [
        &b"unsuccessful"[..],
        br#"{"success":false}"#,
        b"Success",
        b"success!",
        b"success success",
        b"success\xa4",
        b"\"success\"",
        b"",
        b"\xff\xfes\0u\0c\0c\0e\0s\0s",
    ] {
        assert_eq!(judged(&body("success"), &answer(200, said)), Some(FailedRule::Body), "{said:?}");
    }
    assert_eq!(judged(&body(""), &answer(200, b" \r\n")), None);
    assert_eq!(judged(&body(""), &answer(200, b"ok")), Some(FailedRule::Body));
    assert_eq!(judged(&body("成功"), &answer(200, "\u{feff}成功\n".as_bytes())), None);
}

fn xml(inner: &str) -> String {
    format!("<xml>{inner}</xml>")
}

/// What an order system says of `return_code`, whatever else it says.
#[test]
fn a_return_code_is_read_whatever_the_rest_is_coded_in() {
    const OK: &str = "<return_code><![CDATA[SUCCESS]]></return_code>";
    let plain = xml(OK);
    let gbk = [b"<xml><return_code>SUCCESS</return_code><return_msg><![CDATA[\xb3\xc9\xb9\xa6\x81]\x81\\]]></return_msg></xml>"];
    let mut taken: Vec<Vec<u8>> = vec![
        plain.clone().into(),
        format!("\u{feff}{plain}").into(),
        format!("\u{feff}\u{feff}\r\n{plain}\r\n").into(),
        format!("\n<?xml version=\"1.0\"?>{plain}").into(),
        format!("<?xml version=\"1.0\" encoding=\"gb2312\"?>\n{plain}").into(),
        format!("<?xml version=\"1.1\" encoding=\"utf-16\" standalone=\"yes\"?>{plain}").into(),
        format!("<!-- shop -->{plain}").into(),
        format!("{plain}<!-- made in 7 ms -->\n").into(),
        xml(" <return_code> SUCCESS\n</return_code> ").into(),
        xml("<return_code>SUC<![CDATA[CESS]]></return_code>").into(),
        xml("<return_code>&#83;UCCESS</return_code>").into(),
        xml("<return_code type=\"string\">SUCCESS</return_code>").into(),
        xml(&format!("{OK}<return_msg/>")).into(),
        xml(&format!("<return_msg>FAIL & &nbsp; done</return_msg><!-- a -- b -->{OK}")).into(),
        xml(&format!("{OK}<data><code>1</code><code>2</code></data>")).into(),
        xml(&format!("{OK}<return_msg>a</return_msg><return_msg>b</return_msg>")).into(),
        format!("<xml xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">{OK}</xml>").into(),
        // A character that a careless program cut in two.
        b"<xml><return_code>SUCCESS</return_code><return_msg><![CDATA[\xe6\x88]]></return_msg></xml>".to_vec(),
        b"<xml><return_code>SUCCESS</return_code><return_msg><![CDATA[\xe6]]></return_msg></xml>".to_vec(),
    ];
    taken.extend(gbk.map(|bytes| bytes.to_vec()));
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    taken.push([&b"\xff\xfe"[..], &utf16(&plain)].concat());
    for said in taken {
        let shown = String::from_utf8_lossy(&said).into_owned();
        assert_eq!(judged(&Accepted::of(&PRESET), &answer(200, &said)), None, "{shown}");
    }
}

#[test]
fn a_return_code_that_is_not_said_plainly_and_once_does_not_count() {
    const OK: &str = "<return_code><![CDATA[SUCCESS]]></return_code>";
    let plain = xml(OK);
    for said in [
        xml("<return_code>FAIL</return_code><return_msg>SUCCESS</return_msg>"),
        xml("<return_code>success</return_code>"),
        xml("<return_code>SUCCESSFUL</return_code>"),
        xml("<return_code/>"),
        xml("<return_msg>SUCCESS</return_msg>"),
        xml(&format!("{OK}{OK}")),
        xml(&format!("{OK}<return_code>FAIL</return_code>")),
        xml(&format!("{OK}<Return_Code>FAIL</Return_Code>")),
        xml(&format!("{OK}<a:return_code>FAIL</a:return_code>")),
        xml(&format!("{OK}<error><return_code>FAIL</return_code></error>")),
        xml(&format!("<a>{OK}</a>")),
        xml("<RETURN_CODE>SUCCESS</RETURN_CODE>"),
        xml("<return_code>SUC<!-- -->CESS</return_code>"),
        xml("<return_code><a>SUCCESS</a></return_code>"),
        xml("<return_code>&success;</return_code>"),
        xml("<!-- <return_code>SUCCESS</return_code> -->"),
        xml(&format!("<return_msg><![CDATA[{OK}</return_msg>")),
        format!("<root>{OK}</root>"),
        OK.to_owned(),
        format!("Notice: Undefined index in /var/www/pay.php\n{plain}"),
        format!("<br />\n<b>Warning</b>: oops<br />\n{plain}"),
        format!("{plain}<br />"),
        format!("{plain}{plain}"),
        format!("{plain} oops"),
        format!("<?php echo 1; ?>{plain}"),
        format!("<!DOCTYPE html>{plain}"),
        format!("<html><body>{OK}</body></html>"),
        format!("<xml>oops {OK}</xml>"),
        format!("<xml>{OK}"),
        format!("<xml>{OK}</xm"),
        format!("<xml>{OK}</root>"),
        "<xml><return_code>SUCCESS".to_owned(),
        "SUCCESS".to_owned(),
        String::new(),
        "{\"return_code\":\"SUCCESS\"}".to_owned(),
    ] {
        let failed = judged(&Accepted::of(&PRESET), &answer(200, said.as_bytes()));
        assert_eq!(failed, Some(FailedRule::ReturnCode), "{said}");
    }
}

#[test]
fn json_must_say_it_once_at_its_place() {
    let zero = || json(&[("code", Scalar::Integer(0))]);
    let state = || json(&[("data.state", text("ok")), ("success", Scalar::Bool(true))]);
    for (rule, said) in [
        (zero(), &br#"{"code":0}"#[..]),
        (zero(), b"\xef\xbb\xbf\r\n {\"msg\":\"ok\", \"code\" : 0 }\n"),
        (zero(), br#"{"code":0.0}"#),
        (zero(), br#"{"code":-0}"#),
        (zero(), br#"{"c\u006fde":0}"#),
        (zero(), br#"{"a":{"code":1},"b":[{"code":2}],"code":0,"msg":"\ud83e"}"#),
        (zero(), b"{\"code\":0,\"msg\":\"\xb3\xc9\xb9\xa6\"}"),
        (zero(), b"{\"msg\":\"\x81\\\",\"code\":0}"),
        // 成功, and an escape behind it that is no part of a character.
        (zero(), b"{\"msg\":\"\xb3\xc9\xb9\xa6\\\"ok\\\"\",\"code\":0}"),
        (zero(), b"{\"msg\":\"\xb3\xc9\\\\\",\"code\":0}"),
        (zero(), b"{\"msg\":\"\xd5\\\\n\xb3\xc9\",\"code\":0}"),
        (zero(), br#"{"a":1,"a":2,"code":0}"#),
        (state(), br#"{"success":true,"data":{"state":"\u006fk","x":1}}"#),
        (json(&[("code", text("0000"))]), br#"{"code":"0000"}"#),
        (json(&[("code", Scalar::Integer(-7))]), br#"{"code":-7}"#),
        (json(&[("error", text(""))]), br#"{"error":""}"#),
    ] {
        assert_eq!(judged(&rule, &answer(200, said)), None, "{rule} {}", String::from_utf8_lossy(said));
    }
    for (rule, said) in [
        (zero(), &br#"{"code":1}"#[..]),
        (zero(), br#"{"code":"0"}"#),
        (zero(), br#"{"code":false}"#),
        (zero(), br#"{"code":null}"#),
        (zero(), br#"{"code":0.5}"#),
        (zero(), br#"{"code":0e0}"#),
        (zero(), br#"{"code":00}"#),
        (zero(), br#"{"code":[0]}"#),
        (zero(), br#"{"Code":0}"#),
        (zero(), br#"{"code":0,"code":0}"#),
        (zero(), br#"{"code":1,"code":0}"#),
        (zero(), br#"{"code":0,"c\u006fde":1}"#),
        (zero(), br#"{"code":0"#),
        (zero(), br#"{"code":0,"msg":"o"#),
        (zero(), br#"{"code":0}{"code":0}"#),
        (zero(), br#"{"code":0} oops"#),
        (zero(), br#"Notice: x {"code":0}"#),
        (zero(), br#"cb({"code":0})"#),
        (zero(), br#"[{"code":0}]"#),
        (zero(), br#"{"data":{"code":0}}"#),
        (zero(), b"0"),
        (zero(), b""),
        (zero(), b"<html></html>"),
        (state(), br#"{"success":true,"data":{"state":"no"}}"#),
        (state(), br#"{"success":"true","data":{"state":"ok"}}"#),
        (state(), br#"{"success":true,"data.state":"ok"}"#),
        (state(), br#"{"success":true,"data":{"state":"ok"},"data":{}}"#),
        (state(), br#"{"success":true,"data":[{"state":"ok"}]}"#),
        (state(), br#"{"success":true,"data":"ok"}"#),
        (state(), br#"{"data":{"state":"ok"}}"#),
    ] {
        let failed = judged(&rule, &answer(200, said));
        assert_eq!(failed, Some(FailedRule::Json), "{rule} {}", String::from_utf8_lossy(said));
    }
}

#[test]
fn a_rule_says_what_it_wants() {
    let all = Accepted {
        return_code: Some("SUCCESS".to_owned()),
        body: Some("ok".to_owned()),
        body_contains: Some("o".to_owned()),
        ..json(&[("a.b", text("x")), ("c", Scalar::Integer(0)), ("d", Scalar::Bool(true))])
    };
    assert_eq!(
        all.to_string(),
        "status 2xx, return_code SUCCESS, the whole body \"ok\", \"o\" in the body, json a.b: \"x\", json c: 0, json d: true"
    );
    assert_eq!(Accepted::any_2xx().to_string(), "status 2xx");
}

proptest! {
    /// Whatever an order system answers, a rule ends with a verdict, and both tellings agree.
    #[test]
    fn any_bytes_are_judged(said in proptest::collection::vec(any::<u8>(), 0..200), pick in 0usize..5) {
        let rules = [
            Accepted::of(&PRESET),
            body("ok"),
            contains("ok"),
            json(&[("a", text("b"))]),
            json(&[("a.b", Scalar::Integer(0))]),
        ];
        let answer = answer(200, &said);
        let failed = judged(&rules[pick], &answer);
        // Nothing at random is the answer that a rule wants.
        prop_assert!(failed.is_some() || pick == 2 || pick == 1);
    }

    /// A document that lacks its end says nothing.
    #[test]
    fn no_part_of_an_answer_counts(cut in 1usize..45) {
        let xml = "<xml><return_code>SUCCESS</return_code></xml>";
        let json_text = r#"{"msg":"a text of some length","code":0}"#;
        let begins = |text: &str| text.as_bytes().iter().copied().take(text.len().saturating_sub(cut)).collect::<Vec<_>>();
        prop_assert!(judged(&Accepted::of(&PRESET), &answer(200, &begins(xml))).is_some());
        prop_assert!(judged(&json(&[("code", Scalar::Integer(0))]), &answer(200, &begins(json_text))).is_some());
    }
}
