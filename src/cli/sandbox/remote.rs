//! Steering a sandbox that runs, through its control calls.

use crate::sandbox::http::Client;
use crate::sandbox::{Api, BillSettings, Fault, FaultKind, Forgery, Host, OrderFields, Signing, TradeState};
use anyhow::{Context, bail};
use hyper::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

/// Where the sandbox is, and how to print.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Plain {
    /// The running sandbox.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8090", env = "TOLLGATE_SANDBOX")]
    url: String,

    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Which order.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Named {
    /// The merchant's number of the order (out_trade_no).
    #[arg(value_name = "ORDER")]
    out_trade_no: String,

    #[command(flatten)]
    merchant: OfMerchant,

    #[command(flatten)]
    plain: Plain,
}

/// Whose order.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct OfMerchant {
    /// Whose order; by default the first merchant's.
    #[arg(long)]
    mch_id: Option<String>,

    /// Which sub-merchant's, in service-provider mode.
    #[arg(long)]
    sub_mch_id: Option<String>,
}

/// Arguments of `pay`.
#[derive(Debug, clap::Args)]
pub(super) struct Pay {
    #[command(flatten)]
    named: Named,

    #[command(flatten)]
    fields: OrderFields,
}

/// Arguments of `order`.
#[derive(Debug, clap::Args)]
pub(super) struct OrderArgs {
    #[command(flatten)]
    named: Named,

    /// Make the order, or replace it, in this state; without it the order is shown.
    #[arg(long, ignore_case = true)]
    state: Option<TradeState>,

    #[command(flatten)]
    fields: OrderFields,
}

/// Arguments of `fault`.
#[derive(Debug, clap::Args)]
pub(super) struct OrderFault {
    #[command(flatten)]
    named: Named,

    #[command(flatten)]
    faulty: Faulty,
}

/// Arguments of `host`.
#[derive(Debug, clap::Args)]
pub(super) struct HostFault {
    /// Which host; a second one needs --second-listen.
    host: Host,

    #[command(flatten)]
    faulty: Faulty,

    #[command(flatten)]
    plain: Plain,
}

/// How answers go wrong.
#[derive(Debug, clap::Args)]
struct Faulty {
    /// How the answers go wrong.
    #[arg(required_unless_present = "clear")]
    kind: Option<FaultKind>,

    /// For this many answers; by default until it is cleared.
    #[arg(long)]
    count: Option<u32>,

    /// Hold the answers back, too.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    delay_ms: u64,

    /// Give right answers again.
    #[arg(long, conflicts_with = "kind")]
    clear: bool,
}

impl Faulty {
    fn faults(&self) -> Value {
        let faults = self.kind.map(|kind| Fault { kind, delay_ms: self.delay_ms, count: self.count });
        json!(Vec::from_iter(faults))
    }
}

/// Arguments of `notify`.
#[derive(Debug, clap::Args)]
pub(super) struct Notify {
    #[command(flatten)]
    named: Named,

    /// Where to: http:// only.
    #[arg(value_name = "NOTIFY_URL")]
    notify_url: String,

    /// In which language: v2 or v3.
    #[arg(long, default_value = "v2")]
    format: Api,

    /// What it tells, in format v3: TRANSACTION.SUCCESS, REFUND.SUCCESS, REFUND.ABNORMAL, REFUND.CLOSED ...
    #[arg(long, value_name = "EVENT")]
    event_type: Option<String>,

    /// Tell that this much came back, in fen, rather than that the order was paid.
    #[arg(long, value_name = "FEN")]
    refund: Option<u64>,

    /// How many at once.
    #[arg(long, default_value_t = 1)]
    copies: u32,

    /// Forge it.
    #[arg(long, default_value = "none")]
    forge: Forgery,

    /// MD5 or HMAC-SHA256, in format v2.
    #[arg(long, default_value = "MD5")]
    sign_type: String,

    /// Send it once, whatever the receiver answers.
    #[arg(long)]
    no_retry: bool,

    /// Wait until it is acknowledged or given up, rather than for the first delivery.
    #[arg(long)]
    follow: bool,
}

/// Arguments of `queries`.
#[derive(Debug, clap::Args)]
pub(super) struct Queries {
    /// Only those for this order.
    #[arg(value_name = "ORDER")]
    out_trade_no: Option<String>,

    #[command(flatten)]
    plain: Plain,
}

/// Arguments of `bill`.
#[derive(Debug, clap::Args)]
pub(super) struct Bill {
    #[command(flatten)]
    settings: BillSettings,

    /// As usual again, which everything is that is not named anyway.
    #[arg(long)]
    clear: bool,

    #[command(flatten)]
    plain: Plain,
}

