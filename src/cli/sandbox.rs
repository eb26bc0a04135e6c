//! `tollgate sandbox`: the simulated WeChat Pay alone, and the commands that steer one that runs.

mod remote;

mod start;

use clap::Subcommand;
use std::process::ExitCode;

/// Arguments of `tollgate sandbox`.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Without a command it starts. Try:
  tollgate sandbox                                       start with the demo merchants
  tollgate sandbox pay A1 --total-fee 6600               somebody pays order A1
  tollgate sandbox notify A1 http://127.0.0.1:8080/wxpay/notify/app
  tollgate sandbox --keys DIR                            start, and write keys and certificates for API v3
  tollgate sandbox notify A1 http://127.0.0.1:8080/wxpay/notify/app --format v3
  tollgate sandbox fault A1 not-paid --count 2           two queries do not see the payment yet
  tollgate sandbox host api down                         the first host is down
  tollgate sandbox queries                               what was asked, and answered
  tollgate sandbox bill --gzip ignored --unsorted        what the bills are like
  tollgate sandbox lose 0.2                              one notification in five is lost
docs/sandbox.md has every call, also for curl.

Exit codes, of those below too: 0 done, 1 failed, 2 wrong usage."
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Box<Steer>>,

    #[command(flatten)]
    start: start::Start,
}

/// Steers a sandbox that runs.
#[derive(Debug, Subcommand)]
enum Steer {
    /// Somebody pays an order; it is made if it is not there.
    Pay(remote::Pay),
    /// A paid order is refunded.
    Refund(remote::Named),
    /// The merchant closes an order.
    Close(remote::Named),
    /// Show an order, or make one in any state with --state.
    Order(remote::OrderArgs),
    /// List all orders.
    Orders(remote::Plain),
    /// Say how the next answers for an order go wrong.
    Fault(remote::OrderFault),
    /// Say how everything goes wrong that one of the two hosts answers.
    Host(remote::HostFault),
    /// Send a payment notification, and again on WeChat Pay's schedule until it is acknowledged.
    Notify(remote::Notify),
    /// List the notifications and each delivery's answer.
    Notifications(remote::Plain),
    /// List the order queries that were received.
    Queries(remote::Queries),
    /// Show what the bills are like, or say it.
    Bill(remote::Bill),
    /// List the questions for bills that were received.
    Bills(remote::Plain),
    /// Lose notifications from now on, at random.
    Lose(remote::Lose),
    /// Show with what notifications of API v3 are signed, or say it.
    Signing(remote::SigningArgs),
    /// List the platform certificates of API v3, or issue a new one.
    Certificates(remote::Certificates),
    /// Forget orders, faults, queries, notifications, and what was said of bills.
    Reset(remote::Plain),
}

/// Starts a sandbox, or steers one.
///
/// # Errors
/// If it cannot listen, or the running one cannot be reached or refuses.
pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command.map(|steer| *steer) {
        None => start::run(args.start).await,
        Some(Steer::Pay(args)) => remote::pay(args).await,
        Some(Steer::Refund(args)) => remote::act(args, "refund").await,
        Some(Steer::Close(args)) => remote::act(args, "close").await,
        Some(Steer::Order(args)) => remote::order(args).await,
        Some(Steer::Orders(args)) => remote::list(&args, "orders").await,
        Some(Steer::Fault(args)) => remote::order_fault(args).await,
        Some(Steer::Host(args)) => remote::host_fault(args).await,
        Some(Steer::Notify(args)) => remote::notify(args).await,
        Some(Steer::Notifications(args)) => remote::list(&args, "notifications").await,
        Some(Steer::Queries(args)) => remote::queries(args).await,
        Some(Steer::Bill(args)) => remote::bill(args).await,
        Some(Steer::Bills(args)) => remote::list(&args, "bills").await,
        Some(Steer::Lose(args)) => remote::lose(args).await,
        Some(Steer::Signing(args)) => remote::signing(args).await,
        Some(Steer::Certificates(args)) => remote::certificates(args).await,
        Some(Steer::Reset(args)) => remote::reset(&args).await,
    }
}
