//! Everything the sandbox would otherwise draw at random, so that a run with a seed can be repeated word for word.
//!
//! A value is a digest of the seed and of what the value is for, not the next one of a sequence: orders that are paid
//! in another order still get the same transaction ids.

use sha2::{Digest, Sha256};

/// What a run's ids and nonces derive from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed(pub u64);

const DIGITS: &[u8; 10] = b"0123456789";
const HEX: &[u8; 16] = b"0123456789ABCDEF";
const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const LOWER: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

impl Seed {
    /// A WeChat Pay number of a payment: 28 digits starting with `42` (`docs/reference/wechatpay-v2.md` section 3).
    pub(super) fn transaction_id(self, of: &[&str]) -> String {
        format!("4200{}", self.draw(DIGITS, 24, "transaction_id", of))
    }

    /// A payer: 28 characters starting with `o`.
    pub(super) fn openid(self, of: &[&str]) -> String {
        format!("oSandbox{}", self.draw(LETTERS, 20, "openid", of))
    }

    /// The `nonce_str` of an answer: 16 letters and digits.
    pub(super) fn answer_nonce(self, number: u64) -> String {
        self.draw(LETTERS, 16, "answer", &[&number.to_string()])
    }

    /// The `nonce_str` of a notification: 32 lower-case letters and digits (section 7.3).
    pub(super) fn notification_nonce(self, number: u64) -> String {
        self.draw(LOWER, 32, "notification", &[&number.to_string()])
    }

    /// Whether the notification of this number is among the lost ones, of which there are `share` (0 to 1).
    pub(super) fn is_lost(self, number: u64, share: f64) -> bool {
        const STEPS: u32 = 1_000_000;
        let drawn = self.draw(DIGITS, 6, "loss", &[&number.to_string()]).parse::<u32>().unwrap_or_default();
        f64::from(drawn) < share * f64::from(STEPS)
    }

    /// A key that is nobody's, to sign badly with.
    pub(super) fn wrong_key(self) -> String {
        self.draw(LETTERS, 32, "wrong key", &[])
    }

    /// Behind its first digit, a certificate's serial number (`docs/reference/wechatpay-v3.md` section 2).
    pub(super) fn serial_digits(self, of: &[&str]) -> String {
        self.draw(HEX, 39, "serial", of)
    }

    /// The `Wechatpay-Nonce` of the message of this number and round: 32 letters and digits.
    pub(super) fn signature_nonce(self, of: &[&str]) -> String {
        self.draw(LETTERS, 32, "signature", of)
    }

    /// What an envelope is sealed with beside the key: 12 characters (section 6.2).
    pub(super) fn sealing_nonce(self, of: &[&str]) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce.copy_from_slice(self.draw(LETTERS, 12, "sealing", of).as_bytes());
        nonce
    }

    /// A notification's id, which looks like a UUID (section 6.2).
    pub(super) fn notification_id(self, number: u64) -> String {
        let digits = self.draw(HEX, 32, "notification id", &[&number.to_string()]).to_ascii_lowercase();
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| digits.get(part).unwrap_or_default());
        parts.join("-")
    }

    /// The token of a bill's link (section 8).
    pub(super) fn bill_token(self, number: u64) -> String {
        self.draw(LETTERS, 48, "bill", &[&number.to_string()])
    }

    /// The first part of a `Request-ID`.
    pub(super) fn request_id(self, number: u64) -> String {
        self.draw(HEX, 32, "request", &[&number.to_string()])
    }

    fn draw<const N: usize>(self, alphabet: &[u8; N], length: usize, what: &str, of: &[&str]) -> String {
        let block = |number: u32| {
            let mut digest = Sha256::new();
            digest.update(self.0.to_be_bytes());
            digest.update(number.to_be_bytes());
            for part in [what].iter().chain(of) {
                digest.update(part.as_bytes());
                digest.update([0]);
            }
            <[u8; 32]>::from(digest.finalize())
        };
        let letter = |byte: u8| alphabet.get(usize::from(byte) % N).copied().map(char::from);
        (0..).flat_map(block).filter_map(letter).take(length).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids_and_another_seed_others() {
        let (one, two) = (Seed(1), Seed(2));
        assert_eq!(one.transaction_id(&["1900000109", "A1"]), one.transaction_id(&["1900000109", "A1"]));
        assert_ne!(one.transaction_id(&["1900000109", "A1"]), one.transaction_id(&["1900000109", "A2"]));
        assert_ne!(one.transaction_id(&["1900000109", "A1"]), two.transaction_id(&["1900000109", "A1"]));
        assert_ne!(one.transaction_id(&["1", "23"]), one.transaction_id(&["12", "3"]));
    }

    #[test]
    fn about_as_many_are_lost_as_should_be_and_always_the_same() {
        let lost = |share| (1..=1000).filter(|number| Seed(1).is_lost(*number, share)).count();
        assert_eq!([lost(0.0), lost(1.0)], [0, 1000]);
        assert!((150..250).contains(&lost(0.2)), "{}", lost(0.2));
        assert_eq!(lost(0.2), lost(0.2));
    }

    #[test]
    fn ids_have_the_shape_that_wechat_pay_gives_them() {
        let seed = Seed(7);
        let transaction_id = seed.transaction_id(&["A1"]);
        assert!(transaction_id.len() == 28 && transaction_id.bytes().all(|byte| byte.is_ascii_digit()));
        assert_eq!(seed.openid(&["A1"]).len(), 28);
        assert_eq!(seed.notification_nonce(1).len(), 32);
    }
}
