//! Matrix factorization that learns to order pairs: Bayesian personalized ranking (BPR-MF).
//!
//! Source: Rendle, Freudenthaler, Gantner, Schmidt-Thieme, "BPR: Bayesian personalized ranking from
//! implicit feedback", UAI 2009: `Σ ln σ(s_ui − s_uj) − ½·λ·(|x_u|² + |y_i|² + |y_j|² + b_i² + b_j²)` is made
//! large over draws of a user `u`, an item `i` they touched and an item `j` they did not, with
//! `s_ui = x_u·y_i + b_i`; one draw is one gradient step (`LearnBPR`, figure 4).
//!
//! Departures:
//! - An epoch passes through the interactions instead of drawing them with replacement: each comes up
//!   as often as its confidence is of the mean, the fraction being drawn.
//! - Of `n_candidates` items drawn for `j`, the one with the highest score counts: Zhang, Chen, Wang, Yu,
//!   "Optimizing top-N collaborative filtering via dynamic negative item sampling", SIGIR 2013. 1 is the original.
//! - The learning rate falls evenly to 0 over the epochs, which averages the noise of single steps out.
//! - Steps run in parallel as by Gemulla, Nijkamp, Haas, Sismanis, "Large-scale matrix factorization with
//!   distributed stochastic gradient descent", KDD 2011: users and items are cut into strata, and blocks that share
//!   neither are worked on at once. `j` is drawn from the stratum of `i`; strata of items are drawn
//!   anew for each epoch, so that all pairs come up. The cut does not depend on the threads.
//!
//! Shapes: `item_factors (n_items, n_factors)` and `item_biases (n_items)` are kept. An epoch costs
//! `|S|·d·(n_candidates + 4)`.
//!
//! A shopper is folded in by the same objective over `x` alone, with all items fixed, which is convex:
//! Newton's method, for the history against a fixed sample of other items. That is approximate in the
//! sample, and, as the fit ends near the optimum and not at it, gives a training user about the factors they had.

use super::confidence::{check_exponent, confidences, liked};
use super::logistic::{LogisticProblem, sigmoid};
use super::negatives::Draws;
use super::{FactorScores, FitError, ItemFactors, Query, Recommender, Stop, check};
use crate::learn::dataset::{InteractionMatrix, ItemIdx, UserIdx};
use crate::learn::linalg::dot;
use multiversion::multiversion;
use rand::{SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Most strata that users and items are cut into: as many blocks can be worked on at once.
const N_STRATA_MAX: usize = 16;

/// Least items in a stratum, so that there is a choice of `j` in it.
const STRATUM_ITEMS_MIN: usize = 128;

/// Times that an item is drawn anew because the user touched it.
const N_TRIES: usize = 8;

/// Groups of candidates that a shopper's items are compared with when they are folded in.
const N_RIVALS: usize = 256;

/// Comparisons, at least, that a shopper is folded in by.
const N_PAIRS: usize = 1_024;

/// Comparisons of each item of a long history.
const N_PAIRS_EACH_MIN: usize = 4;

/// Times that the strongest candidates are chosen for a shopper, with the factors found so far.
const N_ROUNDS: usize = 4;

/// Least λ that a shopper is folded in with; without one, a history that parts perfectly from the rest has
/// no best factors.
const PENALTY_MIN: f32 = 1e-4;

/// How the factors are found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BprParams {
    /// Factors of a user or item, 1 to 2,048.
    pub n_factors: usize,
    /// Passes through the interactions, 1 to 10,000.
    pub n_epochs: usize,
    /// Part of the gradient that a step goes at the start, above 0, at most 10; falls evenly to 0.
    pub learning_rate: f32,
    /// λ, 0 to 10: the usual range is 0.001 to 0.1. Counts in every step, so that an item that comes up
    /// often is held back as often.
    pub regularization: f32,
    /// Items drawn to choose the strongest rival from, 1 (the original) to 64. More sharpen the head of the
    /// list and want more regularisation.
    pub n_candidates: usize,
    /// What power of a weight is its confidence, 0 (all the same) to 2.
    pub confidence_exponent: f32,
    /// Deviation of the random start, times the root of `n_factors`; above 0, at most 10.
    pub init_deviation: f32,
    /// Start of the random numbers.
    pub seed: u64,
}

