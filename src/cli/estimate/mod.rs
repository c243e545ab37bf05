//! `shopkeeper estimate`: how much memory and time a shop of some size will take on this machine.
//!
//! Two small shops of the same proportions are made up and learned from by the command that trains, which
//! says where its time and memory went (`pilot`); each part is then carried to the size that is asked about by how
//! it is known to grow (`forecast`). Nothing of this machine is assumed: a slow one is slow in the pilots too.

mod forecast;
mod pilot;

use super::commands::say;
use crate::{config::Config, learn::pipeline::MOMENTS_MAX};
use anyhow::bail;
use clap::builder::RangedU64ValueParser;
use forecast::{Forecast, Observed, Shape};
use serde_json::json;
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};

/// The size that is asked about.
#[derive(Debug, clap::Args)]
pub(super) struct EstimateArguments {
    /// Customers of whom there are events.
    #[arg(long, value_parser = count())]
    users: u64,
    /// Items of the catalogue.
    #[arg(long, value_parser = count())]
    items: u64,
    /// Events, of all kinds; those beyond `training.events_max` are not learned from.
    #[arg(long, value_parser = count())]
    events: u64,
}

/// More of anything is a slip of the keyboard.
const COUNT_MAX: u64 = 10_000_000_000;

fn count() -> RangedU64ValueParser {
    clap::value_parser!(u64).range(1..=COUNT_MAX)
}

/// Measures two pilots and says what the shop will take.
pub(super) async fn estimate(
    config: Config,
    config_file: Option<PathBuf>,
    arguments: EstimateArguments,
    is_json: bool,
) -> anyhow::Result<()> {
    let EstimateArguments { users, items, events } = arguments;
    let learned = events.min(config.training.events_max as u64);
    let target = Shape { users: users as f64, items: items as f64, events: learned as f64 };
    let [small, large] = pilot::shapes(&target, &config);
    let both = async {
        let (file, is_far) = (config_file.as_deref(), pilot::is_far(&target, &large));
        let small = pilot::run(&small, file, is_far).await?;
        Ok::<_, anyhow::Error>([small, pilot::run(&large, file, is_far).await?])
    };
    // Whoever ends the command early is left no process and no folder.
    let pilots = tokio::select! {
        pilots = both => pilots?,
        signal = stop_signal() => bail!("stopped by {}", signal?),
    };
    let limits = forecast::Limits {
        dense_items_max: config.models.ease.dense_items_max as f64,
        held_out_max: config.training.holdout_shoppers_max as f64,
        moments_max: 2.0 * MOMENTS_MAX as f64,
        caches: (config.recommendations.cache_bytes_max + config.recommendations.answers_bytes_max)
            as f64,
    };
    let forecast = forecast::forecast(&pilots, &target, &limits);
    if is_json {
        say(json!({
            "users": users, "items": items, "events": events, "events_learned": learned, "forecast": forecast, "pilots": pilots,
        }));
    } else {
        for line in lines(&forecast, &pilots) {
            say(line);
        }
    }
    Ok(())
}

/// Waits for SIGTERM or SIGINT; its name.
async fn stop_signal() -> std::io::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}

fn lines(forecast: &Forecast, pilots: &[Observed]) -> Vec<String> {
    let mib = |bytes: f64| format!("{:>10.1} MiB", bytes / f64::from(1 << 20));
    let mut lines = vec![
        format!("a training run       {:>10.1} s", forecast.seconds),
        format!("  most memory while it runs {}", mib(forecast.peak_bytes)),
        format!("serving, with full caches   {}", mib(forecast.serving_bytes)),
        format!("  with the next snapshot beside the served one {}", mib(forecast.swap_bytes)),
        format!("  while it trains            {}", mib(forecast.training_bytes)),
        "a snapshot, by part:".into(),
    ];
    let parts = forecast.snapshot_bytes.iter();
    lines.extend(parts.map(|(part, bytes)| format!("  {part:<22} {}", mib(*bytes))));
    lines.push("a training run, by part, with what is in memory then:".into());
    lines.extend(forecast.stages.iter().map(|stage| {
        let what = [Some(stage.name.as_str()), stage.model.as_deref()];
        let what: Vec<&str> = what.into_iter().flatten().collect();
        let memory = if stage.peak_bytes > 0.0 { mib(stage.peak_bytes) } else { String::new() };
        format!("  {:<32} {:>10.2} s {memory}", what.join(" "), stage.seconds)
    }));
    let served = forecast.served_models.join(", ");
    lines.push(match (served.as_str(), forecast.is_assumed) {
        ("", _) => "reckoned with what the small shop was served by".into(),
        (served, false) => format!("reckoned with these served, as in the small shop: {served}"),
        (served, true) => {
            format!("reckoned with {served} served, though in the small shop popularity alone was better")
        }
    });
    lines.extend(forecast.models.iter().map(|(model, served)| {
        format!("  to serve {model:<16} {:>10.2} s {}", served.seconds, mib(served.bytes))
    }));
    for pilot in pilots {
        lines.push(format!(
            "measured: {} shoppers, {} items, {} events in {:.1} s",
            pilot.shoppers, pilot.items, pilot.events, pilot.seconds
        ));
    }
    lines
}
