//! What a training run does: events in, snapshot contents and a report out. Pure.
//!
//! The latest slice of time is held out (`holdout`). Models are fitted on what came before; on half of
//! the held-out shoppers everything is chosen: parameters (`tuning`) and the weights of the blend. On the
//! other half everything is measured (what counts a running visit: `visiting`), so that the reported figures come from shoppers on whom no parameter
//! and no weight was chosen; only whether the blend or one model alone is served is decided by them. Then all is fitted again on all. [`report`] is what is written down; [`ablation`] asks what
//! each kind of event is worth.

pub mod ablation;
mod holdout;
mod price_response;
pub mod report;
mod stages;
mod tuning;
mod visiting;

pub use price_response::{PriceRecords, PriceResponseParams, PriceResponseReport};
pub use report::{ModelReport, Report};
pub use stages::{StageReport, Stages};
pub use tuning::{begin_search, tune};

use super::{
    dataset::{EventLog, InteractionMatrix, TradingDays, UserIdx, Weighting, log::Act},
    demand::response::DemandResponse,
    evaluation::{Metrics, choose::learn_blend, evaluate},
    recommenders::{
        Blend, Blended, FitError, FittedModel, ModelKind, ModelParams, Recommender, Start, Stop,
        fit_from,
    },
    related::{self, ItemFacts, Related, RelatedParams, Trending, TrendingParams},
    sessions::{JoinWeights, SessionModel},
};
use crate::domain::{EventKind, Timestamp};
use holdout::HeldOut;
use report::parameters_of;
pub use visiting::{MOMENTS_MAX, VisitParams};

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
    /// Models that are fitted on everything even if the blend has no use for them: a scenario names them.
    pub kept: Vec<ModelKind>,
    /// Their parameters.
    pub models: ModelParams,
    /// How it is learned how demand answers to price.
    pub price_response: PriceResponseParams,
    /// How it is learned what comes next in a visit; `None` if it is not.
    pub visits: Option<VisitParams>,
    /// How related items are found.
    pub related: RelatedParams,
    /// How it is counted what is wanted now.
    pub trending: TrendingParams,
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

