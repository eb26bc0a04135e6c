//! Platform certificates: downloaded at the start, twice a day and when one is needed, never more than once in five
//! seconds for a merchant. All who need one at the same time wait for the same download.

use super::exchange::{Failure, Logged};
use super::host::Host;
use super::signed;
use crate::domain::clock;
use crate::domain::order::MerchantId;
use crate::observe::metrics::{Download, QueryMeters};
use crate::provider::wechat::Credentials;
use crate::provider::wechat::v3::answer::{Fault, Received, Refusal};
use crate::provider::wechat::v3::platform::{self, BadList, Downloaded};
use crate::provider::wechat::v3::serial::CERTIFICATE_DIGITS;
use crate::provider::wechat::v3::{Keys, PlatformCertificate, PublicKey, request};
use parking_lot::Mutex;
use reqwest::Client;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tracing::{debug, info, warn};

/// A merchant's certificates are not downloaded twice in this time.
const PACE: Duration = Duration::from_secs(5);

/// Who found a key lacking while a download ended may look again: it tells for so long after it.
const GRACE: Duration = Duration::from_millis(100);

/// How long a download is good for. WeChat Pay lists new certificates ten days before it needs them.
const FRESH: Duration = Duration::from_secs(12 * 3600);

/// How long one host may take.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The certificates of all merchants, and their downloads.
pub(in crate::provider::wechat) struct Certificates {
    http: Client,
    hosts: Vec<Arc<Host>>,
    meters: QueryMeters,
    known: Downloaded,
    pace: Duration,
    grace: Duration,
    /// The latest download of each merchant.
    latest: Mutex<HashMap<MerchantId, Latest>>,
}

struct Latest {
    began: Instant,
    /// `None` while it is under way.
    outcome: watch::Receiver<Option<Outcome>>,
    /// When one that told something ended.
    told: Option<Instant>,
    /// When the next one is due, after one that told something.
    due: Option<Instant>,
}

/// It was heard what there is, which may be nothing.
type Outcome = Result<(), Unavailable>;

/// The certificates cannot be had at the moment; the log says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::provider::wechat) struct Unavailable;

/// What is to be done by one who needs certificates.
enum Turn {
    /// A download is under way.
    Wait(watch::Receiver<Option<Outcome>>),
    /// There was one, which tells.
    Told(Outcome),
    /// The next one may begin then; this came of the last one.
    Rest(Instant, Outcome),
}

/// Why a download came to nothing.
enum Trouble {
    Failed(Failure),
    Refused(Refusal),
    NotBelieved(Fault),
    Unusable(BadList),
}

impl Certificates {
    pub(super) fn new(http: Client, hosts: Vec<Arc<Host>>, meters: QueryMeters) -> Self {
        Self { http, hosts, meters, known: Downloaded::default(), pace: PACE, grace: GRACE, latest: Mutex::default() }
    }

    /// What was downloaded so far.
    pub(in crate::provider::wechat) const fn known(&self) -> &Downloaded {
        &self.known
    }

    /// The key that a serial names: configured, or downloaded and not expired.
    pub(in crate::provider::wechat) fn key(
        &self,
        account: &Credentials,
        keys: &Keys,
        serial: &str,
    ) -> Option<PublicKey> {
        if let Some(key) = keys.configured(serial) {
            return Some(key.clone());
        }
        if !keys.downloads() {
            return None;
        }
        self.known.find(&account.mch_id, serial, clock::now())
    }

    /// Waits until it is known what there is, by the download that is under way, or by the next one that is allowed.
    /// One that began after `since` tells already.
    ///
    /// # Errors
    /// If it failed; also at once if the last one did and none can begin before the deadline.
    pub(in crate::provider::wechat) async fn fetch(
        self: &Arc<Self>,
        account: &Credentials,
        since: Instant,
        deadline: Instant,
    ) -> Outcome {
        loop {
            match self.turn(account, since) {
                Turn::Told(outcome) => return outcome,
                Turn::Wait(mut outcome) => {
                    let told = timeout_at(deadline, outcome.wait_for(Option::is_some)).await;
                    return told.ok().and_then(Result::ok).and_then(|told| *told).unwrap_or(Err(Unavailable));
                }
                Turn::Rest(until, last) if until >= deadline => return last,
                Turn::Rest(until, _) => sleep_until(until).await,
            }
        }
    }

