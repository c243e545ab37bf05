//! A small shop, learned from by a process of its own, so that nothing else is in its memory.

use super::forecast::{Candidate, Observed, Shape, Stage};
use crate::{
    cli::stocking::stock,
    config::Config,
    domain::{Clock, SystemClock},
    record::store::sqlite::SqliteStore,
    simulate::{SimulationParams, simulate},
};
use anyhow::{Context, ensure};
use serde::Deserialize;
use std::{collections::BTreeMap, path::Path, process::Stdio};
use tokio::process::Command;

/// Events of the larger pilot.
const EVENTS_MAX: f64 = 400_000.0;
/// Events of a made-up customer in a day.
const EVENTS_PER_DAY: f64 = 0.42;
/// Days of history: fewer hold no second visits, more are beyond what is learned from.
const DAYS: [f64; 2] = [28.0, 700.0];
/// How many times smaller than the larger pilot the smaller one is.
const STEP: f64 = 3.0;
/// Beyond those that are solved for at once, the smaller pilot has this many times more items.
const BEYOND_DENSE: f64 = 1.15;
/// And the larger one at most this many times as many: one that fits into a core's caches says too little of one that does
/// not.
const LARGEST: f64 = 6.0;
/// Fewest of anything in a pilot.
const COUNT_MIN: f64 = 60.0;

/// Two shops of the proportions of `target`, the smaller one first; the larger one is no larger than `target`.
///
/// A model solves for few items in another way than for many, so that a pilot for many has more than those.
pub(super) fn shapes(target: &Shape, config: &Config) -> [Shape; 2] {
    let dense = config.models.ease.dense_items_max as f64;
    let share = (EVENTS_MAX / target.events).min(1.0);
    let scaled = |share: f64| Shape {
        users: (target.users * share).max(COUNT_MIN),
        items: (target.items * share).max(COUNT_MIN),
        events: (target.events * share).max(COUNT_MIN),
    };
    if target.items <= dense {
        return [scaled(share / STEP), scaled(share)];
    }
    // The larger one is as large as its events allow, but no smaller than it takes.
    let least = BEYOND_DENSE * dense;
    let most = (target.items * share).clamp(least * STEP / 2.0, LARGEST * least).min(target.items);
    let share = (most / target.items).min(share);
    // Of the same proportions where that leaves enough: then whatever grows with several things grows with all of them.
    [
        Shape { items: (most / STEP).max(least).min(most), ..scaled(share / STEP) },
        Shape { items: most, ..scaled(share) },
    ]
}

/// What `train --json` says.
#[derive(Debug, Deserialize)]
struct Trained {
    seconds: f64,
    memory: TrainedMemory,
    report: TrainedReport,
}

#[derive(Debug, Deserialize)]
struct TrainedMemory {
    #[serde(rename = "before_bytes")]
    before: Option<f64>,
    #[serde(rename = "peak_bytes")]
    peak: Option<f64>,
    #[serde(rename = "snapshot_bytes")]
    snapshot: BTreeMap<String, f64>,
}

#[derive(Debug, Deserialize)]
struct TrainedReport {
    events: f64,
    shoppers: f64,
    holdout_shoppers: f64,
    #[serde(default)]
    models: Vec<Candidate>,
    visits: Option<TrainedVisits>,
    stages: Vec<Stage>,
}

#[derive(Debug, Deserialize)]
struct TrainedVisits {
    known: TrainedJoin,
    strangers: TrainedJoin,
}

#[derive(Debug, Deserialize)]
struct TrainedJoin {
    moments: f64,
}

/// How many times larger than its pilots a shop is whose memory must not be told by what they have freed.
const FAR: f64 = 4.0;

/// Whether `target` is so much larger than its larger pilot that what the allocator keeps of freed memory, tens of
/// megabytes for a moment, would count many times over. To give it back at once takes the pilots some more time, less
/// than they differ from run to run.
pub(super) fn is_far(target: &Shape, large: &Shape) -> bool {
    target.events > FAR * large.events
}

/// Makes up a shop of about this shape and trains on it; `gives_back` what it frees at once.
pub(super) async fn run(
    shape: &Shape,
    config_file: Option<&Path>,
    gives_back: bool,
) -> anyhow::Result<Observed> {
    let folder = tempfile::Builder::new().prefix("shopkeeper-estimate").tempdir()?;
    let days = (shape.events / shape.users / EVENTS_PER_DAY).clamp(DAYS[0], DAYS[1]);
    let params = SimulationParams {
        n_items: shape.items as usize,
        n_shoppers: (shape.events / days / EVENTS_PER_DAY).max(COUNT_MIN) as usize,
        days: days as u32,
        ..SimulationParams::new(7, SystemClock.now())
    };
    let simulation = tokio::task::spawn_blocking(move || simulate(&params)).await??;
    let store = SqliteStore::open(&folder.path().join("shopkeeper.db"), 2).await?;
    stock(&store, &simulation, params.end).await?;
    drop(store);
    let mut command = Command::new(std::env::current_exe()?);
    if let Some(file) = config_file {
        command.arg("--config").arg(file);
    }
    command
        .args(["--json", "train"])
        .env("SHOPKEEPER__STORAGE__DIR", folder.path())
        .env("SHOPKEEPER__DATABASE__URL", "sqlite")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    if gives_back {
        command.env("MIMALLOC_PURGE_DELAY", "0");
    }
    let done = command.output().await.context("cannot start a training run")?;
    let why = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "a training run on a made-up shop failed: {}", why.trim());
    let trained: Trained =
        serde_json::from_slice(&done.stdout).context("a training run said what cannot be read")?;
    Ok(Observed {
        users: params.n_shoppers as f64,
        items: shape.items.floor(),
        shoppers: trained.report.shoppers,
        events: trained.report.events,
        held_out: trained.report.holdout_shoppers,
        // As many are there to choose on as to measure on.
        moments: trained
            .report
            .visits
            .map_or(0.0, |visits| 2.0 * (visits.known.moments + visits.strangers.moments)),
        models: trained.report.models,
        seconds: trained.seconds,
        before_bytes: trained.memory.before,
        peak_bytes: trained.memory.peak,
        snapshot_bytes: trained.memory.snapshot,
        stages: trained.report.stages,
    })
}
