//! `tollgate resign-key`: a key of the gate's own, that it signs notifications of API v3 with when it sends them again.

use super::print::{self, Lines};
use super::words::{Words, fill, words};
use crate::domain::clock;
use crate::provider::wechat::v3::issue::{private_key, public_key, self_signed};
use crate::provider::wechat::v3::serial::PUBLIC_KEY_ID;
use crate::provider::wechat::v3::{PrivateKey, Serial};
use anyhow::{Context, bail};
use aws_lc_rs::rand::fill as random;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `tollgate resign-key`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Makes three files, and says what goes where:
  resign_key.pem   the private key, for the gate alone
  resign_pub.pem   the public key, for order systems that take one and its id
  resign_cert.pem  a certificate of the same key, for order systems that take platform certificates

A file that is there is never replaced: if one of them is, none is written.

Exit codes: 0 made, 1 not made, 2 wrong usage.")]
pub(super) struct Args {
    /// The directory for the three files, which is made if it is not there.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Print JSON.
    #[arg(long)]
    json: bool,
}

const KEY: &str = "resign_key.pem";
const PUBLIC: &str = "resign_pub.pem";
const CERTIFICATE: &str = "resign_cert.pem";

/// The name in the certificate.
const NAME: &str = "tollgate resign-key";

/// Before now, for order systems whose clock is behind.
const VALID_SINCE: SignedDuration = SignedDuration::from_hours(24);

/// Ten years.
const VALID_FOR: SignedDuration = SignedDuration::from_hours(3652 * 24);

/// Only the gate reads it.
const PRIVATE: u32 = 0o600;
const SHARED: u32 = 0o644;

/// What was made.
struct Made {
    directory: PathBuf,
    id: Serial,
    serial: Serial,
    expires: Timestamp,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let directory = std::path::absolute(&args.out).with_context(|| format!("no directory {}", args.out.display()))?;
    let made = make(directory)?;
    let value = json!({
        "directory": made.directory,
        "private_key": KEY,
        "public_key": PUBLIC,
        "certificate": CERTIFICATE,
        "public_key_id": made.id.as_str(),
        "certificate_serial": made.serial.as_str(),
        "certificate_expires": clock::rfc3339(made.expires),
        "resign": [resign_line(&made, &made.id), resign_line(&made, &made.serial)],
    });
    print::print(args.json, &value, &lines(&made, words()))?;
    Ok(ExitCode::SUCCESS)
}

fn make(directory: PathBuf) -> anyhow::Result<Made> {
    if let Some(there) = [KEY, PUBLIC, CERTIFICATE].iter().find(|name| directory.join(name).exists()) {
        bail!("{}", is_there(&directory.join(there)));
    }
    let key = PrivateKey::generate().context("no key could be made")?;
    let (id, serial) = (key_id()?, certificate_serial()?);
    let now = clock::now();
    let expires = now + VALID_FOR;
    let certificate = self_signed(&key, &serial, NAME, now - VALID_SINCE, expires)?;
    let files = [
        (KEY, private_key(&key)?, PRIVATE),
        (PUBLIC, public_key(&key.public()?)?, SHARED),
        (CERTIFICATE, certificate, SHARED),
    ];
    fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    for (index, (name, text, mode)) in files.iter().enumerate() {
        let path = directory.join(name);
        if let Err(error) = write(&path, text, *mode) {
            // All of them or none: those that were just made are of no use.
            for (name, ..) in files.iter().take(index) {
                let _ = fs::remove_file(directory.join(name));
            }
            if error.kind() == ErrorKind::AlreadyExists {
                bail!("{}", is_there(&path));
            }
            return Err(error).with_context(|| format!("cannot write {}", path.display()));
        }
    }
    Ok(Made { directory, id, serial, expires })
}

fn is_there(path: &Path) -> String {
    format!(
        "{} is there already, and nothing was written; name another directory with --out, or move it away",
        path.display()
    )
}

fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

/// Digits of a public key's id behind its beginning.
const DIGITS: usize = 34;

/// No id of WeChat Pay's begins like this.
const NOT_WECHATS: &str = "9999";

/// An id that is unlikely to be made twice.
fn key_id() -> anyhow::Result<Serial> {
    let mut bytes = [0; DIGITS - NOT_WECHATS.len()];
    random(&mut bytes).context("no random numbers")?;
    let digits: String = bytes.iter().map(|byte| char::from(b'0' + byte % 10)).collect();
    Ok(Serial::of_public_key(&format!("{PUBLIC_KEY_ID}{NOT_WECHATS}{digits}"))?)
}

/// A serial number of exactly 40 digits in every program: some leave out leading zeros, and DER puts a zero before a
/// first digit from 8 on.
fn certificate_serial() -> anyhow::Result<Serial> {
    let mut bytes = [0; 20];
    random(&mut bytes).context("no random numbers")?;
    if let Some(first) = bytes.first_mut() {
        *first = (*first & 0x7F).max(0x10);
    }
    Ok(Serial::of_certificate(&hex::encode(bytes))?)
}

/// The line for config.yaml.
fn resign_line(made: &Made, serial: &Serial) -> String {
    format!("resign: {{ private_key: \"${{file:{}}}\", serial: {serial} }}", made.directory.join(KEY).display())
}

fn lines(made: &Made, words: &Words) -> Lines {
    let mut lines = Lines::default();
    lines.say(fill(words.resign_made, &[&made.directory.display()]));
    lines.item(KEY, words.resign_private);
    lines.item(PUBLIC, fill(words.resign_public, &[&made.id]));
    let until = made.expires.strftime("%Y-%m-%d");
    lines.item(CERTIFICATE, fill(words.resign_certificate, &[&made.serial, &until]));
    lines.say("");
    lines.say(words.resign_configure);
    lines.say(format!("    {}", resign_line(made, &made.id)));
    lines.say(words.resign_or_certificate);
    lines.say(format!("    {}", resign_line(made, &made.serial)));
    lines.say("");
    lines.say(words.resign_where);
    for (sdk, goes) in [
        ("wechatpay-java", words.resign_java),
        ("wechatpay-go", words.resign_go),
        ("wechatpay-php", words.resign_php),
        ("yansongda/pay", words.resign_yansongda),
        ("wechatpayv3", words.resign_python),
    ] {
        lines.item(sdk, goes);
    }
    lines.say(words.resign_cannot);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificates_serial_has_forty_digits_however_it_is_written() {
        for _ in 0..1000 {
            let serial = certificate_serial().unwrap();
            let first = serial.as_str().chars().next().unwrap();
            assert_eq!(serial.as_str().len(), 40);
            assert!(('1'..='7').contains(&first), "{serial}");
        }
    }

    #[test]
    fn an_id_is_one_and_none_of_wechat_pays() {
        let [one, other] = [key_id().unwrap(), key_id().unwrap()];
        assert_ne!(one, other);
        assert!(one.as_str().starts_with("PUB_KEY_ID_9999"), "{one}");
        assert_eq!(one.as_str().len(), "PUB_KEY_ID_9999000000000000000000000000000001".len());
    }
}
