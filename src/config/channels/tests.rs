//! Keys of API v3 as they are read, and what is warned of. What is refused stands in `tests/config/rejected/v3-*`.

use crate::config::{Config, Environment, Outline, Problems, Verifier};
use crate::domain::clock;
use crate::provider::wechat::v3::issue::{private_key, public_key, self_signed};
use crate::provider::wechat::v3::{Keys, PlatformCertificates, PrivateKey, Serial};
use crate::provider::wechat::{Api, Credentials};
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::env::VarError;
use std::io;
use std::path::Path;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/wechatpay-v3/keys");
const KEY: &str = "abcdefghijklmnopqrstuvwxyz012345";
const SERIAL: &str = "444F4864EA9B34415A1B2C3D4E5F60718293A4B5";

/// The files of the folder of test keys, others that are given, and the variable `V3_KEY`.
#[derive(Default)]
struct Files(BTreeMap<&'static str, String>);

impl Environment for Files {
    fn variable(&self, name: &str) -> Result<String, VarError> {
        if name == "V3_KEY" { Ok(KEY.to_owned()) } else { Err(VarError::NotPresent) }
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        match self.0.get(path.to_str().unwrap()) {
            Some(text) => Ok(text.clone()),
            None => std::fs::read_to_string(Path::new(FOLDER).join(path)),
        }
    }

    fn readable(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::NotFound.into())
    }
}

fn text(channel: &str) -> String {
    format!(
        "listen: 127.0.0.1:8080\nupstream: http://127.0.0.1:5000\nforwarding: {{ trusted_proxies: [127.0.0.1] }}\nroutes:\n  - {{ name: a, path: /a, \
         carrier: form, order: id, channel: app }}\nchannels:\n  app:\n    mch_id: \"1900009191\"\n    appid: wx1\n{channel}"
    )
}

fn parse(channel: &str, files: &Files) -> Result<Config, Problems> {
    Config::parse(&text(channel), Path::new("config.yaml"), files)
}

fn check(channel: &str, files: &Files) -> Result<Outline, Problems> {
    Outline::parse(&text(channel), Path::new("config.yaml"), files)
}

fn credentials(channel: &str) -> Credentials {
    let config = parse(channel, &Files::default()).unwrap_or_else(|problems| panic!("{problems}"));
    config.accounts[0].credentials.clone()
}

const V3: &str = "    provider: wechat-v3\n    private_key: ${file:apiclient_key.pem}\n";
const CERTIFICATE: &str = "    certificate: ${file:apiclient_cert.pem}\n";
const PUBLIC: &str = "    public_key_id: PUB_KEY_ID_01\n    public_key: ${file:pub_key.pem}\n";

#[test]
fn the_serial_number_is_the_certificates_or_written_in_either_case() {
    let certificate = credentials(&format!("{V3}{CERTIFICATE}{PUBLIC}"));
    let signer = certificate.v3().unwrap().signer.clone().unwrap();
    assert_eq!(signer.serial.as_str(), SERIAL);
    assert!(signer.ends_at.is_some());
    let both = format!("{V3}{CERTIFICATE}    serial: {}\n{PUBLIC}", SERIAL.to_lowercase());
    assert_eq!(credentials(&both), certificate);
    let written = credentials(&format!("{V3}    serial: {}\n{PUBLIC}", SERIAL.to_lowercase()));
    let signer = written.v3().unwrap().signer.clone().unwrap();
    assert_eq!((signer.serial.as_str(), signer.ends_at), (SERIAL, None));
}

#[test]
fn an_account_is_asked_by_its_provider_and_has_the_other_apis_keys_beside() {
    let only_v3 = credentials(&format!("{V3}{CERTIFICATE}{PUBLIC}"));
    assert!(matches!((&only_v3.api, &only_v3.also), (Api::V3(_), None)));
    let v3_and_v2 = credentials(&format!("{V3}{CERTIFICATE}{PUBLIC}    key: {KEY}\n"));
    assert!(matches!((&v3_and_v2.api, &v3_and_v2.also), (Api::V3(_), Some(Api::V2(_)))));
    let v2_and_v3 =
        credentials(&format!("    provider: wechat-v2\n    key: {KEY}\n    api_v3_key: ${{V3_KEY}}\n{PUBLIC}"));
    assert!(matches!((&v2_and_v3.api, &v2_and_v3.also), (Api::V2(_), Some(Api::V3(Keys { signer: None, .. })))));
    let only_v2 = credentials(&format!("    provider: wechat-v2\n    key: {KEY}\n"));
    assert!(matches!((&only_v2.api, &only_v2.also), (Api::V2(_), None)));
}

