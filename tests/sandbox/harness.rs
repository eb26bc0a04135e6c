//! A running sandbox, and a caller that sees every byte.

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tollgate::sandbox::{Host, Merchant, OrderFields, OrderKey, Sandbox, Seed};

pub(crate) const KEY: &str = "abcdefghijklmnopqrstuvwxyz012345";
pub(crate) const APPID: &str = "wxd930ea5d5a258f4f";
pub(crate) const MCH_ID: &str = "10000100";
pub(crate) const PROVIDER: &str = "10000200";

/// A sandbox with a merchant and a service provider on two hosts.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) api: SocketAddr,
    pub(crate) api2: SocketAddr,
    _serving: JoinSet<()>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Seed(1), 1_000_000).await
    }

    /// With WeChat Pay's waits divided by `time_scale`.
    pub(crate) async fn with(seed: Seed, time_scale: u32) -> Self {
        let merchants = [
            format!("{APPID},{MCH_ID},{KEY}"),
            format!("wx2421b1c4370ec43b,10000101,{KEY}"),
            format!("wx8888888888888888,{PROVIDER},{KEY},sp"),
        ];
        let merchants = merchants.iter().map(|merchant| Merchant::parse(merchant).unwrap()).collect();
        let sandbox = Sandbox::new(merchants, seed, time_scale);
        let mut serving = JoinSet::new();
        let mut addresses = Vec::new();
        for host in [Host::Api, Host::Api2] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            addresses.push(listener.local_addr().unwrap());
            let sandbox = sandbox.clone();
            serving.spawn(async move { match sandbox.serve(listener, host).await {} });
        }
        Self { sandbox, api: addresses[0], api2: addresses[1], _serving: serving }
    }

    pub(crate) fn key(&self, order: &str) -> OrderKey {
        self.sandbox.key(Some(MCH_ID), None, order).unwrap()
    }

    /// The order, paid with 100 fen in 2024.
    pub(crate) fn pay(&self, order: &str) {
        self.sandbox.pay(self.key(order), said(100)).unwrap();
    }

    /// Asks the first host for an order by the merchant's number.
    pub(crate) async fn ask(&self, order: &str) -> io::Result<Answer> {
        order_query(self.api, &question(&[("out_trade_no", order)])).await
    }

    /// A control call; its status and JSON.
    pub(crate) async fn control(&self, method: &str, path: &str, body: &str) -> (u16, serde_json::Value) {
        let answer = http(self.api, method, path, &[], body).await.unwrap();
        (answer.status, serde_json::from_str(&answer.body).unwrap_or_default())
    }
}

/// An amount, and a time that does not change from run to run.
pub(crate) fn said(fen: u64) -> OrderFields {
    OrderFields { total_fee: Some(fen), time_end: Some("20240101123456".to_owned()), ..OrderFields::default() }
}

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The fields of the XML, read with the bluntest reader that will do.
    pub(crate) fn fields(&self) -> BTreeMap<String, String> {
        fields(&self.body)
    }
}

pub(crate) fn fields(xml: &str) -> BTreeMap<String, String> {
    let inner = xml.split_once("<xml>").unwrap().1.split_once("</xml>").unwrap().0;
    let field = |line: &str| {
        let (name, rest) = line.strip_prefix('<').unwrap().split_once('>').unwrap();
        let value = rest.strip_suffix(&format!("</{name}>")).unwrap();
        let value = value.strip_prefix("<![CDATA[").and_then(|text| text.strip_suffix("]]>")).unwrap_or(value);
        (name.to_owned(), value.to_owned())
    };
    inner.lines().map(field).collect()
}

fn signed_text<'f>(fields: impl IntoIterator<Item = (&'f str, &'f str)>) -> String {
    let fields: BTreeMap<_, _> =
        fields.into_iter().filter(|(name, value)| *name != "sign" && !value.is_empty()).collect();
    fields.iter().map(|(name, value)| format!("{name}={value}&")).collect::<String>() + "key=" + KEY
}

pub(crate) fn md5_sign<'f>(fields: impl IntoIterator<Item = (&'f str, &'f str)>) -> String {
    hex::encode_upper(Md5::digest(signed_text(fields)))
}

pub(crate) fn hmac_sign<'f>(fields: impl IntoIterator<Item = (&'f str, &'f str)>) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    mac.update(signed_text(fields).as_bytes());
    hex::encode_upper(mac.finalize().into_bytes())
}

pub(crate) fn is_signed(fields: &BTreeMap<String, String>) -> bool {
    fields.get("sign") == Some(&md5_sign(borrowed(fields)))
}

pub(crate) fn borrowed(fields: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

/// A signed order query of the merchant; `over` adds to its fields and replaces them.
pub(crate) fn question(over: &[(&str, &str)]) -> String {
    let mut fields = BTreeMap::from([("appid", APPID), ("mch_id", MCH_ID), ("nonce_str", "5K8264ILTKCH16CQ2502")]);
    fields.extend(over.iter().copied());
    let pairs = || fields.iter().map(|(name, value)| (*name, *value));
    let sign = if fields.get("sign_type") == Some(&"HMAC-SHA256") { hmac_sign(pairs()) } else { md5_sign(pairs()) };
    let sign = fields.get("sign").map_or(sign, |sign| (*sign).to_owned());
    let elements = pairs().filter(|(name, _)| *name != "sign").map(|(name, value)| format!("<{name}>{value}</{name}>"));
    format!("<xml>{}<sign>{sign}</sign></xml>", elements.collect::<String>())
}

pub(crate) async fn order_query(host: SocketAddr, question: &str) -> io::Result<Answer> {
    http(host, "POST", "/pay/orderquery", &[], question).await
}

/// One request on its own connection. A body shorter than announced is an error.
pub(crate) async fn http(
    host: SocketAddr,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &str,
) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(host).await?;
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8(answer).map_err(io::Error::other)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    if length.is_some_and(|length: usize| length != body.len()) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}
