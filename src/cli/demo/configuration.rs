//! The configuration of the demo's gate: the shipped `config.yaml`, with the addresses of the other parties and without
//! the long delays of a real one.

use super::v3::V3;
use crate::config::{self, Config, Environment};
use crate::gate::policy::NumberProof;
use crate::gate::route::Route;
use crate::sandbox::Merchant;
use crate::upstream::Upstream;
use anyhow::Context;
use std::env::VarError;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

const SHIPPED: &str = include_str!("../../../config.yaml");

/// The journal, beside the configuration.
const JOURNAL: &str = "tollgate.db";

/// The variable that the token is in.
const TOKEN: &str = "TOLLGATE_ADMIN_TOKEN";

/// The variable that the address of the journal of several gates is in, password and all.
const DATABASE: &str = "TOLLGATE_JOURNAL_URL";

/// How soon others go on with what a killed gate held: a spectator waits a moment.
const LEASE: &str = "3s";

/// Whose number it is, is a matter of who comes first in the shipped file; here the order system's own list says it.
const SHIPPED_PROOF: &str = "    number_proof: first";
const PROOF: &str = "    number_proof: source";

/// When the follow-up retries: a spectator waits a moment, and what never gets paid is asked about less and less.
const AGAIN_MS: [u64; 7] = [300, 500, 1000, 1000, 5000, 15_000, 60_000];

/// How long "not paid" is believed.
const PENDING_MS: u64 = 200;

/// What the demo says in the shipped file's place.
#[derive(Debug)]
pub(super) struct Configuration {
    /// The order system.
    pub(super) upstream: String,
    /// WeChat Pay.
    pub(super) hosts: [String; 2],
    /// Whose orders are asked about.
    pub(super) merchants: Vec<Merchant>,
    /// The keys of API v3.
    pub(super) v3: V3,
    /// What opens the dashboard.
    pub(super) token: String,
    /// The address of the journal that several gates share; `None` for one gate with a file.
    pub(super) database: Option<String>,
}

impl Configuration {
    /// The content of `file`, which makes the gate `name` listen on `listen`, and its dashboard on `admin`.
    ///
    /// # Errors
    /// If the shipped file has become one in which the demo's values do not take effect.
    pub(super) fn text(
        &self,
        name: &str,
        file: &Path,
        listen: SocketAddr,
        admin: SocketAddr,
    ) -> anyhow::Result<String> {
        let again = AGAIN_MS.map(|ms| format!("{ms}ms")).join(", ");
        let [first, second] = &self.hosts;
        let text = [
            ("listen", listen.to_string()),
            ("admin", format!("{{ listen: {admin}, token: \"${{{TOKEN}}}\" }}")),
            ("upstream", self.upstream.clone()),
            ("wechat", format!("{{ hosts: [{first}, {second}] }}")),
            ("cache", format!("{{ pending: {PENDING_MS}ms }}")),
            ("journal", self.journal(name)),
            ("pending_orders", self.pending_orders()),
            ("follow_up", format!("{{ ask_again: [{again}], redeliver: [{again}] }}")),
        ]
        .iter()
        .fold(self.v3.add_to(&SHIPPED.replace(SHIPPED_PROOF, PROOF)), |text, (key, value)| with(&text, key, value));
        let config = Config::parse(&text, file, self).context("the shipped config.yaml, as the demo changes it")?;
        self.took_effect(&config, file, listen, admin)?;
        Ok(text)
    }

    fn journal(&self, name: &str) -> String {
        match self.database {
            Some(_) => format!("{{ url: \"${{{DATABASE}}}\", replica: {name}, lease: {LEASE} }}"),
            None => format!("{{ path: {JOURNAL} }}"),
        }
    }

    /// The order system's page of unpaid orders.
    fn pending_orders(&self) -> String {
        let url = format!("{}/unpaid.json", self.upstream);
        format!("[{{ name: shop, every: 1s, route: app-pay-success, http: {{ url: \"{url}\" }} }}]")
    }

    fn took_effect(&self, config: &Config, file: &Path, listen: SocketAddr, admin: SocketAddr) -> anyhow::Result<()> {
        let upstream = Upstream::parse(&self.upstream)?;
        let again = AGAIN_MS.map(Duration::from_millis);
        let journal = config.journal.as_ref().and_then(|journal| journal.settings.meeting_place());
        let has_admin = |its: &config::Admin| its.listen == admin && its.token.is_some() && its.tls.is_none();
        let by_source = |route: &Route| matches!(route.number_proof, NumberProof::Source(_));
        for (key, took_effect) in [
            ("admin", config.admin.as_ref().is_some_and(has_admin)),
            ("listen", config.listen == listen && config.tls.is_none()),
            ("upstream", config.upstream == upstream),
            ("channels.NAME.upstream", config.channels.iter().all(|channel| channel.upstream == upstream)),
            ("wechat.hosts", config.wechat.settings().hosts == self.hosts),
            ("cache.pending", config.cache.pending == Duration::from_millis(PENDING_MS)),
            ("journal", journal == Some(&file.with_file_name(JOURNAL)) || self.database.is_some() && journal.is_none()),
            ("routes.number_proof", config.routes.iter().any(by_source)),
            ("routes", config.routes.iter().any(|route| route.resign.is_some())),
            ("channels", config.accounts.iter().any(|account| account.credentials.v3().is_some())),
            ("pending_orders", config.pending_orders.len() == 1),
            ("channels.app.sweep", config.sweeps.iter().any(|plan| plan.channel.as_str() == "app")),
            ("follow_up.ask_again", config.follow_up.ask_again.delays == again),
            ("follow_up.redeliver", config.follow_up.redeliver.delays == again),
        ] {
            anyhow::ensure!(took_effect, "the shipped config.yaml sets {key} in a way that the demo cannot replace");
        }
        Ok(())
    }

