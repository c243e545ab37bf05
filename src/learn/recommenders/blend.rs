//! Several models as one: a weighted sum of their standardised scores.
//!
//! Scores of different models lie on different scales, so each model's scores for a shopper are first
//! brought to mean 0 and deviation 1 over all items (z-score; Fox and Shaw, "Combination of multiple
//! searches", TREC-2 1994, for the sum; Wu, Crestani, Bi, "Evaluating score normalization methods in data
//! fusion", AIRS 2006, for this way to normalise). The weights are learnt by
//! [`crate::learn::evaluation::learn_blend`].
//!
//! A catalogue above [`EXACT_ITEMS_MAX`](super::factors::EXACT_ITEMS_MAX) items is looked through in two steps, of which
//! the first reads a quarter of the memory. Measured for the 100 best of 1,000,000 items × 64 factors on one core of
//! a shared EPYC: an exact scan takes 33 ms (25 at best), bytes take 7.1 ms (3.1); making them takes 0.6 s, and they hold
//! 68 MB beside the 256 of the factors. What is found is measured in
//! [`quantised`](crate::learn::linalg::quantised): all, with the second look.
//!
//! A graph index was tried instead, on two loaded cores: `hnsw_rs` 0.3.5, 16 links, 100 candidates a link, over products made
//! distances by one more dimension (Bachrach et al., "Speeding up the Xbox recommender system using a
//! Euclidean transformation for inner-product spaces", `RecSys` 2014). For 100,000 items it takes as long as the exact scan
//! (1.1 ms) to find 98.8 of 100 among factors of alternating least squares, and finds no more than 54 where norms
//! have a long tail; it is built in 89 and 381 s. Nor would it say anything of the other items, whose
//! scores make the scale of a blend, and a filter would have to go through the graph.

use super::top_n::{best_first, top_n};
use super::{FittedModel, ModelKind, Query, Recommender};
use crate::learn::dataset::ItemIdx;
use multiversion::multiversion;
use serde::{Deserialize, Serialize};

/// Items that are scored exactly for each one that is wanted, in a large catalogue.
const N_CANDIDATES_EACH: usize = 2;

/// And beside those: what is about as good as the worst of a short list is not always twice as long.
const N_CANDIDATES_MORE: usize = 100;

/// Which models count, and how much.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Blend {
    /// Each kind at most once; weights are finite and above 0.
    pub weights: Vec<(ModelKind, f32)>,
}

/// Room for the scores of every item. Whoever answers keeps one, so that no request allocates what grows with
/// the catalogue.
#[derive(Clone, Debug, Default)]
pub struct ScoreRoom {
    scores: Vec<f32>,
    scratch: Vec<f32>,
    /// The part of `scores` that is exact; for large catalogues only.
    known: Vec<f32>,
}

impl ScoreRoom {
    /// Without room; it grows to the longest catalogue it meets.
    pub const fn new() -> Self {
        Self { scores: Vec::new(), scratch: Vec::new(), known: Vec::new() }
    }

    fn resize(&mut self, n_items: usize) {
        self.scores.resize(n_items, 0.0);
        self.scratch.resize(n_items, 0.0);
    }
}

impl Blend {
    /// One model alone.
    pub fn single(kind: ModelKind) -> Self {
        Self { weights: vec![(kind, 1.0)] }
    }

    /// Whether a model counts.
    pub fn has(&self, kind: ModelKind) -> bool {
        self.weights.iter().any(|part| part.0 == kind)
    }

    /// Overwrites `scores (n_items)` with the weighted sum; `scratch` has the same length and is
    /// overwritten.
    ///
    /// A model that is not among `models`, or has nothing to say, is left out. Returns `false`, with
    /// `scores` untouched, if that is all of them.
    pub fn score_items(
        &self,
        models: &[FittedModel],
        query: Query<'_>,
        scores: &mut [f32],
        scratch: &mut [f32],
    ) -> bool {
        debug_assert_eq!(scores.len(), scratch.len());
        let mut spoken = false;
        for (model, weight) in self.used(models) {
            if !model.score_items(query, scratch) {
                continue;
            }
            if !spoken {
                scores.fill(0.0);
                spoken = true;
            }
            Scale::of(scratch).add(weight, scratch, scores);
        }
        spoken
    }

