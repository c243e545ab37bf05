//! How fast are lists, while nothing else happens and while a training run goes on? Beside a bare
//! axum handler that answers a fixed JSON of the same size.
//!
//! Runs on the Online Retail file (`SHOPKEEPER_BENCH_DATA`, else `../shared/data/online-retail/`), or
//! without it on a simulated shop.

#![expect(clippy::unwrap_used, reason = "a bench may fail")]

#[expect(dead_code, reason = "the other bench uses the rest")]
mod support;

use serde_json::Value;
use std::{
    path::Path,
    process::{Child, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use support::{
    bare::{Bare, serve_if_asked},
    load::{self, Load, Pace, Until},
    median, memory_mib, millis,
    report::{Report, Rounds, count, say, say_where},
    service::{Service, program},
    shop::{fill, train_until, users},
};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(3);
/// Connections of the rounds: enough to keep the server busy.
const N_BUSY: usize = 32;
/// Connections while training: a moderate load.
const N_MODERATE: usize = 8;
const WHILE_TRAINING: Duration = Duration::from_secs(10);
/// Requests per second that a storefront sends whether or not answers keep up.
const PACED: f64 = 1_000.0;
const STARTS: usize = 5;
/// Answers among which the typical one is looked for.
const N_SAMPLE: usize = 500;

fn main() {
    serve_if_asked();
    if !support::is_bench() {
        return say("measures only under `cargo bench`");
    }
    let folder = tempfile::Builder::new().prefix("shopkeeper-bench").tempdir().unwrap();
    let (dir, mut report) = (folder.path(), Report::default());
    say_where();
    fill(dir, &mut report);
    measure_training(dir, &mut report);
    measure_starts(dir, &mut report);
    let paths: Vec<Vec<u8>> =
        users(dir).iter().map(|user| load::get(&format!("/recommendations/{user}?n=10"))).collect();
    // Trained when asked only, so that no round is disturbed.
    let service = Service::start(dir, &[("TRAINING__ENABLED", "false")], &[]);
    let ours = Load {
        address: service.address().into(),
        requests: Arc::new(paths),
        n_connections: N_BUSY,
        pace: Pace::Closed,
    };
    measure_cold(&ours, &mut report);
    measure_warm(&ours, &mut report);
    measure_while_training(&service, &ours, &mut report);
    report.print();
}

/// `shopkeeper train` as a process of its own.
fn measure_training(dir: &Path, report: &mut Report) {
    let mut command = program(dir, &[]);
    let begun = Instant::now();
    let command = command.args(["--json", "train"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = Running(command.spawn().unwrap());
    let mut peak = 0.0_f64;
    while child.0.try_wait().unwrap().is_none() {
        peak = peak.max(memory_mib(child.0.id(), "VmHWM").unwrap_or_default());
        std::thread::sleep(Duration::from_millis(5));
    }
    let seconds = begun.elapsed().as_secs_f64();
    let run: Value = serde_json::from_reader(child.0.stdout.take().unwrap()).unwrap();
    say(format!("training {}: {}", run["outcome"], run["reason"]));
    assert_eq!(run["outcome"], "published", "{run}");
    report.below("full training, as a process", seconds, 60.0, "s");
    report.below("its peak memory", peak, 1024.0, "MiB");
}

/// A child that is killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

/// From the start of the process to the first 200 of `/health/ready`, on the saved snapshot.
fn measure_starts(dir: &Path, report: &mut Report) {
    let seconds = (0..STARTS).map(|_| {
        let begun = Instant::now();
        // A search that is killed with the service would hold the lease for a minute.
        let service = Service::start(dir, &[("SEARCH__ENABLED", "false")], &[]);
        while service.get("/health/ready").0 != 200 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let seconds = begun.elapsed().as_secs_f64();
        assert!(service.get("/status").1["snapshot"]["version"].as_u64() > Some(0));
        seconds
    });
    report.below("start to ready on the saved snapshot", median(seconds), 1.0, "s");
}

/// Every user once, one after the other, on a service that has just started.
fn measure_cold(ours: &Load, report: &mut Report) {
    let once = Load { n_connections: 1, ..ours.clone() };
    let cold = load::run(&once, Until::Sent(once.requests.len())).all_well();
    report.fact("first list of a user, p50", millis(cold.quantile(0.5)));
    report.fact("first list of a user, p99", millis(cold.quantile(0.99)));
    report.fact("first list of a user, max", millis(cold.quantile(1.0)));
}

/// In turns with the bare handler.
fn measure_warm(ours: &Load, report: &mut Report) {
    let body = load::typical_body(ours, N_SAMPLE);
    say(format!("a typical answer has {} bytes", body.len()));
    let bare_server = Bare::start(&body);
    let bare = Load { address: bare_server.address().into(), ..ours.clone() };
    for load in [ours, &bare] {
        load::run(load, Until::Elapsed(Duration::from_secs(1))).all_well();
    }
    let mut rounds = Rounds::default();
    let mut latencies = Vec::new();
    for _ in 0..ROUNDS {
        let our = load::run(ours, Until::Elapsed(ROUND)).all_well();
        let other = load::run(&bare, Until::Elapsed(ROUND)).all_well();
        rounds.add("warm lists per second", our.per_second(), other.per_second());
        latencies.push(our.quantile(0.99).as_secs_f64() * 1e3);
    }
    report.row(
        &format!("warm lists per second, {N_BUSY} connections, beside a bare handler"),
        (count(rounds.ours()), count(rounds.other())),
        Some(rounds.ratio_and_spread()),
        Some(("≥ 0.50", rounds.ratio() >= 0.5)),
    );
    report.fact("warm p99 at that load", format!("{:.2} ms", median(latencies)));
}

/// A moderate load while one training run follows the other.
fn measure_while_training(service: &Service, ours: &Load, report: &mut Report) {
    let address = service.address().to_owned();
    let stop = AtomicBool::new(false);
    let loads =
        [("as fast as 8 connections go", Pace::Closed), ("1,000/s", Pace::PerSecond(PACED))];
    let runs = std::thread::scope(|scope| {
        let training = scope.spawn(|| train_until(&address, &stop));
        for (what, pace) in loads {
            let load = Load { n_connections: N_MODERATE, pace, ..ours.clone() };
            let measured = load::run(&load, Until::Elapsed(WHILE_TRAINING)).all_well();
            let (rate, p50) = (count(measured.per_second()), millis(measured.quantile(0.5)));
            let (p999, max) = (measured.quantile(0.999), measured.quantile(1.0));
            report.below(
                &format!("p99 during training, {what}"),
                measured.quantile(0.99).as_secs_f64() * 1e3,
                10.0,
                "ms",
            );
            report.fact(
                &format!("the same: rate, p50, p99.9, max, {what}"),
                format!("{rate}/s, {p50}, {}, {}", millis(p999), millis(max)),
            );
        }
        stop.store(true, Ordering::Relaxed);
        training.join().unwrap()
    });
    assert!(!runs.is_empty(), "no training run ended");
    let seconds = median(runs.iter().map(Duration::as_secs_f64));
    report.fact("training runs meanwhile", format!("{}, {seconds:.1} s each", runs.len()));
}
