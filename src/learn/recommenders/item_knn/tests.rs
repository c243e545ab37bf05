//! Unit tests of `item_knn`.

use super::*;
use crate::learn::{dataset::UserIdx, recommenders::NEVER_STOP};

/// `f32` keeps 7 digits.
const TOLERANCE: f32 = 1e-6;

fn ratings() -> InteractionMatrix {
    let rows = [[4.0, 3.0, 0.0], [3.0, 0.0, 4.0], [5.0, 4.0, 3.0]];
    InteractionMatrix::from_cells(
        3,
        3,
        (0..9_u32).map(|at| {
            let (user, item) = (at / 3, at % 3);
            (UserIdx(user), ItemIdx(item), rows[user as usize][item as usize])
        }),
    )
}

fn similarity_of(similarity: Similarity, shrinkage: f32) -> f32 {
    let params = ItemKnnParams {
        similarity,
        weighting: Weighting::None,
        shrinkage,
        min_similarity: -1.0,
        ..ItemKnnParams::default()
    };
    fit(&ratings(), &params, NEVER_STOP).unwrap().similarity(0, ItemIdx(1))
}

#[test]
fn similarities_agree_with_cases_by_hand() {
    let cosine = 32.0 / (50.0_f32.sqrt() * 5.0);
    assert!((similarity_of(Similarity::Cosine, 0.0) - cosine).abs() < TOLERANCE);
    let shrunk = 32.0 / (50.0_f32.sqrt() * 5.0 + 2.0);
    assert!((similarity_of(Similarity::Cosine, 2.0) - shrunk).abs() < TOLERANCE);
    // The two users who rated both, (4, 3) and (5, 4), rise together.
    assert!((similarity_of(Similarity::Pearson, 0.0) - 1.0).abs() < TOLERANCE);
    assert!((similarity_of(Similarity::Pearson, 2.0) - 0.5).abs() < TOLERANCE);
    // Less the users' means 3.5 and 4: (0.5, −0.5) and (1, 0).
    let adjusted = -0.25 / (1.25_f32.sqrt() * 0.5);
    assert!((similarity_of(Similarity::AdjustedCosine, 0.0) - adjusted).abs() < TOLERANCE);
}

#[test]
fn exponents_hold_the_sizes_of_items_against_them() {
    // x·y = 32, ‖x‖² = 50 of item 0, ‖y‖² = 25 of item 1.
    let asymmetric = |own, other| similarity_of(Similarity::AsymmetricCosine { own, other }, 0.0);
    assert!((asymmetric(0.0, 0.0) - 32.0).abs() < 32.0 * TOLERANCE, "the product alone");
    assert!((asymmetric(1.0, 0.0) - 0.64).abs() < TOLERANCE);
    assert!((asymmetric(0.0, 1.0) - 1.28).abs() < TOLERANCE);
    let cosine = similarity_of(Similarity::Cosine, 0.0);
    assert!((asymmetric(0.5, 0.5) - cosine).abs() < TOLERANCE);
}

#[test]
fn active_users_count_less_by_inverse_frequency() {
    let params = ItemKnnParams {
        similarity: Similarity::AsymmetricCosine { own: 0.0, other: 0.0 },
        weighting: Weighting::InverseFrequency { exponent: 0.5 },
        shrinkage: 0.0,
        ..ItemKnnParams::default()
    };
    let model = fit(&ratings(), &params, NEVER_STOP).unwrap();
    // Users with 2 and with 3 items have both: 4·3 / 2 + 5·4 / 3.
    let expected = 6.0 + 20.0 / 3.0;
    assert!((model.similarity(0, ItemIdx(1)) - expected).abs() < expected * TOLERANCE);
}

#[test]
fn normalized_lists_come_to_1_and_keep_their_order() {
    let plain = ItemKnnParams { min_similarity: -1.0, ..ItemKnnParams::default() };
    let plain = ItemKnnParams { weighting: Weighting::None, ..plain };
    let model = fit(&ratings(), &plain, NEVER_STOP).unwrap();
    let params = ItemKnnParams { normalize: true, ..plain };
    let normalized = fit(&ratings(), &params, NEVER_STOP).unwrap();
    for item in (0..3).map(ItemIdx) {
        let (before, after) = (model.similar_items(item, 9), normalized.similar_items(item, 9));
        assert!((after.iter().map(|x| x.1).sum::<f32>() - 1.0).abs() < TOLERANCE);
        assert!(before.iter().map(|x| x.0).eq(after.iter().map(|x| x.0)));
    }
}

#[test]
fn what_the_history_adds_makes_the_score() {
    let model = fit(
        &ratings(),
        &ItemKnnParams { weighting: Weighting::None, ..ItemKnnParams::default() },
        NEVER_STOP,
    )
    .unwrap();
    let query = Query { user: None, history: &[(0, 2.0), (2, -1.0), (77, 1.0)] };
    let mut scores = [0.0; 3];
    assert!(model.score_items(query, &mut scores));
    let parts = model.contributions(query, ItemIdx(1));
    assert_eq!(parts.len(), 3);
    assert!((parts.iter().sum::<f32>() - scores[1]).abs() < TOLERANCE);
    assert!(parts[0] > 0.0 && parts[1] < 0.0 && parts[2] == 0.0);
    assert_eq!(model.similar_items(ItemIdx(0), 1)[0].0, ItemIdx(1));
}

#[test]
fn neighbours_do_not_depend_on_how_products_are_found() {
    let cells = (0..40_u32).flat_map(|user| {
        let items = (0..30).filter(move |item| (user * 7 + item * item) % 5 < 2);
        let weight = move |item| 1.0 + ((user + 3 * item) % 4) as f32;
        items.map(move |item| (UserIdx(user), ItemIdx(item), weight(item)))
    });
    let fitted = |n_items| {
        let matrix = InteractionMatrix::from_cells(40, n_items, cells.clone());
        let weighting = Weighting::None;
        let params = ItemKnnParams { n_neighbors: 5, weighting, ..ItemKnnParams::default() };
        fit(&matrix, &params, NEVER_STOP).unwrap()
    };
    // Among so many items nobody touched, a square is not worth its room.
    let (square, sparse) = (fitted(30), fitted(3_000));
    for item in (0..30).map(ItemIdx) {
        let found = square.similar_items(item, 5);
        assert_eq!(found.len(), 5);
        assert_eq!(found, sparse.similar_items(item, 5));
    }
}
