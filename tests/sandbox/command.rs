//! `tollgate sandbox` as a user runs it.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

struct Running {
    child: Child,
    url: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tollgate() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tollgate"))
}

fn start() -> Running {
    let mut command = tollgate();
    command.args(["sandbox", "--listen", "127.0.0.1:0", "--seed", "1", "--time-scale", "1000000"]);
    started(command)
}

fn started(mut command: Command) -> Running {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("sandbox listening on ").unwrap().to_owned();
    Running { child, url }
}

impl Running {
    fn steer(&self, args: &[&str]) -> Output {
        tollgate().arg("sandbox").args(args).args(["--url", &self.url]).output().unwrap()
    }

    /// What a control call without a command of its own shows.
    fn json_of(&self, what: &str) -> Value {
        let host = self.url.strip_prefix("http://").unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let path = format!("/sandbox/{what}");
        let answer = runtime.block_on(crate::harness::http(host.parse().unwrap(), "GET", &path, &[], "")).unwrap();
        serde_json::from_str(&answer.body).unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.steer(&[args, &["--json"]].concat());
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

#[test]
fn it_starts_is_steered_and_ends_on_an_interrupt() {
    let mut running = start();
    let paid = running.json(&["pay", "A|1", "--total-fee", "6600"]);
    assert_eq!((&paid["trade_state"], &paid["total_fee"]), (&"SUCCESS".into(), &6600.into()));
    assert_eq!(running.json(&["order", "A|1"]), paid);
    assert_eq!(
        running.json(&["order", "A2", "--state", "userpaying", "--mch-id", "1900000110"])["trade_state"],
        "USERPAYING"
    );
    assert_eq!(running.json(&["fault", "A|1", "reset", "--count", "2"])["faults"][0]["count"], 2);
    assert_eq!(running.json(&["fault", "A|1", "--clear"])["faults"], Value::Array(Vec::new()));
    assert_eq!(running.json(&["host", "api2", "down"])["api2"][0]["kind"], "reset");
    assert_eq!(running.json(&["bill", "--gzip", "ignored", "--bom", "false"])["gzip"], "ignored");
    let settings = running.json(&["bill"]);
    assert_eq!((&settings["gzip"], &settings["bom"]), (&"ignored".into(), &false.into()));
    assert_eq!(running.json(&["bill", "--clear"])["gzip"], "honoured");
    assert_eq!(running.json(&["bills"]), Value::Array(Vec::new()));
    assert_eq!(running.json(&["lose", "0"])["probability"], 0.0);
    assert_eq!(running.json(&["refund", "A|1"])["trade_state"], "REFUND");
    assert_eq!(running.json(&["orders"]).as_array().unwrap().len(), 2);
    assert_eq!(running.json(&["queries"]), Value::Array(Vec::new()));
    let refused = running.steer(&["notify", "A3", "http://127.0.0.1:1/"]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("no such order"));
    let unheard = running.steer(&["notify", "A|1", "http://127.0.0.1:1/", "--follow"]);
    assert!(!unheard.status.success());
    assert!(String::from_utf8_lossy(&unheard.stdout).contains("given-up"));
    assert!(running.steer(&["reset"]).status.success());
    assert_eq!(running.json(&["orders"]), Value::Array(Vec::new()));

    kill(Pid::from_raw(i32::try_from(running.child.id()).unwrap()), Signal::SIGINT).unwrap();
    assert!(running.child.wait().unwrap().success());
    let gone = running.steer(&["orders"]);
    assert!(String::from_utf8_lossy(&gone.stderr).contains("tollgate sandbox"), "says what to do");
}

#[test]
fn notifications_can_be_lost_from_the_start() {
    let mut command = tollgate();
    command.args(["sandbox", "--listen", "127.0.0.1:0", "--seed", "1", "--lose", "1"]);
    let running = started(command);
    running.json(&["pay", "A1"]);
    let lost = running.steer(&["notify", "A1", "http://127.0.0.1:1/"]);
    assert!(!lost.status.success() && String::from_utf8_lossy(&lost.stdout).contains("lost"));
    let refused = tollgate().args(["sandbox", "--listen", "127.0.0.1:0", "--lose", "2"]).output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("probability: 0 to 1"));
}

fn demo(args: &[&str]) -> (bool, Vec<Value>) {
    let output = tollgate().args(["demo", "--once", "--json"]).args(args).output().unwrap();
    let demo: Value = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.success(), demo["scenes"].as_array().unwrap().clone())
}

fn goes_well(scene: &Value) -> bool {
    scene["checks"].as_array().unwrap().iter().all(|check| check["seen"] == true)
}

#[test]
fn every_scene_of_the_demo_goes_well() {
    let (success, scenes) = demo(&[]);
    let bad: Vec<_> = scenes.iter().filter(|scene| !goes_well(scene)).collect();
    assert!(success && bad.is_empty() && scenes.len() == 17, "{bad:#?}");
}

#[test]
fn the_scenes_of_three_gates_go_well_and_one_is_killed() {
    if std::env::var_os("TOLLGATE_SKIP_DATABASES").is_some_and(|skip| !skip.is_empty()) {
        return;
    }
    let (success, scenes) = demo(&["--replicas"]);
    assert!(success && scenes.len() == 2, "{scenes:#?}");
}

