use super::*;
use crate::domain::order::{AppId, MerchantId, OutTradeNo, TransactionId};
use crate::domain::secret::Secret;
use crate::provider::wechat::Api;

/// WeChat Pay's documented key, which no account may have; the fact sheet's examples are signed with it.
const SAMPLE_KEY: &[u8] = crate::provider::wechat::DOCUMENTED_SAMPLE_KEY.as_bytes();

const KEY: &str = "0123456789abcdefghijklmnopqrstuv";
const OTHER_KEY: &str = "vutsrqponmlkjihgfedcba9876543210";

fn key(text: &str) -> ApiKey {
    ApiKey::parse(Secret::new(text.to_owned())).unwrap()
}

fn keys(account: &Credentials) -> &Keys {
    account.v2().unwrap()
}

fn write_query(account: &Credentials, ask: &AskBy, nonce: &str) -> String {
    super::write_query(account, keys(account), ask, nonce)
}

fn account(keys: &[&str], sign_type: SignType) -> Credentials {
    Credentials {
        api: Api::V2(Keys::from_list(keys.iter().map(|text| key(text)), sign_type).unwrap()),
        also: None,
        other_appids: Vec::new(),
        appid: AppId::parse("wxd930ea5d5a258f4f").unwrap(),
        mch_id: MerchantId::parse("10000100").unwrap(),
        sub_mch_id: None,
        sub_appid: None,
    }
}

fn by_number() -> AskBy {
    AskBy::OutTradeNo(OutTradeNo::parse("ORDER20240101000001").unwrap())
}

/// A document of the fact sheet, signed anew with `key`.
fn signed_with(document: &[u8], key: &str, by: SignType, more: &[(&str, &str)]) -> String {
    let document = Fields::read(document).unwrap();
    let fields: Vec<_> = document.iter().filter(|(name, _)| *name != "sign").chain(more.iter().copied()).collect();
    let sign = sign::sign(fields.iter().copied(), key.as_bytes(), by);
    xml::write(fields.into_iter().chain([("sign", sign.as_str())]))
}

const PAID: &[u8] = include_bytes!("../../../../tests/fixtures/wechat/paid.xml");
const NOTIFICATION: &[u8] = include_bytes!("../../../../tests/fixtures/wechat/notification.xml");

/// Section 3: exactly one id, the other element left out; `sign_type` only where it is not the default.
#[test]
fn a_query_names_one_id_and_is_signed_with_the_first_key() {
    let by_transaction = AskBy::TransactionId(TransactionId::parse("4200000000202401010000000001").unwrap());
    for (ask, id) in [(by_number(), "out_trade_no"), (by_transaction, "transaction_id")] {
        for (sign_type, named) in [(SignType::Md5, None), (SignType::HmacSha256, Some("HMAC-SHA256"))] {
            let text = write_query(&account(&[KEY, OTHER_KEY], sign_type), &ask, "5K8264ILTKCH16CQ2502SI8ZNMTM67VS");
            let query = Fields::read(text.as_bytes()).unwrap();
            let mut names: Vec<_> = query.iter().map(|(name, _)| name).filter(|name| *name != "sign_type").collect();
            names.sort_unstable();
            let mut expected = ["appid", "mch_id", "nonce_str", "sign", id];
            expected.sort_unstable();
            assert_eq!(names, expected);
            assert_eq!(query.get("sign_type"), named);
            assert!(sign::verify(query.iter(), query.get("sign").unwrap(), [KEY.as_bytes()], sign_type));
        }
    }
}

/// Section 2.2, the request by merchant order number: the same fields and key give the sheet's signature.
#[test]
fn a_query_is_signed_as_the_fact_sheet_signs_it() {
    let text = write_query(&account(&[KEY], SignType::HmacSha256), &by_number(), "5K8264ILTKCH16CQ2502SI8ZNMTM67VS");
    let query = Fields::read(text.as_bytes()).unwrap();
    let expected = "B104A45B937E8AF861307676AAD6EB7EA5047110CDC36D392546159D2D4A0758";
    assert_eq!(sign::sign(query.iter(), SAMPLE_KEY, SignType::HmacSha256), expected);
}

/// Section 6.
#[test]
fn a_provider_names_the_sub_merchant() {
    let mut provider = account(&[KEY], SignType::Md5);
    provider.sub_mch_id = MerchantId::parse("1900000109").ok();
    provider.sub_appid = AppId::parse("wx2421b1c4370ec43b").ok();
    let text = write_query(&provider, &by_number(), "n");
    let query = Fields::read(text.as_bytes()).unwrap();
    assert_eq!((query.get("sub_mch_id"), query.get("sub_appid")), (Some("1900000109"), Some("wx2421b1c4370ec43b")));
}

