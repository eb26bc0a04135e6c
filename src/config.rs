//! The checked configuration: what the program believes after `config.yaml` was read, every key of it was understood,
//! and every value was found usable. The file as people write it stays inside `config/`; `docs/config.md` describes it.

mod problem;

mod account_outline;

mod environment;

mod text;

mod lookalikes;

mod node;

mod value;

mod read;

mod file;

mod admin;

mod routes;

mod presets;

mod accepted;

mod fields;

mod reply;

mod resign;

mod query_match;

mod channels;

mod headers;

mod settings;

mod strictness;

mod journal;

mod fingerprint;

mod follow_up;

mod number_proof;

mod pending;

mod sweep;

mod synthesize;

mod traces;

#[cfg(test)]
mod tests;

pub use account_outline::{AccountOutline, Verifier};
pub use admin::Admin;
use environment::Noting;
pub use environment::{Environment, Process};
pub use follow_up::FollowUp;
pub use journal::Journal;
pub use problem::{Place, Problem, Problems, Warning};
pub use text::default_file;

use self::read::{Gathered, Reader, Secrets};
use crate::domain::order::{ChannelId, MerchantId};
use crate::gate::accepted::Accepted;
use crate::gate::channel::Channel;
use crate::gate::policy::Mode;
use crate::gate::route::Route;
use crate::gate::sender::Rate;
use crate::gate::stamp::{HeaderNames, Host};
use crate::observe::logging::LogFormat;
use crate::provider::Preset;
use crate::provider::wechat;
use crate::reconcile::bill::Plan;
use crate::reconcile::pending_orders::Watched;
use crate::server;
use crate::upstream::Upstream;
use ipnet::IpNet;
use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Everything `config.yaml` says, in the types of those who use it.
#[derive(Debug)]
pub struct Config {
    /// Where callbacks arrive.
    pub listen: SocketAddr,
    /// Certificate and key for `listen`, if it is TLS.
    pub tls: Option<TlsFiles>,
    /// The legacy system, for channels that name none of their own and for callbacks whose channel is not known.
    pub upstream: Upstream,
    /// Whether verdicts are enforced where a channel does not say.
    pub mode: Mode,
    /// In the file's order; no two match the same request.
    pub routes: Vec<Route>,
    /// By name, in the file's order.
    pub channels: Vec<Channel>,
    /// Their accounts, in the same order, with what they are made of.
    pub accounts: Vec<Arc<wechat::Account>>,
    /// What confirmed callbacks carry.
    pub headers: HeaderNames,
    /// Hosts, hedge, budget; what the accounts ask by, once it is connected.
    pub wechat: Arc<wechat::Service>,
    /// For the whole request flow, from head read to first byte of the answer, where a route does not say.
    pub deadline: Duration,
    /// The part of it that confirming may take.
    pub confirm_deadline: Duration,
    /// How long verdicts are believed.
    pub cache: Cache,
    /// Ceilings.
    pub limits: Limits,
    /// How the upstream is spoken to.
    pub forwarding: Forwarding,
    /// How the log looks.
    pub log: Log,
    /// How long a drain may take.
    pub shutdown_grace: Duration,
    /// Where callbacks are kept; `None`: nowhere, and one that is not delivered at once depends on its sender.
    pub journal: Option<Journal>,
    /// When is tried again.
    pub follow_up: FollowUp,
    /// Whose bills are compared, by channel.
    pub sweeps: Vec<Plan>,
    /// Where orders wait for payment.
    pub pending_orders: Vec<Watched>,
    /// Where the dashboard, the API and the metrics are; `None`: nowhere.
    pub admin: Option<Admin>,
    /// Where spans go, if somebody looks at traces.
    pub traces: Option<crate::observe::traces::Settings>,
    /// What is usable and may not be meant.
    pub warnings: Vec<Warning>,
}

/// When the upstream counts as having taken a callback of a route: a rule for each language that it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedOf {
    /// The route's name.
    pub route: String,
    /// The rules, and which notifications each is for, if it is for a provider's own.
    pub rules: Vec<(Option<&'static Preset>, Accepted)>,
}

impl AcceptedOf {
    fn new(route: Route) -> Self {
        let readings = std::iter::once(route.main).chain(route.also);
        Self { route: route.name, rules: readings.map(|reading| (reading.preset, reading.accepted)).collect() }
    }

