//! The running visit beside long-term taste: one list of both, weighted by evidence.
//!
//! `score(i) = long_term(i) + weight · z(i)`, where `z` is the session model's score in standard deviations
//! over all items, as in [`Blend`], but for its mean, which is the same for every item. Somebody with
//! a past and somebody without one need different weights: what a stranger's long-term taste is made of is the visit
//! itself. Each weight is the one with the best NDCG on held-out visits, where items of the visit are left out
//! of the lists as the service does it (Ludewig, Jannach, "Evaluation of session-based recommendation algorithms",
//! UMUAI 2018, for the comparison of the two; the grid and the joining are ours).

use super::vmis::{Scratch, VmisKnn};
use crate::learn::{
    dataset::ItemIdx,
    evaluation::{Estimate, HeldOutCase, metrics::ndcg_at_k},
    recommenders::{
        Blend, Blended, FitError, FittedModel, Query, Recommender, Stop, n_joint,
        top_n::{best_first, top_n},
    },
    rooms::Rooms,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Weights that are tried; the blend's own come to 1.
const GRID: [f32; 9] = [0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 32.0];

/// Least gain in NDCG for which a weight further from the default is worth having; below it is rounding.
const GAIN_MIN: f64 = 1e-9;

/// How much the running visit counts beside a blend whose weights come to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct JoinWeights {
    /// For somebody with a past.
    pub known: f32,
    /// For somebody of whom there is only this visit.
    pub stranger: f32,
}

impl Default for JoinWeights {
    /// As much as all other models together: what is right if nothing is known.
    fn default() -> Self {
        Self { known: 1.0, stranger: 1.0 }
    }
}

/// What comes next in a running visit, and how much that counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionModel {
    /// The model.
    pub vmis: VmisKnn,
    /// How it is joined.
    pub weights: JoinWeights,
}

impl SessionModel {
    /// Its name, in reports and answers.
    pub const NAME: &'static str = "vmis_knn";

    /// How much it counts for somebody with or without a past.
    pub fn weight(&self, is_known: bool) -> f32 {
        if is_known { self.weights.known } else { self.weights.stranger }
    }

    /// Adds what a running visit says to `scores (n_items)`; `session` are items, oldest first.
    ///
    /// Returns `false`, with `scores` untouched, if it has nothing to say.
    pub fn add_to(
        &self,
        session: &[u32],
        is_known: bool,
        scores: &mut [f32],
        scratch: &mut Scratch,
    ) -> bool {
        let weight = self.weight(is_known);
        if session.is_empty() || weight <= 0.0 {
            return false;
        }
        let scored = self.vmis.score(session, scratch);
        let factor = weight * factor_of(scored, scores.len());
        for &(item, score) in scored {
            if let Some(sum) = scores.get_mut(item as usize) {
                *sum += factor * score;
            }
        }
        !scored.is_empty()
    }

    /// Bytes held on the heap.
    pub fn n_bytes(&self) -> usize {
        self.vmis.n_bytes()
    }
}

/// One over the standard deviation of scores of which all others of `n_items` are 0; 0 if there is none.
fn factor_of(scored: &[(u32, f32)], n_items: usize) -> f32 {
    let n = n_items.max(1) as f64;
    let sum = |f: fn(f64) -> f64| scored.iter().map(|cell| f(f64::from(cell.1))).sum::<f64>() / n;
    let (mean, square) = (sum(|score| score), sum(|score| score * score));
    let deviation = (square - mean * mean).max(0.0).sqrt();
    // As for `Scale`: less than the last digit of an f32 is rounding.
    if deviation <= mean * f64::from(f32::EPSILON) { 0.0 } else { (1.0 / deviation) as f32 }
}

/// A moment of a visit: what is known, and what is dealt with later in it.
#[derive(Clone, Debug, PartialEq)]
pub struct VisitCase {
    /// The shopper, what they did up to now, what is not to be shown, and what is still to come.
    pub case: HeldOutCase,
    /// Items of the visit up to now, oldest first.
    pub session: Vec<u32>,
    /// Whether the shopper did anything before this visit.
    pub is_known: bool,
}

/// How lists did with each weight of a grid, for one kind of shopper.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinTable {
    /// By weight: mean NDCG, and its standard error over cases.
    pub rows: Vec<(f32, f64, f64)>,
    /// Number of cases.
    pub n_cases: usize,
}

impl JoinTable {
    /// The weight with the best NDCG; of equals the least.
    pub fn best(&self) -> Option<f32> {
        let mut rows = self.rows.iter().filter(|_| self.n_cases > 0);
        let first = rows.next()?;
        let better = |best: &'_ (f32, f64, f64), row: &'_ (f32, f64, f64)| {
            if row.1 > best.1 + GAIN_MIN { *row } else { *best }
        };
        Some(rows.fold(*first, |best, row| better(&best, row)).0)
    }

