//! A wrong `config.yaml` is told by line and remedy before it can do harm, and never starts (O-01).

use crate::fakes::wechat::APP;
use crate::harness::World;
use crate::program::{Ended, command};
use tempfile::TempDir;

const GOOD: &str = r#"listen: 127.0.0.1:0
upstream: http://127.0.0.1:5000
routes:
  - name: app
    path: /pay/success
    methods: [POST]
    carrier: form
    order: OrderID
    channel: app
channels:
  app:
    provider: wechat-v2
    appid: wxd930ea5d5a258f4f
    mch_id: 0123456789
    key: ${APP_KEY}
"#;

/// Runs a verb of the program on this config.
fn with_config(verb: &str, yaml: &str) -> Ended {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("config.yaml");
    std::fs::write(&file, yaml).unwrap();
    command(&[verb, "--config", file.to_str().unwrap()], &[("APP_KEY", APP.key)])
}

/// The line of the good config on which this stands, counted from 1.
fn line_of(text: &str) -> usize {
    GOOD.lines().position(|line| line.contains(text)).unwrap() + 1
}

/// Rejected with this line number and all these words on stderr.
fn rejected(from: &str, to: &str, line: usize, words: &[&str]) {
    assert!(GOOD.contains(from));
    let ended = with_config("check", &GOOD.replacen(from, to, 1));
    assert_eq!(ended.code, 1, "{to:?}: {}{}", ended.stdout, ended.stderr);
    assert!(ended.stderr.contains(&format!("config.yaml:{line}")), "{to:?}: no line {line} in {}", ended.stderr);
    for word in words {
        assert!(ended.stderr.contains(word), "{to:?}: no {word:?} in {}", ended.stderr);
    }
    assert!(!ended.stderr.contains(APP.key) && !ended.stdout.contains(APP.key));
}

#[test]
fn a_good_config_is_good() {
    let ended = with_config("check", GOOD);
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    assert!(!ended.stdout.contains(APP.key));
}

#[test]
fn an_error_names_file_line_key_and_remedy() {
    rejected("carrier: form", "carier: form", line_of("carrier"), &["routes", "carier", "carrier"]);
    rejected("carrier: form", "carrier: yaml", line_of("carrier"), &["carrier", "form"]);
    rejected("channel: app", "channel: nobody", line_of("channel: app"), &["routes[0].channel", "app"]);
    rejected("key: ${APP_KEY}", "key: tooshort", line_of("key:"), &["channels.app.key", "32"]);
    rejected("key: ${APP_KEY}", "key: 192006250b4c09247ec02edce69f6a2d", line_of("key:"), &["channels.app.key"]);
    rejected("upstream: http://127.0.0.1:5000", "upstream: localhost", 2, &["upstream"]);
    rejected("upstream: http://127.0.0.1:5000", "upstream: ftp://127.0.0.1", 2, &["upstream", "http"]);
    rejected("listen: 127.0.0.1:0", "listen: 127.0.0.1", 1, &["listen"]);
    rejected("path: /pay/success", "path: pay/success", line_of("path:"), &["path"]);
    rejected("methods: [POST]", "methods: POST, GET", line_of("methods:"), &["methods"]);
    rejected("provider: wechat-v2", "provider: paypal", line_of("provider"), &["provider", "wechat-v2"]);
    rejected("listen: 127.0.0.1:0", "listen: 127.0.0.1:0\ndeadline: 4500", 2, &["deadline", "ms"]);
    rejected("listen: 127.0.0.1:0", "listen: 127.0.0.1:0\nlisten: 127.0.0.1:1", 2, &["listen"]);
    rejected("listen: 127.0.0.1:0", "listen: 127.0.0.1:0\nwechat: { hosts: [\"http://pay.example\"] }", 2, &["https"]);
    rejected("listen: 127.0.0.1:0", "listen: 127.0.0.1:0\nmode: dry-run", 2, &["mode", "observe"]);
}

#[test]
fn a_secret_that_is_not_there_is_told_by_name_and_the_gate_does_not_start() {
    for secret in ["${NOBODY_SET_THIS}", "${file:/nowhere/key}"] {
        let yaml = GOOD.replace("${APP_KEY}", secret);
        let name = secret.trim_matches(['$', '{', '}']).trim_start_matches("file:");
        let checked = with_config("check", &yaml);
        assert!(format!("{}{}", checked.stdout, checked.stderr).contains(name), "{}{}", checked.stdout, checked.stderr);
        let ended = with_config("run", &yaml);
        assert_eq!(ended.code, 1, "{}", ended.stderr);
        for word in [name, "channels.app.key", &format!("config.yaml:{}", line_of("key:"))] {
            assert!(ended.stderr.contains(word), "no {word} in {}", ended.stderr);
        }
    }
}