/// Arguments of `lose`.
#[derive(Debug, clap::Args)]
pub(super) struct Lose {
    /// 0 loses none, 1 all.
    #[arg(value_name = "PROBABILITY")]
    probability: f64,

    #[command(flatten)]
    plain: Plain,
}

/// Arguments of `signing`.
#[derive(Debug, clap::Args)]
pub(super) struct SigningArgs {
    /// With what from now on; without it what it is now is shown.
    with: Option<Signing>,

    #[command(flatten)]
    plain: Plain,
}

/// Arguments of `certificates`.
#[derive(Debug, clap::Args)]
pub(super) struct Certificates {
    /// Issue a new one; the one before stays listed until the next time.
    #[arg(long)]
    rotate: bool,

    #[command(flatten)]
    plain: Plain,
}

pub(super) async fn signing(args: SigningArgs) -> anyhow::Result<ExitCode> {
    match args.with {
        None => list(&args.plain, "signing").await,
        Some(with) => {
            let with = json!({ "with": with });
            show(&args.plain, &call(&args.plain, Method::PUT, "/sandbox/signing", &with).await?)
        }
    }
}

pub(super) async fn certificates(args: Certificates) -> anyhow::Result<ExitCode> {
    if !args.rotate {
        return list(&args.plain, "certificates").await;
    }
    show(&args.plain, &call(&args.plain, Method::POST, "/sandbox/certificates/rotate", &Value::Null).await?)
}

pub(super) async fn pay(args: Pay) -> anyhow::Result<ExitCode> {
    let path = path_of(&args.named).await?.action("pay");
    show(&args.named.plain, &call(&args.named.plain, Method::POST, &path, &json!(args.fields)).await?)
}

pub(super) async fn act(args: Named, action: &str) -> anyhow::Result<ExitCode> {
    let path = path_of(&args).await?.action(action);
    show(&args.plain, &call(&args.plain, Method::POST, &path, &Value::Null).await?)
}

pub(super) async fn order(args: OrderArgs) -> anyhow::Result<ExitCode> {
    let path = path_of(&args.named).await?.action("");
    let plain = &args.named.plain;
    let answer = match args.state {
        None if args.fields != OrderFields::default() => bail!("say in which --state the order is, or use `pay`"),
        None => call(plain, Method::GET, &path, &Value::Null).await?,
        Some(state) => {
            let mut order = json!(args.fields);
            if let Some(order) = order.as_object_mut() {
                order.insert("trade_state".to_owned(), json!(state));
            }
            call(plain, Method::PUT, &path, &order).await?
        }
    };
    show(plain, &answer)
}

pub(super) async fn list(args: &Plain, what: &str) -> anyhow::Result<ExitCode> {
    show(args, &call(args, Method::GET, &format!("/sandbox/{what}"), &Value::Null).await?)
}

pub(super) async fn queries(args: Queries) -> anyhow::Result<ExitCode> {
    let order = args.out_trade_no.map_or_else(String::new, |order| format!("?out_trade_no={}", escape(&order)));
    list(&args.plain, &format!("queries{order}")).await
}