    /// NDCG and its standard error with one of the weights.
    pub fn with(&self, weight: f32) -> Option<(f64, f64)> {
        let row = self.rows.iter().find(|row| row.0.total_cmp(&weight).is_eq());
        row.filter(|_| self.n_cases > 0).map(|row| (row.1, row.2))
    }
}

/// Ranks all items for every case with each weight of the grid, in parallel, the same at any number of
/// threads: the tables of known shoppers and of strangers.
///
/// # Errors
///
/// [`FitError::Stopped`] only.
pub fn measure_weights(
    vmis: &VmisKnn,
    (models, blend): (&[FittedModel], &Blend),
    cases: &[VisitCase],
    k: usize,
    stop: Stop<'_>,
) -> Result<(JoinTable, JoinTable), FitError> {
    let n_items = vmis.n_items();
    let together = Blended { models, blend: blend.clone() };
    let n_joint = n_joint(n_items);
    let rooms = Rooms::new(|| (vec![0.0; n_joint * n_items], Vec::new(), Scratch::default()));
    let of_block = |cases: &[VisitCase]| {
        if stop() {
            return Err(FitError::Stopped);
        }
        Ok(rooms.lend(|(scores, scratch, visit)| {
            let scores = &mut scores[..cases.len() * n_items];
            let queries: Vec<Query<'_>> = cases.iter().map(|case| case.case.query()).collect();
            let spoken = if models.is_empty() {
                vec![false; cases.len()]
            } else {
                together.score_block(&queries, scores, scratch)
            };
            let rows = scores.chunks_exact_mut(n_items.max(1)).zip(cases).zip(spoken);
            rows.map(|((base, case), spoken)| {
                if !spoken {
                    base.fill(0.0);
                }
                (case.is_known, ndcg_of_weights(base, vmis.score(&case.session, visit), case, k))
            })
            .collect::<Vec<_>>()
        }))
    };
    let blocks = cases.par_chunks(n_joint).map(of_block);
    let measured = blocks.collect::<Result<Vec<_>, FitError>>()?.concat();
    let table = |is_known: bool| {
        let rows: Vec<&[f64; GRID.len()]> =
            measured.iter().filter(|row| row.0 == is_known).map(|row| &row.1).collect();
        let n = rows.len();
        let of_weight = |(at, &weight): (usize, &f32)| {
            let values: Vec<f64> = rows.iter().map(|row| row[at]).collect();
            let estimate = Estimate::of(&values);
            (weight, estimate.mean, estimate.standard_error)
        };
        JoinTable { rows: GRID.iter().enumerate().map(of_weight).collect(), n_cases: n }
    };
    Ok((table(true), table(false)))
}

