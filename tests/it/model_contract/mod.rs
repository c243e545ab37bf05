//! What every recommender must keep, whatever its algorithm.

use shopkeeper::learn::dataset::{InteractionMatrix, ItemIdx, UserIdx};
use shopkeeper::learn::evaluation::{HeldOutCase, evaluate, learn_blend};
use shopkeeper::learn::recommenders::{
    Blend, Blended, FitError, FittedModel, ModelKind, ModelParams, NEVER_STOP, Query, Recommender,
    fit, top_n::top_n,
};

mod parameters;

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
