//! Choosing parameters and a blend inside what is learned from, before what is to be found is read.

use super::{Common, ListArguments, contender::Contender, parameters::Parameters};
use crate::learn::{
    dataset::InteractionMatrix,
    pipeline::report::SearchReport,
    recommenders::{Blend, Blended, ModelKind, ModelParams, NEVER_STOP, Recommender, fit},
    search::{
        Limits, SearchState,
        lists::{Found, ListSearch, search_lists},
    },
};
use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

/// Share of every user's items that is held out to choose on.
const SHARE: f64 = 0.1;
/// Which items those are, and start of the search's random numbers.
const SEED: u64 = 0;

/// Searches with lists of the greatest length asked for.
pub(super) fn search(
    matrix: &InteractionMatrix,
    kinds: &[ModelKind],
    base: &ModelParams,
    (lists, k): (&ListArguments, usize),
    progress: bool,
) -> anyhow::Result<Found> {
    let search =
        ListSearch { matrix, kinds: kinds.to_vec(), base: *base, k, share: SHARE, seed: SEED };
    let limits = Limits {
        trials_max: lists.trials as usize,
        seconds_max: lists.search_seconds,
        call_seconds_max: f64::INFINITY,
        seed: SEED,
    };
    let bar = if progress { visible_bar(u64::from(lists.trials)) } else { ProgressBar::hidden() };
    let on_trial = |state: &SearchState| {
        bar.set_message(state.trials.last().map_or("", |trial| trial.kind.name()));
        bar.set_position(state.trials.len() as u64);
    };
    let found = search_lists(&search, &limits, on_trial, NEVER_STOP);
    bar.finish_and_clear();
    found.context("cannot search for parameters")
}

/// What was found, for the protocol.
pub(super) fn describe(found: &Found, k: usize) -> Value {
    let weights: Vec<Value> = found
        .blend
        .weights
        .iter()
        .map(|&(kind, weight)| json!({ "model": kind.name(), "weight": weight }))
        .collect();
    json!({
        "held_out": { "share_of_every_user": SHARE, "seed": SEED },
        "metric": format!("ndcg@{k}"),
        "blend": { "weights": weights, "ndcg": found.blend_ndcg },
        "found": SearchReport::from(&found.state),
    })
}

/// The blend as one more model.
pub(super) fn blend_contender<'a>(
    blend: &'a Blend,
    parameters: &'a Parameters<ModelParams>,
    common: &Common,
) -> Contender<'a, InteractionMatrix, dyn Recommender> {
    let is_seeded = blend.weights.iter().any(|part| parameters.is_seeded(part.0.name()));
    let weights: serde_json::Map<String, Value> = blend
        .weights
        .iter()
        .map(|&(kind, weight)| (kind.name().to_owned(), json!(weight)))
        .collect();
    Contender {
        name: "blend",
        parameters: json!({ "weights": weights }),
        n_runs: if is_seeded { common.seeds.max(1) } else { 1 },
        fit: Box::new(move |matrix, run| {
            let models: anyhow::Result<Vec<_>> = blend
                .weights
                .iter()
                .map(|&(kind, _)| {
                    let params = parameters.of_run(kind.name(), run)?;
                    fit(kind, matrix, &params, NEVER_STOP)
                        .with_context(|| format!("cannot fit {}", kind.name()))
                })
                .collect();
            Ok(Box::new(Blended { models: models?, blend: blend.clone() }))
        }),
    }
}

fn visible_bar(n_trials: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("searching {bar:40} {pos} of {len}  {msg}  {elapsed}");
    let bar = ProgressBar::with_draw_target(Some(n_trials), ProgressDrawTarget::stderr());
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
