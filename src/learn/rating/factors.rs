//! What the factor models of ratings share: the fitted form, and the lists they are fitted on.
//!
//! The prediction is `offset + unit · (b_u + b_i + p_u·q_i)`, cut to the scale.

use super::Ratings;
use super::lists::Lists;
use crate::learn::dataset::{ItemIdx, UserIdx};
use crate::learn::linalg::dot;
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

/// While a model is fitted its rows are filled up with zeros, which stay zeros, to a multiple of
/// this, so that inner loops have no remainder.
const LANES: usize = 16;

/// The greatest factor of a model that counts as finite: a product of two rows stays far below the
/// greatest `f32`, so that a prediction is never undefined.
const FACTOR_MAX: f32 = 1e15;

/// Biases and factors of users and items; complete and immutable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct BiasedFactors {
    /// Length of a row.
    pub n_factors: usize,
    /// The rating where biases and factors are 0.
    pub offset: f32,
    /// What biases and factors are measured in.
    pub unit: f32,
    /// Bounds of a prediction.
    pub scale: (f32, f32),
    /// `(n_users + 1)`; the last is that of a user beyond the fitted ones.
    pub user_biases: Vec<f32>,
    /// `(n_items + 1)`; the last is that of an item beyond the fitted ones.
    pub item_biases: Vec<f32>,
    /// `(n_users + 1, n_factors)`, as the biases.
    pub user_factors: Vec<f32>,
    /// `(n_items + 1, n_factors)`, as the biases.
    pub item_factors: Vec<f32>,
}

impl BiasedFactors {
    /// Expects a rating.
    pub(super) fn predict(&self, user: UserIdx, item: ItemIdx) -> f32 {
        let (user, item) = (user.0 as usize, item.0 as usize);
        let bias = |biases: &[f32], at: usize| biases[at.min(biases.len() - 1)];
        let biases = bias(&self.user_biases, user) + bias(&self.item_biases, item);
        let sides = dot(self.row(&self.user_factors, user), self.row(&self.item_factors, item));
        (self.offset + self.unit * (biases + sides)).clamp(self.scale.0, self.scale.1)
    }

    /// The row of a position, or the last.
    pub(super) fn row<'a>(&self, rows: &'a [f32], at: usize) -> &'a [f32] {
        let last = rows.len() / self.n_factors - 1;
        &rows[at.min(last) * self.n_factors..][..self.n_factors]
    }

    /// Bytes held on the heap.
    pub(super) fn n_bytes(&self) -> usize {
        let n_biases = self.user_biases.len() + self.item_biases.len();
        size_of::<f32>() * (n_biases + self.user_factors.len() + self.item_factors.len())
    }

    /// Whether every prediction is a number.
    fn is_finite(&self) -> bool {
        let [mut biases, mut factors] = [
            [&self.user_biases, &self.item_biases].into_iter().flatten(),
            [&self.user_factors, &self.item_factors].into_iter().flatten(),
        ];
        self.offset.is_finite()
            && self.unit.is_finite()
            && biases.all(|x| x.is_finite())
            && factors.all(|x| x.abs() <= FACTOR_MAX)
    }
}

/// Ratings by user: users rising, the ratings of each in the order given, less `offset` and in `unit`.
/// Fits visit them so.
pub(super) fn lists(ratings: &Ratings, offset: f64, unit: f64) -> Lists {
    ratings.by_user().map(|value| ((f64::from(value) - offset) / unit) as f32)
}

/// The unit in which a scale is as wide as the 1 to 5 stars that the default steps and penalties
/// are made for; 1 if the scale has no width.
pub(super) fn unit(ratings: &Ratings) -> f64 {
    let (low, high) = ratings.scale();
    let width = f64::from(high) - f64::from(low);
    if width > 0.0 { (width / 4.0).max(f64::from(f32::MIN_POSITIVE)) } else { 1.0 }
}

/// Length of a row of `n_factors` while a model is fitted.
pub(super) fn padded(n_factors: usize) -> usize {
    n_factors.next_multiple_of(LANES)
}

/// Random numbers for the first factors.
pub(super) fn random(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// `n_rows` padded rows of `n_factors` numbers, normal about 0.
pub(super) fn draw_normal(
    n_rows: usize,
    n_factors: usize,
    deviation: f32,
    rng: &mut ChaCha8Rng,
) -> Vec<f32> {
    draw_rows(n_rows, n_factors, || {
        let drawn: f32 = StandardNormal.sample(rng);
        deviation * drawn
    })
}

/// `n_rows` padded rows of `n_factors` numbers between 0 and 1.
pub(super) fn draw_uniform(n_rows: usize, n_factors: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    draw_rows(n_rows, n_factors, || rng.random())
}

fn draw_rows(n_rows: usize, n_factors: usize, mut draw: impl FnMut() -> f32) -> Vec<f32> {
    let mut rows = vec![0.0; n_rows * padded(n_factors)];
    for row in rows.chunks_exact_mut(padded(n_factors)) {
        row[..n_factors].fill_with(&mut draw);
    }
    rows
}

/// The fitted form: rows lose their padding, and those without ratings, and the one beyond the last,
/// become the `unmet` one of their side. `None` if a prediction could be no number.
pub(super) fn finished(
    ratings: &Ratings,
    (offset, unit): (f64, f64),
    [users, items]: [Side; 2],
    [unmet_user, unmet_item]: [&Side; 2],
) -> Option<BiasedFactors> {
    let n_by_user: Vec<usize> = n_by_user(ratings).collect();
    let n_by_item: Vec<usize> = n_by_item(ratings).collect();
    let fitted = BiasedFactors {
        n_factors: unmet_user.factors.len(),
        offset: offset as f32,
        unit: unit as f32,
        scale: ratings.scale(),
        user_biases: met_or(&users.biases, 1, &n_by_user, &unmet_user.biases),
        item_biases: met_or(&items.biases, 1, &n_by_item, &unmet_item.biases),
        user_factors: met_or(&users.factors, LANES, &n_by_user, &unmet_user.factors),
        item_factors: met_or(&items.factors, LANES, &n_by_item, &unmet_item.factors),
    };
    fitted.is_finite().then_some(fitted)
}

/// Rows padded to a multiple of `lanes`, without that, `unmet` for those without ratings, and last.
fn met_or(rows: &[f32], lanes: usize, n_ratings: &[usize], unmet: &[f32]) -> Vec<f32> {
    let rows = rows.chunks_exact(unmet.len().next_multiple_of(lanes)).zip(n_ratings);
    rows.map(|(row, &n)| if n > 0 { &row[..unmet.len()] } else { unmet })
        .chain(std::iter::once(unmet))
        .flatten()
        .copied()
        .collect()
}

/// Ratings of each user.
pub(super) fn n_by_user(ratings: &Ratings) -> impl Iterator<Item = usize> + '_ {
    (0..).take(ratings.n_users()).map(|user| ratings.of_user(UserIdx(user)).len())
}

/// Ratings of each item.
pub(super) fn n_by_item(ratings: &Ratings) -> impl Iterator<Item = usize> + '_ {
    (0..).take(ratings.n_items()).map(|item| ratings.of_item(ItemIdx(item)).len())
}

/// One side of a model being fitted.
#[derive(Debug)]
pub(super) struct Side {
    /// One for each row.
    pub biases: Vec<f32>,
    /// Padded rows.
    pub factors: Vec<f32>,
}

impl Side {
    /// Biases of 0 beside `factors`.
    pub(super) fn new(n_rows: usize, factors: Vec<f32>) -> Self {
        Self { biases: vec![0.0; n_rows], factors }
    }
}
