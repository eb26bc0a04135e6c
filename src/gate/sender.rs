//! Who sends callbacks: the address behind trusted proxies, and how much one address may send.

use crate::domain::reason::Reason;
use crate::server::Peer;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use hyper::HeaderMap;
use hyper::header::HeaderName;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;

/// Where proxies in front of the gate write whom they speak for.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Knows the proxies in front of the gate, and counts senders.
#[derive(Debug)]
pub struct Senders {
    trusted_proxies: Vec<IpNet>,
    rate_per_address: Rate,
    rate: Option<DefaultKeyedRateLimiter<IpAddr>>,
}

/// How many callbacks a second one address may send; twice that at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// [`AUTO`], unless the address may be many senders: that of a peer on this machine or in a private network which
    /// is no trusted proxy.
    Auto,
    /// So many, whatever the address; 0 is no limit.
    Each(u32),
}

/// What [`Rate::Auto`] is: two and a half times the default budget of queries, which no honest sender needs alone.
pub const AUTO: u32 = 50;

/// Bits of an IPv6 address that are one sender's: the rest is his to choose.
const IPV6_PREFIX: u32 = 64;

/// The other end of a request.
#[derive(Debug, Clone, Copy)]
pub struct Sender {
    /// The connection's other end.
    pub peer: Peer,
    /// Whether that is a proxy whose word is believed.
    pub trusted_proxy: bool,
}

impl Senders {
    /// Believes X-Forwarded-For from `trusted_proxies`; lets one address send `rate_per_address`.
    #[must_use]
    pub fn new(trusted_proxies: Vec<IpNet>, rate_per_address: Rate) -> Self {
        let per_second = match rate_per_address {
            Rate::Auto => AUTO,
            Rate::Each(rate) => rate,
        };
        let rate = NonZeroU32::new(per_second).map(|rate| {
            RateLimiter::keyed(
                Quota::per_second(rate).allow_burst(rate.saturating_mul(NonZeroU32::MIN.saturating_add(1))),
            )
        });
        Self { trusted_proxies, rate_per_address, rate }
    }

    /// Whether these are the settings it was made with.
    #[must_use]
    pub fn is_for(&self, trusted_proxies: &[IpNet], rate_per_address: Rate) -> bool {
        self.trusted_proxies == trusted_proxies && self.rate_per_address == rate_per_address
    }

    /// Counts a callback.
    ///
    /// # Errors
    /// [`Reason::TooManyRequests`] if its address sent more than it may.
    pub fn admit(&self, peer: Peer, headers: &HeaderMap) -> Result<(), Reason> {
        let Some(rate) = &self.rate else { return Ok(()) };
        let address = self.address(peer, headers);
        if self.is_many(peer, address) {
            return Ok(());
        }
        rate.check_key(&one_sender(address)).map_err(|_| Reason::TooManyRequests)
    }

    /// Who sends: the address that is counted.
    #[must_use]
    pub fn from(&self, peer: Peer, headers: &HeaderMap) -> IpAddr {
        one_sender(self.address(peer, headers))
    }

    /// Whether many senders have this address as far as the gate knows: a proxy that names no sender behind it; and one
    /// that the configuration does not name as a proxy, unless the operator wants it to be counted.
    fn is_many(&self, peer: Peer, address: IpAddr) -> bool {
        let unnamed = self.rate_per_address == Rate::Auto && address == peer.addr.ip() && is_near(address);
        unnamed || self.trusts(address)
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
        if !self.trusts(address) {
            return address;
        }
        let chain = headers.get_all(&X_FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
        let hops: Vec<&str> = chain.flat_map(|value| value.split(',')).map(str::trim).collect();
        for hop in hops.into_iter().rev() {
            if !self.trusts(address) {
                break;
            }
            let Some(hop) = hop_address(hop) else { break };
            address = hop;
        }
        address
    }

    /// An IPv4 address is in a network of either writing: 10.0.0.0/8, or `::ffff:10.0.0.0/104`.
    fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let mapped = match address {
            IpAddr::V4(address) => Some(IpAddr::V6(address.to_ipv6_mapped())),
            IpAddr::V6(_) => None,
        };
        let has = |net: &IpNet| net.contains(&address) || mapped.is_some_and(|mapped| net.contains(&mapped));
        self.trusted_proxies.iter().any(has)
    }
}

/// The address of a hop, which some proxies write with a port and in brackets.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let bare = || hop.parse::<IpAddr>().ok();
    let with_port = || hop.parse::<SocketAddr>().ok().map(|hop| hop.ip());
    let in_brackets = || hop.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    bare().or_else(with_port).or_else(in_brackets).map(|address| address.to_canonical())
}

/// What of an address is one sender's.
fn one_sender(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & (u128::MAX << (u128::BITS - IPV6_PREFIX));
            IpAddr::V6(Ipv6Addr::from(network))
        }
        address => address,
    }
}

