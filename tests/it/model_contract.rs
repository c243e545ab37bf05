//! What every recommender must keep, whatever its algorithm.

use shopkeeper::learn::dataset::{InteractionMatrix, ItemIdx, UserIdx};
use shopkeeper::learn::evaluation::{HeldOutCase, evaluate, evaluate_model, learn_blend};
use shopkeeper::learn::recommenders::similarity::{Similarity, Weighting};
use shopkeeper::learn::recommenders::user_knn::Aggregation;
use shopkeeper::learn::recommenders::{
    Blend, FitError, FittedModel, ModelKind, ModelParams, NEVER_STOP, Query, Recommender, fit,
    top_n::top_n,
};

const N: u32 = 20;

/// Users like the items of their own parity; the one with their own number is withheld.
fn checkerboard() -> InteractionMatrix {
    let cells = (0..N * N).map(|at| (at / N, at % N)).filter(|(u, i)| u != i && u % 2 == i % 2);
    let cells = cells.map(|(user, item)| (UserIdx(user), ItemIdx(item), 1.0));
    InteractionMatrix::from_cells(N as usize, N as usize, cells)
}

/// Ratings 1 to 5 without a pattern, two thirds of the cells; some dislikes.
fn mixed() -> InteractionMatrix {
    let hash = |at: u32| (at ^ 0x9e37).wrapping_mul(2_654_435_761) >> 16;
    let cells = (0..30 * N).filter(|&at| !hash(at).is_multiple_of(3)).map(|at| {
        let rating = (hash(at + 7_919) % 6) as f32 - if at % 11 == 0 { 2.0 } else { -0.5 };
        (UserIdx(at / N), ItemIdx(at % N), rating)
    });
    InteractionMatrix::from_cells(30, N as usize, cells)
}

fn small_params() -> ModelParams {
    let mut params = ModelParams::default();
    params.svd.n_factors = 2;
    params
}

fn fitted(kind: ModelKind, matrix: &InteractionMatrix, params: &ModelParams) -> FittedModel {
    fit(kind, matrix, params, NEVER_STOP).expect("the data and the parameters are fine")
}

fn scores_of(model: &FittedModel, query: Query<'_>) -> Option<Vec<f32>> {
    let mut scores = vec![f32::NAN; model.n_items()];
    model.score_items(query, &mut scores).then_some(scores)
}

#[test]
fn a_withheld_item_comes_first() {
    let matrix = checkerboard();
    for kind in [ModelKind::ItemKnn, ModelKind::UserKnn, ModelKind::Svd] {
        let model = fitted(kind, &matrix, &small_params());
        for user in (0..N).map(UserIdx) {
            let history: Vec<_> = matrix.row_cells(user).collect();
            let seen = |item: ItemIdx| history.iter().any(|&(seen, _)| seen == item.0);
            for user_row in [Some(user), None] {
                let query = Query { user: user_row, history: &history };
                let scores = scores_of(&model, query).unwrap();
                let best = top_n(&scores, 1, |item| !seen(item));
                assert_eq!(best[0].0, ItemIdx(user.0), "{}", kind.name());
                let all = top_n(&scores, 1_000, |item| !seen(item));
                assert_eq!(all.len(), N as usize - history.len());
            }
        }
    }
}

#[test]
fn scores_are_finite_and_repeat_at_any_thread_count() {
    let matrix = mixed();
    let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
    for kind in ModelKind::ALL {
        let model = pool(1).install(|| fitted(kind, &matrix, &small_params()));
        let again = pool(3).install(|| fitted(kind, &matrix, &small_params()));
        assert!(model == again, "same data, same seed, other {}", kind.name());
        assert!(model.n_bytes() > 0);
        for user in (0..30).map(UserIdx) {
            let history: Vec<_> = matrix.row_cells(user).collect();
            let query = Query { user: Some(user), history: &history };
            let scores = scores_of(&model, query).unwrap();
            assert!(scores.iter().all(|score| score.is_finite()), "{}", kind.name());
            for item in (0..N).map(ItemIdx) {
                assert!(model.predict_rating(query, item).is_none_or(f32::is_finite));
                let parts = model.contributions(query, item);
                let sum: f32 = parts.iter().sum();
                let score = scores[item.0 as usize];
                // Tens of terms of size 5, in another order.
                assert!(parts.is_empty() || (sum - score).abs() < 1e-4, "{}", kind.name());
            }
        }
    }
}

