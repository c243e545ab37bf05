//! Results as tables, for people.

use super::{
    aligned::write_aligned,
    report::{Comparison, ModelResult, Report, Spread},
};
use std::fmt;

/// Columns of one table.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// What stands above it.
    pub(super) title: String,
    /// Name of the metric and head of the column; the standard error is shown beside the first one.
    pub(super) columns: Vec<(String, &'static str)>,
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
            let of_sessions = self.results.iter().any(|result| result.spread == Spread::Sessions);
            let one = if of_sessions { "session" } else { "user" };
            writeln!(f, "\n{model} against the others, {metric} {one} by {one}")?;
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
                Spread::Sessions => "sessions",
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
