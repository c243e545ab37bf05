//! Refrigerated orange juice at 83 Chicago supermarkets: sales, prices and promotions of 11 brands by week.
//!
//! Data: Dominick's database, Kilts Center, University of Chicago Booth, as `orangeJuice` of the R package
//! `bayesm` (Montgomery, "Creating micro-marketing pricing strategies using supermarket scanner data",
//! Marketing Science 1997); its three-brand cut is the textbook example of Taddy, *Business Data Science*,
//! 2019, chapter 2.

use super::{median, regress, root_mean_square};
use crate::learn::{
    demand::response::{
        Belief, DemandResponse, Panel, PanelBuilder, PanelRow, ResponseParams, fit, random_effects,
    },
    linalg::LeastSquares,
    recommenders::{FitError, Stop},
};
use std::collections::BTreeMap;

/// Brands of the textbook's cut, in the order of [`CartonSale::brand`].
pub const TEXTBOOK_BRANDS: [&str; 3] = ["dominicks", "minute.maid", "tropicana"];
/// Brands of the whole panel.
pub const N_BRANDS: usize = 11;
/// Units in a carton: sales are recorded in ounces.
const OUNCES: f64 = 64.0;
/// Weeks that a history must have to serve as the truth.
const TRUTH_WEEKS: usize = 100;
/// Weeks that are left of a short one.
pub const SHORT_WEEKS: usize = 26;

/// A row of the textbook's cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CartonSale {
    /// Units; above 0.
    pub sales: f64,
    /// Price; above 0.
    pub price: f64,
    /// Position in [`TEXTBOOK_BRANDS`].
    pub brand: usize,
    /// Whether the brand was featured.
    pub is_featured: bool,
}

/// The textbook's four regressions of log sales on log price.
#[derive(Clone, Debug, PartialEq)]
pub struct Textbook {
    /// Intercept, price.
    pub price: LeastSquares,
    /// Intercept, price, the second and the third brand.
    pub brand: LeastSquares,
    /// An intercept for each brand, a slope for each brand.
    pub by_brand: LeastSquares,
    /// Three intercepts and three slopes without feature, then with it.
    pub by_brand_and_feature: LeastSquares,
}

/// Fits the textbook's regressions; `None` if one cannot be. Its interactions are written out as a line for
/// each group, which has the same slopes.
pub fn textbook(rows: &[CartonSale]) -> Option<Textbook> {
    let y = |row: &CartonSale| row.sales.ln();
    let is = |row: &CartonSale, brand: usize| f64::from(u8::from(row.brand == brand));
    let by_brand = |row: &CartonSale| -> [f64; 6] {
        let x = row.price.ln();
        std::array::from_fn(|k| is(row, k % 3) * if k < 3 { 1.0 } else { x })
    };
    let by_both = |row: &CartonSale| -> [f64; 12] {
        let lines = by_brand(row);
        std::array::from_fn(|k| if (k >= 6) == row.is_featured { lines[k % 6] } else { 0.0 })
    };
    Some(Textbook {
        price: regress(rows, |row| [1.0, row.price.ln()], y)?,
        brand: regress(rows, |row| [1.0, row.price.ln(), is(row, 1), is(row, 2)], y)?,
        by_brand: regress(rows, by_brand, y)?,
        by_brand_and_feature: regress(rows, by_both, y)?,
    })
}

/// One brand in one store in one week.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JuiceWeek {
    /// The store.
    pub store: u32,
    /// Position of the brand, from 0.
    pub brand: usize,
    /// The week.
    pub week: u32,
    /// Logarithm of ounces sold.
    pub log_units: f64,
    /// Prices of all brands.
    pub prices: [f64; N_BRANDS],
    /// Whether there was a coupon or the like, 0 to 1.
    pub deal: f64,
    /// Share of the week in which the brand was featured.
    pub feature: f64,
}