#[test]
fn without_a_known_history_scores_stay_untouched() {
    for kind in ModelKind::ALL {
        let model = fitted(kind, &mixed(), &small_params());
        for history in [&[][..], &[(N, 1.0), (4_000_000_000, 1.0)]] {
            let query = Query { user: None, history };
            let mut scores = vec![0.25; model.n_items()];
            let spoken = model.score_items(query, &mut scores);
            assert_eq!(spoken, kind == ModelKind::Popularity, "{}", kind.name());
            assert!(spoken || scores.iter().all(|&score| score.to_bits() == 0.25_f32.to_bits()));
            let rating = model.predict_rating(query, ItemIdx(0));
            assert_eq!(rating.is_some(), kind == ModelKind::Popularity);
            assert_eq!(model.predict_rating(query, ItemIdx(N)), None, "beyond the catalogue");
        }
    }
}

#[test]
fn a_saved_model_is_the_same() {
    for kind in ModelKind::ALL {
        let model = fitted(kind, &mixed(), &small_params());
        let bytes = postcard::to_stdvec(&model).unwrap();
        assert!(postcard::from_bytes::<FittedModel>(&bytes).unwrap() == model, "{}", kind.name());
    }
}

#[test]
fn nothing_to_learn_from_and_being_stopped_are_errors() {
    let empty = InteractionMatrix::from_cells(3, 3, []);
    for kind in ModelKind::ALL {
        let params = ModelParams::default();
        let error = fit(kind, &empty, &params, NEVER_STOP).unwrap_err();
        assert_eq!(error, FitError::NoData { model: kind.name() });
        let error = fit(kind, &mixed(), &params, &|| true).unwrap_err();
        assert_eq!(error, FitError::Stopped);
    }
}

