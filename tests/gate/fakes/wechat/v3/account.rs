//! Accounts with the keys of API v3, and the keys that WeChat Pay signs with; private keys by their names in
//! tests/fixtures/wechatpay-v3.

use super::super::Merchant;
use crate::wechatpay_v3::{certificate, pem};
use serde_json::{Value, json};

/// A key that WeChat Pay signs with, and what `Wechatpay-Serial` calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    pub serial: &'static str,
    pub name: &'static str,
}

/// One merchant account, on both sides.
#[derive(Debug, Clone, Copy)]
pub struct Account {
    /// Its numbers and its APIv2 key, which may be empty.
    pub merchant: Merchant,
    pub api_v3_key: &'static str,
    /// What it signs requests with, and its certificate's serial number.
    pub private_key: Key,
    /// WeChat Pay's public key for it, if it has got one.
    pub public_key: Option<Key>,
    /// `sub_mch_id` and `sub_appid` of a service provider's.
    pub sub: Option<(&'static str, &'static str)>,
}

/// Has WeChat Pay's public key only, and an APIv2 key besides.
pub const NEW: Account = Account {
    merchant: Merchant { appid: "wx7788aa99bb001122", mch_id: "1900009191", key: "Aq1Zs2Wx3Ed4Cr5Fv6Tg7By8Hn9Uj0Mk" },
    api_v3_key: "Qm7tVx2Lp9Zr4Ks8Wd1Fh6Jn3Bc5Gy0T",
    private_key: Key { serial: "4A6B8C0D1E2F30415263748596A7B8C9DAEBFC0D", name: "new" },
    public_key: Some(Key { serial: "PUB_KEY_ID_0114000091912026110100001200000001", name: "wechat-new" }),
    sub: None,
};

/// Has platform certificates only.
pub const OLD: Account = Account {
    merchant: Merchant { appid: "wx33cc44dd55ee6677", mch_id: "1900009202", key: "" },
    api_v3_key: "hT5Rb9Nc2Xv7Lk4Mj1Pq8Sd3Fg6Wz0Ye",
    private_key: Key { serial: "1D2C3B4A5968778695A4B3C2D1E0F00112233445", name: "old" },
    public_key: None,
    sub: None,
};

/// Has both.
pub const SWITCHING: Account = Account {
    merchant: Merchant { appid: "wxaa11bb22cc33dd44", mch_id: "1900009303", key: "" },
    api_v3_key: "Zx8Cv1Bn4Mk7Lp0Oi3Uy6Tr9Ew2Qa5Sd",
    private_key: Key { serial: "2233445566778899AABBCCDDEEFF001122334455", name: "switching" },
    public_key: Some(Key { serial: "PUB_KEY_ID_0114000093032026110100001200000003", name: "wechat-switching" }),
    sub: None,
};

/// A service provider, for one sub-merchant.
pub const PROVIDER: Account = Account {
    merchant: Merchant { appid: "wx5e5e5e5e5e5e5e5e", mch_id: "1900009404", key: "" },
    api_v3_key: "Pl0Ok9Ij8Uh7Yg6Tf5Rd4Es3Wa2Qz1Xc",
    private_key: Key { serial: "66778899AABBCCDDEEFF00112233445566778899", name: "provider" },
    public_key: Some(Key { serial: "PUB_KEY_ID_0114000094042026110100001200000004", name: "wechat-provider" }),
    sub: Some(("1900009405", "wx6f6f6f6f6f6f6f6f")),
};

/// Is asked by v2 and told in v3.
pub const MIXED: Account = Account {
    merchant: Merchant { appid: "wx1212343456567878", mch_id: "1900009506", key: "Mn8Bv7Cx6Zl5Kj4Hg3Fd2Sa1Po0Iu9Yt" },
    api_v3_key: "Wq2Er4Ty6Ui8Op0As1Df3Gh5Jk7Lz9Xc",
    private_key: Key { serial: "77889900AABBCCDDEEFF00112233445566778899", name: "old" },
    public_key: Some(Key { serial: "PUB_KEY_ID_0114000095062026110100001200000005", name: "wechat-mixed" }),
    sub: None,
};

/// All of them.
pub const ACCOUNTS: [Account; 5] = [NEW, OLD, SWITCHING, PROVIDER, MIXED];

/// WeChat Pay's platform certificates, which all merchants share; the second follows in a rotation.
pub const PLATFORM_1: Key = Key { serial: "5F12C40D83E7A9B6105D2C7F9E8A4B3617D0C5E2", name: "platform-1" };
pub const PLATFORM_2: Key = Key { serial: "3B90D7716A2E4C58F1A6B7034D9E25C81F6A0B47", name: "platform-2" };

/// The key of somebody else, under a serial that no list has.
pub const STRANGER: Key = Key { serial: "7000000000000000000000000000000000000001", name: "stranger" };

/// What a gate signs notifications with that it sends again.
pub const RESIGN: Key = Key { serial: "PUB_KEY_ID_0199999999992026110100001200000009", name: "resign" };

/// From yesterday, for five years.
pub const VALID: std::ops::Range<i64> = -86_400..5 * 365 * 86_400;

impl Account {
    /// What WeChat Pay signs its notifications with.
    pub fn signed_by(&self) -> Key {
        self.public_key.unwrap_or(PLATFORM_1)
    }

    /// The account's part of a channel: its keys, without `provider`.
    pub fn channel(&self) -> Value {
        let Merchant { appid, mch_id, key } = self.merchant;
        let mut channel = json!({ "appid": appid, "mch_id": mch_id, "api_v3_key": self.api_v3_key });
        if !key.is_empty() {
            channel["key"] = json!(key);
        }
        if let Some(public_key) = self.public_key {
            channel["public_key_id"] = json!(public_key.serial);
            channel["public_key"] = json!(pem(public_key.name, "public"));
        }
        if let Some((sub_mch_id, sub_appid)) = self.sub {
            channel["sub_mch_id"] = json!(sub_mch_id);
            channel["sub_appid"] = json!(sub_appid);
        }
        channel
    }

    /// The same for one that is asked by v3.
    pub fn asked_by_v3(&self) -> Value {
        let mut channel = self.channel();
        channel["provider"] = json!("wechat-v3");
        channel["private_key"] = json!(pem(self.private_key.name, "pkcs8"));
        channel["serial"] = json!(self.private_key.serial);
        channel
    }

    /// The names by which WeChat Pay calls the account in an answer or a notification.
    pub(super) fn names(&self) -> Value {
        let Merchant { appid, mch_id, .. } = self.merchant;
        match self.sub {
            None => json!({ "appid": appid, "mchid": mch_id }),
            Some((sub_mch_id, sub_appid)) => {
                json!({ "sp_appid": appid, "sp_mchid": mch_id, "sub_mchid": sub_mch_id, "sub_appid": sub_appid })
            }
        }
    }
}

impl Key {
    /// A platform certificate of this key.
    pub fn certificate(&self, valid: std::ops::Range<i64>) -> String {
        certificate(self.name, self.serial, valid)
    }

    /// Its public half, in PEM.
    pub fn public(&self) -> String {
        pem(self.name, "public")
    }
}
