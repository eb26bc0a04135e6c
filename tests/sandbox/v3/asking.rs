//! A merchant that asks in API v3, with the files that the sandbox writes, and verifies what it gets.

use crate::harness::*;
use crate::wechatpay_v3::{sign, verify};
use serde_json::Value;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";

/// A line of `merchants.json`, its files read.
#[derive(Debug, Clone)]
pub(super) struct Account(pub(super) Value);

/// The sandbox, and who asks.
pub(super) struct Counter {
    pub(super) world: World,
    pub(super) merchant: Account,
    pub(super) provider: Account,
}

impl Counter {
    pub(super) async fn open() -> Self {
        Self::at(World::new().await)
    }

    pub(super) fn at(world: World) -> Self {
        let directory = tempfile::tempdir().unwrap();
        world.sandbox.write_keys(directory.path()).unwrap();
        let accounts = accounts(directory.path());
        Self { world, merchant: accounts[0].clone(), provider: accounts[2].clone() }
    }

    /// A question of the merchant, who wants the answer signed with the public key.
    pub(super) async fn get(&self, target: &str) -> Signed {
        self.ask(&self.merchant, target, Some(self.merchant.text("public_key_id"))).await
    }

    pub(super) async fn ask(&self, account: &Account, target: &str, serial: Option<&str>) -> Signed {
        let authorization = account.authorization("GET", target, now(), &nonce());
        self.send("GET", target, &authorization, serial).await
    }

    pub(super) async fn send(&self, method: &str, target: &str, authorization: &str, serial: Option<&str>) -> Signed {
        let mut headers = vec![
            format!("Authorization: {authorization}"),
            "Accept: application/json".to_owned(),
            "User-Agent: test".to_owned(),
        ];
        headers.extend(serial.map(|serial| format!("Wechatpay-Serial: {serial}")));
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        Signed(http(self.world.api, method, target, &headers, "").await.unwrap())
    }

    /// The order, asked for by the merchant's number.
    pub(super) async fn order(&self, order: &str) -> Signed {
        self.get(&format!("/v3/pay/transactions/out-trade-no/{order}?mchid={MCH_ID}")).await
    }
}

/// The list that the sandbox wrote, with the files' texts instead of their names.
pub(super) fn accounts(directory: &Path) -> Vec<Account> {
    let list = std::fs::read_to_string(directory.join("merchants.json")).unwrap();
    let mut list: Vec<Value> = serde_json::from_str(&list).unwrap();
    for account in &mut list {
        for name in ["private_key", "certificate", "public_key", "platform_certificate"] {
            let file = directory.join(account[name].as_str().unwrap());
            account[name] = std::fs::read_to_string(file).unwrap().into();
        }
    }
    list.into_iter().map(Account).collect()
}

impl Account {
    pub(super) fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap()
    }

    pub(super) fn authorization(&self, method: &str, target: &str, timestamp: i64, nonce_str: &str) -> String {
        let message = format!("{method}\n{target}\n{timestamp}\n{nonce_str}\n\n");
        let signature = sign(message.as_bytes(), self.text("private_key"));
        let (mchid, serial_no) = (self.text("mch_id"), self.text("serial"));
        format!(
            "{SCHEME} mchid=\"{mchid}\",nonce_str=\"{nonce_str}\",timestamp=\"{timestamp}\",serial_no=\"{serial_no}\",signature=\"{signature}\""
        )
    }

    /// The PEM that this serial names.
    fn key(&self, serial: &str) -> Option<&str> {
        let platform = crate::wechatpay_v3::about(self.text("platform_certificate"));
        match serial {
            serial if serial == self.text("public_key_id") => Some(self.text("public_key")),
            serial if platform["serial"] == serial => Some(self.text("platform_certificate")),
            _ => None,
        }
    }
}

/// An answer, and its signature.
#[derive(Debug)]
pub(super) struct Signed(pub(super) Answer);

impl Signed {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.0.body).unwrap_or_else(|_| panic!("no JSON: {:?}", self.0))
    }

    pub(super) fn code(&self) -> (u16, String) {
        (self.0.status, self.json()["code"].as_str().unwrap_or_default().to_owned())
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let name = format!("{}: ", name.to_ascii_lowercase());
        self.0.head.lines().find_map(|line| {
            let (head, value) = line.split_at_checked(name.len())?;
            head.eq_ignore_ascii_case(&name).then_some(value)
        })
    }

    /// Whether it is signed with a key that this merchant knows, now.
    pub(super) fn is_signed_for(&self, account: &Account) -> bool {
        is_signed(account, |name| self.header(name), self.0.body.as_bytes())
    }
}

/// Whether these headers sign this body so that a merchant believes it.
pub(super) fn is_signed<'h>(account: &Account, header: impl Fn(&str) -> Option<&'h str>, body: &[u8]) -> bool {
    let names = ["Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Signature", "Wechatpay-Serial"];
    let [Some(timestamp), Some(nonce), Some(signature), Some(serial)] = names.map(&header) else { return false };
    let is_near = timestamp.parse().is_ok_and(|at: i64| (at - now()).abs() < 300);
    let message = [format!("{timestamp}\n{nonce}\n").as_bytes(), body, b"\n"].concat();
    is_near
        && header("Wechatpay-Signature-Type") == Some(SCHEME)
        && account.key(serial).is_some_and(|key| verify(&message, signature, key))
}

#[expect(clippy::disallowed_methods, reason = "the merchant's clock is not the sandbox's")]
pub(super) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

pub(super) fn nonce() -> String {
    static ASKED: AtomicU64 = AtomicU64::new(0);
    format!("NONCE{:026}", ASKED.fetch_add(1, Ordering::Relaxed))
}