#[test]
fn no_scene_of_the_demo_goes_well_without_the_gate() {
    let (success, scenes) = demo(&["--without-gate"]);
    let good: Vec<_> = scenes.iter().filter(|scene| goes_well(scene)).collect();
    assert!(!success && good.is_empty() && scenes.len() == 17, "{good:#?}");
}

#[test]
fn the_merchants_of_a_configuration_are_answered() {
    let mut command = tollgate();
    command.args([
        "sandbox",
        "--listen",
        "127.0.0.1:0",
        "--config",
        concat!(env!("CARGO_MANIFEST_DIR"), "/config.yaml"),
    ]);
    command.env("WECHAT_APP_KEY", "a".repeat(32)).env("WECHAT_C1_KEY", "b".repeat(32));
    let running = started(command);
    assert_eq!(running.json(&["order", "A1", "--mch-id", "1900000110", "--state", "closed"])["trade_state"], "CLOSED");
}

#[test]
fn the_keys_are_written_before_it_listens() {
    let directory = tempfile::tempdir().unwrap();
    let keys = directory.path().join("keys");
    let mut command = tollgate();
    command.args(["sandbox", "--listen", "127.0.0.1:0", "--keys"]).arg(&keys);
    let running = started(command);
    let list: Value = serde_json::from_str(&std::fs::read_to_string(keys.join("merchants.json")).unwrap()).unwrap();
    let merchants = running.json_of("merchants");
    for (listed, merchant) in list.as_array().unwrap().iter().zip(merchants.as_array().unwrap()) {
        assert_eq!((&listed["serial"], &listed["public_key_id"]), (&merchant["serial"], &merchant["public_key_id"]));
        assert!(keys.join(listed["private_key"].as_str().unwrap()).exists());
    }
    assert_eq!(running.json(&["signing", "mixed"])["with"], "mixed");
    assert_eq!(running.json(&["signing"])["with"], "mixed");
    assert_eq!(running.json(&["certificates", "--rotate"]).as_array().unwrap().len(), 2);
    assert_eq!(running.json(&["certificates"]).as_array().unwrap().len(), 2);
    running.json(&["pay", "A1"]);
    let unheard = running.steer(&["notify", "A1", "http://127.0.0.1:1/", "--format", "v3", "--no-retry"]);
    assert!(!unheard.status.success() && String::from_utf8_lossy(&unheard.stdout).contains("TRANSACTION.SUCCESS"));
}

/// Channels that take what the sandbox can sign, and one that takes WeChat Pay's own keys only.
#[test]
fn a_configuration_is_answered_in_v3_as_far_as_it_believes_the_sandbox() {
    let directory = tempfile::tempdir().unwrap();
    let keys = directory.path().join("keys");
    let mut command = tollgate();
    command.args(["sandbox", "--listen", "127.0.0.1:0", "--keys"]).arg(&keys);
    drop(started(command));
    let list: Value = serde_json::from_str(&std::fs::read_to_string(keys.join("merchants.json")).unwrap()).unwrap();
    let first = &list[0];
    let text = |name: &str| first[name].as_str().unwrap();
    let channel = |name: &str, mch_id: &str, believes: &str| {
        format!(
            "  {name}:\n    provider: wechat-v3\n    appid: {}\n    mch_id: \"{mch_id}\"\n    private_key: ${{file:keys/{}}}\n    serial: {}\n    api_v3_key: {}\n{believes}",
            text("appid"),
            text("private_key"),
            text("serial"),
            text("api_v3_key"),
        )
    };
    let public = |id: &str, file: &str, certificates: &str| {
        format!(
            "    public_key_id: {id}\n    public_key: ${{file:{file}}}\n    platform_certificates: {certificates}\n"
        )
    };
    let real = crate::wechatpay_v3::pem(&crate::wechatpay_v3::made(2048), "public");
    std::fs::write(directory.path().join("real.pem"), real).unwrap();
    let config = [
        "listen: 127.0.0.1:0\nupstream: http://127.0.0.1:1\njournal: none\nroutes:\n  - { name: n, path: \"/n/{channel}\", preset: wechat }\nchannels:\n".to_owned(),
        channel("public", "1900000201", &public("PUB_KEY_ID_201", &format!("keys/{}", text("public_key")), "none")),
        channel("download", "1900000202", ""),
        channel("real", "1900000203", &public("PUB_KEY_ID_203", "real.pem", "none")),
    ];
    let file = directory.path().join("config.yaml");
    std::fs::write(&file, config.concat()).unwrap();
    let mut command = tollgate();
    command.args(["sandbox", "--listen", "127.0.0.1:0", "--config"]).arg(&file);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let said: Vec<String> = lines.take_while(|line| !line.starts_with("try: ")).collect();
    let url = said[0].strip_prefix("sandbox listening on ").unwrap().to_owned();
    let said = said.concat();
    let running = Running { child, url };
    let merchants = running.json_of("merchants");
    let shown = |at: usize| (merchants[at]["serial"].clone(), merchants[at]["public_key_id"].clone());
    assert_eq!(shown(0), (text("serial").into(), "PUB_KEY_ID_201".into()));
    assert_eq!(shown(1), (text("serial").into(), Value::Null));
    assert_eq!(shown(2), (Value::Null, Value::Null));
    assert!(said.contains("merchant 1900000203 is not answered") && !said.contains("1900000202"), "{said}");
}
