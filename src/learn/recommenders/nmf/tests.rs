use super::*;
use crate::learn::recommenders::NEVER_STOP;
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};

const N_USERS: usize = 40;
const N_ITEMS: usize = 25;

/// About a third of the cells, with weights from 1 to 4.
fn matrix(seed: u64) -> InteractionMatrix {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut cells = Vec::new();
    for user in 0..N_USERS as u32 {
        for item in 0..N_ITEMS as u32 {
            if rng.random_range(0..3) == 0 {
                cells.push((UserIdx(user), ItemIdx(item), rng.random_range(1..5) as f32));
            }
        }
    }
    InteractionMatrix::from_cells(N_USERS, N_ITEMS, cells)
}

fn descending() -> NmfParams {
    NmfParams { n_factors: 10, n_sweeps: 2, regularization: 0.0, ..NmfParams::default() }
}

fn of_every_kind() -> [NmfParams; 3] {
    let multiplicative = NmfParams { solver: Solver::Multiplicative, ..descending() };
    let divergence = NmfParams { loss: Loss::KullbackLeibler, ..multiplicative };
    [descending(), multiplicative, divergence]
}

/// What the fit makes small, cell by cell in `f64`.
fn objective(training: &Training<'_>) -> f64 {
    let (params, width) = (training.params, training.width);
    let mut sum = 0.0;
    for (user, w) in training.user_factors.chunks(width).enumerate() {
        let mut dense = vec![0.0; training.matrix.n_items()];
        for (item, weight) in training.matrix.row_cells(UserIdx(user as u32)) {
            dense[item as usize] = f64::from(weight);
        }
        for (v, h) in dense.into_iter().zip(training.item_factors.chunks(width)) {
            let product = inner(w, h);
            sum += match params.loss {
                Loss::Frobenius => (v - product).powi(2),
                Loss::KullbackLeibler if v > 0.0 => v * (v / product).ln() - v + product,
                Loss::KullbackLeibler => product,
            };
        }
    }
    let share = if params.loss == Loss::Frobenius { 1.0 } else { 0.5 };
    sum + share * training.penalty()
}

#[test]
fn the_error_never_rises_and_no_factor_falls_below_0() {
    for seed in 0..3 {
        let matrix = matrix(seed);
        for kind in of_every_kind() {
            for (init, regularization, n_sweeps) in
                [(Init::Random, 0.0, 1), (Init::Random, 0.7, 3), (Init::Nndsvd, 0.0, 2)]
            {
                let params = NmfParams { n_sweeps, init, regularization, seed, ..kind };
                let mut training = Training::new(&matrix, &params, NEVER_STOP).unwrap();
                let (first, mut before) = (objective(&training), f64::INFINITY);
                for _ in 0..12 {
                    training.run_epoch(NEVER_STOP).unwrap();
                    let after = objective(&training);
                    // Rounding of `f32` products of sums near 1,000.
                    assert!(after <= before + 1e-3, "{params:?}: {before} to {after}");
                    before = after;
                    let factors = training.user_factors.iter().chain(&training.item_factors);
                    assert!(factors.copied().all(|x| x >= 0.0));
                }
                assert!(before < first, "{params:?}: it learns");
            }
        }
    }
}

#[test]
fn the_error_of_an_epoch_is_that_of_the_definition() {
    let matrix = matrix(1);
    for kind in of_every_kind() {
        let params = NmfParams { regularization: 0.3, ..kind };
        let mut training = Training::new(&matrix, &params, NEVER_STOP).unwrap();
        training.run_epoch(NEVER_STOP).unwrap();
        let expected = if params.loss == Loss::Frobenius {
            let error = training.run_epoch(NEVER_STOP).unwrap();
            (error, (objective(&training) / training.scale).sqrt())
        } else {
            // The divergence is that between the two sides.
            let (items, moments) = (training.item_factors.clone(), training.item_moments.clone());
            let error = training.run_epoch(NEVER_STOP).unwrap();
            (training.item_factors, training.item_moments) = (items, moments);
            (error, objective(&training) / training.scale)
        };
        assert!((expected.0 - expected.1).abs() < 1e-5, "{expected:?}: 1,000 sums in f32");
        let relative =
            relative_error(&matrix, &training.user_factors, &training.item_factors, training.width);
        if params.loss == Loss::Frobenius {
            let error = objective(&training) - training.penalty();
            assert!((relative - (error / training.scale).sqrt()).abs() < 1e-9, "both in f64");
        }
    }
}

