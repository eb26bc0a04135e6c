//! WeChat Pay as one configuration asks it.

use super::client::{BuildError, Settings, WeChatPay};
use crate::domain::order::MerchantId;
use crate::observe::metrics::QueryMeters;
use crate::provider::{HostState, Provider};
use std::sync::{Arc, OnceLock};

/// How WeChat Pay is asked, and the client that asks, once there is one. A configuration makes accounts before it is
/// known whether it comes into force, and then which client, with whose budgets and breakers, is theirs; commands that
/// ask no provider connect none.
#[derive(Debug)]
pub struct Service {
    settings: Settings,
    client: OnceLock<Arc<WeChatPay>>,
}

impl Service {
    /// One that asks so, and is not connected yet.
    #[must_use]
    pub fn new(settings: Settings) -> Arc<Self> {
        Arc::new(Self { settings, client: OnceLock::new() })
    }

    /// The settings that it asks by.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Gives its accounts a client: that of the service `before`, which knows what is left of each budget and which
    /// hosts are out of reach, if it asks in the same way; a new one otherwise, whose queries are counted in these
    /// meters. Opens no connection yet, and does nothing the second time.
    ///
    /// # Errors
    /// If there can be no client.
    pub fn connect(&self, before: Option<&Self>, meters: &QueryMeters) -> Result<(), BuildError> {
        if self.client.get().is_some() {
            return Ok(());
        }
        let before = before.filter(|before| before.settings == self.settings).and_then(|before| before.client.get());
        let client = match before {
            Some(client) => Arc::clone(client),
            None => Arc::new(WeChatPay::new(&self.settings)?.measured(meters.clone())),
        };
        self.client.get_or_init(|| client);
        Ok(())
    }

    /// The client; `None` before it is connected.
    #[must_use]
    pub fn client(&self) -> Option<&WeChatPay> {
        self.client.get().map(Arc::as_ref)
    }
}

impl Provider for Service {
    fn name(&self) -> &'static str {
        "wechat"
    }

    fn queries_per_second(&self) -> u32 {
        self.settings.queries_per_second
    }

    fn queries_left(&self, merchant: &MerchantId) -> (u32, u32) {
        self.client().map(|client| client.queries_left(merchant)).unwrap_or_default()
    }

    fn queries_wanted(&self) -> Vec<(MerchantId, u64)> {
        self.client().map(WeChatPay::queries_wanted).unwrap_or_default()
    }

    fn set_share(&self, merchant: &MerchantId, share: f64) {
        if let Some(client) = self.client() {
            client.set_share(merchant, share);
        }
    }

    fn hosts(&self) -> Vec<(Arc<str>, HostState)> {
        self.client().into_iter().flat_map(WeChatPay::hosts).map(|(host, state)| (Arc::clone(host), state)).collect()
    }
}
