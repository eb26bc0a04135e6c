//! Routes that share a path and differ by the query: `/index.php?s=/Home/WxPay/notify`.
//!
//! A route takes a target whose query has each of its parameters with exactly the value. That the parameter stands
//! there once, and nowhere else in any spelling, the claim reader sees to (`ClaimReader::guarding`): a backend that
//! reads the other one would go elsewhere (invariant I4).

use crate::gate::path::ALL_BUT_UNRESERVED;
use percent_encoding::{AsciiSet, percent_decode, utf8_percent_encode};

/// The parameters that a route wants in the query; none of them: any query will do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueryMatch(Vec<Parameter>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Parameter {
    name: String,
    value: String,
}

/// A slash needs no escape in a query, and is easier to read without.
const WRITTEN: AsciiSet = ALL_BUT_UNRESERVED.remove(b'/');

impl QueryMatch {
    /// These names, each with its value, as they are meant: nothing in them is escaped.
    #[must_use]
    pub fn new(parameters: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(parameters.into_iter().map(|(name, value)| Parameter { name, value }).collect())
    }

    /// The names of its parameters.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|parameter| parameter.name.as_str())
    }

    /// Whether each parameter stands in `query` with its value. Escapes are undone once.
    ///
    /// ```
    /// use tollgate::gate::route::QueryMatch;
    /// let query = QueryMatch::new([("s".to_owned(), "/Home/WxPay/notify".to_owned())]);
    /// assert!(query.takes(Some("s=/Home/WxPay/notify")) && query.takes(Some("id=1&s=%2FHome%2FWxPay%2fnotify")));
    /// assert!(!query.takes(Some("s=/home/wxpay/notify")) && !query.takes(None));
    /// ```
    #[must_use]
    pub fn takes(&self, query: Option<&str>) -> bool {
        self.0.iter().all(|wanted| pairs(query.unwrap_or_default()).any(|(name, value)| wanted.is(name, value)))
    }

    /// Whether no query with every parameter once is for both.
    #[must_use]
    pub fn excludes(&self, other: &Self) -> bool {
        self.0.iter().any(|one| other.0.iter().any(|other| one.name == other.name && one.value != other.value))
    }

    /// `query` with those parameters in front that it does not name itself.
    #[must_use]
    pub fn beside(&self, query: Option<String>) -> Option<String> {
        let own = query.unwrap_or_default();
        let named = |wanted: &&Parameter| !pairs(&own).any(|(name, _)| is(name, &wanted.name));
        let mut parts: Vec<String> = self.0.iter().filter(named).map(Parameter::written).collect();
        if !own.is_empty() {
            parts.push(own);
        }
        (!parts.is_empty()).then(|| parts.join("&"))
    }
}

impl Parameter {
    /// A `+` is a blank to some readers and a `+` to others, so one that is not escaped is neither.
    fn is(&self, name: &str, value: &str) -> bool {
        is(name, &self.name) && !value.contains('+') && is(value, &self.value)
    }

    fn written(&self) -> String {
        let Self { name, value } = self;
        format!("{}={}", utf8_percent_encode(name, &WRITTEN), utf8_percent_encode(value, &WRITTEN))
    }
}

/// Whether `written` stands for `meant`. Of a broken escape the `%` stays, which nothing that is wanted has.
fn is(written: &str, meant: &str) -> bool {
    percent_decode(written.as_bytes()).eq(meant.bytes())
}

fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wants(parameters: &[(&str, &str)]) -> QueryMatch {
        QueryMatch::new(parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn a_parameter_is_its_exact_name_and_value_with_escapes_undone_once() {
        let notify = wants(&[("s", "/Home/WxPay/notify")]);
        for query in [
            "s=/Home/WxPay/notify",
            "s=%2FHome%2fWxPay/notify",
            "%73=/Home/WxPay/notify",
            "id=1&s=/Home/WxPay/notify&sign=x",
            "&&s=/Home/WxPay/notify",
        ] {
            assert!(notify.takes(Some(query)), "{query}");
        }
        for query in [
            "",
            "s",
            "s=",
            "s=/Home/WxPay/notify/",
            "s=Home/WxPay/notify",
            "s=/home/wxpay/notify",
            "s=/Home/WxPay/notify;a=1",
            "s=/Home/WxPay/notify%00",
            "s=%252FHome/WxPay/notify",
            "s=/Home/WxPay/notif%",
            "S=/Home/WxPay/notify",
            "s[]=/Home/WxPay/notify",
            "ss=/Home/WxPay/notify",
            "x=s=/Home/WxPay/notify",
        ] {
            assert!(!notify.takes(Some(query)), "{query}");
        }
        assert!(!notify.takes(None) && QueryMatch::default().takes(None) && QueryMatch::default().takes(Some("a=1")));
        let plus = wants(&[("s", "a+b")]);
        assert!(plus.takes(Some("s=a%2Bb")) && !plus.takes(Some("s=a+b")));
        let blank = wants(&[("s", "a b")]);
        assert!(blank.takes(Some("s=a%20b")) && !blank.takes(Some("s=a+b")));
    }

    #[test]
    fn several_parameters_must_all_be_there() {
        let both = wants(&[("m", "pay"), ("a", "notify")]);
        assert!(
            both.takes(Some("a=notify&m=pay")) && !both.takes(Some("m=pay")) && !both.takes(Some("m=notify&a=pay"))
        );
    }

    #[test]
    fn only_another_value_of_the_same_parameter_excludes() {
        for (one, other, excludes) in [
            (&[("s", "a")][..], &[("s", "b")][..], true),
            (&[("s", "a")], &[("s", "a")], false),
            (&[("s", "a")], &[("t", "b")], false),
            (&[("s", "a")], &[], false),
            (&[("m", "x"), ("a", "1")], &[("m", "x"), ("a", "2")], true),
        ] {
            let (one, other) = (wants(one), wants(other));
            assert_eq!((one.excludes(&other), other.excludes(&one)), (excludes, excludes), "{one:?} {other:?}");
        }
    }

    #[test]
    fn what_a_query_does_not_name_is_written_in_front_of_it() {
        let notify = wants(&[("s", "/Home/Wx Pay/notify")]);
        let beside = |query: Option<&str>| notify.beside(query.map(str::to_owned));
        assert_eq!(beside(None).as_deref(), Some("s=/Home/Wx%20Pay/notify"));
        assert_eq!(beside(Some("id=1")).as_deref(), Some("s=/Home/Wx%20Pay/notify&id=1"));
        assert_eq!(beside(Some("id=1&s=other")).as_deref(), Some("id=1&s=other"));
        assert_eq!(QueryMatch::default().beside(Some(String::new())), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_taken(name in "[A-Za-z_][A-Za-z0-9_-]{0,8}", value in "[^\u{0}-\u{1f}]{1,20}") {
            let wanted = QueryMatch::new([(name, value)]);
            let written = wanted.beside(Some("other=1".to_owned()));
            prop_assert!(written.as_ref().is_some_and(|query| query.is_ascii()));
            prop_assert!(wanted.takes(written.as_deref()));
            prop_assert_eq!(wanted.beside(written.clone()), written);
        }
    }
}
