//! What every recommender must keep, whatever its algorithm.

use shopkeeper::learn::dataset::{InteractionMatrix, ItemIdx, UserIdx};
use shopkeeper::learn::evaluation::{HeldOutCase, evaluate, learn_blend};
use shopkeeper::learn::recommenders::similarity::{Similarity, Weighting};
use shopkeeper::learn::recommenders::user_knn::Aggregation;
use shopkeeper::learn::recommenders::{
    Blend, Blended, FitError, FittedModel, ModelKind, ModelParams, NEVER_STOP, Query, Recommender,
    als, fit, nmf, top_n::top_n,
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
    params.als.n_factors = 2;
    params.ease.regularization = 1.0;
    params.nmf.n_factors = 2;
    params.bpr.n_factors = 2;
    params.logistic_mf.n_factors = 2;
    params.logistic_mf.regularization = 0.1;
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
    for &kind in ModelKind::ALL.iter().filter(|&&kind| kind != ModelKind::Popularity) {
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
    for &kind in ModelKind::ALL {
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
    for &kind in ModelKind::ALL {
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
    for &kind in ModelKind::ALL {
        let model = fitted(kind, &mixed(), &small_params());
        let bytes = postcard::to_stdvec(&model).unwrap();
        assert!(postcard::from_bytes::<FittedModel>(&bytes).unwrap() == model, "{}", kind.name());
    }
}

#[test]
fn nothing_to_learn_from_and_being_stopped_are_errors() {
    let empty = InteractionMatrix::from_cells(3, 3, []);
    for &kind in ModelKind::ALL {
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
#[expect(clippy::too_many_lines, reason = "a table of every parameter of every model")]
fn every_parameter_matters() {
    let base = || {
        let mut params = small_params();
        params.item_knn.min_similarity = -1.0;
        params.user_knn.min_similarity = -1.0;
        params.als.n_epochs = 3;
        params.nmf.n_epochs = 3;
        params.bpr.n_epochs = 3;
        params.logistic_mf.n_epochs = 3;
        params.ease.dense_items_max = 0;
        params.ease.n_candidates = 5;
        params
    };
    let changes: &[(ModelKind, &[Change])] = &[
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
                ("similarity", |p| {
                    p.item_knn.similarity = Similarity::AsymmetricCosine { own: 0.5, other: 0.3 };
                }),
                ("weighting", |p| {
                    p.item_knn.weighting = Weighting::InverseFrequency { exponent: 0.5 };
                }),
                ("normalize", |p| p.item_knn.normalize = true),
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
                ("similarity", |p| {
                    p.user_knn.similarity = Similarity::AsymmetricCosine { own: 0.5, other: 0.3 };
                }),
                ("weighting", |p| {
                    p.user_knn.weighting = Weighting::InverseFrequency { exponent: 0.5 };
                }),
                ("similarity_exponent", |p| p.user_knn.similarity_exponent = 1.0),
                ("aggregation", |p| p.user_knn.aggregation = Aggregation::Mean),
                ("aggregation", |p| p.user_knn.aggregation = Aggregation::WeightedMean),
                ("posting_max", |p| p.user_knn.posting_max = 2),
            ],
        ),
        (
            ModelKind::Svd,
            &[
                ("n_factors", |p| p.svd.n_factors = 3),
                ("regularization", |p| p.svd.regularization = 5.0),
                ("popularity_scaling", |p| p.svd.popularity_scaling = 0.5),
            ],
        ),
        (
            ModelKind::Rp3beta,
            &[
                ("alpha", |p| p.rp3beta.alpha = 0.5),
                ("beta", |p| p.rp3beta.beta = 0.0),
                ("n_neighbors", |p| p.rp3beta.n_neighbors = 2),
                ("normalize", |p| p.rp3beta.normalize = true),
                ("row_max", |p| p.rp3beta.row_max = 4),
            ],
        ),
        (
            ModelKind::Nmf,
            &[
                ("solver", |p| p.nmf.solver = nmf::Solver::Multiplicative),
                ("loss", |p| {
                    p.nmf.solver = nmf::Solver::Multiplicative;
                    p.nmf.loss = nmf::Loss::KullbackLeibler;
                }),
                ("n_factors", |p| p.nmf.n_factors = 3),
                ("n_epochs", |p| p.nmf.n_epochs = 4),
                ("n_sweeps", |p| p.nmf.n_sweeps = 2),
                ("tolerance", |p| p.nmf.tolerance = 0.5),
                ("init", |p| p.nmf.init = nmf::Init::Nndsvd),
                ("regularization", |p| p.nmf.regularization = 0.5),
                ("confidence_exponent", |p| p.nmf.confidence_exponent = 0.0),
                ("seed", |p| p.nmf.seed = 8),
            ],
        ),
        (
            ModelKind::Als,
            &[
                ("n_factors", |p| p.als.n_factors = 3),
                ("n_epochs", |p| p.als.n_epochs = 4),
                ("regularization", |p| p.als.regularization = 0.5),
                ("regularization_exponent", |p| p.als.regularization_exponent = 0.0),
                ("unobserved_weight", |p| p.als.unobserved_weight = 1.0),
                ("confidence_exponent", |p| p.als.confidence_exponent = 0.0),
                ("n_steps", |p| p.als.n_steps = 1),
                ("solver", |p| p.als.solver = als::Solver::Blocks),
                ("block_size", |p| {
                    p.als.solver = als::Solver::Blocks;
                    p.als.block_size = 1;
                }),
                ("init_deviation", |p| p.als.init_deviation = 2.0),
                ("seed", |p| p.als.seed = 8),
            ],
        ),
        (
            ModelKind::Ease,
            &[
                ("regularization", |p| p.ease.regularization = 30.0),
                ("dropout", |p| p.ease.dropout = 0.4),
                ("user_exponent", |p| p.ease.user_exponent = 0.0),
                ("target_exponent", |p| p.ease.target_exponent = 1.0),
                ("n_weights", |p| p.ease.n_weights = 2),
                ("dense_items_max", |p| p.ease.dense_items_max = 100),
                ("n_candidates", |p| p.ease.n_candidates = 9),
            ],
        ),
        (
            ModelKind::Bpr,
            &[
                ("n_factors", |p| p.bpr.n_factors = 3),
                ("n_epochs", |p| p.bpr.n_epochs = 4),
                ("learning_rate", |p| p.bpr.learning_rate = 0.2),
                ("regularization", |p| p.bpr.regularization = 0.5),
                ("n_candidates", |p| p.bpr.n_candidates = 5),
                ("confidence_exponent", |p| p.bpr.confidence_exponent = 0.0),
                ("init_deviation", |p| p.bpr.init_deviation = 2.0),
                ("seed", |p| p.bpr.seed = 8),
            ],
        ),
        (
            ModelKind::LogisticMf,
            &[
                ("n_factors", |p| p.logistic_mf.n_factors = 3),
                ("n_epochs", |p| p.logistic_mf.n_epochs = 4),
                ("learning_rate", |p| p.logistic_mf.learning_rate = 0.2),
                ("regularization", |p| p.logistic_mf.regularization = 0.5),
                ("alpha", |p| p.logistic_mf.alpha = 3.0),
                ("n_negatives", |p| p.logistic_mf.n_negatives = 2),
                ("confidence_exponent", |p| p.logistic_mf.confidence_exponent = 0.0),
                ("init_deviation", |p| p.logistic_mf.init_deviation = 2.0),
                ("seed", |p| p.logistic_mf.seed = 8),
            ],
        ),
    ];
    let mut listed: Vec<ModelKind> = changes.iter().map(|(kind, _)| *kind).collect();
    listed.sort_unstable();
    assert_eq!(listed, ModelKind::ALL, "every model is asked about its parameters");
    let matrix = mixed();
    let history: Vec<_> = matrix.row_cells(UserIdx(0)).collect();
    let query = Query { user: Some(UserIdx(0)), history: &history };
    let answers = |kind, params: &ModelParams| {
        let model = fitted(kind, &matrix, params);
        let rate = |item| model.predict_rating(query, ItemIdx(item));
        (scores_of(&model, query), (0..N).map(rate).collect::<Vec<_>>())
    };
    for &(kind, changes) in changes {
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
        (ModelKind::UserKnn, "similarity_exponent", |p| p.user_knn.similarity_exponent = -1.0),
        (ModelKind::UserKnn, "similarity.own", |p| {
            p.user_knn.similarity = Similarity::AsymmetricCosine { own: 2.0, other: 0.5 };
        }),
        (ModelKind::ItemKnn, "similarity.other", |p| {
            p.item_knn.similarity = Similarity::AsymmetricCosine { own: 0.5, other: f32::NAN };
        }),
        (ModelKind::ItemKnn, "weighting.exponent", |p| {
            p.item_knn.weighting = Weighting::InverseFrequency { exponent: -0.5 };
        }),
        (ModelKind::Svd, "n_factors", |p| p.svd.n_factors = 0),
        (ModelKind::Svd, "subspace_ratio", |p| p.svd.subspace_ratio = 0.5),
        (ModelKind::Svd, "popularity_scaling", |p| p.svd.popularity_scaling = f32::NAN),
        (ModelKind::Svd, "regularization", |p| p.svd.regularization = -1.0),
        (ModelKind::Rp3beta, "alpha", |p| p.rp3beta.alpha = -1.0),
        (ModelKind::Rp3beta, "beta", |p| p.rp3beta.beta = f32::NAN),
        (ModelKind::Rp3beta, "n_neighbors", |p| p.rp3beta.n_neighbors = 0),
        (ModelKind::Rp3beta, "row_max", |p| p.rp3beta.row_max = 0),
        (ModelKind::Als, "n_factors", |p| p.als.n_factors = 0),
        (ModelKind::Als, "n_epochs", |p| p.als.n_epochs = 0),
        (ModelKind::Als, "regularization", |p| p.als.regularization = 0.0),
        (ModelKind::Als, "unobserved_weight", |p| p.als.unobserved_weight = f32::NAN),
        (ModelKind::Als, "confidence_exponent", |p| p.als.confidence_exponent = 3.0),
        (ModelKind::Als, "block_size", |p| p.als.block_size = 0),
        (ModelKind::Als, "n_steps", |p| p.als.n_steps = 0),
        (ModelKind::Als, "init_deviation", |p| p.als.init_deviation = 0.0),
        (ModelKind::Nmf, "n_factors", |p| p.nmf.n_factors = 0),
        (ModelKind::Nmf, "regularization", |p| p.nmf.regularization = -1.0),
        (ModelKind::Bpr, "n_factors", |p| p.bpr.n_factors = 0),
        (ModelKind::Bpr, "learning_rate", |p| p.bpr.learning_rate = 0.0),
        (ModelKind::Bpr, "n_candidates", |p| p.bpr.n_candidates = 0),
        (ModelKind::LogisticMf, "n_factors", |p| p.logistic_mf.n_factors = 0),
        (ModelKind::LogisticMf, "regularization", |p| p.logistic_mf.regularization = f32::NAN),
        (ModelKind::Ease, "regularization", |p| p.ease.regularization = 0.0),
        (ModelKind::Ease, "dropout", |p| p.ease.dropout = 1.0),
        (ModelKind::Ease, "user_exponent", |p| p.ease.user_exponent = -1.0),
        (ModelKind::Ease, "target_exponent", |p| p.ease.target_exponent = 3.0),
        (ModelKind::Ease, "n_weights", |p| p.ease.n_weights = 0),
        (ModelKind::Ease, "n_candidates", |p| p.ease.n_candidates = 0),
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

/// Data that a careless model would stumble over: its name and its cells, `users × items`.
fn bad_data() -> Vec<(&'static str, InteractionMatrix)> {
    let of = |n_users, n_items, cells: &[(u32, u32, f32)]| {
        let cells = cells.iter().map(|&(user, item, w)| (UserIdx(user), ItemIdx(item), w));
        InteractionMatrix::from_cells(n_users, n_items, cells)
    };
    let row = |w: f32| (0..40).map(|item| (0, item, w)).collect::<Vec<_>>();
    let column = |w: f32| (0..40).map(|user| (user, 0, w)).collect::<Vec<_>>();
    let mut bot = row(1.0);
    bot.extend((1..30).map(|user| (user, user, 1.0)));
    vec![
        ("one event", of(1, 1, &[(0, 0, 1.0)])),
        ("one user", of(1, 40, &row(1.0))),
        ("one item", of(40, 1, &column(1.0))),
        ("items and users without events", of(50, 60, &[(3, 5, 1.0), (4, 5, 1.0), (3, 6, 2.0)])),
        ("a user with one event", of(3, 3, &[(0, 0, 1.0), (0, 1, 1.0), (1, 2, 1.0)])),
        ("all alike", of(20, 20, &(0..400).map(|at| (at / 20, at % 20, 3.0)).collect::<Vec<_>>())),
        ("huge weights", of(3, 3, &[(0, 0, 1e30), (0, 1, 1e30), (1, 0, 1.0), (2, 2, 1e-30)])),
        ("tiny weights", of(3, 3, &[(0, 0, 1e-30), (0, 1, 1e-30), (1, 0, 1e-30), (1, 2, 1e-38)])),
        ("dislikes alone", of(3, 3, &[(0, 0, -1.0), (1, 1, -2.0), (2, 0, -1.0)])),
        ("one who touched everything", of(30, 40, &bot)),
        (
            "no numbers",
            of(2, 2, &[(0, 0, f32::NAN), (1, 1, f32::INFINITY), (0, 1, 1.0), (0, 1, 1.0)]),
        ),
    ]
}

#[test]
fn bad_data_gives_a_clear_refusal_or_a_sane_model() {
    for (name, matrix) in bad_data() {
        for &kind in ModelKind::ALL {
            let model = match fit(kind, &matrix, &ModelParams::default(), NEVER_STOP) {
                Ok(model) => model,
                Err(FitError::NoData { .. } | FitError::NotFinite { .. }) => continue,
                Err(error) => panic!("{} on {name}: {error}", kind.name()),
            };
            for user in (0..matrix.n_users() as u32).map(UserIdx) {
                let history: Vec<_> = matrix.row_cells(user).collect();
                let query = Query { user: Some(user), history: &history };
                let scores = scores_of(&model, query).unwrap_or_default();
                let is_sane = scores.iter().all(|score| score.is_finite());
                assert!(is_sane, "{} on {name}: {scores:?}", kind.name());
                let parts = model.contributions(query, ItemIdx(0));
                assert!(parts.iter().all(|part| part.is_finite()), "{} on {name}", kind.name());
            }
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
fn shoppers_asked_about_together_get_what_each_would_get_alone() {
    let matrix = mixed();
    let models: Vec<_> =
        ModelKind::ALL.iter().map(|&kind| fitted(kind, &matrix, &small_params())).collect();
    let weights = ModelKind::ALL.iter().zip(1_u8..).map(|(&kind, n)| (kind, f32::from(n)));
    let blended = Blended { models: &models[..], blend: Blend { weights: weights.collect() } };
    let histories: Vec<Vec<(u32, f32)>> = (0..30)
        .map(|user| matrix.row_cells(UserIdx(user)).collect())
        .chain([Vec::new(), vec![(3, 1.0)]])
        .collect();
    let users = (0..30).map(|user| Some(UserIdx(user))).chain([None, None]);
    let queries: Vec<Query<'_>> =
        users.zip(&histories).map(|(user, history)| Query { user, history }).collect();
    let everybody = models.iter().map(|model| model as &dyn Recommender).chain([&blended as _]);
    for (nth, model) in everybody.enumerate() {
        let mut together = vec![7.0; queries.len() * N as usize];
        let spoken = model.score_block(&queries, &mut together, &mut Vec::new());
        assert_eq!(spoken.len(), queries.len());
        for ((query, spoken), scores) in queries.iter().zip(spoken).zip(together.chunks(N as usize))
        {
            let mut alone = vec![7.0; N as usize];
            assert_eq!(model.score_items(*query, &mut alone), spoken, "{nth} {query:?}");
            let bits = |scores: &[f32]| scores.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(scores), bits(&alone), "{nth} {query:?}");
        }
    }
}

#[test]
fn a_model_that_is_best_alone_stays_alone() {
    let matrix = checkerboard();
    let models: Vec<_> =
        ModelKind::ALL.iter().map(|&kind| fitted(kind, &matrix, &small_params())).collect();
    let cases = checkerboard_cases();
    let blend = learn_blend(&models, &cases, 5, NEVER_STOP).unwrap();
    assert_eq!(blend, Blend::single(ModelKind::ItemKnn), "the first of the perfect models");
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
    let together = evaluate(&Blended { models: &models[..], blend: blend.clone() }, &cases, 3);
    let svd = models.iter().find(|model| model.kind() == ModelKind::Svd).unwrap();
    let alone = evaluate(svd, &cases, 3);
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
