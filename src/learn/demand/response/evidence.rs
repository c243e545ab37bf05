//! How much an item's own sales say about its price response.

use super::panel::Panel;
use serde::{Deserialize, Serialize};

/// Prices closer than this share are one price point: roundings of the same label.
const SAME_PRICE: f64 = 0.005;

/// Least deviation of the logarithm of price at which an elasticity can be told at all: with less, rounding
/// and the time of the week at which a price changed are as large. From den Boer and Zwart, "Simultaneously
/// learning and optimizing using controlled variance pricing", Management Science 2014: without dispersion of
/// prices there is no learning.
pub const PRICE_SD_MIN: f64 = 0.01;

/// How far an elasticity is the item's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Grade {
    /// At most a fifth of it comes from the prior, from at least three price points.
    A,
    /// At most half of it comes from the prior, from at least three price points.
    B,
    /// At most half comes from the prior, or four fifths with at least three price points.
    C,
    /// More than that comes from the prior.
    D,
    /// It is not identified and comes from the category: nothing was sold, the price never moved, or only together with
    /// promotions.
    E,
}

/// What an item was tried at, and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Least price tried.
    pub price_min: f64,
    /// Greatest price tried.
    pub price_max: f64,
    /// Prices that differ by more than half a per cent from the next lower one.
    pub n_price_points: u32,
    /// Standard deviation of the logarithm of price.
    pub price_sd: f64,
    /// The same of what promotions do not explain of it.
    pub price_sd_beyond_promotion: f64,
    /// Units sold.
    pub units: f64,
    /// Periods.
    pub n_periods: u32,
    /// Periods on sale, partial ones by their share.
    pub exposed_periods: f64,
    /// Periods whose price was drawn at random.
    pub n_randomised: u32,
    /// Periods with a competitor's price.
    pub n_with_competitor: u32,
    /// Share of the prior in the elasticity: its posterior variance over the prior's. 1 = all.
    pub prior_share: f64,
    /// The short of it.
    pub grade: Grade,
}

impl Evidence {
    /// Of an item that has rows; `variance_share`: posterior over prior variance of its elasticity.
    pub(super) fn of(panel: &Panel, item: usize, variance_share: f64) -> Self {
        let (rows, reference) = (panel.rows(item), panel.reference(item));
        let n = rows.len() as f64;
        let mean =
            |of: fn(&super::panel::Row) -> f64| rows.iter().map(|row| of(&row)).sum::<f64>() / n;
        let promotion = mean(|row| row.promotion);
        let (mut xx, mut xp, mut pp) = (0.0, 0.0, 0.0);
        for row in rows.iter() {
            let (x, p) = (row.log_price, row.promotion - promotion);
            xx += x * x;
            xp += x * p;
            pp += p * p;
        }
        let beyond = if pp > 0.0 { (xx - xp * xp / pp).max(0.0) } else { xx };
        let mut prices: Vec<f64> = rows.iter().map(|row| row.log_price).collect();
        prices.sort_unstable_by(f64::total_cmp);
        let ends = (prices.first().copied().unwrap_or(0.0), prices.last().copied().unwrap_or(0.0));
        let steps = prices.windows(2).filter(|pair| pair[1] - pair[0] > SAME_PRICE).count();
        let count = |of: fn(&super::panel::Row) -> bool| rows.iter().filter(of).count() as u32;
        let mut evidence = Self {
            price_min: (reference.log_price + ends.0).exp(),
            price_max: (reference.log_price + ends.1).exp(),
            n_price_points: steps as u32 + 1,
            price_sd: (xx / n).sqrt(),
            price_sd_beyond_promotion: (beyond / n).sqrt(),
            units: rows.iter().map(|row| row.units).sum(),
            n_periods: rows.len() as u32,
            exposed_periods: rows.iter().map(|row| row.log_exposure.exp()).sum(),
            n_randomised: count(|row| row.is_randomised),
            n_with_competitor: count(|row| row.has_competitor),
            prior_share: variance_share.clamp(0.0, 1.0),
            grade: Grade::E,
        };
        evidence.grade = evidence.graded();
        evidence
    }

    /// Whether the item's own sales can say anything about its elasticity.
    pub fn is_identified(&self) -> bool {
        self.units > 0.0
            && self.n_price_points > 1
            && self.price_sd_beyond_promotion >= PRICE_SD_MIN
    }

    fn graded(&self) -> Grade {
        let many = self.n_price_points > 2;
        match self.prior_share {
            _ if !self.is_identified() => Grade::E,
            share if share <= 0.2 && many => Grade::A,
            share if share <= 0.5 && many => Grade::B,
            share if share <= 0.5 || share <= 0.8 && many => Grade::C,
            _ => Grade::D,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::demand::response::panel::{PanelBuilder, PanelRow};

    fn evidence(rows: &[(f64, f64, f64)], share: f64) -> Evidence {
        let mut builder = PanelBuilder::new(1, 100);
        for (period, &(price, units, promotion)) in (0..).zip(rows) {
            let (competitor, randomised) = (None, None);
            let row = PanelRow {
                is_decided: false,
                item: 0,
                period,
                units,
                price,
                competitor,
                promotion,
                exposure: 0.5,
                randomised,
            };
            builder.push(&row);
        }
        Evidence::of(&builder.build(&[None]), 0, share)
    }

    #[test]
    fn grades_follow_from_prices_and_the_share_of_the_prior() {
        let moves = [(10.0, 1.0, 0.0), (10.01, 1.0, 0.0), (8.0, 2.0, 0.0), (12.0, 1.0, 0.0)];
        let seen = evidence(&moves, 0.1);
        assert_eq!((seen.n_price_points, seen.n_periods, seen.units), (3, 4, 5.0));
        assert!((seen.exposed_periods - 2.0).abs() < 1e-6);
        assert!((seen.price_min - 8.0).abs() < 1e-5 && (seen.price_max - 12.0).abs() < 1e-5);
        let grades = [0.1, 0.4, 0.7, 0.9].map(|share| evidence(&moves, share).grade);
        assert_eq!(grades, [Grade::A, Grade::B, Grade::C, Grade::D]);
        assert_eq!(evidence(&moves[1..3], 0.1).grade, Grade::C, "two price points");
    }

    #[test]
    fn what_is_not_identified_is_said_so() {
        let constant = evidence(&[(10.0, 5.0, 0.0), (10.0, 3.0, 0.0)], 1.0);
        assert_eq!((constant.grade, constant.price_sd), (Grade::E, 0.0));
        let unsold = evidence(&[(10.0, 0.0, 0.0), (8.0, 0.0, 0.0)], 0.9);
        assert_eq!(unsold.grade, Grade::E);
        // The only move of the price came with a promotion.
        let promoted = [(10.0, 5.0, 0.0), (8.0, 9.0, 1.0), (10.0, 4.0, 0.0)];
        assert!(evidence(&promoted, 0.3).price_sd_beyond_promotion < 1e-6);
        assert_eq!(evidence(&promoted, 0.3).grade, Grade::E);
    }
}
