//! The key pairs that everybody has.

use crate::provider::wechat::v3::rsa::{BadKey, PrivateKey};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;

/// Those of merchants, by position.
#[derive(Debug)]
pub(super) struct Pairs(Vec<(PrivateKey, PrivateKey)>);

const MERCHANTS: [(&str, &str); 4] = [
    (include_str!("merchant-1.pem"), include_str!("wechatpay-1.pem")),
    (include_str!("merchant-2.pem"), include_str!("wechatpay-2.pem")),
    (include_str!("merchant-3.pem"), include_str!("wechatpay-3.pem")),
    (include_str!("merchant-4.pem"), include_str!("wechatpay-4.pem")),
];

const PLATFORM: [&str; 2] = [include_str!("platform-1.pem"), include_str!("platform-2.pem")];

const STRANGER: &str = include_str!("stranger.pem");

impl Pairs {
    pub(super) fn read() -> Result<Self, BadKey> {
        MERCHANTS
            .iter()
            .map(|(own, wechat_pays)| Ok((read(own)?, read(wechat_pays)?)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The own pair of the merchant at this position, from 1, and what signs as its WeChat Pay public key. The fifth has
    /// those of the first again.
    pub(super) fn of(&self, position: usize) -> Result<&(PrivateKey, PrivateKey), BadKey> {
        self.0.get(position.saturating_sub(1) % MERCHANTS.len()).ok_or(BadKey)
    }

    /// What signs with this public half (RFC 8017's `RSAPublicKey`) as WeChat Pay, if everybody has it.
    pub(super) fn wechat_pays(&self, public: &[u8]) -> Option<&PrivateKey> {
        self.0.iter().map(|(_, wechat_pays)| wechat_pays).find(|pair| pair.modulus() == public)
    }
}

/// That of the platform certificate of this number; there are two, which take turns.
pub(super) fn platform(number: usize) -> Result<PrivateKey, BadKey> {
    read(PLATFORM.get(number % PLATFORM.len()).ok_or(BadKey)?)
}

/// Nobody's.
pub(super) fn stranger() -> Result<PrivateKey, BadKey> {
    read(STRANGER)
}

fn read(text: &str) -> Result<PrivateKey, BadKey> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes()).map_err(|_| BadKey)?;
    PrivateKey::from_der(der.secret_pkcs8_der())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_is_one_and_no_two_are_the_same() {
        let pairs = Pairs::read().unwrap().0.into_iter().flat_map(|(own, wechat_pays)| [own, wechat_pays]);
        let pairs = pairs.chain([platform(0).unwrap(), platform(1).unwrap(), stranger().unwrap()]);
        let mut moduli: Vec<_> = pairs.map(|pair| pair.modulus().to_vec()).collect();
        moduli.sort();
        moduli.dedup();
        assert_eq!(moduli.len(), 2 * MERCHANTS.len() + PLATFORM.len() + 1);
    }
}
