use super::*;
use crate::provider::wechat::v3::rsa::BadKey;
use base64::prelude::BASE64_STANDARD;
use std::path::Path;

fn file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wechatpay-v3/keys");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn key() -> PrivateKey {
    match read(&file("apiclient_key.pem"), Kind::Private) {
        Ok(Material::Private(key)) => key,
        other => panic!("{other:?}"),
    }
}

/// The ways in which one file is passed on.
fn shapes(pem: &str) -> Vec<(&'static str, String)> {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    vec![
        ("as it is", pem.to_owned()),
        ("CRLF", pem.replace('\n', "\r\n")),
        ("CR", pem.replace('\n', "\r")),
        ("without the last line end", pem.trim_end().to_owned()),
        ("literal \\n", pem.replace('\n', "\\n")),
        ("literal \\r\\n", pem.replace('\n', "\\r\\n")),
        ("literal \\\\n", pem.replace('\n', "\\\\n")),
        ("in quotes", format!("\"{}\"", pem.replace('\n', "\\n"))),
        ("blanks for line ends", pem.replace('\n', " ")),
        ("blanks around each line", pem.lines().map(|line| format!("  {line} \t\n")).collect()),
        ("blank lines around", format!("\n\n {pem} \n\n")),
        ("a mark in front", format!("\u{FEFF}{pem}")),
        ("a text in front", format!("Bag Attributes\n    localKeyID: 01\nKey Attributes: <No Attributes>\n{pem}")),
        ("no armour, one line", body.clone()),
        (
            "no armour, lines",
            pem.lines().filter(|line| !line.starts_with("-----")).map(|line| format!("{line}\n")).collect(),
        ),
        ("no armour, literal \\n", format!("{}\\n", body.get(..64).unwrap()) + body.get(64..).unwrap()),
        ("no armour, no padding", body.trim_end_matches('=').to_owned()),
        ("the whole file in base64", BASE64_STANDARD.encode(pem)),
    ]
}

#[test]
fn a_private_key_is_read_in_every_shape() {
    for name in ["apiclient_key.pem", "apiclient_key_pkcs1.pem", "pkcs8_as_rsa.pem", "pkcs1_as_pkcs8.pem"] {
        for (shape, text) in shapes(&file(name)) {
            assert_eq!(read(&text, Kind::Private), Ok(Material::Private(key())), "{name}, {shape}");
        }
    }
}

#[test]
fn a_public_key_is_read_in_every_shape() {
    let own = key().public().unwrap();
    for name in ["apiclient_pub.pem", "apiclient_pub_pkcs1.pem"] {
        for (shape, text) in shapes(&file(name)) {
            assert_eq!(read(&text, Kind::Public), Ok(Material::Public(own.clone())), "{name}, {shape}");
        }
    }
}

#[test]
fn a_certificate_is_read_in_every_shape_with_its_serial_number() {
    for (shape, text) in shapes(&file("apiclient_cert.pem")) {
        let Ok(Material::Certificate(certificate)) = read(&text, Kind::Certificate) else { panic!("{shape}") };
        assert_eq!(certificate.serial.as_str(), "444F4864EA9B34415A1B2C3D4E5F60718293A4B5", "{shape}");
        assert_eq!(certificate.key, key().public().unwrap(), "{shape}");
    }
}

#[test]
fn of_several_blocks_the_one_that_is_wanted_is_read() {
    let both = file("apiclient_cert.pem") + &file("apiclient_key.pem");
    for wanted in [Kind::Private, Kind::Certificate] {
        assert_eq!(read(&both, wanted).map(|material| material.kind()), Ok(wanted));
    }
    assert_eq!(read(&both, Kind::Public).map(|material| material.kind()), Ok(Kind::Certificate));
}

#[test]
fn what_is_no_usable_key_is_told_apart() {
    let whole = file("apiclient_key.pem");
    let cut = whole.get(..whole.len() / 2).unwrap();
    let all = [
        (file("ec_key.pem"), BadMaterial::NotRsa),
        (file("ec_cert.pem"), BadMaterial::Certificate(BadCertificate::Key(BadKey))),
        (file("short_key.pem"), BadMaterial::Bits(1024)),
        (file("short_pub.pem"), BadMaterial::Bits(1024)),
        (file("encrypted.pem"), BadMaterial::Encrypted),
        (file("encrypted_pkcs1.pem"), BadMaterial::Encrypted),
        (file("encrypted.pem").replace("ENCRYPTED ", ""), BadMaterial::Encrypted),
        (file("apiclient_req.pem"), BadMaterial::Request),
        (cut.to_owned(), BadMaterial::Damaged),
        (whole.replace("-----END", ""), BadMaterial::Damaged),
        (whole.replace("PRIVATE KEY-----\n", "PRIVATE KEY-----\n!"), BadMaterial::Damaged),
        (whole.replacen("MIIE", "", 1), BadMaterial::Shape),
        (String::new(), BadMaterial::Shape),
        ("apiclient_key.pem".to_owned(), BadMaterial::Shape),
        ("444F4864EA9B34415A1B2C3D4E5F60718293A4B5".to_owned(), BadMaterial::Shape),
        ("-----BEGIN X".to_owned(), BadMaterial::Damaged),
        ("MAA=".to_owned(), BadMaterial::Shape),
    ];
    for (index, (text, bad)) in all.into_iter().enumerate() {
        assert_eq!(read(&text, Kind::Private), Err(bad), "the text at {index}");
    }
}

#[test]
fn a_p12_in_base64_is_recognised() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wechatpay-v3/keys");
    let p12 = std::fs::read(folder.join("apiclient_cert.p12")).unwrap();
    assert_eq!(read(&BASE64_STANDARD.encode(p12), Kind::Private), Err(BadMaterial::Pkcs12));
}

proptest::proptest! {
    /// Whatever is pasted there, reading it says something and never panics.
    #[test]
    fn any_text_is_read_or_refused(text in "(-----BEGIN [A-Z ]{0,12}-----)?[A-Za-z0-9+/=\\\\n\n -]{0,200}(-----END [A-Z ]{0,12}-----)?") {
        let _ = read(&text, Kind::Private);
    }

    #[test]
    fn any_damage_to_a_key_is_read_or_refused(at in 0usize..1700, byte in proptest::num::u8::ANY) {
        let mut bytes = file("apiclient_key.pem").into_bytes();
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        let _ = read(&String::from_utf8_lossy(&bytes), Kind::Private);
    }
}
