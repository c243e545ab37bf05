//! Finding parameters by evidence: a search that can be cut off, and go on after a restart.
//!
//! Models are first tried as they are set; then those that do well are tried with other parameters,
//! more and more often, and the others no more (successive halving over models: Jamieson and
//! Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", AISTATS 2016).
//! Within a model, parameters are proposed by a tree-structured Parzen estimator (Bergstra, Bardenet,
//! Bengio, Kégl, "Algorithms for hyper-parameter optimization", NIPS 2011) after a few at random.
//!
//! What comes next follows from the trials so far and the seed alone. So a search that was cut off
//! goes on as if it had not been, and one that ends by its number of trials gives the same answer
//! every time; one that ends by time says so.
//!
//! Start with [`advance`]. [`space`] says what is varied; [`state`] is what a search remembers; [`lists`] searches
//! on interactions without times. Memory:
//! one fitted model at a time. Not here: how a candidate is measured.

pub mod lists;
pub mod space;
pub mod state;

pub use state::{Frame, Outcome, Score, SearchState, Trial};

use super::recommenders::{FitError, ModelKind, ModelParams};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use space::{Dimension, Walk};
use std::time::Instant;

/// Trials at random, the given parameters included, before the estimator takes over.
const N_STARTUP: usize = 4;
/// Trials of each surviving model in the first rung; each further rung doubles it.
const TRIALS_IN_FIRST_RUNG: usize = 4;
/// Models that no rung goes below: a blend lives from models that differ.
const SURVIVORS_MIN: usize = 4;
/// Share of the trials that the estimator takes for good ones (Optuna and Hyperopt take .1 to .25).
const GOOD_SHARE: f64 = 0.25;
/// Failures after which a model is left alone.
const FAILURES_MAX: usize = 2;

/// When to stop, for now or for good.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Most trials of the whole search.
    pub trials_max: usize,
    /// Seconds for the whole search.
    pub seconds_max: f64,
    /// Seconds for this call, which tries one candidate at least.
    pub call_seconds_max: f64,
    /// Start of the random numbers.
    pub seed: u64,
}

/// Tries candidates until a limit is reached; `measure` fits and measures one, `on_trial` is told after
/// each, so that it can be kept.
///
/// # Errors
///
/// [`FitError::Stopped`] only; whatever else goes wrong with a candidate is its outcome.
pub fn advance(
    state: &mut SearchState,
    limits: &Limits,
    mut measure: impl FnMut(ModelKind, &ModelParams) -> Result<Score, FitError>,
    mut on_trial: impl FnMut(&SearchState),
) -> Result<(), FitError> {
    let begun = Instant::now();
    let (before, n_before) = (state.seconds, state.trials.len());
    while state.ended.is_none() {
        let spent = begun.elapsed().as_secs_f64();
        state.seconds = before + spent;
        if state.trials.len() >= limits.trials_max {
            state.ended = Some(format!("all {} trials are done", state.trials.len()));
            break;
        }
        let Some(kind) = next_kind(state) else {
            state.ended = Some("no model can be fitted".into());
            break;
        };
        // What the same model took before is what it will take.
        let cost = state.of(kind).map(|trial| trial.seconds).fold(0.0, f64::max);
        if state.seconds + cost > limits.seconds_max {
            let n = state.trials.len();
            state.ended = Some(format!("its time was up after {n} trials"));
            break;
        }
        // One at least, or a search with little time at a time would never end.
        if state.trials.len() > n_before && spent + cost > limits.call_seconds_max {
            break;
        }
        let is_start = state.of(kind).next().is_none();
        let point = next_point(state, kind, limits.seed);
        let params = if is_start { state.start } else { space::place(kind, &state.start, &point) };
        let trial_begun = Instant::now();
        let outcome = match measure(kind, &params) {
            Ok(score) => Outcome::Measured(score),
            Err(FitError::Stopped) => return Err(FitError::Stopped),
            Err(error) => Outcome::Failed(error.to_string()),
        };
        let seconds = trial_begun.elapsed().as_secs_f64();
        state.trials.push(Trial { kind, is_start, point, outcome, seconds });
        state.seconds = before + begun.elapsed().as_secs_f64();
        on_trial(state);
    }
    Ok(())
}

/// The model to try next; none if all are left alone.
///
/// Rung 0 takes all models, each further rung the better half of the last, each with twice the trials;
/// when only the fewest are left, rungs go on with those.
fn next_kind(state: &SearchState) -> Option<ModelKind> {
    let failures = |kind| state.of(kind).filter(|trial| trial.ndcg().is_none()).count();
    let is_alive = |&kind: &ModelKind| {
        let has_more = !space::dimensions(kind).is_empty() || state.of(kind).next().is_none();
        failures(kind) < FAILURES_MAX && has_more
    };
    let mut survivors: Vec<ModelKind> = state.kinds.clone();
    let mut due = TRIALS_IN_FIRST_RUNG;
    // In the first round every model is tried once before any is tried again.
    if let Some(&kind) = survivors.iter().find(|&&kind| state.of(kind).next().is_none()) {
        return Some(kind);
    }
    loop {
        let tried = |kind: &ModelKind| state.of(*kind).count();
        let open = survivors.iter().filter(|kind| is_alive(kind) && tried(kind) < due);
        if let Some(&kind) = open.min_by_key(|kind| tried(kind)) {
            return Some(kind);
        }
        survivors.retain(is_alive);
        if survivors.is_empty() {
            return None;
        }
        let ndcg = |kind: &ModelKind| state.best_of(*kind).and_then(Trial::ndcg).unwrap_or(0.0);
        survivors.sort_by(|a, b| ndcg(b).total_cmp(&ndcg(a)).then(a.cmp(b)));
        survivors.truncate(survivors.len().div_ceil(2).max(SURVIVORS_MIN));
        due *= 2;
    }
}

