//! Notifications whose claim is sealed, such as WeChat Pay's of refunds. What stands in the clear is read as strictly
//! as any callback, and has none of the claim's fields.

use super::occurrences::Occurrences;
use super::value::Value;
use super::{Carrier, ClaimReader, Field, Place, Unreadable, channel_rule, channel_value, form, media, xml};
use crate::domain::order::ChannelId;
use crate::gate::path::PathValues;
use crate::net::xml::Fields;
use crate::provider::preset::SealedForm;
use bytes::Bytes;
use hyper::http::request::Parts;
use memchr::memmem;

/// A notification whose claim is sealed.
#[derive(Debug)]
pub struct Sealed<'b> {
    /// The channel it selects, which may not be configured; `None` if no rule applied.
    pub channel: Option<ChannelId>,
    /// What stands in the clear; what is sealed is among it, as it was sent.
    pub xml: Fields<'b>,
}

impl ClaimReader {
    /// Reads a callback as one whose claim is sealed. `None` if it is none, or if anything in it is in doubt: then
    /// [`read`](Self::read) says what.
    #[must_use]
    pub fn read_sealed<'b>(
        &self,
        form: SealedForm,
        head: &Parts,
        path: &PathValues<'_>,
        body: &'b Bytes,
    ) -> Option<Sealed<'b>> {
        if self.fields.carrier != Carrier::Xml {
            return None;
        }
        memmem::find(body, form.field.as_bytes())?;
        let media = media::check(&self.fields, &head.headers, !body.is_empty()).ok()?;
        let xml = xml::parse(body).ok()?;
        xml.filled(form.field)?;
        // What is sealed is the claim: it stands once, in one spelling and in one run of text, as any claim does.
        let sealed = Field { place: Place::Carrier, name: form.field.to_owned() };
        let names = self.names.with(&sealed, self.fields.carrier);
        let mut occurrences = Occurrences::new(&names);
        self.read_head(&mut occurrences, head, path).ok()?;
        xml::read(&mut occurrences, body, &xml).ok()?;
        if media.is_called_form {
            form::refuse(&mut occurrences, body).ok()?;
        }
        let fields = &self.fields;
        let amount = fields.amount.as_ref().map(|(field, _)| field);
        let mut claimed = [Some(&fields.order), fields.out_trade_no.as_ref(), fields.transaction.as_ref(), amount]
            .into_iter()
            .flatten();
        let is_plain = matches!(occurrences.get(&sealed), Some(Value::Text(_)));
        let in_the_clear =
            claimed.any(|field| names.index(field).is_some_and(|index| occurrences.raw(index).is_some()));
        if !is_plain || in_the_clear || form.never_beside.iter().any(|name| xml.get(name).is_some()) {
            return None;
        }
        let channel = channel_rule::select(&fields.channel, |field| channel_value(&occurrences, field)).ok()?;
        drop(occurrences);
        Some(Sealed { channel, xml })
    }

    /// Reads a callback of which nothing but its account can read the body: the channel that the rules select, which may
    /// not be configured; `None` if no rule applied.
    ///
    /// # Errors
    /// If body and carrier do not go together, or a field of the claim stands in the head in any spelling.
    pub fn select(&self, head: &Parts, path: &PathValues<'_>) -> Result<Option<ChannelId>, Unreadable> {
        media::check_signed(&self.fields, &head.headers)?;
        let mut occurrences = Occurrences::new(&self.names);
        self.read_head(&mut occurrences, head, path)?;
        channel_rule::select(&self.fields.channel, |field| channel_value(&occurrences, field))
    }
}