#[test]
fn what_is_not_yaml_is_told_by_line() {
    rejected("listen: 127.0.0.1:0", "listen: [127.0.0.1:0", 2, &[]);
}

#[test]
fn overlapping_routes_are_an_error() {
    let second =
        "  - { name: b, path: \"/pay/{x}\", methods: [POST], carrier: form, order: OrderID, channel: app }\nchannels:";
    let ended = with_config("check", &GOOD.replace("channels:", second));
    assert_eq!(ended.code, 1);
    for word in ["config.yaml:10", "routes[1].path", "routes[0].path"] {
        assert!(ended.stderr.contains(word), "no {word} in {}", ended.stderr);
    }
}

#[test]
fn a_refusal_that_reads_as_success_is_an_error() {
    // I7
    rejected(
        "channel: app",
        "channel: app\n    reply: { failure: { status: 200, type: text/plain, body: success } }",
        line_of("channel: app") + 1,
        &["routes[0].reply.failure"],
    );
}

#[test]
fn every_error_is_told_at_once() {
    let bad =
        GOOD.replace("listen:", "lissen:").replace("carrier: form", "carrier: yaml").replace("${APP_KEY}", "short");
    for verb in ["check", "run"] {
        let ended = with_config(verb, &bad);
        assert_eq!(ended.code, 1, "{verb}: {}", ended.stderr);
        for word in ["lissen", "listen", "carrier", "channels.app.key"] {
            assert!(ended.stderr.contains(word), "{verb}: no {word} in {}", ended.stderr);
        }
    }
}

#[test]
fn a_key_in_the_wrong_place_is_not_printed() {
    let wrong = "Aa11Bb22Cc33Dd44Ee55Ff66Gg77Hh8";
    let ended = with_config("check", &GOOD.replace("${APP_KEY}", wrong));
    assert_eq!(ended.code, 1);
    assert!(!ended.stderr.contains(wrong) && !ended.stdout.contains(wrong), "{}", ended.stderr);
}

#[test]
fn a_missing_file_is_told_by_name() {
    let ended = command(&["check", "--config", "/nowhere/config.yaml"], &[]);
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("/nowhere/config.yaml"), "{}", ended.stderr);
}

#[test]
fn an_id_stays_the_characters_it_was_written_with() {
    let world = World::with(|setup| {
        let yaml_number = serde_json::json!("0123456789");
        setup.config["channels"]["app"]["mch_id"] = yaml_number;
    });
    world.app_callback("ZERO-1");
    assert_eq!(world.wechat.queries()[0].field("mch_id"), "0123456789");
    let ended = with_config("check", GOOD);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
}

#[test]
fn a_key_may_stand_in_a_file() {
    let world = World::with(|setup| {
        let file = setup.dir.join("app.key");
        std::fs::write(&file, format!("{}\n", APP.key)).unwrap();
        setup.config["channels"]["app"]["key"] = serde_json::json!(format!("${{file:{}}}", file.display()));
    });
    world.wechat.order(&APP, "FILE-1").paid(100);
    assert_eq!(world.app_callback("FILE-1").status(), 200);
}

#[test]
fn a_port_that_is_taken_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let ended = with_config("run", &GOOD.replace("127.0.0.1:0", &addr));
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(ended.stderr.contains(&addr), "{}", ended.stderr);
}

#[test]
fn check_as_json_is_for_programs() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("config.yaml");
    std::fs::write(&file, GOOD.replace("carrier: form", "carrier: yaml")).unwrap();
    let ended = command(&["check", "--json", "--config", file.to_str().unwrap()], &[("APP_KEY", APP.key)]);
    assert_eq!(ended.code, 1);
    let told: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert!(told.to_string().contains("carrier"), "{told}");
}

#[test]
fn check_resolve_asks_every_merchant_one_harmless_question() {
    let world = World::new();
    let ended = world.command(&["check", "--resolve"]);
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    let asked: std::collections::BTreeSet<_> =
        world.wechat.queries().iter().map(|query| query.field("mch_id").to_owned()).collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
    world.upstream_saw_nothing();
}

#[test]
fn check_resolve_finds_a_wrong_key() {
    let world = World::with(|setup| {
        setup.config["channels"]["2/c1"]["key"] = serde_json::json!("Wrong0Wrong1Wrong2Wrong3Wrong4Wr");
    });
    let ended = world.command(&["check", "--resolve"]);
    assert_eq!(ended.code, 1, "{}{}", ended.stdout, ended.stderr);
    assert!(format!("{}{}", ended.stdout, ended.stderr).contains("2/c1"));
}