impl Default for BprParams {
    fn default() -> Self {
        Self {
            n_factors: 64,
            n_epochs: 60,
            learning_rate: 0.1,
            regularization: 0.02,
            n_candidates: 2,
            confidence_exponent: 1.0,
            init_deviation: 0.1,
            seed: 7,
        }
    }
}

impl BprParams {
    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), FitError> {
        let (n, epochs, candidates) = (self.n_factors, self.n_epochs, self.n_candidates);
        check((1..=2_048).contains(&n), "n_factors", "between 1 and 2048", n)?;
        check((1..=10_000).contains(&epochs), "n_epochs", "between 1 and 10000", epochs)?;
        let rate = self.learning_rate;
        let above_0 = |x: f32| 0.0 < x && x <= 10.0;
        check(above_0(rate), "learning_rate", "above 0 and at most 10", rate)?;
        let penalty = self.regularization;
        check((0.0..=10.0).contains(&penalty), "regularization", "between 0 and 10", penalty)?;
        let fits = (1..=64).contains(&candidates);
        check(fits, "n_candidates", "between 1 and 64", candidates)?;
        check_exponent(self.confidence_exponent)?;
        let deviation = self.init_deviation;
        check(above_0(deviation), "init_deviation", "above 0 and at most 10", deviation)
    }
}

/// Factors and biases of every item; users are folded in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bpr {
    params: BprParams,
    /// `y (n_items, n_factors)`.
    item_factors: ItemFactors,
    /// `b (n_items)`.
    item_biases: Vec<f32>,
    /// Items that shoppers are compared on, `n_candidates` side by side.
    rivals: Vec<u32>,
}

/// Finds the factors from a random start, in parallel on the pool it is called in.
pub fn fit(
    matrix: &InteractionMatrix,
    params: &BprParams,
    stop: Stop<'_>,
) -> Result<Bpr, FitError> {
    params.check()?;
    let matrix = &*confidences(matrix, params.confidence_exponent);
    if matrix.n_interactions() == 0 {
        return Err(FitError::NoData { model: "bpr" });
    }
    let mut training = Training::new(matrix, params);
    for epoch in 0..params.n_epochs {
        training.run_epoch(epoch, stop)?;
    }
    training.finish().ok_or(FitError::NotFinite { model: "bpr" })
}

/// One step's user, counted in their stratum, and item, counted in its.
type Sample = (u32, u32);

/// A fit on its way.
struct Training<'a> {
    /// Of confidences.
    matrix: &'a InteractionMatrix,
    params: &'a BprParams,
    user_factors: Vec<f32>,
    item_factors: Vec<f32>,
    item_biases: Vec<f32>,
    /// First user of each stratum, and the number of users.
    user_bounds: Vec<usize>,
    /// Items of a stratum; the last may be shorter.
    stratum_items: usize,
    /// 1 over the mean confidence.
    repeats: f32,
}

/// What steps in one block work on.
struct Block<'a> {
    users: &'a mut [f32],
    items: &'a mut [f32],
    biases: &'a mut [f32],
    /// Which items they are.
    item_ids: &'a [u32],
    first_user: usize,
    samples: &'a [Sample],
    draws: Draws,
}

