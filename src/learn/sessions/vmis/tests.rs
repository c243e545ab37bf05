//! A case by hand, the formula as it stands, and what must not go wrong.

use super::*;
use crate::learn::sessions::{Decay, IndexLimits};
use proptest::prelude::*;

fn model(n_items: usize, sessions: &[Vec<u32>], params: &SessionParams) -> VmisKnn {
    let timed = (0..).zip(sessions).map(|(time, items)| (&items[..], time));
    let index = SessionIndex::new(n_items, timed, &IndexLimits::default()).unwrap();
    fit(Arc::new(index), params).unwrap()
}

fn scored(model: &VmisKnn, session: &[u32]) -> Vec<(u32, f32)> {
    let mut scores = model.score(session, &mut Scratch::default()).to_vec();
    scores.sort_unstable_by_key(|score| score.0);
    scores
}

/// The formula of this file over all sessions, in `f64`, without index, list, early stop or scratch; the
/// neighbours are found by sorting.
fn naive(
    n_items: usize,
    sessions: &[Vec<u32>],
    params: &SessionParams,
    running: &[u32],
) -> Vec<f64> {
    let distinct = |items: &[u32]| {
        let mut kept: Vec<u32> = Vec::new();
        for &item in items.iter().rev() {
            if !kept.contains(&item) {
                kept.insert(0, item);
            }
        }
        kept
    };
    let latest_first: Vec<Vec<u32>> = sessions
        .iter()
        .rev()
        .map(|items| distinct(items))
        .filter(|items| items.len() > 1)
        .collect();
    let n_sessions = latest_first.len() as f64;
    let idf = |item: u32, exponent: f32| {
        let n = latest_first.iter().filter(|items| items.contains(&item)).count();
        if n == 0 { 0.0 } else { (1.0 + n_sessions / n as f64).ln().powf(f64::from(exponent)) }
    };
    let used = &running[running.len() - running.len().min(params.session_items_max)..];
    let decay = |decay: Decay, d: usize| f64::from(decay.weight(d, used.len()));
    let last_at = |item: u32| used.iter().rev().position(|&other| other == item);
    let mut neighbours: Vec<(usize, f64)> = Vec::new();
    for (number, items) in latest_first.iter().enumerate() {
        let shared: Vec<u32> =
            items.iter().copied().filter(|&item| last_at(item).is_some()).collect();
        if !shared.is_empty() && neighbours.len() < params.m {
            let weight = |&item: &u32| {
                decay(params.position_decay, last_at(item).unwrap())
                    * idf(item, params.shared_idf_exponent)
            };
            let age = (-f64::from(params.recency_decay) * number as f64 / n_sessions).exp();
            let length = (items.len() as f64).powf(f64::from(params.length_exponent));
            let similarity = shared.iter().map(weight).sum::<f64>() * age / length;
            neighbours.push((number, similarity));
        }
    }
    neighbours.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    neighbours.truncate(params.k);
    let mut scores = vec![0.0; n_items];
    for (number, similarity) in neighbours {
        let items = &latest_first[number];
        let d = items.iter().filter_map(|&item| last_at(item)).min().unwrap();
        let place = items.iter().position(|&item| last_at(item) == Some(d)).unwrap();
        for (at, &item) in items.iter().enumerate() {
            let steps = at.abs_diff(place) as f64;
            let side = if at < place { f64::from(params.before_weight) } else { 1.0 };
            let distance = (-f64::from(params.distance_decay) * steps).exp();
            scores[item as usize] += similarity * decay(params.match_decay, d) * side * distance;
        }
    }
    for (item, score) in (0..).zip(&mut scores) {
        let own = match running.iter().rev().position(|&other| other == item) {
            Some(0) => params.last_item_weight,
            Some(_) => params.repeat_weight,
            None => 1.0,
        };
        *score *= f64::from(own) * idf(item, params.idf_exponent);
    }
    scores
}