    /// The keys and the token, as the variables that the shipped file names.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&'static str, String)> {
        let variable = |name| Some((name, self.variable(name).ok()?));
        ["WECHAT_APP_KEY", "WECHAT_C1_KEY", TOKEN, DATABASE].into_iter().chain(V3::variables()).filter_map(variable)
    }
}

/// `text` with this value for a key of the top level: in its line, or in a new one at the end.
fn with(text: &str, key: &str, value: &str) -> String {
    let new = format!("{key}: {value}");
    let is_old = |line: &str| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':'));
    let replaced = text.lines().map(|line| if is_old(line) { new.as_str() } else { line });
    let added = (!text.lines().any(is_old)).then_some(new.as_str());
    replaced.chain(added).flat_map(|line| [line, "\n"]).collect()
}

/// An environment in which the keys of the shipped file are the sandbox's.
impl Environment for Configuration {
    fn variable(&self, name: &str) -> Result<String, VarError> {
        if let Some(value) = self.v3.variable(name) {
            return Ok(value.to_owned());
        }
        let appid = match name {
            TOKEN => return Ok(self.token.clone()),
            DATABASE => return self.database.clone().ok_or(VarError::NotPresent),
            "WECHAT_APP_KEY" => "wxd930ea5d5a258f4f",
            "WECHAT_C1_KEY" => "wx2421b1c4370ec43b",
            _ => return Err(VarError::NotPresent),
        };
        let its = |merchant: &&Merchant| merchant.appid.as_str() == appid;
        let merchant = self.merchants.iter().find(its).ok_or(VarError::NotPresent)?;
        let key = merchant.key.as_ref().ok_or(VarError::NotPresent)?;
        String::from_utf8(key.expose().to_vec()).map_err(|_| VarError::NotPresent)
    }

    fn file(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn readable(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::NotFound.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::{Sandbox, Seed, demo_merchants};

    #[test]
    fn the_shipped_file_takes_the_demos_values() {
        let hosts = ["http://127.0.0.1:1", "http://127.0.0.1:2"].map(str::to_owned);
        let upstream = "http://127.0.0.1:3".to_owned();
        let token = "0123456789abcdef".to_owned();
        let merchants = demo_merchants().unwrap();
        let v3 = V3::of(&Sandbox::new(merchants.clone(), Seed(1), 1)).unwrap();
        let demo = Configuration { upstream, hosts, merchants, v3, token, database: None };
        let [listen, admin] = ["127.0.0.1:0", "127.0.0.1:1"].map(|address| address.parse().unwrap());
        let text = demo.text("gate", Path::new("/demo/config.yaml"), listen, admin).unwrap();
        assert_eq!(demo.variables().count(), 7);
        assert!(text.contains("WECHAT_APP_KEY") && !text.contains("tollgateSandbox"), "{text}");
        assert!(!text.contains(&demo.token), "{text}");
    }

    #[test]
    fn the_password_of_a_shared_journal_is_not_in_the_file() {
        let hosts = ["http://127.0.0.1:1", "http://127.0.0.1:2"].map(str::to_owned);
        let merchants = demo_merchants().unwrap();
        let v3 = V3::of(&Sandbox::new(merchants.clone(), Seed(1), 1)).unwrap();
        let (upstream, token) = ("http://127.0.0.1:3".to_owned(), "0123456789abcdef".to_owned());
        let database = Some("postgres://tollgate:its-password@127.0.0.1:5/tollgate?sslmode=disable".to_owned());
        let demo = Configuration { upstream, hosts, merchants, v3, token, database };
        let [listen, admin] = ["127.0.0.1:0", "127.0.0.1:1"].map(|address| address.parse().unwrap());
        let text = demo.text("gate-2", Path::new("/demo/config.yaml"), listen, admin).unwrap();
        assert!(text.contains("replica: gate-2") && !text.contains("its-password"), "{text}");
        assert_eq!(demo.variables().count(), 8);
    }

    #[test]
    fn a_value_is_replaced_where_it_is_and_added_where_it_is_not() {
        assert_eq!(with("a: 1 # one\nab: 2\n", "a", "3"), "a: 3\nab: 2\n");
        assert_eq!(with("ab: 2\n  a: 1", "a", "3"), "ab: 2\n  a: 1\na: 3\n");
    }
}
