//! The shop's own time, which stands still while the shop does.
//!
//! What a purchase says about taste fades while the shop goes on, not while nothing happens. Were age
//! measured by the calendar, a single click years after an import, or the first day after a long
//! pause, would make everything before worthless. So a day counts if anything happened on it; for a
//! shop that is open every day the two are the same.

use crate::domain::{Timestamp, time::DAY_MS};
use serde::{Deserialize, Serialize};

/// The days (UTC) on which anything happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradingDays {
    /// Days since 1970-01-01, rising.
    days: Vec<i64>,
}

impl TradingDays {
    /// The days of these times, which rise.
    pub fn of(times: impl Iterator<Item = Timestamp>) -> Self {
        let mut days: Vec<i64> = times.map(|at| at.0.div_euclid(DAY_MS)).collect();
        days.dedup();
        debug_assert!(days.is_sorted());
        Self { days }
    }

    /// The shop's time at `at`, in days since its first event.
    pub fn position(&self, at: Timestamp) -> f64 {
        let day = at.0.div_euclid(DAY_MS);
        match self.days.binary_search(&day) {
            Ok(before) => before as f64 + at.0.rem_euclid(DAY_MS) as f64 / DAY_MS as f64,
            Err(before) => before as f64,
        }
    }

    /// When the shop's time was `position`; the first or last trading day if it lies outside.
    pub fn at_position(&self, position: f64) -> Timestamp {
        let index = (position.max(0.0) as usize).min(self.days.len().saturating_sub(1));
        let part = (position - index as f64).clamp(0.0, 1.0);
        let day = self.days.get(index).copied().unwrap_or_default();
        Timestamp(day.saturating_mul(DAY_MS)).plus_ms((part * DAY_MS as f64) as i64)
    }

    /// Days of the shop's time from `at` to `now`; 0 if `at` lies later.
    pub fn age_days(&self, at: Timestamp, now: Timestamp) -> f64 {
        (self.position(now) - self.position(at)).max(0.0)
    }

    /// `at` as if the days on which nothing happened were not there.
    pub fn shop_time(&self, at: Timestamp) -> Timestamp {
        Timestamp((self.position(at) * DAY_MS as f64) as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i64, part: f64) -> Timestamp {
        Timestamp(number * DAY_MS + (part * DAY_MS as f64) as i64)
    }

    #[test]
    fn a_pause_of_years_is_no_time() {
        let days = TradingDays::of(
            [day(-3, 0.5), day(-3, 0.9), day(-2, 0.0), day(9_000, 0.25)].into_iter(),
        );
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} is not {b}");
        close(days.age_days(day(-3, 0.5), day(-2, 0.0)), 0.5);
        close(days.age_days(day(-2, 0.75), day(9_000, 0.25)), 0.5);
        close(days.age_days(day(100, 0.3), day(9_000, 0.25)), 0.25);
        close(days.age_days(day(9_000, 0.5), day(9_000, 0.25)), 0.0);
        assert_eq!(days.at_position(days.position(day(9_000, 0.25))), day(9_000, 0.25));
        assert_eq!(days.at_position(0.5), day(-3, 0.5));
        assert_eq!(TradingDays::default().position(day(5, 0.5)).to_bits(), 0.0_f64.to_bits());
    }
}
