//! How do time and memory grow? Simulated shops of 100,000 items and 1, 10 and 100 million interactions:
//! building the matrix, then fitting models on it; and price response of 100,000 items over two years.
//!
//! Each size is a process of its own, so that the peaks do not mix; within it the peak is set back
//! before every stage. `cargo bench --bench scale -- 1000000 10000000` takes other sizes, and `-- prices` price
//! response alone.

#![expect(clippy::unwrap_used, reason = "a bench may fail")]

#[path = "scale/prices.rs"]
mod prices;
#[expect(dead_code, reason = "the other benches use the rest")]
mod support;

use rand::{Rng, RngExt, SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, LogNormal, Zipf};
use serde_json::{Value, json};
use shopkeeper::learn::{
    dataset::{InteractionMatrix, ItemIdx, UserIdx},
    recommenders::{ModelKind, ModelParams, NEVER_STOP, Recommender, fit},
};
use std::{process::Command, time::Instant};
use support::report::{Report, count, say, say_where};

const SIZES: [usize; 3] = [1_000_000, 10_000_000, 100_000_000];
const N_ITEMS: usize = 100_000;
/// Items that are liked together.
const N_IN_CLUSTER: usize = 500;
/// Mean length of a history; some are very long.
const MEAN_LENGTH: usize = 100;
const MODELS: [(ModelKind, &str); 3] = [
    (ModelKind::ItemKnn, "item_knn"),
    (ModelKind::Als, "als, 64 factors, 3 epochs"),
    (ModelKind::Svd, "svd, 64 factors"),
];
const N_EPOCHS: usize = 3;
/// Set for the process that measures one size.
const CHILD: &str = "SHOPKEEPER_BENCH_SCALE";
/// Memory that the largest size may take.
const PEAK_MAX_GIB: f64 = 20.0;

fn main() {
    if let Some(size) = std::env::var_os(CHILD) {
        return measure(size.to_str().unwrap().parse().unwrap());
    }
    if !support::is_bench() {
        return say("measures only under `cargo bench`");
    }
    say_where();
    let is_prices = std::env::args().any(|argument| argument == "prices");
    let given: Vec<usize> = std::env::args().filter_map(|size| size.parse().ok()).collect();
    if is_prices || given.is_empty() {
        prices::measure();
    }
    if is_prices {
        return;
    }
    let sizes = if given.is_empty() { SIZES.to_vec() } else { given };
    let mut report = Report::default();
    let mut before: Option<(usize, Vec<Value>)> = None;
    for size in sizes {
        let stages = stages_of(size);
        for (at, stage) in stages.iter().enumerate() {
            let (seconds, peak) = (seconds(stage), gib(stage));
            let what = format!(
                "{}, {} interactions",
                stage["stage"].as_str().unwrap(),
                count(size as f64)
            );
            // Against the smaller size: seconds for each interaction must not rise beyond noise.
            let growth = before.as_ref().map(|(smaller, stages)| {
                (seconds / size as f64) / (self::seconds(&stages[at]) / *smaller as f64)
            });
            let shown = (format!("{seconds:.2} s"), format!("{peak:.2} GiB"));
            let is_met = peak < PEAK_MAX_GIB && growth.is_none_or(|growth| growth < 1.25);
            let growth = growth.map_or("–".into(), |growth| format!("{growth:.2}"));
            report.row(&what, shown, Some(growth), Some(("linear, below 20 GiB", is_met)));
        }
        before = Some((size, stages));
    }
    say("\nColumns: seconds; peak memory; seconds for each interaction beside the size before.");
    report.print();
}

fn seconds(stage: &Value) -> f64 {
    stage["seconds"].as_f64().unwrap()
}

fn gib(stage: &Value) -> f64 {
    stage["peak_bytes"].as_f64().unwrap() / f64::from(1 << 30)
}

/// Runs one size in a process of its own.
fn stages_of(size: usize) -> Vec<Value> {
    let mut child = Command::new(std::env::current_exe().unwrap());
    let done = child.env(CHILD, size.to_string()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Prints a line for each stage.
fn measure(size: usize) {
    let stage = |name: &str, work: &mut dyn FnMut() -> usize| {
        reset_peak();
        let begun = Instant::now();
        let bytes = work();
        let seconds = begun.elapsed().as_secs_f64();
        say(
            json!({ "stage": name, "seconds": seconds, "peak_bytes": peak_bytes(), "bytes": bytes }),
        );
    };
    let mut built = None;
    stage("matrix", &mut || {
        let n_users = size / MEAN_LENGTH;
        let matrix = InteractionMatrix::from_cells(n_users, N_ITEMS, interactions(n_users));
        let bytes = matrix.n_bytes();
        built = Some(matrix);
        bytes
    });
    let matrix = built.unwrap();
    let mut params = ModelParams::default();
    (params.als.n_factors, params.als.n_epochs) = (64, N_EPOCHS);
    for (kind, what) in MODELS {
        stage(what, &mut || fit(kind, &matrix, &params, NEVER_STOP).unwrap().n_bytes());
    }
}

/// Shoppers who like a few clusters of items, and what everybody likes.
fn interactions(n_users: usize) -> impl Iterator<Item = (UserIdx, ItemIdx, f32)> {
    // A mean of 100 and a tail of thousands: σ = 1, μ = ln 100 − σ²/2.
    let lengths = LogNormal::new((MEAN_LENGTH as f64).ln() - 0.5, 1.0).unwrap();
    let popular = Zipf::new(N_ITEMS as f64, 1.0).unwrap();
    let within = Zipf::new(N_IN_CLUSTER as f64, 0.8).unwrap();
    (0..n_users as u32).flat_map(move |user| {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        rng.set_stream(u64::from(user));
        let length = (lengths.sample(&mut rng) as usize).clamp(5, 5_000);
        let tastes: [usize; 2] =
            std::array::from_fn(|_| rng.random_range(0..N_ITEMS / N_IN_CLUSTER));
        let item = move |rng: &mut ChaCha8Rng| match rng.next_u32() % 10 {
            0..3 => scattered(popular.sample(rng) as usize - 1),
            n => tastes[usize::from(n > 7)] * N_IN_CLUSTER + within.sample(rng) as usize - 1,
        };
        (0..length).map(move |_| (UserIdx(user), ItemIdx(item(&mut rng) as u32), 1.0))
    })
}

/// Spreads the popular items over all clusters; 7,919 is a prime that does not divide the number.
fn scattered(rank: usize) -> usize {
    rank * 7_919 % N_ITEMS
}

/// Sets the peak of this process's memory back to what it holds now (proc(5), `clear_refs`).
fn reset_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

fn peak_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}
