//! Unit tests of `logistic_mf`.

use super::*;
use crate::learn::recommenders::NEVER_STOP;
use crate::learn::recommenders::liking_cases as cases;
use crate::learn::recommenders::logistic::softplus;

fn params() -> LogisticMfParams {
    LogisticMfParams {
        n_factors: 6,
        n_epochs: 60,
        learning_rate: 0.2,
        regularization: 0.5,
        init_deviation: 0.1,
        ..LogisticMfParams::default()
    }
}

/// The log-posterior over all pairs, with the sign turned; `n_negatives` must cover all.
fn objective(training: &Training<'_>) -> f64 {
    let (users, items, params) = (&training.users, &training.items, training.params);
    let d = params.n_factors;
    let mut sum = 0.0;
    for (user, x) in users.factors.chunks(d).enumerate() {
        let (touched, weights) = training.matrix.row(UserIdx(user as u32));
        for (item, y) in items.factors.chunks(d).enumerate() {
            let s = dot(x, y) + users.biases[user] + items.biases[item];
            let yes = touched.binary_search(&(item as u32)).map_or(0.0, |at| weights[at]);
            let yes = f64::from(params.alpha * yes);
            sum += (1.0 + yes) * f64::from(softplus(s)) - yes * f64::from(s);
        }
    }
    for side in [users, items] {
        let numbers = side.factors.iter().chain(&side.biases);
        let squares: f64 = numbers.map(|&x| f64::from(x).powi(2)).sum();
        sum += 0.5 * f64::from(params.regularization) * squares;
    }
    sum
}

#[test]
fn what_was_withheld_from_a_checkerboard_comes_first() {
    cases::assert_withheld_first(60, 24, |matrix| fit(matrix, &params(), NEVER_STOP));
}

#[test]
fn the_objective_falls_and_folding_in_gives_about_the_factors_of_a_training_user() {
    let matrix = cases::checkerboard(60, 24);
    // Enough negatives that all are taken: nothing is drawn.
    let params = LogisticMfParams { n_negatives: 100, n_epochs: 200, ..params() };
    let mut training = Training::new(&matrix, &params);
    let mut objectives = vec![objective(&training)];
    for epoch in 0..200 {
        training.run_epoch(epoch, NEVER_STOP).unwrap();
        objectives.push(objective(&training));
    }
    assert!(objectives[20] < objectives[0] && objectives[200] < objectives[20]);
    let Side { factors, biases, .. } = &training.users;
    let (factors, biases) = (factors.clone(), biases.clone());
    let model = training.finish().unwrap();
    for (user, x) in factors.chunks(6).enumerate() {
        let history: Vec<_> = matrix.row_cells(UserIdx(user as u32)).collect();
        let (folded, bias) = model.fold_in(&history).unwrap();
        let cosine = dot(&folded, x) / (dot(&folded, &folded) * dot(x, x)).sqrt();
        // Gradient steps end near the optimum.
        assert!(cosine > 0.95, "{cosine}");
        assert!((bias - biases[user]).abs() < 0.3, "{bias} {}", biases[user]);
    }
}

#[test]
fn the_seed_decides_and_not_the_threads() {
    let (matrix, params) = (cases::noise(100, 90), LogisticMfParams { n_epochs: 3, ..params() });
    cases::assert_seeded(|seed, stop| fit(&matrix, &LogisticMfParams { seed, ..params }, stop));
}

#[test]
fn odd_data_stays_finite() {
    let wild = LogisticMfParams { learning_rate: 10.0, alpha: 1e6, ..params() };
    for params in [params(), wild] {
        cases::assert_sane(|matrix| fit(matrix, &params, NEVER_STOP));
    }
}

#[test]
fn parameters_out_of_range_are_named() {
    let good = LogisticMfParams::default();
    assert_eq!(good.check(), Ok(()));
    for (params, name) in [
        (LogisticMfParams { n_factors: 0, ..good }, "n_factors"),
        (LogisticMfParams { n_epochs: 0, ..good }, "n_epochs"),
        (LogisticMfParams { learning_rate: 11.0, ..good }, "learning_rate"),
        (LogisticMfParams { regularization: 0.0, ..good }, "regularization"),
        (LogisticMfParams { alpha: f32::NAN, ..good }, "alpha"),
        (LogisticMfParams { n_negatives: 0, ..good }, "n_negatives"),
        (LogisticMfParams { confidence_exponent: 3.0, ..good }, "confidence_exponent"),
        (LogisticMfParams { init_deviation: -1.0, ..good }, "init_deviation"),
    ] {
        let error = params.check().unwrap_err();
        assert!(matches!(error, FitError::Parameter { parameter, .. } if parameter == name));
    }
}