    /// Downloads what is due, where nothing else verifies.
    pub(in crate::provider::wechat) async fn tend(self: &Arc<Self>, account: &Credentials, keys: &Keys) {
        if !keys.downloads() || keys.public_key.is_some() {
            return;
        }
        let now = Instant::now();
        let is_due = |latest: &Latest| latest.due.is_none_or(|due| due <= now);
        if self.latest.lock().get(&account.mch_id).is_none_or(is_due) {
            // It is told in the log, and tried again the next time.
            let _ = self.fetch(account, now, now + self.pace + TIMEOUT * 2).await;
        }
    }

    /// Whose turn it is; a download is begun if there is none to wait for.
    fn turn(self: &Arc<Self>, account: &Credentials, since: Instant) -> Turn {
        let (now, mut latest) = (Instant::now(), self.latest.lock());
        if let Some(last) = latest.get(&account.mch_id) {
            let outcome = *last.outcome.borrow();
            // One that was broken off has no outcome.
            let outcome = outcome.or_else(|| last.outcome.has_changed().err().map(|_| Err(Unavailable)));
            match outcome {
                None => return Turn::Wait(last.outcome.clone()),
                Some(outcome) if last.began >= since || self.has_just_told(last, now) => return Turn::Told(outcome),
                Some(outcome) if now < last.began + self.pace => return Turn::Rest(last.began + self.pace, outcome),
                Some(_) => {}
            }
        }
        let due = latest.get(&account.mch_id).and_then(|last| last.due);
        let (tell, outcome) = watch::channel(None);
        latest.insert(account.mch_id, Latest { began: now, outcome: outcome.clone(), told: None, due });
        let (this, account) = (Arc::clone(self), account.clone());
        tokio::spawn(async move {
            let outcome = this.download(&account).await;
            if let (Ok(()), Some(latest)) = (outcome, this.latest.lock().get_mut(&account.mch_id)) {
                let now = Instant::now();
                (latest.told, latest.due) = (Some(now), Some(now + FRESH));
            }
            // Nobody waits any more, or it is told.
            let _ = tell.send(Some(outcome));
        });
        Turn::Wait(outcome)
    }

    fn has_just_told(&self, last: &Latest, now: Instant) -> bool {
        last.told.is_some_and(|told| now < told + self.grace)
    }

    async fn download(&self, account: &Credentials) -> Outcome {
        let Some(keys) = account.v3() else { return Err(Unavailable) };
        let mch_id = account.mch_id;
        let mut outcome = Err(Unavailable);
        for host in &self.hosts {
            let (host_name, listed) = (&host.origin, self.listed(host, account, keys).await);
            match listed {
                Ok(listed) if listed.is_empty() => {
                    info!(host = %host_name, %mch_id, "WeChat Pay has no platform certificates for the merchant");
                    outcome = Ok(Download::None);
                }
                Ok(listed) => outcome = Ok(self.keep(mch_id, listed)),
                Err(trouble) => {
                    tell(host_name, mch_id, &trouble);
                    if matches!(trouble, Trouble::Failed(_) | Trouble::NotBelieved(_)) || trouble.is_theirs() {
                        continue;
                    }
                }
            }
            break;
        }
        self.meters.signing().downloaded(outcome.unwrap_or(Download::Failed));
        outcome.map(drop)
    }

    fn keep(&self, mch_id: MerchantId, listed: Vec<PlatformCertificate>) -> Download {
        let now = clock::now();
        let is_known = |one: &PlatformCertificate| self.known.find(&mch_id, one.serial.as_str(), now).is_some();
        let is_new = !listed.iter().all(is_known);
        let serials: Vec<_> = listed.iter().map(|one| one.serial.to_string()).collect();
        info!(%mch_id, serials = serials.join(" "), is_new, "platform certificates");
        self.known.keep(mch_id, listed, now);
        if is_new { Download::New } else { Download::Unchanged }
    }

