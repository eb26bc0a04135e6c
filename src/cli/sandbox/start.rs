//! Starting the sandbox.

use crate::config::Config;
use crate::observe::logging;
use crate::process::shutdown::Signals;
use crate::sandbox::shop::Shop;
use crate::sandbox::{DEMO_MERCHANTS, Host, Merchant, Sandbox, Seed, demo_merchants};
use anyhow::Context;
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::net::TcpListener;

/// How to start.
#[derive(Debug, clap::Args)]
pub(super) struct Start {
    /// Where order queries and control calls arrive; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,

    /// A second listener that stands for api2.mch.weixin.qq.com: same orders, its own faults.
    #[arg(long, value_name = "ADDRESS")]
    second_listen: Option<SocketAddr>,

    /// A merchant to answer; repeatable. Append ,sp for a service provider. Without any, demo merchants are made and
    /// printed.
    #[arg(long = "merchant", value_name = "APPID,MCH_ID,KEY", value_parser = Merchant::parse)]
    merchants: Vec<Merchant>,

    /// Answer the merchants of a gate's configuration, with its keys.
    #[arg(long, value_name = "FILE", conflicts_with = "merchants")]
    config: Option<PathBuf>,

    /// Write what API v3 needs there: each merchant's keys and certificates, and merchants.json, which lists them. The
    /// directory is made; what it has under the same names is replaced.
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    keys: Option<PathBuf>,

    /// Derive transaction ids, payers and nonces from this number: runs with the same seed are alike.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,

    /// Divide WeChat Pay's waits between notifications by this: 60 makes a minute a second.
    #[arg(long, value_name = "FACTOR", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    time_scale: u32,

    /// Lose notifications with this probability, 0 to 1; which ones derives from the seed.
    #[arg(long, value_name = "PROBABILITY", default_value_t = 0.0)]
    lose: f64,

    /// Also run a sample order system there: it believes whoever calls.
    #[arg(long, value_name = "ADDRESS")]
    shop: Option<SocketAddr>,
}

pub(super) async fn run(args: Start) -> anyhow::Result<ExitCode> {
    let _log = logging::start(None, "tollgate=info").map_err(anyhow::Error::from_boxed)?;
    let with_demo_merchants = args.merchants.is_empty() && args.config.is_none();
    let merchants = match &args.config {
        Some(path) => {
            Config::load(path)?.accounts.iter().map(|account| Merchant::of_account(&account.credentials)).collect()
        }
        None if with_demo_merchants => demo_merchants()?,
        None => args.merchants,
    };
    let seed = Seed(args.seed.unwrap_or_else(|| RandomState::new().hash_one(())));
    let sandbox = Sandbox::new(merchants, seed, args.time_scale);
    sandbox.lose(args.lose).context("--lose")?;
    if let Some(directory) = &args.keys {
        sandbox.write_keys(directory).context("--keys")?;
    }

    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let first = listen(args.listen).await?;
    let mut out = crate::cli::print::out();
    writeln!(out, "sandbox listening on http://{}", first.local_addr()?)?;
    let second = listen_if_wanted(args.second_listen, "sandbox (api2)", &mut out).await?;
    let shop = listen_if_wanted(args.shop, "sample order system", &mut out).await?;
    if with_demo_merchants {
        writeln!(out, "\ndemo merchants (their keys are public; appid, mch_id, key):")?;
        for merchant in DEMO_MERCHANTS {
            writeln!(out, "  {}", merchant.replace(',', "  ").replace("  sp", "  service provider"))?;
        }
    }
    match &args.keys {
        Some(directory) => writeln!(out, "\nAPI v3: keys and certificates are in {}", directory.display())?,
        None if args.config.is_none() => writeln!(out, "\nAPI v3: --keys DIR writes keys and certificates")?,
        None => {}
    }
    for mch_id in sandbox.without_v3() {
        writeln!(
            out,
            "
API v3: merchant {mch_id} is not answered. Its channel believes WeChat Pay's own keys only, which the sandbox does not have:
        write platform_certificates: auto with private_key and serial, or take the keys that --keys writes"
        )?;
    }
    writeln!(out, "\ntry: curl http://{}/sandbox/", first.local_addr()?)?;
    out.flush()?;

    let second = async {
        match second {
            Some(listener) => sandbox.serve(listener, Host::Api2).await,
            None => std::future::pending().await,
        }
    };
    let shop = async {
        match shop {
            Some(listener) => Shop::default().serve(listener).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        never = sandbox.serve(first, Host::Api) => match never {},
        never = second => match never {},
        ended = shop => match ended.context("the sample order system")? {},
        () = signals.next() => {}
    }
    Ok(ExitCode::SUCCESS)
}

async fn listen_if_wanted(
    address: Option<SocketAddr>,
    who: &str,
    out: &mut impl Write,
) -> anyhow::Result<Option<TcpListener>> {
    let Some(address) = address else { return Ok(None) };
    let listener = listen(address).await?;
    writeln!(out, "{who} listening on http://{}", listener.local_addr()?)?;
    Ok(Some(listener))
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}: choose another address with --listen, --second-listen or --shop")
    })
}
