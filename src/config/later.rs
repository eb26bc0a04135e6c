//! What the file says about features that this version does not have. It is checked like the rest, so that a file
//! written today is right on the day they come.

use super::TlsFiles;
use super::read::{Section, Value, is_loopback};
use super::settings;
use crate::secret::Secret;
use std::net::SocketAddr;

/// Everything that is checked and not used yet.
#[derive(Debug)]
pub struct Later {
    /// Dashboard, API, metrics, health.
    pub admin: Option<Admin>,
}

/// The admin listener.
#[derive(Debug)]
pub struct Admin {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What its users bring; always there beyond loopback.
    pub token: Option<Secret>,
    /// Always there beyond loopback.
    pub tls: Option<TlsFiles>,
}

pub(super) static ADMIN: Section = Section { name: "admin", keys: &["listen", "token", "tls"] };

/// Shorter tokens can be guessed.
const MIN_TOKEN: usize = 16;

pub(super) fn admin(value: &Value<'_>) -> Option<Admin> {
    let map = value.map(&ADMIN)?;
    let listen = map.required("listen", "listen: 127.0.0.1:8081", Value::address);
    let token = map.optional("token", token);
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
    Some(Admin { listen: listen?, token, tls })
}

fn token(value: &Value<'_>) -> Option<Secret> {
    let token = value.secret()?;
    let text = token.expose();
    if text.len() < MIN_TOKEN || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        value.problem("is not 16 or more visible ASCII characters", "make one with: openssl rand -hex 32");
    }
    Some(token)
}
