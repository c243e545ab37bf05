//! `shopkeeper estimate`: how much memory and time a shop of some size will take on this machine.
//!
//! Two small shops of the same proportions are made up and learned from by the command that trains, which
//! says where its time and memory went (`pilot`); each part is then carried to the size that is asked about by how
//! it is known to grow (`forecast`). Nothing of this machine is assumed: a slow one is slow in the pilots too.

mod forecast;
mod pilot;

use super::commands::say;
use crate::config::Config;
use anyhow::ensure;
use forecast::{Forecast, Observed, Shape};
use serde_json::json;
use std::path::PathBuf;

/// The size that is asked about.
#[derive(Debug, clap::Args)]
pub(super) struct EstimateArguments {
    /// Customers of whom there are events.
    #[arg(long)]
    users: u64,
    /// Items of the catalogue.
    #[arg(long)]
    items: u64,
    /// Events to learn from, of all kinds.
    #[arg(long)]
    events: u64,
}

/// More of anything is a slip of the keyboard.
const COUNT_MAX: u64 = 10_000_000_000;

/// Measures two pilots and says what the shop will take.
pub(super) async fn estimate(
    config: Config,
    config_file: Option<PathBuf>,
    arguments: EstimateArguments,
    is_json: bool,
) -> anyhow::Result<()> {
    let EstimateArguments { users, items, events } = arguments;
    for (name, count) in [("users", users), ("items", items), ("events", events)] {
        ensure!((1..=COUNT_MAX).contains(&count), "--{name} must be from 1 to {COUNT_MAX}");
    }
    let events = events.min(config.training.events_max as u64);
    let target = Shape { users: users as f64, items: items as f64, events: events as f64 };
    let mut pilots: Vec<Observed> = Vec::new();
    for shape in pilot::shapes(&target, &config) {
        pilots.push(pilot::run(&shape, config_file.as_deref()).await?);
    }
    let limits = forecast::Limits {
        dense_items_max: config.models.ease.dense_items_max as f64,
        held_out_max: config.training.holdout_shoppers_max as f64,
        caches: (config.recommendations.cache_bytes_max + config.recommendations.answers_bytes_max)
            as f64,
    };
    let forecast = forecast::forecast(&pilots, &target, &limits);
    if is_json {
        say(json!({
            "users": users, "items": items, "events": events, "forecast": forecast, "pilots": pilots,
        }));
    } else {
        for line in lines(&forecast, &pilots) {
            say(line);
        }
    }
    Ok(())
}

fn lines(forecast: &Forecast, pilots: &[Observed]) -> Vec<String> {
    let mib = |bytes: f64| format!("{:>10.1} MiB", bytes / f64::from(1 << 20));
    let mut lines = vec![
        format!("a training run       {:>10.1} s", forecast.seconds),
        format!("  most memory while it runs {}", mib(forecast.peak_bytes)),
        format!("serving              {}", mib(forecast.serving_bytes)),
        format!("  with the next snapshot beside the served one {}", mib(forecast.swap_bytes)),
        "a snapshot, by part:".into(),
    ];
    let parts = forecast.snapshot_bytes.iter();
    lines.extend(parts.map(|(part, bytes)| format!("  {part:<22} {}", mib(*bytes))));
    lines.push("a training run, by part:".into());
    lines.extend(forecast.stages.iter().map(|stage| {
        let what = [Some(stage.name.as_str()), stage.model.as_deref()];
        let what: Vec<&str> = what.into_iter().flatten().collect();
        format!("  {:<32} {:>10.2} s", what.join(" "), stage.seconds)
    }));
    for pilot in pilots {
        lines.push(format!(
            "measured: {} shoppers, {} items, {} events in {:.1} s",
            pilot.shoppers, pilot.items, pilot.events, pilot.seconds
        ));
    }
    lines
}
