//! The key pairs that everybody has.

use crate::provider::wechat::v3::rsa::{BadKey, PrivateKey};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;

/// Whose pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pair {
    /// The own pair of the merchant at this position, from 1.
    Merchant(usize),
    /// What signs as WeChat Pay's public key of the merchant at this position.
    WeChatPay(usize),
    /// That of a platform certificate; there are two, which take turns.
    Platform(usize),
    /// Nobody's.
    Stranger,
}

/// For so many merchants there are pairs; further ones get new ones with each start.
pub(super) const MERCHANTS: usize = 4;

const MERCHANT: [&str; MERCHANTS] = [
    include_str!("merchant-1.pem"),
    include_str!("merchant-2.pem"),
    include_str!("merchant-3.pem"),
    include_str!("merchant-4.pem"),
];

const WECHAT_PAY: [&str; MERCHANTS] = [
    include_str!("wechatpay-1.pem"),
    include_str!("wechatpay-2.pem"),
    include_str!("wechatpay-3.pem"),
    include_str!("wechatpay-4.pem"),
];

const PLATFORM: [&str; 2] = [include_str!("platform-1.pem"), include_str!("platform-2.pem")];

const STRANGER: &str = include_str!("stranger.pem");

impl Pair {
    /// The pair; a new one for a merchant that has none here.
    ///
    /// # Errors
    /// If the cryptographic library fails.
    pub(super) fn read(self) -> Result<PrivateKey, BadKey> {
        let text = match self {
            Self::Merchant(position) => MERCHANT.get(position.saturating_sub(1)),
            Self::WeChatPay(position) => WECHAT_PAY.get(position.saturating_sub(1)),
            Self::Platform(number) => PLATFORM.get(number % PLATFORM.len()),
            Self::Stranger => Some(&STRANGER),
        };
        let Some(text) = text else { return PrivateKey::generate() };
        let der = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes()).map_err(|_| BadKey)?;
        PrivateKey::from_der(der.secret_pkcs8_der())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_is_one_and_no_two_are_the_same() {
        let positions = || 1..=MERCHANTS;
        let pairs = positions().map(Pair::Merchant).chain(positions().map(Pair::WeChatPay));
        let pairs = pairs.chain([Pair::Platform(0), Pair::Platform(1), Pair::Stranger]);
        let mut moduli: Vec<_> = pairs.map(|pair| pair.read().unwrap().modulus().to_vec()).collect();
        moduli.sort();
        moduli.dedup();
        assert_eq!(moduli.len(), 2 * MERCHANTS + 3);
    }
}