    /// The score of every item, exactly, with what `add` adds to it; `None` if neither a model nor `add` has
    /// anything to say.
    pub fn all_scores<'r>(
        &self,
        models: &[FittedModel],
        query: Query<'_>,
        (n_items, add): (usize, impl FnOnce(&mut [f32]) -> bool),
        room: &'r mut ScoreRoom,
    ) -> Option<&'r [f32]> {
        room.resize(n_items);
        let spoken = self.score_items(models, query, &mut room.scores, &mut room.scratch);
        if !spoken {
            room.scores.fill(0.0);
        }
        let spoken = add(&mut room.scores) || spoken;
        spoken.then_some(&room.scores)
    }

    /// The `n` best items that `keep` admits, with their scores, best first; equal scores by lower position.
    /// `add` adds to the scores what it knows. `None` if neither a model nor `add` has anything to say.
    ///
    /// Up to [`EXACT_ITEMS_MAX`](super::factors::EXACT_ITEMS_MAX) items it is [`top_n`] of [`Self::score_items`].
    /// Above, models of factors score all items roughly first, and of those that `keep` admits the best
    /// `2·n + 100` are scored exactly. So the list is ranked by exact scores, and what may be missing from it are items
    /// whose rough score is off by more than the distance from the `n`th to the last of those. Scores differ from
    /// those of [`Self::score_items`] as the means and deviations of rough scores do from those of exact ones.
    pub fn best_items(
        &self,
        models: &[FittedModel],
        query: Query<'_>,
        (n_items, add): (usize, impl FnOnce(&mut [f32]) -> bool),
        (n, keep): (usize, impl FnMut(ItemIdx) -> bool),
        room: &mut ScoreRoom,
    ) -> Option<Vec<(ItemIdx, f32)>> {
        room.resize(n_items);
        let ScoreRoom { scores, scratch, known } = room;
        scores.fill(0.0);
        let (mut spoken, mut large) = (false, Vec::new());
        for (model, weight) in self.used(models) {
            match model.factor_scores(query) {
                Some(placed) if placed.is_large() => {
                    large.push((placed, weight));
                    continue;
                }
                Some(placed) => placed.score_all(scratch),
                None if model.score_items(query, scratch) => {}
                None => continue,
            }
            Scale::of(scratch).add(weight, scratch, scores);
            spoken = true;
        }
        spoken |= add(scores);
        if large.is_empty() {
            return spoken.then(|| top_n(scores, n, keep));
        }
        known.clear();
        known.extend_from_slice(scores);
        let mut scales = Vec::with_capacity(large.len());
        for (placed, weight) in &large {
            placed.score_roughly(scratch);
            let scale = Scale::of(scratch);
            scale.add(*weight, scratch, scores);
            scales.push(scale);
        }
        let n_candidates = n.saturating_mul(N_CANDIDATES_EACH).saturating_add(N_CANDIDATES_MORE);
        let mut ranked = top_n(scores, n_candidates, keep);
        let items: Vec<u32> = ranked.iter().map(|candidate| candidate.0.0).collect();
        for (item, score) in &mut ranked {
            *score = known[item.0 as usize];
        }
        let mut exact = vec![0.0; items.len()];
        for ((placed, weight), scale) in large.iter().zip(scales) {
            placed.score_some(&items, &mut exact);
            let scores = ranked.iter_mut().zip(&exact);
            scores.for_each(|((_, sum), &score)| *sum += weight * scale.apply(score));
        }
        ranked.sort_unstable_by(best_first);
        ranked.truncate(n);
        Some(ranked)
    }

    /// The models that count, in the order of the weights.
    fn used<'m>(
        &self,
        models: &'m [FittedModel],
    ) -> impl Iterator<Item = (&'m FittedModel, f32)> + use<'_, 'm> {
        self.weights.iter().filter_map(|&(kind, weight)| {
            let model = models.iter().find(|model| model.kind() == kind)?;
            Some((model, weight))
        })
    }
}

/// The models of a blend, asked as one.
#[derive(Clone, Debug, PartialEq)]
pub struct Blended<M> {
    /// The models, owned or borrowed.
    pub models: M,
    /// How they are joined.
    pub blend: Blend,
}

impl<M: AsRef<[FittedModel]> + Send + Sync> Recommender for Blended<M> {
    fn n_items(&self) -> usize {
        self.models.as_ref().first().map_or(0, Recommender::n_items)
    }

    fn score_items(&self, query: Query<'_>, scores: &mut [f32]) -> bool {
        let mut scratch = vec![0.0; scores.len()];
        self.blend.score_items(self.models.as_ref(), query, scores, &mut scratch)
    }

