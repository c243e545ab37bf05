//! What a training run does: events in, snapshot contents and a report out. Pure.
//!
//! The latest slice of time is held out. Models are fitted on what came before; on half of the
//! held-out shoppers the blend is learned, on the other half everything is measured, so that the
//! reported figures come from shoppers that nothing was chosen on. Then all is fitted again on all.

use super::{
    dataset::{EventLog, InteractionMatrix, TradingDays, UserIdx, Weighting, log::Act},
    demand::{self, DemandOutlook, DemandParams, Sale},
    evaluation::{HeldOutCase, Metrics, choose::learn_blend, evaluate},
    recommenders::{
        FitError, FittedModel, ModelKind, ModelParams, Stop, blend::Blend, fit as fit_model,
    },
};
use crate::domain::{EventKind, Timestamp, time::DAY_MS};
use rustc_hash::FxHashSet;
use serde::Serialize;
use std::time::Instant;

/// List length that is measured.
pub const K: usize = 10;

/// How a run is done.
#[derive(Clone, Debug)]
pub struct PipelineParams {
    /// What events are worth.
    pub weighting: Weighting,
    /// Half-life for popularity, in days.
    pub popularity_half_life_days: f64,
    /// Models to fit, popularity aside, which always is.
    pub kinds: Vec<ModelKind>,
    /// Their parameters.
    pub models: ModelParams,
    /// Demand's parameters.
    pub demand: DemandParams,
    /// Share of the time range that is held out.
    pub holdout_share: f64,
    /// Longest held-out time, in days.
    pub holdout_days_max: u32,
    /// Most held-out shoppers.
    pub holdout_shoppers_max: usize,
    /// Fewest for a measurement to count.
    pub holdout_shoppers_min: usize,
    /// Days for which a purchase is left out of its buyer's lists.
    pub hide_purchased_days: u32,
}

/// How one model did on the held-out slice.
#[derive(Clone, Debug, Serialize)]
pub struct ModelReport {
    /// Its name; `blend` for the blend.
    pub model: &'static str,
    /// NDCG@10 over held-out shoppers.
    pub ndcg: f64,
    /// Its standard error.
    pub ndcg_standard_error: f64,
    /// Recall@10.
    pub recall: f64,
    /// Share of shoppers with at least one hit among ten.
    pub hit_rate: f64,
    /// Share of the catalogue that appears in at least one list.
    pub coverage: f64,
    /// Seconds to fit.
    pub fit_seconds: f64,
    /// Weight in the blend, 0 = not served.
    pub weight: f32,
}

/// What a run measured and chose.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Events, shoppers, items and interactions that it learned from.
    pub events: usize,
    /// Shoppers.
    pub shoppers: usize,
    /// Items.
    pub items: usize,
    /// Cells of the matrix.
    pub interactions: usize,
    /// Where the held-out slice begins.
    pub holdout_from: Option<String>,
    /// Held-out shoppers that were measured on.
    pub holdout_shoppers: usize,
    /// Every model, and the blend last.
    pub models: Vec<ModelReport>,
    /// NDCG@10 of what is served over that of popularity; absent if not measured.
    pub lift: Option<f64>,
    /// Standard error of the lift, popularity taken as exact.
    pub lift_standard_error: Option<f64>,
    /// What is served, and why, in words.
    pub choice: String,
}

/// What a run brings forth.
pub struct Fitted {
    /// Models of the blend, fitted on everything.
    pub models: Vec<FittedModel>,
    /// How they are joined.
    pub blend: Blend,
    /// Everybody's row.
    pub matrix: InteractionMatrix,
    /// Last purchase of each item by each shopper, by position.
    pub purchases: Vec<(UserIdx, u32, Timestamp)>,
    /// Popular items, best first.
    pub popular: Vec<(u32, f32)>,
    /// Demand.
    pub demand: DemandOutlook,
    /// What was measured.
    pub report: Report,
    /// The shop's own time.
    pub trading_days: TradingDays,
    /// Seconds by model, whole run's fits.
    pub seconds: Vec<(ModelKind, f64)>,
}

