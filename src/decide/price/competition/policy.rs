//! The limits of all that concerns competitors.

use crate::learn::demand::competitors::{CompetitorPolicyError, TrustPolicy, check};
use serde::{Deserialize, Serialize};

/// When a seller is said to answer our own moves. Window and share are those of the loop guard that is asked for; the
/// rest is our choice.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DuelPolicy {
    /// Time within which a move is an answer; hours, above 0 and at most 1000.
    pub answer_hours: f64,
    /// Share of our moves above which the seller answers; 0 to 1.
    pub share_min: f64,
    /// Fewest moves of ours to judge by; at least 1. Five, because no four can be told from chance at one in twenty.
    pub moves_min: u32,
    /// How often chance alone may be taken for a duel; above 0, at most 1.
    pub p_max: f64,
    /// Time looked back; days, above 0 and at most 3660.
    pub lookback_days: f64,
}

impl Default for DuelPolicy {
    fn default() -> Self {
        Self { answer_hours: 48.0, share_min: 0.6, moves_min: 5, p_max: 0.05, lookback_days: 90.0 }
    }
}

/// The limits of all that concerns competitors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompetitionPolicy {
    /// Which offers are believed.
    pub trust: TrustPolicy,
    /// Who is said to answer us.
    pub duel: DuelPolicy,
}

impl CompetitionPolicy {
    /// Refuses limits out of range.
    pub fn check(&self) -> Result<(), CompetitorPolicyError> {
        self.trust.check()?;
        let DuelPolicy { answer_hours, share_min, moves_min, p_max, lookback_days } = self.duel;
        let above_0 = |value: f64, max: f64| 0.0 < value && value <= max;
        let rule = "above 0 and at most 1000";
        check(above_0(answer_hours, 1e3), "answer_hours", rule, answer_hours)?;
        check((0.0..=1.0).contains(&share_min), "share_min", "between 0 and 1", share_min)?;
        check(moves_min >= 1, "moves_min", "at least 1", moves_min)?;
        check(above_0(p_max, 1.0), "p_max", "above 0 and at most 1", p_max)?;
        let rule = "above 0 and at most 3660";
        check(above_0(lookback_days, 3_660.0), "lookback_days", rule, lookback_days)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_range_and_each_limit_out_of_range_is_named() {
        assert_eq!(CompetitionPolicy::default().check(), Ok(()));
        let of = |duel| CompetitionPolicy { duel, ..CompetitionPolicy::default() };
        let ok = DuelPolicy::default;
        for (key, duel) in [
            ("answer_hours", DuelPolicy { answer_hours: 0.0, ..ok() }),
            ("share_min", DuelPolicy { share_min: f64::NAN, ..ok() }),
            ("moves_min", DuelPolicy { moves_min: 0, ..ok() }),
            ("p_max", DuelPolicy { p_max: 1.5, ..ok() }),
            ("lookback_days", DuelPolicy { lookback_days: -1.0, ..ok() }),
        ] {
            assert_eq!(of(duel).check().unwrap_err().key, key);
        }
        let trust = TrustPolicy { quantile: 0.0, ..TrustPolicy::default() };
        let wrong = CompetitionPolicy { trust, ..CompetitionPolicy::default() };
        assert_eq!(wrong.check().unwrap_err().key, "quantile");
    }

    #[test]
    fn what_a_file_does_not_say_is_as_by_default_and_what_nobody_knows_is_refused() {
        let text = "[trust]\nmax_age_hours = 72.0\n[duel]\nmoves_min = 8\n";
        let policy: CompetitionPolicy = toml::from_str(text).unwrap();
        assert_eq!(policy.duel.moves_min, 8);
        assert_eq!(policy.duel.answer_hours.to_bits(), 48.0_f64.to_bits());
        assert!(toml::from_str::<CompetitionPolicy>("[duel]\nmoves = 8\n").is_err());
    }
}
