//! Random walks of three steps: from a shopper to their items, to others who have these, to what those have.
//!
//! Sources: Cooper, Lee, Radinsky, Siantos, "Random walks in recommender systems: exact computation and
//! simulations", WWW 2014 (`P³α`: probabilities to the power `α`); Paudel, Christoffel, Newell,
//! Bernstein, "Updatable, accurate, diverse, and scalable recommendations for interactive applications",
//! `TiiS` 2017 (`RP³β`: divided by the popularity of the target to the power `β`).
//!
//! The last two steps do not depend on the shopper: `s(j, i) = Σ_u p(j → u)^α p(u → i)^α / d_i^β`, where
//! `p(j → u) = w_uj / d_j`, `p(u → i) = w_ui / n_u`, and `d`, `n` are sums of weights. They are computed
//! once, and of each item's row the `n_neighbors` greatest are kept. The score of `i` for a history is
//! `Σ_j w_j s(j, i)`: the first step's division by the shopper's sum is left out, for it changes no order.
//!
//! Only weights above 0 can be walked along: what was sent back or disliked is left out of the graph. Asked
//! with, it speaks against what lies near it.

use super::similarity::{keep_most_similar, scattered};
use super::{FitError, Query, Recommender, Stop, check};
use crate::learn::dataset::{InteractionMatrix, ItemIdx, UserIdx};
use crate::learn::linalg::{
    Csr,
    product::{Operand, RowSums},
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Items whose walks are taken by one task, between two looks at `stop`.
const BLOCK: usize = 64;

/// How walks are taken.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rp3betaParams {
    /// Power of each step's probability, 0 to 4; above 1 favours rare ways.
    pub alpha: f32,
    /// Power of the target's popularity that is divided by, 0 to 2; 0 is `P³α`.
    pub beta: f32,
    /// Most items kept that are reached from one, 1 to 10,000.
    pub n_neighbors: usize,
    /// Whether what is kept of an item's row is scaled to a sum of 1.
    pub normalize: bool,
    /// Most items of one user that are walked between, 2 to 100,000; of more (a reseller, a crawler), a part
    /// that differs from user to user.
    pub row_max: usize,
}

impl Default for Rp3betaParams {
    fn default() -> Self {
        Self { alpha: 0.85, beta: 0.65, n_neighbors: 100, normalize: false, row_max: 2_000 }
    }
}

impl Rp3betaParams {
    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), FitError> {
        let alpha = self.alpha;
        check((0.0..=4.0).contains(&alpha), "alpha", "between 0 and 4", alpha)?;
        let beta = self.beta;
        check((0.0..=2.0).contains(&beta), "beta", "between 0 and 2", beta)?;
        let n = self.n_neighbors;
        check((1..=10_000).contains(&n), "n_neighbors", "between 1 and 10000", n)?;
        let most = self.row_max;
        check((2..=100_000).contains(&most), "row_max", "between 2 and 100000", most)
    }
}

/// Where walks from every item lead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rp3beta {
    /// Row `j`: items reached from `j`, rising.
    reached: Csr,
}

