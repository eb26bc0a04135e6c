//! `tollgate health`: does the gate answer? For container health checks, where there is no shell and no curl.
//!
//! The admin listener is asked if there is one, since it says whether the gate is alive and nothing else does so for
//! certain; otherwise the callbacks' own.

use super::ConfigFile;
use crate::config::Outline;
use anyhow::{Context, bail};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const TIMEOUT: Duration = Duration::from_secs(2);

/// What is sent, and how the answer begins.
struct Question {
    sent: &'static [u8],
    answer: &'static [u8],
}

/// It is no callback, and the gate answers it with 405.
const TO_CALLBACKS: Question =
    Question { sent: b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", answer: b"HTTP/1.1 " };

const TO_ADMIN: Question = Question {
    sent: b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    answer: b"HTTP/1.1 200 ",
};

pub(super) async fn run(args: &ConfigFile) -> anyhow::Result<ExitCode> {
    let outline = match Outline::load(&args.config) {
        Ok(outline) => outline,
        Err(problems) => return super::problems::print(&problems, false),
    };
    let (listen, tls, question) = match outline.admin {
        Some((listen, tls)) => (listen, tls, TO_ADMIN),
        None => (outline.listen, outline.tls, TO_CALLBACKS),
    };
    let addr = reachable(listen);
    timeout(TIMEOUT, answers(addr, tls, &question))
        .await
        .context("no answer in time")
        .and_then(|answered| answered)
        .with_context(|| format!("the gate at {addr} is not healthy"))?;
    Ok(ExitCode::SUCCESS)
}

/// TLS is not spoken here, so that a certificate for another name is no obstacle: there, being accepted must do.
async fn answers(addr: SocketAddr, tls: bool, question: &Question) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(addr).await?;
    if tls {
        return Ok(());
    }
    stream.write_all(question.sent).await?;
    let mut start = vec![0; question.answer.len()];
    stream.read_exact(&mut start).await?;
    if start != question.answer {
        bail!("something else than a healthy gate answers there");
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
