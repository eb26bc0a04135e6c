//! An account at WeChat Pay, as the gate knows one.

use super::made;
use super::service::Service;
use super::v2::{self, notification, order_state};
use super::v3;
use super::{Credentials, QueryError};
use crate::domain::clock;
use crate::domain::reason::Reason;
use crate::provider::bill::{Bill, BillError, BillType};
use crate::provider::{
    self, Asked, BoxFuture, CannotNotify, Envelope, Evidence, Fingerprint, KeyInfo, KeyOf, Notification, Opened,
    OrderState, Payee, Payment, Preset, Provider, Query, ToNotify, Unopened,
};
use jiff::civil::Date;
use std::sync::Arc;

/// One merchant account, and the service that asks WeChat Pay for it.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its ids and keys.
    pub credentials: Credentials,
    /// How WeChat Pay is asked.
    pub service: Arc<Service>,
}

impl Account {
    /// The key of WeChat Pay's that this serial names, exactly: one of the configuration, or one that was downloaded and has
    /// not expired.
    #[must_use]
    pub fn verifying_key(&self, serial: &str) -> Option<v3::PublicKey> {
        let keys = self.credentials.v3()?;
        if let Some(key) = keys.configured(serial) {
            return Some(key.clone());
        }
        let client = self.service.client().filter(|_| keys.downloads())?;
        client.downloaded().find(&self.credentials.mch_id, serial, clock::now())
    }

    async fn ask(&self, query: Query<'_>) -> Asked {
        let Some(client) = self.service.client() else {
            // Nothing was sent, so nothing is known.
            return Asked {
                state: OrderState::NotPaid(Reason::QueryFailed),
                evidence: Evidence::default(),
                host: None,
            };
        };
        let Query { ask, part, deadline, within } = query;
        let asked = client.order_query_within(&self.credentials, &ask, part, deadline, within).await;
        let (answer, host): (Result<_, QueryError>, _) = match asked {
            Ok(asked) => (Ok(asked.answer), Some(asked.host)),
            Err(error) => (Err(error), None),
        };
        let state = order_state::judge(&self.credentials, &ask, &answer);
        Asked { state, evidence: Evidence(answer.map(|answer| answer.document).unwrap_or_default()), host }
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
        envelope.fields.is_some_and(|fields| v2::refund::is_addressed_to(&self.credentials, fields))
    }

    fn query<'a>(&'a self, query: Query<'a>) -> BoxFuture<'a, Asked> {
        Box::pin(self.ask(query))
    }

    fn keys(&self) -> Vec<KeyInfo> {
        let Some(keys) = self.credentials.v3() else { return Vec::new() };
        let named = |of, serial: &v3::Serial, ends_at| KeyInfo { of, serial: serial.as_str().into(), ends_at };
        let signer = keys.signer.iter().map(|signer| named(KeyOf::Merchant, &signer.serial, None));
        let public = keys.public_key.iter().map(|(id, _)| named(KeyOf::PublicKey, id, None));
        let platform = match &keys.platform {
            v3::PlatformCertificates::Files(files) => files.clone(),
            v3::PlatformCertificates::Auto => {
                self.service.client().map_or_else(Vec::new, |client| client.downloaded().of(&self.credentials.mch_id))
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
