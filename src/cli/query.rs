//! `tollgate query`: what does WeChat Pay say of this order, now?

use super::ConfigFile;
use super::print::{self, Lines};
use super::words::{Words, fill, words};
use crate::admin::records;
use crate::config::Config;
use crate::domain::clock;
use crate::domain::order::{ChannelId, OrderId};
use crate::domain::reason::Verdict;
use crate::gate::channel::Channel;
use crate::gate::record::verified;
use crate::observe::metrics::QueryMeters;
use crate::observe::traces::Parent;
use crate::provider::order_state::OrderState;
use crate::provider::payment::Payment;
use crate::provider::{AskBy, Asked, Part, Query, RefusedFor};
use anyhow::{Context, anyhow};
use serde::Serialize;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::Instant;

/// The command's arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 paid, 1 anything else, 2 wrong usage.")]
pub(super) struct Args {
    /// The channel, by its name in the configuration.
    #[arg(value_name = "CHANNEL")]
    channel: ChannelId,

    /// The order, by the legacy system's id (the channel's prefix and suffix are added) or by its out_trade_no.
    #[arg(value_name = "ORDER")]
    order: OrderId,

    #[command(flatten)]
    file: ConfigFile,

    /// Print JSON.
    #[arg(long)]
    json: bool,
}

const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let config = match Config::load(&args.file.config) {
        Ok(config) => config,
        Err(problems) => return super::problems::print(&problems, args.json),
    };
    let channel = config.channels.iter().find(|channel| channel.id == args.channel).ok_or_else(|| {
        let known: Vec<_> = config.channels.iter().map(|channel| channel.id.to_string()).collect();
        anyhow!("no channel {} in {}; there are: {}", args.channel, args.file.config.display(), known.join(", "))
    })?;
    let out_trade_no = channel.out_trade_no.apply(&args.order).context("the order id is no out_trade_no")?;
    let ask = AskBy::OutTradeNo(out_trade_no);
    config.wechat.connect(None, &QueryMeters::default())?;
    let Asked { state: order_state, host, refused_for, .. } = self::ask(channel, ask).await;
    let reason = order_state.reason();
    let payment = match &order_state {
        OrderState::Paid(payment) => Some(payment.as_ref()),
        OrderState::NotPaid(_) => None,
    };
    let verdict = reason.verdict().unwrap_or(Verdict::Unknown);
    let asked = records::Asked::new(args.channel, out_trade_no, reason, payment.map(verified).as_ref());
    let refused_for = refused_for.map(|refused_for| told(refused_for, words()));
    let host = host.map(|host| host.to_string());
    let value = Answered { asked, host, refused_for: refused_for.clone() };
    let mut lines = Lines::default();
    lines.say(format!("{out_trade_no} on {}: {verdict} ({reason})", args.channel));
    lines.say(format!("  {}", reason.text()));
    if let Some(refused_for) = refused_for {
        lines.say(format!("  {refused_for}"));
    }
    if let Some(payment) = payment {
        tell_payment(&mut lines, payment);
    }
    print::print(args.json, &value, &lines)?;
    Ok(if verdict == Verdict::Paid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is printed under `--json`.
#[derive(Serialize)]
struct Answered {
    #[serde(flatten)]
    asked: records::Asked,
    /// The host that answered.
    host: Option<String>,
    /// Why it refused the question, where it tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused_for: Option<String>,
}

/// Asks the provider once, for a command.
pub(super) async fn ask(channel: &Channel, ask: AskBy) -> Asked {
    let (deadline, within) = (Instant::now() + TIMEOUT, &Parent::default());
    channel.account.query(Query { ask, part: Part::FollowUp, deadline, wait_until: deadline, within }).await
}

/// Why a provider refused the question, for people.
pub(super) fn told(refused_for: RefusedFor, words: &Words) -> String {
    match refused_for {
        RefusedFor::Clock(Some(ahead)) if ahead < 0 => fill(words.clock_is_ahead, &[&ahead.unsigned_abs()]),
        RefusedFor::Clock(Some(ahead)) => fill(words.clock_is_behind, &[&ahead]),
        RefusedFor::Clock(None) => words.clock_is_wrong.to_owned(),
        RefusedFor::Serial => words.serial_is_wrong.to_owned(),
        RefusedFor::Key => words.key_is_wrong.to_owned(),
    }
}

fn tell_payment(lines: &mut Lines, payment: &Payment) {
    lines.item("transaction_id", payment.transaction_id);
    lines.item("amount", payment.amount);
    if let Some(paid_at) = payment.paid_at {
        lines.item("paid at", clock::rfc3339_beijing(paid_at));
    }
}
