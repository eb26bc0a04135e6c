//! `tollgate lookup`: what a refund needs to know of an order.

use super::ConfigFile;
use super::print::{self, Lines};
use super::records;
use crate::admin::records::{Asked, EntryStory};
use crate::config::Config;
use crate::domain::clock::{self, rfc3339};
use crate::domain::order::{ChannelId, OrderId, OutTradeNo};
use crate::domain::reason::Reason;
use crate::gate::channel::Channel;
use crate::gate::record::verified;
use crate::journal::{Record, Search, Verified};
use crate::observe::metrics::QueryMeters;
use crate::provider::AskBy;
use crate::provider::order_state::OrderState;
use anyhow::bail;
use serde_json::json;
use std::process::ExitCode;

/// The command's arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Looks into the journal, whether or not the gate is running. If that knows no payment, WeChat Pay is asked \
                  on every channel (or on --channel), for which the secrets of the configuration must be there.\n\nExit \
                  codes: 0 a payment is known, 1 none is, or there is no such channel, 2 wrong usage."
)]
pub(super) struct Args {
    /// The order: the legacy system's id, WeChat Pay's out_trade_no, or a transaction id.
    #[arg(value_name = "ORDER")]
    order: OrderId,

    /// Only on this channel.
    #[arg(long, value_name = "CHANNEL")]
    channel: Option<ChannelId>,

    #[command(flatten)]
    file: ConfigFile,

    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Entries of one order that are shown.
const MOST: usize = 100;

pub(super) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut lines = Lines::default();
    let (mut known, mut why_not) = (Vec::new(), None);
    match records::open(&args.file.config).await {
        Ok(Ok(archive)) => {
            let search = Search { order: Some(args.order), channel: args.channel, ..Search::default() };
            known = archive.find(search, MOST).await?;
        }
        Ok(Err(problems)) => return super::problems::print(&problems, args.json),
        // The live query does not need it.
        Err(error) => why_not = Some(error),
    }
    known.retain(|record| record.verified.is_some());
    if !known.is_empty() {
        known.iter().for_each(|record| tell(&mut lines, record));
        let found: Vec<_> = known.iter().map(EntryStory::from).collect();
        print::print(args.json, &json!({ "from": "journal", "found": found }), &lines)?;
        return Ok(ExitCode::SUCCESS);
    }
    match &why_not {
        Some(error) => lines.say(format!("The journal: {error:#}")),
        None => lines.say(format!("The journal knows no payment of {}.", args.order)),
    }
    let config = match Config::load(&args.file.config) {
        Ok(config) => config,
        Err(problems) => return super::problems::print(&problems, args.json),
    };
    if let Some(unknown) = args.channel.filter(|id| config.channels.iter().all(|channel| channel.id != *id)) {
        let known: Vec<_> = config.channels.iter().map(|channel| channel.id.to_string()).collect();
        bail!(
            "the journal knows no payment of {} on {unknown}, and there is no channel {unknown} in {}; there are: {}",
            args.order,
            args.file.config.display(),
            known.join(", ")
        );
    }
    let answers = ask(&config, args).await?;
    for Live { channel, reason, payment, .. } in &answers {
        tell_live(&mut lines, channel, *reason, payment.as_ref());
    }
    let live = |live: &Live| Asked::new(live.channel, live.number, live.reason, live.payment.as_ref());
    let found: Vec<_> = answers.iter().map(live).collect();
    print::print(args.json, &json!({ "from": "wechat", "found": found }), &lines)?;
    let paid = answers.iter().any(|live| live.payment.is_some());
    Ok(if paid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(lines: &mut Lines, record: &Record) {
    let Some(payment) = &record.verified else { return };
    let claimed = &record.claimed;
    lines.say(format!("{} on {} (route {}): {}", claimed.order, claimed.channel, record.route, record.state));
    lines.item("transaction_id", payment.transaction_id);
    lines.item("out_trade_no", claimed.out_trade_no);
    tell_payment(lines, payment);
    if let Some(price) = record.price.as_ref().filter(|price| price.amount != payment.amount) {
        lines.item("costs", format!("{}, says {}", price.amount, price.source));
    }
    lines.item("verified at", record.verified_at.map_or_else(|| "unknown".to_owned(), rfc3339));
    for flag in record.flags() {
        lines.item("flagged", format!("{flag}: {}", flag.text()));
    }
    match record.accepted_at {
        Some(at) => lines.item("accepted at", rfc3339(at)),
        None if record.reason == Some(Reason::WindowOver) => {
            lines.item("accepted at", "not yet: it waits for WeChat Pay's next notification (window-over)");
        }
        None => lines.item("accepted at", "not yet: the order system has not taken it"),
    }
}

fn tell_payment(lines: &mut Lines, payment: &Verified) {
    lines.item("amount", payment.amount);
    if let Some(at) = payment.paid_at {
        lines.item("paid at", clock::rfc3339_beijing(at));
    }
    lines.item("trade_state", if payment.refunded { "REFUND: a refund was started already" } else { "SUCCESS" });
}

/// What WeChat Pay says now.
struct Live {
    channel: ChannelId,
    number: OutTradeNo,
    reason: Reason,
    payment: Option<Verified>,
}

async fn ask(config: &Config, args: &Args) -> anyhow::Result<Vec<Live>> {
    config.wechat.connect(None, &QueryMeters::default())?;
    let mut answers = Vec::new();
    for channel in config.channels.iter().filter(|channel| args.channel.is_none_or(|id| id == channel.id)) {
        answers.extend(ask_on(channel, &args.order).await);
    }
    Ok(answers)
}

/// What WeChat Pay says on one channel; nothing if the order id cannot be an order there.
async fn ask_on(channel: &Channel, order: &OrderId) -> Option<Live> {
    let number = channel.out_trade_no.apply(order).ok()?;
    let order_state = super::query::ask(channel, AskBy::OutTradeNo(number)).await.state;
    let payment = match &order_state {
        OrderState::Paid(payment) => Some(verified(payment)),
        OrderState::NotPaid(_) => None,
    };
    Some(Live { channel: channel.id, number, reason: order_state.reason(), payment })
}

fn tell_live(lines: &mut Lines, channel: &ChannelId, reason: Reason, payment: Option<&Verified>) {
    lines.say(format!("WeChat Pay says on {channel}: {reason}"));
    match payment {
        Some(payment) => {
            lines.item("transaction_id", payment.transaction_id);
            tell_payment(lines, payment);
            lines.item("note", "paid, and the journal does not know it: its callback never came, or was refused");
        }
        None => lines.say(format!("  {}", reason.text())),
    }
}
