//! `GET /experiments`: what runs, and what it was worth.

use super::{
    error::{ApiError, Problem},
    extract::Path,
    state::ApiState,
};
use crate::{
    decide::experiment::{
        Experiment,
        results::{Estimate, Figure, Tally, results},
    },
    domain::{Timestamp, VariantTally},
};
use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

/// An experiment as the settings have it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExperimentInfo {
    /// Its name.
    id: String,
    /// The scenario it is about.
    scenario: String,
    /// Whether it runs now.
    running: bool,
    /// When it begins.
    starts: Option<String>,
    /// When it ends.
    ends: Option<String>,
    /// What is compared; the first is the control.
    variants: Vec<VariantInfo>,
}

/// A variant as the settings have it.
#[derive(Debug, Serialize, ToSchema)]
pub struct VariantInfo {
    /// Its name.
    name: String,
    /// The part of all shoppers who see it.
    share: f64,
}

fn info(experiment: &Experiment, now: Timestamp) -> ExperimentInfo {
    ExperimentInfo {
        id: experiment.id.clone(),
        scenario: experiment.scenario.clone(),
        running: experiment.is_running(now),
        starts: experiment.starts.map(|at| at.to_string()),
        ends: experiment.ends.map(|at| at.to_string()),
        variants: experiment
            .variants
            .iter()
            .map(|variant| VariantInfo { name: variant.name.clone(), share: variant.share })
            .collect(),
    }
}

/// All experiments of the settings.
#[utoipa::path(get, path = "/experiments", tag = "operator", responses((status = 200, body = Vec<ExperimentInfo>)))]
pub async fn get_experiments(State(state): State<ApiState>) -> Json<Vec<ExperimentInfo>> {
    let now = state.clock.now();
    Json(state.policies.experiments().map(|experiment| info(experiment, now)).collect())
}

/// What an experiment was worth so far.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExperimentAnswer {
    /// What runs.
    #[serde(flatten)]
    experiment: ExperimentInfo,
    /// Each variant, the control first.
    variants_measured: Vec<VariantAnswer>,
    /// Whether the shoppers are split as the shares say; null before anybody was seen.
    sample_ratio: Option<SampleRatioAnswer>,
    /// Of the intervals, for all variants together.
    confidence: f64,
}

/// One variant.
#[derive(Debug, Serialize, ToSchema)]
pub struct VariantAnswer {
    /// Its name.
    name: String,
    /// Shoppers with any event that is credited to it: to be seen, lists must be followed by `impression` events.
    users: u64,
    /// Impressions.
    impressions: u64,
    /// Clicks.
    clicks: u64,
    /// Items put into the cart.
    carts: u64,
    /// Purchases.
    purchases: u64,
    /// Revenue, in the shop's currency.
    revenue: f64,
    /// Part of the users who bought.
    conversion: FigureAnswer,
    /// Clicks for each impression.
    click_rate: FigureAnswer,
    /// Carts for each impression.
    cart_rate: FigureAnswer,
    /// Purchases for each impression.
    purchase_rate: FigureAnswer,
    /// Revenue for each user.
    revenue_per_user: FigureAnswer,
}

/// A figure with its interval, and how it compares with the control.
#[derive(Debug, Serialize, ToSchema)]
pub struct FigureAnswer {
    /// The figure; null if there is nothing to divide by.
    value: Option<IntervalAnswer>,
    /// Minus the control's; null for the control.
    difference: Option<IntervalAnswer>,
    /// The same as a part of the control's.
    relative_lift: Option<f64>,
    /// How probable such a difference is by chance.
    p_value: Option<f64>,
    /// The least difference that would be found with so many.
    detectable: Option<f64>,
}

/// A value and where it may lie.
#[derive(Debug, Serialize, ToSchema)]
pub struct IntervalAnswer {
    /// The value.
    value: f64,
    /// Lower end.
    low: f64,
    /// Upper end.
    high: f64,
}

/// Whether the split of shoppers is believable.
#[derive(Debug, Serialize, ToSchema)]
pub struct SampleRatioAnswer {
    /// How probable such a split is by chance.
    p_value: f64,
    /// Whether it is so improbable that the results should not be believed.
    mismatch: bool,
}

impl From<Estimate> for IntervalAnswer {
    fn from(estimate: Estimate) -> Self {
        Self { value: estimate.value, low: estimate.low, high: estimate.high }
    }
}

impl From<Figure> for FigureAnswer {
    fn from(figure: Figure) -> Self {
        let comparison = figure.comparison;
        Self {
            value: figure.estimate.map(Into::into),
            relative_lift: comparison.as_ref().and_then(|c| c.relative_lift),
            p_value: comparison.as_ref().and_then(|c| c.p_value),
            detectable: comparison.as_ref().and_then(|c| c.detectable),
            difference: comparison.map(|c| c.difference.into()),
        }
    }
}

/// Measures an experiment on the events that are credited to its variants.
#[utoipa::path(get, path = "/experiments/{id}", tag = "operator", params(("id" = String, Path)),
    responses((status = 200, body = ExperimentAnswer), (status = 404, body = Problem)))]
pub async fn get_experiment(
    State(state): State<ApiState>,
    Path(id): Path<String>,
) -> Result<Json<ExperimentAnswer>, ApiError> {
    let experiment = state.policies.experiments().find(|experiment| experiment.id == id);
    let experiment = experiment.ok_or(ApiError::NotFound { what: "experiment", id: id.clone() })?;
    let found = state.store.variant_tallies(&id).await?;
    let minor = 10_f64.powi(state.currency.digits() as i32);
    let tally = |name: &str| {
        let of_it = found.iter().find(|tally| tally.variant == name);
        of_it.map_or_else(Tally::default, |of_it| tally_of(of_it, minor))
    };
    let tallies: Vec<(f64, Tally)> =
        experiment.variants.iter().map(|variant| (variant.share, tally(&variant.name))).collect();
    let measured = results(&tallies);
    let variants = experiment.variants.iter().zip(&tallies).zip(measured.variants);
    let variants = variants.map(|((variant, (_, tally)), result)| VariantAnswer {
        name: variant.name.clone(),
        users: tally.users,
        impressions: tally.impressions,
        clicks: tally.clicks,
        carts: tally.carts,
        purchases: tally.purchases,
        revenue: tally.revenue,
        conversion: result.conversion.into(),
        click_rate: result.click_rate.into(),
        cart_rate: result.cart_rate.into(),
        purchase_rate: result.purchase_rate.into(),
        revenue_per_user: result.revenue_per_user.into(),
    });
    Ok(Json(ExperimentAnswer {
        experiment: info(experiment, state.clock.now()),
        variants_measured: variants.collect(),
        sample_ratio: measured
            .sample_ratio
            .map(|ratio| SampleRatioAnswer { p_value: ratio.p_value, mismatch: ratio.mismatch }),
        confidence: measured.confidence,
    }))
}

fn tally_of(of_it: &VariantTally, minor: f64) -> Tally {
    Tally {
        users: of_it.users,
        converted: of_it.converted,
        impressions: of_it.impressions,
        clicks: of_it.clicks,
        carts: of_it.carts,
        purchases: of_it.purchases,
        revenue: of_it.revenue_minor / minor,
        revenue_squares: of_it.revenue_squares / (minor * minor),
    }
}