/// Whether an address is this machine's or a private network's, where proxies are; those of cloud load balancers
/// (100.64.0.0/10) among them.
#[must_use]
pub fn is_near(address: IpAddr) -> bool {
    let is_shared = |address: Ipv4Addr| matches!(address.octets(), [100, 64..=127, ..]);
    match address.to_canonical() {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_private() || address.is_link_local() || is_shared(address)
        }
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn peer(address: &str) -> Peer {
        Peer::new((address.parse::<IpAddr>().unwrap(), 1).into(), false)
    }

    fn chain(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(X_FORWARDED_FOR, HeaderValue::from_static(value))])
    }

    #[test]
    fn a_stranger_cannot_choose_its_address() {
        let senders = Senders::new(vec!["10.0.0.0/8".parse().unwrap()], Rate::Each(0));
        for (from, sent, expected) in [
            ("203.0.113.9", "1.1.1.1", "203.0.113.9"),
            ("10.0.0.1", "1.1.1.1", "1.1.1.1"),
            ("10.0.0.1", "6.6.6.6, 1.1.1.1", "1.1.1.1"),
            ("10.0.0.1", "6.6.6.6, 1.1.1.1, 10.0.0.2", "1.1.1.1"),
            ("10.0.0.1", "rubbish", "10.0.0.1"),
            ("10.0.0.1", "1.1.1.1, rubbish, 10.0.0.2", "10.0.0.2"),
            ("::ffff:10.0.0.1", "1.1.1.1", "1.1.1.1"),
            ("::ffff:10.0.0.1", "::ffff:1.1.1.1, ::ffff:10.0.0.2", "1.1.1.1"),
            ("::ffff:203.0.113.9", "1.1.1.1", "203.0.113.9"),
            ("10.0.0.1", "1.1.1.1:50312", "1.1.1.1"),
            ("10.0.0.1", "6.6.6.6, 1.1.1.1:50312, 10.0.0.2:80", "1.1.1.1"),
            ("10.0.0.1", "[2001:db8::a]:50312", "2001:db8::a"),
            ("10.0.0.1", "[2001:db8::a]", "2001:db8::a"),
            ("10.0.0.1", "[::ffff:1.1.1.1]:50312", "1.1.1.1"),
            ("10.0.0.1", "2001:db8::a", "2001:db8::a"),
            ("10.0.0.1", "1.1.1.1:", "10.0.0.1"),
            ("10.0.0.1", "1.1.1.1:99999", "10.0.0.1"),
            ("10.0.0.1", "[1.1.1.1]", "10.0.0.1"),
            ("10.0.0.1", "[2001:db8::a", "10.0.0.1"),
            ("10.0.0.1", "unknown", "10.0.0.1"),
        ] {
            assert_eq!(senders.address(peer(from), &chain(sent)).to_string(), expected, "{from} {sent}");
        }
    }

    #[test]
    fn a_network_means_the_same_addresses_in_either_writing() {
        for net in ["10.1.2.3/32", "::ffff:10.1.2.3/128", "::ffff:10.0.0.0/104", "10.0.0.0/8"] {
            let senders = Senders::new(vec![net.parse().unwrap()], Rate::Auto);
            for address in ["10.1.2.3", "::ffff:10.1.2.3"] {
                assert!(senders.identify(peer(address)).trusted_proxy, "{net} {address}");
            }
            for address in ["11.1.2.3", "::ffff:11.1.2.3", "::10.1.2.3", "2001:db8::1"] {
                assert!(!senders.identify(peer(address)).trusted_proxy, "{net} {address}");
            }
        }
    }

    #[test]
    fn an_address_may_send_twice_its_rate_at_once_and_no_more() {
        let senders = Senders::new(Vec::new(), Rate::Each(3));
        let sent = (0..10).filter(|_| senders.admit(peer("203.0.113.9"), &HeaderMap::new()).is_ok()).count();
        assert_eq!(sent, 6);
        assert!(senders.admit(peer("203.0.113.10"), &HeaderMap::new()).is_ok());
    }

    #[test]
    fn an_address_is_counted_unless_it_may_be_many_senders() {
        const ALL: usize = 150;
        const AT_ONCE: usize = 100;
        for (rate, from, behind, admitted) in [
            (Rate::Auto, "203.0.113.9", None, AT_ONCE),
            (Rate::Auto, "203.0.113.9", Some("127.0.0.1"), AT_ONCE),
            (Rate::Auto, "10.0.0.1", Some("203.0.113.9"), AT_ONCE),
            // A payment centre in the same network, behind a proxy that names it.
            (Rate::Auto, "10.0.0.1", Some("192.168.1.7"), AT_ONCE),
            // A proxy that names no sender.
            (Rate::Auto, "10.0.0.1", None, ALL),
            (Rate::Each(AUTO), "10.0.0.1", None, ALL),
            (Rate::Each(AUTO), "10.0.0.1", Some("10.0.0.2"), ALL),
            // What may be a proxy that the configuration does not name.
            (Rate::Auto, "127.0.0.1", None, ALL),
            (Rate::Auto, "127.0.0.1", Some("203.0.113.9"), ALL),
            (Rate::Auto, "192.168.1.7", None, ALL),
            (Rate::Auto, "100.100.1.1", None, ALL),
            (Rate::Auto, "::1", None, ALL),
            (Rate::Auto, "::ffff:127.0.0.1", None, ALL),
            (Rate::Auto, "fd00::1", None, ALL),
            (Rate::Each(AUTO), "127.0.0.1", None, AT_ONCE),
            (Rate::Each(0), "203.0.113.9", None, ALL),
        ] {
            let senders = Senders::new(vec!["10.0.0.0/8".parse().unwrap()], rate);
            let headers = behind.map_or_else(HeaderMap::new, chain);
            let sent = (0..ALL).filter(|_| senders.admit(peer(from), &headers).is_ok()).count();
            // While it is counted a moment passes, and a few more are let in.
            assert!((admitted..=(admitted + 20).min(ALL)).contains(&sent), "{rate:?} {from} {behind:?}: {sent}");
        }
    }

    #[test]
    fn a_network_of_ipv6_is_one_sender() {
        let senders = Senders::new(Vec::new(), Rate::Each(3));
        let from = |host| format!("2001:db8:1:2::{host}");
        let sent = (0..10).filter(|host| senders.admit(peer(&from(*host)), &HeaderMap::new()).is_ok()).count();
        assert_eq!(sent, 6);
        assert!(senders.admit(peer("2001:db8:1:3::1"), &HeaderMap::new()).is_ok());
    }
}