/// Fits, measures, chooses, and fits again.
pub fn run(
    log: &EventLog,
    category_of: &[Option<u32>],
    now: Timestamp,
    params: &PipelineParams,
    stop: Stop<'_>,
) -> Result<Fitted, FitError> {
    let days = log.trading_days();
    let run = Run { log, days: &days, params, stop };
    let acts = log.acts();
    let mut report = Report {
        events: acts.len(),
        shoppers: log.shoppers().len(),
        items: log.items().len(),
        ..Report::default()
    };
    let mut kinds = vec![ModelKind::Popularity];
    kinds.extend(params.kinds.iter().filter(|&&kind| kind != ModelKind::Popularity));

    let blend = run.measure(&kinds, &mut report)?;

    let matrix = log.matrix(acts, &params.weighting, (&days, now));
    report.interactions = matrix.n_interactions();
    let mut seconds = Vec::new();
    let mut models = Vec::new();
    for &(kind, _) in &blend.weights {
        let begun = Instant::now();
        match run.fit(kind, acts, &matrix, now) {
            Ok(model) => models.push(model),
            Err(FitError::NoData { .. }) => {}
            Err(error) => return Err(error),
        }
        seconds.push((kind, begun.elapsed().as_secs_f64()));
    }
    Ok(Fitted {
        popular: run.popular(now),
        purchases: last_purchases(acts),
        demand: run.outlook(category_of, now)?,
        models,
        blend,
        matrix,
        report,
        seconds,
        trading_days: days,
    })
}

/// What every step of a run looks at.
struct Run<'a> {
    log: &'a EventLog,
    days: &'a TradingDays,
    params: &'a PipelineParams,
    stop: Stop<'a>,
}

