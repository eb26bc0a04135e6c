//! The merchant account that is paid.

use crate::domain::order::{AppId, MerchantId};
use sha2::{Digest, Sha256};
use std::fmt;

/// Who is paid, as the provider tells accounts apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Payee {
    /// Whose budget of queries and whose bill it is.
    pub merchant: MerchantId,
    /// The merchant's own merchant, where it is a service provider's account.
    pub sub_merchant: Option<MerchantId>,
    /// The application that orders are placed with.
    pub application: AppId,
}

impl Payee {
    /// Who numbers the orders: a number is one order's for all payees that have this in common.
    #[must_use]
    pub const fn numbering(&self) -> (MerchantId, Option<MerchantId>) {
        (self.merchant, self.sub_merchant)
    }
}

/// A digest of what an account is asked with. It is made of secrets and never shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The digest of these, in this order. Where one ends and the next begins makes a difference.
    pub fn of<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> Self {
        let digest = parts.into_iter().fold(Sha256::new(), |digest, part| {
            // No part of a configuration is longer than u64.
            digest.chain_update((part.len() as u64).to_be_bytes()).chain_update(part)
        });
        Self(digest.finalize().into())
    }

    /// The digest, to be made part of another one.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_tells_where_its_parts_end_and_is_not_shown() {
        let of = |parts: &[&str]| Fingerprint::of(parts.iter().map(|part| part.as_bytes()));
        assert_eq!(of(&["ab", "c"]), of(&["ab", "c"]));
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["ab", "c"]), of(&["ab", "c", ""]));
        assert_eq!(format!("{:?}", of(&["ab"])), "Fingerprint(..)");
    }
}