/// Where to try a model next: first as it is set, then at random, then where the estimator expects most.
fn next_point(state: &SearchState, kind: ModelKind, seed: u64) -> Vec<f64> {
    let dimensions = space::dimensions(kind);
    let n_before = state.of(kind).count();
    if n_before == 0 {
        return space::point(kind, &state.start);
    }
    // One stream for each trial, so that a search that goes on draws what it would have drawn.
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(state.trials.len() as u64);
    let random = |dimension: &Dimension, rng: &mut ChaCha8Rng| {
        let (low, high) = dimension.walk.range();
        if low < high { rng.random_range(low..high) } else { low }
    };
    let measured: Vec<(&[f64], f64)> =
        state.of(kind).filter_map(|trial| Some((&trial.point[..], trial.ndcg()?))).collect();
    dimensions
        .iter()
        .enumerate()
        .map(|(at, dimension)| {
            if n_before < N_STARTUP {
                return random(dimension, &mut rng);
            }
            let told = measured.iter().map(|(point, ndcg)| (point[at], *ndcg));
            propose(dimension.walk, told, &mut rng).unwrap_or_else(|| random(dimension, &mut rng))
        })
        .collect()
}

/// One coordinate by the estimator, which minimises; none if it cannot say.
fn propose(
    walk: Walk,
    told: impl Iterator<Item = (f64, f64)>,
    rng: &mut ChaCha8Rng,
) -> Option<f64> {
    let (low, high) = walk.range();
    let estimator = match walk {
        Walk::Choice(_) => tpe::histogram_estimator(),
        Walk::Linear(..) | Walk::Log(..) => tpe::parzen_estimator(),
    };
    let range = tpe::range(low, high).ok()?;
    let mut optimizer =
        tpe::TpeOptimizerBuilder::new().gamma(GOOD_SHARE).build(estimator, range).ok()?;
    for (coordinate, ndcg) in told {
        // The bounds are a half-open range.
        let inside = if coordinate < high { coordinate } else { high.next_down() };
        optimizer.tell(inside.max(low), -ndcg).ok()?;
    }
    optimizer.ask(rng).ok().filter(|coordinate| coordinate.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Sequence, Timestamp};

    const LIMITS: Limits =
        Limits { trials_max: 40, seconds_max: 1e9, call_seconds_max: 1e9, seed: 3 };

    fn begin() -> SearchState {
        let frame = Frame { as_of: Timestamp(0), watermark: Sequence(0), n_events: 0 };
        let kinds =
            vec![ModelKind::Popularity, ModelKind::ItemKnn, ModelKind::UserKnn, ModelKind::Svd];
        SearchState::new(frame, (ModelParams::default(), ModelParams::default()), kinds)
    }

    /// A shop in which 40 factors are best and neighbours are worth less.
    fn landscape(kind: ModelKind, params: &ModelParams) -> Result<Score, FitError> {
        let ndcg = match kind {
            ModelKind::Svd => 0.3 - 0.05 * (params.svd.n_factors as f64 / 40.0).ln().abs(),
            ModelKind::ItemKnn => 0.2,
            ModelKind::UserKnn => return Err(FitError::NotFinite { model: "user_knn" }),
            _ => 0.1,
        };
        Ok(Score { ndcg, standard_error: 0.0, n_bytes: 0 })
    }

    #[test]
    fn it_comes_near_the_best_and_leaves_what_fails_alone() {
        let mut state = begin();
        advance(&mut state, &LIMITS, landscape, |_| ()).unwrap();
        assert_eq!(state.trials.len(), 40);
        assert!(state.ended.as_ref().is_some_and(|why| why.contains("40 trials")));
        let best = state.best_params(&ModelParams::default());
        let n_factors = best.svd.n_factors;
        assert!((30..=54).contains(&n_factors), "{n_factors} factors");
        assert_eq!(state.of(ModelKind::UserKnn).count(), FAILURES_MAX);
        assert_eq!(state.of(ModelKind::Popularity).count(), 1, "there is nothing to vary");
        let first = state.of(ModelKind::Svd).next().unwrap();
        assert_eq!(first.point, space::point(ModelKind::Svd, &ModelParams::default()));
    }

    #[test]
    fn a_search_that_was_cut_off_goes_on_as_if_it_had_not_been() {
        let mut whole = begin();
        advance(&mut whole, &LIMITS, landscape, |_| ()).unwrap();
        let mut parts = begin();
        let mut kept = Vec::new();
        for _ in 0..10 {
            let mut n = 0;
            let mut some = |kind, params: &ModelParams| {
                n += 1;
                if n > 5 { Err(FitError::Stopped) } else { landscape(kind, params) }
            };
            let cut = advance(&mut parts, &LIMITS, &mut some, |state| {
                kept = postcard::to_stdvec(state).unwrap();
            });
            assert!(cut.is_ok() || cut == Err(FitError::Stopped));
            parts = postcard::from_bytes(&kept).unwrap();
        }
        let points = |state: &SearchState| {
            state.trials.iter().map(|trial| (trial.kind, trial.point.clone())).collect::<Vec<_>>()
        };
        assert_eq!(points(&parts), points(&whole));
    }

    #[test]
    fn time_that_is_up_is_said() {
        let mut state = begin();
        let limits = Limits { seconds_max: 0.0, ..LIMITS };
        let slow = |kind, params: &ModelParams| {
            std::thread::sleep(std::time::Duration::from_millis(2));
            landscape(kind, params)
        };
        advance(&mut state, &limits, slow, |_| ()).unwrap();
        assert!(state.trials.len() <= 1);
        assert!(state.ended.is_some_and(|why| why.contains("time was up")));
    }
}
