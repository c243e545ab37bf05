//! What is printed: tables with a title, and lines that say what to make of them.

use super::super::aligned::write_aligned;
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt;

/// One table.
#[derive(Clone, Debug, Default)]
pub(super) struct Sheet {
    title: String,
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
}

impl Sheet {
    /// With the heads of its columns.
    pub(super) fn new(title: impl Into<String>, heads: &[&str]) -> Self {
        let rows = vec![heads.iter().map(|&head| head.to_owned()).collect()];
        Self { title: title.into(), rows, notes: Vec::new() }
    }

    /// Adds a row.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Adds a line below.
    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }
}

/// What a measurement of prices answers.
#[derive(Clone, Debug, Serialize)]
pub(super) struct PricingReport {
    protocol: Value,
    results: Value,
    #[serde(skip)]
    sheets: Vec<Sheet>,
}

impl PricingReport {
    /// `protocol` says what was done with what, `results` the same as `sheets`.
    pub(super) fn new(protocol: Value, results: Value, sheets: Vec<Sheet>) -> Self {
        Self { protocol, results, sheets }
    }
}

impl fmt::Display for PricingReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for sheet in &self.sheets {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&sheet.to_string());
        }
        write!(f, "{}", text.trim_end())
    }
}

impl fmt::Display for Sheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        write_aligned(f, &self.rows)?;
        self.notes.iter().try_for_each(|note| writeln!(f, "{note}"))
    }
}

/// A number beside the one that others published.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checked {
    /// What it is.
    pub(super) name: &'static str,
    /// As it was printed.
    pub(super) published: &'static str,
    /// What was found here.
    pub(super) found: f64,
}

impl Checked {
    /// The number found, to as many digits as the published one.
    fn printed(&self) -> String {
        let n_digits = self.published.split_once('.').map_or(0, |(_, digits)| digits.len());
        format!("{:.n_digits$}", self.found)
    }

    fn agrees(&self) -> bool {
        self.printed() == self.published
    }
}

/// A table of numbers beside published ones, and the same as JSON.
pub(super) fn checked(title: &str, numbers: &[Checked]) -> (Value, Sheet) {
    let mut sheet = Sheet::new(title, &["", "found", "published", ""]);
    let mut values = Vec::with_capacity(numbers.len());
    for number in numbers {
        let verdict = if number.agrees() { "same" } else { "differs" };
        let cells = [number.name, &number.printed(), number.published, verdict];
        sheet.row(cells.map(str::to_owned));
        values.push(json!({
            "name": number.name,
            "found": number.found,
            "published": number.published,
            "agrees": number.agrees(),
        }));
    }
    let n_same = numbers.iter().filter(|number| number.agrees()).count();
    sheet.note(format!("{n_same} of {} are the same to all digits printed", numbers.len()));
    (Value::Array(values), sheet)
}

/// A number to three digits behind the point.
pub(super) fn three(number: f64) -> String {
    format!("{number:.3}")
}

/// A number to four digits behind the point.
pub(super) fn four(number: f64) -> String {
    format!("{number:.4}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_agrees_to_the_digits_that_were_printed() {
        let number = |published, found| Checked { name: "slope", published, found };
        assert!(number("-1.60131", -1.601_314).agrees());
        assert!(!number("-1.60131", -1.601_32).agrees());
        assert!(number("3", 3.2).agrees());
        let (json, sheet) = checked("slopes", &[number("-1.5", -1.49), number("2.0", 1.0)]);
        assert_eq!(json[0]["agrees"], true);
        assert_eq!(json[1]["found"], 1.0);
        let text = PricingReport::new(Value::Null, json, vec![sheet]).to_string();
        assert_eq!(
            text,
            "slopes\n       found  published\nslope   -1.5       -1.5     same\nslope    1.0        2.0  differs\n\
             1 of 2 are the same to all digits printed"
        );
    }
}
