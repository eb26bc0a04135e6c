//! Claim fields hidden in the text of another field. To a parser
//! `<attach><![CDATA[<out_trade_no>B</out_trade_no>]]></attach>` is a text; a program that looks for `<out_trade_no>`
//! with a pattern, an HTML parser, and a program that undoes escapes before he reads, find a field there (threat E-11).
//! So the tag of a claim field may stand in no text, in no spelling and under no number of escapes. Other tags may:
//! merchants write into `attach` what they like.

use super::Unreadable;
use super::fold::{any_spelling, plain_name_folds_to};
use super::names::Names;
use crate::domain::reason::Reason;
use crate::net::xml::Fields;
use memchr::{memchr, memchr_iter, memchr2};
use std::borrow::Cow;

/// How many escapes over another are undone. A text that still has some then is refused: two come about by mistake,
/// and each costs as much as reading the text.
const MOST_ESCAPED: usize = 8;

/// Refuses the tag of a claim field, and of what the gate vouches for, in the text of any field.
pub(super) fn refuse(names: &Names, fields: &Fields<'_>) -> Result<(), Unreadable> {
    fields.iter().try_for_each(|(_, text)| refuse_in(names, text))
}

fn refuse_in(names: &Names, text: &str) -> Result<(), Unreadable> {
    if memchr2(b'<', b'&', text.as_bytes()).is_none() {
        return Ok(());
    }
    let mut text = Cow::Borrowed(text);
    for _ in 0..=MOST_ESCAPED {
        if let Some(name) = tags(&text).find_map(|tag| named(names, tag)) {
            let detail = format!("the tag of {name} stands in the text of a field, where some programs find it first");
            return Err(Unreadable::new(Reason::FieldRepeated, detail));
        }
        match unescaped(&text) {
            Some(once) => text = Cow::Owned(once),
            None => return Ok(()),
        }
    }
    let detail = format!("the XML has a text with more than {MOST_ESCAPED} escapes over another");
    Err(Unreadable::new(Reason::BodyMalformed, detail))
}

/// What may be the name of a tag: what stands behind each `<`, up to what no name goes beyond.
fn tags(text: &str) -> impl Iterator<Item = &str> {
    memchr_iter(b'<', text.as_bytes()).filter_map(|at| {
        let ends_trimming = |c: char| c.is_alphanumeric() || matches!(c, '<' | '>' | '&');
        let behind = text.get(at + 1..)?.trim_start_matches(|c| !ends_trimming(c));
        behind.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '/' | '&' | '=' | '"' | '\'')).next()
    })
}

/// The field that a tag of this name is, be it with a namespace's prefix.
fn named<'n>(names: &'n Names, tag: &str) -> Option<Cow<'n, str>> {
    let vouched_for = |tag: &str| {
        let is = |name: &&str| any_spelling("", tag, |folded| plain_name_folds_to(name.as_bytes(), folded));
        names.vouched_for.iter().copied().find(is)
    };
    tag.split(':').filter(|tag| !tag.is_empty()).find_map(|tag| {
        let claimed = names.find_tag(tag).map(|field| Cow::Owned(field.to_string()));
        claimed.or_else(|| vouched_for(tag).map(Cow::Borrowed))
    })
}

/// The text with one layer of escapes undone, as leniently as browsers do it; `None` if it has none.
fn unescaped(text: &str) -> Option<String> {
    let mut plain = String::new();
    let (mut rest, mut is_escaped) = (text, false);
    while let Some((before, reference)) = memchr(b'&', rest.as_bytes()).and_then(|at| rest.split_at_checked(at)) {
        plain.push_str(before);
        let (meant, behind) = match resolve(reference) {
            Some(resolved) => {
                is_escaped = true;
                resolved
            }
            None => ('&', reference.strip_prefix('&').unwrap_or_default()),
        };
        plain.push(meant);
        rest = behind;
    }
    is_escaped.then(|| plain + rest)
}

/// What the reference at the beginning of a text stands for, and the text behind it. Its semicolon may be missing.
fn resolve(text: &str) -> Option<(char, &str)> {
    let text = text.strip_prefix('&')?;
    let (meant, behind) = match text.strip_prefix('#') {
        Some(number) => by_number(number)?,
        None => by_name(text)?,
    };
    Some((meant, behind.strip_prefix(';').unwrap_or(behind)))
}

fn by_number(text: &str) -> Option<(char, &str)> {
    let (digits, radix) = text.strip_prefix(['x', 'X']).map_or((text, 10), |digits| (digits, 16));
    let behind = digits.trim_start_matches(|c: char| c.is_digit(radix));
    let digits = digits.strip_suffix(behind).filter(|digits| !digits.is_empty())?;
    let digits = digits.chars().filter_map(|digit| digit.to_digit(radix));
    let code = digits.fold(0_u32, |code, digit| code.saturating_mul(radix).saturating_add(digit));
    Some((char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), behind))
}

/// HTML has two thousand names. None of the others is a letter or a digit of ASCII, so that a sign stands for them all
/// where names are compared.
fn by_name(text: &str) -> Option<(char, &str)> {
    const KNOWN: [(&str, char); 6] =
        [("lt", '<'), ("gt", '>'), ("amp", '&'), ("quot", '"'), ("apos", '\''), ("colon", ':')];
    let known = KNOWN.into_iter().find_map(|(name, meant)| {
        let (start, behind) = text.split_at_checked(name.len())?;
        start.eq_ignore_ascii_case(name).then_some((meant, behind))
    });
    known.or_else(|| {
        let behind = text.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
        (behind.len() < text.len() && behind.starts_with(';')).then_some(('_', behind))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_undone_a_layer_at_a_time() {
        for (text, once) in [
            ("a&lt;b&GT;c", Some("a<b>c")),
            ("&amp;lt;", Some("&lt;")),
            ("&ltx&gt", Some("<x>")),
            ("&#60;&#x3C;&#X3c;&#0060&#60", Some("<<<<<")),
            ("&lowbar;&eacute;", Some("__")),
            ("&#99999999999;&#xd800;&#0;", Some("\u{fffd}\u{fffd}\0")),
            ("a=1&b=2", None),
            ("& &; &# &#x; &#xg &名;", None),
            ("", None),
        ] {
            assert_eq!(unescaped(text).as_deref(), once, "{text}");
        }
    }

    #[test]
    fn every_tag_has_a_name() {
        let text = "<a><b/></ c ><!d <x:e f=\"<g\" <> << &lt;no> <?h?><i&#95;j>";
        let occurrences: Vec<_> = tags(text).filter(|tag| !tag.is_empty()).collect();
        assert_eq!(occurrences, ["a", "b", "c", "d", "x:e", "g", "h?", "i"]);
    }
}