impl JuiceWeek {
    /// The geometric mean of the ten other prices.
    fn competitor(&self) -> f64 {
        let others = (0..N_BRANDS).filter(|&brand| brand != self.brand);
        (others.map(|brand| self.prices[brand].ln()).sum::<f64>() / (N_BRANDS - 1) as f64).exp()
    }
}

/// What a brand's sales answer to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BrandResponse {
    /// Elasticity to the own price.
    pub own: f64,
    /// To competitors' prices: the mean of ten elasticities, or the one to their mean.
    pub cross: f64,
    /// What a feature adds to the logarithm of sales.
    pub feature: f64,
}

/// Every brand's regression of log units on the eleven log prices, deal and feature, all less their means by
/// store; `None` of a brand that has none.
pub fn brand_regressions(rows: &[JuiceWeek]) -> Vec<Option<BrandResponse>> {
    let of_brand = |brand: usize| -> Option<BrandResponse> {
        let mut by_store: BTreeMap<u32, Vec<[f64; 14]>> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.brand == brand) {
            let values = |k: usize| match k {
                11 => row.deal,
                12 => row.feature,
                13 => row.log_units,
                k => row.prices[k].ln(),
            };
            by_store.entry(row.store).or_default().push(std::array::from_fn(values));
        }
        for store in by_store.values_mut() {
            let n = store.len() as f64;
            let mean: [f64; 14] =
                std::array::from_fn(|k| store.iter().map(|row| row[k]).sum::<f64>() / n);
            for row in store {
                row.iter_mut().zip(mean).for_each(|(value, mean)| *value -= mean);
            }
        }
        let centred: Vec<[f64; 14]> = by_store.into_values().flatten().collect();
        let x = |row: &[f64; 14]| -> [f64; 13] { std::array::from_fn(|k| row[k]) };
        let fit = regress(&centred, x, |row| row[13])?.coefficients;
        let own = fit[brand];
        let cross = (fit[..N_BRANDS].iter().sum::<f64>() - own) / (N_BRANDS - 1) as f64;
        Some(BrandResponse { own, cross, feature: fit[12] })
    };
    (0..N_BRANDS).map(of_brand).collect()
}

/// A brand in a store, with its weeks in order.
struct Cell {
    brand: usize,
    weeks: Vec<JuiceWeek>,
}

fn cells(rows: &[JuiceWeek]) -> Vec<Cell> {
    let mut cells: BTreeMap<(u32, usize), Vec<JuiceWeek>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.brand < N_BRANDS) {
        cells.entry((row.store, row.brand)).or_default().push(*row);
    }
    let cell = |((_, brand), mut weeks): ((u32, usize), Vec<JuiceWeek>)| {
        weeks.sort_by_key(|row| row.week);
        Cell { brand, weeks }
    };
    cells.into_iter().map(cell).collect()
}

/// The panel of these cells: brands are categories, units are cartons, and features promotions.
fn panel_of(cells: &[Cell], n_weeks: usize, with_competitors: bool) -> Panel {
    let weeks = || cells.iter().flat_map(|cell| cell.weeks.iter().take(n_weeks));
    let first = weeks().map(|row| row.week).min().unwrap_or(0);
    let n_periods = weeks().map(|row| (row.week - first) as usize + 1).max().unwrap_or(0);
    let mut builder = PanelBuilder::new(cells.len(), n_periods);
    for (item, cell) in (0..).zip(cells) {
        for row in cell.weeks.iter().take(n_weeks) {
            builder.push(&PanelRow {
                item,
                period: row.week - first,
                units: row.log_units.exp() / OUNCES,
                price: row.prices[cell.brand],
                competitor: with_competitors.then(|| row.competitor()),
                promotion: row.feature,
                exposure: 1.0,
                randomised: None,
                is_decided: false,
            });
        }
    }
    let categories: Vec<Option<u32>> = cells.iter().map(|cell| Some(cell.brand as u32)).collect();
    builder.build(&categories)
}