/// Takes all walks, in parallel on the pool it is called in; as costly as item neighbours.
pub fn fit(
    matrix: &InteractionMatrix,
    params: &Rp3betaParams,
    stop: Stop<'_>,
) -> Result<Rp3beta, FitError> {
    params.check()?;
    let n_items = matrix.n_items();
    let users = (0..matrix.n_users() as u32).map(UserIdx);
    let weights =
        Csr::from_rows(users.map(|user| matrix.row_cells(user).filter(|cell| cell.1 > 0.0)));
    if weights.n_cells() == 0 {
        return Err(FitError::NoData { model: "rp3beta" });
    }
    let order = |user, item, _| scattered(item ^ scattered(user));
    let weights = weights.capped(params.row_max, order);
    let by_item = weights.transposed(n_items);
    let to_items = steps(&weights, params.alpha);
    let to_users = steps(&by_item, params.alpha);
    let popularity = |item: usize| sum(by_item.row(item).1).powf(-f64::from(params.beta)) as f32;
    let factors: Vec<f32> = (0..n_items).map(popularity).collect();
    let operand = Operand::new(&to_items);
    let room = || (RowSums::new(n_items), Vec::new());
    let blocks: Result<Vec<_>, FitError> = (0..n_items.div_ceil(BLOCK))
        .into_par_iter()
        .map_init(room, |(room, cells), block| {
            if stop() {
                return Err(FitError::Stopped);
            }
            let list_of = |item: usize| {
                room.collect(to_users.row(item), &operand, cells);
                cells.retain(|cell| cell.0 as usize != item);
                for (target, probability) in cells.iter_mut() {
                    *probability *= factors[*target as usize];
                }
                keep_most_similar(cells, params.n_neighbors);
                cells.sort_unstable_by_key(|cell| cell.0);
                let total: f64 = cells.iter().map(|cell| f64::from(cell.1)).sum();
                let factor = if params.normalize { (1.0 / total) as f32 } else { 1.0 };
                cells.iter().map(|&(target, p)| (target, p * factor)).collect()
            };
            Ok((block * BLOCK..n_items.min((block + 1) * BLOCK))
                .map(list_of)
                .collect::<Vec<Vec<_>>>())
        })
        .collect();
    let reached = Csr::from_rows(blocks?.into_iter().flatten());
    let finite = (0..n_items).flat_map(|item| reached.row(item).1).all(|x| x.is_finite());
    if finite { Ok(Rp3beta { reached }) } else { Err(FitError::NotFinite { model: "rp3beta" }) }
}

/// The sum of a row, in `f64`.
fn sum(values: &[f32]) -> f64 {
    values.iter().copied().map(f64::from).sum()
}

/// Every row as probabilities, to the power `alpha`.
fn steps(weights: &Csr, alpha: f32) -> Csr {
    Csr::from_rows((0..weights.n_rows()).map(|row| {
        let total = sum(weights.row(row).1);
        let step = move |weight: f32| (f64::from(weight) / total).powf(f64::from(alpha)) as f32;
        weights.cells(row).map(move |(column, weight)| (column, step(weight)))
    }))
}

impl Rp3beta {
    /// The items that walks from `item` lead to, likeliest first, ties by lower position; none for an item
    /// that the model does not know.
    pub fn reached_items(&self, item: ItemIdx, n: usize) -> Vec<(ItemIdx, f32)> {
        if item.0 as usize >= self.n_items() {
            return Vec::new();
        }
        let mut list: Vec<(u32, f32)> = self.reached.cells(item.0 as usize).collect();
        keep_most_similar(&mut list, n);
        list.sort_unstable_by(|x, y| y.1.total_cmp(&x.1).then(x.0.cmp(&y.0)));
        list.into_iter().map(|(item, p)| (ItemIdx(item), p)).collect()
    }

    /// `s(j, i)`, 0 if it was not kept.
    fn weight(&self, j: u32, i: ItemIdx) -> f32 {
        if j as usize >= self.n_items() {
            return 0.0;
        }
        self.reached.get(j as usize, i.0).unwrap_or(0.0)
    }

    /// The lists of a history, with the weights it gives them; those without an entry are left out.
    fn lists<'a>(
        &'a self,
        history: &'a [(u32, f32)],
    ) -> impl Iterator<Item = (&'a [u32], &'a [f32], f32)> {
        let known = history.iter().filter(|(j, _)| (*j as usize) < self.n_items());
        let lists = known.map(|&(j, weight)| (self.reached.row(j as usize), weight));
        lists.filter(|((items, _), _)| !items.is_empty()).map(|((i, s), weight)| (i, s, weight))
    }
}