#[test]
fn certificates_are_downloaded_unless_there_are_files_or_none() {
    let platform = |line: &str| {
        let v3_key = "    api_v3_key: ${V3_KEY}\n";
        let keys = credentials(&format!("{V3}{CERTIFICATE}{PUBLIC}{v3_key}{line}"));
        keys.v3().unwrap().platform.clone()
    };
    assert_eq!(platform(""), PlatformCertificates::Auto);
    assert_eq!(platform("    platform_certificates: auto\n"), PlatformCertificates::Auto);
    assert_eq!(platform("    platform_certificates: none\n"), PlatformCertificates::None);
    let file = "\"${file:wechatpay_5157F09E.pem}\"";
    let PlatformCertificates::Files(files) = platform(&format!("    platform_certificates: [ {file} ]\n")) else {
        panic!()
    };
    assert_eq!(files[0].serial.as_str(), "5157F09EFDC096DE15EBE81A47057A7232F1B8E1");
    assert_eq!(platform(&format!("    platform_certificates: {file}\n")), PlatformCertificates::Files(files));
}

#[test]
fn whatever_of_the_keys_changes_the_account_is_another_one() {
    let hosts = ["https://one"];
    let own = format!("{V3}{CERTIFICATE}{PUBLIC}    api_v3_key: ${{V3_KEY}}\n");
    let of = |text: &str| credentials(text).fingerprint(hosts);
    let others = [
        own.replace("apiclient_key", "other_key").replace("apiclient_cert", "other_cert"),
        own.replace(CERTIFICATE, "    serial: 0000000000000000000000000000000000000001\n"),
        own.replace("PUB_KEY_ID_01", "PUB_KEY_ID_02"),
        own.replace("pub_key.pem", "old_pub_key.pem"),
        own.replace(PUBLIC, ""),
        own.replace("${V3_KEY}", "abcdefghijklmnopqrstuvwxyz012346"),
        own.replace("${V3_KEY}", "[\"${V3_KEY}\", abcdefghijklmnopqrstuvwxyz012346]"),
        format!("{own}    platform_certificates: none\n"),
        format!("{own}    platform_certificates: \"${{file:wechatpay_5157F09E.pem}}\"\n"),
        format!("{own}    key: {KEY}\n"),
        own.replace("wechat-v3", "wechat-v2") + &format!("    key: {KEY}\n"),
    ];
    for (index, other) in others.iter().enumerate() {
        assert_ne!(of(other), of(&own), "{index}");
    }
}

#[test]
fn no_key_is_shown() {
    let shown = format!(
        "{:?}",
        credentials(&format!("{V3}{CERTIFICATE}{PUBLIC}    api_v3_key: ${{V3_KEY}}\n    key: {KEY}\n"))
    );
    let key = std::fs::read_to_string(Path::new(FOLDER).join("apiclient_key.pem")).unwrap();
    assert!(!shown.contains(KEY) && !key.lines().any(|line| shown.contains(line)), "{shown}");
}

#[test]
fn a_check_reads_the_keys_that_are_there_and_leaves_out_the_others() {
    let elsewhere = "    provider: wechat-v3\n    private_key: ${file:nowhere.pem}\n    certificate: ${file:nowhere-else.pem}\n    \
                     api_v3_key: ${NOT_HERE}\n    public_key_id: ${NOR_HERE}\n    public_key: ${file:pub_key.pem}\n    \
                     platform_certificates: [ \"${file:no.pem}\" ]\n";
    let outline = check(elsewhere, &Files::default()).unwrap_or_else(|problems| panic!("{problems}"));
    let unread = ["${file:nowhere.pem}", "${file:nowhere-else.pem}", "${NOT_HERE}", "${NOR_HERE}", "${file:no.pem}"];
    assert_eq!(outline.unread_secrets, unread);
    let (_, account) = &outline.accounts[0];
    assert_eq!((account.asked_by, account.reads.as_slice()), ("wechat-v3", ["wechat-v3"].as_slice()));
    assert_eq!(account.verifies_with, [Verifier::Unread, Verifier::Unread]);
    let problems = parse(elsewhere, &Files::default()).unwrap_err();
    assert_eq!(problems.list.len(), 5, "{problems}");

    let wrong = elsewhere.replace("nowhere.pem", "apiclient_pub.pem");
    let problems = check(&wrong, &Files::default()).unwrap_err();
    assert!(problems.to_string().contains("channels.app.private_key: is a public key"), "{problems}");
    assert_eq!(problems.list.len(), 1, "{problems}");
}

