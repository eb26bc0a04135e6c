//! Which language a page is in: the one that was switched to, or the one that the browser likes best.

use super::words::Language;
use cookie::Cookie;
use hyper::HeaderMap;
use hyper::header::{ACCEPT_LANGUAGE, COOKIE};

/// The cookie that the switch sets.
pub(super) const COOKIE_NAME: &str = "lang";

impl Language {
    /// The language of a cookie, a form or `html lang`.
    pub(super) fn from_code(code: &str) -> Option<Self> {
        match code.get(..2)? {
            "en" => Some(Self::English),
            "zh" => Some(Self::Chinese),
            _ => None,
        }
    }

    /// The one for this request.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        switched(headers).or_else(|| liked(headers)).unwrap_or(Self::English)
    }
}

/// The value of a cookie.
pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut cookies = lines.flat_map(|line| Cookie::split_parse(line.to_owned()).flatten().collect::<Vec<_>>());
    cookies.find(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_owned())
}

fn switched(headers: &HeaderMap) -> Option<Language> {
    Language::from_code(&cookie(headers, COOKIE_NAME)?)
}

/// The language with the highest quality (RFC 9110 section 12.5.4); of equal ones the first.
fn liked(headers: &HeaderMap) -> Option<Language> {
    let lines = headers.get_all(ACCEPT_LANGUAGE).iter().filter_map(|line| line.to_str().ok());
    let mut best: Option<(f32, Language)> = None;
    for choice in lines.flat_map(|line| line.split(',')) {
        let mut parts = choice.split(';').map(str::trim);
        let Some(language) = parts.next().map(str::to_ascii_lowercase).and_then(|tag| Language::from_code(&tag)) else {
            continue;
        };
        let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
        if quality > best.map_or(0.0, |(quality, _)| quality) {
            best = Some((quality, language));
        }
    }
    best.map(|(_, language)| language)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn language(cookie: &str, accepted: &str) -> Language {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, cookie.parse().unwrap());
        headers.insert(ACCEPT_LANGUAGE, accepted.parse().unwrap());
        Language::of(&headers)
    }

    #[test]
    fn the_switch_comes_before_the_browser() {
        assert_eq!(language("a=b; lang=zh", "en"), Language::Chinese);
        assert_eq!(language("lang=fr", "zh-CN,zh;q=0.9,en;q=0.8"), Language::Chinese);
        assert_eq!(language("", "en-GB, zh"), Language::English);
        assert_eq!(language("", "en;q=0.5, zh-TW;q=0.7"), Language::Chinese);
        assert_eq!(language("", "zh;q=0, fr"), Language::English);
        assert_eq!(language("", "\u{7f}".trim_matches('\u{7f}')), Language::English);
    }
}
