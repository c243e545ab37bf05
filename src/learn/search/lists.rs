//! The same search on interactions without times: a random part of every user's items is held out.
//!
//! For published protocols, whose test file must not be looked at. A shop's own events are split by
//! time ([`crate::learn::pipeline`]).

use super::{Frame, Limits, Score, SearchState, advance};
use crate::domain::{Sequence, Timestamp};
use crate::learn::{
    dataset::{InteractionMatrix, ItemIdx, UserIdx},
    evaluation::{HeldOutCase, evaluate, learn_blend, splits::per_user_share},
    recommenders::{
        Blend, Blended, FitError, FittedModel, ModelKind, ModelParams, Recommender, Stop, fit,
    },
};

/// What is looked for, and in what.
#[derive(Clone, Debug)]
pub struct ListSearch<'a> {
    /// Everything that may be learned from.
    pub matrix: &'a InteractionMatrix,
    /// The models that are compared.
    pub kinds: Vec<ModelKind>,
    /// Where it sets out from.
    pub base: ModelParams,
    /// Length of the lists that are measured.
    pub k: usize,
    /// Share of every user's items that is held out to choose on.
    pub share: f64,
    /// Which items those are.
    pub seed: u64,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Every candidate.
    pub state: SearchState,
    /// The best parameters of every model.
    pub params: ModelParams,
    /// How the models are joined best; one alone, if no blend beats it.
    pub blend: Blend,
    /// NDCG of every model at its best, and of the blend, on what was held out.
    pub ndcg: Vec<(ModelKind, f64)>,
    /// NDCG of the blend there.
    pub blend_ndcg: f64,
}

/// Searches parameters, then learns the blend of the best of every model, all on the part held out.
/// Models that popularity beats there have no part in it.
///
/// # Errors
///
/// [`FitError::NoData`] if nothing is held out; [`FitError::Stopped`].
pub fn search_lists(
    search: &ListSearch<'_>,
    limits: &Limits,
    on_trial: impl FnMut(&SearchState),
    stop: Stop<'_>,
) -> Result<Found, FitError> {
    let (matrix, cases) = hold_out(search.matrix, search.share, search.seed);
    if cases.is_empty() {
        return Err(FitError::NoData { model: "anything: every user has one item" });
    }
    let frame = Frame {
        as_of: Timestamp::default(),
        watermark: Sequence(0),
        n_events: search.matrix.n_interactions(),
    };
    let mut kinds = search.kinds.clone();
    if !kinds.contains(&ModelKind::Popularity) {
        kinds.insert(0, ModelKind::Popularity);
    }
    let mut state = SearchState::new(frame, (search.base, search.base), kinds.clone());
    let measure = |kind, params: &ModelParams| {
        let model = fit(kind, &matrix, params, stop)?;
        let metrics = evaluate(&model, &cases, search.k);
        Ok(Score {
            ndcg: metrics.ndcg,
            standard_error: metrics.ndcg_standard_error,
            n_bytes: model.n_bytes(),
        })
    };
    advance(&mut state, limits, measure, on_trial)?;
    let params = state.best_params(&search.base);
    let ndcg_of = |kind| state.best_of(kind).and_then(super::Trial::ndcg);
    let bar = ndcg_of(ModelKind::Popularity).unwrap_or(0.0);
    let ndcg: Vec<(ModelKind, f64)> =
        kinds.iter().filter_map(|&kind| Some((kind, ndcg_of(kind)?))).collect();
    let models: Result<Vec<FittedModel>, FitError> = ndcg
        .iter()
        .filter(|&&(kind, ndcg)| kind == ModelKind::Popularity || ndcg > bar)
        .map(|&(kind, _)| fit(kind, &matrix, &params, stop))
        .collect();
    let models = models?;
    let blend = learn_blend(&models, &cases, search.k, stop)?;
    let together = Blended { models, blend };
    let joined = evaluate(&together, &cases, search.k);
    Ok(Found { state, params, blend: together.blend, ndcg, blend_ndcg: joined.ndcg })
}

/// The matrix without a part of every user's items, and those to be found.
pub fn hold_out(
    matrix: &InteractionMatrix,
    share: f64,
    seed: u64,
) -> (InteractionMatrix, Vec<HeldOutCase>) {
    let cells: Vec<(UserIdx, ItemIdx, f32)> = (0..matrix.n_users() as u32)
        .map(UserIdx)
        .flat_map(|user| matrix.row_cells(user).map(move |(item, w)| (user, ItemIdx(item), w)))
        .collect();
    let users: Vec<u32> = cells.iter().map(|cell| cell.0.0).collect();
    let is_out = per_user_share(&users, share, seed);
    let kept = cells.iter().zip(&is_out).filter(|(_, out)| !**out).map(|(cell, _)| *cell);
    let kept = InteractionMatrix::from_cells(matrix.n_users(), matrix.n_items(), kept);
    let mut cases: Vec<HeldOutCase> = Vec::new();
    for (&(user, item, _), _) in cells.iter().zip(&is_out).filter(|(_, out)| **out) {
        if cases.last().is_none_or(|case| case.user != Some(user)) {
            let history: Vec<(u32, f32)> = kept.row_cells(user).collect();
            let excluded = history.iter().map(|cell| cell.0).collect();
            cases.push(HeldOutCase { user: Some(user), history, excluded, relevant: Vec::new() });
        }
        if let Some(case) = cases.last_mut() {
            case.relevant.push(item.0);
        }
    }
    (kept, cases)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::recommenders::NEVER_STOP;

    /// Even users like even items, odd users odd ones; everybody likes item 0 a little.
    fn parity() -> InteractionMatrix {
        let cells =
            (0..900_u32).map(|at| (at / 30, at % 30)).filter(|(u, i)| u % 2 == i % 2 || *i == 0);
        let cells = cells.filter(|(u, i)| (u * 7 + i * 3) % 5 != 0);
        InteractionMatrix::from_cells(30, 30, cells.map(|(u, i)| (UserIdx(u), ItemIdx(i), 1.0)))
    }

    #[test]
    fn what_is_held_out_and_what_is_kept_make_the_whole() {
        let matrix = parity();
        let (kept, cases) = hold_out(&matrix, 0.2, 1);
        let n_out: usize = cases.iter().map(|case| case.relevant.len()).sum();
        assert_eq!(kept.n_interactions() + n_out, matrix.n_interactions());
        assert!(n_out > 0);
        for case in &cases {
            assert!(case.relevant.is_sorted() && case.excluded.is_sorted());
            assert!(case.relevant.iter().all(|item| !case.excluded.contains(item)));
        }
    }

    #[test]
    fn a_blend_is_never_worse_than_its_parts_where_it_was_learned() {
        let matrix = parity();
        let search = ListSearch {
            matrix: &matrix,
            kinds: vec![ModelKind::ItemKnn, ModelKind::UserKnn, ModelKind::Svd],
            base: ModelParams::default(),
            k: 5,
            share: 0.2,
            seed: 1,
        };
        let limits = Limits { trials_max: 8, seconds_max: 1e9, call_seconds_max: 1e9, seed: 3 };
        let found = search_lists(&search, &limits, |_| (), NEVER_STOP).unwrap();
        let best = found.ndcg.iter().map(|part| part.1).fold(0.0, f64::max);
        assert!(best > 0.0);
        // The blend is learned on the first hundred of each model, here all items.
        assert!(found.blend_ndcg >= best - 1e-9, "{} after {best}", found.blend_ndcg);
    }
}
