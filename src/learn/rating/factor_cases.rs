//! What the unit tests of the factor models share.

use super::data::Rating;
use super::factors;
use super::{RatingPredictor, Ratings};
use crate::learn::dataset::{ItemIdx, UserIdx};
use crate::learn::recommenders::FitError;

/// Ratings from rows of `(user, item, value)`.
pub(super) fn ratings(n_users: usize, n_items: usize, rows: &[(u32, u32, f32)]) -> Ratings {
    let rows = rows.iter().map(|&(user, item, value)| Rating {
        user: UserIdx(user),
        item: ItemIdx(item),
        value,
    });
    Ratings::new(n_users, n_items, rows)
}

/// Positive values of rank 2, between 1 and 5: what is given to the models, and what is held out.
pub(super) fn planted() -> (Ratings, Vec<(u32, u32, f32)>) {
    let part = |at: u32, step: f32| (at as f32 * step).sin();
    let all = (0..60_u32).flat_map(|user| (0..40_u32).map(move |item| (user, item)));
    let all = all.map(|(user, item)| {
        let (first, second) =
            (part(user, 1.3) * part(item, 2.1), part(user, 0.7) * part(item, 0.9));
        (user, item, 3.0 + first + second)
    });
    let (held_out, given): (Vec<_>, Vec<_>) = all.partition(|row| (row.0 * 7 + row.1 * 3) % 5 == 0);
    (ratings(60, 40, &given), held_out)
}

/// Root mean squared error on rows.
pub(super) fn error(model: &impl RatingPredictor, rows: &[(u32, u32, f32)]) -> f64 {
    let squared = rows.iter().map(|&(user, item, value)| {
        f64::from(model.predict(UserIdx(user), ItemIdx(item)) - value).powi(2)
    });
    (squared.sum::<f64>() / rows.len() as f64).sqrt()
}

/// Root mean squared error on what a model was fitted on.
pub(super) fn training_error(model: &impl RatingPredictor, ratings: &Ratings) -> f64 {
    let rows: Vec<_> = ratings.all().iter().map(|r| (r.user.0, r.item.0, r.value)).collect();
    error(model, &rows)
}

/// A name, numbers of users and items, and ratings.
type Case<'a> = (&'a str, usize, usize, &'a [(u32, u32, f32)]);

/// Asserts that a model of any data predicts within the scale, also for those it has not met, and
/// that a second fit of the same data is the same, bit for bit.
pub(super) fn assert_sane<M: RatingPredictor + PartialEq + std::fmt::Debug>(
    fit: impl Fn(&Ratings) -> Result<M, FitError>,
) {
    let far = f32::MAX;
    let cases: [Case<'_>; 9] = [
        ("one rating", 2, 2, &[(1, 0, 4.0)]),
        ("all equal", 3, 2, &[(0, 0, 3.0), (0, 1, 3.0), (1, 0, 3.0)]),
        ("all zero", 2, 2, &[(0, 0, 0.0), (0, 1, 0.0), (1, 0, 0.0)]),
        ("one user", 1, 4, &[(0, 0, 1.0), (0, 1, 5.0), (0, 2, 2.0)]),
        ("one item", 4, 1, &[(0, 0, 1.0), (1, 0, 5.0), (2, 0, 2.0)]),
        ("below zero", 2, 3, &[(0, 0, -9.0), (0, 1, 7.0), (1, 1, -3.0)]),
        ("only below zero", 2, 3, &[(0, 0, -9.0), (0, 1, -7.0), (1, 1, -3.0)]),
        ("huge", 2, 2, &[(0, 0, far), (0, 1, -far), (1, 0, -far), (1, 1, 1.0)]),
        ("tiny", 2, 2, &[(0, 0, 1e-44), (0, 1, -1e-44), (1, 0, 0.0)]),
    ];
    for (name, n_users, n_items, rows) in cases {
        let ratings = ratings(n_users, n_items, rows);
        let model = fit(&ratings).expect(name);
        assert_eq!(Ok(&model), fit(&ratings).as_ref(), "{name} again");
        let (low, high) = ratings.scale();
        for user in (0..5).chain([u32::MAX]).map(UserIdx) {
            for item in (0..5).chain([u32::MAX]).map(ItemIdx) {
                let rating = model.predict(user, item);
                assert!(rating.is_finite() && low <= rating && rating <= high, "{name}: {rating}");
            }
        }
    }
    assert!(matches!(fit(&ratings(2, 2, &[])), Err(FitError::NoData { .. })), "nothing");
}