#[test]
fn what_verifies_is_told_by_name() {
    let all = format!("{V3}{CERTIFICATE}{PUBLIC}    api_v3_key: ${{V3_KEY}}\n    key: {KEY}\n");
    let outline = check(&all, &Files::default()).unwrap();
    let (_, account) = &outline.accounts[0];
    assert_eq!(account.reads, ["wechat-v3", "wechat-v2"]);
    assert_eq!(account.verifies_with, [Verifier::Named("PUB_KEY_ID_01".into()), Verifier::Downloaded]);
    let v2 = check(&format!("    provider: wechat-v2\n    key: {KEY}\n"), &Files::default()).unwrap();
    let (_, account) = &v2.accounts[0];
    assert_eq!((account.asked_by, account.reads.as_slice()), ("wechat-v2", ["wechat-v2"].as_slice()));
    assert!(account.verifies_with.is_empty());
}

#[test]
fn a_certificate_is_warned_of_for_a_month_and_then_refused_by_a_check_only() {
    let key = PrivateKey::generate().unwrap();
    let channel = "    provider: wechat-v3\n    private_key: ${file:own.pem}\n    certificate: ${file:own-cert.pem}\n";
    let ending_in = |days: i64| {
        let now = clock::now();
        let [begins, ends] =
            [-400, days].map(|days| now + SignedDuration::from_hours(24 * days) + SignedDuration::from_mins(1));
        let certificate =
            self_signed(&key, &Serial::of_certificate(SERIAL).unwrap(), "1900009191", begins, ends).unwrap();
        Files(BTreeMap::from([("own.pem", private_key(&key).unwrap()), ("own-cert.pem", certificate)]))
    };
    let channel = format!("{channel}{PUBLIC}");
    let warnings = |files: &Files| {
        let config = parse(&channel, files).unwrap_or_else(|problems| panic!("{problems}"));
        config.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(warnings(&ending_in(31)), "");
    for days in [0, 1, 29] {
        let files = ending_in(days);
        assert!(warnings(&files).contains("channels.app.certificate: is a certificate that ends on 20"), "{days}");
        assert!(check(&channel, &files).is_ok_and(|outline| outline.warnings.len() == 1), "{days}");
    }
    let files = ending_in(-1);
    assert!(warnings(&files).contains("channels.app.certificate: is a certificate that has expired"));
    let problems = check(&channel, &files).unwrap_err();
    assert!(
        problems.to_string().contains("certificate: is a certificate that has expired; make a new one"),
        "{problems}"
    );
}

#[test]
fn an_apiv3_key_that_is_the_apiv2_key_is_warned_of() {
    let channel = format!("{V3}{CERTIFICATE}{PUBLIC}    api_v3_key: ${{V3_KEY}}\n    key: {KEY}\n");
    let [warning] = parse(&channel, &Files::default()).unwrap().warnings.try_into().unwrap();
    assert_eq!(warning.key, "channels.app.api_v3_key");
    assert!(warning.text.starts_with("is the same as key") && !warning.text.contains(KEY), "{}", warning.text);
    let other = channel.replace(KEY, "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345");
    assert!(parse(&other, &Files::default()).unwrap().warnings.is_empty());
}

#[test]
fn keys_that_nothing_uses_are_warned_of() {
    let channel = format!("    provider: wechat-v2\n    key: {KEY}\n{PUBLIC}");
    let [warning] = parse(&channel, &Files::default()).unwrap().warnings.try_into().unwrap();
    assert!(warning.text.starts_with("is not used: without api_v3_key"), "{}", warning.text);
}

#[test]
fn keys_stand_in_the_file_itself_as_well() {
    let key = PrivateKey::generate().unwrap();
    let (pem, public) = (private_key(&key).unwrap(), public_key(&key.public().unwrap()).unwrap());
    let block: String = pem.lines().map(|line| format!("      {line}\n")).collect();
    let body: String = pem.lines().filter(|line| !line.starts_with("---")).collect();
    for written in [
        format!("|\n{block}"),
        format!("\"{}\"\n", pem.replace('\n', "\\n")),
        format!("'{}'\n", pem.replace('\n', "\\n")),
        format!("{body}\n"),
    ] {
        let channel = format!("    provider: wechat-v3\n    serial: {SERIAL}\n{PUBLIC}    private_key: {written}");
        assert_eq!(credentials(&channel).v3().unwrap().signer.as_ref().unwrap().key, key);
    }
    let swapped = format!(
        "    provider: wechat-v3\n    serial: {SERIAL}\n{PUBLIC}    private_key: {}\n",
        public.lines().nth(1).unwrap()
    );
    let problems = parse(&swapped, &Files::default()).unwrap_err().to_string();
    assert!(!problems.contains(public.lines().nth(1).unwrap()), "{problems}");
}
