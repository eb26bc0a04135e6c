//! `check --resolve`: whether those who are named in a configuration are there. Nobody is sent a callback, and nothing
//! is written but a file that is removed again.

use crate::cli::print::Lines;
use crate::cli::query;
use crate::cli::words::{Language, Words, fill};
use crate::config::Config;
use crate::domain::order::OutTradeNo;
use crate::domain::reason::{Reason, Verdict};
use crate::journal::{self, database::DatabaseFacts};
use crate::observe::metrics::QueryMeters;
use crate::provider::{AskBy, Asked, RefusedFor};
use crate::reconcile::pending_orders::listing::{Listing, PendingOrder};
use crate::reconcile::pending_orders::{MOST_ORDERS, Watched};
use crate::upstream::Upstream;
use crate::upstream::reach::reach;
use serde_json::{Value, json};
use std::time::Duration;

/// An order number that no shop gives: the right answer is ORDERNOTEXIST, signed.
const NOBODYS_ORDER: &str = "TOLLGATE-CHECK";

/// How long is waited for an upstream.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Orders of a source that are shown.
const SHOWN: usize = 3;

/// What was found out.
pub(super) struct Resolved {
    channels: Vec<Account>,
    upstreams: Vec<(Upstream, Option<String>)>,
    sources: Vec<Source>,
    journal: Option<Kept>,
}

/// The journal.
struct Kept {
    /// Which it is.
    place: String,
    /// Why it cannot be made or worked on there.
    problem: Option<String>,
    /// What its database is like.
    facts: Option<DatabaseFacts>,
}

/// What came of asking an account.
struct Account {
    channel: String,
    reason: Reason,
    refused_for: Option<RefusedFor>,
}

/// A source that was read once.
struct Source {
    name: String,
    rows: usize,
    malformed: usize,
    first: Vec<PendingOrder>,
    problem: Option<String>,
}

/// Asks everybody once.
pub(super) async fn resolve(config: &Config) -> anyhow::Result<Resolved> {
    config.wechat.connect(None, &QueryMeters::default())?;
    let ask = AskBy::OutTradeNo(OutTradeNo::parse(NOBODYS_ORDER)?);
    let mut channels = Vec::with_capacity(config.channels.len());
    let mut upstreams = vec![config.upstream.clone()];
    for channel in &config.channels {
        let Asked { state, refused_for, .. } = query::ask(channel, ask).await;
        channels.push(Account { channel: channel.id.to_string(), reason: state.reason(), refused_for });
        if !upstreams.contains(&channel.upstream) {
            upstreams.push(channel.upstream.clone());
        }
    }
    let mut reached = Vec::with_capacity(upstreams.len());
    for upstream in upstreams {
        let problem = reach(&upstream, TIMEOUT).await.err();
        reached.push((upstream, problem));
    }
    let mut sources = Vec::with_capacity(config.pending_orders.len());
    for watched in &config.pending_orders {
        sources.push(read(config, watched).await);
    }
    let journal = match &config.journal {
        Some(journal) => {
            let (problem, facts) = journal::look(&journal.settings).await;
            Some(Kept { place: journal.settings.to_string(), problem, facts })
        }
        None => None,
    };
    Ok(Resolved { channels, upstreams: reached, sources, journal })
}

async fn read(config: &Config, watched: &Watched) -> Source {
    let mut source = Source { name: watched.name.clone(), rows: 0, malformed: 0, first: Vec::new(), problem: None };
    let listing = match watched.source.read(MOST_ORDERS, watched.read_timeout()).await {
        Ok(listing) => listing,
        Err(error) => {
            source.problem = Some(error.to_string());
            return source;
        }
    };
    let Listing { orders, malformed, malformed_count, cut } = listing;
    let refused = orders.iter().filter_map(|order| {
        let why = watched.refuses(order, &config.routes, &config.channels)?;
        Some(format!("order {}: {why}", order.order))
    });
    let refused: Vec<_> = refused.collect();
    source.rows = orders.len() + malformed_count;
    source.malformed = malformed_count + refused.len();
    source.first = orders.into_iter().take(SHOWN).collect();
    let too_many = cut.then(|| format!("lists more than {MOST_ORDERS} orders"));
    source.problem = malformed.first().map(ToString::to_string).or(refused.into_iter().next()).or(too_many);
    source
}

