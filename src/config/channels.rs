//! The merchant accounts.

use super::read::{Map, Section, Value};
use super::synthesize::RouteName;
use super::{settings, sweep};
use crate::domain::config_status;
use crate::domain::order::{AppId, BadId, ChannelId, MerchantId, ORDER_BYTES, is_order_byte};
use crate::gate::channel::{Affix, Channel, QueryBy};
use crate::gate::policy::{Mode, OnRefunded, OnSecondPayment};
use crate::provider::wechat::sign::SignType;
use crate::provider::wechat::v2::Keys;
use crate::provider::wechat::{Account, Api, ApiKey, BadApiKey, Credentials, Service};
use crate::reconcile::bill::Plan;
use crate::upstream::Upstream;
use std::sync::Arc;

pub(super) static CHANNEL: Section = Section {
    name: "channels.NAME",
    keys: &[
        "provider",
        "appid",
        "mch_id",
        "key",
        "sign_type",
        "query_by",
        "out_trade_no",
        "sub_mch_id",
        "sub_appid",
        "upstream",
        "sweep",
        "mode",
        "on_refunded",
        "on_second_payment",
    ],
};
pub(super) static OUT_TRADE_NO: Section = Section { name: "channels.NAME.out_trade_no", keys: &["prefix", "suffix"] };

/// Most bytes of an `out_trade_no`.
const OUT_TRADE_NO_BYTES: usize = 32;

/// What a channel inherits, and the names it may refer to.
pub(super) struct Inherited<'a> {
    /// `None` if the file's own is unreadable.
    pub(super) upstream: Option<&'a Upstream>,
    pub(super) mode: Mode,
    pub(super) routes: &'a [RouteName<'a>],
    /// What accounts at WeChat Pay ask by.
    pub(super) wechat: &'a Arc<Service>,
}

/// A channel, its account as what it is, and what is swept of it.
pub(super) struct ReadChannel {
    pub(super) channel: Channel,
    pub(super) account: Arc<Account>,
    pub(super) sweep: Option<Plan>,
}

/// The words of `mode`, here and for the whole gate.
pub(super) const MODES: &[(&str, Mode)] = &[("enforce", Mode::Enforce), ("observe", Mode::Observe)];

pub(super) fn channels(value: &Value<'_>, inherited: &Inherited<'_>) -> Option<Vec<ReadChannel>> {
    let entries = value.entries_or("write each name as a key, app: { provider: wechat-v2, ... }, without -")?;
    if entries.is_empty() {
        value.problem("has no channel", "add at least one merchant account");
    }
    Some(entries.iter().filter_map(|(name, _, value)| channel(name, value, inherited)).collect())
}

fn channel(name: &str, value: &Value<'_>, inherited: &Inherited<'_>) -> Option<ReadChannel> {
    let id = ChannelId::parse(name)
        .map_err(|error| value.problem(format!("the channel's name {error}"), "choose a name like app or 2/c1"))
        .ok();
    let map = value.map(&CHANNEL)?;
    let credentials = credentials(&map);
    let query_by = map.or("query_by", QueryBy::default(), |v| {
        v.choice(&[("out_trade_no", QueryBy::OutTradeNo), ("transaction_id", QueryBy::TransactionId)])
    });
    let out_trade_no = map.or("out_trade_no", Affix::default(), affix);
    let upstream = map.optional("upstream", settings::upstream);
    let mode = map.or("mode", inherited.mode, |v| v.choice(MODES));
    let on_refunded = map.or("on_refunded", OnRefunded::default(), |v| {
        v.choice(&[("refuse", OnRefunded::Refuse), ("forward", OnRefunded::Forward)])
    });
    let sweep = map.optional("sweep", |v| sweep::sweep(v, id, inherited.routes));
    let on_second_payment = map.or("on_second_payment", OnSecondPayment::default(), |v| {
        v.choice(&[("park", OnSecondPayment::Park), ("forward", OnSecondPayment::Forward)])
    });
    let upstream = upstream.or_else(|| inherited.upstream.cloned())?;
    let id = id?;
    let account = Arc::new(Account { channel: id, credentials: credentials?, service: Arc::clone(inherited.wechat) });
    let channel = Channel {
        id,
        account: Arc::<Account>::clone(&account),
        query_by,
        out_trade_no,
        upstream,
        mode,
        on_refunded,
        on_second_payment,
        generation: config_status::FIRST,
    };
    Some(ReadChannel { channel, account, sweep })
}

