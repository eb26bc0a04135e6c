//! `GET /v3/certificates` (`docs/reference/wechatpay-v3.md` section 7).

use super::answer::Answer;
use super::refusal::Refusal;
use crate::domain::clock;
use crate::sandbox::fault::FaultKind;
use crate::sandbox::keys::{Keyring, MerchantKeys, PlatformKey};
use crate::sandbox::seed::Seed;
use serde_json::{Value, json};

/// What certificates are sealed beside.
const ASSOCIATED_DATA: &str = "certificate";

/// The certificates, sealed for this merchant, as the answer of this number; unsigned.
pub(super) fn answer(
    keys: &Keyring,
    merchant: &MerchantKeys,
    fault: Option<FaultKind>,
    (seed, number): (Seed, u64),
) -> Answer {
    match fault {
        Some(FaultKind::OrderNotExist) => return Answer::from(&Refusal::NO_CERTIFICATES),
        Some(FaultKind::SystemError | FaultKind::SystemErrorUnsigned) => return Answer::from(&Refusal::SYSTEM_ERROR),
        Some(FaultKind::FrequencyLimited) => return Answer::from(&Refusal::FREQUENCY_LIMITED),
        _ => {}
    }
    let sealed = keys.certificates().iter().filter_map(|certificate| {
        let nonce = seed.sealing_nonce(&["certificate", &number.to_string(), certificate.signing.serial.as_str()]);
        let ciphertext =
            merchant.api_v3_key.seal(&nonce, ASSOCIATED_DATA.as_bytes(), certificate.certificate.as_bytes())?;
        Some(described(certificate, &String::from_utf8_lossy(&nonce), &ciphertext))
    });
    Answer { status: 200, body: json!({ "data": Value::Array(sealed.collect()) }), number: 0, signed_with: None }
}

fn described(certificate: &PlatformKey, nonce: &str, ciphertext: &str) -> Value {
    json!({
        "effective_time": clock::rfc3339_beijing(certificate.effective),
        "encrypt_certificate": {
            "algorithm": "AEAD_AES_256_GCM",
            "associated_data": ASSOCIATED_DATA,
            "ciphertext": ciphertext,
            "nonce": nonce,
        },
        "expire_time": clock::rfc3339_beijing(certificate.expires),
        "serial_no": certificate.signing.serial.as_str(),
    })
}
