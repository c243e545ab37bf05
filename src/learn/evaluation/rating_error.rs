//! How far predicted ratings are from given ones.
//!
//! Sources: Herlocker, Konstan, Terveen, Riedl, "Evaluating collaborative filtering recommender systems",
//! TOIS 2004, section 4.1.1; the mean over users instead of over ratings: Massa and Avesani, "Trust-aware
//! recommender systems", `RecSys` 2007.

use super::compare::Estimate;
use crate::learn::dataset::UserIdx;

/// Errors over a test set, on the scale of the ratings.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RatingErrors {
    /// `√(Σ (r − r̂)² / n)`.
    pub rmse: f64,
    /// Of `rmse`: the standard error of the mean square over ratings, carried through the root (delta
    /// method); takes ratings as independent.
    pub rmse_standard_error: f64,
    /// `Σ |r − r̂| / n`.
    pub mae: f64,
    /// Of `mae`.
    pub mae_standard_error: f64,
    /// Each user's own RMSE, averaged: a user with few ratings counts as much as one with many.
    pub user_rmse: f64,
    /// Of `user_rmse`, over users.
    pub user_rmse_standard_error: f64,
    /// Number of ratings.
    pub n_ratings: usize,
    /// Number of users with a rating.
    pub n_users: usize,
}

/// Measures `(user, given, predicted)`, summed in the order given; users lie below `n_users`. Without
/// ratings all is 0.
pub fn rating_errors(
    n_users: usize,
    pairs: impl IntoIterator<Item = (UserIdx, f32, f32)>,
) -> RatingErrors {
    let mut of_users = vec![(0.0_f64, 0_u32); n_users];
    let (mut squares, mut absolutes) = (Vec::new(), Vec::new());
    for (user, given, predicted) in pairs {
        let error = f64::from(given) - f64::from(predicted);
        squares.push(error * error);
        absolutes.push(error.abs());
        let (sum, n) = &mut of_users[user.0 as usize];
        *sum += error * error;
        *n += 1;
    }
    let rated = of_users.iter().filter(|user| user.1 > 0);
    let user_rmses: Vec<f64> = rated.map(|(sum, n)| (sum / f64::from(*n)).sqrt()).collect();
    let (square, absolute) = (Estimate::of(&squares), Estimate::of(&absolutes));
    let by_user = Estimate::of(&user_rmses);
    let rmse = square.mean.sqrt();
    RatingErrors {
        rmse,
        rmse_standard_error: if rmse > 0.0 { square.standard_error / (2.0 * rmse) } else { 0.0 },
        mae: absolute.mean,
        mae_standard_error: absolute.standard_error,
        user_rmse: by_user.mean,
        user_rmse_standard_error: by_user.standard_error,
        n_ratings: squares.len(),
        n_users: user_rmses.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_by_hand() {
        let pairs = [(0, 4.0, 3.0), (0, 2.0, 2.0), (2, 1.0, 4.0)];
        let pairs = pairs.map(|(user, given, predicted)| (UserIdx(user), given, predicted));
        let errors = rating_errors(4, pairs);
        let close = |value: f64, expected: f64| {
            // Sums of three terms.
            assert!((value - expected).abs() < 1e-12, "{value} is not {expected}");
        };
        close(errors.rmse, (10.0_f64 / 3.0).sqrt());
        close(errors.mae, 4.0 / 3.0);
        close(errors.user_rmse, f64::midpoint(0.5_f64.sqrt(), 3.0));
        // Squares 1, 0, 9: variance 73/3, of the mean 73/9, over 2·rmse.
        close(errors.rmse_standard_error, (73.0_f64 / 9.0).sqrt() / (2.0 * errors.rmse));
        assert_eq!((errors.n_ratings, errors.n_users), (3, 2));
        assert_eq!(rating_errors(3, []), RatingErrors::default());
    }
}