impl<'a> Training<'a> {
    fn new(matrix: &'a InteractionMatrix, params: &'a BprParams) -> Self {
        let (d, n_users, n_items) = (params.n_factors, matrix.n_users(), matrix.n_items());
        let deviation = params.init_deviation / (d as f32).sqrt();
        let mut rng = ChaCha8Rng::seed_from_u64(params.seed);
        let mut draw = |n: usize| -> Vec<f32> {
            let draws = (0..n * d)
                .map(|_| deviation * Distribution::<f32>::sample(&StandardNormal, &mut rng));
            draws.collect()
        };
        let (item_factors, user_factors) = (draw(n_items), draw(n_users));
        let n_strata = (n_items / STRATUM_ITEMS_MIN).clamp(1, N_STRATA_MAX);
        let stratum_items = n_items.div_ceil(n_strata);
        let n_strata = n_items.div_ceil(stratum_items);
        // Strata of users with about the same number of interactions.
        let (mut user_bounds, mut n_cells) = (vec![0], 0);
        for user in 0..n_users {
            n_cells += matrix.row(UserIdx(user as u32)).0.len();
            if n_cells * n_strata >= matrix.n_interactions() * user_bounds.len() {
                user_bounds.push(user + 1);
            }
        }
        user_bounds.truncate(n_strata);
        user_bounds.resize(n_strata + 1, n_users);
        let users = (0..n_users as u32).map(UserIdx);
        let weights = users.flat_map(|user| matrix.row(user).1);
        let total: f64 = weights.copied().map(f64::from).sum();
        Self {
            matrix,
            params,
            user_factors,
            item_factors,
            item_biases: vec![0.0; n_items],
            user_bounds,
            stratum_items,
            repeats: (matrix.n_interactions() as f64 / total) as f32,
        }
    }

    fn run_epoch(&mut self, epoch: usize, stop: Stop<'_>) -> Result<(), FitError> {
        let (matrix, params, d) = (self.matrix, self.params, self.params.n_factors);
        let n_items = matrix.n_items();
        let n_strata = self.user_bounds.len() - 1;
        // A stream for the order of items, one for the samples of each stratum, one for each block.
        let stream = |at: usize| {
            Draws::new(params.seed, (epoch * (1 + n_strata + n_strata * n_strata) + at) as u64)
        };
        let mut order: Vec<u32> = (0..n_items as u32).collect();
        stream(0).shuffle(&mut order);
        let mut place = vec![0; n_items];
        for (at, &item) in (0..).zip(&order) {
            place[item as usize] = at;
        }
        let samples: Vec<Vec<Vec<Sample>>> = (0..n_strata)
            .into_par_iter()
            .map(|stratum| self.samples_of(stratum, &place, stream(1 + stratum)))
            .collect();
        let mut items = Vec::with_capacity(n_items * d);
        let rows = order.iter().map(|&item| &self.item_factors[item as usize * d..][..d]);
        rows.for_each(|row| items.extend_from_slice(row));
        let mut biases: Vec<f32> =
            order.iter().map(|&item| self.item_biases[item as usize]).collect();
        let left = 1.0 - epoch as f32 / params.n_epochs as f32;
        let rate = params.learning_rate * left;
        for turn in 0..n_strata {
            if stop() {
                return Err(FitError::Stopped);
            }
            let mut parts: Vec<_> = items
                .chunks_mut(self.stratum_items * d)
                .zip(biases.chunks_mut(self.stratum_items))
                .zip(order.chunks(self.stratum_items))
                .enumerate()
                .collect();
            parts.rotate_left(turn);
            let mut blocks = Vec::with_capacity(n_strata);
            let mut rest = &mut self.user_factors[..];
            for (stratum, (of_items, ((items, biases), item_ids))) in parts.into_iter().enumerate()
            {
                let (first_user, end) = (self.user_bounds[stratum], self.user_bounds[stratum + 1]);
                let (users, after) = rest.split_at_mut((end - first_user) * d);
                rest = after;
                let samples = &samples[stratum][of_items][..];
                let draws = stream(1 + n_strata + stratum * n_strata + of_items);
                blocks.push(Block { users, items, biases, item_ids, first_user, samples, draws });
            }
            blocks
                .into_par_iter()
                .with_max_len(1)
                .for_each(|block| run_block(block, matrix, params, rate));
        }
        for (at, &item) in order.iter().enumerate() {
            let row = &mut self.item_factors[item as usize * d..][..d];
            row.copy_from_slice(&items[at * d..][..d]);
            self.item_biases[item as usize] = biases[at];
        }
        Ok(())
    }

