//! Orange juice: a textbook's regressions, elasticities of eleven brands, and what half a year of sales tells.

use super::{
    Measured,
    rows::DataFile,
    sheet::{Checked, Sheet, checked, four, three},
};
use crate::{
    cli::evaluate::text_file::FileFacts,
    learn::{
        demand::response::ResponseParams,
        evaluation::pricing::{
            CartonSale, JuiceWeek, brand_regressions,
            orange_juice::{N_BRANDS, SHORT_WEEKS, TEXTBOOK_BRANDS},
            pooled_brands, short_histories, textbook,
        },
        recommenders::NEVER_STOP,
    },
};
use anyhow::Context;
use serde_json::json;

/// What the header of the textbook's cut names.
pub(super) const CARTON_COLUMNS: &[&str] = &["sales", "price", "brand", "feat"];
/// What the header of the whole panel names.
pub(super) const WEEK_COLUMNS: &[&str] = &[
    "store", "brand", "week", "logmove", "price1", "price2", "price3", "price4", "price5",
    "price6", "price7", "price8", "price9", "price10", "price11", "deal", "feat",
];
/// Own elasticities of the brands by regressions with a level for each store, computed from the same file by another
/// program.
const OWN: [&str; N_BRANDS] = [
    "-2.781", "-1.839", "-3.327", "-3.847", "-2.905", "-2.468", "-3.633", "-2.725", "-4.094",
    "-2.831", "-1.001",
];

/// Measures the textbook's cut.
pub(super) fn cartons(file: DataFile) -> anyhow::Result<(FileFacts, Measured)> {
    let mut rows = Vec::new();
    let facts = file.read(CARTON_COLUMNS, |row| {
        let brand = TEXTBOOK_BRANDS.iter().position(|&brand| brand == row.text(2));
        rows.push(CartonSale {
            sales: row.positive(0)?,
            price: row.positive(1)?,
            brand: brand.ok_or_else(|| row.wrong(2, "is none of the three brands"))?,
            is_featured: row.whole(3, 0..=1)? == 1,
        });
        Ok(())
    })?;
    let found = textbook(&rows).context("the sales do not let a regression be fitted")?;
    let number = |name, published, found| Checked { name, published, found };
    let (price, brand) = (&found.price, &found.brand);
    let slopes = &found.by_brand.coefficients[3..];
    let both = &found.by_brand_and_feature;
    let (plain, featured) = (&both.coefficients[3..6], &both.coefficients[9..]);
    let (numbers, sheet) = checked(
        "orange juice: log sales on log price, by ordinary least squares",
        &[
            number("intercept", "10.42342", price.coefficients[0]),
            number("price", "-1.60131", price.coefficients[1]),
            number("its standard error", "0.01836", price.standard_errors[1]),
            number("R^2", "0.20814", price.r_squared),
            number("with brands: price", "-3.13869", brand.coefficients[1]),
            number("its standard error", "0.02293", brand.standard_errors[1]),
            number("minute.maid", "0.87017", brand.coefficients[2]),
            number("tropicana", "1.52994", brand.coefficients[3]),
            number("R^2", "0.39410", brand.r_squared),
            number("by brand: dominicks", "-3.37753", slopes[0]),
            number("minute.maid", "-3.32074", slopes[1]),
            number("tropicana", "-2.71177", slopes[2]),
            number("R^2", "0.39779", found.by_brand.r_squared),
            number("not featured: dominicks", "-2.7742", plain[0]),
            number("minute.maid", "-1.9912", plain[1]),
            number("tropicana", "-2.0384", plain[2]),
            number("featured: dominicks", "-3.2447", featured[0]),
            number("minute.maid", "-3.5710", featured[1]),
            number("tropicana", "-3.4951", featured[2]),
            number("R^2", "0.53539", both.r_squared),
        ],
    );
    Ok((facts, (json!({ "checks": numbers }), vec![sheet])))
}

