//! Who sends callbacks: the address behind trusted proxies, and how much one address may send.

use crate::reason::Reason;
use crate::server::Peer;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use hyper::HeaderMap;
use hyper::header::HeaderName;
use ipnet::IpNet;
use std::net::IpAddr;
use std::num::NonZeroU32;

/// Where proxies in front of the gate write whom they speak for.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Knows the proxies in front of the gate, and counts senders.
#[derive(Debug)]
pub struct Senders {
    trusted_proxies: Vec<IpNet>,
    rate_per_address: u32,
    rate: Option<DefaultKeyedRateLimiter<IpAddr>>,
}

/// The other end of a request.
#[derive(Debug, Clone, Copy)]
pub struct Sender {
    /// The connection's other end.
    pub peer: Peer,
    /// Whether that is a proxy whose word is believed.
    pub trusted_proxy: bool,
}

impl Senders {
    /// Believes X-Forwarded-For from `trusted_proxies`; lets one address send `rate_per_address` callbacks a second,
    /// twice that at once (0: without limit).
    #[must_use]
    pub fn new(trusted_proxies: Vec<IpNet>, rate_per_address: u32) -> Self {
        let rate = NonZeroU32::new(rate_per_address).map(|rate| {
            RateLimiter::keyed(
                Quota::per_second(rate).allow_burst(rate.saturating_mul(NonZeroU32::MIN.saturating_add(1))),
            )
        });
        Self { trusted_proxies, rate_per_address, rate }
    }

    /// Whether these are the settings it was made with.
    #[must_use]
    pub fn is_for(&self, trusted_proxies: &[IpNet], rate_per_address: u32) -> bool {
        self.trusted_proxies == trusted_proxies && self.rate_per_address == rate_per_address
    }

    /// Counts a callback.
    ///
    /// # Errors
    /// [`Reason::TooManyRequests`] if its address sent more than it may.
    pub fn admit(&self, peer: Peer, headers: &HeaderMap) -> Result<(), Reason> {
        match &self.rate {
            Some(rate) => rate.check_key(&self.address(peer, headers)).map_err(|_| Reason::TooManyRequests),
            None => Ok(()),
        }
    }

    /// Whether the peer is a proxy whose word is believed.
    #[must_use]
    pub fn identify(&self, peer: Peer) -> Sender {
        Sender { peer, trusted_proxy: self.trusts(peer.addr.ip()) }
    }

    /// Forgets addresses that have been quiet; without it every address ever seen would stay in memory.
    pub fn forget_quiet(&self) {
        if let Some(rate) = &self.rate {
            rate.retain_recent();
            rate.shrink_to_fit();
        }
    }

    /// The last address of the chain that no trusted proxy added itself.
    fn address(&self, peer: Peer, headers: &HeaderMap) -> IpAddr {
        let mut address = peer.addr.ip();
        let chain = headers.get_all(&X_FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
        let hops: Vec<&str> = chain.flat_map(|value| value.split(',')).map(str::trim).collect();
        for hop in hops.into_iter().rev() {
            if !self.trusts(address) {
                break;
            }
            let Ok(hop) = hop.parse() else { break };
            address = hop;
        }
        address
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|net| net.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn peer(address: &str) -> Peer {
        Peer { addr: (address.parse::<IpAddr>().unwrap(), 1).into(), tls: false }
    }

    fn chain(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(X_FORWARDED_FOR, HeaderValue::from_static(value))])
    }

    #[test]
    fn a_stranger_cannot_choose_its_address() {
        let senders = Senders::new(vec!["10.0.0.0/8".parse().unwrap()], 0);
        for (from, sent, expected) in [
            ("203.0.113.9", "1.1.1.1", "203.0.113.9"),
            ("10.0.0.1", "1.1.1.1", "1.1.1.1"),
            ("10.0.0.1", "6.6.6.6, 1.1.1.1", "1.1.1.1"),
            ("10.0.0.1", "6.6.6.6, 1.1.1.1, 10.0.0.2", "1.1.1.1"),
            ("10.0.0.1", "rubbish", "10.0.0.1"),
        ] {
            assert_eq!(senders.address(peer(from), &chain(sent)).to_string(), expected, "{from} {sent}");
        }
    }

    #[test]
    fn an_address_may_send_twice_its_rate_at_once_and_no_more() {
        let senders = Senders::new(Vec::new(), 3);
        let sent = (0..10).filter(|_| senders.admit(peer("203.0.113.9"), &HeaderMap::new()).is_ok()).count();
        assert_eq!(sent, 6);
        assert!(senders.admit(peer("203.0.113.10"), &HeaderMap::new()).is_ok());
    }
}
