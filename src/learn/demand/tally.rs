//! Counts each item's sales in the baseline and the recent window, in sales of the item's usual size.
//!
//! Units sold are no Poisson count where orders hold many units: with orders at rate λ of sizes `x` they
//! are compound Poisson, of mean `λ·E[x]` and variance `λ·E[x²]` (Ross, *Introduction to Probability
//! Models*, 11th ed. 2014, section 5.4.2). Divided by `E[x²] / E[x]` their mean equals their variance,
//! which is what [`super::pool`] needs; one giant order among small ones then counts as about one sale.
//!
//! An item's clock starts at its first sale, and that sale is not counted: a rate that included the event
//! which started its own clock would be too high. So nothing is learned from the first sale but the start.

use super::{DemandParams, Sale};
use crate::domain::{Timestamp, time::DAY_MS};

/// Sizes that a line of an order can have; what lies outside is an error of the sender, and would
/// drown the sums.
const UNITS: std::ops::RangeInclusive<f64> = 1e-6..=1e9;

/// What one item sold; all zero if it never did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// Units per sale of usual size; 0 if the item was never sold.
    pub sale_units: f64,
    /// Days of the baseline window in which the item was on sale.
    pub baseline_days: f64,
    /// Sales of usual size in them.
    pub baseline: f64,
    /// Days of the recent window in which the item was on sale.
    pub recent_days: f64,
    /// Sales of usual size in them.
    pub recent: f64,
}

/// Counts every item's sales up to `now`.
pub fn tally(sales: &[Sale], n_items: usize, now: Timestamp, params: &DemandParams) -> Vec<Tally> {
    let fits = |sale: &&Sale| {
        (sale.item as usize) < n_items && sale.at <= now && UNITS.contains(&sale.units.abs())
    };
    let mut sorted: Vec<Sale> = sales.iter().filter(fits).copied().collect();
    sorted.sort_unstable_by(|a, b| {
        (a.item, a.at).cmp(&(b.item, b.at)).then(a.units.total_cmp(&b.units))
    });
    let recent_from = now.plus_ms(-days_ms(params.recent_days));
    let windows = Windows {
        baseline_from: recent_from.plus_ms(-days_ms(params.baseline_days)),
        recent_from,
        now,
    };
    let mut tallies = vec![Tally::default(); n_items];
    for of_item in sorted.chunk_by(|a, b| a.item == b.item) {
        tallies[of_item[0].item as usize] = windows.tally(of_item);
    }
    tallies
}

/// The baseline lies in (`baseline_from`, `recent_from`], the recent window in (`recent_from`, `now`].
struct Windows {
    baseline_from: Timestamp,
    recent_from: Timestamp,
    now: Timestamp,
}

impl Windows {
    /// `sales`: of one item, oldest first.
    fn tally(&self, sales: &[Sale]) -> Tally {
        // Returns before the first sale are of things sold before the data began.
        let Some(first) = sales.iter().position(|sale| sale.units > 0.0) else {
            return Tally::default();
        };
        let start = sales[first].at;
        let sold = sales.iter().map(|sale| sale.units).filter(|&units| units > 0.0);
        let (sum, squares) =
            sold.fold((0.0, 0.0), |(sum, squares), units| (sum + units, squares + units * units));
        let sale_units = squares / sum;
        let count = |from: Timestamp, to: Timestamp| {
            let inside = sales[first + 1..].iter().filter(|sale| from < sale.at && sale.at <= to);
            (inside.map(|sale| sale.units).sum::<f64>() / sale_units).max(0.0)
        };
        Tally {
            sale_units,
            baseline_days: days(self.baseline_from.max(start), self.recent_from),
            baseline: count(self.baseline_from, self.recent_from),
            recent_days: days(self.recent_from.max(start), self.now),
            recent: count(self.recent_from, self.now),
        }
    }
}

fn days_ms(days: f64) -> i64 {
    (days * DAY_MS as f64) as i64
}

/// Days from `from` to `to`; 0 if there are none.
fn days(from: Timestamp, to: Timestamp) -> f64 {
    to.since_ms(from).max(0) as f64 / DAY_MS as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sale(day: i64, units: f64) -> Sale {
        Sale { item: 0, at: Timestamp(day * DAY_MS), units }
    }

    fn tally_of(sales: &[Sale]) -> Tally {
        tally(sales, 1, Timestamp(100 * DAY_MS), &DemandParams::default())[0]
    }

    #[test]
    fn the_first_sale_starts_the_clock_and_is_not_counted() {
        // The baseline lies in days 37 to 93, the recent window in days 93 to 100.
        let counted = tally_of(&[sale(83, 1.0), sale(90, 1.0), sale(95, 1.0), sale(96, 1.0)]);
        let expected = Tally {
            sale_units: 1.0,
            baseline_days: 10.0,
            baseline: 1.0,
            recent_days: 7.0,
            recent: 2.0,
        };
        assert_eq!(counted, expected);
        let old = tally_of(&[sale(1, 1.0), sale(37, 1.0), sale(38, 1.0), sale(93, 1.0)]);
        assert_eq!((old.baseline, old.baseline_days), (2.0, 56.0));
    }

    #[test]
    fn one_giant_order_counts_as_about_one_sale() {
        let mut sales: Vec<_> = (10..90).map(|day| sale(day, 1.0)).collect();
        sales.push(sale(95, 1_000.0));
        let counted = tally_of(&sales);
        assert!((counted.recent - 1.08).abs() < 1e-2, "{}", counted.recent);
    }

    #[test]
    fn returns_take_back_sales_but_never_more_than_there_were() {
        let clock_only =
            Tally { sale_units: 1.0, baseline_days: 56.0, recent_days: 7.0, ..Tally::default() };
        assert_eq!(tally_of(&[sale(1, 1.0), sale(94, 1.0), sale(95, -1.0)]), clock_only);
        assert_eq!(tally_of(&[sale(1, 1.0), sale(94, -5.0)]), clock_only);
        assert_eq!(tally_of(&[sale(94, -5.0)]), Tally::default());
        assert_eq!(tally_of(&[sale(101, 1.0), sale(94, f64::NAN)]), Tally::default());
    }
}
