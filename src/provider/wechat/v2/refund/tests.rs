use super::*;
use crate::domain::order::MerchantId;
use crate::domain::secret::Secret;
use crate::provider::wechat::Api;
use crate::provider::wechat::ApiKey;
use crate::provider::wechat::sign::SignType;
use crate::provider::wechat::v2::Keys;
use aws_lc_rs::cipher::PaddedBlockEncryptingKey;
use proptest::prelude::*;

const KEY: &str = "Aa11Bb22Cc33Dd44Ee55Ff66Gg77Hh88";
const OTHER: &str = "Zz99Yy88Xx77Ww66Vv55Uu44Tt33Ss22";

/// `refund.xml`, sealed by OpenSSL:
/// `openssl enc -aes-256-ecb -K $(printf %s KEY | md5sum | cut -c1-32 | tr -d '\\n' | xxd -p -c 64) -a -A -in
/// refund.xml`
const SEALED: &str = include_str!("refund.b64");
const PLAIN: &str = include_str!("refund.xml");

fn account(keys: &[&str]) -> Credentials {
    let keys = keys.iter().map(|key| ApiKey::parse(Secret::new((*key).to_owned())).unwrap());
    Credentials {
        api: Api::V2(Keys::from_list(keys, SignType::Md5).unwrap()),
        also: None,
        other_appids: Vec::new(),
        appid: AppId::parse("wxd930ea5d5a258f4f").unwrap(),
        mch_id: MerchantId::parse("1900000109").unwrap(),
        sub_mch_id: None,
        sub_appid: None,
    }
}

fn sealed(text: &[u8]) -> String {
    let digits = hex::encode(Md5::digest(KEY));
    let key = UnboundCipherKey::new(&AES_256, digits.as_bytes()).unwrap();
    let mut text = text.to_vec();
    PaddedBlockEncryptingKey::ecb_pkcs7(key).unwrap().encrypt(&mut text).unwrap();
    BASE64_STANDARD.encode(text)
}

#[test]
fn what_openssl_has_sealed_is_opened() {
    for keys in [&[KEY][..], &[OTHER, KEY]] {
        let refund = open(account(keys).v2().unwrap(), SEALED).unwrap();
        let expected = Refund {
            transaction_id: "4200000000202401010000000001".parse().unwrap(),
            out_trade_no: "REFUND-1".parse().unwrap(),
            total_fee: Fen(100),
            refund_id: "50000000382019052709732678859".to_owned(),
            out_refund_no: "R-2026-1".to_owned(),
            refund_status: "SUCCESS".to_owned(),
        };
        assert_eq!(refund, expected);
    }
    assert_eq!(sealed(PLAIN.as_bytes()), SEALED);
    let lines: Vec<&str> = SEALED.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
    assert!(open(account(&[KEY]).v2().unwrap(), &lines.join("\r\n")).is_ok());
}

#[test]
fn what_no_key_opens_is_sealed() {
    let cut = &SEALED[..SEALED.len() - 24];
    let swapped = SEALED.replacen(&SEALED[..4], "AAAA", 1);
    for text in ["", "AAAA", "not base64", SEALED.trim_end_matches('='), cut, &swapped, &"A".repeat(LONGEST + 4)] {
        let opened = open(account(&[KEY]).v2().unwrap(), text);
        assert!(matches!(opened, Err(Unopened::Sealed)), "{text}: {opened:?}");
    }
    assert_eq!(open(account(&[OTHER]).v2().unwrap(), SEALED), Err(Unopened::Sealed));
}

#[test]
fn what_is_sealed_is_read_as_strictly_as_anything() {
    for (from, to, error) in [
        ("<root>", "<xml>", Unopened::Sealed),
        ("<root>", "<!DOCTYPE root><root>", Unopened::Sealed),
        ("</root>", "<total_fee>1</total_fee></root>", Unopened::Sealed),
        ("<total_fee><![CDATA[100]]></total_fee>", "", Unopened::Missing("total_fee")),
        ("<total_fee><![CDATA[100]]>", "<total_fee><![CDATA[1e2]]>", Unopened::Malformed("total_fee")),
        ("[REFUND-1]", "[REFUND 1]", Unopened::Malformed("out_trade_no")),
        ("[4200000000202401010000000001]", "[]", Unopened::Missing("transaction_id")),
        ("[50000000382019052709732678859]", "[5\n0]", Unopened::Malformed("refund_id")),
        ("支付用户零钱", "<total_fee>1</total_fee>", Unopened::Malformed("a text")),
        ("支付用户零钱", "&amp;lt;total_fee&amp;gt;", Unopened::Malformed("a text")),
    ] {
        let text = PLAIN.replace(from, to).replace("</root>", if to == "<xml>" { "</xml>" } else { "</root>" });
        assert_eq!(open(account(&[KEY]).v2().unwrap(), &sealed(text.as_bytes())), Err(error), "{to}");
    }
}

#[test]
fn a_sub_merchants_application_need_not_be_named() {
    let own = Credentials {
        sub_mch_id: Some(MerchantId::parse("1900000998").unwrap()),
        sub_appid: Some(AppId::parse("wx2421b1c4370ec43b").unwrap()),
        ..account(&[KEY])
    };
    let to = |sub: &str| {
        let xml = format!("<xml><appid>wxd930ea5d5a258f4f</appid><mch_id>1900000109</mch_id>{sub}</xml>");
        is_addressed_to(&own, &Fields::read(xml.as_bytes()).unwrap())
    };
    assert!(to("<sub_mch_id>1900000998</sub_mch_id>"));
    assert!(to("<sub_mch_id>1900000998</sub_mch_id><sub_appid>wx2421b1c4370ec43b</sub_appid>"));
    assert!(!to("<sub_mch_id>1900000998</sub_mch_id><sub_appid>wxd930ea5d5a258f4f</sub_appid>"));
    assert!(!to("<sub_mch_id>1900000999</sub_mch_id>") && !to(""));
}

proptest! {
    #[test]
    fn nothing_that_is_not_sealed_with_the_key_is_opened(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let opened = open(account(&[KEY]).v2().unwrap(), &BASE64_STANDARD.encode(bytes));
        prop_assert_eq!(opened, Err(Unopened::Sealed));
    }
}
