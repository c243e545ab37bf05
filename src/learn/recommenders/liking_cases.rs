//! What the unit tests of models that draw what was not liked share.

use super::top_n::top_n;
use super::{FitError, NEVER_STOP, Query, Recommender, Stop};
use crate::learn::dataset::{InteractionMatrix, ItemIdx, UserIdx};
use std::fmt::Debug;

/// Users like the items of their own colour, all but one.
pub(super) fn checkerboard(n_users: u32, n_items: u32) -> InteractionMatrix {
    let cells = (0..n_users).flat_map(|user| {
        let items = (user % 2..n_items).step_by(2);
        items.filter(move |&item| item != withheld(user, n_items)).map(move |item| (user, item))
    });
    let cells = cells.map(|(user, item)| (UserIdx(user), ItemIdx(item), 1.0));
    InteractionMatrix::from_cells(n_users as usize, n_items as usize, cells)
}

/// The item that a user of the checkerboard misses: `user`, or the next of their colour.
fn withheld(user: u32, n_items: u32) -> u32 {
    (user / 2 * 2) % n_items + user % 2
}

/// One cell in twenty, without a pattern, with weights from 1 to 4.
pub(super) fn noise(n_users: u32, n_items: u32) -> InteractionMatrix {
    let hash = |at: u32| (at ^ 0x9e37).wrapping_mul(2_654_435_761) >> 20;
    let cells = (0..n_users * n_items).filter(|&at| hash(at).is_multiple_of(20));
    let cells = cells
        .map(|at| (UserIdx(at / n_items), ItemIdx(at % n_items), (1 + hash(at + 1) % 4) as f32));
    InteractionMatrix::from_cells(n_users as usize, n_items as usize, cells)
}

/// Asserts that what a user of the checkerboard misses is the first of what is new to them.
pub(super) fn assert_withheld_first<M: Recommender>(
    n_users: u32,
    n_items: u32,
    fit: impl Fn(&InteractionMatrix) -> Result<M, FitError>,
) {
    let matrix = checkerboard(n_users, n_items);
    let model = fit(&matrix).unwrap();
    for user in 0..n_users {
        let history: Vec<_> = matrix.row_cells(UserIdx(user)).collect();
        let mut scores = vec![0.0; n_items as usize];
        assert!(model.score_items(Query { user: None, history: &history }, &mut scores));
        let new = |item: ItemIdx| history.iter().all(|cell| cell.0 != item.0);
        assert_eq!(top_n(&scores, 1, new)[0].0.0, withheld(user, n_items));
    }
}

/// Asserts that a fit is the same at any number of threads, another with another seed, and heeds a stop.
pub(super) fn assert_seeded<M: Recommender + PartialEq + Debug>(
    fit: impl Fn(u64, Stop<'_>) -> Result<M, FitError> + Sync,
) {
    let fit_with = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| fit(7, NEVER_STOP).unwrap())
    };
    let model = fit_with(1);
    assert_eq!(model, fit_with(3));
    let scores_of = |model: &M| {
        let mut scores = vec![0.0; model.n_items()];
        assert!(model.score_items(Query { user: None, history: &[(0, 1.0)] }, &mut scores));
        scores
    };
    assert_ne!(scores_of(&model), scores_of(&fit(8, NEVER_STOP).unwrap()));
    assert_eq!(fit(7, &|| true), Err(FitError::Stopped));
}

/// Asserts that a model of odd data has finite scores for odd histories, and that there is none of nothing.
pub(super) fn assert_sane<M: Recommender + PartialEq + Debug>(
    fit: impl Fn(&InteractionMatrix) -> Result<M, FitError>,
) {
    let of = |n_users, n_items, cells: &[(u32, u32, f32)]| {
        let cells = cells.iter().map(|&(user, item, x)| (UserIdx(user), ItemIdx(item), x));
        fit(&InteractionMatrix::from_cells(n_users, n_items, cells))
    };
    for cells in [
        &[(0, 0, 1.0)][..],
        &[(0, 0, 1e38), (1, 0, 1e-38), (1, 1, -1.0)],
        // Somebody touched all there is.
        &[(0, 0, 1.0), (0, 1, 1.0), (0, 2, 1.0), (0, 3, 1.0)],
    ] {
        let model = of(3, 4, cells).unwrap();
        let mut scores = vec![0.0; 4];
        let everything = [(0, 1.0), (1, 1e30), (2, 1.0), (3, 1.0), (99, 1.0)];
        for history in [&everything[..1], &everything] {
            assert!(model.score_items(Query { user: None, history }, &mut scores));
            assert!(scores.iter().all(|score| score.is_finite()));
        }
        let dislike = Query { user: None, history: &[(0, -1.0), (99, 1.0)] };
        assert!(!model.score_items(dislike, &mut scores));
    }
    for nothing in [of(1, 1, &[(0, 0, -1.0)]), of(0, 0, &[])] {
        assert!(matches!(nothing, Err(FitError::NoData { .. })), "{nothing:?}");
    }
}