impl PipelineParams {
    /// Popularity and the models to fit, each once.
    fn all_kinds(&self) -> Vec<ModelKind> {
        let mut kinds = vec![ModelKind::Popularity];
        for &kind in &self.kinds {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        kinds
    }

    /// Fewest held-out shoppers for a measurement to count.
    fn shoppers_min(&self) -> usize {
        self.holdout_shoppers_min.max(2)
    }
}

/// What a run brings forth.
pub struct Fitted {
    /// Models of the blend, fitted on everything.
    pub models: Vec<FittedModel>,
    /// How they are joined.
    pub blend: Blend,
    /// What comes next in a visit.
    pub session: Option<SessionModel>,
    /// Everybody's row.
    pub matrix: InteractionMatrix,
    /// Last purchase of each item by each shopper, by position.
    pub purchases: Vec<(UserIdx, u32, Timestamp)>,
    /// Popular items, best first.
    pub popular: Vec<(u32, f32)>,
    /// How demand answers to price; `None` if nothing was sold at a known price.
    pub price_response: Option<DemandResponse>,
    /// What goes with each item.
    pub related: Related,
    /// What is wanted now, best first, with faded counts.
    pub trending: Vec<(u32, f32)>,
    /// What was measured.
    pub report: Report,
    /// The shop's own time.
    pub trading_days: TradingDays,
    /// Seconds by model, whole run's fits.
    pub seconds: Vec<(ModelKind, f64)>,
}

/// Fits, measures, chooses, and fits again.
///
/// `start` is where the last fits, on everything, set out from. What is measured always begins anew: the
/// factors of a served snapshot have seen what is held out.
pub fn run(
    log: &EventLog,
    (facts, prices): (&[ItemFacts], &PriceRecords),
    now: Timestamp,
    params: &PipelineParams,
    (start, stop): (Start<'_>, Stop<'_>),
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
    let (blend, weights) = run.measure(&mut report)?;

    let matrix = log.matrix(acts, &params.weighting, (&days, now));
    report.interactions = matrix.n_interactions();
    report.stages.end("matrix");
    let mut seconds = Vec::new();
    let mut models = Vec::new();
    let blended = blend.weights.iter().map(|part| part.0);
    let kept = params.kept.iter().copied().filter(|&kind| !blend.has(kind));
    for kind in blended.chain(kept) {
        match run.fit(kind, (acts, &matrix, now), &params.models, start) {
            Ok(model) => models.push(model),
            Err(FitError::NoData { .. }) => {}
            Err(error) => return Err(error),
        }
        seconds.push((kind, report.stages.end_of("fit", kind)));
    }
    // Lists are served whatever becomes of prices.
    let price_response = match run.price_response((facts, prices), now) {
        Ok(None) => None,
        Ok(Some((response, facts))) => {
            report.price_response = Some(facts);
            Some(response)
        }
        Err(FitError::Stopped) => return Err(FitError::Stopped),
        Err(error) => {
            report.price_response_failure = Some(error.to_string());
            None
        }
    };
    report.stages.end("price_response");
    let session = run.session_model(acts, weights)?;
    report.stages.end("visits");
    let related = related::fit(acts, &matrix, facts, &params.related, stop)?;
    report.stages.end("related");
    let (popular, trending) = (run.popular(now), run.trending(now)?);
    let purchases = last_purchases(acts);
    report.stages.end("popular_and_trending");
    Ok(Fitted {
        price_response,
        popular,
        purchases,
        session,
        related,
        trending,
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

/// A model that was fitted on what came before the held-out slice.
struct Contender {
    model: FittedModel,
    seconds: f64,
    /// On the shoppers that are there to choose on.
    chosen_on: Metrics,
}

impl Run<'_> {
    fn fit(
        &self,
        kind: ModelKind,
        (acts, matrix, now): (&[Act], &InteractionMatrix, Timestamp),
        models: &ModelParams,
        start: Start<'_>,
    ) -> Result<FittedModel, FitError> {
        if kind == ModelKind::Popularity {
            let matrix = self.popularity_matrix(acts, now);
            return fit_from(kind, &matrix, models, start, self.stop);
        }
        fit_from(kind, matrix, models, start, self.stop)
    }

    /// What is wanted changes faster than what a person likes.
    fn popularity_matrix(&self, acts: &[Act], now: Timestamp) -> InteractionMatrix {
        let half_life_days = self.params.popularity_half_life_days;
        let weighting = Weighting { half_life_days, ..self.params.weighting.clone() };
        self.log.matrix(acts, &weighting, (self.days, now))
    }

    /// Fits on what came before the held-out slice, learns the blend on half of the shoppers who came
    /// back, and measures it and every single model on the other half; answers what to serve, and how much a
    /// running visit counts beside it.
    fn measure(&self, report: &mut Report) -> Result<(Blend, JoinWeights), FitError> {
        let params = self.params;
        let kinds = params.all_kinds();
        let held = HeldOut::of(self.log, self.days, self.log.acts(), params);
        report.holdout_shoppers = held.n_shoppers();
        if held.n_shoppers() < params.shoppers_min() {
            report.choice = format!(
                "not measured: {} shoppers came back in the held-out time, {} are needed; all models are joined with equal weight",
                held.n_shoppers(),
                params.shoppers_min()
            );
            let weights = kinds.iter().map(|&kind| (kind, 1.0)).collect();
            return Ok((Blend { weights }, JoinWeights::default()));
        }
        report.holdout_from = Some(held.cut.to_string());
        let mut contenders = Vec::new();
        report.stages.end("held_out_slice");
        for &kind in &kinds {
            let data = (held.before, &held.matrix, held.cut);
            match self.fit(kind, data, &params.models, Start::default()) {
                Ok(model) => {
                    let seconds = report.stages.end_of("held_out_fit", kind);
                    let chosen_on = evaluate(&model, &held.choosing, K);
                    contenders.push(Contender { model, seconds, chosen_on });
                    report.stages.end_of("measuring", kind);
                }
                Err(FitError::NoData { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        if contenders.is_empty() {
            return Ok((Blend::single(ModelKind::Popularity), JoinWeights::default()));
        }
        self.choose(contenders, &held, report)
    }

    fn choose(
        &self,
        contenders: Vec<Contender>,
        held: &HeldOut<'_>,
        report: &mut Report,
    ) -> Result<(Blend, JoinWeights), FitError> {
        let popular = contenders.iter().find(|c| c.model.kind() == ModelKind::Popularity);
        let bar = popular.map_or(0.0, |contender| contender.chosen_on.ndcg);
        let is_beaten = |contender: &Contender| {
            contender.model.kind() != ModelKind::Popularity && contender.chosen_on.ndcg <= bar
        };
        let beaten: Vec<ModelKind> =
            contenders.iter().filter(|c| is_beaten(c)).map(|c| c.model.kind()).collect();
        for contender in &contenders {
            let figures = (contender.seconds, contender.model.n_bytes());
            let metrics = evaluate(&contender.model, &held.measuring, K);
            let kind = contender.model.kind();
            report.stages.end_of("measuring", kind);
            let mut line = ModelReport::new(kind.name(), &metrics, figures);
            line.parameters = parameters_of(kind, &self.params.models);
            report.models.push(line);
        }
        let seconds = contenders.iter().map(|contender| contender.seconds).sum();
        let models: Vec<FittedModel> = contenders
            .into_iter()
            .map(|contender| contender.model)
            .filter(|model| !beaten.contains(&model.kind()))
            .collect();
        let learned = learn_blend(&models, &held.choosing, K, self.stop)?;
        let together = Blended { models: &models[..], blend: learned };
        let joined = evaluate(&together, &held.measuring, K);
        let learned = together.blend;
        let is_best = |at: &usize| {
            let line = &report.models[*at];
            !beaten.iter().any(|kind| kind.name() == line.model)
        };
        let best = (0..report.models.len()).filter(is_best).max_by(|&a, &b| {
            report.models[a].ndcg.total_cmp(&report.models[b].ndcg).then(b.cmp(&a))
        });
        let (blend, served, choice) = match best.map(|at| &report.models[at]) {
            Some(line) if line.ndcg >= joined.ndcg => {
                let kind = ModelKind::named(line.model);
                let choice =
                    format!("{} alone: no blend beats it on the held-out shoppers", line.model);
                let served = (line.ndcg, line.ndcg_standard_error);
                (Blend::single(kind.unwrap_or(ModelKind::Popularity)), served, choice)
            }
            _ => {
                let choice = "the blend: it beats every single model on the held-out shoppers";
                (learned, (joined.ndcg, joined.ndcg_standard_error), choice.to_owned())
            }
        };
        report.choice = choice;
        let weight_of = |name: &str| {
            blend.weights.iter().find(|part| part.0.name() == name).map_or(0.0, |part| part.1)
        };
        for line in &mut report.models {
            line.weight = weight_of(line.model);
            line.verdict = if line.weight > 0.0 {
                "served".into()
            } else if beaten.iter().any(|kind| kind.name() == line.model) {
                "left out: popularity is better on the shoppers that are there to choose on".into()
            } else {
                "left out: adds nothing to what is served".into()
            };
        }
        let popular = report.models.iter().find(|line| line.model == ModelKind::Popularity.name());
        if let Some(popular) = popular.map(|line| line.ndcg).filter(|&ndcg| ndcg > 0.0) {
            report.lift = Some(served.0 / popular);
            report.lift_standard_error = Some(served.1 / popular);
        }
        let n_bytes = models.iter().map(Recommender::n_bytes).sum();
        let mut line = ModelReport::new("blend", &joined, (seconds, n_bytes));
        line.verdict = if blend.weights.len() > 1 { "served" } else { "left out" }.into();
        report.models.push(line);
        report.stages.end("blend");
        let weights = self.weigh_visits((&models, &blend), held, report)?;
        report.stages.end("held_out_visits");
        Ok((blend, weights))
    }

    fn popular(&self, now: Timestamp) -> Vec<(u32, f32)> {
        let matrix = self.popularity_matrix(self.log.acts(), now);
        let weight = |item: u32| -> f64 {
            let cells = matrix.column(super::dataset::ItemIdx(item)).1;
            cells.iter().copied().map(f64::from).sum()
        };
        let mut popular: Vec<(u32, f32)> = (0..matrix.n_items() as u32)
            .map(|item| (item, weight(item) as f32))
            .filter(|item| item.1 > 0.0)
            .collect();
        popular.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        popular
    }

    /// In real time, not the shop's own: what was wanted before a pause is not wanted now.
    fn trending(&self, now: Timestamp) -> Result<Vec<(u32, f32)>, FitError> {
        let mut trending = Trending::new(self.params.trending)?;
        for act in self.log.acts() {
            trending.record(&act.item.0, act.kind, act.at, now);
        }
        let all = trending.top(usize::MAX, now, |_| true);
        Ok(all.into_iter().map(|(item, count)| (item, count as f32)).collect())
    }
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
