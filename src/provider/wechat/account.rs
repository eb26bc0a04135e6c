//! An account at WeChat Pay, as the gate knows one.

use super::client::may_have;
use super::made;
use super::service::Service;
use super::v2::{self, notification};
use super::v3::{self, headers::SignatureHeaders};
use super::{Answer, Credentials, WeChatPay, judge};
use crate::domain::clock;
use crate::domain::order::ChannelId;
use crate::domain::reason::Reason;
use crate::observe::metrics::On;
use crate::provider::bill::{Bill, BillError, BillType};
use crate::provider::{
    self, Asked, BoxFuture, CannotNotify, Envelope, Evidence, Fingerprint, KeyInfo, KeyOf, Notification, Opened,
    OrderState, Payee, Payment, Preset, Provider, Query, SignedBy, ToNotify, Unopened,
};
use jiff::civil::Date;
use std::sync::Arc;
use tokio::time::Instant;

/// One merchant account, and the service that asks WeChat Pay for it.
#[derive(Debug, Clone)]
pub struct Account {
    /// The channel that it is one of, for what is counted.
    pub channel: ChannelId,
    /// Its ids and keys.
    pub credentials: Credentials,
    /// How WeChat Pay is asked.
    pub service: Arc<Service>,
}

impl Account {
    /// The key of WeChat Pay's that this serial names, exactly: one of the configuration, or one that was downloaded
    /// and has not expired.
    #[must_use]
    pub fn verifying_key(&self, serial: &str) -> Option<v3::PublicKey> {
        let keys = self.credentials.v3()?;
        match self.service.client() {
            Some(client) => client.certificates().key(&self.credentials, keys, serial),
            None => keys.configured(serial).cloned(),
        }
    }

    /// The serial that a notification of API v3 names, if there is exactly one.
    fn serial<'m>(&self, envelope: &Envelope<'m>) -> Option<&'m str> {
        if *envelope.preset != v3::preset::PRESET {
            return None;
        }
        SignatureHeaders::read(envelope.headers).ok().map(|headers| headers.serial)
    }

    async fn ask(&self, query: Query<'_>) -> Asked {
        let Some(client) = self.service.client() else {
            // Nothing was sent, so nothing is known.
            return Asked {
                state: OrderState::NotPaid(Reason::QueryFailed),
                evidence: Evidence::default(),
                host: None,
                refused_for: None,
            };
        };
        let (answer, host) = match client.order_query_within(&self.credentials, &query).await {
            Ok(asked) => (Ok(asked.answer), Some(asked.host)),
            Err(error) => (Err(error), None),
        };
        if let Some(serial) = answer.as_ref().ok().and_then(Answer::signed_by) {
            let kind = v3::KeyKind::of(serial).as_str();
            client.meters().signing().signed(self.channel, On::Answer, kind, serial, clock::now());
        }
        let state = judge(&self.credentials, &query.ask, &answer);
        let refused_for = answer.as_ref().ok().and_then(Answer::refused_for);
        Asked { state, refused_for, evidence: answer.map(Answer::evidence).unwrap_or_default(), host }
    }
}

impl provider::Account for Account {
    fn payee(&self) -> Payee {
        let Credentials { appid, mch_id, sub_mch_id, .. } = self.credentials;
        Payee { merchant: mch_id, sub_merchant: sub_mch_id, application: appid }
    }

    fn fingerprint(&self) -> Fingerprint {
        self.credentials.fingerprint(self.service.settings().hosts.iter().map(String::as_str))
    }

    fn provider(&self) -> &dyn Provider {
        &*self.service
    }

    fn open(&self, envelope: &Envelope<'_>) -> Result<Opened, Unopened> {
        if *envelope.preset == v3::preset::PRESET {
            let Envelope { headers, body, at, .. } = *envelope;
            return v3::notification::open(&self.credentials, |serial| self.verifying_key(serial), headers, body, at);
        }
        if envelope.sealed {
            notification::open_refund(&self.credentials, envelope.fields)
        } else {
            notification::open_payment(&self.credentials, envelope.fields)
        }
    }

