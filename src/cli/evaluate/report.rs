//! What a measurement answers; for scripts as JSON, for people as [`super::tables`].

use super::{contender::Measured, tables::Table};
use crate::learn::evaluation::{Estimate, paired_bootstrap, paired_difference};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;

/// Resamples of a paired bootstrap: the bounds of a 95 % interval are then good to a tenth of its width
/// (Efron and Tibshirani, "An introduction to the bootstrap", 1993, section 14.3 asks for 1,000 at least).
const N_RESAMPLES: usize = 2_000;

/// What a standard error is taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Spread {
    /// Users of one run.
    #[default]
    Users,
    /// Ratings of one run; of a mean over users, its users.
    Ratings,
    /// Sessions of one run.
    Sessions,
    /// Folds of one run.
    Folds,
    /// Runs with different seeds.
    Seeds,
}

/// What was measured of one model.
#[derive(Clone, Debug)]
pub struct ModelResult {
    /// Its name.
    pub model: &'static str,
    /// What it was fitted with.
    pub parameters: Value,
    /// Metrics by name, with their standard errors.
    pub metrics: Vec<Measured>,
    /// What the standard errors are taken over.
    pub spread: Spread,
    /// Runs that the metrics are means of.
    pub n_runs: u32,
    /// Seconds to fit, in a run.
    pub fit_seconds: f64,
    /// Seconds to ask, in a run.
    pub predict_seconds: f64,
    /// Most memory of the process while it was fitted and asked, or the model's own where the system does
    /// not tell.
    pub peak_bytes: u64,
    /// Memory of the fitted model.
    pub model_bytes: u64,
    /// One value for each user, to compare by.
    pub of_users: Vec<f64>,
}

impl ModelResult {
    /// A metric by name.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metrics.iter().find(|metric| metric.0 == name).map(|metric| metric.1)
    }

    /// Its standard error.
    pub fn standard_error(&self, name: &str) -> Option<f64> {
        self.metrics.iter().find(|metric| metric.0 == name)?.2
    }
}

/// Writes pairs as an object in their order.
struct Object<I>(I);

impl<I: Iterator<Item = (String, f64)> + Clone> Serialize for Object<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.0.clone() {
            map.serialize_entry(&name, &value)?;
        }
        map.end()
    }
}

impl Serialize for ModelResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let metrics = self.metrics.iter().map(|(name, value, _)| (name.clone(), *value));
        let errors =
            self.metrics.iter().filter_map(|(name, _, error)| Some((name.clone(), (*error)?)));
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("model", self.model)?;
        map.serialize_entry("parameters", &self.parameters)?;
        map.serialize_entry("metrics", &Object(metrics))?;
        map.serialize_entry("standard_errors", &Object(errors))?;
        map.serialize_entry("standard_errors_over", &self.spread)?;
        map.serialize_entry("runs", &self.n_runs)?;
        map.serialize_entry("fit_seconds", &self.fit_seconds)?;
        map.serialize_entry("predict_seconds", &self.predict_seconds)?;
        map.serialize_entry("peak_bytes", &self.peak_bytes)?;
        map.serialize_entry("model_bytes", &self.model_bytes)?;
        map.end()
    }
}

/// Each metric's mean over runs, with its standard error.
pub(super) fn named_mean(runs: &[&[Measured]]) -> Vec<Measured> {
    let Some(first) = runs.first() else { return Vec::new() };
    let of = |name: &String| {
        let value = |run: &&[Measured]| run.iter().find(|metric| metric.0 == *name).map(|m| m.1);
        let values: Vec<f64> = runs.iter().filter_map(value).collect();
        let Estimate { mean, standard_error, .. } = Estimate::of(&values);
        (name.clone(), mean, Some(standard_error))
    };
    first.iter().map(|(name, ..)| of(name)).collect()
}

/// The number that models are ordered and compared by.
#[derive(Clone, Debug)]
pub struct Headline {
    /// The metric.
    pub metric: String,
    /// Whether more is better.
    pub is_higher_better: bool,
}

/// The best model and another one, user by user.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// What was compared, by user.
    pub metric: String,
    /// The best.
    pub model: &'static str,
    /// The other.
    pub than: &'static str,
    /// Mean of the first less the second.
    pub difference: f64,
    /// Its standard error over users, paired.
    pub standard_error: f64,
    /// Bounds of the 95 % interval, by bootstrap over users.
    pub interval: [f64; 2],
    /// Significance level of the bootstrap, two-sided.
    pub p_value: f64,
    /// `better`, or `tie` if the difference is under two standard errors.
    pub verdict: &'static str,
}

/// What a measurement answers.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was done with what, so that it can be done again.
    pub protocol: Value,
    /// Every model, in the order asked for.
    pub results: Vec<ModelResult>,
    /// The best model against every other.
    pub comparisons: Vec<Comparison>,
    /// What models are ordered by.
    #[serde(skip)]
    pub headline: Headline,
    #[serde(skip)]
    pub(super) tables: Vec<Table>,
}

impl Report {
    /// Puts results together; the best is compared with every other by `compared_by`, which `of_users` of
    /// the results holds.
    pub(super) fn new(
        protocol: Value,
        results: Vec<ModelResult>,
        (headline, compared_by): (Headline, &str),
        tables: Vec<Table>,
    ) -> Self {
        let mut report = Self { protocol, results, comparisons: Vec::new(), headline, tables };
        report.comparisons = report.compare(compared_by);
        report
    }

    /// Results, best first; of equals the first asked for.
    pub(super) fn ordered(&self) -> Vec<&ModelResult> {
        let value = |result: &ModelResult| {
            let value = result.metric(&self.headline.metric).unwrap_or(f64::NAN);
            if self.headline.is_higher_better { -value } else { value }
        };
        let mut ordered: Vec<&ModelResult> = self.results.iter().collect();
        ordered.sort_by(|a, b| value(a).total_cmp(&value(b)));
        ordered
    }

    fn compare(&self, metric: &str) -> Vec<Comparison> {
        let ordered = self.ordered();
        let Some((best, others)) = ordered.split_first() else { return Vec::new() };
        let comparison = |other: &&ModelResult| {
            let (a, b) = (&best.of_users, &other.of_users);
            let paired = paired_difference(a, b);
            let bootstrap = paired_bootstrap(a, b, N_RESAMPLES, 0)?;
            let is_tie = paired.mean.abs() < 2.0 * paired.standard_error || paired.mean == 0.0;
            Some(Comparison {
                metric: metric.to_owned(),
                model: best.model,
                than: other.model,
                difference: paired.mean,
                standard_error: paired.standard_error,
                interval: [bootstrap.low, bootstrap.high],
                p_value: bootstrap.p_value,
                verdict: if is_tie { "tie" } else { "better" },
            })
        };
        others.iter().filter_map(comparison).collect()
    }
}