/// A parameter's name and another value for it.
type Change = (&'static str, fn(&mut ModelParams));

/// A model, its parameter's name, and a value out of range.
type Refusal = (ModelKind, &'static str, fn(&mut ModelParams));

#[test]
fn every_parameter_matters() {
    let base = || {
        let mut params = small_params();
        params.item_knn.min_similarity = -1.0;
        params.user_knn.min_similarity = -1.0;
        params
    };
    let changes: [(ModelKind, &[Change]); 4] = [
        (ModelKind::Popularity, &[("shrinkage", |p| p.popularity.shrinkage = 1.0)]),
        (
            ModelKind::ItemKnn,
            &[
                ("similarity", |p| p.item_knn.similarity = Similarity::Pearson),
                ("similarity", |p| p.item_knn.similarity = Similarity::AdjustedCosine),
                ("weighting", |p| p.item_knn.weighting = Weighting::None),
                ("weighting", |p| p.item_knn.weighting = Weighting::Bm25 { k1: 1.2, b: 0.75 }),
                ("shrinkage", |p| p.item_knn.shrinkage = 50.0),
                ("n_neighbors", |p| p.item_knn.n_neighbors = 2),
                ("min_similarity", |p| p.item_knn.min_similarity = 0.5),
                ("row_max", |p| p.item_knn.row_max = 4),
                ("centred_ratings", |p| p.item_knn.centred_ratings = false),
            ],
        ),
        (
            ModelKind::UserKnn,
            &[
                ("similarity", |p| p.user_knn.similarity = Similarity::Pearson),
                ("similarity", |p| p.user_knn.similarity = Similarity::AdjustedCosine),
                ("weighting", |p| p.user_knn.weighting = Weighting::None),
                ("weighting", |p| p.user_knn.weighting = Weighting::Bm25 { k1: 1.2, b: 0.75 }),
                ("shrinkage", |p| p.user_knn.shrinkage = 50.0),
                ("n_neighbors", |p| p.user_knn.n_neighbors = 2),
                ("min_similarity", |p| p.user_knn.min_similarity = 0.6),
                ("aggregation", |p| p.user_knn.aggregation = Aggregation::Mean),
                ("aggregation", |p| p.user_knn.aggregation = Aggregation::WeightedMean),
                ("posting_max", |p| p.user_knn.posting_max = 2),
            ],
        ),
        (
            ModelKind::Svd,
            &[
                ("n_factors", |p| p.svd.n_factors = 3),
                // The space and its random start matter only where it does not hold all of the matrix.
                ("regularization", |p| p.svd.regularization = 1.0),
                ("popularity_scaling", |p| p.svd.popularity_scaling = 0.5),
            ],
        ),
    ];
    let matrix = mixed();
    let history: Vec<_> = matrix.row_cells(UserIdx(0)).collect();
    let query = Query { user: Some(UserIdx(0)), history: &history };
    let answers = |kind, params: &ModelParams| {
        let model = fitted(kind, &matrix, params);
        let rate = |item| model.predict_rating(query, ItemIdx(item));
        (scores_of(&model, query), (0..N).map(rate).collect::<Vec<_>>())
    };
    for (kind, changes) in changes {
        let before = answers(kind, &base());
        for (name, change) in changes {
            let mut params = base();
            change(&mut params);
            let after = answers(kind, &params);
            assert!(after != before, "{} of {} changes nothing", name, kind.name());
        }
    }
}

#[test]
fn parameters_out_of_range_are_refused_by_name() {
    let refused: &[Refusal] = &[
        (ModelKind::Popularity, "shrinkage", |p| p.popularity.shrinkage = -1.0),
        (ModelKind::ItemKnn, "shrinkage", |p| p.item_knn.shrinkage = f32::NAN),
        (ModelKind::ItemKnn, "n_neighbors", |p| p.item_knn.n_neighbors = 0),
        (ModelKind::ItemKnn, "min_similarity", |p| p.item_knn.min_similarity = 1.5),
        (ModelKind::ItemKnn, "row_max", |p| p.item_knn.row_max = 1),
        (ModelKind::ItemKnn, "weighting.k1", |p| {
            p.item_knn.weighting = Weighting::Bm25 { k1: 0.0, b: 0.5 };
        }),
        (ModelKind::UserKnn, "weighting.b", |p| {
            p.user_knn.weighting = Weighting::Bm25 { k1: 1.0, b: 2.0 };
        }),
        (ModelKind::UserKnn, "shrinkage", |p| p.user_knn.shrinkage = f32::INFINITY),
        (ModelKind::UserKnn, "n_neighbors", |p| p.user_knn.n_neighbors = 1_000_000),
        (ModelKind::UserKnn, "min_similarity", |p| p.user_knn.min_similarity = f32::NAN),
        (ModelKind::UserKnn, "posting_max", |p| p.user_knn.posting_max = 0),
        (ModelKind::Svd, "n_factors", |p| p.svd.n_factors = 0),
        (ModelKind::Svd, "subspace_ratio", |p| p.svd.subspace_ratio = 0.5),
        (ModelKind::Svd, "regularization", |p| p.svd.regularization = -1.0),
        (ModelKind::Svd, "popularity_scaling", |p| p.svd.popularity_scaling = 3.0),
    ];
    for &(kind, name, change) in refused {
        let mut params = ModelParams::default();
        change(&mut params);
        assert!(params.check().is_err());
        match fit(kind, &mixed(), &params, NEVER_STOP) {
            Err(FitError::Parameter { parameter, .. }) => assert_eq!(parameter, name),
            other => panic!("{name} of {} was not refused: {:?}", kind.name(), other.err()),
        }
    }
}

fn checkerboard_cases() -> Vec<HeldOutCase> {
    let matrix = checkerboard();
    let case = |user: u32| HeldOutCase {
        user: Some(UserIdx(user)),
        history: matrix.row_cells(UserIdx(user)).collect(),
        excluded: matrix.row(UserIdx(user)).0.to_vec(),
        relevant: vec![user],
    };
    (0..N).map(case).collect()
}

#[test]
fn a_model_that_is_best_alone_stays_alone() {
    let matrix = checkerboard();
    let models: Vec<_> =
        ModelKind::ALL.iter().map(|&kind| fitted(kind, &matrix, &small_params())).collect();
    let cases = checkerboard_cases();
    let blend = learn_blend(&models, &cases, 5, NEVER_STOP).unwrap();
    assert_eq!(blend, Blend::single(ModelKind::ItemKnn), "the first of three perfect models");
    assert_eq!(learn_blend(&models, &cases, 5, &|| true), Err(FitError::Stopped));
    assert_eq!(learn_blend(&[], &cases, 5, NEVER_STOP), Ok(Blend::default()));
}

#[test]
fn a_blend_ranks_like_its_models_and_leaves_out_the_silent() {
    let matrix = checkerboard();
    let models: Vec<_> =
        ModelKind::ALL.iter().map(|&kind| fitted(kind, &matrix, &small_params())).collect();
    let cases = checkerboard_cases();
    let blend = Blend { weights: vec![(ModelKind::Popularity, 0.5), (ModelKind::Svd, 0.5)] };
    let ask = |query: Query<'_>, scores: &mut [f32], scratch: &mut [f32]| {
        blend.score_items(&models, query, scores, scratch)
    };
    let together = evaluate(ask, &cases, 3, N as usize);
    let alone = evaluate_model(&models[3], &cases, 3);
    assert_eq!(together, alone, "popularity is the same for every item here");
    assert!((together.ndcg - 1.0).abs() < 1e-12);

    let nobody = Query { user: None, history: &[] };
    let (mut scores, mut scratch) = (vec![7.0; N as usize], vec![0.0; N as usize]);
    assert!(blend.score_items(&models, nobody, &mut scores, &mut scratch));
    assert!(scores.iter().all(|score| score.abs() < 1e-6), "a constant adds nothing");
    scores.fill(7.0);
    let silent = Blend::single(ModelKind::ItemKnn);
    assert!(!silent.score_items(&models, nobody, &mut scores, &mut scratch));
    assert!(scores.iter().all(|&score| score > 6.0));
}