/// Whether a channel's account is good: WeChat Pay knew it and signed, whatever it said of the order.
fn answers(reason: Reason) -> bool {
    reason.verdict() != Some(Verdict::Unknown)
}

impl Resolved {
    /// Whether everybody is there.
    pub(super) fn is_well(&self) -> bool {
        self.channels.iter().all(|account| answers(account.reason))
            && self.upstreams.iter().all(|(_, problem)| problem.is_none())
            && self.sources.iter().all(|source| source.problem.is_none())
            && self.journal.as_ref().is_none_or(|journal| journal.problem.is_none())
    }

    pub(super) fn asked(&self) -> Value {
        let answer = |Account { channel, reason, refused_for }: &Account| {
            let refused_for = refused_for.map(|refused_for| query::told(refused_for, Words::of(Language::English)));
            json!({ "channel": channel, "answers": answers(*reason), "reason": reason.code(), "detail": refused_for })
        };
        self.channels.iter().map(answer).collect()
    }

    pub(super) fn upstreams(&self) -> Value {
        let upstream = |(upstream, problem): &(Upstream, Option<String>)| json!({ "upstream": upstream.to_string(), "answers": problem.is_none(), "problem": problem });
        self.upstreams.iter().map(upstream).collect()
    }

    pub(super) fn sources(&self) -> Value {
        let source = |source: &Source| {
            let orders: Vec<_> = source.first.iter().map(|order| order.order.to_string()).collect();
            json!({
                "source": source.name,
                "rows": source.rows,
                "malformed": source.malformed,
                "orders": orders,
                "problem": source.problem,
            })
        };
        self.sources.iter().map(source).collect()
    }

    pub(super) fn journal(&self) -> Value {
        let Some(Kept { place, problem, facts }) = &self.journal else { return Value::Null };
        let mut told = json!({ "path": place, "writable": problem.is_none(), "problem": problem });
        if let (Some(DatabaseFacts { version, layout, synchronous_commit, clock_skew_ms }), Value::Object(told)) =
            (facts, &mut told)
        {
            let database = json!({
                "version": version,
                "layout": layout,
                "synchronous_commit": synchronous_commit,
                "clock_skew_ms": clock_skew_ms,
            });
            told.insert("database".to_owned(), database);
        }
        told
    }

    pub(super) fn tell(&self, lines: &mut Lines, words: &Words) {
        for Account { channel, reason, refused_for } in &self.channels {
            let outcome = if answers(*reason) { words.account_known } else { words.reason(*reason) };
            lines.say(fill(words.channel_is, &[channel, &outcome, reason]));
            if let Some(refused_for) = refused_for {
                lines.say(format!("  {}", query::told(*refused_for, words)));
            }
        }
        for (upstream, problem) in &self.upstreams {
            lines.say(match problem {
                None => fill(words.upstream_answers, &[upstream]),
                Some(problem) => fill(words.upstream_silent, &[upstream, problem]),
            });
        }
        self.sources.iter().for_each(|source| source.tell(lines, words));
        let Some(Kept { place, problem, facts }) = &self.journal else { return };
        lines.say(match (problem, facts) {
            (Some(problem), _) => fill(words.journal_unwritable, &[place, problem]),
            (None, None) => fill(words.journal_writable, &[place]),
            (None, Some(DatabaseFacts { version, layout, synchronous_commit, clock_skew_ms })) => {
                let layout = layout
                    .map_or_else(|| words.tables_to_come.to_owned(), |layout| fill(words.tables_there, &[&layout]));
                fill(words.database_is, &[place, version, &layout, synchronous_commit, clock_skew_ms])
            }
        });
    }
}

impl Source {
    fn tell(&self, lines: &mut Lines, words: &Words) {
        let Self { name, rows, malformed, first, problem } = self;
        let rows = words.count(words.rows, *rows);
        lines.say(match problem {
            None => fill(words.source_read, &[name, &rows]),
            Some(problem) if first.is_empty() && *malformed == 0 => fill(words.source_unread, &[name, problem]),
            Some(problem) => fill(words.source_unusable, &[name, &rows, malformed, problem]),
        });
        for order in first {
            let number = order.out_trade_no.map(|number| format!(", out_trade_no {number}")).unwrap_or_default();
            let amount =
                order.amount.map(|fen| format!(", {}.{:02} CNY", fen.0 / 100, fen.0 % 100)).unwrap_or_default();
            lines.say(format!("  {}, {}{number}{amount}", order.order, order.channel));
        }
    }
}
