//! Gates with one journal between their neighbours, and verbs for what people do.

use crate::fakes::upstream::Upstream;
use crate::fakes::wechat::{APP, WeChat};
use crate::gate::program::{Ended, Gate, command, run};
use crate::harness::{until, within};
use crate::postgres::{Database, PASSWORD, Postgres};
use crate::proxy::Proxy;
use crate::wire::{Message, PATIENCE, Request, Wire};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// The token of the admin listeners.
const ADMIN_TOKEN: &str = "scenario-admin-token-0123456789abcdef";

/// How long a lease is in scenarios: what is taken over has to be delivered soon after.
pub const LEASE: Duration = Duration::from_secs(3);

/// Gates on one journal. The server is the scenario's own, or everybody's.
pub struct Fleet {
    pub wechat: WeChat,
    pub upstream: Upstream,
    /// A place for each gate, also while it does not run.
    pub gates: Vec<Option<Gate>>,
    /// Each gate's way to the database.
    pub proxies: Vec<Proxy>,
    pub database: Database,
    own: Option<Arc<Postgres>>,
    config: Value,
    logs: Vec<String>,
    dir: TempDir,
}

impl Fleet {
    /// So many gates on a database of their own on everybody's server.
    pub fn of(count: usize) -> Self {
        Self::with(count, None, |_| ())
    }

    /// The same with duplicates absorbed.
    pub fn absorbing(count: usize) -> Self {
        Self::with(count, None, |config| config["routes"][0]["duplicates"] = json!("absorb"))
    }

    /// The same with another configuration, and maybe a server that only they have.
    pub fn with(count: usize, own: Option<Arc<Postgres>>, change: impl FnOnce(&mut Value)) -> Self {
        let (wechat, upstream) = (WeChat::start(), Upstream::start());
        let mut config = config(&wechat, &upstream);
        change(&mut config);
        let server = of(own.as_ref());
        let (database, port) = (server.database(), server.port);
        let proxies = (0..count).map(|_| Proxy::to(port)).collect();
        let gates = (0..count).map(|_| None).collect();
        let (logs, dir) = (vec![String::new(); count], TempDir::new().unwrap());
        let mut fleet = Self { wechat, upstream, gates, proxies, database, own, config, logs, dir };
        (0..count).for_each(|gate| fleet.starts(gate));
        fleet.are_ready();
        fleet
    }

    pub fn server(&self) -> &Postgres {
        of(self.own.as_ref())
    }

    pub fn sql(&self, sql: &str) -> String {
        self.server().sql(&self.database.name, sql)
    }

    /// The configuration file of a gate, and its environment.
    pub fn written(&self, gate: usize) -> (PathBuf, Vec<(String, String)>) {
        let file = self.dir.path().join(format!("{gate}.yaml"));
        let mut config = self.config.clone();
        config["journal"]["replica"] = json!(format!("r{gate}"));
        std::fs::write(&file, serde_json::to_string_pretty(&config).unwrap()).unwrap();
        (file, vec![("JOURNAL".to_owned(), self.database.url(self.proxies[gate].port))])
    }

    /// Starts one that does not run.
    pub fn starts(&mut self, gate: usize) {
        let (file, env) = self.written(gate);
        self.gates[gate] = Some(Gate::start_by(&mut run(&file, &env), ""));
    }

    pub fn are_ready(&self) {
        let ready =
            || (0..self.gates.len()).filter(|&gate| self.gates[gate].is_some()).all(|gate| self.ready(gate) == 200);
        assert!(within(PATIENCE * 2, ready), "not all gates become ready");
    }

    /// Ends one as `kill -9` does.
    pub fn kills(&mut self, gate: usize) {
        if let Some(killed) = self.gates[gate].take() {
            killed.kill();
            self.logs[gate].push_str(&killed.log());
        }
    }

    /// Stops one until it is woken.
    pub fn puts_to_sleep(&self, gate: usize) {
        self.gate(gate).signal(Signal::SIGSTOP);
    }

    pub fn wakes(&self, gate: usize) {
        self.gate(gate).signal(Signal::SIGCONT);
    }

    pub fn gate(&self, gate: usize) -> &Gate {
        self.gates[gate].as_ref().unwrap()
    }

    /// An order is paid, as WeChat Pay knows.
    pub fn is_paid(&self, order: &str) {
        self.wechat.order(&APP, order).paid(100);
    }

    /// A callback of an order to a gate; `None` if that is gone or says nothing.
    pub fn asks(&self, gate: usize, order: &str) -> Option<Message> {
        self.sends(gate, &Request::post("/pay/success").form(format!("OrderID={order}&TotalFee=100")))
    }

    /// The APP posts this form to a gate.
    pub fn posts(&self, gate: usize, form: &str) -> Message {
        self.sends(gate, &Request::post("/pay/success").form(form))
            .unwrap_or_else(|| panic!("gate {gate} does not answer"))
    }

    /// The same, answered.
    pub fn callback(&self, gate: usize, order: &str) -> Message {
        self.asks(gate, order).unwrap_or_else(|| panic!("gate {gate} does not answer for {order}"))
    }

    fn sends(&self, gate: usize, request: &Request) -> Option<Message> {
        let stream = TcpStream::connect(self.gates[gate].as_ref()?.addr).ok()?;
        stream.set_read_timeout(Some(PATIENCE * 2)).ok()?;
        let mut wire = Wire::over(stream);
        wire.send(&request.bytes());
        wire.answer()
    }

    /// Asks an admin listener, with the token.
    pub fn admin(&self, gate: usize, request: Request) -> Message {
        let addr = self.gate(gate).admin();
        let mut wire = Wire::to(addr);
        wire.send(&request.at(addr).header("Authorization", &format!("Bearer {ADMIN_TOKEN}")).bytes());
        wire.answer().unwrap_or_else(|| panic!("gate {gate}'s admin listener does not answer"))
    }

