//! Does memory grow? Lists at a high rate for minutes, and the slope of what is resident.

use super::{
    serve,
    support::{
        load::{self, Load, Pace, Until},
        median, memory_mib, millis,
        report::{Report, count, say},
    },
};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

const N_CONNECTIONS: usize = 32;
/// Part of the measured maximum at which the load goes on.
const SHARE: f64 = 0.8;
const MAXIMUM_ROUNDS: usize = 3;
const MAXIMUM_ROUND: Duration = Duration::from_secs(3);
const SAMPLE: Duration = Duration::from_secs(1);
/// Answers slower than this are shown with the second in which they came.
const SLOW: Duration = Duration::from_millis(100);
/// Part of the time in which caches fill; it is not looked at.
const WARM_UP: f64 = 0.2;
/// Slope below which memory does not grow: a quarter of a gibibyte in a day.
const SLOPE_MAX: f64 = 10.0;

/// Asks for lists of these users for so many minutes.
pub(crate) fn measure(dir: &Path, users: &[String], minutes: u64) {
    let mut report = Report::default();
    let service = serve(dir, &[]);
    let requests = users.iter().map(|user| load::get(&format!("/recommendations/{user}?n=10")));
    let fast = Load {
        address: service.address().into(),
        requests: Arc::new(requests.collect()),
        n_connections: N_CONNECTIONS,
        pace: Pace::Closed,
    };
    load::run(&fast, Until::Sent(fast.requests.len())).all_well();
    let maximum = median(
        (0..MAXIMUM_ROUNDS)
            .map(|_| load::run(&fast, Until::Elapsed(MAXIMUM_ROUND)).all_well().per_second()),
    );
    let rate = SHARE * maximum;
    say(format!("{} lists per second at most; {} from now on", count(maximum), count(rate)));

    let time = Duration::from_mins(minutes);
    let steady = Load { pace: Pace::PerSecond(rate), ..fast };
    let is_over = AtomicBool::new(false);
    let (measured, samples) = std::thread::scope(|scope| {
        let sampling = scope.spawn(|| sample(service.pid(), &is_over));
        let measured = load::run(&steady, Until::Elapsed(time));
        is_over.store(true, Ordering::Relaxed);
        (measured, sampling.join().unwrap())
    });
    let settled: Vec<(f64, f64)> = samples
        .iter()
        .map(|sample| (sample.second, sample.resident))
        .filter(|(second, _)| *second >= WARM_UP * time.as_secs_f64())
        .collect();
    let (first, last) = (samples[0].resident, settled[settled.len() - 1].1);
    let line = Line::through(&settled);
    let [slope, error] = [line.slope, line.error].map(|per_second| per_second * 3_600.0);

    let quantiles = [0.5, 0.99, 0.999, 1.0].map(|q| millis(measured.quantile(q)));
    // Less than was asked for says that the machine was busier than when the maximum was measured.
    let reached = measured.per_second();
    report.row(
        &format!("answers per second for {minutes} minutes, and as many as were asked for"),
        (count(reached), count(rate)),
        Some(format!("{:.2}", reached / rate)),
        None,
    );
    report.fact("answers in all", count(measured.n() as f64));
    report.fact("their p50, p99, p99.9, max", quantiles.join(", "));
    let n_failed = measured.n_failed();
    let shown = (count(n_failed as f64), "0".into());
    report.row("answers other than 2xx", shown, None, Some(("0", n_failed == 0)));
    let slow: Vec<String> = (0..)
        .zip(&measured.slowest)
        .filter(|(_, took)| **took > SLOW)
        .map(|(second, &took)| {
            let stolen = samples.get(second).map_or(0.0, |sample| sample.stolen);
            format!("{second}: {} ({:.0} %)", millis(took), 100.0 * stolen)
        })
        .collect();
    report.fact(
        "seconds with an answer of over 100 ms, its time, and what the host took of the processor then",
        if slow.is_empty() { "none".into() } else { slow.join(", ") },
    );
    report.fact("resident at first, and at last", format!("{first:.1} MiB, {last:.1} MiB"));
    let is_noise = slope.abs() <= 2.0 * error;
    let verdict = if is_noise { "within noise" } else { "beyond noise" };
    report.row(
        "growth of what is resident, ± its standard error",
        (format!("{slope:.2} ± {error:.2} MiB per hour, {verdict}"), format!("{SLOPE_MAX} MiB")),
        None,
        Some(("within two errors of 0, or below the limit", is_noise || slope < SLOPE_MAX)),
    );
    report.print();
}

/// What is seen of a second.
struct Sample {
    /// Since the load began.
    second: f64,
    /// Resident mebibytes at its end.
    resident: f64,
    /// Part of the processors' time that the host gave to others.
    stolen: f64,
}

/// Looks once a second, until told.
fn sample(pid: u32, is_over: &AtomicBool) -> Vec<Sample> {
    let begun = Instant::now();
    let mut before = processor_ticks();
    let mut samples = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        std::thread::sleep(SAMPLE);
        let resident = memory_mib(pid, "VmRSS").expect("the service runs");
        let now = processor_ticks();
        let stolen = (now.1 - before.1) / (now.0 - before.0).max(1.0);
        before = now;
        samples.push(Sample { second: begun.elapsed().as_secs_f64(), resident, stolen });
    }
    samples
}

/// What the processors spent in all, and what of it the host took away.
fn processor_ticks() -> (f64, f64) {
    let all = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let first = all.lines().next().unwrap_or_default();
    let ticks: Vec<f64> =
        first.split_whitespace().skip(1).take(8).filter_map(|ticks| ticks.parse().ok()).collect();
    (ticks.iter().sum(), ticks.get(7).copied().unwrap_or_default())
}

/// A line by least squares.
struct Line {
    slope: f64,
    /// Standard error of the slope.
    error: f64,
}

impl Line {
    /// Through points in order of `x`, whose neighbours are alike: as many of them count as would be
    /// independent, by the residuals' correlation with their neighbours (Santer et al., "Statistical
    /// significance of trends and trend differences in layer-average atmospheric temperature time series",
    /// JGR 2000, equations 3 to 6).
    fn through(points: &[(f64, f64)]) -> Self {
        let n = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
        let (x_mean, y_mean) = (mean(|point| point.0), mean(|point| point.1));
        let spread: f64 = points.iter().map(|(x, _)| (x - x_mean).powi(2)).sum();
        let common: f64 = points.iter().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum();
        let slope = common / spread;
        let residuals: Vec<f64> =
            points.iter().map(|(x, y)| y - y_mean - slope * (x - x_mean)).collect();
        let square: f64 = residuals.iter().map(|residual| residual.powi(2)).sum();
        let neighbours: f64 = residuals.windows(2).map(|pair| pair[0] * pair[1]).sum();
        let alike = if square > 0.0 { (neighbours / square).clamp(0.0, 0.999) } else { 0.0 };
        let n_independent = n * (1.0 - alike) / (1.0 + alike);
        let variance = square / (n_independent - 2.0).max(1.0);
        Self { slope, error: (variance / spread).sqrt() }
    }
}
