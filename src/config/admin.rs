//! The admin listener: where it is, who may use it, and under which names.

use super::TlsFiles;
use super::read::{Section, Value, is_loopback};
use super::settings;
use crate::domain::secret::Secret;
use std::net::SocketAddr;

/// The admin listener.
#[derive(Debug)]
pub struct Admin {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What its users bring; always there beyond loopback.
    pub token: Option<Secret>,
    /// The names under which it is reached, in small letters, besides addresses and localhost.
    pub hosts: Vec<String>,
    /// Always there beyond loopback.
    pub tls: Option<TlsFiles>,
}

pub(super) static ADMIN: Section = Section { name: "admin", keys: &["listen", "token", "hosts", "tls"] };

/// Shorter tokens can be guessed.
const MIN_TOKEN: usize = 16;

/// The longest name that DNS has.
const LONGEST_NAME: usize = 253;

pub(super) fn admin(value: &Value<'_>) -> Option<Admin> {
    let map = value.map(&ADMIN)?;
    let listen = map.required("listen", "listen: 127.0.0.1:8081", Value::address);
    let token = map.optional("token", token);
    let hosts = map.or("hosts", Vec::new(), |v| Some(v.one_or_list()?.iter().filter_map(host).collect()));
    let tls = map.optional("tls", settings::tls);
    let open = listen.is_some_and(|listen| !is_loopback(&listen.ip().to_string()));
    if let (true, Some(at)) = (open, map.get("listen")) {
        for key in ["token", "tls"] {
            if map.get(key).is_none() {
                at.problem(
                    format!("is not loopback and has no admin.{key}"),
                    format!("add {key}, or listen on 127.0.0.1"),
                );
            }
        }
    }
    Some(Admin { listen: listen?, token, hosts, tls })
}

fn token(value: &Value<'_>) -> Option<Secret> {
    let token = value.secret()?;
    let text = token.expose();
    if text.len() < MIN_TOKEN || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        value.problem("is not 16 or more visible ASCII characters", "make one with: openssl rand -hex 32");
    }
    Some(token)
}

fn host(value: &Value<'_>) -> Option<String> {
    let is_label = |label: &str| {
        let ends = [label.as_bytes().first(), label.as_bytes().last()];
        ends.iter().flatten().all(|byte| byte.is_ascii_alphanumeric())
            && !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let read = |text: &str| {
        let is_name = text.len() <= LONGEST_NAME && text.split('.').all(is_label);
        if is_name { Ok(text.to_ascii_lowercase()) } else { Err("is not the name of a host") }
    };
    value.parse(read, "write a name alone, gate.example.com, without scheme and port")
}
