//! Learning how much each model should count.
//!
//! Source: Caruana, Niculescu-Mizil, Crew, Ksikes, "Ensemble selection from libraries of models", ICML
//! 2004: greedy forward selection with replacement; the weight of a model is how often it was picked.
//! Departure: the best prefix of the picks is taken, so that a model that is best alone stays alone.

use super::{HeldOutCase, metrics::ndcg_at_k};
use crate::learn::dataset::ItemIdx;
use crate::learn::recommenders::blend::Scale;
use crate::learn::recommenders::{Blend, FitError, FittedModel, Recommender, Stop, top_n::top_n};
use crate::learn::rooms::Rooms;
use rayon::prelude::*;

/// Picks; weights are multiples of a tenth or coarser.
const N_STEPS: usize = 10;

/// Best items of each model that may be ranked by a blend. An approximation: what no model puts among its
/// first 100 is hardly among the first ten of their sum.
const CANDIDATES_PER_MODEL: usize = 100;

/// Most cases looked at, evenly spread; with [`CANDIDATES_PER_MODEL`] bounds memory to some 40 MiB.
const CASES_MAX: usize = 5_000;

/// Least gain in NDCG for which another pick is worth having; below it is rounding.
const GAIN_MIN: f64 = 1e-9;

/// The items that matter for one shopper, with every model's standard scores.
struct Candidates<'a> {
    /// Rising.
    items: Vec<u32>,
    /// `(n_models, n_candidates)`.
    scores: Vec<Vec<f32>>,
    relevant: &'a [u32],
}

/// The blend with the best NDCG at `k` on `cases`; weights add up to 1, in the order of `models`.
///
/// Without cases it is the first model alone; without models it is empty.
///
/// # Errors
///
/// [`FitError::Stopped`] only.
pub fn learn_blend(
    models: &[FittedModel],
    cases: &[HeldOutCase],
    k: usize,
    stop: Stop<'_>,
) -> Result<Blend, FitError> {
    let counted: Vec<&HeldOutCase> =
        cases.iter().filter(|case| !case.relevant.is_empty()).collect();
    let n_cases = counted.len().min(CASES_MAX);
    let spread = |at: usize| counted[at * counted.len() / n_cases];
    let rooms = Rooms::new(|| {
        models.iter().map(|model| vec![0.0; model.n_items()]).collect::<Vec<Vec<f32>>>()
    });
    let candidates: Result<Vec<Candidates<'_>>, FitError> = (0..n_cases)
        .into_par_iter()
        .map(|at| {
            if stop() {
                Err(FitError::Stopped)
            } else {
                Ok(rooms.lend(|room| collect_candidates(models, spread(at), k, room)))
            }
        })
        .collect();
    let candidates = candidates?;
    let mut counts = vec![0_usize; models.len()];
    let mut best = (f64::NEG_INFINITY, counts.clone());
    for _ in 0..N_STEPS {
        let mut step = (f64::NEG_INFINITY, 0);
        for model in 0..models.len() {
            if stop() {
                return Err(FitError::Stopped);
            }
            counts[model] += 1;
            let ndcg = mean_ndcg(&candidates, &counts, k);
            counts[model] -= 1;
            if ndcg > step.0 {
                step = (ndcg, model);
            }
        }
        let Some(count) = counts.get_mut(step.1) else { break };
        *count += 1;
        if step.0 > best.0 + GAIN_MIN {
            best = (step.0, counts.clone());
        }
    }
    let n_picks: usize = best.1.iter().sum();
    let picked = models.iter().zip(&best.1).filter(|&(_, &count)| count > 0);
    let weight = |count: usize| count as f32 / n_picks as f32;
    Ok(Blend { weights: picked.map(|(model, &count)| (model.kind(), weight(count))).collect() })
}

fn collect_candidates<'a>(
    models: &[FittedModel],
    case: &'a HeldOutCase,
    k: usize,
    room: &mut [Vec<f32>],
) -> Candidates<'a> {
    let admitted = |item: ItemIdx| case.excluded.binary_search(&item.0).is_err();
    let mut items = Vec::new();
    let mut spoken = Vec::new();
    for (model, scores) in models.iter().zip(room) {
        let speaks = model.score_items(case.query(), scores);
        if speaks {
            let best = top_n(scores, CANDIDATES_PER_MODEL.max(k), admitted);
            items.extend(best.into_iter().map(|(item, _)| item.0));
        }
        spoken.push(speaks.then_some(&*scores));
    }
    items.extend(case.relevant.iter().copied().filter(|&item| admitted(ItemIdx(item))));
    items.sort_unstable();
    items.dedup();
    let standardise = |scores: Option<&Vec<f32>>| {
        let Some(scores) = scores else { return vec![0.0; items.len()] };
        let scale = Scale::of(scores);
        let score =
            |&item: &u32| scores.get(item as usize).map_or(0.0, |&score| scale.apply(score));
        items.iter().map(score).collect()
    };
    let scores = spoken.into_iter().map(standardise).collect();
    Candidates { items, scores, relevant: &case.relevant }
}

/// Mean over cases, summed in their order.
fn mean_ndcg(candidates: &[Candidates<'_>], counts: &[usize], k: usize) -> f64 {
    let of_case = |case: &Candidates<'_>| {
        let mut sums = vec![0.0_f32; case.items.len()];
        for (scores, &count) in case.scores.iter().zip(counts).filter(|&(_, &count)| count > 0) {
            for (sum, score) in sums.iter_mut().zip(scores) {
                *sum += count as f32 * score;
            }
        }
        let ranked: Vec<u32> = top_n(&sums, k, |_| true)
            .into_iter()
            .map(|(at, _)| case.items[at.0 as usize])
            .collect();
        ndcg_at_k(&ranked, case.relevant, k)
    };
    let each: Vec<f64> = candidates.par_iter().map(of_case).collect();
    each.iter().sum::<f64>() / each.len().max(1) as f64
}