/// Section 4.2, example A.
#[test]
fn an_answer_is_read_with_its_signature() {
    for by in [SignType::Md5, SignType::HmacSha256] {
        let body = signed_with(PAID, KEY, by, &[]);
        let answer = read_answer(keys(&account(&[OTHER_KEY, KEY], by)), body.clone().into()).unwrap();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            answer,
            Answer {
                signature: Signature::Valid,
                return_code: text("SUCCESS"),
                return_msg: text("OK"),
                result_code: text("SUCCESS"),
                err_code: None,
                appid: text("wxd930ea5d5a258f4f"),
                mch_id: text("10000100"),
                sub_appid: None,
                sub_mch_id: None,
                out_trade_no: text("ORDER20240101000001"),
                transaction_id: text("4200000000202401010000000001"),
                trade_state: text("SUCCESS"),
                total_fee: text("100"),
                fee_type: text("CNY"),
                time_end: text("20240101123456"),
                attach: text("channel=7&shop=<A>"),
                document: body.into(),
            }
        );
    }
}

/// Threat V-03.
#[test]
fn an_answer_does_not_choose_its_own_algorithm_or_key() {
    let signature = |body: &str, by| read_answer(keys(&account(&[KEY], by)), body.to_owned().into()).unwrap().signature;
    let downgraded = signed_with(PAID, KEY, SignType::Md5, &[("sign_type", "MD5")]);
    assert_eq!(signature(&downgraded, SignType::HmacSha256), Signature::Wrong);
    assert_eq!(signature(&signed_with(PAID, OTHER_KEY, SignType::Md5, &[]), SignType::Md5), Signature::Wrong);
    let tampered = signed_with(PAID, KEY, SignType::Md5, &[]).replace("<![CDATA[x]]>", "<![CDATA[y]]>");
    assert_eq!(signature(&tampered, SignType::Md5), Signature::Wrong, "unknown fields are signed too");
}

/// Section 5.
#[test]
fn answers_without_a_sign_are_unsigned() {
    let account = account(&[KEY], SignType::Md5);
    let refused =
        read_answer(keys(&account), include_str!("../../../../tests/fixtures/wechat/sign-error.xml").into()).unwrap();
    assert_eq!((refused.signature, refused.return_code.as_deref()), (Signature::Missing, Some("FAIL")));
    assert_eq!(refused.return_msg.as_deref(), Some("签名错误"));
    let error =
        read_answer(keys(&account), include_str!("../../../../tests/fixtures/wechat/system-error.xml").into()).unwrap();
    assert_eq!((error.signature, error.err_code.as_deref()), (Signature::Missing, Some("SYSTEMERROR")));
    let empty = read_answer(keys(&account), Bytes::from("<xml><sign></sign><out_trade_no/></xml>")).unwrap();
    assert_eq!((empty.signature, empty.out_trade_no), (Signature::Missing, None));
}

/// Section 2: `sign_type` if present, else the length of the signature; several keys.
#[test]
fn a_notification_is_checked_by_its_own_algorithm() {
    let account = account(&[OTHER_KEY, KEY], SignType::Md5);
    let check = |text: &str| check_notification(keys(&account), &Fields::read(text.as_bytes()).unwrap());
    for by in [SignType::Md5, SignType::HmacSha256] {
        assert_eq!(check(&signed_with(NOTIFICATION, KEY, by, &[])), Signature::Valid);
        assert_eq!(check(&signed_with(NOTIFICATION, KEY, by, &[("sign_type", by.as_str())])), Signature::Valid);
        assert_eq!(check(&signed_with(NOTIFICATION, KEY, by, &[("sign_type", "")])), Signature::Valid);
        assert_eq!(check(&signed_with(NOTIFICATION, KEY, by, &[("sign_type", "SHA1")])), Signature::Wrong);
    }
    let named_otherwise = signed_with(NOTIFICATION, KEY, SignType::Md5, &[("sign_type", "HMAC-SHA256")]);
    assert_eq!(check(&named_otherwise), Signature::Wrong);
    assert_eq!(check(std::str::from_utf8(NOTIFICATION).unwrap()), Signature::Wrong, "signed with the sample key");
    assert_eq!(check("<xml><a>1</a></xml>"), Signature::Missing);
}

