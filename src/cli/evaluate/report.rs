//! What a measurement answers: for scripts as JSON, for people as tables.

use super::contender::Measured;
use crate::learn::evaluation::{Estimate, paired_bootstrap, paired_difference};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;
use std::fmt;

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

/// Columns of one table.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// What stands above it.
    pub(super) title: String,
    /// Name of the metric and head of the column; the standard error is shown beside the first one.
    pub(super) columns: Vec<(String, &'static str)>,
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
    tables: Vec<Table>,
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
    fn ordered(&self) -> Vec<&ModelResult> {
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

/// Bytes as people read them.
fn size(n_bytes: u64) -> String {
    let mebibytes = n_bytes as f64 / f64::from(1 << 20);
    if mebibytes < 10.0 { format!("{mebibytes:.1}") } else { format!("{mebibytes:.0}") }
}

/// Seconds to about three digits.
fn seconds(seconds: f64) -> String {
    let n_digits = if seconds < 1.0 { 3 } else { usize::from(seconds < 100.0) };
    format!("{seconds:.n_digits$}")
}

/// A value to four digits behind the point; large ones to one.
fn number(value: f64) -> String {
    if value.abs() < 100.0 { format!("{value:.4}") } else { format!("{value:.1}") }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, table) in self.tables.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            writeln!(f, "{}", table.title)?;
            write_aligned(f, &self.cells(table))?;
        }
        if !self.comparisons.is_empty() {
            let Comparison { metric, model, .. } = &self.comparisons[0];
            writeln!(f, "\n{model} against the others, {metric} user by user")?;
            write_aligned(f, &self.compared_cells())?;
        }
        write!(f, "\nstandard errors are over {}", self.spreads())
    }
}

impl Report {
    fn cells(&self, table: &Table) -> Vec<Vec<String>> {
        let mut head = vec!["model".to_owned()];
        for (at, (_, name)) in table.columns.iter().enumerate() {
            head.push((*name).to_owned());
            if at == 0 {
                head.push("±".to_owned());
            }
        }
        head.extend(["fit s", "ask s", "model MiB", "peak MiB"].map(str::to_owned));
        let row = |result: &ModelResult| {
            let mut row = vec![result.model.to_owned()];
            for (at, (metric, _)) in table.columns.iter().enumerate() {
                row.push(result.metric(metric).map_or_else(|| "–".into(), number));
                if at == 0 {
                    row.push(result.standard_error(metric).map_or_else(|| "–".into(), number));
                }
            }
            row.extend([seconds(result.fit_seconds), seconds(result.predict_seconds)]);
            row.extend([size(result.model_bytes), size(result.peak_bytes)]);
            row
        };
        std::iter::once(head).chain(self.ordered().into_iter().map(row)).collect()
    }

    fn compared_cells(&self) -> Vec<Vec<String>> {
        let head = ["than", "difference", "±", "from", "to", "p", ""].map(str::to_owned).to_vec();
        let row = |comparison: &Comparison| {
            let Comparison { than, difference, standard_error, interval, p_value, verdict, .. } =
                comparison;
            let numbers = [*difference, *standard_error, interval[0], interval[1], *p_value];
            let [difference, error, low, high, p] = numbers.map(number);
            vec![(*than).to_owned(), difference, error, low, high, p, (*verdict).to_owned()]
        };
        std::iter::once(head).chain(self.comparisons.iter().map(row)).collect()
    }

    fn spreads(&self) -> String {
        let mut words: Vec<&str> = Vec::new();
        for result in &self.results {
            let word = match result.spread {
                Spread::Users => "users",
                Spread::Ratings => "ratings",
                Spread::Folds => "folds",
                Spread::Seeds => "seeds, where a model has one",
            };
            if !words.contains(&word) {
                words.push(word);
            }
        }
        words.join("; ")
    }
}

/// The first column to the left, the others to the right.
fn write_aligned(f: &mut fmt::Formatter<'_>, rows: &[Vec<String>]) -> fmt::Result {
    let n_columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..n_columns).map(width).collect();
    for row in rows {
        let mut line = String::new();
        for (at, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            if at == 0 {
                line.push_str(&format!("{cell:<width$}"));
            } else {
                line.push_str(&format!("  {cell:>width$}"));
            }
        }
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}