    /// The epoch's samples of a stratum of users, by stratum of items, each in random order; `place` is
    /// where an item stands in the epoch.
    fn samples_of(&self, stratum: usize, place: &[u32], mut draws: Draws) -> Vec<Vec<Sample>> {
        let mut samples = vec![Vec::new(); self.user_bounds.len() - 1];
        let first = self.user_bounds[stratum];
        for user in first..self.user_bounds[stratum + 1] {
            for (item, confidence) in self.matrix.row_cells(UserIdx(user as u32)) {
                let place = place[item as usize] as usize;
                let (of_items, item) = (place / self.stratum_items, place % self.stratum_items);
                let n = (confidence * self.repeats + draws.fraction()) as u32;
                let sample = ((user - first) as u32, item as u32);
                samples[of_items].extend((0..n).map(|_| sample));
            }
        }
        for samples in &mut samples {
            draws.shuffle(samples);
        }
        samples
    }

    fn finish(self) -> Option<Bpr> {
        let finite = self.item_factors.iter().chain(&self.item_biases).all(|x| x.is_finite());
        let n_rivals = N_RIVALS * self.params.n_candidates;
        let rivals =
            Draws::new(self.params.seed, u64::MAX).evenly(n_rivals, self.matrix.n_items() as u32);
        finite.then_some(Bpr {
            params: *self.params,
            item_factors: ItemFactors::new(self.item_factors, self.params.n_factors),
            item_biases: self.item_biases,
            rivals,
        })
    }
}

/// One gradient step for each sample.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn run_block(block: Block<'_>, matrix: &InteractionMatrix, params: &BprParams, rate: f32) {
    let Block { users, items, biases, item_ids, first_user, samples, mut draws } = block;
    let (d, n_items) = (params.n_factors, item_ids.len() as u32);
    let keep = 1.0 - rate * params.regularization;
    for &(user, liked) in samples {
        let (user, liked) = (user as usize, liked as usize);
        let x = &mut users[user * d..][..d];
        let (touched, _) = matrix.row(UserIdx((first_user + user) as u32));
        let score = |item: usize| dot(x, &items[item * d..][..d]) + biases[item];
        let mut rival: Option<(usize, f32)> = None;
        for _ in 0..params.n_candidates {
            let drawn = (0..N_TRIES)
                .map(|_| draws.below(n_items) as usize)
                .find(|&item| touched.binary_search(&item_ids[item]).is_err());
            let Some(item) = drawn else { continue };
            let score = score(item);
            if rival.is_none_or(|(_, best)| best < score) {
                rival = Some((item, score));
            }
        }
        // Who touched nearly all of the stratum prefers nothing to the rest of it.
        let Some((rival, rival_score)) = rival else { continue };
        let step = rate * sigmoid(rival_score - score(liked));
        biases[liked] = keep * biases[liked] + step;
        biases[rival] = keep * biases[rival] - step;
        let both = [liked * d..liked * d + d, rival * d..rival * d + d];
        let [liked, rival] =
            items.get_disjoint_mut(both).expect("a rival is an item that was not touched");
        for (x, (liked, rival)) in x.iter_mut().zip(liked.iter_mut().zip(rival)) {
            let (old, i, j) = (*x, *liked, *rival);
            *x = keep * old + step * (i - j);
            *liked = keep * i + step * old;
            *rival = keep * j - step * old;
        }
    }
}

impl Bpr {
    /// Number of factors.
    pub fn n_factors(&self) -> usize {
        self.params.n_factors
    }

    /// The factors of an item, `None` if the model does not know it.
    pub fn item_factors(&self, item: ItemIdx) -> Option<&[f32]> {
        let (n, at) = (self.params.n_factors, item.0 as usize);
        self.item_factors.get(at * n..(at + 1) * n)
    }

    /// What an item is worth to everybody, `None` if the model does not know it.
    pub fn item_bias(&self, item: ItemIdx) -> Option<f32> {
        self.item_biases.get(item.0 as usize).copied()
    }