/// Section 6: one sub-merchant's payment must not confirm another's order.
#[test]
fn a_notification_is_addressed_to_the_account_it_names() {
    let direct = account(&[KEY], SignType::Md5);
    let mut provider = direct.clone();
    provider.sub_mch_id = MerchantId::parse("1900000109").ok();
    let mut with_app = provider.clone();
    with_app.sub_appid = AppId::parse("wx2421b1c4370ec43b").ok();
    let is_for = |account: &Credentials, more: &str| {
        let text = format!("<xml><appid>wxd930ea5d5a258f4f</appid><mch_id>10000100</mch_id>{more}</xml>");
        is_addressed_to(account, &Fields::read(text.as_bytes()).unwrap())
    };
    let (sub, other) = ("<sub_mch_id>1900000109</sub_mch_id>", "<sub_mch_id>1900000110</sub_mch_id>");
    let (app, other_app) = ("<sub_appid>wx2421b1c4370ec43b</sub_appid>", "<sub_appid>wx0000000000000000</sub_appid>");
    assert!(is_for(&direct, "") && is_for(&direct, "<sub_mch_id></sub_mch_id>"));
    assert!(!is_for(&direct, sub));
    assert!(is_for(&provider, sub) && is_for(&provider, &format!("{sub}{app}")));
    assert!(!is_for(&provider, "") && !is_for(&provider, other));
    assert!(is_for(&with_app, &format!("{sub}{app}")));
    assert!(!is_for(&with_app, sub) && !is_for(&with_app, &format!("{sub}{other_app}")));
    let elsewhere = "<xml><appid>wx0000000000000000</appid><mch_id>10000100</mch_id></xml>";
    assert!(!is_addressed_to(&direct, &Fields::read(elsewhere.as_bytes()).unwrap()));
    assert!(!is_addressed_to(&direct, &Fields::read(b"<xml><appid>wxd930ea5d5a258f4f</appid></xml>").unwrap()));
}

/// An account of the fact sheet's examples. Nobody can configure it: its key is the documented one.
fn sample_account(sign_type: SignType) -> Credentials {
    let signing = ApiKey(Secret::new(crate::provider::wechat::DOCUMENTED_SAMPLE_KEY.to_owned()));
    Credentials { api: Api::V2(Keys { signing, also_verify: Vec::new(), sign_type }), ..account(&[KEY], sign_type) }
}

/// The nonce of example D.
const NONCE: &str = "f3a1b2c4d5e6f7081920a1b2c3d4e5f6";

/// Section 7.6: example A becomes example D, and with HMAC-SHA256 the signature that the sheet gives beside it.
#[test]
fn a_paid_answer_becomes_the_notification_of_the_fact_sheet() {
    let text = write_notification(keys(&sample_account(SignType::Md5)), PAID, NONCE).unwrap();
    assert_eq!(text.as_bytes(), NOTIFICATION.trim_ascii_end());
    let text = write_notification(keys(&sample_account(SignType::HmacSha256)), PAID, NONCE).unwrap();
    let fields = Fields::read(text.as_bytes()).unwrap();
    let expected = "81000F70EF648AA663FF0E2098CFCFD568448F4305E9304B2E9EC395297A2137";
    assert_eq!((fields.get("sign"), fields.get("sign_type")), (Some(expected), None));
}

#[test]
fn a_made_notification_is_taken_for_wechat_pays_own() {
    let paid = std::str::from_utf8(PAID).unwrap();
    for answer in [paid.to_owned(), paid.replace("<trade_state><![CDATA[SUCCESS", "<trade_state><![CDATA[REFUND")] {
        for by in [SignType::Md5, SignType::HmacSha256] {
            let account = account(&[KEY, OTHER_KEY], by);
            let text = write_notification(keys(&account), answer.as_bytes(), NONCE).unwrap();
            let fields = Fields::read(text.as_bytes()).unwrap();
            assert_eq!(check_notification(keys(&account), &fields), Signature::Valid);
            assert!(is_addressed_to(&account, &fields));
            assert_eq!(fields.get("transaction_id"), Some("4200000000202401010000000001"));
            for absent in ["return_msg", "trade_state", "trade_state_desc", "device_info", "future_field"] {
                assert_eq!(fields.get(absent), None, "{absent}");
            }
        }
    }
    assert_eq!(write_notification(keys(&account(&[KEY], SignType::Md5)), b"<html>", NONCE), Err(XmlError::Root));
}

proptest::proptest! {
    /// Whatever a merchant attached to an order comes out of the made notification again, and its signature holds.
    #[test]
    fn what_was_attached_survives(attach in "[ -~\n\u{e9}\u{4e2d}]{0,20}(]]>|&amp;|<a>)?[ -~]{0,20}", number in "[0-9x]{1,5}") {
        let account = account(&[KEY], SignType::Md5);
        let answer = xml::write([("attach", attach.as_str()), ("total_fee", number.as_str()), ("sign", "x")]);
        let text = write_notification(keys(&account), answer.as_bytes(), NONCE).unwrap();
        let fields = Fields::read(text.as_bytes()).unwrap();
        proptest::prop_assert_eq!(fields.filled("attach"), Some(attach.as_str()).filter(|text| !text.is_empty()));
        proptest::prop_assert_eq!(fields.get("total_fee"), Some(number.as_str()));
        proptest::prop_assert_eq!(check_notification(keys(&account), &fields), Signature::Valid);
    }
}
