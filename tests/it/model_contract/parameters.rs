//! Every parameter changes what is learned, and those out of range are refused by name.

use super::*;
use shopkeeper::learn::recommenders::{
    als, nmf,
    similarity::{Similarity, Weighting},
    user_knn::Aggregation,
};

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
