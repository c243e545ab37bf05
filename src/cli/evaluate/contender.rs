//! A model that takes part in a measurement, and measuring it run by run.

use super::{
    parameters::Parameters,
    report::{ModelResult, Spread, named_mean},
};
use crate::cli::memory::PeakMemory;
use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::time::{Duration, Instant};

/// How a contender is fitted on data `D`, for one run, which decides the seed.
type Fit<'a, D, M> = Box<dyn Fn(&D, u32) -> anyhow::Result<Box<M>> + 'a>;

/// A model by name, ready to be fitted on data `D` to a model `M`.
///
/// This is all that measuring knows of a model; where its parameters come from (defaults, `--set`, a
/// search inside the training data) is decided by whoever makes it.
pub(super) struct Contender<'a, D: ?Sized, M: ?Sized> {
    /// Its name in tables.
    pub(super) name: &'static str,
    /// What it is fitted with.
    pub(super) parameters: Value,
    /// Number of runs: more than one only if it depends on a seed.
    pub(super) n_runs: u32,
    /// Fits it.
    pub(super) fit: Fit<'a, D, M>,
}

/// One contender for each of `kinds`, with `parameters`; those that depend on a seed run `n_seeds` times.
pub(super) fn contenders<'a, K, P, D, M>(
    kinds: &[K],
    name: fn(K) -> &'static str,
    parameters: &'a Parameters<P>,
    n_seeds: u32,
    fit: impl Fn(K, &D, &P) -> anyhow::Result<Box<M>> + Copy + 'a,
) -> anyhow::Result<Vec<Contender<'a, D, M>>>
where
    K: Copy + 'a,
    P: Serialize + DeserializeOwned,
    D: ?Sized + 'a,
    M: ?Sized + 'a,
{
    let contender = |&kind: &K| {
        let model = name(kind);
        let fit_run = move |data: &D, run| {
            let params = parameters.of_run(model, run)?;
            fit(kind, data, &params).with_context(|| format!("cannot fit {model}"))
        };
        Ok(Contender {
            name: model,
            parameters: parameters.shown(model)?,
            n_runs: if parameters.is_seeded(model) { n_seeds.max(1) } else { 1 },
            fit: Box::new(fit_run),
        })
    };
    kinds.iter().map(contender).collect()
}

/// A number that was measured: its name, its value, its standard error if it has one.
pub(super) type Measured = (String, f64, Option<f64>);

/// What one run found.
#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    /// Metrics by name.
    pub(super) metrics: Vec<Measured>,
    /// What the standard errors of `metrics` are taken over.
    pub(super) spread: Spread,
    /// One value for each user, the same users for every contender, to compare by.
    pub(super) of_users: Vec<f64>,
    /// Time to fit.
    pub(super) fit: Duration,
    /// Time to ask.
    pub(super) predict: Duration,
    /// Bytes of the fitted model.
    pub(super) model_bytes: usize,
}

/// Runs `f` and tells how long it took.
pub(super) fn timed<T>(f: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    (f(), begun.elapsed())
}

/// Measures every contender, one after the other, with all of the pool for each.
pub(super) fn measure_all<D: ?Sized, M: ?Sized>(
    contenders: &[Contender<'_, D, M>],
    progress: bool,
    measure: impl Fn(&Contender<'_, D, M>, u32) -> anyhow::Result<Run>,
) -> anyhow::Result<Vec<ModelResult>> {
    let n_runs: u32 = contenders.iter().map(|contender| contender.n_runs).sum();
    let bar = if progress { visible_bar(n_runs) } else { ProgressBar::hidden() };
    let mut results = Vec::new();
    for contender in contenders {
        let peak = PeakMemory::begin();
        let mut runs = Vec::new();
        for run in 0..contender.n_runs {
            bar.set_message(contender.name);
            runs.push(measure(contender, run)?);
            bar.inc(1);
        }
        results.push(combine(contender, runs, peak.n_bytes()));
    }
    bar.finish_and_clear();
    Ok(results)
}

/// Means over runs. With several, standard errors are those over seeds.
fn combine<D: ?Sized, M: ?Sized>(
    contender: &Contender<'_, D, M>,
    runs: Vec<Run>,
    peak_bytes: Option<u64>,
) -> ModelResult {
    let seconds = |of: fn(&Run) -> Duration| {
        runs.iter().map(|run| of(run).as_secs_f64()).sum::<f64>() / runs.len().max(1) as f64
    };
    let model_bytes = runs.iter().map(|run| run.model_bytes as u64).max().unwrap_or_default();
    let n_users = runs.first().map_or(0, |run| run.of_users.len());
    let mean_of_user =
        |user: usize| runs.iter().map(|run| run.of_users[user]).sum::<f64>() / runs.len() as f64;
    let (metrics, spread) = match &runs[..] {
        [run] => (run.metrics.clone(), run.spread),
        runs => {
            let metrics: Vec<&[Measured]> = runs.iter().map(|run| &run.metrics[..]).collect();
            (named_mean(&metrics), Spread::Seeds)
        }
    };
    ModelResult {
        model: contender.name,
        parameters: contender.parameters.clone(),
        metrics,
        spread,
        n_runs: contender.n_runs,
        fit_seconds: seconds(|run| run.fit),
        predict_seconds: seconds(|run| run.predict),
        peak_bytes: peak_bytes.unwrap_or(model_bytes),
        model_bytes,
        of_users: (0..n_users).map(mean_of_user).collect(),
    }
}

fn visible_bar(n_runs: u32) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len}  {msg}  {elapsed}");
    let bar = ProgressBar::with_draw_target(Some(u64::from(n_runs)), ProgressDrawTarget::stderr());
    bar.enable_steady_tick(Duration::from_millis(200));
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
