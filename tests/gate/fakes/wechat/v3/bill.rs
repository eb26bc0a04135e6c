//! Bills in two steps (`docs/reference/wechatpay-v3.md` section 8).

use super::super::bill::Bills;
use super::account::{Account, Key};
use super::wrong::Answer;
use crate::wechatpay_v3::sha1;
use crate::wire::Message;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use std::collections::HashMap;
use std::io::Write;
use std::net::SocketAddr;

/// How one request for a bill goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoBill {
    /// An error with this status and code, signed.
    Coded(u16, &'static str),
    /// `hash_value` is another.
    OtherHash,
    /// `hash_value` is that of the received bytes, which are compressed.
    HashOfReceived,
    /// Another kind of hash.
    OtherHashType,
    /// The file is elsewhere.
    At(SocketAddr),
    /// The first answer is unsigned.
    Unsigned,
    /// Signed by somebody else.
    BadlySigned,
    /// The link is too old.
    Expired,
    /// The link leads to another place.
    Redirected(SocketAddr),
    /// The file ends in its middle.
    Cut,
    /// Not compressed, though it was wanted so.
    Uncompressed,
}

/// What was asked for.
#[derive(Default)]
pub(super) struct Links {
    /// What goes wrong next.
    pub faults: std::collections::VecDeque<NoBill>,
    /// Targets of the first step and of the second.
    pub asked: Vec<String>,
    links: HashMap<String, Link>,
}

#[derive(Clone)]
struct Link {
    mch_id: &'static str,
    file: Vec<u8>,
    fault: Option<NoBill>,
}

impl Links {
    /// The first step.
    pub fn trade_bill(
        &mut self,
        account: &Account,
        args: &HashMap<String, String>,
        request: &Message,
        (bills, key): (&Bills, Key),
    ) -> Answer {
        let fault = self.faults.pop_front();
        let arg = |name: &str| args.get(name).map(String::as_str).unwrap_or_default();
        if let Some(NoBill::Coded(status, code)) = fault {
            return Answer::error(status, code).signed(key);
        }
        let day = arg("bill_date");
        let well_formed = day.len() == 10 && day.split('-').map(str::len).collect::<Vec<_>>() == [4, 2, 2];
        let known = ["bill_date", "bill_type", "tar_type", "sub_mchid"];
        if !well_formed || args.keys().any(|name| !known.contains(&name.as_str())) {
            return Answer::error(400, "PARAM_ERROR").signed(key);
        }
        let Some(bill) = bills.get(&account.merchant, &day.replace('-', "")) else {
            return Answer::error(400, "NO_STATEMENT_EXIST").signed(key);
        };
        let packed = arg("tar_type") == "GZIP" && fault != Some(NoBill::Uncompressed);
        let file = if packed { gzip(&bill) } else { bill.clone() };
        let hash = match fault {
            Some(NoBill::OtherHash) => "0".repeat(40),
            Some(NoBill::HashOfReceived) => sha1(&file),
            _ => sha1(&bill),
        };
        let hash_type = if fault == Some(NoBill::OtherHashType) { "MD5" } else { "SHA1" };
        let origin = match fault {
            Some(NoBill::At(addr)) => addr.to_string(),
            _ => request.header("Host").unwrap_or_default(),
        };
        let token: String = (0..24).map(|_| fastrand::alphanumeric()).collect();
        let more = if packed { "&tartype=gzip" } else { "" };
        let download_url = format!("http://{origin}/v3/billdownload/file?token={token}{more}");
        self.links.insert(token, Link { mch_id: account.merchant.mch_id, file, fault });
        let answer =
            Answer::json(200, &json!({ "hash_type": hash_type, "hash_value": hash, "download_url": download_url }));
        match fault {
            Some(NoBill::Unsigned) => answer,
            Some(NoBill::BadlySigned) => answer.signed(Key { serial: key.serial, name: "stranger" }),
            _ => answer.signed(key),
        }
    }

    /// The second step, which nobody signs.
    pub fn file(&self, account: &Account, args: &HashMap<String, String>) -> Answer {
        let link = args.get("token").and_then(|token| self.links.get(token));
        let link = link.filter(|link| link.mch_id == account.merchant.mch_id);
        let Some(Link { file, fault, .. }) = link.filter(|link| link.fault != Some(NoBill::Expired)) else {
            return Answer::error(400, "INVALID_REQUEST");
        };
        if let Some(NoBill::Redirected(addr)) = fault {
            let location = ("Location".to_owned(), format!("http://{addr}/v3/billdownload/file?token=x"));
            return Answer { status: 302, headers: vec![location], ..Answer::default() };
        }
        Answer { status: 200, body: file.clone(), cut: *fault == Some(NoBill::Cut), ..Answer::default() }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}
