//! A fit of pairs: strata of users and of items, and gradient steps in blocks of them.

use super::{Bpr, BprParams, N_RIVALS};
use crate::learn::dataset::{InteractionMatrix, UserIdx};
use crate::learn::linalg::kernels::dot;
use crate::learn::recommenders::logistic::sigmoid;
use crate::learn::recommenders::negatives::Draws;
use crate::learn::recommenders::{FitError, ItemFactors, Stop};
use multiversion::multiversion;
use rand::{SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

/// Most strata that users and items are cut into: as many blocks can be worked on at once.
const N_STRATA_MAX: usize = 16;

/// Least items in a stratum, so that there is a choice of `j` in it.
const STRATUM_ITEMS_MIN: usize = 128;

/// Times that an item is drawn anew because the user touched it.
const N_TRIES: usize = 8;

/// One step's user, counted in their stratum, and item, counted in its.
type Sample = (u32, u32);

/// A fit on its way.
pub(super) struct Training<'a> {
    /// Of confidences.
    pub(super) matrix: &'a InteractionMatrix,
    pub(super) params: &'a BprParams,
    pub(super) user_factors: Vec<f32>,
    pub(super) item_factors: Vec<f32>,
    pub(super) item_biases: Vec<f32>,
    /// First user of each stratum, and the number of users.
    pub(super) user_bounds: Vec<usize>,
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
    pub(super) fn new(matrix: &'a InteractionMatrix, params: &'a BprParams) -> Self {
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

    pub(super) fn run_epoch(&mut self, epoch: usize, stop: Stop<'_>) -> Result<(), FitError> {
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
    pub(super) fn samples_of(
        &self,
        stratum: usize,
        place: &[u32],
        mut draws: Draws,
    ) -> Vec<Vec<Sample>> {
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

    pub(super) fn finish(self) -> Option<Bpr> {
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
