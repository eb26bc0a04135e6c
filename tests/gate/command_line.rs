//! What all commands have in common: where the configuration is looked for, pipes that close, days by name, languages.

use crate::fakes::upstream::Reply;
use crate::fakes::wechat::APP;
use crate::harness::{Setup, World, until};
use crate::program::{Ended, command};
use serde_json::json;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The program in a directory, with this environment.
fn in_directory(directory: &std::path::Path, args: &[&str], env: &[(&str, &str)]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    let output = command
        .env_clear()
        .envs(env.iter().copied())
        .current_dir(directory)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

const GOOD: &str = "listen: 127.0.0.1:0
upstream: http://127.0.0.1:5000
routes: [{ name: app, path: /pay, carrier: form, order: OrderID, channel: app }]
channels: { app: { provider: wechat-v2, appid: wxd930ea5d5a258f4f, mch_id: 1900000109, key: \"${KEY}\" } }
";

#[test]
fn the_configuration_is_the_named_one_or_the_one_here() {
    let directory = TempDir::new().unwrap();
    let [named, set] = ["named.yaml", "set.yaml"].map(|name| {
        std::fs::write(directory.path().join(name), GOOD).unwrap();
        name
    });
    for (args, env, file) in [
        (&["check", "--config", named][..], &[("TOLLGATE_CONFIG", set)][..], named),
        (&["check"], &[("TOLLGATE_CONFIG", set)], set),
    ] {
        let ended = in_directory(directory.path(), args, env);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        assert!(ended.stdout.starts_with(&format!("{file}: usable")), "{}", ended.stdout);
    }
    let ended = in_directory(directory.path(), &["check", "--config", "none.yaml"], &[]);
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("none.yaml") && ended.stderr.contains("tollgate init"), "{}", ended.stderr);
    if !std::path::Path::new("/etc/tollgate/config.yaml").exists() {
        let ended = in_directory(directory.path(), &["check"], &[]);
        assert_eq!(ended.code, 1);
        for place in ["config.yaml: ", "/etc/tollgate/config.yaml", "tollgate init"] {
            assert!(ended.stderr.contains(place), "no {place} in {}", ended.stderr);
        }
    }
    std::fs::write(directory.path().join("config.yaml"), GOOD).unwrap();
    let ended = in_directory(directory.path(), &["check"], &[]);
    assert!(ended.code == 0 && ended.stdout.starts_with("config.yaml: usable"), "{}", ended.stdout);
}

#[test]
fn a_file_of_another_coding_is_told_by_line() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("config.yaml");
    let gbk = [b"listen: 127.0.0.1:0\n# \xca\xd5\xd2\xf8\n", GOOD.as_bytes()].concat();
    let utf_16: Vec<u8> = GOOD.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (bytes, wanted) in [
        (gbk, "config.yaml:2:3: line 2 is not UTF-8 (GBK?): save as UTF-8"),
        ([b"\xff\xfe", &*utf_16].concat(), "config.yaml:1:1: line 1 is UTF-16: save as UTF-8"),
    ] {
        std::fs::write(&file, bytes).unwrap();
        for verb in ["check", "run"] {
            let ended = in_directory(directory.path(), &[verb], &[]);
            assert_eq!(ended.code, 1);
            assert!(ended.stderr.starts_with(wanted), "{}", ended.stderr);
        }
    }
}

/// `tollgate explain ID | head -1`.
#[test]
fn a_reader_that_goes_away_is_no_failure_of_any_command() {
    let world = World::with(Setup::hurry);
    world.wechat.order(&APP, "PIPE-1").paid(100);
    assert_eq!(world.app_callback("PIPE-1").status(), 200);
    let saved = world.dir().join("request.http");
    std::fs::write(
        &saved,
        "POST /pay/success HTTP/1.1\nHost: s\nContent-Type: application/x-www-form-urlencoded\n\nOrderID=PIPE-1",
    )
    .unwrap();
    let (config, saved) = (world.config_file(), saved.display().to_string());
    for args in [
        &["check"][..],
        &["check", "--json"],
        &["check", "--resolve"],
        &["query", "app", "PIPE-1"],
        &["lookup", "PIPE-1"],
        &["explain", "PIPE-1"],
        &["explain", "PIPE-1", "--json"],
        &["redeliver", "PIPE-1", "--override", "accepted", "--because", "it was lost"],
        &["sweep", "--list"],
        &["journal", "export"],
        &["journal", "check"],
        &["verify", "--file", &saved],
        &["completions", "bash"],
        &["man"],
        &["--help"],
        &["--version"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .env_clear()
            .env("APP_KEY", APP.key)
            .env("TOLLGATE_CONFIG", &config)
            .args(args)
            .stdin(Stdio::null())
            .stdout(writer)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
            .wait_with_output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code().is_none_or(|code| code == 0), "{args:?}: {:?} {stderr}", output.status);
        assert_eq!(stderr, "", "{args:?}");
    }
}

#[test]
fn days_have_names() {
    let world = World::with(|setup| {
        setup.route("app")["synthesize"] =
            json!({ "body": "OrderID={{ order }}&paymentcenter_id=&TotalFee={{ amount }}" });
        setup.config["channels"]["app"]["sweep"] = json!({ "route": "app" });
    });
    let today = tollgate::domain::clock::beijing(tollgate::domain::clock::now()).date();
    let yesterday = today.yesterday().unwrap().to_string();
    let ended =
        world.command(&["sweep", "--channel", "app", "--date", "yesterday", "--dry-run", "--json", "--wait", "10s"]);
    assert!(ended.stdout.contains(&format!("\"bill_date\": \"{yesterday}\"")), "{} {}", ended.stdout, ended.stderr);
    let ended = world.command(&[
        "sweep",
        "--channel",
        "app",
        "--date",
        "yesterday",
        "--to",
        "today",
        "--dry-run",
        "--wait",
        "1s",
        "--json",
    ]);
    assert!(ended.stdout.contains(&format!("\"bill_date\": \"{today}\"")), "{} {}", ended.stdout, ended.stderr);
    for day in ["tomorrow", "2026-02-30"] {
        assert_eq!(world.command(&["sweep", "--channel", "app", "--date", day, "--dry-run"]).code, 2, "{day}");
    }
    world.wechat.order(&APP, "DAY-1").paid(100);
    assert_eq!(world.app_callback("DAY-1").status(), 200);
    for since in ["today", "yesterday", &*yesterday] {
        let ended = world.command(&["journal", "export", "--since", since]);
        // Right after midnight it came yesterday.
        assert!(ended.code == 0 && (since == "today" || ended.stdout.contains("DAY-1")), "{since}: {}", ended.stderr);
    }
}

#[test]
fn lookup_of_a_channel_nobody_configured_names_those_there_are() {
    let world = World::new();
    let ended = world.command(&["lookup", "ANY-1", "--channel", "nobody"]);
    assert_eq!(ended.code, 1, "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stderr.contains("no channel nobody") && ended.stderr.contains("hmac"), "{}", ended.stderr);
    world.wechat_was_not_asked();
}

#[test]
fn redeliver_says_what_the_order_system_answered() {
    let world = World::with(|setup| {
        setup.config["follow_up"] = json!({ "redeliver": ["1h"] });
    });
    world.wechat.order(&APP, "SAID-1").paid(100);
    world.upstream.answers(Reply::Says { status: 500, content_type: "text/plain", body: b"oops".to_vec() });
    assert_eq!(world.app_callback("SAID-1").status(), 500);
    until("the entry", || world.journal("SELECT count(*) FROM entry") == 1);
    let ended = world.command(&["redeliver", "SAID-1"]);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(ended.stdout.contains("SAID-1 on app: answered 500"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("delivering (paid)"), "{}", ended.stdout);
}

#[test]
fn the_language_is_that_of_the_environment_and_json_is_always_english() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("config.yaml");
    std::fs::write(&file, GOOD.replace("carrier: form", "carier: form")).unwrap();
    let check = |more: &[&str], env: &[(&str, &str)]| {
        command(&[&["check", "--config", file.to_str().unwrap()], more].concat(), env)
    };
    for env in
        [&[("LC_ALL", "zh_CN.UTF-8")][..], &[("LC_MESSAGES", "zh_CN"), ("LANG", "en_US.UTF-8")], &[("LANG", "zh")]]
    {
        let ended = check(&[], env);
        assert!(ended.stderr.contains("未知的键") && ended.stderr.contains("carier"), "{env:?}: {}", ended.stderr);
        let json = check(&["--json"], env).stdout;
        assert!(json.contains("unknown key") && json.is_ascii(), "{json}");
    }
    for env in [&[][..], &[("LC_ALL", "C.UTF-8"), ("LANG", "zh_CN.UTF-8")]] {
        assert!(check(&[], env).stderr.contains("unknown key"), "{env:?}");
    }
    std::fs::write(&file, GOOD).unwrap();
    let ended = check(&[], &[("LANG", "zh_CN.UTF-8")]);
    assert!(ended.code == 0 && ended.stdout.contains("可用"), "{}", ended.stdout);
}

#[test]
fn explain_and_sweep_speak_chinese() {
    let world = World::with(|setup| {
        setup.hurry();
        setup.route("app")["synthesize"] =
            json!({ "body": "OrderID={{ order }}&paymentcenter_id=&TotalFee={{ amount }}" });
        setup.config["channels"]["app"]["sweep"] = json!({ "route": "app" });
    });
    world.wechat.order(&APP, "ZH-1").paid(100);
    assert_eq!(world.app_callback("ZH-1").status(), 200);
    let config = world.config_file();
    let chinese = |args: &[&str]| {
        let env = [("APP_KEY", APP.key), ("LC_ALL", "zh_CN.UTF-8")];
        command(&[args, &["--config", config.to_str().unwrap()]].concat(), &env)
    };
    let told = chinese(&["explain", "ZH-1"]);
    for word in ["订单号 ZH-1", "已支付", "查单结果", "下一步"] {
        assert!(told.code == 0 && told.stdout.contains(word), "no {word} in {}{}", told.stdout, told.stderr);
    }
    assert!(!told.stdout.contains("nothing") && !told.stdout.contains("answered"), "{}", told.stdout);
    assert!(chinese(&["explain", "NOBODY"]).stderr.contains("本地流水中没有 NOBODY"));
    assert!(chinese(&["explain", "ZH-1", "--json"]).stdout.is_ascii());
    assert!(chinese(&["sweep", "--list"]).stdout.contains("还没有对过账"));
    let told = chinese(&["sweep", "--channel", "app", "--date", "yesterday", "--dry-run", "--wait", "10s"]);
    assert!(told.stdout.contains("的账单") && told.stdout.contains("试运行"), "{}{}", told.stdout, told.stderr);
    assert!(chinese(&["check"]).stdout.contains("警告"));
}
