use super::*;
use crate::net::xml::Fields;

const KEY: &[u8] = b"192006250b4c09247ec02edce69f6a2d";

type Vector<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>, Option<&'a str>);

/// `docs/reference/wechatpay-v2.md` sections 2.1 and 2.2.
const VECTORS: [Vector<'_>; 5] = [
    (
        &[
            ("appid", "wxd930ea5d5a258f4f"),
            ("mch_id", "10000100"),
            ("device_info", "1000"),
            ("body", "test"),
            ("nonce_str", "ibuaiVcKdpRxkhJA"),
        ],
        Some("9A0A8659F005D6984697E2CA0A9CF3B7"),
        Some("6A9AE1657590FD6257D693A078E1C3E4BB6BA4DC30B23E0EE2496E54170DACD6"),
    ),
    (
        &[
            ("zero", "0"),
            ("coupon_fee_2", "7"),
            ("coupon_fee_10", "6"),
            ("coupon_fee_1", "5"),
            ("coupon_fee_0", "4"),
            ("coupon_fee", "3"),
            ("a", "1"),
            ("B", "2"),
        ],
        Some("87C39CA76DED3C4B7FC8134AA944B501"),
        Some("237A3DF67696F8200FF84EA2EC5798DE518A98A355F04BEEB46E68781B3FA839"),
    ),
    (
        &[
            ("appid", "wxd930ea5d5a258f4f"),
            ("mch_id", "10000100"),
            ("nonce_str", "5K8264ILTKCH16CQ2502SI8ZNMTM67VS"),
            ("transaction_id", "4200000000202401010000000001"),
        ],
        Some("4682B9F48C95C6EC4EF1809FA81A860D"),
        Some("65F57BB9C94F97F74FB56121D89AB3758AE0E28F667B739C20A05F62BBAD2123"),
    ),
    (
        &[
            ("appid", "wxd930ea5d5a258f4f"),
            ("mch_id", "10000100"),
            ("nonce_str", "5K8264ILTKCH16CQ2502SI8ZNMTM67VS"),
            ("out_trade_no", "ORDER20240101000001"),
            ("sign_type", "MD5"),
        ],
        Some("0D924452980A443CBA962E1EDE5057D3"),
        None,
    ),
    (
        &[
            ("appid", "wxd930ea5d5a258f4f"),
            ("mch_id", "10000100"),
            ("nonce_str", "5K8264ILTKCH16CQ2502SI8ZNMTM67VS"),
            ("out_trade_no", "ORDER20240101000001"),
            ("sign_type", "HMAC-SHA256"),
        ],
        None,
        Some("B104A45B937E8AF861307676AAD6EB7EA5047110CDC36D392546159D2D4A0758"),
    ),
];

#[test]
fn the_documented_vectors_come_out() {
    for (fields, md5, hmac) in VECTORS {
        for (expected, by) in [(md5, SignType::Md5), (hmac, SignType::HmacSha256)] {
            let Some(expected) = expected else { continue };
            assert_eq!(sign(fields.iter().copied(), KEY, by), expected, "{fields:?}");
            assert!(verify(fields.iter().copied(), expected, [KEY], by));
        }
    }
}

/// `docs/reference/wechatpay-v2.md` sections 4.2, 5 and 7.3, examples A to D, and the two HMAC signatures given beside
/// them.
#[test]
fn the_documented_messages_verify() {
    let paid = include_bytes!("../../../../tests/fixtures/wechat/paid.xml").as_slice();
    let notification = include_bytes!("../../../../tests/fixtures/wechat/notification.xml").as_slice();
    let messages = [
        paid,
        include_bytes!("../../../../tests/fixtures/wechat/not-paid.xml"),
        include_bytes!("../../../../tests/fixtures/wechat/order-not-exist.xml"),
        notification,
    ];
    for message in messages {
        let fields = Fields::read(message).unwrap();
        assert!(verify(fields.iter(), fields.get("sign").unwrap(), [KEY], SignType::Md5));
    }
    let by_hmac = [
        (paid, "FBDB182E486893694ACD953B2F95AF03BC0181775BB36A39F79134A518F3AFB1"),
        (notification, "81000F70EF648AA663FF0E2098CFCFD568448F4305E9304B2E9EC395297A2137"),
    ];
    for (message, sign) in by_hmac {
        assert!(verify(Fields::read(message).unwrap().iter(), sign, [KEY], SignType::HmacSha256));
    }
}

#[test]
fn every_field_but_sign_and_empty_ones_takes_part() {
    let fields = [("a", "1"), ("future_field", "x")];
    let expected = sign(fields, KEY, SignType::Md5);
    assert_eq!(sign([("future_field", "x"), ("sign", "ABC"), ("b", ""), ("a", "1")], KEY, SignType::Md5), expected);
    for changed in [[("a", "2"), ("future_field", "x")], [("a", "1"), ("future_field", "y")], [("a", "1"), ("b", "x")]]
    {
        assert_ne!(sign(changed, KEY, SignType::Md5), expected);
        assert!(!verify(changed, &expected, [KEY], SignType::Md5));
    }
}

#[test]
fn any_of_the_keys_verifies_and_no_other() {
    let (fields, _, Some(given)) = VECTORS[0] else { panic!() };
    let verifies = |keys: &[&[u8]]| verify(fields.iter().copied(), given, keys.iter().copied(), SignType::HmacSha256);
    assert!(verifies(&[b"00000000000000000000000000000000", KEY]));
    assert!(!verifies(&[b"00000000000000000000000000000000"]));
    assert!(!verifies(&[]));
}

/// Threat V-03.
#[test]
fn only_the_whole_signature_in_hexadecimal_verifies() {
    let (fields, Some(md5), Some(hmac)) = VECTORS[0] else { panic!() };
    let verifies = |given: &str, by| verify(fields.iter().copied(), given, [KEY], by);
    assert!(verifies(&md5.to_lowercase(), SignType::Md5));
    assert!(verifies(&hmac.to_lowercase(), SignType::HmacSha256));
    let longer = format!("{md5}00");
    let spaced = format!("{} ", &md5[..31]);
    let zeros = "0".repeat(64);
    for given in
        ["", "9A", &md5[..31], &md5[..30], &longer, &spaced, "签名签名签名签名签名aa", hmac, &zeros[..32], &zeros]
    {
        assert!(!verifies(given, SignType::Md5), "{given}");
    }
    for given in ["", md5, &hmac[..62], &zeros] {
        assert!(!verifies(given, SignType::HmacSha256), "{given}");
    }
}

#[test]
fn the_algorithm_goes_by_its_name_or_by_the_length_of_a_signature() {
    for by in [SignType::Md5, SignType::HmacSha256] {
        assert_eq!(SignType::parse(by.as_str()), Some(by));
        assert_eq!(SignType::by_length(&sign([("a", "1")], KEY, by)), Some(by));
    }
    assert_eq!(SignType::parse("md5"), None);
    assert_eq!(SignType::parse(""), None);
    assert_eq!(SignType::by_length("ABC"), None);
}
