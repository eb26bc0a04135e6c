//! Sending a notification, in either language.

use super::book::Book;
use super::control_error::ControlError;
use super::keys::{Keyring, SigningKey};
use super::merchant::Merchant;
use super::notification::{self, Announcement, Forgery, Notification, Progress};
use super::notifier::{self, Delivery, Document};
use super::order::{Order, OrderFields, OrderKey, TradeState};
use super::query::Api;
use super::v3::{self, Envelope, Event};
use super::{BookAndStop, MOST_COPIES, Sandbox, refund};
use crate::provider::wechat::sign::SignType;
use crate::provider::wechat::v3::rsa::PrivateKey;

/// What is told unless something else is said.
const PAID: &str = "TRANSACTION.SUCCESS";

/// What is told of what came back.
const REFUNDED: &str = "REFUND.SUCCESS";

/// Characters of an `event_type` (`docs/reference/wechatpay-v3.md` section 6.2).
const MOST_CHARACTERS: usize = 32;

impl Sandbox {
    /// Sends a notification, in a task of its own on the runtime that this is called on; its number.
    ///
    /// # Errors
    /// If it makes no sense. Whether it arrives, or was lost, is told by [`Sandbox::notification`].
    pub fn notify(&self, announcement: Announcement) -> Result<u64, ControlError> {
        let Announcement { mch_id, sub_mch_id, out_trade_no, .. } = &announcement;
        let key = self.key(mch_id.as_deref(), sub_mch_id.as_deref(), out_trade_no)?;
        let checked = Checked::of(&announcement)?;
        let mut state = self.lock();
        let BookAndStop { book, keys, .. } = &mut *state;
        let order = notified_order(book, key, announcement.forge)?;
        if announcement.refund.is_some_and(|fen| !(1..=order.total_fee).contains(&fen)) {
            return Err(ControlError::Refund);
        }
        let merchant = book.merchants.iter().find(|merchant| merchant.mch_id == key.mch_id);
        let merchant = merchant.cloned().ok_or(ControlError::NoSuchMerchant)?;
        let document = checked.compose(book, keys.as_ref(), &order, &merchant)?;
        let event_type = checked.event_type.map(|event| event.name.to_owned());
        let Announcement { notify_url, copies, forge, format, retry, .. } = announcement;
        // What a forger sends is not WeChat Pay's to lose.
        let is_lost = forge == Forgery::None && book.seed.is_lost(book.next_notification(), book.loss);
        let id = book.announce(|id| Notification {
            id,
            order: key,
            notify_url: notify_url.clone(),
            format,
            event_type,
            forge,
            progress: if is_lost { Progress::Lost } else { Progress::Sending },
            attempts: Vec::new(),
        });
        if !is_lost {
            let delivery = Delivery { id, notify_url, document, copies, retry };
            let deliver = notifier::deliver(self.clone(), delivery);
            tokio::spawn(state.stop.clone().run_until_cancelled_owned(deliver));
        }
        Ok(id)
    }

    /// What signs a delivery, and what belongs to nobody; `None` only if the cryptographic library failed.
    pub(super) fn signs_notification(
        &self,
        envelope: &Envelope,
        (round, copy): (usize, u32),
    ) -> Option<(SigningKey, PrivateKey)> {
        let state = self.lock();
        let keys = state.keys.as_ref()?;
        let round = u64::try_from(round).unwrap_or_default();
        let number = envelope.id + round + u64::from(copy);
        Some((keys.for_notification(&envelope.merchant, number), keys.stranger.clone()))
    }
}

/// What of an announcement makes sense without looking at the order.
struct Checked<'a> {
    said: &'a Announcement,
    sign_type: SignType,
    /// In API v3.
    event_type: Option<Event<'a>>,
}

impl<'a> Checked<'a> {
    fn of(said: &'a Announcement) -> Result<Self, ControlError> {
        let sign_type = SignType::parse(&said.sign_type).ok_or(ControlError::SignType)?;
        let url = said.notify_url.parse::<hyper::Uri>().map_err(|_| ControlError::NotifyUrl)?;
        if url.scheme_str() != Some("http") || url.host().is_none() {
            return Err(ControlError::NotifyUrl);
        }
        if !(1..=MOST_COPIES).contains(&said.copies) {
            return Err(ControlError::Copies);
        }
        if !said.forge.is_of(said.format) {
            return Err(ControlError::Forge);
        }
        let usual = if said.refund.is_some() { REFUNDED } else { PAID };
        let name = said.event_type.as_deref().unwrap_or(usual);
        let is_one = |byte: u8| byte.is_ascii_uppercase() || byte == b'.' || byte == b'_';
        if name.is_empty() || name.len() > MOST_CHARACTERS || !name.bytes().all(is_one) {
            return Err(ControlError::EventType);
        }
        let event_type = match said.format {
            Api::V2 if said.event_type.is_some() => return Err(ControlError::EventType),
            Api::V2 => None,
            Api::V3 => Some(Event { name, refund: said.refund }),
        };
        Ok(Self { said, sign_type, event_type })
    }

    /// The document of the next notification.
    fn compose(
        &self,
        book: &Book,
        keys: Option<&Keyring>,
        order: &Order,
        merchant: &Merchant,
    ) -> Result<Document, ControlError> {
        let (forge, seed, id) = (self.said.forge, book.seed, book.next_notification());
        if let Some(event) = self.event_type {
            let keys = keys.and_then(|keys| keys.merchant(merchant.mch_id.as_str())).ok_or(ControlError::NoV3)?;
            let envelope = v3::compose((order, merchant.appid), keys, event, id, forge, seed);
            return envelope.map(|envelope| Document::V3(Box::new(envelope))).ok_or(ControlError::NoV3);
        }
        if merchant.key.is_none() {
            return Err(ControlError::NoV2);
        }
        let nonce_str = seed.notification_nonce(id);
        let document = match self.said.refund {
            Some(fen) => refund::compose(order, merchant, fen, nonce_str, forge, seed).ok_or(ControlError::Refund)?,
            None => notification::compose(order, merchant, nonce_str, forge, self.sign_type, seed),
        };
        Ok(Document::V2(document))
    }
}

/// The order that a notification speaks of. A forger needs no payment, and no order either.
fn notified_order(book: &Book, key: OrderKey, forge: Forgery) -> Result<Order, ControlError> {
    let paid = |order: Order| order.with(TradeState::Success, OrderFields::default(), book.seed);
    match book.order(key) {
        Some(order) if order.trade_state.is_paid() => Ok(order),
        Some(_) if forge.is_wechat_pays() => Err(ControlError::NotPaid),
        Some(order) => Ok(paid(order)?),
        None if forge.is_wechat_pays() => Err(ControlError::NoSuchOrder),
        None => Ok(paid(Order::new(key, book.seed))?),
    }
}
