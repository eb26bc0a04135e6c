//! A whole gate as `app` builds it, before an order system on a socket, with a journal on disk; only its one channel and route are
//! Pine Pay's.

use crate::pine::{PRESET, Pine, SEAL, seal};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{Request, StatusCode};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};
use tollgate::app::Services;
use tollgate::config::{Config, Process};
use tollgate::gate::accepted::Accepted;
use tollgate::gate::claim::{ChannelRule, Choose, ClaimFields, ClaimReader, Field, Place, Strictness};
use tollgate::observe::metrics::Metrics;
use tollgate::process::shutdown::Shutdown;
use tollgate::provider::Preset;
use tollgate::server::{Arrival, Handler, Peer};

pub struct World {
    pub pine: Arc<Pine>,
    pub services: Services,
    pub shop: Shop,
    pub shutdown: Shutdown,
    _folder: TempDir,
}

/// What the order system got, as text: it takes everything.
#[derive(Clone, Default)]
pub struct Shop(Arc<Mutex<Vec<String>>>);

impl World {
    pub async fn start() -> Self {
        let pine = Arc::new(Pine::default());
        Self::start_with(Arc::<Pine>::clone(&pine), pine, &PRESET, reader(&PRESET)).await
    }

    pub async fn start_with(
        account: Arc<dyn tollgate::provider::Account>,
        pine: Arc<Pine>,
        preset: &'static tollgate::provider::Preset,
        reader: ClaimReader,
    ) -> Self {
        let (folder, shop) = (TempDir::new().unwrap(), Shop::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = listener.local_addr().unwrap();
        tokio::spawn(shop.clone().serve(listener));
        // The file has no word for Pine Pay, so a route and an account are read and then made Pine Pay's.
        let text = format!(
            "{{ listen: '127.0.0.1:0', upstream: 'http://{upstream}', journal: {{ path: journal.db }}, \
             wechat: {{ hosts: ['http://127.0.0.1:9'] }}, \
             routes: [ {{ name: pine, path: '/pine/{{channel}}', preset: wechat-v2, events: [payment, refund] }} ], \
             channels: {{ tree: {{ provider: wechat-v2, appid: wxd930ea5d5a258f4f, mch_id: '1900000109', \
             key: Kf93mXq0Lz7Vb2Nc8Rt5Yw1Ua6Se4Dg0, sweep: {{ route: pine }} }} }} }}"
        );
        let mut config = Config::parse(&text, &folder.path().join("config.yaml"), &Process).unwrap();
        config.channels[0].account = account;
        let route = &mut config.routes[0];
        route.main.preset = Some(preset);
        route.main.reply.dialect = Some(preset.dialect);
        route.main.accepted = Accepted::of(preset);
        route.main.claim = reader;
        let services = Services::build(config, Arc::new(Metrics::new())).await.unwrap();
        let shutdown = Shutdown::new();
        tokio::spawn(Arc::clone(services.follow_up.as_ref().unwrap()).run(shutdown.clone()));
        tokio::spawn(Arc::clone(services.sweeper.as_ref().unwrap()).run_wanted(shutdown.clone()));
        Self { pine, services, shop, shutdown, _folder: folder }
    }

    /// What the gate answers to a notification with this seal.
    pub async fn notifies(&self, body: &str, seal: &str) -> (StatusCode, String) {
        self.notifies_as("application/json", body, seal).await
    }

    pub async fn notifies_as(&self, media: &str, body: &str, seal: &str) -> (StatusCode, String) {
        let request = Request::post("/pine/tree").header("content-type", media).header(SEAL, seal);
        let (head, ()) = request.body(()).unwrap().into_parts();
        let peer = Peer { addr: "127.0.0.1:4711".parse().unwrap(), tls: false };
        let arrival = Arrival { head, body: Ok(Bytes::copy_from_slice(body.as_bytes())), peer };
        let response = Arc::clone(&self.services.gate).handle(arrival).await;
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    /// The same, rightly sealed.
    pub async fn sends(&self, body: &str) -> (StatusCode, String) {
        self.notifies(body, &seal(body.as_bytes())).await
    }
}

pub fn reader(preset: &Preset) -> ClaimReader {
    let at = |place, name: &str| Field { place, name: name.to_owned() };
    let order = at(Place::Carrier, preset.order);
    ClaimReader::new(ClaimFields {
        carrier: preset.carrier,
        out_trade_no: Some(order.clone()),
        order,
        transaction: Some(at(Place::Carrier, preset.transaction)),
        amount: Some((at(Place::Carrier, preset.amount), preset.amount_unit)),
        fill: None,
        channel: vec![ChannelRule { when_empty: None, choose: Choose::From(vec![at(Place::Path, "channel")]) }],
        strictness: Strictness::default(),
    })
}

impl Shop {
    /// What it got so far.
    pub fn got(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// What it got once it has got so much.
    pub async fn gets(&self, count: usize) -> Vec<String> {
        let until = Instant::now() + Duration::from_secs(20);
        while self.got().len() < count {
            assert!(Instant::now() < until, "{:?}", self.got());
            sleep(Duration::from_millis(10)).await;
        }
        self.got()
    }

    async fn serve(self, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(self.clone().answer(stream));
        }
    }

    async fn answer(self, mut stream: TcpStream) {
        let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            read.extend_from_slice(&buffer[..count]);
            let text = String::from_utf8_lossy(&read).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            if body.len() < length(head) {
                continue;
            }
            self.0.lock().unwrap().push(text);
            read.clear();
            let taken = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{\"ack\":1}";
            if stream.write_all(taken.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

fn length(head: &str) -> usize {
    header(head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0)
}

/// A header field of a request as it went over the wire.
pub fn header<'r>(request: &'r str, name: &str) -> Option<&'r str> {
    let fields = request.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(": "));
    fields.into_iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
