//! One gate with its two neighbours, as a scenario sees them: the program that cargo just built, started with a config
//! of its own on ports of its own, and verbs for what people do. It asserts nothing about behaviour but what the ledger
//! asserts for everybody.

use crate::fakes::upstream::Upstream;
use crate::fakes::wechat::{self, APP, C1, Fields, SignType, WeChat};
use crate::ledger::Ledger;
use crate::program::{Ended, Gate, command, run};
use crate::wire::{Message, PATIENCE, Request, Wire};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Everything before the gate starts. The config is JSON, which is YAML.
pub struct Setup {
    pub config: Value,
    /// Environment variables of the gate.
    pub env: Vec<(String, String)>,
    pub dir: PathBuf,
    wechats: Vec<WeChat>,
    upstreams: Vec<Upstream>,
}

/// A running gate between its neighbours.
pub struct World {
    pub wechat: WeChat,
    pub upstream: Upstream,
    pub gate: Gate,
    ledger: Mutex<Ledger>,
    wechats: Vec<WeChat>,
    upstreams: Vec<Upstream>,
    pub env: Vec<(String, String)>,
    dir: TempDir,
}

/// The token of the admin listener: a secret like the keys.
pub const ADMIN_TOKEN: &str = "scenario-admin-token-0123456789abcdef";

impl Setup {
    fn new(dir: &Path) -> Self {
        let (wechat, upstream) = (WeChat::start(), Upstream::start());
        let config = json!({
            "listen": "127.0.0.1:0",
            "upstream": format!("http://{}", upstream.addr),
            "admin": { "listen": "127.0.0.1:0", "token": ADMIN_TOKEN },
            "routes": [
                {
                    "name": "app", "path": "/pay/success", "methods": ["POST"], "carrier": "form", "order": "OrderID",
                    "out_trade_no": "paymentcenter_id", "transaction": "WeixinTransactionID", "amount": "TotalFee",
                    "channel": [
                        { "when_empty": "paymentcenter_id", "is": "app" },
                        { "from": ["ChannelID", "CustomerID"] },
                    ],
                    "reply": "http",
                },
                {
                    "name": "app-get", "path": "/pay/success", "methods": ["GET"], "carrier": "query",
                    "order": "OrderID", "channel": "app", "reply": "http",
                },
                {
                    "name": "json", "path": "/pay/json", "methods": ["POST"], "carrier": "json",
                    "order": "data.order_id", "channel": [{ "from": "data.channel" }, { "is": "app" }], "reply": "http",
                },
                { "name": "notify", "path": "/wxpay/notify/{channel}", "preset": "wechat-v2" },
                {
                    "name": "xmlnotify", "path": "/wxpay/plain", "methods": ["POST"], "carrier": "xml",
                    "order": "out_trade_no", "channel": "app", "reply": "wechat-v2",
                },
            ],
            "channels": {
                "app": { "provider": "wechat-v2", "appid": APP.appid, "mch_id": APP.mch_id, "key": "${APP_KEY}" },
                "2/c1": {
                    "provider": "wechat-v2", "appid": C1.appid, "mch_id": C1.mch_id, "key": C1.key,
                    "query_by": "transaction_id",
                },
                "hmac": {
                    "provider": "wechat-v2", "appid": C1.appid, "mch_id": C1.mch_id, "key": C1.key,
                    "sign_type": "HMAC-SHA256",
                },
            },
            "wechat": { "hosts": [format!("http://{}", wechat.addr)], "queries_per_second": 5000 },
            "journal": { "path": dir.join("journal.db") },
            "log": { "format": "json", "level": "debug" },
        });
        // Nobody listens at these proxies: a gate that heeded them would confirm nothing (threat V-11).
        let proxies = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
        let proxies = proxies.map(|name| (name.to_owned(), "http://127.0.0.1:9".to_owned()));
        let mut env = vec![("APP_KEY".to_owned(), APP.key.to_owned())];
        env.extend(proxies);
        Self { config, env, dir: dir.to_owned(), wechats: vec![wechat], upstreams: vec![upstream] }
    }

    /// Lets the follow-up try again soon, for scenarios that wait for it.
    pub fn hurry(&mut self) {
        let delays = json!(["100ms", "200ms", "500ms", "1s"]);
        self.config["follow_up"] = json!({ "ask_again": delays, "redeliver": delays });
        self.config["cache"] = json!({ "pending": "50ms" });
    }

    /// The WeChat Pay that the gate asks unless the scenario names others.
    pub fn wechat(&self) -> &WeChat {
        &self.wechats[0]
    }

    /// The route of that name.
    pub fn route(&mut self, name: &str) -> &mut Value {
        let routes = self.config["routes"].as_array_mut().unwrap();
        routes.iter_mut().find(|route| route["name"] == name).unwrap()
    }