    /// Where a history lies among the factors; `None` if it has no item that is known and liked. All 0
    /// if there is nothing to prefer the history to.
    pub fn fold_in(&self, history: &[(u32, f32)]) -> Option<Vec<f32>> {
        let exponent = self.params.confidence_exponent;
        let (items, confidences) = liked(history, self.item_biases.len(), exponent);
        if items.is_empty() {
            return None;
        }
        let d = self.params.n_factors;
        let mut x = vec![0.0; d];
        let groups: Vec<Vec<u32>> = self
            .rivals
            .chunks(self.params.n_candidates)
            .map(|group| {
                group.iter().copied().filter(|j| items.binary_search(j).is_err()).collect()
            })
            .filter(|group: &Vec<u32>| !group.is_empty())
            .collect();
        let n_each =
            N_PAIRS.div_ceil(items.len()).clamp(N_PAIRS_EACH_MIN, N_RIVALS).min(groups.len());
        let total: f64 = confidences.iter().copied().map(f64::from).sum();
        let scale = (1.0 / (total * n_each.max(1) as f64)) as f32;
        let mut problem = LogisticProblem::new(d);
        // With one candidate the rivals do not depend on `x`, and one round is all.
        let n_rounds = if self.params.n_candidates == 1 { 1 } else { N_ROUNDS };
        for round in 0..n_rounds {
            let strongest = |group: &Vec<u32>| {
                let score = |j: &u32| dot(&x, self.row(*j)) + self.item_biases[*j as usize];
                group.iter().copied().max_by(|i, j| score(i).total_cmp(&score(j)))
            };
            let rivals: Vec<u32> = groups.iter().filter_map(strongest).collect();
            problem.clear();
            let mut turn = rivals.iter().cycle();
            for (&i, confidence) in items.iter().zip(&confidences) {
                for &j in turn.by_ref().take(n_each) {
                    let differences = self.row(i).iter().zip(self.row(j)).map(|(i, j)| i - j);
                    let bias = self.item_biases[i as usize] - self.item_biases[j as usize];
                    problem.push(differences, bias, confidence * scale, 0.0);
                }
            }
            let n_steps = if round + 1 == n_rounds { 4 } else { 2 };
            problem.improve(&mut x, self.params.regularization.max(PENALTY_MIN), n_steps);
        }
        Some(x)
    }

    /// The factors of an item that is known.
    fn row(&self, item: u32) -> &[f32] {
        let d = self.params.n_factors;
        &self.item_factors[item as usize * d..][..d]
    }
}

impl Recommender for Bpr {
    fn n_items(&self) -> usize {
        self.item_biases.len()
    }

    fn score_items(&self, query: Query<'_>, scores: &mut [f32]) -> bool {
        debug_assert_eq!(scores.len(), self.item_biases.len());
        let Some(placed) = self.factor_scores(query) else { return false };
        placed.score_all(scores);
        true
    }

