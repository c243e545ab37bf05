//! How demand answers to price: what the model finds on public sales, beside what others published, and what prices
//! chosen by it earn in a made-up shop.
//!
//! | file given | what is printed | here |
//! | --- | --- | --- |
//! | orange juice, three brands (`oj`) | a textbook's regressions | [`mod@juice`] |
//! | orange juice, eleven brands (`orangeJuice_yx`) | elasticities by brand; short histories | [`mod@juice`] |
//! | sliced cheese (`cheese`) | how far retailers differ | [`mod@cheese`] |
//! | Online Retail | elasticities, grades, weeks foreseen | [`mod@retail`] |
//! | none | slow sellers, and the made-up shop | [`mod@made_up`] |
//!
//! [`mod@rows`] reads, [`mod@sheet`] prints. What is measured, and how, is
//! [`crate::learn::evaluation::pricing`]'s.

mod cheese;
mod juice;
mod made_up;
mod retail;
mod rows;
mod sheet;

use super::{
    in_range,
    text_file::{FileError, FileFacts},
};
use crate::{cli::commands::say, learn::evaluation::pricing::arena::ArenaParams};
use anyhow::Context;
use rows::DataFile;
use serde_json::{Value, json};
use sheet::{PricingReport, Sheet};
use std::path::{Path, PathBuf};

/// What to measure of prices.
#[derive(Debug, clap::Args)]
pub(crate) struct PricingArguments {
    /// Public sales, plain, .zst or .gz; known by their header: orange juice (`oj` or `orangeJuice_yx`), `cheese`, or
    /// Online Retail. Without it sales are made up.
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Weeks at the end of Online Retail that are foreseen from those before.
    #[arg(long, default_value_t = 8, requires = "data", value_parser = parse_weeks)]
    held_out_weeks: usize,
    /// Made-up shops for each volume.
    #[arg(long, default_value_t = 5, conflicts_with = "data", value_parser = clap::value_parser!(u16).range(1..=100))]
    seeds: u16,
    /// Units that the median item of a made-up shop sells in a week.
    #[arg(long, value_delimiter = ',', default_value = "1,5,30", conflicts_with = "data", value_parser = parse_units)]
    units: Vec<f64>,
    /// How much more than others some items of a made-up shop sell: deviation of the logarithm of their units in a week.
    /// In Online Retail it is 1.3.
    #[arg(long, default_value_t = ArenaParams::default().spread, conflicts_with = "data", value_parser = parse_spread)]
    spread: f64,
    /// Made-up histories of slow sellers for each volume.
    #[arg(long, default_value_t = 4_000, conflicts_with = "data", value_parser = parse_histories)]
    histories: usize,
    /// Threads to use; all there are, if not given.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1_024))]
    threads: Option<u16>,
}

fn parse_weeks(text: &str) -> Result<usize, String> {
    in_range(text, 1, 40)
}

fn parse_histories(text: &str) -> Result<usize, String> {
    in_range(text, 10, 100_000)
}

fn parse_units(text: &str) -> Result<f64, String> {
    let units = text.trim().parse().ok().filter(|units| (0.05..=1_000.0).contains(units));
    units.ok_or_else(|| "must be a number between 0.05 and 1000".into())
}

fn parse_spread(text: &str) -> Result<f64, String> {
    let spread = text.trim().parse().ok().filter(|spread| (0.1..=3.0).contains(spread));
    spread.ok_or_else(|| "must be a number from 0.1 to 3".into())
}

impl PricingArguments {
    fn measure(&self) -> anyhow::Result<PricingReport> {
        if let Some(path) = &self.data {
            return of_file(path, self);
        }
        let params = ArenaParams { spread: self.spread, ..ArenaParams::default() };
        made_up::measure(&params, self.seeds, &self.units, self.histories)
    }
}

/// Measures and says what came of it.
pub(crate) fn pricing(arguments: &PricingArguments, is_json: bool) -> anyhow::Result<()> {
    let n_threads = arguments.threads.map_or(0, usize::from);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build()?;
    let report = pool.install(|| arguments.measure())?;
    if is_json {
        say(serde_json::to_string(&report).context("cannot write the report")?);
    } else {
        say(&report);
    }
    Ok(())
}

/// What was measured, and on what.
type Measured = (Value, Vec<Sheet>);

fn of_file(path: &Path, arguments: &PricingArguments) -> anyhow::Result<PricingReport> {
    let file = DataFile::open(path)?;
    let measure: fn(DataFile, &PricingArguments) -> anyhow::Result<(FileFacts, Measured)> =
        if file.has(juice::CARTON_COLUMNS) {
            |file, _| juice::cartons(file)
        } else if file.has(juice::WEEK_COLUMNS) {
            |file, _| juice::weeks(file)
        } else if file.has(cheese::COLUMNS) {
            |file, _| cheese::measure(file)
        } else if file.has(retail::COLUMNS) {
            |file, arguments| retail::measure(file, arguments.held_out_weeks)
        } else {
            return Err(unknown(path, &file).into());
        };
    let (facts, (results, sheets)) = measure(file, arguments)?;
    let protocol = json!({ "name": "pricing", "file": facts });
    Ok(PricingReport::new(protocol, results, sheets))
}

fn unknown(path: &Path, file: &DataFile) -> FileError {
    const KNOWN: [&[&str]; 4] =
        [juice::CARTON_COLUMNS, juice::WEEK_COLUMNS, cheese::COLUMNS, retail::COLUMNS];
    let known: Vec<String> = KNOWN.iter().map(|columns| columns.join(",")).collect();
    let detail = format!(
        "the header names {} and is none of those that can be measured on: {}",
        file.named(),
        known.join("; ")
    );
    FileError::Content { path: path.to_owned(), detail }
}

#[cfg(test)]
mod tests;