    /// Names these as the only hosts of WeChat Pay, in this order.
    pub fn wechat_hosts(&mut self, hosts: &[&WeChat]) {
        self.config["wechat"]["hosts"] = hosts.iter().map(|host| format!("http://{}", host.addr)).collect();
        self.wechats.extend(hosts.iter().map(|&host| host.clone()));
    }

    /// Puts a legacy system of its own behind a channel.
    pub fn channel_upstream(&mut self, channel: &str, upstream: &Upstream) {
        self.config["channels"][channel]["upstream"] = json!(format!("http://{}", upstream.addr));
        self.upstreams.push(upstream.clone());
    }

    /// Lets the ledger see this upstream, which the scenario configures itself.
    pub fn watch(&mut self, upstream: &Upstream) {
        self.upstreams.push(upstream.clone());
    }

    /// The same for a WeChat Pay.
    pub fn watch_wechat(&mut self, wechat: &WeChat) {
        self.wechats.push(wechat.clone());
    }
}

impl World {
    pub fn new() -> Self {
        Self::with(|_| ())
    }

    pub fn with(change: impl FnOnce(&mut Setup)) -> Self {
        let dir = TempDir::new().unwrap();
        let mut setup = Setup::new(dir.path());
        change(&mut setup);
        let file = dir.path().join("config.yaml");
        std::fs::write(&file, serde_json::to_string_pretty(&setup.config).unwrap()).unwrap();
        let gate = Gate::start(&file, &setup.env);
        Self {
            wechat: setup.wechats[0].clone(),
            upstream: setup.upstreams[0].clone(),
            gate,
            ledger: Mutex::new(Ledger::new(setup.config)),
            wechats: setup.wechats,
            upstreams: setup.upstreams,
            env: setup.env,
            dir,
        }
    }

    /// Ends the gate as `kill -9` does.
    pub fn kill9(&self) {
        self.gate.kill();
    }

    /// Starts the gate again, with the same config; it may listen elsewhere.
    pub fn restart(&mut self) {
        self.kill9();
        self.gate = Gate::start_after(&self.gate.log(), &self.config_file(), &self.env);
    }

    /// Starts another gate that takes over from this one, and waits until this one has ended; how that ended.
    pub fn take_over(&mut self) -> ExitStatus {
        let mut next = Gate::start_by(run(&self.config_file(), &self.env).arg("--take-over"), "");
        let ended = self.gate.ends();
        next.follows(&self.gate);
        self.gate = next;
        ended
    }

    /// Changes the config for the next start.
    pub fn change_config(&self, change: impl FnOnce(&mut Value)) {
        let mut config = serde_json::from_str(&std::fs::read_to_string(self.config_file()).unwrap()).unwrap();
        change(&mut config);
        std::fs::write(self.config_file(), serde_json::to_string_pretty(&config).unwrap()).unwrap();
        self.ledger.lock().unwrap().config_is(config);
    }

    /// Sends a request on a connection of its own.
    pub fn send(&self, request: &Request) -> Message {
        self.send_bytes(&request.bytes())
    }

    /// Sends whatever bytes on a connection of their own, and reads the first answer.
    pub fn send_bytes(&self, bytes: &[u8]) -> Message {
        let mut wire = Wire::to(self.gate.addr);
        wire.send(bytes);
        let answer = wire.answer().unwrap_or_else(|| panic!("no answer to {}", String::from_utf8_lossy(bytes)));
        self.heard(&answer);
        answer
    }

    /// Enters an answer that a scenario read by itself.
    pub fn heard(&self, answer: &Message) {
        self.ledger.lock().unwrap().heard(answer);
    }

    /// Sends a request to the admin listener, as it is.
    pub fn admin_send(&self, request: &Request) -> Message {
        let mut wire = Wire::to(self.gate.admin());
        wire.send(&request.bytes());
        wire.answer().unwrap_or_else(|| panic!("no answer to {request:?}"))
    }

    /// Sends a request to the admin listener at its address, with the token.
    pub fn admin_ask(&self, request: Request) -> Message {
        let request = request.at(self.gate.admin());
        self.admin_send(&request.header("Authorization", &format!("Bearer {ADMIN_TOKEN}")))
    }

    /// Everything that the admin listener sends until it closes: an answer to HEAD has a length and no body.
    pub fn admin_head(&self, request: Request) -> String {
        let mut wire = Wire::to(self.gate.admin());
        wire.send(&request.bytes());
        String::from_utf8_lossy(&wire.rest()).into_owned()
    }

    /// Gets something from the admin listener, with the token.
    pub fn admin_get(&self, target: &str) -> Message {
        self.admin_ask(Request::get(target))
    }

