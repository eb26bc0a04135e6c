//! Notifications whose claim is sealed: WeChat Pay's of refunds. What stands in the clear is read as strictly as any callback,
//! and has none of the claim's fields.

use super::found::Found;
use super::value::Value;
use super::{ClaimReader, Field, Place, channel, channel_value, form, media, xml};
use crate::domain::order::ChannelId;
use crate::gate::route::PathValues;
use crate::provider::wechat::v2::refund::REQ_INFO;
use crate::provider::xml::Fields;
use bytes::Bytes;
use hyper::http::request::Parts;
use memchr::memmem;

/// A notification whose claim is sealed.
#[derive(Debug)]
pub struct Sealed<'b> {
    /// The channel it selects, which may not be configured; `None` if no rule applied.
    pub channel: Option<ChannelId>,
    /// What stands in the clear; `req_info` is among it.
    pub xml: Fields<'b>,
}

/// What a payment's notification has in the clear, and a refund's has not.
const OF_PAYMENTS: [&str; 2] = ["sign", "result_code"];

impl ClaimReader {
    /// Reads a callback as one whose claim is sealed. `None` if it is none, or if anything in it is in doubt: then
    /// [`read`](Self::read) says what.
    #[must_use]
    pub fn read_sealed<'b>(&self, head: &Parts, path: &PathValues<'_>, body: &'b Bytes) -> Option<Sealed<'b>> {
        memmem::find(body, REQ_INFO.as_bytes())?;
        let media = media::check(&self.fields, &head.headers, !body.is_empty()).ok()?;
        let xml = xml::parse(body).ok()?;
        xml.filled(REQ_INFO)?;
        // What is sealed is the claim: it stands once, in one spelling and in one run of text, as any claim does.
        let req_info = Field { place: Place::Carrier, name: REQ_INFO.to_owned() };
        let names = self.names.with(&req_info, self.fields.carrier);
        let mut found = Found::new(&names);
        self.read_head(&mut found, head, path).ok()?;
        xml::read(&mut found, body, &xml).ok()?;
        if media.is_called_form {
            form::refuse(&mut found, body).ok()?;
        }
        let fields = &self.fields;
        let amount = fields.amount.as_ref().map(|(field, _)| field);
        let mut claimed = [Some(&fields.order), fields.out_trade_no.as_ref(), fields.transaction.as_ref(), amount]
            .into_iter()
            .flatten();
        let is_plain = matches!(found.get(&req_info), Some(Value::Text(_)));
        let in_the_clear = claimed.any(|field| names.index(field).is_some_and(|index| found.raw(index).is_some()));
        if !is_plain || in_the_clear || OF_PAYMENTS.iter().any(|name| xml.get(name).is_some()) {
            return None;
        }
        let channel = channel::select(&fields.channel, |field| channel_value(&found, field)).ok()?;
        drop(found);
        Some(Sealed { channel, xml })
    }
}
