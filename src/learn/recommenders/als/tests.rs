//! Unit tests of `als`.

use super::*;
use crate::learn::recommenders::NEVER_STOP;

/// Half of the cells of 40 × 25, with weights from 1 to 4.
fn matrix() -> InteractionMatrix {
    let hash = |at: u32| (at ^ 0x9e37).wrapping_mul(2_654_435_761) >> 20;
    let cells = (0..1_000_u32).filter(|&at| hash(at) % 2 == 0);
    let cells =
        cells.map(|at| (UserIdx(at / 25), ItemIdx(at % 25), (1 + hash(at + 1_000) % 4) as f32));
    InteractionMatrix::from_cells(40, 25, cells)
}

fn params(block_size: usize) -> AlsParams {
    let solver = Solver::Blocks;
    AlsParams { n_factors: 10, solver, block_size, ..AlsParams::default() }
}

fn in_steps(n_steps: usize) -> AlsParams {
    AlsParams { solver: Solver::ConjugateGradients, n_steps, ..params(1) }
}

#[test]
fn the_objective_never_rises_in_any_half_epoch() {
    for params in [params(1), params(4), params(10), in_steps(1), in_steps(3)] {
        let matrix = matrix();
        let mut training = Training::new(&matrix, &params, None);
        let mut before = training.objective();
        for _ in 0..6 {
            training.solve_users(NEVER_STOP).unwrap();
            let between = training.objective();
            training.solve_items(NEVER_STOP).unwrap();
            let after = training.objective();
            // A thousand squares of size 1 in f32.
            assert!(between <= before + 1e-3 && after <= between + 1e-3, "{params:?}");
            before = after;
        }
    }
}

#[test]
fn every_solver_comes_to_the_same_optimum_of_a_user() {
    let matrix = matrix();
    let exact = params(10);
    let mut training = Training::new(&matrix, &exact, None);
    training.solve_users(NEVER_STOP).unwrap();
    let best = training.user_factors.clone();
    let others = [params(3), in_steps(2)];
    for other in &others {
        training.params = other;
        training.user_factors.fill(0.0);
        for _ in 0..200 {
            training.solve_users(NEVER_STOP).unwrap();
        }
        let far = best.iter().zip(&training.user_factors).map(|(a, b)| (a - b).abs());
        assert!(far.fold(0.0, f32::max) < 1e-3, "f32 keeps 7 digits of a well posed problem");
    }
}

#[test]
fn folding_in_gives_a_training_user_their_own_factors() {
    let (matrix, params) = (matrix(), params(10));
    let mut training = Training::new(&matrix, &params, None);
    for _ in 0..3 {
        training.solve_items(NEVER_STOP).unwrap();
        training.solve_users(NEVER_STOP).unwrap();
    }
    let user_factors = training.user_factors.clone();
    let model = training.finish().unwrap();
    for (user, factors) in user_factors.chunks(10).enumerate() {
        let history: Vec<_> = matrix.row_cells(UserIdx(user as u32)).collect();
        assert_eq!(model.fold_in(&history).unwrap(), factors, "the same sums in the same order");
    }
}

#[test]
fn contributions_add_up_to_the_score_and_dislikes_count_nothing() {
    let params = AlsParams { confidence_exponent: 0.5, ..params(10) };
    let model = fit(&matrix(), &params, NEVER_STOP).unwrap();
    let history = [(0, 4.0), (3, -2.0), (7, 1.0), (9, 2.0), (99, 1.0)];
    let query = Query { user: None, history: &history };
    let mut scores = vec![0.0; 25];
    assert!(model.score_items(query, &mut scores));
    for item in (0..25).map(ItemIdx) {
        let parts = model.contributions(query, item);
        assert!((parts[1], parts[4]) == (0.0, 0.0));
        let sum: f32 = parts.iter().sum();
        assert!((sum - scores[item.0 as usize]).abs() < 1e-5, "a few numbers below 1 in f32");
    }
    assert!(!model.score_items(Query { user: None, history: &[(0, -1.0)] }, &mut scores));
}

#[test]
fn a_warm_start_needs_fewer_epochs() {
    let matrix = matrix();
    let long = fit(&matrix, &AlsParams { n_epochs: 40, ..params(10) }, NEVER_STOP).unwrap();
    let start = ArrayView2::from_shape((25, 10), &long.item_factors).unwrap();
    let short = AlsParams { n_epochs: 1, ..params(10) };
    let warm = fit_from(&matrix, &short, Some(start), NEVER_STOP).unwrap();
    let cold = fit(&matrix, &short, NEVER_STOP).unwrap();
    assert!(warm.objective(&matrix) < cold.objective(&matrix));
    assert!(warm.objective(&matrix) < long.objective(&matrix) + 1e-2);
    let narrow = AlsParams { n_factors: 9, ..short };
    assert!(fit_from(&matrix, &narrow, Some(start), NEVER_STOP).is_err());
}

#[test]
fn odd_data_stays_finite() {
    for cells in [vec![(0, 0, 1.0)], vec![(0, 0, 1e38), (1, 0, 1e-38), (1, 1, -1.0)]] {
        let cells = cells.into_iter().map(|(u, i, w)| (UserIdx(u), ItemIdx(i), w));
        let matrix = InteractionMatrix::from_cells(3, 4, cells);
        for params in [params(10), in_steps(3)] {
            let model = fit(&matrix, &params, NEVER_STOP).unwrap();
            let mut scores = vec![0.0; 4];
            let query = Query { user: None, history: &[(0, 1.0)] };
            assert!(model.score_items(query, &mut scores));
            assert!(scores.iter().all(|score| score.is_finite()));
        }
    }
    let dislikes = InteractionMatrix::from_cells(1, 1, [(UserIdx(0), ItemIdx(0), -1.0)]);
    let error = fit(&dislikes, &params(10), NEVER_STOP).unwrap_err();
    assert_eq!(error, FitError::NoData { model: "als" });
}
