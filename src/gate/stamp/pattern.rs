//! The headers of the gate in the order in which they are sent, their values left blank: a request's are a copy that is
//! filled in, since looking each name up again costs several times as much.

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

/// A header that every request has, or every confirmed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ours {
    Host,
    ForwardedFor,
    RequestId,
    AcceptEncoding,
    TransactionId,
    OutTradeNo,
    Amount,
    Currency,
    PaidAt,
    TradeState,
    Channel,
    Delivery,
    Attempt,
    Origin,
}

/// Some of them.
#[derive(Debug)]
pub(super) struct Pattern {
    blank: HeaderMap,
    /// Which is which, in the order of `blank`.
    order: Vec<Ours>,
}

impl Pattern {
    /// These, each by its name; of two with the same name the later one.
    pub(super) fn new(fields: &[(&HeaderName, Ours)]) -> Self {
        let mut blank = HeaderMap::with_capacity(fields.len());
        for (name, _) in fields {
            blank.insert(*name, const { HeaderValue::from_static("") });
        }
        let which = |name: &HeaderName| fields.iter().rev().find(|(ours, _)| *ours == name).map(|(_, ours)| *ours);
        let order = blank.keys().filter_map(which).collect();
        Self { blank, order }
    }

    /// The headers, each with its value.
    pub(super) fn filled<E>(&self, value: impl Fn(Ours) -> Result<HeaderValue, E>) -> Result<HeaderMap, E> {
        let mut headers = self.blank.clone();
        for (blank, ours) in headers.values_mut().zip(&self.order) {
            *blank = value(*ours)?;
        }
        Ok(headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    #[test]
    fn each_header_has_its_own_value_and_of_one_name_the_later_counts() {
        let names = ["host", "x-b", "x-c", "accept", "x-e"].map(HeaderName::from_static);
        let [host, b, c, accept, e] = &names;
        let fields = [
            (host, Ours::Host),
            (b, Ours::Amount),
            (c, Ours::Channel),
            (accept, Ours::PaidAt),
            (b, Ours::Origin),
            (e, Ours::Attempt),
        ];
        let value = |ours| Ok::<_, Infallible>(HeaderValue::from_str(&format!("{ours:?}")).unwrap());
        let headers = Pattern::new(&fields).filled(value).unwrap();
        assert_eq!(headers.len(), names.len());
        let expected = ["Host", "Origin", "Channel", "PaidAt", "Attempt"];
        for (name, expected) in names.iter().zip(expected) {
            assert_eq!(headers.get(name).unwrap(), expected, "{name}");
        }
    }
}