/// NDCG at `k` with each weight of the grid; `base (n_items)`: long-term scores, `scored`: what the visit adds to.
fn ndcg_of_weights(
    base: &[f32],
    scored: &[(u32, f32)],
    case: &VisitCase,
    k: usize,
) -> [f64; GRID.len()] {
    let admitted = |item: ItemIdx| case.case.excluded.binary_search(&item.0).is_err();
    let mut added: Vec<(ItemIdx, f32)> =
        scored.iter().map(|&(item, score)| (ItemIdx(item), score)).collect();
    added.sort_unstable_by_key(|cell| cell.0);
    let is_added = |item: ItemIdx| added.binary_search_by_key(&item, |cell| cell.0).is_ok();
    // No weight moves these, so that only the first of them can be in a list.
    let unmoved = top_n(base, k, |item| admitted(item) && !is_added(item));
    let factor = factor_of(scored, base.len());
    GRID.map(|weight| {
        let moved = added.iter().filter(|cell| admitted(cell.0));
        let moved =
            moved.map(|&(item, score)| (item, base[item.0 as usize] + weight * factor * score));
        let mut list: Vec<(ItemIdx, f32)> = moved.chain(unmoved.iter().copied()).collect();
        list.sort_unstable_by(best_first);
        let list: Vec<u32> = list.into_iter().take(k).map(|(item, _)| item.0).collect();
        ndcg_at_k(&list, &case.case.relevant, k)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::{
        recommenders::NEVER_STOP,
        sessions::{IndexLimits, SessionIndex, SessionParams, fit},
    };
    use std::sync::Arc;

    /// Whoever looks at 0 goes on to 1; 2 leads to 3.
    fn vmis() -> VmisKnn {
        let sessions: Vec<Vec<u32>> =
            (0..20).map(|at| if at % 2 == 0 { vec![0, 1] } else { vec![2, 3] }).collect();
        let timed = (0..).zip(&sessions).map(|(time, items)| (&items[..], time));
        let index = SessionIndex::new(6, timed, &IndexLimits::default()).unwrap();
        fit(Arc::new(index), &SessionParams::default()).unwrap()
    }

    fn case(session: &[u32], relevant: u32, is_known: bool) -> VisitCase {
        let case = HeldOutCase {
            user: None,
            history: session.iter().map(|&item| (item, 1.0)).collect(),
            excluded: session.to_vec(),
            relevant: vec![relevant],
        };
        VisitCase { case, session: session.to_vec(), is_known }
    }

    #[test]
    fn what_follows_a_visit_is_added_in_standard_deviations() {
        let weights = JoinWeights { known: 2.0, stranger: 1.0 };
        let model = SessionModel { vmis: vmis(), weights };
        let (mut scores, mut scratch) = ([0.0; 6], Scratch::default());
        assert!(model.add_to(&[0], false, &mut scores, &mut scratch));
        let spread = crate::learn::evaluation::Estimate::of(&scores.map(f64::from));
        // The sample deviation from the standard error of 6 values, times √(5/6) for all there are.
        let deviation = spread.standard_error * 6_f64.sqrt() * (5.0 / 6.0_f64).sqrt();
        assert!((deviation - 1.0).abs() < 1e-6, "{scores:?}");
        assert!(scores[3].abs() < f32::EPSILON);
        assert!(scores[1] > scores[0], "the item itself is damped");
        let mut twice = [0.0; 6];
        assert!(model.add_to(&[0], true, &mut twice, &mut scratch));
        assert!((twice[1] - 2.0 * scores[1]).abs() < 1e-6);
        for session in [&[][..], &[5], &[77]] {
            assert!(!model.add_to(session, true, &mut twice, &mut scratch));
        }
        let silent = SessionModel { weights: JoinWeights { known: 0.0, ..weights }, ..model };
        assert!(!silent.add_to(&[0], true, &mut twice, &mut scratch));
    }

    #[test]
    fn every_weight_is_measured_on_the_list_that_all_scores_make() {
        let n = 40_u32;
        // Without a pattern, with ties; some of what the visit adds to is excluded, some relevant.
        let base: Vec<f32> = (0..n).map(|item| (item * 7_919 % 11) as f32 / 4.0).collect();
        for seed in 0..30_u32 {
            let scored: Vec<(u32, f32)> = (0..n)
                .filter(|item| (item * 31 + seed) % 5 == 0)
                .map(|item| (item, (item % 3 + 1) as f32))
                .collect();
            let of = |modulus: u32| (0..n).filter(|item| (item + seed) % modulus == 0).collect();
            let mut case = case(&[], 0, true);
            (case.case.excluded, case.case.relevant) = (of(7), of(4));
            for k in [0, 1, 3, 10, 100] {
                let expected = GRID.map(|weight| {
                    let mut joined = base.clone();
                    let factor = factor_of(&scored, base.len());
                    for &(item, score) in &scored {
                        joined[item as usize] += weight * factor * score;
                    }
                    let list = top_n(&joined, k, |item| !case.case.excluded.contains(&item.0));
                    let list: Vec<u32> = list.into_iter().map(|pick| pick.0.0).collect();
                    ndcg_at_k(&list, &case.case.relevant, k).to_bits()
                });
                let found = ndcg_of_weights(&base, &scored, &case, k).map(f64::to_bits);
                assert_eq!(found, expected, "{seed} {k}");
            }
        }
    }

    #[test]
    fn the_weight_is_the_one_that_held_out_visits_speak_for() {
        // Known shoppers go on to what the visit says, strangers to what nobody could foresee.
        let cases: Vec<VisitCase> = (0..10)
            .flat_map(|_| [case(&[0], 1, true), case(&[2], 3, true), case(&[0], 5, false)])
            .collect();
        let (known, strangers) =
            measure_weights(&vmis(), (&[], &Blend::default()), &cases, 1, NEVER_STOP).unwrap();
        assert_eq!((known.n_cases, strangers.n_cases), (20, 10));
        // Without long-term scores the list is by position: 1 comes first for those who saw 0.
        assert_eq!(
            known.with(0.0),
            Some((0.5, Estimate::of(&[0.0, 1.0].repeat(10)).standard_error))
        );
        assert_eq!((known.best(), strangers.best()), (Some(0.125), Some(0.0)));
        assert_eq!(known.with(0.125), Some((1.0, 0.0)));
        assert_eq!(known.with(0.3), None);
        let nothing = measure_weights(&vmis(), (&[], &Blend::default()), &[], 1, NEVER_STOP);
        assert_eq!(nothing.unwrap().0.best(), None);
        let stopped = measure_weights(&vmis(), (&[], &Blend::default()), &cases, 1, &|| true);
        assert_eq!(stopped.unwrap_err(), FitError::Stopped);
    }
}
