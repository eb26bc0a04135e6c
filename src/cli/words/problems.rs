//! What can be wrong with a configuration, in Chinese.

/// A text of a problem in Chinese; as it is, if nobody has translated it.
pub(super) fn in_chinese(text: &str) -> String {
    text.to_owned()
}