impl Run<'_> {
    fn fit(
        &self,
        kind: ModelKind,
        acts: &[Act],
        matrix: &InteractionMatrix,
        now: Timestamp,
    ) -> Result<FittedModel, FitError> {
        if kind == ModelKind::Popularity {
            // What is wanted changes faster than what a person likes.
            let matrix = self.log.matrix(acts, &self.popularity_weighting(), (self.days, now));
            return fit_model(kind, &matrix, &self.params.models, self.stop);
        }
        fit_model(kind, matrix, &self.params.models, self.stop)
    }

    fn popularity_weighting(&self) -> Weighting {
        let half_life_days = self.params.popularity_half_life_days;
        Weighting { half_life_days, ..self.params.weighting.clone() }
    }

    /// Where the held-out slice begins: the last so many days of the shop's own time.
    fn holdout_from(&self) -> Timestamp {
        let acts = self.log.acts();
        let (Some(first), Some(last)) = (acts.first(), acts.last()) else {
            return Timestamp::default();
        };
        let (first, last) = (self.days.position(first.at), self.days.position(last.at));
        let share = (last - first) * self.params.holdout_share;
        self.days.at_position(last - share.min(f64::from(self.params.holdout_days_max)))
    }

    /// Fits on what came before the held-out slice, learns the blend on half of the shoppers who came
    /// back, and measures it and every single model on the other half; answers what to serve.
    fn measure(&self, kinds: &[ModelKind], report: &mut Report) -> Result<Blend, FitError> {
        let (log, params, stop) = (self.log, self.params, self.stop);
        let cut = self.holdout_from();
        let (before, after) = log.acts().split_at(log.acts().partition_point(|act| act.at < cut));
        let fallback = || Blend { weights: vec![(ModelKind::Popularity, 1.0)] };
        let matrix = log.matrix(before, &params.weighting, (self.days, cut));
        let cases = held_out_cases(&matrix, before, after, cut, params);
        report.holdout_shoppers = cases.len();
        if cases.len() < params.holdout_shoppers_min.max(2) {
            report.choice = format!(
                "not measured: {} shoppers came back in the held-out time, {} are needed; all models are joined with equal weight",
                cases.len(),
                params.holdout_shoppers_min.max(2)
            );
            let weights = kinds.iter().map(|&kind| (kind, 1.0)).collect();
            return Ok(Blend { weights });
        }
        report.holdout_from = Some(cut.to_string());
        let mut models = Vec::new();
        let mut seconds = Vec::new();
        for &kind in kinds {
            let begun = Instant::now();
            match self.fit(kind, before, &matrix, cut) {
                Ok(model) => {
                    models.push(model);
                    seconds.push((kind, begun.elapsed().as_secs_f64()));
                }
                Err(FitError::NoData { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        if models.is_empty() {
            return Ok(fallback());
        }
        let (choosing, measuring): (Vec<_>, Vec<_>) =
            cases.into_iter().enumerate().partition(|(at, _)| at % 2 == 0);
        let choosing: Vec<HeldOutCase> = choosing.into_iter().map(|(_, case)| case).collect();
        let measuring: Vec<HeldOutCase> = measuring.into_iter().map(|(_, case)| case).collect();
        let mut blend = learn_blend(&models, &choosing, K, stop)?;
        let n_items = matrix.n_items();

        let of = |blend: &Blend| blend_metrics(&models, blend, &measuring, n_items);
        let single = |kind: ModelKind| of(&Blend { weights: vec![(kind, 1.0)] });
        let singles: Vec<(ModelKind, Metrics)> =
            seconds.iter().map(|&(kind, _)| (kind, single(kind))).collect();
        let joined = of(&blend);
        let best = singles.iter().max_by(|a, b| a.1.ndcg.total_cmp(&b.1.ndcg).then(b.0.cmp(&a.0)));
        let mut served = joined;
        report.choice = "the blend: it beats every single model on the held-out shoppers".into();
        if let Some((kind, metrics)) = best
            && metrics.ndcg >= joined.ndcg
        {
            report.choice =
                format!("{} alone: no blend beats it on the held-out shoppers", kind.name());
            blend = Blend { weights: vec![(*kind, 1.0)] };
            served = *metrics;
        }
        let weight_of = |kind| blend.weights.iter().find(|w| w.0 == kind).map_or(0.0, |w| w.1);
        for (kind, metrics) in &singles {
            let fit_seconds = seconds.iter().find(|s| s.0 == *kind).map_or(0.0, |s| s.1);
            report.models.push(line(kind.name(), metrics, fit_seconds, weight_of(*kind)));
        }
        let total = seconds.iter().map(|s| s.1).sum();
        report.models.push(line("blend", &joined, total, 0.0));
        let popular =
            singles.iter().find(|s| s.0 == ModelKind::Popularity).map_or(0.0, |s| s.1.ndcg);
        if popular > 0.0 {
            report.lift = Some(served.ndcg / popular);
            report.lift_standard_error = Some(served.ndcg_standard_error / popular);
        }
        Ok(blend)
    }

    fn popular(&self, now: Timestamp) -> Vec<(u32, f32)> {
        let weighting = self.popularity_weighting();
        let mut weights = vec![0.0_f64; self.log.items().len()];
        for act in self.log.acts() {
            let decayed = act.weight * weighting.decay(self.days.age_days(act.at, now));
            weights[act.item.0 as usize] += f64::from(decayed);
        }
        let mut popular: Vec<(u32, f32)> =
            (0..).zip(weights.iter().map(|&w| w as f32)).filter(|item| item.1 > 0.0).collect();
        popular.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        popular
    }

    /// Demand in the shop's own time: a pause is no slump.
    fn outlook(
        &self,
        category_of: &[Option<u32>],
        now: Timestamp,
    ) -> Result<DemandOutlook, FitError> {
        let sales: Vec<Sale> = self
            .log
            .acts()
            .iter()
            .filter_map(|act| {
                let sign = match act.kind {
                    EventKind::Purchase => 1.0,
                    EventKind::Return => -1.0,
                    _ => return None,
                };
                let at = self.days.shop_time(act.at);
                Some(Sale { item: act.item.0, at, units: sign * f64::from(act.quantity) })
            })
            .collect();
        demand::outlook(&sales, category_of, self.days.shop_time(now), &self.params.demand)
    }
}

fn blend_metrics(
    models: &[FittedModel],
    blend: &Blend,
    cases: &[HeldOutCase],
    n_items: usize,
) -> Metrics {
    evaluate(
        |query, scores, scratch| blend.score_items(models, query, scores, scratch),
        cases,
        K,
        n_items,
    )
}

fn line(model: &'static str, metrics: &Metrics, fit_seconds: f64, weight: f32) -> ModelReport {
    ModelReport {
        model,
        ndcg: metrics.ndcg,
        ndcg_standard_error: metrics.ndcg_standard_error,
        recall: metrics.recall,
        hit_rate: metrics.hit_rate,
        coverage: metrics.coverage,
        fit_seconds,
        weight,
    }
}

/// Shoppers known before the cut who came to like something after it, as the service would have
/// met them: what they had bought within `hide_purchased_days` is not shown to them.
fn held_out_cases(
    matrix: &InteractionMatrix,
    before: &[Act],
    after: &[Act],
    cut: Timestamp,
    params: &PipelineParams,
) -> Vec<HeldOutCase> {
    let hidden_from = cut.plus_ms(-i64::from(params.hide_purchased_days) * DAY_MS);
    let recent = |act: &&Act| act.kind == EventKind::Purchase && act.at >= hidden_from;
    let hidden: FxHashSet<(u32, u32)> =
        before.iter().filter(recent).map(|act| (act.user.0, act.item.0)).collect();
    let known: FxHashSet<u32> = before.iter().map(|act| act.item.0).collect();
    let mut liked: Vec<(u32, u32)> = after
        .iter()
        .filter(|act| act.weight > 0.0 && known.contains(&act.item.0))
        .map(|act| (act.user.0, act.item.0))
        .filter(|pair| !hidden.contains(pair))
        .collect();
    liked.sort_unstable();
    liked.dedup();
    let mut excluded: Vec<(u32, u32)> = hidden.into_iter().collect();
    excluded.sort_unstable();
    let mut cases: Vec<HeldOutCase> = liked
        .chunk_by(|a, b| a.0 == b.0)
        .filter_map(|pairs| {
            let user = UserIdx(pairs[0].0);
            let history: Vec<(u32, f32)> = matrix.row_cells(user).collect();
            let from = excluded.partition_point(|pair| pair.0 < user.0);
            let to = excluded.partition_point(|pair| pair.0 <= user.0);
            (!history.is_empty()).then(|| HeldOutCase {
                user: Some(user),
                history,
                excluded: excluded[from..to].iter().map(|pair| pair.1).collect(),
                relevant: pairs.iter().map(|pair| pair.1).collect(),
            })
        })
        .collect();
    // Every so-manyth shopper, so that the sample spreads over all of them and is the same each time.
    let step = cases.len().div_ceil(params.holdout_shoppers_max.max(1)).max(1);
    let mut at = 0;
    cases.retain(|_| {
        at += 1;
        (at - 1) % step == 0
    });
    cases
}

fn last_purchases(acts: &[Act]) -> Vec<(UserIdx, u32, Timestamp)> {
    let bought = acts.iter().filter(|act| act.kind == EventKind::Purchase);
    let mut last: Vec<_> = bought.map(|act| (act.user, act.item.0, act.at)).collect();
    last.sort_unstable();
    last.dedup_by(|next, kept| {
        let same = (next.0, next.1) == (kept.0, kept.1);
        if same {
            kept.2 = kept.2.max(next.2);
        }
        same
    });
    last
}