pub(super) async fn reset(args: &Plain) -> anyhow::Result<ExitCode> {
    call(args, Method::POST, "/sandbox/reset", &Value::Null).await?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn order_fault(args: OrderFault) -> anyhow::Result<ExitCode> {
    let path = path_of(&args.named).await?.action("faults");
    show(&args.named.plain, &call(&args.named.plain, Method::PUT, &path, &args.faulty.faults()).await?)
}

pub(super) async fn host_fault(args: HostFault) -> anyhow::Result<ExitCode> {
    let path = format!("/sandbox/hosts/{}/faults", json!(args.host).as_str().unwrap_or_default());
    show(&args.plain, &call(&args.plain, Method::PUT, &path, &args.faulty.faults()).await?)
}

pub(super) async fn bill(args: Bill) -> anyhow::Result<ExitCode> {
    if args.settings == BillSettings::default() && !args.clear {
        return list(&args.plain, "bills/settings").await;
    }
    show(&args.plain, &call(&args.plain, Method::PUT, "/sandbox/bills/settings", &json!(args.settings)).await?)
}

pub(super) async fn lose(args: Lose) -> anyhow::Result<ExitCode> {
    let loss = json!({ "probability": args.probability });
    show(&args.plain, &call(&args.plain, Method::PUT, "/sandbox/notifications/loss", &loss).await?)
}

/// How often a delivery that is awaited is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

pub(super) async fn notify(args: Notify) -> anyhow::Result<ExitCode> {
    let Named { out_trade_no, merchant, plain } = args.named;
    let announcement = json!({
        "mch_id": merchant.mch_id, "sub_mch_id": merchant.sub_mch_id, "out_trade_no": out_trade_no,
        "format": args.format, "event_type": args.event_type, "notify_url": args.notify_url, "refund": args.refund, "copies": args.copies, "forge": args.forge, "sign_type": args.sign_type,
        "retry": !args.no_retry,
    });
    let sent = call(&plain, Method::POST, "/sandbox/notifications", &announcement).await?;
    let path = format!("/sandbox/notifications/{}", sent.get("id").unwrap_or(&Value::Null));
    loop {
        let notification = call(&plain, Method::GET, &path, &Value::Null).await?;
        let sending = notification.get("progress") == Some(&json!("sending"));
        let tried = notification.get("attempts").and_then(Value::as_array).map_or(0, Vec::len);
        if !sending || (!args.follow && tried >= usize::try_from(args.copies)?) {
            show(&plain, &notification)?;
            let acknowledged = notification.get("progress") == Some(&json!("acknowledged"));
            return Ok(if acknowledged { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// The path of an order's control calls.
struct OrderPath {
    path: String,
    query: String,
}

impl OrderPath {
    fn action(self, action: &str) -> String {
        let slash = if action.is_empty() { "" } else { "/" };
        format!("{}{slash}{action}{}", self.path, self.query)
    }
}

async fn path_of(named: &Named) -> anyhow::Result<OrderPath> {
    let mch_id = match &named.merchant.mch_id {
        Some(mch_id) => mch_id.clone(),
        None => first_merchant(&named.plain).await?,
    };
    let path = format!("/sandbox/orders/{}/{}", escape(&mch_id), escape(&named.out_trade_no));
    let query = named.merchant.sub_mch_id.as_deref().map(|id| format!("?sub_mch_id={}", escape(id)));
    Ok(OrderPath { path, query: query.unwrap_or_default() })
}

async fn first_merchant(plain: &Plain) -> anyhow::Result<String> {
    let merchants = call(plain, Method::GET, "/sandbox/merchants", &Value::Null).await?;
    let first = merchants.get(0).and_then(|merchant| merchant.get("mch_id")).and_then(Value::as_str);
    first.map(str::to_owned).context("the sandbox has no merchant")
}

fn escape(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// How long the sandbox may take; its faults do not touch the control calls.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

async fn call(plain: &Plain, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
    let url = format!("{}{path}", plain.url.trim_end_matches('/'));
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = Client::default().call(method, &url, "application/json", body, ANSWER_LIMIT).await;
    let answer = answer.with_context(|| {
        format!("no sandbox at {}: start one with `tollgate sandbox`, or name its --url", plain.url)
    })?;
    let text = String::from_utf8_lossy(answer.body());
    let value: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    if !answer.status().is_success() {
        let why = value.get("error").and_then(Value::as_str).unwrap_or_else(|| text.trim());
        bail!("the sandbox refused ({}): {why}", answer.status().as_u16());
    }
    Ok(value)
}

fn show(plain: &Plain, answer: &Value) -> anyhow::Result<ExitCode> {
    let text = if plain.json { serde_json::to_string_pretty(answer)? + "\n" } else { for_people(answer) };
    crate::cli::print::out().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// A line for each thing of a list, a line for each field of a thing.
fn for_people(answer: &Value) -> String {
    let mut text = String::new();
    match answer {
        Value::Array(things) if things.is_empty() => text.push_str("none\n"),
        Value::Array(things) => things.iter().for_each(|thing| {
            let _ = writeln!(text, "{}", thing.as_object().map_or_else(|| thing.to_string(), one_line));
        }),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::Array(things) if !things.is_empty() => {
                        let _ = writeln!(text, "{name}:");
                        for_people(value).lines().for_each(|line| {
                            let _ = writeln!(text, "  {line}");
                        });
                    }
                    _ => {
                        let _ = writeln!(text, "{name:<15} {}", bare(value));
                    }
                }
            }
        }
        _ => {
            let _ = writeln!(text, "{}", bare(answer));
        }
    }
    text
}

/// The fields that say something, on one line.
fn one_line(fields: &Map<String, Value>) -> String {
    let says = |value: &Value| !(value.is_null() || value == "" || value.as_array().is_some_and(Vec::is_empty));
    let fields = fields.iter().filter(|(_, value)| says(value)).map(|(name, value)| format!("{name}={}", bare(value)));
    fields.collect::<Vec<_>>().join("  ")
}

fn bare(value: &Value) -> String {
    match value {
        Value::String(text) => text.escape_debug().to_string(),
        Value::Null => "-".to_owned(),
        Value::Array(things) if things.is_empty() => "-".to_owned(),
        _ => value.to_string(),
    }
}
