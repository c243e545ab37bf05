//! How long does it take to score every item by its factors, beside reading the factors once?

use super::support::{
    median,
    report::{Report, count},
};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use shopkeeper::learn::{
    linalg::rows,
    recommenders::{FactorScores, ItemFactors},
};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

const N_FACTORS: usize = 64;
/// Catalogues, and what was promised of each.
const SIZES: [(usize, Option<f64>); 3] = [(4_000, None), (100_000, Some(1.5)), (1_000_000, None)];
/// Catalogues that are scored in turns, so that none of a large one is still in a cache.
const N_COPIES: usize = 4;
const N_ROUNDS: usize = 101;

/// Scores catalogues of several sizes.
pub(crate) fn measure(report: &mut Report) {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut draw = |n: usize| -> Vec<f32> { (0..n).map(|_| rng.random_range(-1.0..1.0)).collect() };
    for (n_items, promised) in SIZES {
        let copies: Vec<ItemFactors> =
            (0..N_COPIES).map(|_| ItemFactors::new(draw(n_items * N_FACTORS), N_FACTORS)).collect();
        let x = draw(N_FACTORS);
        let mut scores = vec![0.0; n_items];
        let (mut scans, mut reads, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..N_ROUNDS {
            // Each way begins as often as the other with factors that were not touched for as long.
            let [ours, others] = [0, N_COPIES / 2].map(|ahead| &copies[(round + ahead) % N_COPIES]);
            let placed = FactorScores { factors: ours, x: x.clone(), biases: None };
            let scan = timed(|| placed.score_roughly(black_box(&mut scores)));
            let read = timed(|| black_box(rows::read_once(black_box(others))));
            scans.push(scan.as_secs_f64() * 1e6);
            reads.push(read.as_secs_f64() * 1e6);
            ratios.push(scan.as_secs_f64() / read.as_secs_f64());
        }
        let ratio = median(ratios);
        report.row(
            &format!(
                "µs to score {} items of {N_FACTORS} factors, beside reading these once",
                count(n_items as f64)
            ),
            (count(median(scans)), count(median(reads))),
            Some(format!("{ratio:.2}")),
            promised.map(|most| ("≤ 1.50", ratio <= most)),
        );
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let begun = Instant::now();
    black_box(work());
    begun.elapsed()
}
