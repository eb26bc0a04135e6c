//! Keys of API v3: what `check` says of those that are there, and the key that `resign-key` makes.

use crate::program::{Ended, command};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/wechatpay-v3/keys");
const V3_KEY: &str = "abcdefghijklmnopqrstuvwxyz012345";
const V2_KEY: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

const GOOD: &str = r#"listen: 127.0.0.1:0
upstream: http://127.0.0.1:5000
forwarding: { trusted_proxies: [127.0.0.1] }
routes:
  - name: notify
    path: "/wxpay/{channel}"
    preset: wechat
channels:
  mini:
    provider: wechat-v3
    appid: [wx7788aa99bb001122, wx7788aa99bb001133]
    mch_id: "1900009191"
    private_key: ${file:apiclient_key.pem}
    certificate: ${file:apiclient_cert.pem}
    api_v3_key: ${V3_KEY}
    public_key_id: PUB_KEY_ID_0114000000000000000000000000000000
    public_key: ${file:pub_key.pem}
    key: ${V2_KEY}
"#;

/// A folder with this config and every test key.
fn folder(yaml: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    for file in std::fs::read_dir(KEYS).unwrap().map(|file| file.unwrap().path()) {
        std::fs::copy(&file, dir.path().join(file.file_name().unwrap())).unwrap();
    }
    std::fs::write(dir.path().join("config.yaml"), yaml).unwrap();
    dir
}

fn check_in(dir: &Path, more: &[&str]) -> Ended {
    let file = dir.join("config.yaml");
    let args = [&["check", "--config", file.to_str().unwrap()], more].concat();
    command(&args, &[("V3_KEY", V3_KEY), ("V2_KEY", V2_KEY)])
}

#[test]
fn check_says_of_each_channel_what_it_has() {
    let dir = folder(GOOD);
    let ended = check_in(dir.path(), &[]);
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    let says = "channel mini: asked by wechat-v3, reads notifications of wechat-v3 and wechat-v2, verifies with \
                PUB_KEY_ID_0114000000000000000000000000000000 and downloaded certificates";
    assert!(ended.stdout.contains(says), "{}", ended.stdout);
    let told: Value = serde_json::from_str(&check_in(dir.path(), &["--json"]).stdout).unwrap();
    let account = &told["accounts"]["mini"];
    assert_eq!(account["asked_by"], "wechat-v3");
    assert_eq!(account["reads"], serde_json::json!(["wechat-v3", "wechat-v2"]));
    assert_eq!(
        account["verifies_with"],
        serde_json::json!(["PUB_KEY_ID_0114000000000000000000000000000000", "downloaded"])
    );
}

#[test]
fn check_finds_what_was_taken_for_another_and_shows_no_value() {
    let pem = std::fs::read_to_string(Path::new(KEYS).join("apiclient_key.pem")).unwrap();
    for (from, to, words) in [
        ("apiclient_key.pem", "apiclient_pub.pem", ["mini.private_key: is a public key", "apiclient_key.pem"]),
        (
            "apiclient_key.pem",
            "apiclient_cert.p12",
            ["mini.private_key: is a file that is not text", "apiclient_key.pem"],
        ),
        ("apiclient_cert.pem", "other_cert.pem", ["mini.certificate: is the certificate of another", "same folder"]),
        (
            "apiclient_cert.pem",
            "apiclient_cert_expired.pem",
            ["mini.certificate: is a certificate that has expired", "make a new one"],
        ),
        ("${file:pub_key.pem}", "${file:apiclient_pub.pem}", ["mini.public_key: is the merchant's own", "pub_key.pem"]),
        (
            "${V3_KEY}",
            "444F4864EA9B34415A1B2C3D4E5F60718293A4B5",
            ["mini.api_v3_key: is not 32 ASCII characters (it has 40)", "serial"],
        ),
        ("PUB_KEY_ID_0114", "0114", ["mini.public_key_id: is not PUB_KEY_ID_ and digits", "copy the whole id"]),
    ] {
        let dir = folder(&GOOD.replace(from, to));
        let ended = check_in(dir.path(), &[]);
        assert_eq!(ended.code, 1, "{to}: {}{}", ended.stdout, ended.stderr);
        for word in words {
            assert!(ended.stderr.contains(word), "{to}: no {word:?} in {}", ended.stderr);
        }
        let said = ended.stdout + &ended.stderr;
        assert!(!said.contains(V3_KEY) && !pem.lines().any(|line| said.contains(line)), "{said}");
    }
}

#[test]
fn a_config_is_checked_where_its_keys_are_not() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("config.yaml"), GOOD).unwrap();
    let ended = check_in(dir.path(), &[]);
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    for name in ["${file:apiclient_key.pem}", "${file:apiclient_cert.pem}", "${file:pub_key.pem}"] {
        assert!(ended.stdout.contains(name), "no {name} in {}", ended.stdout);
    }
    let ended = check_in(dir.path(), &["--resolve"]);
    assert_eq!(ended.code, 1, "{}", ended.stdout);
    assert!(ended.stderr.contains("mini.private_key: the file"), "{}", ended.stderr);
}

