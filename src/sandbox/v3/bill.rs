//! Bills in two steps: `GET /v3/bill/tradebill`, then the file below `/v3/billdownload/file`
//! (`docs/reference/wechatpay-v3.md` section 8).

use super::parameters::Parameters;
use super::refusal::Refusal;
use crate::domain::order::MerchantId;
use crate::sandbox::bill::{self, Bill, BillKind, NoBill, Wanted};
use crate::sandbox::book::Book;
use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};
use std::collections::VecDeque;

/// The bills that were made and have not been forgotten, oldest first.
#[derive(Debug, Default)]
pub(super) struct Links(VecDeque<Link>);

/// A bill that can be downloaded for a while.
#[derive(Debug)]
struct Link {
    token: String,
    mch_id: MerchantId,
    bill: Bill,
    made: Timestamp,
}

/// How many are remembered.
const MOST_LINKS: usize = 1000;

/// What a link is answered with, but for the hash, which takes a while.
#[derive(Debug)]
pub(super) struct Made {
    bill: Bill,
    url: String,
    wrong_hash: bool,
}

/// Makes a bill and a link to it. `origin` is where the question came to.
pub(super) fn make(
    book: &mut Book,
    links: &mut Links,
    mch_id: MerchantId,
    parameters: &Parameters,
    (number, origin, now): (u64, &str, Timestamp),
) -> Result<Made, Refusal> {
    let wanted = wanted(book, mch_id, parameters)?;
    let bill = bill::compose(book, &wanted).map_err(|no| match no {
        NoBill::Empty => Refusal::NO_STATEMENT,
        NoBill::Creating => Refusal::STATEMENT_CREATING,
        NoBill::Compress => Refusal::SYSTEM_ERROR,
    })?;
    let token = book.seed.bill_token(number);
    let tar = if wanted.compressed { "&tartype=gzip" } else { "" };
    let url = format!("{origin}/v3/billdownload/file?token={token}{tar}");
    if links.0.len() == MOST_LINKS {
        links.0.pop_front();
    }
    links.0.push_back(Link { token, mch_id, bill: bill.clone(), made: now });
    Ok(Made { bill, url, wrong_hash: book.bills.wrong_hash })
}

/// The bill that a link leads to.
pub(super) fn file(
    book: &Book,
    links: &Links,
    mch_id: MerchantId,
    parameters: &Parameters,
    now: Timestamp,
) -> Result<Bill, Refusal> {
    let token = parameters.get("token").ok_or_else(|| Refusal::parameter("token", "query", None))?;
    let link = links.0.iter().find(|link| link.token == token && link.mch_id == mch_id);
    let is_good = |link: &&Link| now.as_second() - link.made.as_second() < i64::from(book.bills.link_seconds);
    link.filter(is_good).map(|link| link.bill.clone()).ok_or(Refusal::LINK_EXPIRED)
}

impl Made {
    /// The body of the answer. Writes the whole bill once, which takes seconds if it is large.
    pub(super) fn body(self) -> Value {
        let mut hash = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
        self.bill.write(|text| hash.update(text.as_bytes()));
        let hash = hex::encode(hash.finish());
        let hash = if self.wrong_hash { hash.chars().rev().collect() } else { hash };
        json!({ "download_url": self.url, "hash_type": "SHA1", "hash_value": hash })
    }
}

fn wanted(book: &Book, mch_id: MerchantId, parameters: &Parameters) -> Result<Wanted, Refusal> {
    let get = |name| parameters.get(name);
    let bad = |name, value| Refusal::parameter(name, "query", value);
    let date = get("bill_date");
    let tar_type = get("tar_type");
    if tar_type.is_some_and(|tar_type| tar_type != "GZIP") {
        return Err(bad("tar_type", tar_type));
    }
    let sub_mch_id = get("sub_mchid").map(MerchantId::parse).transpose();
    Ok(Wanted {
        mch_id,
        service_provider: book.merchants.iter().any(|its| its.mch_id == mch_id && its.service_provider),
        sub_mch_id: sub_mch_id.map_err(|_| bad("sub_mchid", get("sub_mchid")))?,
        date: date.and_then(day).ok_or_else(|| bad("bill_date", date))?,
        kind: BillKind::parse(get("bill_type")).ok_or_else(|| bad("bill_type", get("bill_type")))?,
        compressed: tar_type.is_some(),
    })
}

/// Reads `yyyy-MM-dd`.
fn day(text: &str) -> Option<Date> {
    Date::strptime("%Y-%m-%d", text).ok().filter(|_| text.len() == 10)
}
