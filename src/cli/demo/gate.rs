//! The gate of the demo: the shipped `config.yaml`, with the addresses of the other parties and the sandbox's keys.

use crate::app::App;
use crate::config::{Config, Environment};
use crate::gate::forward::Upstream;
use crate::sandbox::Merchant;
use anyhow::Context;
use std::env::VarError;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use tokio_util::task::AbortOnDropHandle;

const SHIPPED: &str = include_str!("../../../config.yaml");

/// A free port of loopback.
const ANYWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// The running gate. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Gate {
    /// Where callbacks arrive.
    pub(super) url: String,
    _running: AbortOnDropHandle<()>,
}

/// Starts the gate before `upstream`, asking the WeChat Pay at `hosts` for the orders of `merchants`.
pub(super) fn start_gate(upstream: &str, hosts: [&str; 2], merchants: &[Merchant]) -> anyhow::Result<Gate> {
    let keys = DemoKeys(merchants);
    let mut config = Config::parse(SHIPPED, Path::new("config.yaml"), &keys).context("the shipped config.yaml")?;
    config.listen = ANYWHERE;
    config.upstream = Upstream::parse(upstream)?;
    config.wechat.hosts = hosts.map(str::to_owned).to_vec();
    for channel in &mut config.channels {
        channel.upstream = config.upstream.clone();
    }
    let app = App::build(config)?;
    let url = app.url()?;
    let running = tokio::spawn(async move {
        app.run(async || std::future::pending().await).await;
    });
    Ok(Gate { url, _running: AbortOnDropHandle::new(running) })
}

/// An environment in which the keys of the shipped configuration are the sandbox's.
struct DemoKeys<'m>(&'m [Merchant]);

impl Environment for DemoKeys<'_> {
    fn variable(&self, name: &str) -> Result<String, VarError> {
        let appid = match name {
            "WECHAT_APP_KEY" => "wxd930ea5d5a258f4f",
            "WECHAT_C1_KEY" => "wx2421b1c4370ec43b",
            _ => return Err(VarError::NotPresent),
        };
        let merchant = self.0.iter().find(|merchant| merchant.appid.as_str() == appid).ok_or(VarError::NotPresent)?;
        String::from_utf8(merchant.key.expose().to_vec()).map_err(|_| VarError::NotPresent)
    }

    fn file(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn readable(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::NotFound.into())
    }
}
