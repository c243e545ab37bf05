//! Sliced cheese: whether retailers differ in how their demand answers to price, or only in luck.

use super::{
    Measured,
    rows::DataFile,
    sheet::{Checked, Sheet, checked, four},
};
use crate::{
    cli::evaluate::{files::Ids, text_file::FileFacts},
    learn::evaluation::pricing::{CheeseWeek, cheese},
};
use anyhow::Context;
use serde_json::json;

/// What the header must name.
pub(super) const COLUMNS: &[&str] = &["RETAILER", "VOLUME", "DISP", "PRICE"];

/// Measures cheese.
pub(super) fn measure(file: DataFile) -> anyhow::Result<(FileFacts, Measured)> {
    let (mut retailers, mut weeks) = (Ids::default(), Vec::new());
    let facts = file.read(COLUMNS, |row| {
        weeks.push(CheeseWeek {
            retailer: retailers.position(row.text(0)),
            volume: row.positive(1)?,
            display: row.number(2)?,
            price: row.positive(3)?,
        });
        Ok(())
    })?;
    let report = cheese(&weeks).context("fewer than two retailers have a slope to compare")?;
    let pooled = &report.pooled;
    let number = |name, published, found| Checked { name, published, found };
    let (numbers, mut sheet) = checked(
        "sliced cheese: log volume on log price and display, retailer by retailer",
        &[
            number("tau^2, how far slopes truly differ", "0.5600", pooled.tau_squared),
            number("mean slope", "-2.1341", pooled.mean.mean),
            number("its standard error", "0.0890", pooled.mean.standard_error()),
            number("Cochran's Q", "877.46", pooled.q),
            number("I^2", "0.9009", pooled.i_squared),
            number("mean slope if all were alike", "-2.0119", pooled.fixed_mean),
            number("one line for all", "-1.2576", report.one_line.mean),
            number("one slope, a level for each retailer", "-2.3883", report.one_slope.mean),
            number("its standard error", "0.0332", report.one_slope.standard_error()),
        ],
    );
    let slopes: Vec<f64> = report.slopes.iter().flatten().map(|slope| slope.mean).collect();
    let ends = |slopes: &[f64]| {
        let low = slopes.iter().copied().fold(f64::INFINITY, f64::min);
        [low, slopes.iter().copied().fold(f64::NEG_INFINITY, f64::max)]
    };
    let mut before_after =
        Sheet::new("slopes of retailers", &["", "lowest", "highest", "positive"]);
    for (name, slopes, n_positive) in [
        ("each alone", &slopes, report.n_positive),
        ("drawn towards their mean", &pooled.shrunk, report.n_positive_shrunk),
    ] {
        let [low, high] = ends(slopes);
        before_after.row([name.to_owned(), four(low), four(high), n_positive.to_string()]);
    }
    sheet.note("what differs between retailers passes for an effect of price in one line for all");
    let results = json!({
        "checks": numbers,
        "retailers": retailers.len(),
        "slopes": slopes,
        "slopes_shrunk": pooled.shrunk,
        "positive": report.n_positive,
        "positive_shrunk": report.n_positive_shrunk,
    });
    Ok((facts, (results, vec![sheet, before_after])))
}
