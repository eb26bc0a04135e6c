//! `tollgate health`: does the gate at `listen` answer? For container health checks, where there is no shell and no curl.

use super::ConfigFile;
use crate::config::Outline;
use anyhow::{Context, bail};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(2);

/// It is no callback, and the gate answers it with 405.
const QUESTION: &[u8] = b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

pub(super) async fn run(args: &ConfigFile) -> anyhow::Result<ExitCode> {
    let outline = match Outline::load(&args.config) {
        Ok(outline) => outline,
        Err(problems) => return super::check::show(&problems, false),
    };
    let addr = reachable(outline.listen);
    timeout(PATIENCE, answers(addr, outline.tls))
        .await
        .context("no answer in time")
        .and_then(|answered| answered)
        .with_context(|| format!("the gate at {addr} is not healthy"))?;
    Ok(ExitCode::SUCCESS)
}

/// TLS is not spoken here, so that a certificate for another name is no obstacle: there, being accepted must do.
async fn answers(addr: SocketAddr, tls: bool) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(addr).await?;
    if tls {
        return Ok(());
    }
    stream.write_all(QUESTION).await?;
    let mut start = [0; 9];
    stream.read_exact(&mut start).await?;
    if &start != b"HTTP/1.1 " {
        bail!("something else than the gate answers there");
    }
    Ok(())
}

fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    (ip, listen.port()).into()
}
