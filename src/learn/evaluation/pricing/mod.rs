//! What the model of price response is worth, on public sales with known answers and on sales that were made up.
//!
//! | question | file |
//! | --- | --- |
//! | is an elasticity right where one unit is sold a week | [`mod@slow_sellers`] |
//! | does it agree with published regressions; does pooling help a short history | [`orange_juice`] |
//! | do sellers of one good truly differ | [`mod@cheese`] |
//! | does it foresee weeks that it has not seen | [`mod@held_out`] |
//! | who earns most in a shop whose demand is known | [`arena`] |
//!
//! Not here: reading the files; protocols take rows.

pub mod arena;
pub mod cheese;
pub mod held_out;
pub mod orange_juice;
pub mod slow_sellers;

pub use cheese::{CheeseReport, CheeseWeek, cheese};
pub use held_out::{Foresight, HeldOut, held_out};
pub use orange_juice::{
    BrandResponse, CartonSale, JuiceWeek, ShortHistories, Textbook, brand_regressions,
    pooled_brands, short_histories, textbook,
};
pub use slow_sellers::{SlowSellers, slow_sellers};

use crate::learn::linalg::{LeastSquares, least_squares};
use ndarray::Array2;

/// Regresses `y` on rows made of a function of each of `rows`.
fn regress<T, const N: usize>(
    rows: &[T],
    x: impl Fn(&T) -> [f64; N],
    y: impl Fn(&T) -> f64,
) -> Option<LeastSquares> {
    let flat: Vec<f64> = rows.iter().flat_map(&x).collect();
    let design = Array2::from_shape_vec((rows.len(), N), flat).expect("every row has N entries");
    let y: Vec<f64> = rows.iter().map(y).collect();
    least_squares(design.view(), &y)
}

/// Root of the mean square; 0 of nothing.
fn root_mean_square(errors: &[f64]) -> f64 {
    (errors.iter().map(|error| error * error).sum::<f64>() / errors.len().max(1) as f64).sqrt()
}

/// The middle value, of an even number the mean of the two; 0 of nothing.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let n = sorted.len();
    if n == 0 { 0.0 } else { f64::midpoint(sorted[(n - 1) / 2], sorted[n / 2]) }
}