/// Fits the model of this room to the whole panel; the means of every brand, in the order of those that there
/// are, and the model.
///
/// # Errors
///
/// If the fit fails.
pub fn pooled_brands(
    rows: &[JuiceWeek],
    params: &ResponseParams,
    stop: Stop<'_>,
) -> Result<(Vec<BrandResponse>, DemandResponse), FitError> {
    let response = fit(&panel_of(&cells(rows), usize::MAX, true), params, stop)?;
    let brands = response.categories().iter().map(|category| BrandResponse {
        own: category.elasticity.mean,
        cross: category.cross_elasticity.mean,
        feature: category.promotion.mean,
    });
    Ok((brands.collect(), response))
}

/// How far elasticities from half a year are from those of the whole history of the same store and brand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShortHistories {
    /// Stores and brands with a long history and a slope from both.
    pub n_cells: usize,
    /// Root mean squared error of the cell's own regression.
    pub raw_rmse: f64,
    /// Of the same drawn towards its brand by random effects.
    pub shrunk_rmse: f64,
    /// Of the model of this room.
    pub model_rmse: f64,
    /// Median absolute errors of the three.
    pub medians: [f64; 3],
    /// Shares of positive elasticities of the three.
    pub positive: [f64; 3],
}

/// Measures short histories; the truth is the regression of log units on log price and feature over the whole history.
///
/// # Errors
///
/// If the fit fails, or no history is long enough.
pub fn short_histories(
    rows: &[JuiceWeek],
    params: &ResponseParams,
    stop: Stop<'_>,
) -> Result<ShortHistories, FitError> {
    let slope = |cell: &Cell, n_weeks: usize| -> Option<Belief> {
        let weeks = &cell.weeks[..n_weeks.min(cell.weeks.len())];
        let x = |row: &JuiceWeek| [1.0, row.prices[cell.brand].ln(), row.feature];
        let plain = |row: &JuiceWeek| [1.0, row.prices[cell.brand].ln()];
        let y = |row: &JuiceWeek| row.log_units;
        // Without a feature in these weeks its column is empty and is left out.
        let fit = regress(weeks, x, y).or_else(|| regress(weeks, plain, y))?;
        Some(Belief { mean: fit.coefficients[1], variance: fit.standard_errors[1].powi(2) })
    };
    let long = cells(rows).into_iter().filter(|cell| cell.weeks.len() >= TRUTH_WEEKS);
    let (kept, slopes): (Vec<Cell>, Vec<(Belief, Belief)>) = long
        .filter_map(|cell| {
            let slopes = (slope(&cell, usize::MAX)?, slope(&cell, SHORT_WEEKS)?);
            Some((cell, slopes))
        })
        .unzip();
    let mut shrunk: Vec<f64> = slopes.iter().map(|slopes| slopes.1.mean).collect();
    for brand in 0..N_BRANDS {
        let of_brand: Vec<usize> = (0..kept.len()).filter(|&at| kept[at].brand == brand).collect();
        let beliefs: Vec<Belief> = of_brand.iter().map(|&at| slopes[at].1).collect();
        for (at, value) in
            of_brand.iter().zip(random_effects(&beliefs).into_iter().flat_map(|x| x.shrunk))
        {
            shrunk[*at] = value;
        }
    }
    let response = fit(&panel_of(&kept, SHORT_WEEKS, false), params, stop)?;
    let of_model = |at: usize| response.item(at).map_or(f64::NAN, |item| item.coefficients[1]);
    let estimates: [Vec<f64>; 3] = [
        slopes.iter().map(|slopes| slopes.1.mean).collect(),
        shrunk,
        (0..kept.len()).map(of_model).collect(),
    ];
    let errors = estimates.each_ref().map(|estimates| -> Vec<f64> {
        estimates.iter().zip(&slopes).map(|(estimate, slopes)| estimate - slopes.0.mean).collect()
    });
    let absolute = |errors: &Vec<f64>| median(&errors.iter().map(|x| x.abs()).collect::<Vec<_>>());
    let positive = |estimates: &Vec<f64>| {
        estimates.iter().filter(|&&x| x > 0.0).count() as f64 / estimates.len().max(1) as f64
    };
    let [raw_rmse, shrunk_rmse, model_rmse] =
        errors.each_ref().map(|errors| root_mean_square(errors));
    Ok(ShortHistories {
        n_cells: kept.len(),
        raw_rmse,
        shrunk_rmse,
        model_rmse,
        medians: errors.each_ref().map(absolute),
        positive: estimates.each_ref().map(positive),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::recommenders::NEVER_STOP;
    use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};

    /// Four stores over 110 weeks; a brand's elasticity is `-1.5 - 0.2·brand`, its competitors' together 0.5.
    fn weeks(noise: f64) -> Vec<JuiceWeek> {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut rows = vec![];
        for at in 0..4 * 110_u32 {
            let (store, week) = (at % 4, at / 4);
            let log_prices: [f64; N_BRANDS] = std::array::from_fn(|_| rng.random_range(-0.3..0.3));
            for brand in 0..N_BRANDS {
                let feature = f64::from(u8::from(rng.random_bool(0.2)));
                let own = -1.5 - 0.2 * brand as f64;
                let others = log_prices.iter().sum::<f64>() - log_prices[brand];
                let log_units = 9.0
                    + 0.2 * f64::from(store)
                    + own * log_prices[brand]
                    + 0.05 * others
                    + 0.4 * feature
                    + noise * rng.random_range(-0.5..0.5);
                let (prices, deal) = (log_prices.map(f64::exp), rng.random_range(0.0..1.0));
                rows.push(JuiceWeek { store, brand, week, log_units, prices, deal, feature });
            }
        }
        rows
    }

    #[test]
    fn regressions_without_noise_find_what_made_the_sales() {
        for (brand, found) in brand_regressions(&weeks(0.0)).into_iter().enumerate() {
            let found = found.unwrap();
            assert!((found.own + 1.5 + 0.2 * brand as f64).abs() < 1e-9, "{found:?}");
            assert!((found.cross - 0.05).abs() < 1e-9 && (found.feature - 0.4).abs() < 1e-9);
        }
        assert_eq!(brand_regressions(&[]), [None; N_BRANDS]);
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let mut sale = |at: u32| {
            let (brand, is_featured) = (at as usize % 3, at.is_multiple_of(2));
            let price: f64 = rng.random_range(0.6..1.5);
            let slope = -2.0 - brand as f64 - if is_featured { 1.0 } else { 0.0 };
            CartonSale { sales: price.powf(slope), price, brand, is_featured }
        };
        let rows: Vec<CartonSale> = (0..120).map(&mut sale).collect();
        let found = textbook(&rows).unwrap();
        let slopes = &found.by_brand_and_feature.coefficients;
        let expected = [-2.0, -3.0, -4.0, -3.0, -4.0, -5.0];
        let seen = slopes[3..6].iter().chain(&slopes[9..12]);
        assert!(seen.zip(expected).all(|(seen, expected)| (seen - expected).abs() < 1e-9));
        assert!((found.by_brand_and_feature.r_squared - 1.0).abs() < 1e-9);
        assert!(found.price.r_squared < found.by_brand.r_squared);
        assert_eq!(textbook(&[]), None);
    }

    #[test]
    fn pooling_helps_short_histories() {
        let rows = weeks(1.5);
        let params = ResponseParams::default();
        let short = short_histories(&rows, &params, NEVER_STOP).unwrap();
        assert_eq!(short.n_cells, 44);
        assert!(
            short.shrunk_rmse < short.raw_rmse && short.model_rmse < short.raw_rmse,
            "{short:?}"
        );
        let (brands, _) = pooled_brands(&rows, &params, NEVER_STOP).unwrap();
        for (brand, found) in brands.iter().enumerate() {
            assert!((found.own + 1.5 + 0.2 * brand as f64).abs() < 0.4, "{brand} {found:?}");
            assert!(found.cross > 0.0 && (found.feature - 0.4).abs() < 0.3, "{brand} {found:?}");
        }
        assert!(short_histories(&rows[..99], &params, NEVER_STOP).is_err());
    }
}
