//! Merchants' files and platform certificates (`docs/reference/wechatpay-v3.md` sections 2 and 7).

use super::asking::{Counter, Signed, accounts};
use crate::harness::*;
use crate::wechatpay_v3::{about, open, pem, sign, verify};
use std::os::unix::fs::PermissionsExt;

#[tokio::test]
async fn the_files_are_what_the_list_says_and_fit_together() {
    let world = World::new().await;
    let directory = tempfile::tempdir().unwrap();
    let keys = directory.path().join("new/keys");
    world.sandbox.write_keys(&keys).unwrap();
    let accounts = accounts(&keys);
    assert_eq!(accounts.len(), 3);
    for account in &accounts {
        let names: Vec<&str> = account.0.as_object().unwrap().keys().map(String::as_str).collect();
        let expected =
            "api_v3_key appid certificate key mch_id platform_certificate private_key public_key public_key_id serial";
        assert_eq!(names.join(" "), expected);
        assert!(account.text("api_v3_key").len() == 32 && account.text("api_v3_key").is_ascii());
        let certificate = about(account.text("certificate"));
        assert_eq!(certificate["serial"], account.text("serial"));
        assert_eq!(certificate["public"], pem(account.text("private_key"), "public"));
        assert!(account.text("public_key_id").starts_with("PUB_KEY_ID_"));
        let signature = sign(b"x", account.text("private_key"));
        assert!(!verify(b"x", &signature, account.text("public_key")), "WeChat Pay's key is another one");
    }
    assert_eq!(accounts[0].text("key"), KEY);
    let private = keys.join(format!("{MCH_ID}_apiclient_key.pem"));
    assert_eq!(std::fs::metadata(private).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn what_was_written_once_fits_after_a_restart() {
    let first = Counter::open().await;
    let second = Counter::at(World::with(tollgate::sandbox::Seed(2), 1).await);
    second.world.pay("A1");
    let target = format!("/v3/pay/transactions/out-trade-no/A1?mchid={MCH_ID}");
    let answer = second.ask(&first.merchant, &target, None).await;
    assert!(answer.0.status == 200 && answer.is_signed_for(&first.merchant), "{answer:?}");
}

/// The serial numbers and certificates of an answer.
fn downloaded(counter: &Counter, answer: &Signed) -> Vec<(String, String)> {
    assert_eq!(answer.0.status, 200, "{answer:?}");
    let json = answer.json();
    let opened = json["data"].as_array().unwrap().iter().map(|listed| {
        let sealed = &listed["encrypt_certificate"];
        let text = |name: &str| sealed[name].as_str().unwrap();
        assert_eq!((text("algorithm"), text("associated_data")), ("AEAD_AES_256_GCM", "certificate"));
        let key = counter.merchant.text("api_v3_key");
        let certificate = open(text("ciphertext"), text("nonce"), text("associated_data"), key).unwrap();
        let certificate = String::from_utf8(certificate).unwrap();
        assert_eq!(about(&certificate)["serial"], listed["serial_no"]);
        (listed["serial_no"].as_str().unwrap().to_owned(), certificate)
    });
    opened.collect()
}

#[tokio::test]
async fn certificates_are_sealed_for_the_merchant_and_sign_their_own_answer() {
    let counter = Counter::open().await;
    let answer = counter.ask(&counter.merchant, "/v3/certificates", None).await;
    assert!(answer.is_signed_for(&counter.merchant), "{answer:?}");
    let certificates = downloaded(&counter, &answer);
    assert_eq!(certificates.len(), 1);
    assert_eq!(certificates[0].1, counter.merchant.text("platform_certificate"));
    let (_, listed) = counter.world.control("GET", "/sandbox/certificates", "").await;
    assert_eq!(listed[0]["serial"], certificates[0].0);
}

#[tokio::test]
async fn after_a_rotation_both_are_listed_and_sign() {
    let counter = Counter::open().await;
    counter.world.pay("A1");
    let (status, listed) = counter.world.control("POST", "/sandbox/certificates/rotate", "").await;
    assert_eq!((status, listed.as_array().unwrap().len()), (200, 2));
    let answer = counter.ask(&counter.merchant, "/v3/certificates", None).await;
    let certificates = downloaded(&counter, &answer);
    let target = format!("/v3/pay/transactions/out-trade-no/A1?mchid={MCH_ID}");
    let mut signed = Vec::new();
    for _ in 0..2 {
        let answer = counter.ask(&counter.merchant, &target, None).await;
        let [timestamp, nonce, signature, serial] = ["Timestamp", "Nonce", "Signature", "Serial"]
            .map(|name| answer.header(&format!("Wechatpay-{name}")).unwrap());
        let (_, certificate) = certificates.iter().find(|certificate| certificate.0 == serial).unwrap();
        assert!(verify(format!("{timestamp}\n{nonce}\n{}\n", answer.0.body).as_bytes(), signature, certificate));
        signed.push(serial.to_owned());
    }
    signed.sort();
    let mut serials: Vec<_> = certificates.iter().map(|certificate| certificate.0.clone()).collect();
    serials.sort();
    assert_eq!(signed, serials);
    let (_, again) = counter.world.control("POST", "/sandbox/certificates/rotate", "").await;
    assert_eq!(again.as_array().unwrap().len(), 2, "the first one is gone: {again}");
    assert_eq!(again[0]["serial"], listed[1]["serial"]);
    counter.world.control("POST", "/sandbox/reset", "").await;
    let (_, first) = counter.world.control("GET", "/sandbox/certificates", "").await;
    assert_eq!(first.as_array().unwrap().len(), 1);
    assert_eq!(first[0]["serial"], listed[0]["serial"]);
}

#[tokio::test]
async fn an_account_can_be_without_certificates() {
    let counter = Counter::open().await;
    counter.world.control("PUT", "/sandbox/hosts/api/faults", r#"[{"kind":"order-not-exist"}]"#).await;
    assert_eq!(counter.get("/v3/certificates").await.code(), (404, "RESOURCE_NOT_EXISTS".to_owned()));
}
