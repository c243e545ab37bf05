//! Biased factors that also know which items a user rated (SVD++), by stochastic gradient descent.
//!
//! Source: Koren, "Factorization meets the neighborhood", KDD 2008, equation 15 and the steps after
//! it. It expects `μ + b_u + b_i + q_i·x_u` with `x_u = p_u + |N(u)|^-½ Σ_{j ∈ N(u)} y_j`, `N(u)` the items
//! that `u` rated.
//!
//! The paper's steps move every `y_j` of `N(u)` at every rating of `u`, which makes an epoch quadratic in
//! the ratings of a user. Here it is linear, and the steps are the same: an epoch visits users by rising
//! position, and while one is visited all `y_j` of `N(u)` shrink by the same factor `k = 1 - γλ` and
//! move by the same `γ·e·|N(u)|^-½·q_i`, so that `z = |N(u)|^-½ Σ y_j` follows `z ← k·z + γ·e·q_i`, the
//! very rule of `p_u`. So only the sum `x_u` is stepped, with `x ← k·x + 2γ·e·q_i`. After `n` ratings what
//! was added is `d = (x_n - kⁿ·x_0) / 2`, and `p_u ← kⁿ·p_u + d`, `y_j ← kⁿ·y_j + |N(u)|^-½·d` once.
//! This needs one rate and one penalty for all, as the paper's `γ₂` and `λ₇` are for `p`, `q` and `y`.
//!
//! Departure: the biases take the same rate and penalty as the factors. In what order steps are taken,
//! and in which units, `descent` says.

use super::descent::{Descent, Steps, descend};
use super::factors::{self, BiasedFactors, Side};
use super::lists::Lists;
use super::{RatingPredictor, Ratings};
use crate::learn::dataset::{ItemIdx, UserIdx};
use crate::learn::linalg::kernels::add_scaled;
use crate::learn::recommenders::{FitError, Stop};
use multiversion::multiversion;
use serde::{Deserialize, Serialize};

pub use super::descent::DescentParams;

/// The name in errors.
const MODEL: &str = "rating svd++";

/// Biases of users and items, the items' factors, and of every user `x_u`, what it is and what it
/// rated in one vector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SvdPp {
    factors: BiasedFactors,
}

/// Learns biases and factors, on one thread. Holds, beside the model, 8 bytes for each rating and
/// as many factors again for what users rated.
pub fn fit(ratings: &Ratings, params: &DescentParams, stop: Stop<'_>) -> Result<SvdPp, FitError> {
    let mut descent = Descent::start(ratings, params, MODEL)?;
    let rate = params.learning_rate;
    let kept = 1.0 - rate * params.regularization;
    let steps = Steps { rate, user_rate: 2.0 * rate, kept };
    let mut implicit = descent.draw(ratings.n_items());
    let Descent { lists, users, items, .. } = &mut descent;
    for _ in 0..params.n_epochs {
        if stop() {
            return Err(FitError::Stopped);
        }
        run_epoch(lists, users, items, &mut implicit, steps);
    }
    let width = factors::padded(params.n_factors);
    for (user, vector) in users.factors.chunks_exact_mut(width).enumerate() {
        add_implicit(lists.of(user), &implicit, vector);
    }
    Ok(SvdPp { factors: descent.finish(ratings, MODEL)? })
}

/// One step for every rating.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn run_epoch(
    lists: &Lists,
    users: &mut Side,
    items: &mut Side,
    implicit: &mut [f32],
    steps: Steps,
) {
    let width = users.factors.len() / users.biases.len();
    let (mut start, mut vector) = (vec![0.0; width], vec![0.0; width]);
    let own = users.factors.chunks_exact_mut(width);
    for (user, (bias, own)) in users.biases.iter_mut().zip(own).enumerate() {
        let of_user = lists.of(user);
        if of_user.is_empty() {
            continue;
        }
        start.copy_from_slice(own);
        add_implicit(of_user, implicit, &mut start);
        vector.copy_from_slice(&start);
        descend(of_user, bias, &mut vector, items, steps);
        let kept = (f64::from(steps.kept)).powf(of_user.len() as f64) as f32;
        for (moved, start) in vector.iter_mut().zip(&start) {
            *moved = (*moved - kept * start) / 2.0;
        }
        shift(own, kept, 1.0, &vector);
        let share = share(of_user);
        for &(item, _) in of_user {
            shift(&mut implicit[item as usize * width..][..width], kept, share, &vector);
        }
    }
}

/// Adds `|N(u)|^-½ Σ y_j` to a user's vector.
#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn add_implicit(of_user: &[(u32, f32)], implicit: &[f32], vector: &mut [f32]) {
    let (width, share) = (vector.len(), share(of_user));
    for &(item, _) in of_user {
        add_scaled(vector, share, &implicit[item as usize * width..][..width]);
    }
}

