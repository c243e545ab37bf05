//! When a competitor's offer is believed.

use crate::domain::{Cents, Condition, money::CENTS_MAX, time::HOUR_MS};
use serde::{Deserialize, Serialize};

/// Longest time that a limit may be, in hours: a year.
const HOURS_MAX: f64 = 8_784.0;

/// When a competitor's offer is believed, and what it weighs. Where no source is named, a default is our choice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrustPolicy {
    /// Age beyond which an offer is dropped; hours, above 0. A week.
    pub max_age_hours: f64,
    /// Time in which an offer loses half its weight; hours, at least 1. A day.
    pub half_life_hours: f64,
    /// How far ahead a feed's clock may run; minutes, 0 to a day. An offer from further ahead is refused.
    pub future_minutes: f64,
    /// In what state our own good is, and so theirs must be.
    pub condition: Condition,
    /// Lowest confidence of a match; 0 to 1. An offer that does not say was matched by hand and is taken.
    pub match_confidence_min: f64,
    /// What shipping is taken to cost where an offer does not say.
    pub shipping_assumed: Cents,
    /// Lowest delivered price that is believed, as a share of our own cost; 0 to 1. Half: nobody buys at half of what
    /// we do.
    pub cost_share_min: f64,
    /// How many times our own price, or what part of it, a delivered price may be; above 1. Five: a tenfold price is
    /// another pack.
    pub ratio_max: f64,
    /// How far an offer may lie from the others, in median absolute deviations of theirs, on the scale of logarithms;
    /// above 0. Judged where there are two others or more.
    pub mad_max: f64,
    /// The least that such a deviation is taken to be, as a logarithm; 0.01 to 1. At 0.1 and three deviations, offers
    /// within 30 % of the others are always believed, however alike those are.
    pub mad_floor: f64,
    /// Share of the weight at or below the index; above 0, at most 0.5.
    pub quantile: f64,
    /// Rates of value added tax of the market, such as 0.255. A price that differs from ours by one of them is used,
    /// but flagged: one of the two may be without tax.
    pub vat_rates: Vec<f64>,
}

impl Default for TrustPolicy {
    fn default() -> Self {
        Self {
            max_age_hours: 168.0,
            half_life_hours: 24.0,
            future_minutes: 5.0,
            condition: Condition::New,
            match_confidence_min: 0.8,
            shipping_assumed: Cents(0),
            cost_share_min: 0.5,
            ratio_max: 5.0,
            mad_max: 3.0,
            mad_floor: 0.1,
            quantile: 0.25,
            vat_rates: vec![],
        }
    }
}

/// A limit that cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} must be {rule}, not {value}")]
pub struct CompetitorPolicyError {
    /// Which.
    pub key: &'static str,
    /// What it must be.
    pub rule: &'static str,
    /// What it is.
    pub value: String,
}

/// Refuses a value that does not fit.
pub fn check(
    fits: bool,
    key: &'static str,
    rule: &'static str,
    value: impl ToString,
) -> Result<(), CompetitorPolicyError> {
    if fits { Ok(()) } else { Err(CompetitorPolicyError { key, rule, value: value.to_string() }) }
}

impl TrustPolicy {
    /// Refuses limits out of range.
    pub fn check(&self) -> Result<(), CompetitorPolicyError> {
        let (age, half) = (self.max_age_hours, self.half_life_hours);
        check(0.0 < age && age <= HOURS_MAX, "max_age_hours", "above 0 and at most 8784", age)?;
        let fits = (1.0..=HOURS_MAX).contains(&half);
        check(fits, "half_life_hours", "between 1 and 8784", half)?;
        let future = self.future_minutes;
        let fits = (0.0..=1_440.0).contains(&future);
        check(fits, "future_minutes", "between 0 and 1440", future)?;
        let assumed = self.shipping_assumed.0;
        let fits = (0..=CENTS_MAX).contains(&assumed);
        check(fits, "shipping_assumed", "an amount, not negative", assumed)?;
        for (key, share) in [
            ("match_confidence_min", self.match_confidence_min),
            ("cost_share_min", self.cost_share_min),
        ] {
            check((0.0..=1.0).contains(&share), key, "between 0 and 1", share)?;
        }
        let ratio = self.ratio_max;
        check(1.0 < ratio && ratio <= 1e6, "ratio_max", "above 1 and at most 1000000", ratio)?;
        let mad = self.mad_max;
        check(0.0 < mad && mad <= 1e3, "mad_max", "above 0 and at most 1000", mad)?;
        let floor = self.mad_floor;
        check((0.01..=1.0).contains(&floor), "mad_floor", "between 0.01 and 1", floor)?;
        let share = self.quantile;
        check(0.0 < share && share <= 0.5, "quantile", "above 0 and at most 0.5", share)?;
        for &rate in &self.vat_rates {
            check(0.0 < rate && rate < 1.0, "vat_rates", "above 0 and below 1", rate)?;
        }
        Ok(())
    }

    /// Age beyond which an offer is dropped, in milliseconds.
    pub(super) fn max_age_ms(&self) -> i64 {
        (self.max_age_hours * HOUR_MS as f64) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_range_and_unknown_keys_are_refused() {
        assert_eq!(TrustPolicy::default().check(), Ok(()));
        let read: TrustPolicy = serde_json::from_str(r#"{"max_age_hours": 48}"#).unwrap();
        assert!((read.max_age_hours - 48.0).abs() < 1e-12 && read.quantile < 0.5);
        assert!(serde_json::from_str::<TrustPolicy>(r#"{"max_age": 48}"#).is_err());
    }

    #[test]
    fn each_limit_out_of_range_is_named() {
        let ok = TrustPolicy::default;
        for (key, policy) in [
            ("max_age_hours", TrustPolicy { max_age_hours: 0.0, ..ok() }),
            ("half_life_hours", TrustPolicy { half_life_hours: f64::NAN, ..ok() }),
            ("future_minutes", TrustPolicy { future_minutes: -1.0, ..ok() }),
            ("match_confidence_min", TrustPolicy { match_confidence_min: 1.1, ..ok() }),
            ("shipping_assumed", TrustPolicy { shipping_assumed: Cents(-1), ..ok() }),
            ("cost_share_min", TrustPolicy { cost_share_min: -0.1, ..ok() }),
            ("ratio_max", TrustPolicy { ratio_max: 1.0, ..ok() }),
            ("mad_max", TrustPolicy { mad_max: f64::INFINITY, ..ok() }),
            ("mad_floor", TrustPolicy { mad_floor: 0.0, ..ok() }),
            ("quantile", TrustPolicy { quantile: 0.6, ..ok() }),
            ("vat_rates", TrustPolicy { vat_rates: vec![25.5], ..ok() }),
        ] {
            assert_eq!(policy.check().unwrap_err().key, key);
        }
    }
}
