//! When an order system's answer counts as having taken a callback: what is written is what must hold, whatever else the
//! answer says and however it is coded. An answer that is taken for a no is a week of repetitions, one that is taken for a
//! yes a lost order.

use crate::fakes::upstream::{MARK, Reply};
use crate::fakes::wechat::{APP, SignType, notification};
use crate::follow_up::stands;
use crate::harness::{World, return_code, until};
use crate::wire::{Message, Request};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::{Value, json};
use std::io::Write;

const SUCCESS: &str =
    "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>";

fn world_with(route: &'static str, accepted: Option<Value>) -> World {
    World::with(|setup| {
        setup.hurry();
        if let Some(accepted) = accepted {
            setup.route(route)["accepted"] = accepted;
        }
    })
}

/// Whether an answer of the order system counts on the route of notifications.
fn notification_counts(world: &World, order: &str, said: Reply) -> bool {
    world.wechat.order(&APP, order).paid(100);
    world.upstream.answers_once(said);
    let answer = world.wechat_calls_back("app", notification(&APP, order, 100), APP.key, SignType::Md5);
    world.summary(&answer)["accepted"] == true
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn deflate(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// An answer in a coding, whatever was asked for.
fn coded(serial: u32, coding: &str, body: &[u8]) -> Reply {
    let head = format!(
        "HTTP/1.1 200 OK\r\n{MARK}: {serial}\r\nContent-Type: text/plain\r\nETag: \"a\"\r\nContent-Encoding: {coding}\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    Reply::Writes([head.as_bytes(), body].concat())
}

#[test]
fn what_is_written_beside_a_preset_replaces_its_rule() {
    for (index, (accepted, said)) in [
        (json!({ "body": "ok" }), Reply::ok(b"\xef\xbb\xbfok\r\n")),
        (json!({ "body_contains": "ok" }), Reply::ok(b"ok")),
        (json!({ "status": "2xx" }), Reply::ok(b"")),
        (json!({ "status": 200 }), Reply::xml("<xml><return_code>FAIL</return_code></xml>")),
        (
            json!({ "json": { "code": 0, "data.state": "1", "ok": true } }),
            Reply::ok(b"{\"code\":0,\"data\":{\"state\":\"1\"},\"ok\":true}"),
        ),
        (json!({ "return_code": "SUCCESS" }), Reply::xml(SUCCESS)),
    ]
    .into_iter()
    .enumerate()
    {
        let world = world_with("notify", Some(accepted.clone()));
        let order = format!("OWN-{index}");
        assert!(notification_counts(&world, &order, said), "{accepted}");
        stands(&world, &order, "accepted");
        assert_eq!(world.upstream.requests_for(&order).len(), 1, "{accepted}");
    }
}

#[test]
fn only_where_no_status_is_written_it_is_2xx() {
    let world = world_with("app", Some(json!({ "body": "ok" })));
    world.wechat.order(&APP, "PAGE-1").paid(100);
    world.upstream.answers_once(Reply::Says { status: 500, content_type: "text/plain", body: b"ok".to_vec() });
    world.upstream.answers(Reply::ok(b"ok"));
    let answer = world.app_callback("PAGE-1");
    let told = world.summary(&answer);
    assert_eq!((&told["accepted"], &told["failed_rule"]), (&json!(false), &json!("status")));
    until("it to be sent again", || world.upstream.requests_for("PAGE-1").len() == 2);
    stands(&world, "PAGE-1", "accepted");
}

#[test]
fn a_word_is_the_whole_answer_or_none() {
    let world = world_with("app", Some(json!({ "body": "success" })));
    world.wechat.order(&APP, "WORD-1").paid(100);
    for said in [&b"unsuccessful"[..], br#"{"success":false}"#] {
        world.upstream.answers_once(Reply::ok(said));
    }
    world.upstream.answers(Reply::ok(b" success\n"));
    let answer = world.app_callback("WORD-1");
    assert_eq!(world.summary(&answer)["failed_rule"], "body");
    until("the answer that counts", || world.upstream.requests_for("WORD-1").len() == 3);
    stands(&world, "WORD-1", "accepted");
    // Of the redelivery a line of its own says it.
    let log = world.gate.log();
    let says = |line: &&str| line.contains("\"failed_rule\":\"body\"") && line.contains("\"origin\":\"follow-up\"");
    assert_eq!(log.lines().filter(says).count(), 1, "{log}");
}

#[test]
fn a_notifications_answer_counts_whatever_its_other_text_is_coded_in() {
    let world = world_with("notify", None);
    let gbk = b"<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[\xb3\xc9\xb9\xa6]]></return_msg></xml>";
    let taken: [&[u8]; 5] = [
        &[b"\xef\xbb\xbf", SUCCESS.as_bytes()].concat(),
        &[b"\n<?xml version=\"1.0\"?>", SUCCESS.as_bytes()].concat(),
        &[b"<?xml version=\"1.0\" encoding=\"gb2312\"?>", SUCCESS.as_bytes()].concat(),
        gbk,
        &[SUCCESS.as_bytes(), b"<!-- 7 ms -->"].concat(),
    ];
    for (index, said) in taken.into_iter().enumerate() {
        let order = format!("CODED-{index}");
        assert!(notification_counts(&world, &order, Reply::ok(said)), "{}", String::from_utf8_lossy(said));
    }
    let half = SUCCESS.split_at(50).0;
    for (index, said) in [
        "<xml><return_code>FAIL</return_code></xml>",
        "<xml><return_code>SUCCESS</return_code><return_code>FAIL</return_code></xml>",
        "<html><body>SUCCESS</body></html>",
        &format!("<b>Notice</b>: Undefined index\n{SUCCESS}"),
        half,
    ]
    .into_iter()
    .enumerate()
    {
        assert!(!notification_counts(&world, &format!("REFUSED-{index}"), Reply::xml(said)), "{said}");
    }
}

#[test]
fn the_order_system_is_asked_for_no_coding_whatever_the_sender_offered() {
    let world = world_with("app", None);
    world.wechat.order(&APP, "OFFER-1").paid(100);
    world.upstream.answers_once(Reply::Breaks);
    let request = Request::post("/pay/success").form("OrderID=OFFER-1");
    let request = request.header("Accept-Encoding", "gzip, br").header("accept_encoding", "gzip");
    assert_eq!(world.send(&request).status(), 502);
    until("it to be sent again", || world.upstream.requests_for("OFFER-1").len() == 2);
    for seen in world.upstream.requests_for("OFFER-1") {
        assert_eq!(seen.folded("Accept-Encoding"), ["identity"]);
    }
}

#[test]
fn an_answer_that_is_compressed_all_the_same_is_read_and_passed_on_as_it_is_meant() {
    let world = world_with("notify", None);
    for (serial, (coding, body)) in [
        ("gzip", gzip(SUCCESS.as_bytes())),
        ("x-gzip", gzip(SUCCESS.as_bytes())),
        ("deflate", deflate(SUCCESS.as_bytes())),
        ("deflate, gzip", gzip(&deflate(SUCCESS.as_bytes()))),
        ("UTF-8", SUCCESS.as_bytes().to_vec()),
    ]
    .into_iter()
    .enumerate()
    {
        let order = format!("ZIP-{serial}");
        world.wechat.order(&APP, &order).paid(100);
        world.upstream.answers_once(coded(u32::try_from(serial).unwrap(), coding, &body));
        let fields = notification(&APP, &order, 100);
        let answer = world.wechat_calls_back("app", fields, APP.key, SignType::Md5);
        assert_eq!((return_code(&answer).as_str(), answer.text().as_str()), ("SUCCESS", SUCCESS), "{coding}");
        assert!(answer.header("Content-Encoding").is_none_or(|named| named == "UTF-8"), "{coding}");
        assert_eq!(world.summary(&answer)["accepted"], true, "{coding}");
        stands(&world, &order, "accepted");
    }
}

#[test]
fn an_answer_in_a_coding_that_cannot_be_undone_is_no_answer() {
    let world = world_with("app", None);
    let mut cut = gzip(b"order-marked-paid");
    cut.truncate(20);
    for (serial, coding, body, reason) in [
        (1, "br", b"order-marked-paid".to_vec(), "upstream-broke"),
        (2, "gzip", cut, "upstream-broke"),
        (3, "gzip", gzip(&vec![b'a'; 2 << 20]), "upstream-answer-too-large"),
    ] {
        let order = format!("DARK-{serial}");
        world.wechat.order(&APP, &order).paid(100);
        world.upstream.answers_once(coded(serial, coding, &body));
        let answer = world.app_callback(&order);
        assert_eq!((answer.status(), world.reason(&answer).as_str()), (502, reason), "{coding}");
        assert!(world.gate.log().contains("the body of an answer is "), "{coding}");
        // The next answer can be read.
        stands(&world, &order, "accepted");
    }
}

#[test]
fn an_absorbed_repetition_gets_no_coding_that_it_did_not_offer() {
    let world = World::with(|setup| {
        setup.hurry();
        setup.route("app")["duplicates"] = json!("absorb");
    });
    world.wechat.order(&APP, "ABSORB-1").paid(100);
    world.upstream.answers_once(coded(1, "gzip", &gzip(b"booked")));
    let offering = Request::post("/pay/success").form("OrderID=ABSORB-1").header("Accept-Encoding", "gzip");
    let first = world.send(&offering);
    let plain = |answer: &Message| (answer.text(), answer.header("Content-Encoding"), answer.header("ETag"));
    for answer in [&first, &world.app_callback("ABSORB-1"), &world.send(&offering)] {
        assert_eq!(plain(answer), ("booked".to_owned(), None, None));
    }
    assert_eq!(world.upstream.requests_for("ABSORB-1").len(), 1);
}

#[test]
fn an_answer_that_was_kept_compressed_by_an_earlier_version_is_told_as_it_is_meant() {
    let mut world = World::with(|setup| {
        setup.hurry();
        setup.route("app")["duplicates"] = json!("absorb");
    });
    world.wechat.order(&APP, "KEPT-1").paid(100);
    // A header of the same length stands for the one that earlier versions kept.
    let said = format!("HTTP/1.1 200 OK\r\n{MARK}: 1\r\nx-content-coding: gzip\r\nContent-Length: 6\r\n\r\nbooked");
    world.upstream.answers_once(Reply::Writes(said.into_bytes()));
    assert_eq!(world.app_callback("KEPT-1").text(), "booked");
    stands(&world, "KEPT-1", "accepted");
    world.kill9();
    let journal = rusqlite::Connection::open(world.journal_file()).unwrap();
    let sql = "UPDATE delivery_row SET answer_body = ?1, answer_headers =
                 CAST(replace(CAST(answer_headers AS TEXT), 'x-content-coding', 'content-encoding') AS BLOB)";
    assert_eq!(journal.execute(sql, [gzip(b"booked")]).unwrap(), 1);
    drop(journal);
    world.restart();
    let answer = world.app_callback("KEPT-1");
    assert_eq!((answer.text().as_str(), answer.header("Content-Encoding")), ("booked", None));
    assert_eq!(world.upstream.requests_for("KEPT-1").len(), 1);
}

/// What `verify --answer` says of a file.
fn verified(world: &World, route: &str, saved: &[u8]) -> (i32, Value) {
    let file = world.dir().join("answer.http");
    std::fs::write(&file, saved).unwrap();
    let ended = world.command(&["verify", "--answer", file.to_str().unwrap(), "--route", route, "--json"]);
    (ended.code, serde_json::from_str(&ended.stdout).unwrap_or(Value::Null))
}

#[test]
fn verify_says_whether_a_saved_answer_would_count_and_which_part_failed() {
    let world = World::with(|setup| {
        setup.route("app")["accepted"] = json!({ "status": 200, "body": "success" });
        setup.route("json")["accepted"] = json!({ "json": { "code": 0, "data.ok": true } });
    });
    let zipped = [&b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"[..], &gzip(SUCCESS.as_bytes())].concat();
    for (route, saved, failed) in [
        ("app", &b"HTTP/1.1 200 OK\r\nServer: a\r\n\r\n\xef\xbb\xbfsuccess\r\n"[..], None),
        ("app", b"HTTP/1.1 200 OK\nServer: a\n\nsuccess\n", None),
        ("app", b"success", None),
        ("app", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nunsuccessful", Some("body")),
        ("app", b"HTTP/2 201 \r\nserver: a\r\n\r\nsuccess", Some("status")),
        ("json", b"{\"code\":0,\"data\":{\"ok\":true}}", None),
        ("json", b"{\"code\":0,\"data\":{\"ok\":\"true\"}}", Some("json")),
        ("notify", SUCCESS.as_bytes(), None),
        ("notify", zipped.as_slice(), None),
        ("notify", b"HTTP/1.1 200 OK\r\n\r\n<html>", Some("return_code")),
        ("app-get", b"HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n", Some("status")),
        ("app-get", b"whatever", None),
    ] {
        let (code, told) = verified(&world, route, saved);
        let shown = String::from_utf8_lossy(saved);
        assert_eq!(
            (code, &told["failed_rule"]),
            (i32::from(failed.is_some()), &json!(failed)),
            "{route} {shown}: {told}"
        );
        assert_eq!(told["counts"], failed.is_none(), "{told}");
        assert_eq!(told["status_assumed"], !saved.starts_with(b"HTTP/"), "{told}");
    }
    let (code, told) = verified(&world, "app", b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\nsuccess");
    assert_eq!((code, &told["reason"], &told["counts"]), (1, &json!("upstream-broke"), &json!(false)));
    world.upstream_saw_nothing();
}

#[test]
fn verify_of_an_answer_says_it_in_words_and_reads_no_secret() {
    let world = World::with(|setup| setup.route("app")["accepted"] = json!({ "body": "success" }));
    let (config, file) = (world.config_file(), world.dir().join("answer.txt"));
    std::fs::write(&file, "unsuccessful").unwrap();
    let args = ["verify", "--answer", file.to_str().unwrap(), "--config", config.to_str().unwrap()];
    let ended = crate::program::command(&[&args[..], &["--route", "app"]].concat(), &[]);
    assert_eq!(ended.code, 1, "{}{}", ended.stdout, ended.stderr);
    for word in ["app", "taken to be 200", "\"success\"", "\"unsuccessful\"", "would not count", "body"] {
        assert!(ended.stdout.contains(word), "no {word} in {}", ended.stdout);
    }
    let unknown = crate::program::command(&[&args[..], &["--route", "ap"]].concat(), &[]);
    assert_eq!(unknown.code, 2, "{}{}", unknown.stdout, unknown.stderr);
    assert!(unknown.stderr.contains("app-get"), "{}", unknown.stderr);
    assert_eq!(crate::program::command(&args, &[]).code, 2, "--route is needed");
    let gone = ["verify", "--answer", "/nowhere/answer", "--route", "app", "--config", config.to_str().unwrap()];
    let gone = crate::program::command(&gone, &[]);
    assert_eq!(gone.code, 1);
    assert!(gone.stderr.contains("/nowhere/answer"), "{}", gone.stderr);
}

#[test]
fn check_says_what_counts_and_warns_of_a_word_that_is_only_looked_for() {
    let world = World::with(|setup| {
        setup.route("app")["accepted"] = json!({ "body_contains": "success" });
        setup.route("app-get")["accepted"] = json!({ "body": "ok" });
        setup.route("json")["accepted"] = json!({ "body_contains": "\"code\":0," });
        setup.route("notify")["accepted"] = json!({ "status": "2xx" });
        setup.route("xmlnotify")["accepted"] = json!({ "return_code": "SUCCESS", "json": { "code": 0 } });
    });
    let ended = world.command(&["check"]);
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    for line in [
        "route app: an answer counts as taken with status 2xx, \"success\" in the body",
        "route app-get: an answer counts as taken with status 2xx, the whole body \"ok\"",
        "routes[0].accepted.body_contains: is a single word",
        "routes[3].accepted: asks nothing of the body",
        "routes[4].accepted: asks for return_code, which is read in XML, and for json",
    ] {
        assert!(ended.stdout.contains(line), "no {line} in {}", ended.stdout);
    }
    assert_eq!(ended.stdout.matches("is a single word").count(), 1, "{}", ended.stdout);
    let told: Value = serde_json::from_str(&world.command(&["check", "--json"]).stdout).unwrap();
    assert_eq!(told["accepted"]["app-get"], "status 2xx, the whole body \"ok\"");
    let keys: Vec<_> = told["warnings"].as_array().unwrap().iter().map(|warning| warning["key"].clone()).collect();
    assert!(keys.contains(&json!("routes[0].accepted.body_contains")), "{told}");
}