    fn factor_scores(&self, query: Query<'_>) -> Option<FactorScores<'_>> {
        let x = self.fold_in(query.history)?;
        let biases = Some((&self.item_biases[..], 0.0));
        Some(FactorScores { factors: &self.item_factors, x, biases })
    }

    /// Never: scores say what is preferred to what, not how much is liked.
    fn predict_rating(&self, _query: Query<'_>, _item: ItemIdx) -> Option<f32> {
        None
    }

    fn n_bytes(&self) -> usize {
        self.item_factors.n_bytes() + 4 * (self.item_biases.len() + self.rivals.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::recommenders::NEVER_STOP;
    use crate::learn::recommenders::logistic::softplus;
    use crate::learn::recommenders::top_n::top_n;

    /// Users like the items of their own colour, all but one: user `u` misses item `u`, or the next.
    fn checkerboard(n_users: u32, n_items: u32) -> InteractionMatrix {
        let cells = (0..n_users).flat_map(|user| {
            let items = (user % 2..n_items).step_by(2);
            items.filter(move |&item| item != missing(user, n_items)).map(move |item| (user, item))
        });
        let cells = cells.map(|(user, item)| (UserIdx(user), ItemIdx(item), 1.0));
        InteractionMatrix::from_cells(n_users as usize, n_items as usize, cells)
    }

    fn missing(user: u32, n_items: u32) -> u32 {
        (user / 2 * 2) % n_items + user % 2
    }

    fn params() -> BprParams {
        BprParams { n_factors: 8, n_epochs: 40, n_candidates: 1, ..BprParams::default() }
    }

    /// Mean loss over all pairs of a touched and an untouched item.
    fn loss(training: &Training<'_>) -> f64 {
        let d = training.params.n_factors;
        let (mut sum, mut n) = (0.0, 0);
        for user in 0..training.matrix.n_users() {
            let x = &training.user_factors[user * d..][..d];
            let touched = training.matrix.row(UserIdx(user as u32)).0;
            let score = |item: u32| {
                let item = item as usize;
                dot(x, &training.item_factors[item * d..][..d]) + training.item_biases[item]
            };
            for &i in touched {
                for j in (0..training.matrix.n_items() as u32).filter(|j| !touched.contains(j)) {
                    sum += f64::from(softplus(score(j) - score(i)));
                    n += 1;
                }
            }
        }
        sum / f64::from(n)
    }

    #[test]
    fn what_was_withheld_from_a_checkerboard_comes_first() {
        let matrix = checkerboard(40, 20);
        for n_candidates in [1, 3] {
            let params = BprParams { n_candidates, ..params() };
            let model = fit(&matrix, &params, NEVER_STOP).unwrap();
            for user in 0..40 {
                let history: Vec<_> = matrix.row_cells(UserIdx(user)).collect();
                let query = Query { user: None, history: &history };
                let mut scores = vec![0.0; 20];
                assert!(model.score_items(query, &mut scores));
                let new = |item: ItemIdx| history.iter().all(|cell| cell.0 != item.0);
                assert_eq!(top_n(&scores, 1, new)[0].0.0, missing(user, 20));
            }
        }
    }

    #[test]
    fn the_loss_falls_while_fitting() {
        let (matrix, params) = (checkerboard(40, 20), params());
        let mut training = Training::new(&matrix, &params);
        let mut losses = vec![loss(&training)];
        for epoch in 0..40 {
            training.run_epoch(epoch, NEVER_STOP).unwrap();
            losses.push(loss(&training));
        }
        assert!((losses[0] - 2.0_f64.ln()).abs() < 0.01, "at the start all is even");
        assert!(losses[10] < losses[0] && losses[20] < losses[10] && losses[40] < losses[20]);
        assert!(losses[40] < 0.35);
    }

    #[test]
    fn folding_in_ranks_like_the_factors_of_a_training_user() {
        let params = BprParams { n_epochs: 100, regularization: 0.05, ..params() };
        let matrix = checkerboard(60, 24);
        let mut training = Training::new(&matrix, &params);
        for epoch in 0..100 {
            training.run_epoch(epoch, NEVER_STOP).unwrap();
        }
        let trained = training.user_factors.clone();
        let model = training.finish().unwrap();
        for (user, trained) in trained.chunks(8).enumerate() {
            let history: Vec<_> = matrix.row_cells(UserIdx(user as u32)).collect();
            let folded = model.fold_in(&history).unwrap();
            let cosine =
                dot(&folded, trained) / (dot(&folded, &folded) * dot(trained, trained)).sqrt();
            assert!(cosine > 0.9, "{cosine}: gradient steps end near the optimum");
        }
    }

    #[test]
    fn threads_change_nothing() {
        let hash = |at: u32| (at ^ 0x9e37).wrapping_mul(2_654_435_761) >> 20;
        let cells = (0..40_u32 * 600).filter(|&at| hash(at) % 20 == 0);
        let cells =
            cells.map(|at| (UserIdx(at / 600), ItemIdx(at % 600), (1 + hash(at + 1) % 4) as f32));
        let matrix = InteractionMatrix::from_cells(40, 600, cells);
        let params = BprParams { n_epochs: 3, n_candidates: 2, ..params() };
        let fit_with = |n_threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            pool.install(|| fit(&matrix, &params, NEVER_STOP).unwrap())
        };
        let model = fit_with(1);
        assert!(Training::new(&matrix, &params).user_bounds.len() > 4, "there are several blocks");
        assert_eq!(model, fit_with(3));
        let other = BprParams { seed: 8, ..params };
        assert_ne!(model.item_factors, fit(&matrix, &other, NEVER_STOP).unwrap().item_factors);
        assert_eq!(fit(&matrix, &params, &|| true), Err(FitError::Stopped));
    }

    #[test]
    fn samples_come_as_often_as_their_confidence_says() {
        let cells = [(0, 0, 3.0), (0, 1, 1.0), (1, 1, 1.0), (1, 2, 3.0)];
        let cells = cells.map(|(u, i, w)| (UserIdx(u), ItemIdx(i), w));
        let matrix = InteractionMatrix::from_cells(2, 3, cells);
        let params = params();
        let training = Training::new(&matrix, &params);
        let mut counts = [[0; 3]; 2];
        for epoch in 0..1_000 {
            for &(u, i) in &training.samples_of(0, &[0, 1, 2], Draws::new(1, epoch))[0] {
                counts[u as usize][i as usize] += 1;
            }
        }
        for (user, item, expected) in [(0, 0, 1_500), (0, 1, 500), (1, 1, 500), (1, 2, 1_500)] {
            let n: i32 = counts[user][item];
            assert!((n - expected).abs() < 80, "{n}: five deviations of a thousand coins");
        }
    }

    #[test]
    fn odd_data_stays_finite() {
        let cases = [
            vec![(0, 0, 1.0)],
            vec![(0, 0, 1e38), (1, 0, 1e-38), (1, 1, -1.0)],
            // Somebody touched all there is.
            vec![(0, 0, 1.0), (0, 1, 1.0), (0, 2, 1.0), (0, 3, 1.0)],
        ];
        let wild = BprParams { learning_rate: 10.0, regularization: 0.0, ..params() };
        for (cells, params) in cases.iter().flat_map(|cells| [(cells, params()), (cells, wild)]) {
            let cells = cells.iter().map(|&(u, i, w)| (UserIdx(u), ItemIdx(i), w));
            let matrix = InteractionMatrix::from_cells(3, 4, cells);
            let model = fit(&matrix, &params, NEVER_STOP).unwrap();
            let mut scores = vec![0.0; 4];
            let everything = [(0, 1.0), (1, 1e30), (2, 1.0), (3, 1.0), (99, 1.0)];
            for history in [&everything[..1], &everything] {
                assert!(model.score_items(Query { user: None, history }, &mut scores));
                assert!(scores.iter().all(|score| score.is_finite()));
            }
            let dislike = Query { user: None, history: &[(0, -1.0), (99, 1.0)] };
            assert!(!model.score_items(dislike, &mut scores));
        }
        let lone = InteractionMatrix::from_cells(1, 1, [(UserIdx(0), ItemIdx(0), 1.0)]);
        let model = fit(&lone, &params(), NEVER_STOP).unwrap();
        assert_eq!(model.fold_in(&[(0, 1.0)]), Some(vec![0.0; 8]));
        let dislikes = InteractionMatrix::from_cells(1, 1, [(UserIdx(0), ItemIdx(0), -1.0)]);
        let error = fit(&dislikes, &params(), NEVER_STOP).unwrap_err();
        assert_eq!(error, FitError::NoData { model: "bpr" });
        let empty = InteractionMatrix::from_cells(0, 0, []);
        assert!(fit(&empty, &params(), NEVER_STOP).is_err());
    }

    #[test]
    fn parameters_out_of_range_are_named() {
        let good = BprParams::default();
        assert_eq!(good.check(), Ok(()));
        for (params, name) in [
            (BprParams { n_factors: 0, ..good }, "n_factors"),
            (BprParams { n_epochs: 0, ..good }, "n_epochs"),
            (BprParams { learning_rate: 0.0, ..good }, "learning_rate"),
            (BprParams { regularization: f32::NAN, ..good }, "regularization"),
            (BprParams { n_candidates: 65, ..good }, "n_candidates"),
            (BprParams { confidence_exponent: 3.0, ..good }, "confidence_exponent"),
            (BprParams { init_deviation: -1.0, ..good }, "init_deviation"),
        ] {
            let error = params.check().unwrap_err();
            assert!(matches!(error, FitError::Parameter { parameter, .. } if parameter == name));
        }
    }
}
