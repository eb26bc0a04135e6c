//! The parties of the demo, each on a free port of loopback.

use super::configuration::Configuration;
use super::gate::Gate;
use super::report::Report;
use super::v3::{MINI, V3};
use crate::domain::order::TransactionId;
use crate::sandbox::http::{CallError, Client};
use crate::sandbox::shop::{Received, Shop};
use crate::sandbox::{
    Announcement, Api, Forgery, Host, Notification, OrderFields, OrderKey, Progress, Query, Sandbox, Seed,
    demo_merchants,
};
use anyhow::Context;
use bytes::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request, Response};
use jiff::civil::Date;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

/// The merchant of channel `app`.
pub(super) const APP: &str = "1900000109";

/// The merchant of channel `2/c1`.
pub(super) const C1: &str = "1900000110";

/// WeChat Pay's 15 s before the first retry become 1.5.
const TIME_SCALE: u32 = 10;

/// What is tried at most: longer than everything the gate may take.
const LIMIT: Duration = Duration::from_secs(20);

/// How long it is watched that nothing comes where there is no gate that could bring it.
const IN_VAIN: Duration = Duration::from_secs(1);

/// All parties, running.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) sandbox: Sandbox,
    pub(super) shop: Shop,
    pub(super) sandbox_url: String,
    pub(super) second_url: String,
    pub(super) shop_url: String,
    pub(super) gate_url: String,
    /// What the gate shows of itself.
    pub(super) dashboard: Option<Dashboard>,
    /// Where the gate keeps its files.
    pub(super) directory: Option<PathBuf>,
    pub(super) sender: Sender,
    /// One for each gate.
    pub(super) senders: Vec<Sender>,
    client: Client,
    gates: Vec<Mutex<Gate>>,
    _serving: JoinSet<()>,
}

/// Which gates there are.
#[derive(Debug)]
pub(super) enum Gates {
    /// None: callbacks go straight to the shop.
    None,
    /// One, with its journal in a file.
    One,
    /// Three that share the journal at this address.
    Three(String),
}

impl Gates {
    const fn names(&self) -> &'static [&'static str] {
        match self {
            Self::None => &[],
            Self::One => &["gate"],
            Self::Three(_) => &["gate-1", "gate-2", "gate-3"],
        }
    }
}

/// Where the dashboard of the gate is.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Dashboard {
    /// Its address.
    pub(super) url: String,
    /// What opens it.
    pub(super) token: String,
}

/// A callback and what its sender got.
#[derive(Debug)]
pub(super) struct Sent {
    /// HTTP status, if there was an answer.
    pub(super) status: Option<u16>,
    /// The answer.
    pub(super) body: String,
    /// What was sent and what came back, as the sender tells it.
    pub(super) told: [String; 2],
}

/// The APP, or whoever says so. Clones share their connections.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    client: Client,
    gate_url: String,
}