/// Asserts that a check refuses by name.
pub(super) fn assert_refused(checked: Result<(), FitError>, name: &str) {
    let refused =
        matches!(&checked, Err(FitError::Parameter { parameter, .. }) if *parameter == name);
    assert!(refused, "{name} comes to {checked:?}");
}

/// How a stepwise descent is run: factors, epochs, rate, penalty, seed.
pub(super) type Plan = (usize, usize, f64, f64, u64);

/// Every rating's steps one by one as in the papers, in `f64`, from first factors that are drawn with
/// a deviation of 0.1; with `implicit`, every implicit factor moves at every rating. Returns what is
/// expected of each given rating, not cut to the scale.
#[expect(clippy::many_single_char_names, reason = "the letters of the papers")]
pub(super) fn descend_stepwise(ratings: &Ratings, implicit: bool, plan: Plan) -> Vec<f64> {
    let (n_factors, n_epochs, rate, penalty, seed) = plan;
    let mut rng = factors::random(seed);
    let mut draw = |n_rows| -> Vec<Vec<f64>> {
        let rows = factors::draw_normal(n_rows, n_factors, 0.1, &mut rng);
        rows.chunks_exact(factors::padded(n_factors))
            .map(|row| row[..n_factors].iter().map(|&x| f64::from(x)).collect())
            .collect()
    };
    let (mut p, mut q) = (draw(ratings.n_users()), draw(ratings.n_items()));
    let mut y = draw(ratings.n_items());
    let (mut b_u, mut b_i) = (vec![0.0; ratings.n_users()], vec![0.0; ratings.n_items()]);
    let vector = |u: usize, p: &[Vec<f64>], y: &[Vec<f64>]| -> Vec<f64> {
        let mut x = p[u].clone();
        let of_user = ratings.of_user(UserIdx(u as u32));
        let share = (of_user.len() as f64).powf(-0.5);
        for j in of_user.filter(|_| implicit) {
            x.iter_mut().zip(&y[j.item.0 as usize]).for_each(|(x, y)| *x += share * y);
        }
        x
    };
    let dot = |x: &[f64], q: &[f64]| x.iter().zip(q).map(|(x, q)| x * q).sum::<f64>();
    for _ in 0..n_epochs {
        for u in 0..ratings.n_users() {
            let of_user = ratings.of_user(UserIdx(u as u32));
            let share = (of_user.len() as f64).powf(-0.5);
            for r in of_user.clone() {
                let i = r.item.0 as usize;
                let x = vector(u, &p, &y);
                let e = f64::from(r.value) - ratings.mean() - b_u[u] - b_i[i] - dot(&x, &q[i]);
                b_u[u] += rate * (e - penalty * b_u[u]);
                b_i[i] += rate * (e - penalty * b_i[i]);
                for f in 0..n_factors {
                    let (p_uf, q_if) = (p[u][f], q[i][f]);
                    p[u][f] += rate * (e * q_if - penalty * p_uf);
                    q[i][f] += rate * (e * x[f] - penalty * q_if);
                    for j in of_user.clone().map(|r| r.item.0 as usize).filter(|_| implicit) {
                        y[j][f] += rate * (e * share * q_if - penalty * y[j][f]);
                    }
                }
            }
        }
    }
    let expected = ratings.all().iter().map(|r| {
        let (u, i) = (r.user.0 as usize, r.item.0 as usize);
        ratings.mean() + b_u[u] + b_i[i] + dot(&vector(u, &p, &y), &q[i])
    });
    expected.collect()
}
