//! Unit tests of `bpr`.

use super::*;
use crate::learn::dataset::UserIdx;
use crate::learn::recommenders::NEVER_STOP;
use crate::learn::recommenders::liking_cases as cases;
use crate::learn::recommenders::logistic::softplus;
use crate::learn::recommenders::negatives::Draws;

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
    for n_candidates in [1, 3] {
        let params = BprParams { n_candidates, ..params() };
        cases::assert_withheld_first(40, 20, |matrix| fit(matrix, &params, NEVER_STOP));
    }
}

#[test]
fn the_loss_falls_while_fitting() {
    let (matrix, params) = (cases::checkerboard(40, 20), params());
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
    let matrix = cases::checkerboard(60, 24);
    let mut training = Training::new(&matrix, &params);
    for epoch in 0..100 {
        training.run_epoch(epoch, NEVER_STOP).unwrap();
    }
    let trained = training.user_factors.clone();
    let model = training.finish().unwrap();
    for (user, trained) in trained.chunks(8).enumerate() {
        let history: Vec<_> = matrix.row_cells(UserIdx(user as u32)).collect();
        let folded = model.fold_in(&history).unwrap();
        let cosine = dot(&folded, trained) / (dot(&folded, &folded) * dot(trained, trained)).sqrt();
        assert!(cosine > 0.9, "{cosine}: gradient steps end near the optimum");
    }
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
fn the_seed_decides_and_not_the_threads() {
    let params = BprParams { n_epochs: 3, n_candidates: 2, ..params() };
    let matrix = cases::noise(40, 600);
    assert!(Training::new(&matrix, &params).user_bounds.len() > 4, "there are several blocks");
    cases::assert_seeded(|seed, stop| fit(&matrix, &BprParams { seed, ..params }, stop));
}

#[test]
fn odd_data_stays_finite() {
    let wild = BprParams { learning_rate: 10.0, regularization: 0.0, ..params() };
    for params in [params(), wild] {
        cases::assert_sane(|matrix| fit(matrix, &params, NEVER_STOP));
    }
    let lone = InteractionMatrix::from_cells(1, 1, [(UserIdx(0), ItemIdx(0), 1.0)]);
    let model = fit(&lone, &params(), NEVER_STOP).unwrap();
    assert_eq!(model.fold_in(&[(0, 1.0)]), Some(vec![0.0; 8]), "nothing to prefer it to");
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