#[test]
fn a_planted_product_is_found() {
    // Three tastes that share some items.
    let taste = |user: u32, factor: u32| ((user * 7 + factor * 3) % 5) as f32;
    let share = |item: u32, factor: u32| {
        if item % 4 == factor { 2.0 } else { ((item + factor) % 2) as f32 / 2.0 }
    };
    let cells = (0..N_USERS as u32).flat_map(|user| {
        (0..N_ITEMS as u32).map(move |item| {
            let sum = (0..3).map(|factor| taste(user, factor) * share(item, factor)).sum();
            (UserIdx(user), ItemIdx(item), sum)
        })
    });
    let matrix = InteractionMatrix::from_cells(N_USERS, N_ITEMS, cells);
    for (kind, error_max) in of_every_kind().into_iter().zip([0.01, 0.03, 0.03]) {
        let params = NmfParams { n_factors: 3, n_epochs: 500, tolerance: 0.0, ..kind };
        let error = fit(&matrix, &params, NEVER_STOP).unwrap().relative_error();
        let narrow = NmfParams { n_factors: 2, ..params };
        let of_narrow = fit(&matrix, &narrow, NEVER_STOP).unwrap().relative_error();
        assert!(error < error_max && error < of_narrow / 3.0, "{error}, {of_narrow}: {params:?}");
    }
}

#[test]
fn weights_on_another_scale_are_held_back_as_much() {
    let near = matrix(6);
    let far = near.map(|_, _, weight| 4.0 * weight);
    for kind in of_every_kind() {
        let params = NmfParams { regularization: 0.1, tolerance: 0.0, n_epochs: 20, ..kind };
        let [near, far] = [&near, &far].map(|matrix| fit(matrix, &params, NEVER_STOP).unwrap());
        if params.loss == Loss::Frobenius {
            let free = NmfParams { regularization: 0.0, ..params };
            let free = fit(&matrix(6), &free, NEVER_STOP).unwrap();
            assert!(free.relative_error() < near.relative_error(), "they are held back");
        }
        let difference = near.relative_error() - far.relative_error();
        assert!(difference.abs() < 1e-4, "{difference}: rounding of f32 in 20 epochs, {params:?}");
    }
}

#[test]
fn folding_in_gives_a_training_user_their_scores() {
    let matrix = matrix(2);
    // A multiplicative step cannot bring a factor back from 0, where an earlier epoch may have left it.
    let exact = |kind: &NmfParams| kind.solver == Solver::CoordinateDescent;
    for kind in of_every_kind().into_iter().filter(exact) {
        let params = NmfParams { regularization: 0.03, n_sweeps: 10, tolerance: 0.0, ..kind };
        let mut training = Training::new(&matrix, &params, NEVER_STOP).unwrap();
        for _ in 0..20 {
            training.run_epoch(NEVER_STOP).unwrap();
        }
        for _ in 0..20 {
            training.improve_users(NEVER_STOP).unwrap();
        }
        let users = training.user_factors.clone();
        let model = training.finish(20).unwrap();
        for (user, x) in users.chunks(width_of(10)).enumerate() {
            let history: Vec<_> = matrix.row_cells(UserIdx(user as u32)).collect();
            let mut scores = vec![0.0; N_ITEMS];
            assert!(model.score_items(Query { user: None, history: &history }, &mut scores));
            for (item, score) in (0..).map(ItemIdx).zip(scores) {
                let h = model.item_factors(item).unwrap();
                let of_training = inner(&x[..10], h) as f32;
                let is_close = (of_training - score).abs() < 0.01 * score.abs().max(1.0);
                assert!(is_close, "{of_training}, {score}: {params:?}");
            }
        }
    }
}