    /// Asks a host for the list; once more if the signature does not fit, which may be a probe.
    async fn listed(
        &self,
        host: &Host,
        account: &Credentials,
        keys: &Keys,
    ) -> Result<Vec<PlatformCertificate>, Trouble> {
        match self.listed_once(host, account, keys).await {
            Err(Trouble::NotBelieved(fault)) if fault.is_transient() => self.listed_once(host, account, keys).await,
            listed => listed,
        }
    }

    async fn listed_once(
        &self,
        host: &Host,
        account: &Credentials,
        keys: &Keys,
    ) -> Result<Vec<PlatformCertificate>, Trouble> {
        let asked = signed::ask(&self.http, account, keys, host.url(request::CERTIFICATES));
        let timed_out = |_| Trouble::Failed(crate::provider::wechat::QueryError::Timeout.into());
        let received = timeout(TIMEOUT, asked).await.map_err(timed_out)?.map_err(Trouble::Failed)?;
        if let Some(offset) = received.clock_offset() {
            self.meters.signing().clock_offset(signed::seconds(offset));
        }
        match received.status.as_u16() {
            200 => self.believed(account, keys, &received),
            // A merchant with a public key only.
            403 | 404 => Ok(Vec::new()),
            _ => Err(Trouble::Refused(received.refusal())),
        }
    }

    /// The list, whose own signature is of one of the certificates in it, or of a key that is known.
    fn believed(
        &self,
        account: &Credentials,
        keys: &Keys,
        received: &Received,
    ) -> Result<Vec<PlatformCertificate>, Trouble> {
        let listed = platform::read(&received.body, &keys.api_v3).map_err(Trouble::Unusable)?;
        if listed.is_empty() {
            // That there is none makes nothing believed.
            return Ok(listed);
        }
        let signature = received.signature().and_then(|signature| signature.ok_or(Fault::Unsigned));
        let signature = signature.map_err(Trouble::NotBelieved)?;
        let listed_key = || platform::find(&listed, signature.serial, clock::now());
        let key = self.key(account, keys, signature.serial).or_else(listed_key);
        let key = key.ok_or(Trouble::NotBelieved(Fault::SerialUnknown))?;
        received.verify(&signature, &key).map_err(Trouble::NotBelieved)?;
        Ok(listed)
    }
}

/// Whether a serial could be that of a platform certificate, and platform certificates are downloaded.
pub(in crate::provider::wechat) fn may_have(keys: &Keys, serial: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'A'..=b'F');
    keys.downloads() && serial.len() == CERTIFICATE_DIGITS && serial.bytes().all(is_digit)
}

impl Trouble {
    /// Whether another host may do better.
    fn is_theirs(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.is_system_error())
    }
}

fn tell(host: &str, mch_id: MerchantId, trouble: &Trouble) {
    const WHAT: &str = "platform certificates could not be downloaded";
    match trouble {
        Trouble::Failed(Failure { error, cause, .. }) => {
            warn!(%host, %mch_id, %error, cause = %Logged(cause.as_deref()), "{WHAT}");
        }
        Trouble::Refused(refusal) => {
            let (status, code) = (refusal.status, Logged(refusal.code.as_deref()));
            let (message, clock_offset_s) = (Logged(refusal.message.as_deref()), refusal.clock_offset);
            warn!(%host, %mch_id, status, %code, %message, clock_offset_s, "{WHAT}");
        }
        Trouble::NotBelieved(Fault::Probe) => debug!(%host, %mch_id, "a probe instead of platform certificates"),
        Trouble::NotBelieved(fault) => warn!(%host, %mch_id, signature = fault.as_str(), "{WHAT}"),
        Trouble::Unusable(error) => warn!(%host, %mch_id, %error, "{WHAT}"),
    }
}

#[cfg(test)]
mod tests;