#[test]
fn published_scores_agree_with_a_case_by_hand() {
    // Latest first: {2, 3}, {0, 2}, {0, 1}; asked with 0, then 1.
    let sessions = [vec![0, 1], vec![0, 2], vec![2, 3]];
    let model = model(5, &sessions, &SessionParams::as_published());
    // Similarities: {0, 1} shares both, (1 + 2) / 2; {0, 2} shares the first, 1/2. Match weights 1 and 1 − 1/9.
    // Both items are in two of three sessions.
    let idf = (1.0 + 3.0 / 2.0_f32).ln();
    let expected = [(0, (1.5 + 0.5 * 8.0 / 9.0) * idf), (2, 0.5 * 8.0 / 9.0 * idf)];
    let found = scored(&model, &[0, 1]);
    assert_eq!(found.len(), 2, "the last item is left out, 3 is in no neighbour: {found:?}");
    for ((item, score), (expected_item, expected_score)) in found.into_iter().zip(expected) {
        assert_eq!(item, expected_item);
        // A handful of roundings of numbers near 1.
        assert!((score - expected_score).abs() < 1e-6, "{item}: {score} {expected_score}");
    }
    let mut scratch = Scratch::default();
    assert_eq!(model.recommend(&[0, 1], 1, &mut scratch)[0].0, 0);
    assert!(model.recommend(&[0, 1], 0, &mut scratch).is_empty());
}

#[test]
fn what_came_after_the_shared_item_and_closer_to_it_is_worth_more() {
    let params = SessionParams {
        distance_decay: 1.0,
        before_weight: 0.5,
        idf_exponent: 0.0,
        length_exponent: 0.0,
        ..SessionParams::default()
    };
    let found = scored(&model(5, &[vec![0, 1, 2, 3, 4]], &params), &[2]);
    let of = |item: u32| found.iter().find(|score| score.0 == item).unwrap().1;
    let e = std::f32::consts::E;
    // One rounding of each ratio.
    assert!((of(4) / of(3) - 1.0 / e).abs() < 1e-6);
    assert!((of(1) / of(3) - 0.5).abs() < 1e-6 && (of(0) / of(4) - 0.5).abs() < 1e-6);
}

fn decays() -> impl Strategy<Value = Decay> {
    prop_oneof![
        Just(Decay::Session),
        (1.0..12.0_f32).prop_map(|span| Decay::Linear { span }),
        (0.0..2.0_f32).prop_map(|rate| Decay::Exponential { rate }),
    ]
}

prop_compose! {
    fn any_params()(
        (m, k, session_items_max) in (1..12_usize, 1..8_usize, 1..7_usize),
        (position_decay, match_decay) in (decays(), decays()),
        rates in prop::array::uniform2(0.0..2.0_f32),
        exponents in prop::array::uniform3(prop_oneof![Just(0.0_f32), 0.0..2.0_f32]),
        shares in prop::array::uniform3(0.0..1.0_f32),
    ) -> SessionParams {
        SessionParams {
            m, k, session_items_max, position_decay, match_decay,
            distance_decay: rates[0], recency_decay: rates[1],
            length_exponent: exponents[0], idf_exponent: exponents[1], shared_idf_exponent: exponents[2],
            before_weight: shares[0], repeat_weight: shares[1], last_item_weight: shares[2],
        }
    }
}

fn any_sessions() -> impl Strategy<Value = Vec<Vec<u32>>> {
    // The first makes sure that there is something to learn from.
    let session = prop::collection::vec(0..10_u32, 0..7);
    prop::collection::vec(session, 0..25).prop_map(|mut sessions| {
        sessions.push(vec![0, 1]);
        sessions
    })
}