    /// Whether nothing else was written.
    #[must_use]
    pub fn is_default(&self) -> bool {
        let is_own =
            |(preset, rule): &(Option<&Preset>, Accepted)| preset.is_some_and(|preset| *rule == Accepted::of(preset));
        self.rules.iter().all(|of| of.1 == Accepted::any_2xx() || is_own(of))
    }
}

impl fmt::Display for AcceptedOf {
    /// The rule; where languages differ, that of each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((_, first)) = self.rules.first() else { return Ok(()) };
        if self.rules.iter().all(|(_, rule)| rule == first) {
            return first.fmt(f);
        }
        let said =
            self.rules.iter().map(|(preset, rule)| format!("{}: {rule}", preset.map_or("", |preset| preset.name)));
        f.write_str(&said.collect::<Vec<_>>().join("; "))
    }
}

/// What a file says in outline, when it was checked without its secrets; nothing can be run from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// Where callbacks would arrive.
    pub listen: SocketAddr,
    /// Whether that would be TLS.
    pub tls: bool,
    /// Where they would go.
    pub upstream: Upstream,
    /// Whether verdicts would be enforced.
    pub mode: Mode,
    /// How many routes there are.
    pub routes: usize,
    /// When the upstream counts as having taken a callback, by route.
    pub accepted: Vec<AcceptedOf>,
    /// How many channels there are.
    pub channels: usize,
    /// What each of them is asked by, reads and verifies with.
    pub accounts: Vec<(ChannelId, AccountOutline)>,
    /// Where callbacks would be kept.
    pub journal: Option<Journal>,
    /// Whose bills would be compared: channels and their merchants.
    pub sweeps: Vec<(ChannelId, MerchantId)>,
    /// Where the admin listener would be, and whether that would be TLS.
    pub admin: Option<(SocketAddr, bool)>,
    /// The references to secrets as they are written, `${WECHAT_APP_KEY}`, which must be there before the gate runs.
    pub unread_secrets: Vec<String>,
    /// What is usable and may not be meant.
    pub warnings: Vec<Warning>,
}

/// PEM files for TLS.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate chain.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// The cache of verdicts.
#[derive(Debug, Clone, Copy)]
pub struct Cache {
    /// Most entries.
    pub capacity: u64,
    /// How long `paid` and `refunded` are believed.
    pub paid: Duration,
    /// How long `pending` and `unpaid` are.
    pub pending: Duration,
}

/// Ceilings on what a sender can make the gate hold, wait for or ask (docs/config.md, `limits`).
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Those that the server keeps.
    pub server: server::Limits,
    /// Callbacks a second from one address.
    pub rate_per_address: Rate,
    /// The most keys of a JSON document.
    pub json_keys: usize,
}

/// How the upstream is spoken to.
#[derive(Debug, Clone)]
pub struct Forwarding {
    /// Time for connecting, TLS included.
    pub connect: Duration,
    /// How long a connection waits for the next callback; `None` if each has one of its own.
    pub keep_alive: Option<Duration>,
    /// What the upstream sees as Host.
    pub host: Host,
    /// Proxies in front of the gate whose X-Forwarded-For is believed.
    pub trusted_proxies: Vec<IpNet>,
}

/// How the log looks.
#[derive(Debug, Clone)]
pub struct Log {
    /// Text or JSON; by default text on a terminal and JSON otherwise.
    pub format: Option<LogFormat>,
    /// A tracing filter: `info`, `tollgate=debug`.
    pub level: String,
}

impl Config {
    /// Reads and checks the file at `path`, with its secrets.
    ///
    /// # Errors
    /// With everything that is wrong with it.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        Self::parse(&text::read(path)?, path, &Process)
    }

    /// Reads and checks the file at `path`; beside the configuration, the files that it was read from and those that it
    /// names, also if it is wrong.
    pub fn load_noting_files(path: &Path) -> (Result<Self, Problems>, Vec<PathBuf>) {
        let environment = Noting::new(&Process, path);
        let config = text::read(path).and_then(|text| Self::parse(&text, path, &environment));
        (config, environment.files())
    }

    /// Checks `text` as the content of `path`, with its secrets. Relative paths in it start at `path`'s directory.
    ///
    /// # Errors
    /// With everything that is wrong with it.
    pub fn parse(text: &str, path: &Path, environment: &dyn Environment) -> Result<Self, Problems> {
        read(text, path, environment, Secrets::Read).map(|(config, _)| config)
    }

    /// Says in the log what may not be meant.
    pub fn log_warnings(&self) {
        for Warning { key, text, .. } in &self.warnings {
            tracing::warn!(key, "{text}");
        }
    }
}