    fn reopen(&self, envelope: &Envelope<'_>) -> Result<Opened, Unopened> {
        if *envelope.preset == v3::preset::PRESET {
            return v3::notification::unseal(&self.credentials, envelope.body);
        }
        self.open(envelope)
    }

    fn is_addressed_by(&self, envelope: &Envelope<'_>) -> bool {
        if let Some(serial) = self.serial(envelope) {
            return self.verifying_key(serial).is_some();
        }
        envelope.fields.is_some_and(|fields| v2::refund::is_addressed_to(&self.credentials, fields))
    }

    fn lacks_key(&self, envelope: &Envelope<'_>) -> bool {
        let may_have = |serial| self.credentials.v3().is_some_and(|keys| may_have(keys, serial));
        self.serial(envelope).is_some_and(|serial| may_have(serial) && self.verifying_key(serial).is_none())
    }

    fn fetch_keys(&self, deadline: Instant) -> BoxFuture<'_, Result<(), Reason>> {
        Box::pin(async move {
            let client = self.service.client().ok_or(Reason::CertificatesUnavailable)?;
            let fetched = client.certificates().fetch(&self.credentials, Instant::now(), deadline).await;
            fetched.map_err(|_| Reason::CertificatesUnavailable)
        })
    }

    fn tend(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            if let (Some(client), Some(keys)) = (self.service.client(), self.credentials.v3()) {
                client.certificates().tend(&self.credentials, keys).await;
            }
        })
    }

    fn query<'a>(&'a self, query: Query<'a>) -> BoxFuture<'a, Asked> {
        Box::pin(self.ask(query))
    }

    fn keys(&self) -> Vec<KeyInfo> {
        let Some(keys) = self.credentials.v3() else { return Vec::new() };
        let named = |of, serial: &v3::Serial, ends_at| KeyInfo { of, serial: serial.as_str().into(), ends_at };
        let signer = keys.signer.iter().map(|signer| named(KeyOf::Merchant, &signer.serial, signer.ends_at));
        let public = keys.public_key.iter().map(|(id, _)| named(KeyOf::PublicKey, id, None));
        let platform = match &keys.platform {
            v3::PlatformCertificates::Files(files) => files.clone(),
            v3::PlatformCertificates::Auto => {
                let downloaded = |client: &WeChatPay| client.certificates().known().of(&self.credentials.mch_id);
                self.service.client().map_or_else(Vec::new, downloaded)
            }
            v3::PlatformCertificates::None => Vec::new(),
        };
        let platform = platform.iter().map(|file| named(KeyOf::Platform, &file.serial, Some(file.not_after)));
        signer.chain(public).chain(platform).collect()
    }

    fn reads(&self, preset: &Preset) -> bool {
        if *preset == v3::preset::PRESET {
            return self.credentials.v3().is_some_and(v3::Keys::reads_notifications);
        }
        *preset == v2::preset::PRESET && self.credentials.v2().is_some()
    }

    fn signed_by(&self, envelope: &Envelope<'_>) -> Option<SignedBy> {
        if *envelope.preset != v3::preset::PRESET {
            return None;
        }
        let serial = envelope.headers.get(v3::headers::SERIAL)?.to_str().ok()?;
        let named = v3::Serial::of_public_key(serial).or_else(|_| v3::Serial::of_certificate(serial)).ok()?;
        Some(SignedBy { kind: named.kind().as_str(), key: serial.into() })
    }

    fn notify(&self, wanted: &ToNotify<'_>) -> Result<Notification, CannotNotify> {
        made::notify(&self.credentials, wanted)
    }

    fn bill(&self, day: Date, rows: BillType) -> BoxFuture<'_, Result<Box<dyn Bill>, BillError>> {
        Box::pin(async move {
            let client = self.service.client().ok_or(super::bill::BillError::Transport)?;
            let bill = client.download_bill(&self.credentials, day, rows).await?;
            Ok(Box::new(bill) as Box<dyn Bill>)
        })
    }

    fn sample_evidence(&self, payment: &Payment) -> Evidence {
        made::sample_evidence(&self.credentials, payment)
    }
}
