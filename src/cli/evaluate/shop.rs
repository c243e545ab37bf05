//! The shop's own events, by time: every model, the blend that would be served, and what each kind of
//! event is worth.

use crate::{
    app,
    cli::commands::{report_lines, say},
    config::Config,
    domain::Sequence,
    learn::{
        dataset::EventLog,
        pipeline::{
            PipelineParams, Report,
            ablation::{Variant, ablate, measure_once},
            begin_search, tune,
        },
        recommenders::{FitError, NEVER_STOP},
        search::{Limits, SearchState},
    },
    record::store::Store,
};
use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget};
use serde_json::json;
use std::io::IsTerminal;

/// Events read at a time.
const PAGE: u32 = 20_000;

/// What to measure of the shop.
#[derive(Debug, clap::Args)]
pub(crate) struct ShopArguments {
    /// First search for better parameters, for at most `search.budget_seconds`.
    #[arg(long)]
    search: bool,
    /// Measure again without each type of event, with all weights alike, and with other half-lives.
    #[arg(long)]
    ablate: bool,
}

/// Measures; nothing is published.
pub(crate) async fn shop(
    config: Config,
    arguments: ShopArguments,
    is_json: bool,
) -> anyhow::Result<()> {
    let store = app::open_store(&config).await?;
    let params = app::pipeline_params(&config);
    let (log, watermark) = read(&*store, &config, &params).await.context("cannot read events")?;
    anyhow::ensure!(!log.acts().is_empty(), "there are no events about items to measure on");
    let pool = app::training_pool(&config)?;
    let limits = arguments.search.then_some(Limits {
        trials_max: config.search.trials_max,
        seconds_max: config.search.budget_seconds,
        call_seconds_max: config.search.budget_seconds,
        seed: config.training.seed,
    });
    let work = move || pool.install(|| measure(&log, watermark, params, limits, arguments.ablate));
    let variants = tokio::task::spawn_blocking(work).await??;
    if is_json {
        say(json!({ "protocol": { "split": "by time, by shopper" }, "results": variants }));
    } else {
        variants.iter().for_each(print);
    }
    Ok(())
}

/// Every event in the store, as the trainer would have it.
async fn read(
    store: &dyn Store,
    config: &Config,
    params: &PipelineParams,
) -> anyhow::Result<(EventLog, Sequence)> {
    let (mut log, mut after) = (EventLog::default(), Sequence(0));
    loop {
        let events = store.events_after(after, PAGE).await?;
        let Some(last) = events.last() else { break };
        after = last.sequence;
        log.extend(&events, &params.weighting);
    }
    let training = &config.training;
    log.settle(
        f64::from(training.window_days),
        training.events_max,
        training.events_per_shopper_max,
    );
    Ok((log, after))
}

/// The shop as it is set, or with the parameters that were found; then, if asked, with one thing changed.
fn measure(
    log: &EventLog,
    watermark: Sequence,
    mut params: PipelineParams,
    limits: Option<Limits>,
    ablates: bool,
) -> Result<Vec<Variant>, FitError> {
    let progress = spinner();
    let mut found: Option<SearchState> = None;
    if let Some(limits) = limits
        && let Some(mut search) = begin_search(log, watermark, params.models, &params)
    {
        let on_trial = |search: &SearchState| {
            progress.set_message(format!("candidate {}", search.trials.len()));
            progress.tick();
        };
        tune(log, &params, (&mut search, &limits), on_trial, NEVER_STOP)?;
        params.models = search.best_params(&params.models);
        found = Some(search);
    }
    let mut variants = if ablates {
        let on_variant = |change: &str| {
            progress.set_message(change.to_owned());
            progress.tick();
        };
        ablate(log, &params, on_variant, NEVER_STOP)?
    } else {
        let report = measure_once(log, &log.trading_days(), &params, NEVER_STOP)?;
        vec![Variant { change: "as it is set".into(), report }]
    };
    if let (Some(first), Some(search)) = (variants.first_mut(), &found) {
        first.change = "with the parameters that the search found".into();
        first.report.search = Some(search.into());
    }
    progress.finish_and_clear();
    Ok(variants)
}

/// On a terminal only.
fn spinner() -> ProgressBar {
    if std::io::stderr().is_terminal() {
        ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
    } else {
        ProgressBar::hidden()
    }
}

fn print(variant: &Variant) {
    let Report { events, shoppers, items, holdout_shoppers, choice, search, .. } = &variant.report;
    say(format!("\n{}", variant.change));
    say(format!(
        "{events} events, {shoppers} shoppers, {items} items; {holdout_shoppers} shoppers came back, half of them to measure on"
    ));
    for candidate in search.iter().flat_map(|search| &search.candidates) {
        let ndcg = candidate.ndcg.map_or("–".into(), |ndcg| format!("{ndcg:.4}"));
        let best = if candidate.is_best { "  best of its model" } else { "" };
        let fault = candidate.fault.as_deref().unwrap_or_default();
        say(format!(
            "{:<12} {ndcg} {:>6.2} s  {}{best}{fault}",
            candidate.model, candidate.seconds, candidate.parameters
        ));
    }
    let report = serde_json::to_value(&variant.report).unwrap_or_default();
    report_lines(&report).into_iter().for_each(say);
    say(format!("served: {choice}"));
}