impl Outline {
    /// Reads and checks the file at `path` without its secrets, which may not be on this machine.
    ///
    /// # Errors
    /// With everything else that is wrong with it.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        Self::parse(&text::read(path)?, path, &Process)
    }

    /// Checks `text` as the content of `path`: [`Config::parse`], but a `${NAME}` or `${file:PATH}` where a secret
    /// stands is left unread.
    ///
    /// # Errors
    /// With everything else that is wrong with it.
    pub fn parse(text: &str, path: &Path, environment: &dyn Environment) -> Result<Self, Problems> {
        let (config, unread_secrets) = read(text, path, environment, Secrets::Unread)?;
        let merchants: HashMap<_, _> =
            config.channels.iter().map(|channel| (channel.id, channel.account.payee().merchant)).collect();
        let merchant = |plan: &Plan| Some((plan.channel, *merchants.get(&plan.channel)?));
        let sweeps = config.sweeps.iter().filter_map(merchant).collect();
        let accounts = config.channels.iter().zip(&config.accounts);
        let accounts = accounts.map(|(channel, account)| (channel.id, AccountOutline::of(account))).collect();
        Ok(Self {
            listen: config.listen,
            tls: config.tls.is_some(),
            upstream: config.upstream,
            mode: config.mode,
            routes: config.routes.len(),
            accepted: config.routes.into_iter().map(AcceptedOf::new).collect(),
            channels: config.channels.len(),
            accounts,
            journal: config.journal,
            sweeps,
            admin: config.admin.map(|admin| (admin.listen, admin.tls.is_some())),
            unread_secrets,
            warnings: config.warnings,
        })
    }
}

/// Reads a duration as the file has them: `250ms`, `2s`, `5m`, `24h` or `90d`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    value::duration(text).map_err(|error| error.to_string())
}

/// The configuration, and the references left unread. A configuration about which anything was reported is none.
fn read(
    text: &str,
    path: &Path,
    environment: &dyn Environment,
    secrets: Secrets,
) -> Result<(Config, Vec<String>), Problems> {
    if let Some(problem) = node::too_large(text) {
        return Err(Problems { file: path.to_path_buf(), list: vec![problem] });
    }
    let lookalikes = lookalikes::find(text, KEYS);
    if !lookalikes.problems.is_empty() {
        let list = with_others(lookalikes, path, environment, secrets);
        return Err(Problems { file: path.to_path_buf(), list });
    }
    let (root, problems) = node::parse(text);
    let reader = Reader::new(environment, path, secrets, problems);
    let config = root.and_then(|root| file::config(&reader.root(&root)));
    let Gathered { problems: list, warnings, unread } = reader.finish();
    match config {
        Some(config) if list.is_empty() => Ok((Config { warnings, ..config }, unread)),
        _ => Err(Problems { file: path.to_path_buf(), list }),
    }
}

/// The keys that a colon without a blank is told of.
const KEYS: &[&[&str]] = &[
    file::FILE.keys,
    routes::ROUTE.keys,
    channels::CHANNEL.keys,
    pending::PENDING.keys,
    admin::ADMIN.keys,
    sweep::SWEEP.keys,
    settings::LIMITS.keys,
    journal::JOURNAL.keys,
    follow_up::FOLLOW_UP.keys,
];

/// What only looks like YAML, and behind it what is wrong beside: on other lines of the text that was probably meant.
fn with_others(found: lookalikes::Found, path: &Path, environment: &dyn Environment, secrets: Secrets) -> Vec<Problem> {
    let lookalikes::Found { problems: mut list, meant } = found;
    let lines: Vec<_> = list.iter().filter_map(|problem| problem.place).map(|place| place.line).collect();
    let (root, faults) = meant.map(|meant| node::parse(&meant)).unwrap_or_default();
    // Of what is still no YAML, nothing more is known.
    let Some(root) = root else { return list };
    let reader = Reader::new(environment, path, secrets, faults);
    let _ = file::config(&reader.root(&root));
    let is_other = |problem: &Problem| problem.place.is_some_and(|place| !lines.contains(&place.line));
    list.extend(reader.finish().problems.into_iter().filter(is_other));
    list
}
