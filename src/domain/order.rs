//! The ids a payment goes by, each its own type, because mixing two of them up is how an order gets paid by somebody
//! else's money.
//!
//! Every id is checked byte for byte when it is parsed and never trimmed, folded or decoded afterwards. They are
//! `Copy` and live inline: an id costs no allocation in the request flow.

use arrayvec::ArrayString;
use std::fmt;

/// Why a text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadId {
    /// Nothing at all.
    #[error("is empty")]
    Empty,
    /// More bytes than the id may have.
    #[error("is longer than {0} characters")]
    TooLong(usize),
    /// A byte outside the id's grammar.
    #[error("has a character other than {0}")]
    Character(&'static str),
}

/// The bytes WeChat Pay allows in `out_trade_no` (`docs/reference/wechatpay-v2.md` section 3), and so the ones an order
/// id may have.
pub const ORDER_BYTES: &str = "0-9 A-Z a-z _ - | * @";

/// Whether `byte` may stand in an order id.
#[must_use]
pub const fn is_order_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'|' | b'*' | b'@')
}

const fn is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

const fn is_channel_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/')
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $max:literal, $allowed:path, $grammar:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(ArrayString<$max>);

        impl $name {
            /// Takes `text` exactly as it is.
            ///
            /// # Errors
            /// If it is empty, too long, or has a byte outside the grammar.
            pub fn parse(text: &str) -> Result<Self, BadId> {
                if text.is_empty() {
                    return Err(BadId::Empty);
                }
                let id = ArrayString::from(text).map_err(|_| BadId::TooLong($max))?;
                if !text.bytes().all($allowed) {
                    return Err(BadId::Character($grammar));
                }
                Ok(Self(id))
            }

            /// The id as it was written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                Self::parse(text)
            }
        }
    };
}

id!(
    /// The legacy system's own number of an order: 1 to 64 of [`ORDER_BYTES`] (threat E-05).
    OrderId, 64, is_order_byte, ORDER_BYTES
);
id!(
    /// What WeChat Pay calls the order: 1 to 32 of [`ORDER_BYTES`] (`docs/reference/wechatpay-v2.md` section 3).
    OutTradeNo, 32, is_order_byte, ORDER_BYTES
);
id!(
    /// WeChat Pay's number of a payment, needed for a refund: at most 32 letters and digits, in practice 28 digits.
    TransactionId, 32, is_alphanumeric, "0-9 A-Z a-z"
);
id!(
    /// The application (APP, official account) that a payment belongs to, `wx` and 16 hexadecimal digits in practice.
    AppId, 32, is_alphanumeric, "0-9 A-Z a-z"
);
id!(
    /// A merchant's number at the payment provider (WeChat Pay's `mch_id` and `sub_mch_id`).
    MerchantId, 32, is_alphanumeric, "0-9 A-Z a-z"
);
id!(
    /// The name of a channel in `config.yaml`, as callbacks select it; several values are joined by `/`.
    ChannelId, 64, is_channel_byte, "0-9 A-Z a-z _ - . /"
);
