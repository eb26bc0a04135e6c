//! `tollgate init`: from a saved callback to a configuration that check accepts and verify reads the same order with.

use crate::fakes::wechat::{APP, SignType, notification, signed_xml};
use crate::program::{Ended, command};
use crate::wire::Request;
use serde_json::Value;
use std::path::PathBuf;
use tempfile::TempDir;

/// A folder with a saved request in it.
struct Desk {
    directory: TempDir,
}

const GIVEN: [&str; 6] =
    ["--upstream", "http://127.0.0.1:5000", "--appid", "wxd930ea5d5a258f4f", "--mch-id", "1900000109"];

impl Desk {
    fn with(request: &[u8]) -> Self {
        let directory = TempDir::new().unwrap();
        std::fs::write(directory.path().join("request.http"), request).unwrap();
        Self { directory }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn init(&self, more: &[&str]) -> Ended {
        let (from, out) = (self.file("request.http"), self.file("config.yaml"));
        let args = ["init", "--from", from.to_str().unwrap(), "--out", out.to_str().unwrap()];
        command(&[&args, more].concat(), &[])
    }

    fn command(&self, args: &[&str]) -> Ended {
        let config = self.file("config.yaml");
        command(&[args, &["--config", config.to_str().unwrap()]].concat(), &[("WECHAT_KEY", APP.key)])
    }
}

#[test]
fn what_it_writes_passes_check_and_reads_the_order() {
    let xml = signed_xml(notification(&APP, "INIT-1", 100), APP.key, SignType::Md5);
    for (request, given, words) in [
        (
            Request::post("/pay/success").form("OrderID=INIT-1&TotalFee=88.00"),
            &GIVEN[..],
            &["order: OrderID", "amount_unit: yuan"][..],
        ),
        (
            Request::post("/pay").json(r#"{"data":{"order_id":"INIT-1"}}"#),
            &GIVEN,
            &["carrier: json", "order: data.order_id"],
        ),
        (Request::get("/pay?order_no=INIT-1"), &GIVEN, &["carrier: query", "order: order_no"]),
        (Request::post("/pay").xml("<xml><order_sn>INIT-1</order_sn></xml>"), &GIVEN, &["carrier: xml"]),
        (
            Request::post("/index.php?s=/Home/WxPay/notify").xml(&xml),
            &GIVEN[..2],
            &["preset: wechat-v2", "match: { query.s: /Home/WxPay/notify }", APP.appid, APP.mch_id],
        ),
    ] {
        let desk = Desk::with(&request.kept_alive());
        let ended = desk.init(given);
        assert_eq!(ended.code, 0, "{request:?}: {}{}", ended.stdout, ended.stderr);
        assert!(ended.stdout.contains("INIT-1") && ended.stdout.contains("tollgate check"), "{}", ended.stdout);
        let text = std::fs::read_to_string(desk.file("config.yaml")).unwrap();
        for word in words {
            assert!(text.contains(word), "no {word} in\n{text}");
        }
        assert_eq!(desk.command(&["check"]).code, 0, "{text}");
        let saved = desk.file("request.http");
        let ended = desk.command(&["verify", "--json", "--file", saved.to_str().unwrap()]);
        assert_eq!(ended.code, 0, "{}{}\n{text}", ended.stdout, ended.stderr);
        let read: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(read["order"], "INIT-1", "{read}");
    }
}

#[test]
fn a_request_that_an_editor_saved_is_read_and_so_it_is_by_verify() {
    let form = "Content-Type: application/x-www-form-urlencoded";
    let cookie = "Cookie: PHPSESSID=1; orderid=9";
    let part = "--x\nContent-Disposition: form-data; name=\"order_id\"\n\nINIT-5\n--x--\n";
    for (saved, wanted) in [
        (format!("POST /pay HTTP/1.1\nHost: s\n{form}\n\norder_id=INIT-5&fee=1\n"), "order: order_id"),
        (format!("POST /pay HTTP/1.1\r\nHost: s\r\n{form}\r\n\r\norder_id=INIT-5\r\n\r\n"), "order: order_id"),
        (format!("\u{FEFF}POST /pay HTTP/1.1\r\nHost: s\r\n{form}\r\n\r\norder_id=INIT-5"), "order: order_id"),
        (format!("\nPOST /a.php?m=Pay&a=ok HTTP/1.1\nHost: s\n{form}\n\norder_id=INIT-5\n"), "query.m: Pay"),
        (format!("GET /pay?orderid=INIT-5 HTTP/1.1\nHost: s\n{cookie}"), "cookies: ignore"),
        (
            format!("POST /pay HTTP/1.1\nHost: s\nContent-Type: multipart/form-data; boundary=x\n\n{part}"),
            "carrier: multipart",
        ),
    ] {
        let desk = Desk::with(saved.as_bytes());
        let ended = desk.init(&GIVEN);
        assert_eq!(ended.code, 0, "{saved}: {}", ended.stderr);
        let text = std::fs::read_to_string(desk.file("config.yaml")).unwrap();
        assert!(text.contains(wanted), "no {wanted} in\n{text}");
        assert_eq!(desk.command(&["check"]).code, 0, "{text}");
        let ended = desk.command(&["verify", "--json", "--file", desk.file("request.http").to_str().unwrap()]);
        let read: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!((ended.code, &read["order"]), (0, &Value::from("INIT-5")), "{read}");
    }
}

#[test]
fn what_people_save_instead_of_a_request_is_called_by_its_name() {
    let desk = Desk::with(&Request::post("/pay").form("order_id=INIT-6").kept_alive());
    assert_eq!(desk.init(&GIVEN).code, 0);
    for (saved, english, chinese) in [
        ("* Connected to s\n> POST /pay HTTP/1.1\n> Host: s\n>\n", "curl -v", "curl -v"),
        ("curl https://s/pay -d order_id=1\n", "curl command", "curl 命令"),
        ("HTTP/1.1 200 OK\n\nsuccess", "answer", "应答"),
        ("POST /pay HTTP/2\nHost: s\n\norder_id=1\n", "HTTP/1.1", "HTTP/1.1"),
        ("POST /pay HTTP/1.1\n\norder_id=1\n", "no Host", "缺少 Host"),
        ("POST /pay HTTP/1.1\nHost: s\nContent-Length: 99\n\norder_id=1\n", "99", "99"),
        ("order_id=1&fee=100\n", "no request line", "请求行"),
    ] {
        std::fs::write(desk.file("request.http"), saved).unwrap();
        let out = desk.file("other.yaml");
        let request = desk.file("request.http");
        let args = ["init", "--from", request.to_str().unwrap(), "--out", out.to_str().unwrap()];
        for (language, word) in [("C", english), ("zh_CN.UTF-8", chinese)] {
            let ended = command(&[&args, &GIVEN[..]].concat(), &[("LANG", language)]);
            assert!(ended.code == 1 && ended.stderr.contains(word), "no {word} for {saved}: {}", ended.stderr);
        }
        let ended = desk.command(&["verify", "--json", "--file", request.to_str().unwrap()]);
        let read: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!((ended.code, &read["reason"]), (1, &Value::from("request-malformed")), "{read}");
        assert!(read["detail"].as_str().unwrap().contains(english), "{read}");
    }
}

#[test]
fn a_file_that_is_there_is_left_as_it_is() {
    let desk = Desk::with(&Request::post("/pay").form("order_id=INIT-2").kept_alive());
    std::fs::write(desk.file("config.yaml"), "mine").unwrap();
    let ended = desk.init(&GIVEN);
    assert_eq!(ended.code, 1, "{}", ended.stdout);
    assert!(ended.stderr.contains("config.yaml") && ended.stderr.contains("--out"), "{}", ended.stderr);
    assert_eq!(std::fs::read_to_string(desk.file("config.yaml")).unwrap(), "mine");
}

#[test]
fn what_is_not_known_and_cannot_be_asked_is_named() {
    let desk = Desk::with(&Request::post("/pay").form("order_id=INIT-3").kept_alive());
    for (given, missing) in [
        (&[][..], &["--upstream", "--appid", "--mch-id"][..]),
        (&GIVEN[..2], &["--appid", "--mch-id"]),
        (&GIVEN[2..], &["--upstream"]),
    ] {
        let ended = desk.init(given);
        assert_eq!(ended.code, 2, "{}{}", ended.stdout, ended.stderr);
        for option in missing {
            assert!(ended.stderr.contains(option), "no {option} in {}", ended.stderr);
        }
    }
    let out = desk.file("config.yaml");
    let ended = command(&[&["init", "--out", out.to_str().unwrap()][..], &GIVEN].concat(), &[]);
    assert_eq!((ended.code, ended.stderr.contains("--from")), (2, true), "{}", ended.stderr);
    for wrong in [["--upstream", "127.0.0.1:5000"], ["--mch-id", "wxd930ea5d5a258f4f"], ["--appid", "a b"]] {
        assert_eq!(desk.init(&wrong).code, 2, "{wrong:?}");
    }
    assert!(!out.exists());
}

#[test]
fn what_cannot_be_understood_is_said_and_nothing_is_written() {
    for (request, words) in [
        (Request::post("/pay").form("a=1"), "no field"),
        (Request::post("/pay").form("order_id=1&order_id=2"), "field-repeated"),
        (Request::post("/a/../b").form("order_id=1"), "path"),
    ] {
        let desk = Desk::with(&request.kept_alive());
        let ended = desk.init(&GIVEN);
        assert_eq!((ended.code, ended.stderr.contains(words)), (1, true), "{request:?}: {}", ended.stderr);
        assert!(!desk.file("config.yaml").exists());
    }
    let desk = Desk::with(b"no request");
    assert_eq!(desk.init(&GIVEN).code, 1);
}

#[test]
fn it_speaks_chinese_and_writes_chinese_comments() {
    let desk = Desk::with(&Request::post("/pay").form("order_id=INIT-4&order_sn=5").kept_alive());
    let (from, out) = (desk.file("request.http"), desk.file("config.yaml"));
    let args = [&["init", "--from", from.to_str().unwrap(), "--out", out.to_str().unwrap()][..], &GIVEN].concat();
    let ended = command(&args, &[("LANG", "zh_CN.UTF-8")]);
    assert!(ended.code == 0 && ended.stdout.contains("已生成"), "{}{}", ended.stdout, ended.stderr);
    assert!(std::fs::read_to_string(out).unwrap().contains("也可能是 order_sn"));
    assert_eq!(desk.command(&["check"]).code, 0);
}