    fn score_block(
        &self,
        queries: &[Query<'_>],
        scores: &mut [f32],
        scratch: &mut Vec<f32>,
    ) -> Vec<bool> {
        assert_eq!(scores.len(), queries.len() * self.n_items(), "there is a row for each shopper");
        let n_items = self.n_items().max(1);
        scratch.resize(scores.len(), 0.0);
        let mut any_spoken = vec![false; queries.len()];
        for (model, weight) in self.blend.used(self.models.as_ref()) {
            let spoken = model.score_block(queries, scratch, &mut Vec::new());
            let rows = scores.chunks_exact_mut(n_items).zip(scratch.chunks_exact(n_items));
            let speakers = spoken.into_iter().zip(&mut any_spoken);
            for ((sums, scores), (_, any)) in rows.zip(speakers).filter(|(_, (spoken, _))| *spoken)
            {
                if !std::mem::replace(any, true) {
                    sums.fill(0.0);
                }
                Scale::of(scores).add(weight, scores, sums);
            }
        }
        any_spoken
    }

    fn n_bytes(&self) -> usize {
        self.models.as_ref().iter().map(Recommender::n_bytes).sum()
    }
}

/// How one model's scores for one shopper are brought to mean 0 and deviation 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    mean: f32,
    factor: f32,
}

impl Scale {
    /// Measures `scores`, in `f64`. Scores that are all the same say nothing and become 0.
    pub(crate) fn of(scores: &[f32]) -> Self {
        let n = scores.len().max(1) as f64;
        let mean = sum(scores) / n;
        let deviation = (sum_of_squares(scores, mean) / n).sqrt();
        // Less than the last digit of an f32 is rounding, not a preference.
        let constant = deviation <= mean.abs() * f64::from(f32::EPSILON);
        let factor = if constant { 0.0 } else { (1.0 / deviation) as f32 };
        Self { mean: mean as f32, factor: if factor.is_finite() { factor } else { 0.0 } }
    }

    /// The standard score.
    pub(crate) fn apply(self, score: f32) -> f32 {
        (score - self.mean) * self.factor
    }

    /// Adds the weighted standard scores to `sums`.
    fn add(self, weight: f32, scores: &[f32], sums: &mut [f32]) {
        for (sum, &score) in sums.iter_mut().zip(scores) {
            *sum += weight * self.apply(score);
        }
    }
}

/// Partial sums, so that an addition need not wait for the one before.
const LANES: usize = 16;

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn sum(scores: &[f32]) -> f64 {
    let mut sums = [0.0_f64; LANES];
    let (chunks, rest) = scores.as_chunks::<LANES>();
    for chunk in chunks {
        for (sum, &score) in sums.iter_mut().zip(chunk) {
            *sum += f64::from(score);
        }
    }
    sums.iter().sum::<f64>() + rest.iter().copied().map(f64::from).sum::<f64>()
}

