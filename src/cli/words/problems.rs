//! What can be wrong with a configuration, in Chinese: what is wrong, what to do about it, and what is warned of. The
//! English texts are where they are found; here each stands beside its translation, `{}` for what differs. A text that
//! is not here is shown as it is.

mod texts;

use texts::TEXTS;

/// A text in Chinese; as it is, if it is not translated.
pub(super) fn in_chinese(text: &str) -> String {
    let found = TEXTS.iter().filter_map(|(english, chinese)| Some((english, values(english, text)?, *chinese)));
    let found = found.max_by_key(|(english, ..)| says(english));
    found.map_or_else(
        || text.to_owned(),
        |(english, values, chinese)| {
            let text = filled(chinese, &values);
            // What may be chosen from is said as a list of words.
            if CHOICES.contains(english) { text.replace(" or ", " 或 ") } else { text }
        },
    )
}

/// The texts whose value is a list of words.
const CHOICES: &[&str] = &["is not {}", "is no usable URL of {}"];

/// How much of a template is its own.
fn says(template: &str) -> usize {
    template.split("{}").map(str::len).sum()
}

/// What stands for each `{}` of a template in a text that it fits.
fn values<'t>(template: &str, text: &'t str) -> Option<Vec<&'t str>> {
    let mut pieces = template.split("{}");
    let mut rest = text.strip_prefix(pieces.next()?)?;
    let mut values = Vec::new();
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        // The last one takes all that is left.
        let end = if pieces.peek().is_some() { rest.find(piece)? } else { rest.strip_suffix(piece)?.len() };
        let (value, behind) = rest.split_at_checked(end)?;
        values.push(value);
        rest = behind.get(piece.len()..)?;
    }
    (rest.is_empty() && values.iter().all(|value| !value.is_empty())).then_some(values)
}

/// As many values as it has blanks: a translation may say for itself what the rest is.
fn filled(template: &str, values: &[&str]) -> String {
    let mut pieces = template.split("{}");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for (piece, value) in pieces.zip(values) {
        text.push_str(value);
        text.push_str(piece);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    #[test]
    fn a_template_fits_its_texts_only() {
        assert_eq!(values("is missing", "is missing"), Some(vec![]));
        assert_eq!(values("add {}", "add listen: 1"), Some(vec!["listen: 1"]));
        assert_eq!(values("is the same as {} ({})", "is the same as routes[0] (4:1)"), Some(vec!["routes[0]", "4:1"]));
        for (template, text) in [("is missing", "is missing."), ("add {}", "add "), ("{} is", "is"), ("a {} b", "a b")]
        {
            assert_eq!(values(template, text), None, "{template} {text}");
        }
    }

    #[test]
    fn every_translation_has_no_more_blanks_than_its_text_and_is_chinese() {
        let mut seen = BTreeSet::new();
        for (english, chinese) in TEXTS {
            assert!(chinese.matches("{}").count() <= english.matches("{}").count(), "{english}");
            assert!(chinese.chars().any(|c| c >= '\u{4E00}'), "{english}");
            assert!(seen.insert(english), "{english} stands there twice");
            let sample = english.replace("{}", "x");
            let fitting = TEXTS.iter().filter(|(template, _)| values(template, &sample).is_some());
            let best = fitting.max_by_key(|(template, _)| says(template));
            assert_eq!(best.map(|(template, _)| template), Some(english), "{english} is never reached");
        }
    }

    /// Those that were written with this page in mind all are, and of the others nearly all.
    #[test]
    fn what_is_wrong_with_a_file_is_told_in_chinese() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/rejected");
        let (mut all, mut english) = (0, Vec::new());
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "txt") {
                continue;
            }
            let is_ours = path.file_name().unwrap().to_str().unwrap().starts_with("written-");
            for line in fs::read_to_string(&path).unwrap().lines() {
                let text = line.splitn(4, ':').nth(3).unwrap().trim_start();
                let text = text.split_once(": ").filter(|(key, _)| !key.contains(' ')).map_or(text, |(_, text)| text);
                let what = text.split("; ").next().unwrap();
                all += 1;
                if in_chinese(what) == what {
                    assert!(!is_ours, "{what}");
                    english.push(what.to_owned());
                }
            }
        }
        assert!(english.len() * 10 < all, "{} of {all} are in English: {english:#?}", english.len());
    }
}