/// Measures the whole panel.
pub(super) fn weeks(file: DataFile) -> anyhow::Result<(FileFacts, Measured)> {
    let mut rows = Vec::new();
    let facts = file.read(WEEK_COLUMNS, |row| {
        let mut prices = [0.0; N_BRANDS];
        for (brand, price) in prices.iter_mut().enumerate() {
            *price = row.positive(4 + brand)?;
        }
        rows.push(JuiceWeek {
            store: row.whole(0, 0..=u32::MAX)?,
            brand: row.whole(1, 1..=N_BRANDS as u32)? as usize - 1,
            week: row.whole(2, 0..=100_000)?,
            log_units: row.number(3)?,
            prices,
            deal: row.number(15)?,
            feature: row.number(16)?.clamp(0.0, 1.0),
        });
        Ok(())
    })?;
    let params = ResponseParams::default();
    let (brands, brands_sheet) = elasticities(&rows, &params)?;
    let (short, short_sheet) = short(&rows, &params)?;
    let results = json!({ "brands": brands, "short_histories": short });
    Ok((facts, (results, vec![brands_sheet, short_sheet])))
}

fn elasticities(
    rows: &[JuiceWeek],
    params: &ResponseParams,
) -> anyhow::Result<(serde_json::Value, Sheet)> {
    let alone = brand_regressions(rows);
    let (pooled, _) = pooled_brands(rows, params, NEVER_STOP)?;
    anyhow::ensure!(pooled.len() == N_BRANDS, "there are {} brands, not {N_BRANDS}", pooled.len());
    let mut sheet = Sheet::new(
        "orange juice, 11 brands: elasticities to the own price and to the others' (regressions: mean of ten; pooled \
         counts: to their mean)",
        &["brand", "published", "own", "cross", "feature", "pooled own", "cross", "feature"],
    );
    let mut brands = Vec::with_capacity(N_BRANDS);
    for (brand, (alone, pooled)) in alone.iter().zip(&pooled).enumerate() {
        let alone = alone.context("a brand's sales do not let a regression be fitted")?;
        let numbers =
            [alone.own, alone.cross, alone.feature, pooled.own, pooled.cross, pooled.feature];
        let head = [(brand + 1).to_string(), OWN[brand].to_owned()];
        sheet.row(head.into_iter().chain(numbers.map(three)));
        brands.push(json!({
            "brand": brand + 1,
            "published_own": OWN[brand],
            "regression": { "own": alone.own, "cross": alone.cross, "feature": alone.feature },
            "pooled": { "own": pooled.own, "cross": pooled.cross, "feature": pooled.feature },
        }));
    }
    let count = |of: fn(&f64) -> bool, numbers: Vec<f64>| numbers.iter().filter(|x| of(x)).count();
    let n_same = alone.iter().flatten().zip(OWN);
    let n_same = n_same.filter(|(alone, published)| three(alone.own) == **published).count();
    sheet.note(format!("own elasticities by regression that are as published: {n_same} of 11"));
    sheet.note(format!(
        "pooled: own below 0 for {} of 11, cross above 0 for {} of 11",
        count(|x| *x < 0.0, pooled.iter().map(|brand| brand.own).collect()),
        count(|x| *x > 0.0, pooled.iter().map(|brand| brand.cross).collect()),
    ));
    Ok((json!(brands), sheet))
}

fn short(
    rows: &[JuiceWeek],
    params: &ResponseParams,
) -> anyhow::Result<(serde_json::Value, Sheet)> {
    let found = short_histories(rows, params, NEVER_STOP)?;
    let title = format!(
        "the first {SHORT_WEEKS} weeks of {} stores and brands, against the elasticity of their whole history",
        found.n_cells
    );
    let mut sheet = Sheet::new(title, &["", "RMSE", "median error", "positive"]);
    let names = ["each alone", "random effects by brand", "pooled counts"];
    let rmse = [found.raw_rmse, found.shrunk_rmse, found.model_rmse];
    let mut results = Vec::with_capacity(3);
    for (at, name) in names.into_iter().enumerate() {
        let (median, positive) = (found.medians[at], found.positive[at]);
        sheet.row([name.to_owned(), four(rmse[at]), four(median), four(positive)]);
        results.push(json!({
            "estimate": name,
            "rmse": rmse[at],
            "median_error": median,
            "share_positive": positive,
        }));
    }
    sheet.note("published of the first two: RMSE 1.596 and 1.044, median error .857 and .662");
    Ok((json!({ "cells": found.n_cells, "estimates": results }), sheet))
}