/// Of the distances from `mean`.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn sum_of_squares(scores: &[f32], mean: f64) -> f64 {
    let square = |score: f32| (f64::from(score) - mean) * (f64::from(score) - mean);
    let mut sums = [0.0_f64; LANES];
    let (chunks, rest) = scores.as_chunks::<LANES>();
    for chunk in chunks {
        for (sum, &score) in sums.iter_mut().zip(chunk) {
            *sum += square(score);
        }
    }
    sums.iter().sum::<f64>() + rest.iter().copied().map(square).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::super::{ModelParams, NEVER_STOP, factors::EXACT_ITEMS_MAX, fit};
    use super::*;
    use crate::learn::dataset::{InteractionMatrix, UserIdx};

    #[test]
    fn standard_scores_have_mean_0_and_deviation_1() {
        let scale = Scale::of(&[1.0, 2.0, 3.0]);
        let expected = 1.5_f32.sqrt();
        assert!((scale.apply(3.0) - expected).abs() < 1e-6);
        assert!((scale.apply(1.0) + expected).abs() < 1e-6);
        let constant = Scale::of(&[0.3; 7]);
        assert!(constant.apply(0.3).abs() < f32::EPSILON);
        let many: Vec<f32> = (1..=100_u8).map(f32::from).collect();
        let scale = Scale::of(&many);
        assert!(scale.apply(50.5).abs() < 1e-6);
        let deviation = (9_999.0_f32 / 12.0).sqrt();
        assert!((scale.apply(50.5 + deviation) - 1.0).abs() < 1e-5, "(n² − 1)/12 of 1 to n");
    }

    /// Two models of factors and one of neighbours, of shoppers who like every 40th item of the first 2,000.
    fn fitted(n_items: usize) -> (InteractionMatrix, Vec<FittedModel>, Blend) {
        let hash = |at: u32| (at ^ 0x9e37).wrapping_mul(2_654_435_761) >> 16;
        let cells = (0..200_u32 * 40).map(|at| {
            let user = at / 40;
            let is_own = hash(at) % 4 > 0;
            let item = if is_own { hash(at) % 50 * 40 + user % 40 } else { hash(at + 1) % 2_000 };
            (UserIdx(user), ItemIdx(item), 1.0)
        });
        let matrix = InteractionMatrix::from_cells(200, n_items, cells);
        let mut params = ModelParams::default();
        (params.als.n_factors, params.als.n_epochs) = (12, 2);
        (params.svd.n_factors, params.svd.subspace_ratio) = (8, 2.0);
        let kinds = [ModelKind::Als, ModelKind::ItemKnn, ModelKind::Svd];
        let models: Vec<_> =
            kinds.map(|kind| fit(kind, &matrix, &params, NEVER_STOP).unwrap()).into();
        let weights = kinds.into_iter().zip([0.5, 0.2, 0.3]).collect();
        (matrix, models, Blend { weights })
    }

    /// For all items of these models, adds nothing.
    fn nothing(models: &[FittedModel]) -> (usize, impl FnOnce(&mut [f32]) -> bool + use<>) {
        (models.first().map_or(0, Recommender::n_items), |_: &mut [f32]| false)
    }

    #[test]
    fn a_catalogue_that_is_not_large_is_ranked_exactly() {
        let (matrix, models, blend) = fitted(2_000);
        let history: Vec<_> = matrix.row_cells(UserIdx(3)).collect();
        let query = Query { user: None, history: &history };
        let (mut room, mut other) = (ScoreRoom::new(), ScoreRoom::new());
        let keep = |item: ItemIdx| !item.0.is_multiple_of(3);
        let scores = blend.all_scores(&models, query, nothing(&models), &mut other).unwrap();
        for n in [0, 1, 100, 5_000] {
            let best =
                blend.best_items(&models, query, nothing(&models), (n, keep), &mut room).unwrap();
            assert_eq!(best, top_n(scores, n, keep));
        }
        assert!(room.known.is_empty(), "nothing is held twice");
        let nobody = Query { user: None, history: &[] };
        assert_eq!(blend.best_items(&models, nobody, nothing(&models), (9, keep), &mut room), None);
        assert_eq!(blend.best_items(&[], query, nothing(&[]), (9, keep), &mut room), None);
        assert_eq!(
            Blend::default().best_items(&models, query, nothing(&models), (9, keep), &mut room),
            None
        );
    }

    #[test]
    fn of_a_large_catalogue_the_best_are_found_and_scored_exactly() {
        let (matrix, models, blend) = fitted(EXACT_ITEMS_MAX + 1);
        let (mut room, mut other) = (ScoreRoom::new(), ScoreRoom::new());
        let (mut n_found, mut n_wanted) = (0, 0);
        for user in 0..10 {
            let history: Vec<_> = matrix.row_cells(UserIdx(user)).collect();
            let query = Query { user: None, history: &history };
            let keep = |item: ItemIdx| !item.0.is_multiple_of(3);
            let scores = blend.all_scores(&models, query, nothing(&models), &mut other).unwrap();
            let exact = top_n(scores, 100, keep);
            let best =
                blend.best_items(&models, query, nothing(&models), (100, keep), &mut room).unwrap();
            assert_eq!(best.len(), 100);
            assert!(best.is_sorted_by(|a, b| best_first(a, b).is_lt()));
            for &(item, score) in &best {
                assert!(keep(item));
                let (exact, size) = (scores[item.0 as usize], score.abs().max(1.0));
                assert!((score - exact).abs() < 2e-3 * size, "the scale alone is rough");
            }
            n_wanted += exact.len();
            n_found += exact.iter().filter(|pick| best.iter().any(|b| b.0 == pick.0)).count();
            let again = blend.best_items(
                &models,
                query,
                nothing(&models),
                (100, keep),
                &mut ScoreRoom::new(),
            );
            assert_eq!(again.as_ref(), Some(&best), "what was in the room does not count");
        }
        assert!(n_found * 100 >= n_wanted * 98, "{n_found} of {n_wanted}");
        let saved = postcard::to_stdvec(&models).unwrap();
        let loaded: Vec<FittedModel> = postcard::from_bytes(&saved).unwrap();
        assert_eq!(loaded, models);
        let query = Query { user: None, history: &[(7, 1.0)] };
        let mut ask = |models: &[_]| {
            blend.best_items(models, query, nothing(models), (30, |_| true), &mut room)
        };
        assert_eq!(ask(&loaded), ask(&models));
        let few = blend
            .best_items(&models, query, nothing(&models), (30, |item| item.0 < 5), &mut room)
            .unwrap();
        assert_eq!(few.len(), 5, "no more than are admitted");
        let nobody = Query { user: None, history: &[] };
        assert_eq!(
            blend.best_items(&models, nobody, nothing(&models), (9, |_| true), &mut room),
            None
        );
    }
}
