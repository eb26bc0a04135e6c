//! Printing for people: colours on a terminal only, and not if NO_COLOR is set (<https://no-color.org>).

use super::report::Report;
use super::stage::{Dashboard, Stage};
use crate::cli::print::{Out, out};
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

const PROMISE: &str = "A callback is only a claim. The gate asks WeChat Pay before the order system hears of it.";

const WITHOUT: &str = "What you see below is what happens today. Run it again without --without-gate.";

/// Standard output.
#[derive(Debug)]
pub(super) struct Paper {
    out: Out,
    colours: bool,
}

/// An ANSI colour or style.
#[derive(Debug, Clone, Copy)]
enum Ink {
    Bold = 1,
    Dim = 2,
    Red = 31,
    Green = 32,
}

impl Paper {
    pub(super) fn on_stdout() -> Self {
        let colours = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { out: out(), colours }
    }

    /// Who plays.
    pub(super) fn introduce(&mut self, stage: &Stage) -> io::Result<()> {
        let Stage { gate_url, sandbox_url, second_url, shop_url, directory, .. } = stage;
        let title = self.ink(Ink::Bold, "On this machine, over real sockets");
        let (gate, promise) = match directory {
            Some(directory) => (
                format!(
                    "{gate_url}, a process of its own with the routes of the shipped config.yaml
                (until the end its journal and log are in {})",
                    directory.display()
                ),
                PROMISE,
            ),
            None => ("left out: every callback goes straight to the order system".to_owned(), WITHOUT),
        };
        writeln!(
            self.out,
            "{title}
  WeChat Pay    {sandbox_url}, simulated, and {second_url} as its second entry
  order system  {shop_url}, believes whoever calls; its refund needs the transaction id
  the gate      {gate}

{promise}"
        )
    }

    /// A scene.
    pub(super) fn report(&mut self, number: usize, report: &Report) -> io::Result<()> {
        let title = self.ink(Ink::Bold, &format_args!("{number}. {}", report.title));
        writeln!(self.out, "\n{title}\n   {}", report.story)?;
        let parties = [
            ("sender", &report.sender),
            ("the gate", &report.gate),
            ("WeChat Pay", &report.wechat_pay),
            ("order system", &report.shop),
        ];
        for (party, lines) in parties {
            for (at, line) in lines.iter().enumerate() {
                let party = self.ink(Ink::Dim, &format_args!("{:<13}", if at == 0 { party } else { "" }));
                writeln!(self.out, "   {party} {line}")?;
            }
        }
        for check in &report.checks {
            let mark = if check.seen { self.ink(Ink::Green, "✓") } else { self.ink(Ink::Red, "✗ not so:") };
            writeln!(self.out, "   {mark} {}", check.expected)?;
        }
        self.out.flush()
    }

    /// Whether all went well.
    pub(super) fn sum_up(&mut self, reports: &[Report]) -> io::Result<()> {
        let good = reports.iter().filter(|report| report.went_well()).count();
        let sum = format!("{good} of {} scenes went as they should.", reports.len());
        let sum = self.ink(if good == reports.len() { Ink::Green } else { Ink::Red }, &sum);
        writeln!(self.out, "\n{sum}")
    }

    /// What to try.
    pub(super) fn invite(&mut self, stage: &Stage) -> io::Result<()> {
        let Stage { gate_url, sandbox_url, shop_url, .. } = stage;
        let title = self.ink(Ink::Bold, "Everything stays up until Ctrl-C. Look:");
        if let Some(Dashboard { url, token }) = &stage.dashboard {
            writeln!(self.out, "\n{title}\n  dashboard: {url}\n  token:     {token}")?;
        }
        let title = self.ink(Ink::Bold, "Try:");
        writeln!(
            self.out,
            "
{title}
  # somebody pays order T1; the APP calls back; the refund works
  curl {sandbox_url}/sandbox/orders/1900000109/T1/pay -d '{{\"total_fee\":6600}}'
  curl -i {gate_url}/pay/success -d 'OrderID=T1&paymentcenter_id=&TotalFee=6600'
  curl {shop_url}/refund -d OrderID=T1
  # nobody paid T2
  curl -i {gate_url}/pay/success -d 'OrderID=T2&paymentcenter_id=&TotalFee=6600'
  # now somebody does, and nobody calls back: it is there when the gate has asked again (after seconds, or a minute)
  curl {sandbox_url}/sandbox/orders/1900000109/T2/pay -d '{{\"total_fee\":6600}}'
  curl {shop_url}/orders
  # WeChat Pay notifies of T1 itself; a forger of T3
  curl {sandbox_url}/sandbox/notifications -d '{{\"out_trade_no\":\"T1\",\"notify_url\":\"{gate_url}/wxpay/notify/app\"}}'
  curl {sandbox_url}/sandbox/notifications -d '{{\"out_trade_no\":\"T3\",\"notify_url\":\"{gate_url}/wxpay/notify/app\",\"forge\":\"wrong-key\",\"retry\":false}}'
  # WeChat Pay is down
  curl -X PUT {sandbox_url}/sandbox/hosts/api/faults -d '[{{\"kind\":\"down\"}}]'
  # the order system fails every callback; and takes them again
  curl -X PUT {shop_url}/fails -d true
  curl -X PUT {shop_url}/fails -d false
  # what each party saw, and every control call
  curl {sandbox_url}/sandbox/queries; curl {sandbox_url}/sandbox/notifications; curl {shop_url}/received
  curl {sandbox_url}/sandbox/"
        )?;
        self.out.flush()
    }

    fn ink(&self, ink: Ink, text: &(impl Display + ?Sized)) -> String {
        if self.colours { format!("\x1b[{}m{text}\x1b[0m", ink as u8) } else { text.to_string() }
    }
}
