//! What each reason means and what to do about it, on the page, where buttons stand beside the words (`docs/reasons.md`
//! says the same at greater length).

mod chinese;

mod english;

use super::Language;
use crate::domain::reason::Reason;
use chinese::chinese;
use english::english;

/// A reason in one language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::admin::page) struct Explained {
    /// A few words, for lists.
    pub(in crate::admin::page) short: &'static str,
    /// What it means.
    pub(in crate::admin::page) meaning: &'static str,
    /// What somebody who looks at it does.
    pub(in crate::admin::page) to_do: &'static str,
}

/// A reason, explained.
pub(in crate::admin::page) fn explain(reason: Reason, language: Language) -> Explained {
    match language {
        Language::English => {
            let (short, to_do) = english(reason);
            Explained { short, meaning: reason.text(), to_do }
        }
        Language::Chinese => {
            let (short, meaning, to_do) = chinese(reason);
            Explained { short, meaning, to_do }
        }
    }
}

/// What a reason means, in Chinese.
#[must_use]
pub(crate) fn reason_in_chinese(reason: Reason) -> &'static str {
    chinese(reason).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_says_what_it_means_and_what_to_do() {
        for reason in Reason::ALL {
            for language in Language::ALL {
                let Explained { short, meaning, to_do } = explain(*reason, language);
                assert!(!short.is_empty() && short.chars().count() <= 44, "{reason} {short}");
                for text in [meaning, to_do] {
                    let ends = if language == Language::English { '.' } else { '。' };
                    assert!(text.ends_with(ends) || text.ends_with('？') || text.ends_with('?'), "{reason}: {text}");
                }
            }
            let [english, chinese] = Language::ALL.map(|language| explain(*reason, language));
            assert!(english.short != chinese.short && english.to_do != chinese.to_do, "{reason}");
        }
    }
}
