//! One small system for each target, over the items that go with it: no table of all pairs.
//!
//! The features of a target are the `n_candidates` items nearest by cosine, as in fsSLIM (Ning and
//! Karypis, "SLIM: sparse linear methods for top-N recommender systems", ICDM 2011); on
//! these the ridge regression of EASE is solved exactly (that a sparse form of EASE loses little:
//! Steck, "Markov random fields for collaborative filtering", `NeurIPS` 2019).
//!
//! A system needs what every two candidates have in common. For two of the `dense_items_max` most popular
//! items (the head) this is looked up in a table; anything that a rarer item has in common is summed when
//! asked, which is cheap because few users touched it.

use super::{EaseParams, FitError, Stop, keep_heaviest};
use crate::learn::linalg::{
    Csr,
    product::{Operand, Places, RowSums},
    spd::Solver,
};
use rayon::prelude::*;
use std::cmp::Reverse;

/// Targets that one task solves, between two looks at `stop`.
const BLOCK: usize = 32;

/// Not in the head.
const NOWHERE: u32 = u32::MAX;

/// What the items have in common.
struct Gram<'a> {
    columns: &'a Csr,
    rows: &'a Operand<'a>,
    diagonal: Vec<f32>,
    /// Place of each item in the head, or [`NOWHERE`].
    places: Vec<u32>,
    /// `(n_head, n_head)`.
    head: Vec<f32>,
    n_head: usize,
}

/// The weights by history item, for the weighted interactions by item and by user.
pub(super) fn solve(
    columns: &Csr,
    rows: &Operand<'_>,
    params: &EaseParams,
    stop: Stop<'_>,
) -> Result<Csr, FitError> {
    let n = columns.n_rows();
    let gram = Gram::new(columns, rows, params.dense_items_max, stop)?;
    let blocks: Result<Vec<_>, FitError> = (0..n.div_ceil(BLOCK))
        .into_par_iter()
        // Room is as long as the catalogue: too much to make for every block.
        .map_init(
            || Room::new(n, params.n_candidates),
            |room, block| {
                if stop() {
                    return Err(FitError::Stopped);
                }
                (block * BLOCK..n.min((block + 1) * BLOCK))
                    .map(|target| gram.weights_of(target, params, room))
                    .collect::<Result<Vec<_>, _>>()
            },
        )
        .collect();
    let by_target = Csr::from_rows(blocks?.into_iter().flatten());
    // A lower key stays: bits of a float without sign order like the float.
    let lightness = |_, _, weight: f32| Reverse(weight.abs().to_bits());
    Ok(by_target.transposed(n).capped(params.n_weights, lightness))
}

/// Buffers of one task.
struct Room {
    sums: RowSums,
    /// Of the candidates.
    places: Places,
    system: Vec<f32>,
    solver: Solver,
}

impl Room {
    fn new(n_items: usize, n_candidates: usize) -> Self {
        Self {
            sums: RowSums::new(n_items),
            places: Places::none(n_items),
            system: Vec::new(),
            solver: Solver::new(n_candidates),
        }
    }
}

impl<'a> Gram<'a> {
    fn new(
        columns: &'a Csr,
        rows: &'a Operand<'a>,
        head_max: usize,
        stop: Stop<'_>,
    ) -> Result<Self, FitError> {
        let n = columns.n_rows();
        let square = |i: usize| columns.row(i).1.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
        let diagonal = (0..n).map(|i| square(i) as f32).collect();
        let mut by_popularity: Vec<usize> = (0..n).collect();
        by_popularity.sort_by_key(|&i| (Reverse(columns.row(i).0.len()), i));
        by_popularity.truncate(head_max);
        let n_head = by_popularity.len();
        let mut places = vec![NOWHERE; n];
        for (place, &item) in (0..).zip(&by_popularity) {
            places[item] = place;
        }
        let mut head = vec![0.0; n_head * n_head];
        let blocks =
            head.par_chunks_mut((BLOCK * n_head).max(1)).zip(by_popularity.par_chunks(BLOCK));
        let room = || (RowSums::new(n), Vec::new());
        blocks.try_for_each_init(room, |(sums, cells), (table, items)| {
            if stop() {
                return Err(FitError::Stopped);
            }
            for (row, &item) in table.chunks_exact_mut(n_head).zip(items) {
                sums.collect(columns.row(item), rows, cells);
                for &(other, sum) in &*cells {
                    if let Some(x) = row.get_mut(places[other as usize] as usize) {
                        *x = sum;
                    }
                }
            }
            Ok(())
        })?;
        Ok(Self { columns, rows, diagonal, places, head, n_head })
    }

