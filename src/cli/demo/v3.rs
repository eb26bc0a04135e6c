//! What the demo adds to the shipped `config.yaml` for API v3: a channel, a route that signs anew, and their keys.

use crate::domain::secret::Secret;
use crate::provider::wechat::v3::aead::ApiV3Key;
use crate::provider::wechat::v3::issue;
use crate::provider::wechat::v3::rsa::PrivateKey;
use crate::provider::wechat::v3::serial::Serial;
use crate::sandbox::shop::ShopKeys;
use crate::sandbox::{Papers, Sandbox};
use anyhow::Context;

/// The merchant of channel `mini`.
pub(super) const MINI: &str = "1900000112";

/// Under which id the gate signs.
pub(super) const RESIGN_ID: &str = "PUB_KEY_ID_0199990000000000000000000000000001";

/// The variables that keys are in.
const VARIABLES: [&str; 4] =
    ["WECHAT_MINI_V3_KEY", "WECHAT_MINI_PRIVATE_KEY", "WECHAT_MINI_PUBLIC_KEY", "TOLLGATE_RESIGN_KEY"];

/// The keys of the merchant, and the gate's own.
#[derive(Debug)]
pub(super) struct V3 {
    papers: Papers,
    resign: PrivateKey,
    resign_key: String,
}

impl V3 {
    /// Takes the merchant's from the sandbox, and makes the gate's.
    pub(super) fn of(sandbox: &Sandbox) -> anyhow::Result<Self> {
        let papers = sandbox.papers(MINI).context("the demo merchants have no keys of API v3")?;
        let resign = PrivateKey::generate().context("no key can be made")?;
        Ok(Self { papers, resign_key: issue::private_key(&resign)?, resign })
    }

    /// What the order system is told: how to open notifications, and that the gate signs them.
    pub(super) fn shop_keys(&self) -> anyhow::Result<ShopKeys> {
        Ok(ShopKeys {
            api_v3_key: ApiV3Key::parse(Secret::new(self.papers.api_v3_key.clone()))?,
            signed_by: vec![(Serial::of_public_key(RESIGN_ID)?, self.resign.public()?)],
        })
    }

    /// The shipped file with the route and the channel at the beginning of their lists.
    pub(super) fn add_to(&self, text: &str) -> String {
        let Papers { serial, public_key_id, .. } = &self.papers;
        let route = format!(
            "routes:
  - name: wechat-v3-notify
    path: /wxpay/v3/{{channel}}
    preset: wechat-v3
    resign: {{ private_key: \"${{TOLLGATE_RESIGN_KEY}}\", serial: {RESIGN_ID} }}
"
        );
        let channel = format!(
            "channels:
  mini:
    provider: wechat-v3
    appid: wx5e8a1f0c2b7d4936
    mch_id: \"{MINI}\"
    private_key: \"${{WECHAT_MINI_PRIVATE_KEY}}\"
    serial: {serial}
    api_v3_key: \"${{WECHAT_MINI_V3_KEY}}\"
    public_key_id: {public_key_id}
    public_key: \"${{WECHAT_MINI_PUBLIC_KEY}}\"
"
        );
        text.replacen("\nroutes:\n", &format!("\n{route}"), 1).replacen("\nchannels:\n", &format!("\n{channel}"), 1)
    }

    /// The keys, as variables.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        let values = [&self.papers.api_v3_key, &self.papers.private_key, &self.papers.public_key, &self.resign_key];
        let named = VARIABLES.iter().zip(values).find(|(variable, _)| **variable == name);
        named.map(|(_, value)| value.as_str())
    }

    /// The names of these variables.
    pub(super) fn variables() -> impl Iterator<Item = &'static str> {
        VARIABLES.into_iter()
    }
}
