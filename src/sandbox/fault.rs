//! What the simulated WeChat Pay can get wrong, because a caller is only as good as its worst day.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Duration;

/// One way of answering badly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The right answer, `delay_ms` late.
    #[serde(alias = "slow")]
    #[value(alias = "slow")]
    Delay,
    /// Signed NOTPAY, whatever the order's state: a payment that the query does not see yet.
    NotPaid,
    /// Signed ORDERNOTEXIST: an order that the query does not find yet.
    OrderNotExist,
    /// Signed SYSTEMERROR.
    #[serde(rename = "systemerror")]
    #[value(name = "systemerror")]
    SystemError,
    /// SYSTEMERROR without appid, mch_id, nonce_str and sign.
    #[serde(rename = "systemerror-unsigned")]
    #[value(name = "systemerror-unsigned")]
    SystemErrorUnsigned,
    /// Signed FREQUENCY_LIMITED.
    FrequencyLimited,
    /// The right answer without its sign.
    Unsigned,
    /// The right answer, signed with a key that is nobody's.
    BadlySigned,
    /// Signed, then changed: an unpaid order becomes paid, a paid one costs a fen more.
    Tampered,
    /// Rightly signed, for another order.
    OtherOrder,
    /// Rightly signed, for another mch_id.
    OtherMerchant,
    /// Rightly signed, for another appid.
    OtherApp,
    /// Rightly signed, with a field nobody has heard of: not a fault, but many a verifier's.
    ExtraField,
    /// The right answer behind a document type.
    Doctype,
    /// A complete HTTP answer with half of the XML.
    HalfXml,
    /// A gateway's HTML page, status 502.
    #[serde(rename = "html-502")]
    #[value(name = "html-502")]
    Html502,
    /// Half of the answer, then the connection closes.
    Truncated,
    /// API v3: the signature is one of WeChat Pay's probes, which is wrong on purpose.
    Probe,
    /// API v3: signed with a key that is nobody's, under a serial number that is nobody's.
    UnknownSerial,
    /// API v3: rightly signed, ten minutes ago.
    Skewed,
    /// API v3: none of the Wechatpay headers.
    NoHeaders,
    /// API v3: the same JSON, written in another way after it was signed.
    Reserialised,
    /// Status 401; in API v3 with SIGN_ERROR.
    #[serde(rename = "http-401")]
    #[value(name = "http-401")]
    Http401,
    /// Status 429; in API v3 with RATELIMIT_EXCEEDED.
    #[serde(rename = "http-429")]
    #[value(name = "http-429")]
    Http429,
    /// Status 500; in API v3 with SYSTEM_ERROR.
    #[serde(rename = "http-500")]
    #[value(name = "http-500")]
    Http500,
    /// The connection is reset instead of an answer.
    #[serde(alias = "down")]
    #[value(alias = "down")]
    Reset,
}

/// The application of [`FaultKind::OtherApp`].
pub(super) const ANOTHER_APP: &str = "wx0000000000000000";

impl FaultKind {
    /// The bare status that is answered instead, if that is the fault.
    pub(super) const fn status(self) -> Option<u16> {
        match self {
            Self::Http401 => Some(401),
            Self::Http429 => Some(429),
            Self::Http500 => Some(500),
            _ => None,
        }
    }
}

/// A way of answering badly, for some answers or until further notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Which.
    pub kind: FaultKind,
    /// Milliseconds that the answer is held back. Goes with every kind.
    #[serde(default)]
    pub delay_ms: u64,
    /// For how many answers; absent is until the fault is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}

impl Fault {
    /// How long the answer is held back.
    pub(super) const fn delay(self) -> Duration {
        Duration::from_millis(self.delay_ms)
    }
}

/// Faults one after the other: each is used up before the next begins, and after the last the answers are right again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Faults(pub VecDeque<Fault>);

impl Faults {
    /// The fault of the next answer.
    pub(super) fn take(&mut self) -> Option<Fault> {
        while let Some(fault) = self.0.front_mut() {
            let taken = *fault;
            match &mut fault.count {
                None => return Some(taken),
                Some(0) => {
                    self.0.pop_front();
                }
                Some(left) => {
                    *left -= 1;
                    if *left == 0 {
                        self.0.pop_front();
                    }
                    return Some(taken);
                }
            }
        }
        None
    }
}

impl<const N: usize> From<[Fault; N]> for Faults {
    fn from(faults: [Fault; N]) -> Self {
        Self(faults.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FaultKind::{Delay, NotPaid, Reset};

    fn fault(kind: FaultKind, count: Option<u32>) -> Fault {
        Fault { kind, delay_ms: 0, count }
    }

    #[test]
    fn faults_are_used_up_one_after_the_other() {
        let mut faults = Faults::from([fault(Reset, Some(2)), fault(Delay, Some(0)), fault(NotPaid, Some(1))]);
        let taken: Vec<_> = std::iter::from_fn(|| faults.take()).map(|fault| fault.kind).collect();
        assert_eq!(taken, [Reset, Reset, NotPaid]);
    }

    #[test]
    fn a_fault_without_a_count_stays() {
        let mut faults = Faults::from([fault(Reset, None), fault(NotPaid, None)]);
        assert!((0..5).all(|_| faults.take().is_some_and(|fault| fault.kind == Reset)));
    }

    #[test]
    fn faults_are_written_as_the_page_says() {
        let faults: Faults = serde_json::from_str(r#"[{"kind":"html-502","count":2},{"kind":"down"}]"#).unwrap();
        assert_eq!(faults, Faults::from([fault(FaultKind::Html502, Some(2)), fault(Reset, None)]));
        assert!(serde_json::from_str::<Faults>(r#"[{"kind":"reset","times":2}]"#).is_err());
    }
}