    /// The weights with which the candidates of `target` add to its score.
    fn weights_of(
        &self,
        target: usize,
        params: &EaseParams,
        room: &mut Room,
    ) -> Result<Vec<(u32, f32)>, FitError> {
        let mut candidates = Vec::new();
        room.sums.collect(self.columns.row(target), self.rows, &mut candidates);
        candidates.retain(|candidate| candidate.0 as usize != target);
        // For one target, cosine orders like this.
        let nearness = |&(j, sum): &(u32, f32)| sum.abs() / self.diagonal[j as usize].sqrt();
        if params.n_candidates < candidates.len() {
            candidates.select_nth_unstable_by(params.n_candidates, |x, y| {
                nearness(y).total_cmp(&nearness(x)).then(x.0.cmp(&y.0))
            });
            candidates.truncate(params.n_candidates);
        }
        // Those of the head last, so that all that follows one of the head is in the head.
        candidates.sort_unstable_by_key(|candidate| {
            (Reverse(self.places[candidate.0 as usize]), candidate.0)
        });
        let items: Vec<u32> = candidates.iter().map(|candidate| candidate.0).collect();
        let mut weights: Vec<f32> = candidates.iter().map(|candidate| candidate.1).collect();
        self.fill_system(&items, params, room);
        room.solver.solve(&mut room.system, &mut weights)?;
        // Regressed on the candidates, the target's own entry in the inverse of the whole system is one
        // over what the regression leaves unexplained (the Schur complement), so that −P_ji is b_j · P_ii.
        let explained: f64 = candidates
            .iter()
            .zip(&weights)
            .map(|(candidate, &weight)| f64::from(candidate.1) * f64::from(weight))
            .sum();
        let diagonal = self.diagonal[target];
        let left = f64::from(diagonal) + f64::from(params.ridge(diagonal)) - explained;
        let factor = left.powf(f64::from(params.target_exponent) - 1.0) as f32;
        let mut weights: Vec<(u32, f32)> =
            items.into_iter().zip(weights.into_iter().map(|weight| weight * factor)).collect();
        keep_heaviest(&mut weights, params.n_weights);
        Ok(weights)
    }

    /// The upper triangle of what `items` have in common, with their regularisation.
    fn fill_system(&self, items: &[u32], params: &EaseParams, room: &mut Room) {
        let n = items.len();
        let Room { sums, places, system, .. } = room;
        system.clear();
        system.resize(n * n, 0.0);
        for (place, &item) in (0..).zip(items) {
            places.set(item, place);
        }
        for (a, &item) in items.iter().enumerate() {
            let row = &mut system[a * n..(a + 1) * n];
            let place = self.places[item as usize];
            if place == NOWHERE {
                sums.add_placed(self.columns.row(item as usize), self.rows, places, row);
            } else {
                let common = &self.head[place as usize * self.n_head..];
                for (x, &other) in row.iter_mut().zip(items).skip(a) {
                    *x = common[self.places[other as usize] as usize];
                }
            }
            row[a] = self.diagonal[item as usize] + params.ridge(self.diagonal[item as usize]);
        }
        for &item in items {
            places.clear(item);
        }
    }
}
