//! `tollgate demo`: the whole story on this machine, with nothing else needed.

mod configuration;

mod directory;

mod gate;

mod paper;

mod postgres;

mod report;

mod scenes;

mod stage;

mod v3;

use super::print;
use crate::process::shutdown::Signals;
use anyhow::Context;
use paper::Paper;
use postgres::Postgres;
use report::Report;
use scenes::Scene;
use serde_json::json;
use stage::{Gates, Stage};
use std::process::ExitCode;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Arguments of `tollgate demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Plays seventeen scenes with a simulated WeChat Pay, the gate with the routes of the shipped config.yaml, and a sample order
system that believes everybody; shows what each party saw. Then everything stays up to be tried with curl. The gate is
a process of its own, which one scene kills; its files are in a temporary directory that is removed at the end.
With --replicas two scenes are played with three gates, whose journal is in a PostgreSQL that the demo starts by itself, if
one is installed; one of the gates is killed in the middle.
Exit codes with --once: 0 all went as they should, 1 some did not.")]
pub(super) struct Args {
    /// End after the last scene instead of staying up.
    #[arg(long)]
    once: bool,

    /// Leave the gate out and send every callback straight to the order system, to see what it is for.
    #[arg(long)]
    without_gate: bool,

    /// Play with three gates that share one journal, in a PostgreSQL that is started for it.
    #[arg(long, conflicts_with = "without_gate")]
    replicas: bool,

    /// Print the scenes as JSON.
    #[arg(long)]
    json: bool,
}

/// Plays the scenes, and stays up.
///
/// # Errors
/// If a party cannot start, or a scene cannot be played at all.
pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut ends = Ends::listen().context("cannot listen for signals")?;
    // Declared before the gates, so that it outlives them.
    let postgres = if args.replicas { Some(tokio::task::spawn_blocking(Postgres::start).await??) } else { None };
    let gates = match &postgres {
        Some(postgres) => Gates::Three(postgres.url.clone()),
        None if args.without_gate => Gates::None,
        None => Gates::One,
    };
    let scenes = if args.replicas { Scene::OF_REPLICAS } else { Scene::OF_ONE_GATE };
    let stage = tokio::select! {
        stage = Stage::set_up(gates) => stage?,
        () = ends.come() => return Ok(ExitCode::FAILURE),
    };
    let mut paper = (!args.json).then(Paper::on_stdout);
    if let Some(paper) = &mut paper {
        paper.introduce(&stage)?;
    }
    let reports = tokio::select! {
        reports = play(&stage, scenes, paper.as_mut()) => reports?,
        () = ends.come() => return Ok(ExitCode::FAILURE),
    };
    match &mut paper {
        Some(paper) => paper.sum_up(&reports)?,
        None => print::json(&json!({
            "scenes": reports, "gate": stage.gate_url, "sandbox": stage.sandbox_url, "shop": stage.shop_url,
            "dashboard": stage.dashboard,
        }))?,
    }
    if args.once {
        return Ok(if reports.iter().all(Report::went_well) { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    if let Some(paper) = &mut paper {
        paper.invite(&stage)?;
    }
    ends.come().await;
    Ok(ExitCode::SUCCESS)
}

/// What ends the demo: also a terminal that is closed, or its gate and its files would stay.
struct Ends {
    signals: Signals,
    hangup: Signal,
}

impl Ends {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { signals: Signals::listen()?, hangup: signal(SignalKind::hangup())? })
    }

    async fn come(&mut self) {
        tokio::select! {
            () = self.signals.next() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

async fn play(stage: &Stage, scenes: &[Scene], mut paper: Option<&mut Paper>) -> anyhow::Result<Vec<Report>> {
    let mut reports = Vec::new();
    for scene in scenes {
        let report = scene.play(stage).await?;
        reports.push(report);
        if let (Some(paper), Some(report)) = (&mut paper, reports.last()) {
            paper.report(reports.len(), report)?;
        }
    }
    Ok(reports)
}
