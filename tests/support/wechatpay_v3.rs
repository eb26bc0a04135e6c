//! RSA, AES-GCM, X.509 and SHA-1 for the tests of WeChat Pay's API v3, by an implementation that is not ours: a Python
//! program (`wechatpay_v3.py`), started once per test binary, which lives until that ends. It knows the keys of
//! tests/fixtures/wechatpay-v3 by their names; wherever a key is named, its PEM text can stand as well.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/wechatpay_v3.py");

/// Debian's own has Debian's packages, which another one that stands before it in PATH has not.
const INTERPRETERS: [&str; 2] = ["python3", "/usr/bin/python3"];

const MISSING: &str = "the tests of API v3 need Python 3 with the package `cryptography`, which signs and seals instead of \
                       our own code: apt-get install python3-cryptography (`make test` does it), or pip install cryptography";

struct Python {
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    _child: Child,
}

/// The signature of a message by the private key of this name, in base64.
pub fn sign(message: &[u8], key: &str) -> String {
    text(&ask(json!({ "do": "sign", "message": base64(message), "by": key })))
}

/// Whether a signature, in base64, is that of a message by this key; a public key's or a certificate's PEM will do.
pub fn verify(message: &[u8], signature: &str, key: &str) -> bool {
    ask(json!({ "do": "verify", "message": base64(message), "signature": signature, "by": key })) == json!(true)
}

/// What is sealed with AES-256-GCM, in base64, the tag behind it.
pub fn seal(plain: &[u8], nonce: &str, associated_data: &str, key: &str) -> String {
    text(&ask(json!({ "do": "seal", "text": base64(plain), "nonce": nonce, "aad": associated_data, "by": key })))
}

/// The text; `None` if it was not sealed so.
pub fn open(sealed: &str, nonce: &str, associated_data: &str, key: &str) -> Option<Vec<u8>> {
    let opened = ask(json!({ "do": "open", "text": sealed, "nonce": nonce, "aad": associated_data, "by": key }));
    opened.as_str().map(|opened| BASE64_STANDARD.decode(opened).unwrap())
}

/// A self-signed certificate of a key, in PEM; `valid` is from when until when, in seconds from now.
pub fn certificate(key: &str, serial: &str, valid: std::ops::Range<i64>) -> String {
    text(&ask(json!({ "do": "certificate", "of": key, "serial": serial, "begins": valid.start, "ends": valid.end })))
}

/// What a certificate says of itself: `serial`, `days`, and its key as `public`.
pub fn about(certificate: &str) -> Value {
    ask(json!({ "do": "about", "text": certificate }))
}

/// A key in one of the shapes in which people have it: `pkcs8`, `pkcs1` and `public` in PEM, `der` in base64.
pub fn pem(key: &str, shape: &str) -> String {
    text(&ask(json!({ "do": "pems", "of": key }))[shape])
}

/// A new private key of so many bits, in PEM; of an elliptic curve if it is 0.
pub fn made(bits: u32) -> String {
    text(&ask(json!({ "do": "made", "bits": bits })))
}

/// The SHA-1 of bytes, in hexadecimal digits.
pub fn sha1(bytes: &[u8]) -> String {
    text(&ask(json!({ "do": "sha1", "data": base64(bytes) })))
}

fn ask(question: Value) -> Value {
    static PYTHON: OnceLock<Mutex<Python>> = OnceLock::new();
    let python = PYTHON.get_or_init(|| Mutex::new(start()));
    let mut python = python.lock().unwrap_or_else(|_| panic!("{MISSING}"));
    let mut line = String::new();
    python.stdin.write_all(format!("{question}\n").as_bytes()).unwrap();
    python.stdout.read_line(&mut line).unwrap();
    drop(python);
    let mut answer: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{PROGRAM} has ended: {question}"));
    assert!(answer.get("error").is_none(), "{PROGRAM}: {answer} to {question}");
    answer["is"].take()
}

fn start() -> Python {
    let has_it = |python: &&&str| {
        let tried = Command::new(python).args(["-c", "import cryptography"]).stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    };
    let python = INTERPRETERS.iter().find(has_it).unwrap_or_else(|| panic!("{MISSING}"));
    let child = Command::new(python).arg(PROGRAM).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = child.unwrap();
    let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    Python { stdin, stdout: BufReader::new(stdout), _child: child }
}

fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