/// `|N(u)|^-½`.
fn share(of_user: &[(u32, f32)]) -> f32 {
    1.0 / (of_user.len() as f32).sqrt()
}

/// `row ← kept·row + share·moved`.
#[expect(clippy::inline_always, reason = "must be compiled for the caller's instruction set")]
#[inline(always)]
fn shift(row: &mut [f32], kept: f32, share: f32, moved: &[f32]) {
    for (x, moved) in row.iter_mut().zip(moved) {
        *x = kept * *x + share * moved;
    }
}

impl RatingPredictor for SvdPp {
    fn predict(&self, user: UserIdx, item: ItemIdx) -> f32 {
        self.factors.predict(user, item)
    }

    fn n_bytes(&self) -> usize {
        self.factors.n_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::super::factor_cases as cases;
    use super::*;
    use crate::learn::recommenders::NEVER_STOP;

    fn quick() -> DescentParams {
        DescentParams { n_factors: 8, n_epochs: 60, learning_rate: 0.02, ..DescentParams::SVDPP }
    }

    #[test]
    fn an_epoch_is_the_steps_of_the_paper_one_by_one() {
        let (given, _) = cases::planted();
        // Of some users only every seventh rating, so that lists differ in length.
        let rows: Vec<_> = (0..)
            .zip(given.all())
            .filter(|(at, r)| r.user.0 % 2 == 0 || at % 7 == 0)
            .map(|(_, r)| (r.user.0, r.item.0, r.value))
            .collect();
        let given = cases::ratings(61, 40, &rows).with_scale(1.0, 5.0);
        let expected = cases::descend_stepwise(&given, true, (5, 3, 0.01, 0.05, 3));
        let params = DescentParams {
            n_factors: 5,
            n_epochs: 3,
            learning_rate: 0.01,
            regularization: 0.05,
            initial_deviation: 0.1,
            seed: 3,
        };
        let model = fit(&given, &params, NEVER_STOP).unwrap();
        for (rating, expected) in given.all().iter().zip(expected) {
            let predicted = f64::from(model.predict(rating.user, rating.item));
            assert!((predicted - expected).abs() < 2e-5, "f32 keeps 7 digits");
        }
    }

    #[test]
    fn planted_factors_are_recovered() {
        let (given, held_out) = cases::planted();
        let error_after = |n_epochs| {
            let model = fit(&given, &DescentParams { n_epochs, ..quick() }, NEVER_STOP).unwrap();
            (cases::training_error(&model, &given), cases::error(&model, &held_out))
        };
        let [first, second, last] = [1, 10, 60].map(error_after);
        assert!(
            second.0 < 0.9 * first.0 && last.0 < 0.5 * second.0,
            "{first:?} {second:?} {last:?}"
        );
        assert!(
            last.1 < 0.3 * first.1,
            "one epoch is about the mean, {} against {}",
            last.1,
            first.1
        );
    }

    #[test]
    fn which_items_were_rated_tells_taste() {
        // Every user gives 3 to what both kinds know and rates filler of their kind, always 3; what
        // they think of items 0 and 1 is seen for half of them and depends on the kind alone.
        let mut rows = Vec::new();
        for user in 0..80_u32 {
            let kind = user % 2;
            rows.extend((0..10).map(|at| (user, 2 + 10 * kind + at, 3.0)));
            if user < 60 {
                rows.push((user, 0, if kind == 0 { 5.0 } else { 1.0 }));
                rows.push((user, 1, if kind == 0 { 1.0 } else { 5.0 }));
            }
        }
        let model = fit(&cases::ratings(80, 22, &rows), &quick(), NEVER_STOP).unwrap();
        for user in (60..80).step_by(2) {
            let predict = |user, item| model.predict(UserIdx(user), ItemIdx(item));
            assert!(predict(user, 0) > predict(user, 1) + 0.5, "likes the first");
            assert!(predict(user + 1, 1) > predict(user + 1, 0) + 0.5, "likes the second");
        }
    }

    #[test]
    fn any_data_gives_a_sane_model() {
        cases::assert_sane(|ratings| fit(ratings, &quick(), NEVER_STOP));
    }

    #[test]
    fn the_seed_decides_and_a_stop_is_heard() {
        let (given, _) = cases::planted();
        let fit_from = |seed| fit(&given, &DescentParams { seed, ..quick() }, NEVER_STOP).unwrap();
        assert_eq!(fit_from(1), fit_from(1));
        assert_ne!(fit_from(1), fit_from(2));
        assert_eq!(fit(&given, &quick(), &|| true), Err(FitError::Stopped));
    }
}
