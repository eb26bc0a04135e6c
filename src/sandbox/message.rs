//! A message of API v2 in the making: its fields in the order they are written, signed like WeChat Pay's.

use crate::provider::wechat::sign::{self, SignType};
use std::fmt::Write;

/// Fields in writing order. Names are unique.
#[derive(Debug, Clone, Default)]
pub(super) struct Message(Vec<(&'static str, String)>);

impl Message {
    /// Appends a field.
    pub(super) fn push(&mut self, name: &'static str, value: impl Into<String>) {
        self.0.push((name, value.into()));
    }

    /// Appends a field if there is a value.
    pub(super) fn push_some(&mut self, name: &'static str, value: Option<impl Into<String>>) {
        if let Some(value) = value {
            self.push(name, value);
        }
    }

    /// The field's value.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|field| field.0 == name).map(|field| field.1.as_str())
    }

    /// Gives the field another value, if it is there.
    pub(super) fn replace(&mut self, name: &str, value: impl Into<String>) {
        if let Some(field) = self.0.iter_mut().find(|field| field.0 == name) {
            field.1 = value.into();
        }
    }

    /// Takes the field out.
    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|field| field.0 != name);
    }

    /// Sorts by name, as notifications are.
    pub(super) fn sort(&mut self) {
        self.0.sort_unstable_by_key(|field| field.0);
    }

    /// Writes the signature of all other fields into the field `sign`, which must have been put where it belongs.
    pub(super) fn sign(&mut self, key: &[u8], by: SignType) {
        let sign = sign::sign(self.0.iter().map(|(name, value)| (*name, value.as_str())), key, by);
        self.replace("sign", sign);
    }

    /// The document: an element a line, values in CDATA but for the numbers in `bare`
    /// (`docs/reference/wechatpay-v2.md` sections 4.2 and 7.3).
    pub(super) fn to_xml(&self, bare: &[&str]) -> String {
        self.to_xml_below("xml", bare)
    }

    /// The document below another root than `xml`.
    pub(super) fn to_xml_below(&self, root: &str, bare: &[&str]) -> String {
        let mut xml = format!("<{root}>");
        for (name, value) in &self.0 {
            let _ = if bare.contains(name) {
                writeln!(xml, "<{name}>{value}</{name}>")
            } else {
                writeln!(xml, "<{name}><![CDATA[{}]]></{name}>", value.replace("]]>", "]]]]><![CDATA[>"))
            };
        }
        let _ = write!(xml, "</{root}>");
        xml
    }
}