fn resign_key(dir: &Path, more: &[&str]) -> Ended {
    command(&[&["resign-key", "--out", dir.to_str().unwrap()], more].concat(), &[])
}

fn openssl(args: &[&str]) -> Option<String> {
    let ended = Command::new("openssl").args(args).output().ok()?;
    assert!(ended.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&ended.stderr));
    Some(String::from_utf8(ended.stdout).unwrap())
}

#[test]
fn resign_key_makes_three_files_that_belong_together() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("a/new/folder");
    let ended = resign_key(&out, &["--json"]);
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    let (id, serial) = (told["public_key_id"].as_str().unwrap(), told["certificate_serial"].as_str().unwrap());
    assert!(id.starts_with("PUB_KEY_ID_9999") && id.len() == 45, "{id}");
    assert!(serial.len() == 40 && serial.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b)), "{serial}");
    let mode = |name: &str| std::fs::metadata(out.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("resign_key.pem"), 0o600);
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    let key = read("resign_key.pem");
    assert!(key.starts_with("-----BEGIN PRIVATE KEY-----\n"), "it is PKCS#8");
    assert!(!ended.stdout.contains(key.lines().nth(1).unwrap()));

    let [key, public, certificate] = ["resign_key.pem", "resign_pub.pem", "resign_cert.pem"].map(|name| out.join(name));
    let [key, public, certificate] = [&key, &public, &certificate].map(|path| path.to_str().unwrap());
    // Where another program is there to say so.
    if let Some(of_key) = openssl(&["pkey", "-in", key, "-pubout"]) {
        assert_eq!(of_key, std::fs::read_to_string(public).unwrap());
        assert_eq!(openssl(&["x509", "-in", certificate, "-noout", "-pubkey"]).unwrap(), of_key);
        assert_eq!(
            openssl(&["x509", "-in", certificate, "-noout", "-serial"]).unwrap().trim(),
            format!("serial={serial}")
        );
        openssl(&["verify", "-CAfile", certificate, certificate]);
    }
}

#[test]
fn what_resign_key_prints_is_taken_by_the_config() {
    let dir = folder(GOOD);
    let told: Value = serde_json::from_str(&resign_key(dir.path(), &["--json"]).stdout).unwrap();
    for line in told["resign"].as_array().unwrap() {
        let yaml = GOOD.replace("preset: wechat\n", &format!("preset: wechat\n    {}\n", line.as_str().unwrap()));
        std::fs::write(dir.path().join("config.yaml"), yaml).unwrap();
        let ended = check_in(dir.path(), &[]);
        assert_eq!(ended.code, 0, "{line}: {}{}", ended.stdout, ended.stderr);
    }
    // The certificate is one in the eyes of the gate, and ends in ten years.
    let yaml = GOOD.replace("${file:pub_key.pem}", "${file:resign_cert.pem}");
    std::fs::write(dir.path().join("config.yaml"), yaml).unwrap();
    assert!(check_in(dir.path(), &[]).stderr.contains("mini.public_key: is a certificate"));
}

#[test]
fn resign_key_replaces_nothing_and_then_writes_nothing() {
    for there in ["resign_key.pem", "resign_pub.pem", "resign_cert.pem"] {
        let dir = TempDir::new().unwrap();
        std::fs::write(dir.path().join(there), "mine").unwrap();
        let ended = resign_key(dir.path(), &[]);
        assert_eq!(ended.code, 1, "{}", ended.stdout);
        assert!(ended.stderr.contains(there) && ended.stderr.contains("--out"), "{}", ended.stderr);
        assert_eq!(std::fs::read_to_string(dir.path().join(there)).unwrap(), "mine");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
    let ended = resign_key(Path::new("/proc/none"), &[]);
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("cannot make /proc/none"), "{}", ended.stderr);
}

#[test]
fn resign_key_says_what_goes_where_in_both_languages() {
    let dir = TempDir::new().unwrap();
    let ended = resign_key(&dir.path().join("english"), &[]);
    for word in ["resign: {", "PUB_KEY_ID_9999", "wechatpay-java", "wechatpay-go", "cert_dir", "cannot use resign"] {
        assert!(ended.stdout.contains(word), "no {word} in {}", ended.stdout);
    }
    let out = dir.path().join("chinese");
    let ended = command(&["resign-key", "--out", out.to_str().unwrap()], &[("LANG", "zh_CN.UTF-8")]);
    assert!(ended.stdout.contains("公钥 ID") && ended.stdout.contains("resign: {"), "{}", ended.stdout);
}
