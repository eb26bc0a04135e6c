//! The languages that pages and commands speak, and how a text of theirs gets its values. What they say stands with
//! them.

use std::fmt::Display;

/// A language that people are spoken to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Simplified Chinese.
    Chinese,
}

impl Language {
    /// Every language, English first.
    pub const ALL: [Self; 2] = [Self::English, Self::Chinese];
}

/// The text with values in its blanks, which are `{}`, in order.
#[must_use]
pub fn fill(text: &str, values: &[&dyn Display]) -> String {
    let mut filled = String::with_capacity(text.len() + 16);
    let mut values = values.iter();
    let mut parts = text.split("{}");
    filled.push_str(parts.next().unwrap_or_default());
    for part in parts {
        if let Some(value) = values.next() {
            filled.push_str(&value.to_string());
        }
        filled.push_str(part);
    }
    filled
}

/// Makes a struct `Words` of texts in both languages, which stand side by side so that neither can lack one:
/// `name: "English", "Chinese";`. Beside it are `ENGLISH` and `CHINESE`, and for tests `ALL`, each text with its name.
macro_rules! bilingual {
    ($($name:ident: $english:literal, $chinese:literal;)*) => {
        /// The texts of one language.
        #[derive(Debug)]
        pub(super) struct Words {
            pub(super) language: $crate::domain::language::Language,
            $(#[doc = $english] pub(super) $name: &'static str,)*
        }

        static ENGLISH: Words =
            Words { language: $crate::domain::language::Language::English, $($name: $english,)* };

        static CHINESE: Words =
            Words { language: $crate::domain::language::Language::Chinese, $($name: $chinese,)* };

        impl Words {
            /// The texts of this language.
            pub(super) fn of(language: $crate::domain::language::Language) -> &'static Self {
                match language {
                    $crate::domain::language::Language::English => &ENGLISH,
                    $crate::domain::language::Language::Chinese => &CHINESE,
                }
            }
        }

        #[cfg(test)]
        static ALL: &[(&str, &str, &str)] = &[$((stringify!($name), $english, $chinese),)*];
    };
}

pub(crate) use bilingual;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_into_the_blanks_in_order() {
        assert_eq!(fill("{} of {}", &[&1, &"two"]), "1 of two");
        assert_eq!(fill("{} and {}", &[&1]), "1 and ");
        assert_eq!(fill("none", &[&1]), "none");
    }
}