fn credentials(map: &Map<'_>) -> Option<Credentials> {
    let provider = map.required("provider", "provider: wechat-v2", |v| {
        if refused_as_v3(v) { None } else { v.choice(&[("wechat-v2", ())]) }
    });
    let appid = map.required("appid", "appid: wx and 16 hexadecimal digits, from the merchant platform", |v| {
        v.parse(AppId::parse, "copy the appid from the merchant platform")
    });
    let mch_id = map.required("mch_id", "mch_id: the merchant's number", merchant);
    let keys = map.required("key", "key: ${NAME}, the 32 letters and digits of the APIv2 key", keys);
    let sign_type = map.or("sign_type", SignType::default(), |v| {
        v.choice(&[("MD5", SignType::Md5), ("HMAC-SHA256", SignType::HmacSha256)])
    });
    let sub_mch_id = map.optional("sub_mch_id", |v| if v.is_empty_text() { None } else { merchant(v) });
    let sub_appid = map.optional("sub_appid", |v| {
        if v.is_empty_text() { None } else { v.parse(AppId::parse, "copy it from the merchant platform, or remove it") }
    });
    if let (Some(value), Some(_), None) = (map.get("sub_appid"), sub_appid, sub_mch_id) {
        value.problem("stands without a sub_mch_id", "add sub_mch_id, or remove sub_appid");
    }
    let ((), (signing, also_verify)) = (provider?, keys?);
    let api = Api::V2(Keys { signing, also_verify, sign_type });
    Some(Credentials {
        api,
        also: None,
        other_appids: Vec::new(),
        appid: appid?,
        mch_id: mch_id?,
        sub_mch_id,
        sub_appid,
    })
}

/// Says so if a value asks for WeChat Pay's API v3.
pub(super) fn refused_as_v3(value: &Value<'_>) -> bool {
    let v3 = value.written() == Some("wechat-v3");
    if v3 {
        value.problem("API v3 is not in this version yet", "use the merchant's APIv2 key and write wechat-v2");
    }
    v3
}

fn merchant(value: &Value<'_>) -> Option<MerchantId> {
    let id = value.parse(MerchantId::parse, "copy the number from the merchant platform")?;
    if id.as_str().bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(id);
    }
    let remedy = if id.as_str().starts_with("wx") {
        "that is an appid: it goes to appid, and the merchant's number has digits only"
    } else {
        "copy the number from the merchant platform: it has digits only, as 1900000109"
    };
    value.problem("has letters", remedy);
    None
}

/// The key that signs, and those that still verify.
fn keys(value: &Value<'_>) -> Option<(ApiKey, Vec<ApiKey>)> {
    let mut keys = value.one_or_list()?.into_iter().map(|item| {
        let secret = item.secret()?;
        ApiKey::parse(secret).map_err(|error| item.problem(error.to_string(), key_remedy(error))).ok()
    });
    let signing = keys.next();
    let also_verify: Vec<_> = keys.collect();
    Some((signing??, also_verify.into_iter().flatten().collect()))
}

fn key_remedy(error: BadApiKey) -> &'static str {
    match error {
        BadApiKey::Shape => "copy the APIv2 key that was set on the merchant platform",
        BadApiKey::Sample => "everybody knows it: set a key of your own on the merchant platform",
    }
}

fn affix(value: &Value<'_>) -> Option<Affix> {
    let map = value.map(&OUT_TRADE_NO)?;
    let affix = Affix {
        prefix: map.or("prefix", String::new(), affix_text),
        suffix: map.or("suffix", String::new(), affix_text),
    };
    if affix.prefix.len() + affix.suffix.len() >= OUT_TRADE_NO_BYTES {
        value.problem("leaves no room for the order id", "WeChat Pay takes 32 characters in all");
    }
    Some(affix)
}

fn affix_text(value: &Value<'_>) -> Option<String> {
    let text = value.text_or_empty()?;
    if !text.bytes().all(is_order_byte) {
        value.problem(BadId::Character(ORDER_BYTES).to_string(), "use only what WeChat Pay allows in out_trade_no");
    }
    Some(text)
}