impl Recommender for Rp3beta {
    fn n_items(&self) -> usize {
        self.reached.n_rows()
    }

    fn score_items(&self, query: Query<'_>, scores: &mut [f32]) -> bool {
        debug_assert_eq!(scores.len(), self.n_items());
        if self.lists(query.history).next().is_none() {
            return false;
        }
        scores.fill(0.0);
        for (items, probabilities, weight) in self.lists(query.history) {
            for (&item, probability) in items.iter().zip(probabilities) {
                scores[item as usize] += weight * probability;
            }
        }
        true
    }

    /// The mean of the history's ratings, weighted by how likely a walk leads from each to `item`.
    fn predict_rating(&self, query: Query<'_>, item: ItemIdx) -> Option<f32> {
        let (mut sum, mut weights) = (0.0, 0.0);
        for &(j, rating) in query.history {
            let weight = self.weight(j, item);
            sum += weight * rating;
            weights += weight;
        }
        (weights > 0.0).then(|| sum / weights)
    }

    fn contributions(&self, query: Query<'_>, item: ItemIdx) -> Vec<f32> {
        query.history.iter().map(|&(j, weight)| weight * self.weight(j, item)).collect()
    }

    fn n_bytes(&self) -> usize {
        self.reached.n_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::recommenders::NEVER_STOP;

    /// `f32` keeps 7 digits.
    const TOLERANCE: f32 = 1e-6;

    fn matrix(n_users: usize, n_items: usize, cells: &[(u32, u32, f32)]) -> InteractionMatrix {
        let cells = cells.iter().map(|&(u, i, value)| (UserIdx(u), ItemIdx(i), value));
        InteractionMatrix::from_cells(n_users, n_items, cells)
    }

    /// User 0 has items 0 and 1, user 1 has 0 (thrice as much) and 2, user 2 sent 1 back.
    fn example() -> InteractionMatrix {
        let cells = [(0, 0, 1.0), (0, 1, 1.0), (1, 0, 3.0), (1, 2, 1.0), (2, 1, -2.0), (2, 2, 4.0)];
        matrix(3, 4, &cells)
    }

    fn plain() -> Rp3betaParams {
        Rp3betaParams { alpha: 1.0, beta: 0.0, ..Rp3betaParams::default() }
    }

    #[test]
    fn probabilities_agree_with_a_case_by_hand() {
        let model = fit(&example(), &plain(), NEVER_STOP).unwrap();
        // 0 → user 0 (1/4) → 1 (1/2); 0 → user 1 (3/4) → 2 (1/4).
        assert!((model.weight(0, ItemIdx(1)) - 0.125).abs() < TOLERANCE);
        assert!((model.weight(0, ItemIdx(2)) - 0.1875).abs() < TOLERANCE);
        assert!((model.weight(1, ItemIdx(0)) - 0.5).abs() < TOLERANCE, "only user 0 has kept 1");
        assert!(model.weight(1, ItemIdx(2)).abs() < TOLERANCE, "nobody who kept 1 has 2");
        let squared =
            fit(&example(), &Rp3betaParams { alpha: 2.0, ..plain() }, NEVER_STOP).unwrap();
        assert!((squared.weight(0, ItemIdx(2)) - 0.1875_f32.powi(2)).abs() < TOLERANCE);
        let rare = fit(&example(), &Rp3betaParams { beta: 0.5, ..plain() }, NEVER_STOP).unwrap();
        assert!((rare.weight(0, ItemIdx(2)) - 0.1875 / 5.0_f32.sqrt()).abs() < TOLERANCE);
        let scaled =
            fit(&example(), &Rp3betaParams { normalize: true, ..plain() }, NEVER_STOP).unwrap();
        assert!((scaled.weight(0, ItemIdx(2)) - 0.6).abs() < TOLERANCE);
        let one =
            fit(&example(), &Rp3betaParams { n_neighbors: 1, ..plain() }, NEVER_STOP).unwrap();
        assert!(one.reached_items(ItemIdx(0), 9).iter().map(|x| x.0.0).eq([2]));
        assert!(one.reached_items(ItemIdx(4), 9).is_empty());
    }

    #[test]
    fn no_more_is_likely_than_everything() {
        let hash = |at: u32| (at ^ 0x9e37).wrapping_mul(2_654_435_761) >> 16;
        let cells: Vec<_> = (0..600)
            .filter(|&at| hash(at).is_multiple_of(3))
            .map(|at| (at / 20, at % 20, (hash(at + 7_919) % 5) as f32 + 0.5))
            .collect();
        let matrix = matrix(30, 20, &cells);
        let model = fit(&matrix, &plain(), NEVER_STOP).unwrap();
        for item in 0..20 {
            let (_, probabilities) = model.reached.row(item);
            let back = 1.0 - probabilities.iter().sum::<f32>();
            // The rest of a walk's probability is to come back to where it started.
            let column = matrix.column(ItemIdx(item as u32));
            let total: f32 = column.1.iter().sum();
            let via = |(user, weight): (&u32, &f32)| {
                weight / total * weight / matrix.row(UserIdx(*user)).1.iter().sum::<f32>()
            };
            let expected: f32 = column.0.iter().zip(column.1).map(via).sum();
            assert!((back - expected).abs() < 1e-5, "{back} is not {expected}");
        }
    }

    #[test]
    fn what_the_history_adds_makes_the_score() {
        let model = fit(&example(), &Rp3betaParams::default(), NEVER_STOP).unwrap();
        let query = Query { user: None, history: &[(0, 2.0), (2, -1.0), (77, 1.0)] };
        let mut scores = [f32::NAN; 4];
        assert!(model.score_items(query, &mut scores));
        for (item, score) in (0..).map(ItemIdx).zip(scores) {
            let parts = model.contributions(query, item);
            assert!(parts.len() == 3 && (parts.iter().sum::<f32>() - score).abs() < TOLERANCE);
        }
        assert_eq!(model.predict_rating(query, ItemIdx(1)), Some(2.0), "only 0 leads to 1");
        assert_eq!(model.predict_rating(query, ItemIdx(3)), None, "nobody has it");
        let nobody = Query { user: None, history: &[(3, 1.0), (4, 1.0)] };
        assert!(!model.score_items(nobody, &mut scores));
    }

    #[test]
    fn odd_data_and_odd_parameters() {
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| fit(&example(), &Rp3betaParams::default(), NEVER_STOP)).unwrap()
        };
        assert!(with(1) == with(3));
        let extremes = [(0, 0, f32::MAX), (0, 1, f32::MAX), (1, 0, f32::MIN_POSITIVE), (1, 1, 1.0)];
        let model = fit(&matrix(2, 2, &extremes), &Rp3betaParams::default(), NEVER_STOP).unwrap();
        assert!(model.weight(1, ItemIdx(0)).is_finite());
        let no_data = Err(FitError::NoData { model: "rp3beta" });
        assert_eq!(fit(&matrix(1, 1, &[(0, 0, -1.0)]), &plain(), NEVER_STOP), no_data);
        assert_eq!(fit(&example(), &plain(), &|| true), Err(FitError::Stopped));
        for (name, params) in [
            ("alpha", Rp3betaParams { alpha: f32::NAN, ..plain() }),
            ("beta", Rp3betaParams { beta: -0.1, ..plain() }),
            ("n_neighbors", Rp3betaParams { n_neighbors: 0, ..plain() }),
            ("row_max", Rp3betaParams { row_max: 1, ..plain() }),
        ] {
            match fit(&example(), &params, NEVER_STOP) {
                Err(FitError::Parameter { parameter, .. }) => assert_eq!(parameter, name),
                other => panic!("{name} was not refused: {:?}", other.err()),
            }
        }
    }
}
