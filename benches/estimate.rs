//! Does `shopkeeper estimate` say what a shop will take? Simulated shops with catalogues of 4,000, 100,000 and
//! 1,000,000 items: what it said before of a shop served by these models, beside what a training run took.
//!
//! `cargo bench --bench estimate -- 4000 100000` takes some of them.

#![expect(clippy::unwrap_used, reason = "a bench may fail")]

#[expect(dead_code, reason = "the other benches use the rest")]
mod support;

use serde_json::Value;
use shopkeeper::{
    domain::{Clock, SystemClock},
    simulate::SimulationParams,
};
use support::{
    block_on,
    report::{Report, count, say, say_where},
    service::run,
    shop::fill_simulated,
};

/// Items, customers and events for each customer.
const SIZES: [(usize, usize, u32); 3] =
    [(4_000, 5_000, 100), (100_000, 20_000, 25), (1_000_000, 200_000, 25)];
/// Events of a made-up customer in a hundred days.
const EVENTS_PER_100_DAYS: u32 = 42;
/// How far off it may be.
const TOLERANCE: f64 = 0.25;

fn main() {
    if !support::is_bench() {
        return say("measures only under `cargo bench`");
    }
    say_where();
    let given: Vec<usize> = std::env::args().filter_map(|size| size.parse().ok()).collect();
    let mut report = Report::default();
    for (n_items, n_shoppers, per_shopper) in SIZES {
        if given.is_empty() || given.contains(&n_items) {
            measure((n_items, n_shoppers, per_shopper), &mut report);
        }
    }
    say("\nColumns: measured; said before; said over measured.");
    report.print();
}

fn measure((n_items, n_shoppers, per_shopper): (usize, usize, u32), report: &mut Report) {
    let folder = tempfile::tempdir().unwrap();
    let params = SimulationParams {
        n_items,
        n_shoppers,
        days: per_shopper * 100 / EVENTS_PER_100_DAYS,
        ..SimulationParams::new(11, SystemClock.now())
    };
    let n_events = block_on(fill_simulated(folder.path(), &params));
    let sizes = [n_shoppers, n_items, n_events].map(|n| n.to_string());
    let asked = ["--users", &sizes[0], "--items", &sizes[1], "--events", &sizes[2]];
    let asked: Vec<&str> = ["--json", "estimate"].into_iter().chain(asked).collect();
    let elsewhere = tempfile::tempdir().unwrap();
    let said = answer(elsewhere.path(), &asked);
    let took = answer(folder.path(), &["--json", "train"]);
    assert_eq!(took["outcome"], "published", "{took}");
    let forecast = &said["forecast"];
    // Which models are served is chosen by this shop's own shoppers; what each takes was said of all of them.
    let is_served = |model: &str| took["memory"]["snapshot_bytes"].get(model).is_some();
    let reckoned = forecast["served_models"].as_array().unwrap();
    let (mut more_seconds, mut more_bytes) = (0.0, 0.0);
    for (model, served) in forecast["models"].as_object().unwrap() {
        let sign = match (reckoned.iter().any(|name| name == model), is_served(model)) {
            (false, true) => 1.0,
            (true, false) => -1.0,
            _ => continue,
        };
        say(format!("{model}: {} than was reckoned", if sign > 0.0 { "more" } else { "less" }));
        more_seconds += sign * served["seconds"].as_f64().unwrap();
        more_bytes += sign * served["bytes"].as_f64().unwrap();
    }
    // What a run with one more model holds at its peak is in the pilots, but of a model that none of them was served by.
    let is_assumed = forecast["is_assumed"].as_bool().unwrap();
    let more_at_peak = if is_assumed { more_bytes } else { 0.0 };
    let bytes = |parts: &Value| -> f64 {
        parts.as_object().unwrap().values().map(|bytes| bytes.as_f64().unwrap()).sum()
    };
    let shop = format!("{} items, {} events", count(n_items as f64), count(n_events as f64));
    let mib = f64::from(1 << 20);
    let number = |value: &Value| value.as_f64().unwrap();
    for (what, unit, took, said) in [
        (
            "seconds of a training run",
            "s",
            number(&took["seconds"]),
            number(&forecast["seconds"]) + more_seconds,
        ),
        (
            "peak memory",
            "MiB",
            number(&took["memory"]["peak_bytes"]) / mib,
            (number(&forecast["peak_bytes"]) + more_at_peak) / mib,
        ),
        (
            "snapshot",
            "MiB",
            bytes(&took["memory"]["snapshot_bytes"]) / mib,
            (bytes(&forecast["snapshot_bytes"]) + more_bytes) / mib,
        ),
    ] {
        let ratio = said / took;
        let shown = (format!("{took:.1} {unit}"), format!("{said:.1} {unit}"));
        let is_met = (1.0 - TOLERANCE..=1.0 + TOLERANCE).contains(&ratio);
        let goal = Some(("within 25 %", is_met));
        report.row(&format!("{shop}: {what}"), shown, Some(format!("{ratio:.2}")), goal);
    }
    for (at, stage) in took["report"]["stages"].as_array().unwrap().iter().enumerate() {
        let before = &forecast["stages"][at];
        let name = |stage: &Value| format!("{} {}", stage["stage"], stage["model"]);
        let [took, said] = [stage, before].map(|stage| {
            let mib = stage["peak_bytes"].as_f64().unwrap_or(0.0) / mib;
            format!("{:.2} s, {mib:.0} MiB", stage["seconds"].as_f64().unwrap_or(0.0))
        });
        say(format!("{}: {took}; said: {said}", name(stage)));
    }
}

/// What a command says.
fn answer(folder: &std::path::Path, arguments: &[&str]) -> Value {
    let done = run(folder, &[], arguments);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}