impl Sender {
    /// Calls back, through the gate.
    pub(super) async fn call_back(&self, form: &str, headers: &[(&str, &str)]) -> anyhow::Result<Sent> {
        let mut request = Request::builder().method(Method::POST).uri(format!("{}/pay/success", self.gate_url));
        request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let started = Instant::now();
        let answer = match self.client.send(request.body(Bytes::from(form.to_owned()))?, LIMIT).await {
            Ok(answer) => Some(answer),
            Err(CallError::Connection(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let elapsed = started.elapsed().as_millis();
        let got = answer.as_ref().map_or_else(|| "no connection".to_owned(), outcome);
        let told = [format!("POST /pay/success {form}"), format!("got {got} after {elapsed} ms")];
        let status = answer.as_ref().map(|answer| answer.status().as_u16());
        let body = answer.map(|answer| String::from_utf8_lossy(answer.body()).into_owned()).unwrap_or_default();
        Ok(Sent { status, body, told })
    }
}

impl Stage {
    /// Starts everybody.
    pub(super) async fn set_up(wanted: Gates) -> anyhow::Result<Self> {
        let merchants = demo_merchants()?;
        let sandbox = Sandbox::new(merchants.clone(), Seed(1), TIME_SCALE);
        let v3 = V3::of(&sandbox)?;
        let shop = Shop::reading(v3.shop_keys()?);
        let (first, sandbox_url) = listen().await?;
        let (second, second_url) = listen().await?;
        let (shop_listener, shop_url) = listen().await?;
        let mut serving = JoinSet::new();
        for (listener, host) in [(first, Host::Api), (second, Host::Api2)] {
            let sandbox = sandbox.clone();
            serving.spawn(async move { match sandbox.serve(listener, host).await {} });
        }
        let serving_shop = shop.clone();
        serving.spawn(async move {
            let Err(error) = serving_shop.serve(shop_listener).await;
            tracing::error!(%error, "the sample order system ended");
        });
        let hosts = [sandbox_url.clone(), second_url.clone()];
        let token = Uuid::now_v7().simple().to_string();
        let names = wanted.names();
        let database = if let Gates::Three(url) = wanted { Some(url) } else { None };
        let upstream = shop_url.clone();
        let configuration = Configuration { upstream, hosts, merchants, v3, token: token.clone(), database };
        let configuration = Arc::new(configuration);
        let mut gates = Vec::new();
        for &name in names {
            gates.push(Gate::start(Arc::clone(&configuration), name).await?);
        }
        let client = Client::default();
        let senders = gates.iter().map(|gate| format!("http://{}", gate.addresses.callbacks));
        let senders = senders.map(|gate_url| Sender { client: client.clone(), gate_url }).collect::<Vec<_>>();
        let straight = || Sender { client: client.clone(), gate_url: shop_url.clone() };
        let sender = senders.first().cloned().unwrap_or_else(straight);
        Ok(Self {
            sandbox,
            shop,
            sandbox_url,
            second_url,
            gate_url: sender.gate_url.clone(),
            shop_url,
            sender,
            senders,
            dashboard: gates.first().map(|gate| Dashboard { url: format!("http://{}/", gate.addresses.admin), token }),
            directory: gates.first().map(|gate| gate.directory.path().to_owned()),
            client,
            gates: gates.into_iter().map(Mutex::new).collect(),
            _serving: serving,
        })
    }

    /// The full name of a merchant's order.
    pub(super) fn key(&self, mch_id: &str, order: &str) -> anyhow::Result<OrderKey> {
        Ok(self.sandbox.key(Some(mch_id), None, order)?)
    }

    /// Pays an order; the payment's number.
    pub(super) fn pay(&self, mch_id: &str, order: &str, fen: u64) -> anyhow::Result<TransactionId> {
        let said = OrderFields { total_fee: Some(fen), ..OrderFields::default() };
        self.sandbox.pay(self.key(mch_id, order)?, said)?.transaction_id.context("a paid order has a transaction id")
    }

    /// The shop refunds an order; what its page says.
    pub(super) async fn refund(&self, order: &str) -> anyhow::Result<String> {
        let (url, form) = (format!("{}/refund", self.shop_url), format!("OrderID={order}"));
        let answer = self.client.call(Method::POST, &url, "application/x-www-form-urlencoded", form, LIMIT).await?;
        Ok(String::from_utf8_lossy(answer.body()).trim().to_owned())
    }

    /// WeChat Pay, or a forger, notifies the gate.
    pub(super) fn notify(&self, order: &str, forge: Forgery) -> anyhow::Result<u64> {
        let announcement = self.announcement((APP, order), "/wxpay/notify/app", forge);
        Ok(self.sandbox.notify(Announcement { retry: forge == Forgery::None, ..announcement })?)
    }

    /// The same once, by API v3.
    pub(super) fn notify_v3(&self, order: &str, forge: Forgery) -> anyhow::Result<u64> {
        let announcement = self.announcement((MINI, order), "/wxpay/v3/mini", forge);
        Ok(self.sandbox.notify(Announcement { format: Api::V3, ..announcement })?)
    }

    fn announcement(&self, (mch_id, order): (&str, &str), path: &str, forge: Forgery) -> Announcement {
        Announcement {
            mch_id: Some(mch_id.to_owned()),
            sub_mch_id: None,
            out_trade_no: order.to_owned(),
            refund: None,
            notify_url: format!("{}{path}", self.gate_url),
            copies: 1,
            forge,
            format: Api::V2,
            event_type: None,
            sign_type: "MD5".to_owned(),
            retry: false,
        }
    }

    /// Waits until a notification is `far_enough`, or for as long as a scene may take.
    pub(super) async fn notified(
        &self,
        id: u64,
        far_enough: impl Fn(&Notification) -> bool,
    ) -> anyhow::Result<Notification> {
        let until = Instant::now() + LIMIT;
        loop {
            let notification = self.sandbox.notification(id).context("the notification is gone")?;
            if far_enough(&notification) || Instant::now() > until {
                return Ok(notification);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kills the gate and starts it again; how long it was away, if there is one.
    pub(super) async fn kill_gate(&self) -> anyhow::Result<Option<Duration>> {
        match self.gates.first() {
            Some(gate) => gate.lock().await.is_killed_and_starts_again().await.map(Some),
            None => Ok(None),
        }
    }

    /// Kills one of several gates, and leaves it so.
    pub(super) async fn kill_one(&self, which: usize) -> anyhow::Result<()> {
        self.gates.get(which).context("there is no such gate")?.lock().await.is_killed()
    }

    /// Starts one that was killed.
    pub(super) async fn start_one(&self, which: usize) -> anyhow::Result<()> {
        self.gates
            .get(which)
            .context("there is no such gate")?
            .lock()
            .await
            .is_killed_and_starts_again()
            .await
            .map(drop)
    }

    /// Waits until the shop holds all these orders for paid, at most so long; how long that was, and how many are not.
    pub(super) async fn marked_paid(&self, orders: &[String], patience: Duration) -> (Duration, usize) {
        let began = Instant::now();
        loop {
            let missing = orders.iter().filter(|order| !self.shop.order(order).is_some_and(|line| line.paid)).count();
            if missing == 0 || began.elapsed() > patience {
                return (began.elapsed(), missing);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Compares WeChat Pay's bill of a day, as an operator does beside the running gate; what the command says.
    pub(super) async fn sweep(&self, channel: &str, day: Date) -> anyhow::Result<Vec<String>> {
        match self.gates.first() {
            Some(gate) => gate.lock().await.sweep(channel, day).await,
            None => Ok(vec!["there is no gate that could compare the bill".to_owned()]),
        }
    }

    /// Waits until the shop got something for an order, or for as long as a scene may take; how long that was.
    pub(super) async fn arrived(&self, order: &str) -> Duration {
        let began = Instant::now();
        let limit = if self.gates.is_empty() { IN_VAIN } else { LIMIT };
        while self.received(&[order]).is_empty() && began.elapsed() < limit {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        began.elapsed()
    }

    /// The queries about these orders and payments.
    pub(super) fn queries(&self, about: &[&str]) -> Vec<Query> {
        let mut queries = self.sandbox.queries();
        queries.retain(|query| {
            let named = [query.out_trade_no.as_deref(), query.transaction_id.as_deref()];
            named.into_iter().flatten().any(|id| about.contains(&id))
        });
        queries
    }

    /// What reached the shop for these orders.
    pub(super) fn received(&self, orders: &[&str]) -> Vec<Received> {
        let mut received = self.shop.received();
        received.retain(|received| orders.contains(&received.order.as_str()));
        received
    }

    /// Writes down what both saw of these orders and payments.
    pub(super) fn observe(&self, report: &mut Report, about: &[&str]) -> (Vec<Query>, Vec<Received>) {
        let (queries, received) = (self.queries(about), self.received(about));
        report.saw(&queries, &received);
        (queries, received)
    }
}

/// Whether nothing more will be sent.
pub(super) fn is_over(notification: &Notification) -> bool {
    notification.progress != Progress::Sending
}

async fn listen() -> anyhow::Result<(TcpListener, String)> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port on loopback")?;
    let url = format!("http://{}", listener.local_addr()?);
    Ok((listener, url))
}

/// The status, and what the order system says; the gate's own answers are JSON that says no more than the status.
fn outcome(answer: &Response<Bytes>) -> String {
    if answer.status().is_success() {
        format!("{} {}", answer.status(), String::from_utf8_lossy(answer.body()))
    } else {
        answer.status().to_string()
    }
}
