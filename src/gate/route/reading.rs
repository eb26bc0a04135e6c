//! How callbacks in one language are read, judged and answered.

use crate::gate::accepted::Accepted;
use crate::gate::claim::{Carrier, ClaimReader, Sealed};
use crate::gate::path::PathValues;
use crate::gate::reply::ReplyStyle;
use crate::provider::Preset;
use crate::provider::preset::Sealing;
use bytes::Bytes;
use hyper::http::request::Parts;

/// How callbacks in one language are read, judged and answered. A route has one, or one for each language that its
/// provider notifies in.
#[derive(Debug)]
pub struct Reading {
    /// Which provider's own notifications they are, if they are any: they are opened before anything is asked.
    pub preset: Option<&'static Preset>,
    /// How the claim is read.
    pub claim: ClaimReader,
    /// When the upstream counts as having taken a callback.
    pub accepted: Accepted,
    /// How the gate's own answers look.
    pub reply: ReplyStyle,
}

impl Reading {
    /// Reads a notification whose claim is sealed, if this one is of that form.
    #[must_use]
    pub fn read_sealed<'b>(&self, head: &Parts, path: &PathValues<'_>, body: &'b Bytes) -> Option<Sealed<'b>> {
        let form = self.preset?.sealed.and_then(Sealing::field)?;
        self.claim.read_sealed(form, head, path, body)
    }

    /// Whether nothing of its notifications can be read but by the account.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        matches!(self.preset.and_then(|preset| preset.sealed), Some(Sealing::Body))
    }

    /// Whether the signature of its notifications ages, so that the same bytes cannot be sent again for long.
    #[must_use]
    pub fn ages(&self) -> bool {
        self.preset.is_some_and(|preset| preset.signed_at.is_some())
    }

    /// Whether a Content-Type is that of its carrier.
    #[must_use]
    pub fn is_named_by(&self, content_type: &str) -> bool {
        let word = match self.claim.fields().carrier {
            Carrier::Json => "json",
            Carrier::Xml => "xml",
            Carrier::Query | Carrier::Form => "form-urlencoded",
            Carrier::Multipart => "form-data",
        };
        content_type.to_ascii_lowercase().contains(word)
    }

    /// Whether its channel is the account that a notification names.
    #[must_use]
    pub fn is_auto(&self) -> bool {
        self.preset.is_some() && self.claim.fields().channel.is_empty()
    }
}