    /// The JSON of it; it must be there.
    pub fn admin_json(&self, target: &str) -> Value {
        let answer = self.admin_get(target);
        assert_eq!(answer.status(), 200, "{target}: {}", answer.text());
        answer.json()
    }

    /// Posts to the admin listener, with the token and nothing else.
    pub fn admin_post(&self, target: &str) -> Message {
        self.admin_ask(Request::post(target))
    }

    /// The APP says that an order is paid, and nothing else.
    pub fn app_callback(&self, order: &str) -> Message {
        self.callback(&format!("OrderID={order}"))
    }

    /// The APP posts this form.
    pub fn callback(&self, form: &str) -> Message {
        self.send(&Request::post("/pay/success").form(form))
    }

    /// WeChat Pay notifies, rightly signed.
    pub fn wechat_calls_back(&self, channel: &str, fields: Fields, key: &str, sign_type: SignType) -> Message {
        self.notify(channel, &wechat::signed_xml(fields, key, sign_type))
    }

    /// Somebody posts this XML as a notification.
    pub fn notify(&self, channel: &str, xml: &str) -> Message {
        self.send(&Request::post(&format!("/wxpay/notify/{channel}")).xml(xml))
    }

    /// The one request that the legacy system has seen.
    pub fn upstream_received(&self) -> Message {
        let mut requests = self.upstream.requests();
        assert_eq!(requests.len(), 1, "the upstream should have seen one request: {requests:#?}");
        requests.remove(0)
    }

    pub fn upstream_saw_nothing(&self) {
        let requests = self.upstream.requests();
        assert!(requests.is_empty(), "the upstream should have seen nothing: {requests:#?}");
    }

    pub fn wechat_was_not_asked(&self) {
        let queries = self.wechat.queries();
        assert!(queries.is_empty(), "WeChat Pay should not have been asked: {queries:#?}");
    }

    /// The log's summary line of the callback that got this answer, as JSON.
    pub fn summary(&self, answer: &Message) -> Value {
        let id = answer.header("X-Request-Id").unwrap_or_else(|| panic!("no X-Request-Id in {}", answer.line()));
        let mut found = None;
        until("the callback's summary line", || {
            found = self.gate.summaries().into_iter().find(|line| line["request_id"] == id.as_str());
            found.is_some()
        });
        found.unwrap()
    }

    /// The reason code of the callback that got this answer.
    pub fn reason(&self, answer: &Message) -> String {
        self.summary(answer)["reason"].as_str().unwrap_or_default().to_owned()
    }

    /// Runs a command of the program with this world's config.
    pub fn command(&self, args: &[&str]) -> Ended {
        let config = self.config_file();
        let mut args = args.to_vec();
        args.extend(["--config", config.to_str().unwrap()]);
        command(&args, &[("APP_KEY", APP.key)])
    }

    pub fn config_file(&self) -> PathBuf {
        self.dir.path().join("config.yaml")
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn journal_file(&self) -> PathBuf {
        self.dir.path().join("journal.db")
    }

    /// One number from the journal, as somebody with the `sqlite3` tool reads it beside the gate.
    pub fn journal(&self, sql: &str) -> i64 {
        let journal = Connection::open_with_flags(self.journal_file(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        journal.query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for wechat in &self.wechats {
            wechat.release();
        }
        for upstream in &self.upstreams {
            upstream.release();
        }
        self.gate.kill();
        let log = self.gate.log();
        if thread::panicking() {
            show(&log);
            return;
        }
        let wrong = self.ledger.lock().unwrap().wrong(&self.wechats, &self.upstreams, &log);
        if !wrong.is_empty() {
            show(&log);
            panic!("the ledger says:\n{}", wrong.join("\n"));
        }
    }
}

fn show(log: &str) {
    let lines: Vec<_> = log.lines().collect();
    let from = lines.len().saturating_sub(40);
    println!("---- the gate's log, its last lines ----\n{}", lines[from..].join("\n"));
}

/// Waits for a condition.
pub fn until(what: &str, holds: impl FnMut() -> bool) {
    assert!(within(PATIENCE, holds), "waited in vain for {what}");
}

/// Waits for a condition that takes its time. `false` if it does not come about.
pub fn within(patience: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let since = Instant::now();
    loop {
        if holds() {
            return true;
        }
        if since.elapsed() > patience {
            return false;
        }
        thread::sleep(Duration::from_millis(3));
    }
}

/// Does the same at once on this many threads.
pub fn at_once<T: Send>(count: usize, act: impl Fn(usize) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let act = &act;
        let threads: Vec<_> = (0..count).map(|index| scope.spawn(move || act(index))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// The `return_code` of an answer in WeChat Pay's XML.
pub fn return_code(answer: &Message) -> String {
    wechat::scan(&answer.text()).remove("return_code").unwrap_or_default()
}
