//! Sliced cheese at 88 retailers: one brand, and price slopes that differ wildly if each is estimated alone.
//!
//! Data: `cheese` of the R package `bayesm` (Boatwright, `McCulloch`, Rossi, "Account-level modeling for
//! trade promotion", JASA 1999): weekly volume, share of volume on display, and price. Reference: every
//! retailer's regression of log volume on log price and display, and what the slopes have in common.

use super::regress;
use crate::learn::demand::response::{Belief, RandomEffects, random_effects};

/// One retailer in one week.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CheeseWeek {
    /// Position of the retailer.
    pub retailer: u32,
    /// Units sold; above 0.
    pub volume: f64,
    /// Share of the volume on display.
    pub display: f64,
    /// Price; above 0.
    pub price: f64,
}

/// What the slopes are, alone and together.
#[derive(Clone, Debug, PartialEq)]
pub struct CheeseReport {
    /// By retailer: the slope of its own regression; `None` if it has none.
    pub slopes: Vec<Option<Belief>>,
    /// What those that there are have in common, in their order.
    pub pooled: RandomEffects,
    /// Slopes above 0.
    pub n_positive: usize,
    /// The same after shrinkage.
    pub n_positive_shrunk: usize,
    /// The slope of one regression over all, without regard to who sells: what differs between
    /// retailers passes for an effect of price.
    pub one_line: Belief,
    /// The same with a level for each retailer.
    pub one_slope: Belief,
}

/// Regresses and pools; `None` if fewer than two retailers have a slope. Rows of which a logarithm is not
/// finite are left out.
pub fn cheese(weeks: &[CheeseWeek]) -> Option<CheeseReport> {
    let usable = |week: &&CheeseWeek| {
        let logs = [week.volume.ln(), week.price.ln(), week.display];
        logs.iter().all(|log| log.is_finite())
    };
    let weeks: Vec<CheeseWeek> = weeks.iter().filter(usable).copied().collect();
    let n_retailers = weeks.iter().map(|week| week.retailer as usize + 1).max().unwrap_or(0);
    let mut by_retailer = vec![Vec::new(); n_retailers];
    for week in &weeks {
        by_retailer[week.retailer as usize].push(*week);
    }
    let line = |weeks: &[CheeseWeek]| {
        let x = |week: &CheeseWeek| [1.0, week.price.ln(), week.display];
        let plain = |week: &CheeseWeek| [1.0, week.price.ln()];
        let y = |week: &CheeseWeek| week.volume.ln();
        // Where the cheese was never on display that column is empty and is left out.
        let fit = regress(weeks, x, y).or_else(|| regress(weeks, plain, y))?;
        Some(slope(&fit.coefficients, &fit.standard_errors, 1))
    };
    let slopes: Vec<Option<Belief>> = by_retailer.iter().map(|weeks| line(weeks)).collect();
    let told: Vec<Belief> = slopes.iter().flatten().copied().collect();
    let pooled = random_effects(&told)?;
    let n_positive = |slopes: &mut dyn Iterator<Item = f64>| slopes.filter(|&x| x > 0.0).count();
    Some(CheeseReport {
        n_positive: n_positive(&mut told.iter().map(|slope| slope.mean)),
        n_positive_shrunk: n_positive(&mut pooled.shrunk.iter().copied()),
        one_line: line(&weeks)?,
        one_slope: one_slope(&by_retailer)?,
        slopes,
        pooled,
    })
}

/// The common slope with a level for each retailer, whose degrees of freedom count.
fn one_slope(by_retailer: &[Vec<CheeseWeek>]) -> Option<Belief> {
    let mut rows: Vec<[f64; 3]> = Vec::new();
    for weeks in by_retailer.iter().filter(|weeks| !weeks.is_empty()) {
        let values = |week: &CheeseWeek| [week.volume.ln(), week.price.ln(), week.display];
        let n = weeks.len() as f64;
        let mean: [f64; 3] =
            std::array::from_fn(|k| weeks.iter().map(|week| values(week)[k]).sum::<f64>() / n);
        rows.extend(weeks.iter().map(|week| std::array::from_fn(|k| values(week)[k] - mean[k])));
    }
    let n_retailers = by_retailer.iter().filter(|weeks| !weeks.is_empty()).count();
    let fit = regress(&rows, |row| [row[1], row[2]], |row| row[0])?;
    let (n, left) = (rows.len() as f64 - 2.0, rows.len() as f64 - 2.0 - n_retailers as f64);
    let mut slope = slope(&fit.coefficients, &fit.standard_errors, 0);
    slope.variance *= n / left.max(1.0);
    Some(slope)
}

fn slope(coefficients: &[f64], errors: &[f64], at: usize) -> Belief {
    Belief { mean: coefficients[at], variance: errors[at].powi(2) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four retailers with slopes -1, -2, -3, -4 around levels that rise with price, and a little noise.
    fn weeks() -> Vec<CheeseWeek> {
        let week = |retailer: u32, at: u32| {
            let price = 2.0 + f64::from(retailer) + 0.1 * f64::from(at % 7);
            let display = f64::from(at % 3) / 3.0;
            let noise = 0.02 * f64::from(at * 7_919 % 13) - 0.12;
            let relative = (price / (2.3 + f64::from(retailer))).ln();
            let log = 5.0 + 2.0 * f64::from(retailer) - f64::from(retailer + 1) * relative;
            CheeseWeek { retailer, volume: (log + display + noise).exp(), display, price }
        };
        (0..4).flat_map(|retailer| (0..40).map(move |at| week(retailer, at))).collect()
    }

    #[test]
    fn slopes_are_found_and_levels_do_not_pass_for_them() {
        let report = cheese(&weeks()).unwrap();
        for (slope, truth) in report.slopes.iter().zip([-1.0, -2.0, -3.0, -4.0]) {
            let slope = slope.unwrap();
            assert!((slope.mean - truth).abs() < 3.0 * slope.standard_error(), "{slope:?}");
        }
        assert_eq!((report.n_positive, report.n_positive_shrunk), (0, 0));
        assert!(report.one_line.mean > 0.0, "dear retailers are large ones");
        assert!((-3.0..-1.0).contains(&report.one_slope.mean));
        let pooled = report.pooled.mean;
        assert!((pooled.mean + 2.5).abs() < 2.0 * pooled.standard_error(), "{pooled:?}");
    }

    #[test]
    fn nothing_to_regress_is_no_report() {
        assert_eq!(cheese(&[]), None);
        assert_eq!(cheese(&weeks()[..40]), None, "one retailer");
        let bad = CheeseWeek { retailer: 0, volume: 0.0, display: f64::NAN, price: -1.0 };
        assert_eq!(cheese(&[bad; 50]), None);
    }
}