proptest! {
    #[test]
    fn scores_are_those_of_the_formula_over_all_sessions(
        sessions in any_sessions(),
        params in any_params(),
        running in prop::collection::vec(0..12_u32, 0..9),
    ) {
        // Equal similarities would be ordered by their rounding.
        let params = SessionParams { k: params.m, ..params };
        let model = model(10, &sessions, &params);
        let mut scores = [0.0; 10];
        for (item, score) in scored(&model, &running) {
            scores[item as usize] = score;
        }
        for (item, expected) in naive(10, &sessions, &params, &running).into_iter().enumerate() {
            let score = f64::from(scores[item]);
            // Some hundred roundings to f32.
            let tolerance = 1e-5 * (1.0 + expected);
            prop_assert!((score - expected).abs() < tolerance, "{item}: {score} {expected}");
        }
    }

    #[test]
    fn contributions_add_up_to_the_score(
        sessions in any_sessions(),
        params in any_params(),
        running in prop::collection::vec(0..12_u32, 0..9),
    ) {
        let model = model(10, &sessions, &params);
        let mut scratch = Scratch::default();
        let scores = scored(&model, &running);
        for item in 0..12 {
            let parts = model.contributions(&running, item, &mut scratch);
            prop_assert_eq!(parts.len(), running.len());
            let score = scores.iter().find(|score| score.0 == item).map_or(0.0, |score| score.1);
            let sum: f32 = parts.iter().sum();
            // Some hundred roundings to f32.
            prop_assert!((sum - score).abs() < 1e-5 * (1.0 + score), "{}: {} {}", item, sum, score);
            prop_assert!(parts.iter().all(|part| *part >= 0.0));
        }
    }

    #[test]
    fn scores_do_not_depend_on_what_was_asked_before(
        sessions in any_sessions(),
        params in any_params(),
        runs in prop::collection::vec(prop::collection::vec(0..12_u32, 0..9), 1..5),
    ) {
        let model = model(10, &sessions, &params);
        let mut scratch = Scratch::default();
        for running in &runs {
            let used = model.recommend(running, 5, &mut scratch).to_vec();
            let fresh = model.recommend(running, 5, &mut Scratch::default()).to_vec();
            prop_assert!(used.is_sorted_by(|a, b| (b.1, a.0) < (a.1, b.0)));
            prop_assert_eq!(used, fresh);
        }
    }
}

#[test]
fn only_the_last_events_of_an_endless_session_count() {
    let sessions: Vec<Vec<u32>> =
        (0..200).map(|at| (at..at + 5).map(|i| i % 90).collect()).collect();
    let model = model(90, &sessions, &SessionParams::default());
    let endless: Vec<u32> = (0..10_000).map(|at| at * 7 % 90).collect();
    let mut scratch = Scratch::default();
    let whole = model.recommend(&endless, 20, &mut scratch).to_vec();
    let cut = &endless[endless.len() - OWN_ITEMS_MAX..];
    assert_eq!(model.recommend(cut, 20, &mut scratch), whole);
    assert!(model.running(&endless).n <= model.params().session_items_max);
    let parts = model.contributions(&endless, whole[0].0, &mut scratch);
    assert!(
        parts[..endless.len() - model.params().session_items_max].iter().all(|part| *part == 0.0)
    );
}

#[test]
fn a_session_that_says_nothing_is_answered_with_nothing() {
    let model = model(5, &[vec![0, 1], vec![1, 2, 3]], &SessionParams::default());
    for session in [&[][..], &[4], &[5], &[u32::MAX, 99]] {
        assert!(scored(&model, session).is_empty(), "{session:?}");
        assert!(model.contributions(session, 1, &mut Scratch::default()).iter().all(|x| *x == 0.0));
    }
    let (once, thrice) = (scored(&model, &[1]), scored(&model, &[1, 1, 1]));
    assert_eq!(once, thrice, "the same item again is no news");
    assert!(once.iter().all(|score| score.1.is_finite()));
}

#[test]
fn a_model_without_sessions_or_with_too_few_listed_is_refused() {
    let empty = SessionIndex::new(3, [(&[1][..], 0)], &IndexLimits::default()).unwrap();
    let refused = fit(Arc::new(empty), &SessionParams::default());
    assert_eq!(refused, Err(FitError::NoData { model: "vmis_knn" }));
    let limits = IndexLimits { postings_max: 10, ..IndexLimits::default() };
    let short = SessionIndex::new(3, [(&[1, 2][..], 0)], &limits).unwrap();
    let refused = fit(Arc::new(short), &SessionParams::default()).unwrap_err().to_string();
    assert_eq!(refused, "m must be at most the index's postings_max, not 500");
}

#[test]
fn a_model_is_the_same_after_it_was_written_and_read() {
    let model = model(5, &[vec![0, 1], vec![1, 2, 3]], &SessionParams::default());
    let bytes = postcard::to_stdvec(&model).unwrap();
    assert_eq!(postcard::from_bytes::<VmisKnn>(&bytes).unwrap(), model);
    assert!(model.n_bytes() > model.index().n_bytes());
}
