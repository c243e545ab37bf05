//! Choosing parameters by evidence: one after the other, as long as any of them makes lists better.
//!
//! A coordinate search over a few values of each parameter. It needs no random numbers, and it suits this
//! model: an index is built once, a candidate costs one pass over the cases, and what one parameter should be
//! depends little on the others.

use super::{
    index::SessionIndex,
    params::{Decay, SessionParams},
    vmis::{Scratch, VmisKnn, fit},
};
use crate::learn::{
    evaluation::{NextItemCase, NextItemMetric, measure_next_items},
    recommenders::{FitError, Stop},
};
use std::sync::Arc;

/// Passes over all parameters; the second seldom changes much, a third hardly anything.
const PASSES_MAX: usize = 3;

/// A parameter: how to set it, and the values that are tried, besides the one it has.
type Dimension = (fn(&mut SessionParams, f32), &'static [f32]);

/// Those that differ most from shop to shop come first.
const DIMENSIONS: &[Dimension] = &[
    (|params, x| params.last_item_weight = x, &[0.0, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6]),
    (|params, x| params.repeat_weight = x, &[0.0, 0.1, 0.25, 0.5, 0.7, 0.85, 1.0]),
    (
        |params, rate| params.position_decay = Decay::Exponential { rate },
        &[0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 1.5],
    ),
    (
        |params, rate| params.match_decay = Decay::Exponential { rate },
        &[0.0, 0.15, 0.3, 0.5, 0.8, 1.2],
    ),
    (|params, x| params.distance_decay = x, &[0.0, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0]),
    (|params, x| params.before_weight = x, &[0.3, 0.5, 0.7, 0.85, 1.0]),
    (|params, x| params.recency_decay = x, &[0.0, 0.5, 1.0, 2.0, 4.0]),
    (|params, x| params.length_exponent = x, &[0.0, 0.15, 0.3, 0.5]),
    (|params, x| params.idf_exponent = x, &[0.0, 0.5, 1.0, 1.5, 2.0, 2.5]),
    (|params, x| params.shared_idf_exponent = x, &[0.0, 1.0, 2.0, 3.0, 4.0]),
    (|params, x| params.session_items_max = x as usize, &[2.0, 4.0, 8.0, 16.0]),
    (|params, x| params.k = x as usize, &[50.0, 100.0, 200.0, 300.0, 500.0]),
];

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// The best parameters.
    pub params: SessionParams,
    /// NDCG of the parameters that were begun with.
    pub ndcg_at_start: f64,
    /// NDCG of the best.
    pub ndcg: f64,
    /// Parameters that were tried.
    pub n_trials: usize,
}

/// The best parameters for lists of `k` items on `cases`, which the index must not have been made from, by the
/// mean NDCG of the next item; of equals those tried first. Asks `stop` before each trial. In parallel, the
/// same at any thread count.
pub fn choose(
    index: &Arc<SessionIndex>,
    cases: &[NextItemCase<'_>],
    k: usize,
    start: &SessionParams,
    stop: Stop<'_>,
) -> Result<Choice, FitError> {
    let measure = |params: &SessionParams| {
        if stop() {
            return Err(FitError::Stopped);
        }
        Ok(ndcg(&fit(Arc::clone(index), params)?, cases, k))
    };
    let ndcg_at_start = measure(start)?;
    let mut choice = Choice { params: *start, ndcg_at_start, ndcg: ndcg_at_start, n_trials: 1 };
    for _ in 0..PASSES_MAX {
        let before = choice.params;
        for (set, values) in DIMENSIONS {
            let base = choice.params;
            for &value in *values {
                let mut params = base;
                set(&mut params, value);
                if params == base {
                    continue;
                }
                let found = measure(&params)?;
                choice.n_trials += 1;
                if found > choice.ndcg {
                    (choice.params, choice.ndcg) = (params, found);
                }
            }
        }
        if choice.params == before {
            break;
        }
    }
    Ok(choice)
}

fn ndcg(model: &VmisKnn, cases: &[NextItemCase<'_>], k: usize) -> f64 {
    let recommend = |scratch: &mut Scratch, known: &[u32], n, list: &mut Vec<u32>| {
        list.extend(model.recommend(known, n, scratch).iter().map(|scored| scored.0));
    };
    let report = measure_next_items(cases, &[k], &[], Scratch::default, recommend);
    report.estimate(NextItemMetric::Ndcg, k).map_or(0.0, |estimate| estimate.mean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::{recommenders::NEVER_STOP, sessions::IndexLimits};

    /// Sessions in which the next item is the one before the last, which is in the session already.
    fn there_and_back() -> Vec<Vec<u32>> {
        (0..60_u32).map(|at| [at % 7, at % 5 + 7, at % 7, at % 5 + 7].to_vec()).collect()
    }

    fn index(sessions: &[Vec<u32>]) -> Arc<SessionIndex> {
        let timed = (0..).zip(sessions).map(|(time, items)| (&items[..], time));
        Arc::new(SessionIndex::new(12, timed, &IndexLimits::default()).unwrap())
    }

    #[test]
    fn choosing_finds_that_shoppers_come_back_to_the_same_item() {
        let sessions = there_and_back();
        let cases = NextItemCase::every_step(&sessions[40..]);
        let start = SessionParams { repeat_weight: 0.0, ..SessionParams::default() };
        let choice = choose(&index(&sessions[..40]), &cases, 5, &start, NEVER_STOP).unwrap();
        assert!(choice.ndcg > choice.ndcg_at_start + 0.2, "{choice:?}");
        assert!(choice.params.repeat_weight > 0.0);
        assert!(choice.n_trials > DIMENSIONS.len());
        let again = choose(&index(&sessions[..40]), &cases, 5, &start, NEVER_STOP).unwrap();
        assert_eq!(again, choice);
    }

    #[test]
    fn every_value_that_is_tried_is_in_its_range() {
        for (set, values) in DIMENSIONS {
            for &value in *values {
                let mut params = SessionParams::default();
                set(&mut params, value);
                params.check().unwrap();
            }
        }
    }

    #[test]
    fn choosing_can_be_stopped_and_refuses_bad_parameters() {
        let sessions = there_and_back();
        let (index, cases) = (index(&sessions), NextItemCase::every_step(&sessions));
        let start = SessionParams::default();
        assert_eq!(choose(&index, &cases, 5, &start, &|| true), Err(FitError::Stopped));
        let bad = SessionParams { k: 0, ..start };
        let refused = choose(&index, &cases, 5, &bad, NEVER_STOP).unwrap_err();
        assert_eq!(refused.to_string(), "k must be between 1 and 1000000, not 0");
    }
}