#[test]
fn contributions_add_up_to_the_score_and_dislikes_count_nothing() {
    for kind in of_every_kind() {
        let params = NmfParams { confidence_exponent: 0.5, regularization: 0.05, ..kind };
        let model = fit(&matrix(3), &params, NEVER_STOP).unwrap();
        let history = [(0, 4.0), (3, -2.0), (7, 1.0), (9, 2.0), (99, 1.0)];
        let query = Query { user: None, history: &history };
        let mut scores = vec![0.0; N_ITEMS];
        assert!(model.score_items(query, &mut scores));
        for (item, score) in (0..).map(ItemIdx).zip(&scores) {
            let parts = model.contributions(query, item);
            assert!((parts[1], parts[4]) == (0.0, 0.0));
            let sum: f32 = parts.iter().sum();
            assert!((sum - score).abs() < 1e-4, "{sum}, {score}: a few numbers near 1 in f32");
        }
        assert!(!model.score_items(Query { user: None, history: &[(0, -1.0)] }, &mut scores));
    }
}

#[test]
fn threads_do_not_change_the_model() {
    let matrix = matrix(4);
    for params in of_every_kind() {
        let at = |n_threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            pool.install(|| fit(&matrix, &params, NEVER_STOP).unwrap())
        };
        assert_eq!(at(1), at(3));
        let other = NmfParams { seed: 8, ..params };
        assert_ne!(at(1).item_factors, fit(&matrix, &other, NEVER_STOP).unwrap().item_factors);
    }
}

#[test]
fn a_fit_ends_when_it_no_longer_gains_or_is_stopped() {
    let matrix = matrix(5);
    let early = NmfParams { tolerance: 0.01, ..descending() };
    let model = fit(&matrix, &early, NEVER_STOP).unwrap();
    assert!((2..50).contains(&model.n_epochs()));
    let full = fit(&matrix, &NmfParams { tolerance: 0.0, ..early }, NEVER_STOP).unwrap();
    assert_eq!(full.n_epochs(), 100);
    assert!(full.relative_error() < model.relative_error());
    assert_eq!(fit(&matrix, &early, &|| true), Err(FitError::Stopped));
}

#[test]
fn odd_data_stays_finite() {
    for params in of_every_kind() {
        for init in [Init::Random, Init::Nndsvd] {
            let params = NmfParams { init, ..params };
            for cells in [vec![(0, 0, 1.0)], vec![(0, 0, 1e38), (1, 0, 1e-38), (1, 1, -1.0)]] {
                let cells = cells.into_iter().map(|(u, i, w)| (UserIdx(u), ItemIdx(i), w));
                let matrix = InteractionMatrix::from_cells(3, 4, cells);
                let model = fit(&matrix, &params, NEVER_STOP).unwrap();
                let mut scores = vec![0.0; 4];
                assert!(model.score_items(Query { user: None, history: &[(0, 1.0)] }, &mut scores));
                assert!(scores.iter().all(|score| score.is_finite() && *score >= 0.0));
                let untouched = Query { user: None, history: &[(3, 1.0)] };
                assert!(!model.score_items(untouched, &mut scores), "nobody touched it");
            }
        }
        let dislikes = InteractionMatrix::from_cells(1, 1, [(UserIdx(0), ItemIdx(0), -1.0)]);
        for matrix in [dislikes, InteractionMatrix::from_cells(0, 0, [])] {
            let error = fit(&matrix, &params, NEVER_STOP).unwrap_err();
            assert_eq!(error, FitError::NoData { model: "nmf" });
        }
    }
}

#[test]
fn parameters_out_of_range_are_refused_by_name() {
    let good = descending();
    let cases = [
        ("solver", NmfParams { loss: Loss::KullbackLeibler, ..good }),
        ("n_factors", NmfParams { n_factors: 0, ..good }),
        ("n_epochs", NmfParams { n_epochs: 0, ..good }),
        ("n_sweeps", NmfParams { n_sweeps: 0, ..good }),
        ("tolerance", NmfParams { tolerance: f32::NAN, ..good }),
        ("regularization", NmfParams { regularization: -1.0, ..good }),
        ("confidence_exponent", NmfParams { confidence_exponent: 3.0, ..good }),
    ];
    for (name, params) in cases {
        let error = fit(&matrix(0), &params, NEVER_STOP).unwrap_err();
        assert!(matches!(error, FitError::Parameter { parameter, .. } if parameter == name));
    }
    assert_eq!(good.check(), Ok(()));
}
