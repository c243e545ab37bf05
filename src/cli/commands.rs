//! What each command does.

use super::{
    evaluate::{self, Protocol},
    import::{self, Format},
    memory::{PeakMemory, ResidentMemory},
};
use crate::{
    app::{self, App},
    config::Config,
    domain::{Clock, RunOutcome, SystemClock, time::SECOND_MS},
    learn::trainer::Occasion,
    record::forms::FormRules,
};
use anyhow::Context;
use serde_json::json;
use std::{collections::BTreeMap, io::IsTerminal, path::PathBuf, sync::Arc};
use tokio_util::sync::CancellationToken;

/// Prints an answer: what a command is asked for goes to standard output.
#[expect(clippy::print_stdout, reason = "the answer of a command")]
pub(super) fn say(text: impl std::fmt::Display) {
    println!("{text}");
}

/// Serves until a signal; prints one line with the address once it listens.
pub(super) async fn serve(config: Config, is_json: bool) -> anyhow::Result<()> {
    app::serve(config, |address| {
        let url = format!("http://{address}");
        if is_json {
            say(json!({ "listening": url }));
        } else {
            say(format!("shopkeeper listens on {url}"));
        }
    })
    .await
}

/// Trains once on everything and publishes what is good enough.
pub(super) async fn train(config: Config, search: bool, is_json: bool) -> anyhow::Result<()> {
    let store = app::open_store(&config).await?;
    let mut app = App::assemble(Arc::new(config), store, Arc::new(SystemClock)).await?;
    let occasion = if search { Occasion::AskedToSearch } else { Occasion::Asked };
    let before = memory_stats::memory_stats().map(|stats| stats.physical_mem);
    let peak = PeakMemory::begin();
    // A search lies between two stages, and is none.
    let resident = if is_json && !search { ResidentMemory::begin() } else { None };
    let mut run = app.trainer.train_once(occasion, &CancellationToken::new()).await;
    if let (Some(resident), Some(stages)) = (resident, run.report["stages"].as_array_mut()) {
        let seconds: Vec<f64> =
            stages.iter().map(|stage| stage["seconds"].as_f64().unwrap_or(0.0)).collect();
        for (stage, bytes) in stages.iter_mut().zip(resident.peaks_of(&seconds)) {
            stage["peak_bytes"] = bytes.into();
        }
    }
    if is_json {
        say(json!({
            "outcome": run.outcome.name(),
            "reason": run.reason,
            "version": run.version,
            "seconds": run.finished_at.since_ms(run.started_at) as f64 / SECOND_MS as f64,
            "memory": {
                "before_bytes": before,
                "peak_bytes": peak.n_bytes(),
                "snapshot_bytes": app.state.snapshots.current().memory().into_iter().collect::<BTreeMap<_, _>>(),
            },
            "report": run.report,
        }));
    } else {
        say(format!("{}: {}", run.outcome, run.reason));
        for line in report_lines(&run.report) {
            say(line);
        }
    }
    anyhow::ensure!(run.outcome != RunOutcome::Failed, "training failed: {}", run.reason);
    Ok(())
}

/// The measured models as a table; empty if nothing was measured.
pub(super) fn report_lines(report: &serde_json::Value) -> Vec<String> {
    let models = report["models"].as_array().map_or(&[][..], Vec::as_slice);
    let mut lines = Vec::new();
    if !models.is_empty() {
        lines.push(format!(
            "{:<12} {:>8} {:>8} {:>9} {:>9} {:>7} {:>7} {:>7}  {}",
            "model", "NDCG@10", "±", "recall@10", "coverage", "weight", "fit s", "MiB", "verdict"
        ));
    }
    let number = |model: &serde_json::Value, key: &str| model[key].as_f64().unwrap_or_default();
    lines.extend(models.iter().map(|model| {
        format!(
            "{:<12} {:>8.4} {:>8.4} {:>9.4} {:>9.3} {:>7.2} {:>7.2} {:>7.1}  {}",
            model["model"].as_str().unwrap_or_default(),
            number(model, "ndcg"),
            number(model, "ndcg_standard_error"),
            number(model, "recall"),
            number(model, "coverage"),
            number(model, "weight"),
            number(model, "fit_seconds"),
            number(model, "bytes") / f64::from(1 << 20),
            model["verdict"].as_str().unwrap_or_default(),
        )
    }));
    lines
}

/// Reads files into the store.
pub(super) async fn import(
    config: Config,
    format: Format,
    paths: Vec<PathBuf>,
    (rejects, is_confirmed): (Option<PathBuf>, bool),
    is_json: bool,
) -> anyhow::Result<()> {
    let store = app::open_store(&config).await?;
    let rules = FormRules {
        currency: config.currency(),
        now: SystemClock.now(),
        future_skew_max_ms: i64::from(config.events.future_seconds_max) * SECOND_MS,
    };
    let rejects = rejects.unwrap_or_else(|| import::default_rejects_path(&paths));
    let progress = std::io::stderr().is_terminal();
    let options = import::ImportOptions { rejects, is_confirmed, progress };
    let report = import::import(&*store, &rules, format, &paths, &options).await?;
    if is_json {
        say(serde_json::to_string(&report).context("cannot write the report")?);
    } else {
        say(&report);
    }
    Ok(())
}

/// Measures the models on files and says what came of it.
pub(super) fn evaluate(protocol: &Protocol, is_json: bool) -> anyhow::Result<()> {
    let report = evaluate::evaluate(protocol, std::io::stderr().is_terminal())?;
    if is_json {
        say(serde_json::to_string(&report).context("cannot write the report")?);
    } else {
        say(&report);
    }
    Ok(())
}

/// Prints every key with its present value, secrets redacted.
pub(super) fn show_config(config: &Config, is_json: bool) -> anyhow::Result<()> {
    if is_json {
        say(serde_json::to_string(config).context("cannot write the settings")?);
    } else {
        say(toml::to_string(config).context("cannot write the settings")?.trim_end());
    }
    Ok(())
}