    pub fn json(&self, gate: usize, target: &str) -> Value {
        let answer = self.admin(gate, Request::get(target));
        assert_eq!(answer.status(), 200, "{target}: {}", answer.text());
        answer.json()
    }

    /// Logs in as a browser does; the cookie.
    pub fn logs_in(&self, gate: usize) -> String {
        let answer = self.browses(gate, Request::post("/login").form(format!("token={ADMIN_TOKEN}&next=/")));
        assert_eq!(answer.status(), 303, "{}", answer.text());
        answer.header("Set-Cookie").unwrap().split(';').next().unwrap().to_owned()
    }

    pub fn logs_out(&self, gate: usize, cookie: &str) {
        assert_eq!(self.browses(gate, Request::post("/logout").header("Cookie", cookie).form("")).status(), 303);
    }

    /// What the API says to whoever has this session.
    pub fn looks(&self, gate: usize, cookie: &str) -> u16 {
        self.browses(gate, Request::get("/api/config").header("Cookie", cookie)).status()
    }

    fn browses(&self, gate: usize, request: Request) -> Message {
        let addr = self.gate(gate).admin();
        let mut wire = Wire::to(addr);
        wire.send(&request.at(addr).header("Origin", &format!("http://{addr}")).bytes());
        wire.answer().unwrap_or_else(|| panic!("gate {gate}'s admin listener does not answer"))
    }

    /// The status of `/readyz`.
    pub fn ready(&self, gate: usize) -> u16 {
        self.admin(gate, Request::get("/readyz")).status()
    }

    /// Runs a command beside the gates, with the configuration of one.
    pub fn command(&self, gate: usize, arguments: &[&str]) -> Ended {
        let (file, env) = self.written(gate);
        let mut arguments = arguments.to_vec();
        arguments.extend(["--config", file.to_str().unwrap()]);
        let env: Vec<_> = env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        command(&arguments, &env)
    }

    /// The numbers under which the upstream saw an order, in the order in which it did.
    pub fn attempts(&self, order: &str) -> Vec<u64> {
        let requests = self.upstream.requests_for(&format!("OrderID={order}&"));
        requests.iter().map(|request| request.header("X-Tollgate-Attempt").unwrap().parse().unwrap()).collect()
    }

    /// Waits until an order was delivered and the gates know it.
    pub fn is_delivered(&self, order: &str, patience: Duration) -> bool {
        within(patience, || !self.attempts(order).is_empty())
    }

    /// Everything that all of them have printed.
    pub fn printed(&self) -> String {
        let logs = self.gates.iter().zip(&self.logs);
        logs.map(|(gate, before)| before.clone() + &gate.as_ref().map(Gate::log).unwrap_or_default()).collect()
    }

    fn wrong(&self) -> Vec<String> {
        let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
        let confirmed: BTreeSet<_> = self.wechat.confirmations().into_iter().map(|paid| paid.out_trade_no).collect();
        for request in self.upstream.requests() {
            let Some(attempt) = request.header("X-Tollgate-Attempt") else { continue };
            let number = (request.header("X-Tollgate-Delivery").unwrap_or_default(), attempt);
            if !seen.insert(number.clone()) {
                wrong.push(format!("the upstream saw this number twice: {number:?}"));
            }
            let order = request.header("X-Verified-Out-Trade-No").unwrap_or_default();
            if !order.is_empty() && !confirmed.contains(&order) {
                wrong.push(format!("{order} was forwarded and never confirmed"));
            }
        }
        if self.printed().contains(PASSWORD) {
            wrong.push("a gate printed the password".to_owned());
        }
        wrong
    }
}

fn of(own: Option<&Arc<Postgres>>) -> &Postgres {
    match own {
        Some(server) => server,
        None => Postgres::shared(),
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.wechat.release();
        self.upstream.release();
        (0..self.gates.len()).for_each(|gate| self.kills(gate));
        let wrong = self.wrong();
        if thread::panicking() || !wrong.is_empty() {
            for (gate, log) in self.logs.iter().enumerate() {
                let lines: Vec<_> = log.lines().collect();
                println!(
                    "---- gate {gate}, its last lines ----\n{}",
                    lines[lines.len().saturating_sub(25)..].join("\n")
                );
            }
        }
        if !thread::panicking() {
            assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        }
    }
}

/// What all gates have in common. JSON is YAML.
fn config(wechat: &WeChat, upstream: &Upstream) -> Value {
    let delays = json!(["200ms", "300ms", "500ms", "1s"]);
    json!({
        "listen": "127.0.0.1:0",
        "upstream": format!("http://{}", upstream.addr),
        "admin": { "listen": "127.0.0.1:0", "token": ADMIN_TOKEN },
        "routes": [{
            "name": "app", "path": "/pay/success", "methods": ["POST"], "carrier": "form", "order": "OrderID",
            "amount": "TotalFee", "channel": "app", "reply": "http",
        }],
        "channels": {
            "app": { "provider": "wechat-v2", "appid": APP.appid, "mch_id": APP.mch_id, "key": APP.key },
        },
        "wechat": { "hosts": [format!("http://{}", wechat.addr)], "queries_per_second": 2000 },
        "follow_up": { "ask_again": delays, "redeliver": delays },
        "cache": { "pending": "50ms" },
        "journal": { "url": "${JOURNAL}", "lease": "3s", "timeout": "1s" },
        "log": { "format": "json", "level": "info" },
    })
}

/// Waits until it is so for a gate.
pub fn is_ready(fleet: &Fleet, gate: usize, status: u16) {
    until(&format!("gate {gate}'s /readyz to be {status}"), || fleet.ready(gate) == status);
}
