//! How long does it take to learn how demand answers to price?

use super::support::{
    median,
    report::{Report, count, say},
};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, LogNormal, Poisson};
use shopkeeper::learn::{
    demand::response::{Panel, PanelBuilder, PanelRow, ResponseParams, fit},
    recommenders::NEVER_STOP,
};
use std::time::Instant;

const N_ITEMS: usize = 100_000;
const N_WEEKS: u32 = 104;
const N_CATEGORIES: u32 = 200;
const N_ROUNDS: usize = 3;
/// Longest time for all of it, in seconds.
const SECONDS_MAX: f64 = 60.0;

/// Builds the panel of a made-up shop and fits it, some times over.
pub(crate) fn measure() {
    let mut report = Report::default();
    let mut times = [Vec::new(), Vec::new()];
    let mut n_rows = 0;
    for _ in 0..N_ROUNDS {
        let begun = Instant::now();
        let panel = panel();
        let built = begun.elapsed().as_secs_f64();
        n_rows = panel.n_rows();
        let response = fit(&panel, &ResponseParams::default(), NEVER_STOP).unwrap();
        assert!(response.elasticity(0).is_some(), "something was learned");
        times[0].push(built);
        times[1].push(begun.elapsed().as_secs_f64() - built);
    }
    let [built, fitted] = times.map(median);
    let what =
        format!("{} items, {N_WEEKS} weeks, {} rows", count(N_ITEMS as f64), count(n_rows as f64));
    let took = (format!("{built:.1} s"), format!("{fitted:.1} s"));
    let is_met = built + fitted < SECONDS_MAX;
    report.row(&what, took, None, Some(("below 60 s in all", is_met)));
    say(
        "\nColumns: seconds to make sales up and put them in order; to fit, with posterior variances.",
    );
    report.print();
}

/// Items with some spread of demand, whose prices wander, and which sell by chance.
fn panel() -> Panel {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let level = LogNormal::new(0.0, 1.3).unwrap();
    let mut builder = PanelBuilder::new(N_ITEMS, N_WEEKS as usize);
    for item in 0..N_ITEMS as u32 {
        let (units, list) = (level.sample(&mut rng), rng.random_range(300.0..20_000.0_f64).round());
        let elasticity = -rng.random_range(1.3..4.0_f64);
        let mut ratio = 1.0;
        for period in 0..N_WEEKS {
            if rng.random_range(0..6) == 0 {
                ratio = rng.random_range(0.8..1.2_f64);
            }
            let mean = units * f64::powf(ratio, elasticity);
            builder.push(&PanelRow {
                item,
                period,
                units: Poisson::new(mean).map_or(0.0, |poisson| poisson.sample(&mut rng)),
                price: (list * ratio).round(),
                competitor: None,
                promotion: 0.0,
                exposure: 1.0,
                randomised: None,
                is_decided: false,
            });
        }
    }
    let category_of: Vec<Option<u32>> =
        (0..N_ITEMS as u32).map(|item| Some(item % N_CATEGORIES)).collect();
    builder.build(&category_of)
}
