//! Weights as confidences: what a model of implicit feedback makes of them.
//!
//! Source: Hu, Koren, Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM 2008,
//! section 4: that something was done says *that* it is liked, how often says how sure that is.
//! Departures: a confidence is a power of the weight, so that it is positive for any weight and keeps
//! its order; weights of 0 and below (returns, dislikes) are no sign of liking and are left out.

use super::{FitError, check};
use crate::learn::dataset::InteractionMatrix;
use std::borrow::Cow;

/// Most confidence in one interaction; keeps sums of squares within an `f32` whatever the weights are.
const CONFIDENCE_MAX: f32 = 1e4;

/// Least confidence in one interaction, so that it never vanishes in rounding.
const CONFIDENCE_MIN: f32 = 1e-4;

/// Refuses an exponent outside 0 to 2.
pub(crate) fn check_exponent(exponent: f32) -> Result<(), FitError> {
    check((0.0..=2.0).contains(&exponent), "confidence_exponent", "between 0 and 2", exponent)
}

/// `weight` to the power of `exponent`, 0.0001 to 10,000; `None` if it is no sign of liking.
pub(crate) fn confidence(weight: f32, exponent: f32) -> Option<f32> {
    let power = || weight.powf(exponent).clamp(CONFIDENCE_MIN, CONFIDENCE_MAX);
    (weight > 0.0).then(power)
}

/// The matrix with confidences for weights; borrowed if they are the same already.
pub(crate) fn confidences(matrix: &InteractionMatrix, exponent: f32) -> Cow<'_, InteractionMatrix> {
    let users = (0..matrix.n_users() as u32).map(crate::learn::dataset::UserIdx);
    let same = |&weight: &f32| confidence(weight, exponent) == Some(weight);
    if users.flat_map(|user| matrix.row(user).1).all(same) {
        return Cow::Borrowed(matrix);
    }
    Cow::Owned(matrix.map(|_, _, weight| confidence(weight, exponent).unwrap_or(0.0)))
}

/// The items of a history that the model knows and that were liked, with confidences.
pub(crate) fn liked(history: &[(u32, f32)], n_items: usize, exponent: f32) -> (Vec<u32>, Vec<f32>) {
    let known = history.iter().filter(|&&(item, _)| (item as usize) < n_items);
    known.filter_map(|&(item, weight)| Some((item, confidence(weight, exponent)?))).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::dataset::{ItemIdx, UserIdx};

    #[test]
    fn weights_of_nothing_and_below_are_left_out() {
        let cells = [(0, 0, 4.0), (0, 1, -1.0), (1, 0, 1e30)];
        let cells = cells.map(|(user, item, weight)| (UserIdx(user), ItemIdx(item), weight));
        let matrix = InteractionMatrix::from_cells(2, 2, cells);
        let halved = confidences(&matrix, 0.5);
        assert_eq!(halved.row(UserIdx(0)), (&[0][..], &[2.0][..]));
        assert_eq!(halved.row(UserIdx(1)), (&[0][..], &[CONFIDENCE_MAX][..]));
        assert!(matches!(confidences(&matrix, 1.0), Cow::Owned(_)));
        let binary = matrix.map(|_, _, _| 1.0);
        assert!(matches!(confidences(&binary, 0.7), Cow::Borrowed(_)));
        let (items, weights) = liked(&[(0, 9.0), (1, 0.0), (2, 1.0)], 2, 0.5);
        assert_eq!((items, weights), (vec![0], vec![3.0]));
    }
}
