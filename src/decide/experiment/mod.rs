//! Which variant of a scenario a shopper sees, and what that was worth.
//!
//! [`assign`] decides by a hash of the shopper's id: the same variant on every visit, on every machine, and
//! nothing to store (Kohavi, Tang, Xu, "Trustworthy Online Controlled Experiments", 2020, chapter 4). [`results`]
//! compares variants. Not here: what a variant changes, which is any `S`, and counting what shoppers do.

pub mod results;

use crate::domain::{Timestamp, id::check_id};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Most variants of one experiment: with more, each has too few shoppers to tell anything.
pub const VARIANTS_MAX: usize = 20;

/// How far the shares may miss 1: what rounding leaves of twenty written numbers.
const SHARES_TOLERANCE: f64 = 1e-9;

/// What a variant does, until a scenario knows better.
pub type Settings = Map<String, Value>;

/// One way of answering a scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    bound(deserialize = "S: Deserialize<'de> + Default", serialize = "S: Serialize")
)]
pub struct Variant<S = Settings> {
    /// Its name, unique in the experiment.
    pub name: String,
    /// The part of all shoppers who see it, 0 to 1.
    pub share: f64,
    /// What it changes.
    #[serde(default)]
    pub settings: S,
}

/// A comparison of variants; the first is the control.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    bound(deserialize = "S: Deserialize<'de> + Default", serialize = "S: Serialize")
)]
pub struct Experiment<S = Settings> {
    /// Its name.
    pub id: String,
    /// The scenario it is about.
    pub scenario: String,
    /// What tells its draw from that of other experiments; with another salt everybody is drawn anew.
    pub salt: String,
    /// What is compared. Shares come to 1. Changing them moves as few shoppers as their order allows:
    /// each variant has its stretch of `[0, 1)`, one after the other.
    pub variants: Vec<Variant<S>>,
    /// When it begins; at once if not said.
    #[serde(default)]
    pub starts: Option<Timestamp>,
    /// When it is over, itself not included; never if not said.
    #[serde(default)]
    pub ends: Option<Timestamp>,
    /// Whether it runs at all.
    pub enabled: bool,
}

/// Why an experiment cannot be run.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ExperimentError {
    /// A name breaks the rule of ids.
    #[error("{field} {rule}")]
    Name {
        /// Which.
        field: &'static str,
        /// What is wrong.
        rule: crate::domain::IdError,
    },
    /// There are too few or too many variants.
    #[error("variants must be 2 to {VARIANTS_MAX}, not {0}")]
    Variants(usize),
    /// Two variants have one name.
    #[error("the variant {0:?} is there twice")]
    Twice(String),
    /// A share is no share.
    #[error("the share of {name:?} must be between 0 and 1, not {share}")]
    Share {
        /// Of which variant.
        name: String,
        /// What it is.
        share: f64,
    },
    /// The shares leave shoppers over or share some out twice.
    #[error("shares must come to 1, not {0}")]
    Shares(f64),
    /// It would be over before it begins.
    #[error("ends must lie after starts")]
    Times,
}

impl<S> Experiment<S> {
    /// Refuses what cannot be run.
    ///
    /// Shares must come to 1 and are not scaled to it: whoever writes 0.1 and 0.1 means something
    /// else than half and half.
    pub fn check(&self) -> Result<(), ExperimentError> {
        let name = |field, text: &str| {
            check_id(text).map_err(|rule| ExperimentError::Name { field, rule })
        };
        name("id", &self.id)?;
        name("scenario", &self.scenario)?;
        name("salt", &self.salt)?;
        let n = self.variants.len();
        if !(2..=VARIANTS_MAX).contains(&n) {
            return Err(ExperimentError::Variants(n));
        }
        for (at, variant) in self.variants.iter().enumerate() {
            name("variant name", &variant.name)?;
            if self.variants[..at].iter().any(|other| other.name == variant.name) {
                return Err(ExperimentError::Twice(variant.name.clone()));
            }
            if !(0.0..=1.0).contains(&variant.share) {
                let (name, share) = (variant.name.clone(), variant.share);
                return Err(ExperimentError::Share { name, share });
            }
        }
        let sum: f64 = self.variants.iter().map(|variant| variant.share).sum();
        if SHARES_TOLERANCE < (sum - 1.0).abs() {
            return Err(ExperimentError::Shares(sum));
        }
        match (self.starts, self.ends) {
            (Some(starts), Some(ends)) if ends <= starts => Err(ExperimentError::Times),
            _ => Ok(()),
        }
    }

    /// Whether it runs at `now`.
    pub fn is_running(&self, now: Timestamp) -> bool {
        self.enabled
            && self.starts.is_none_or(|starts| starts <= now)
            && self.ends.is_none_or(|ends| now < ends)
    }
}

/// The variant that a shopper sees at `now`; none while the experiment does not run.
pub fn assign<'a, S>(
    experiment: &'a Experiment<S>,
    shopper: &str,
    now: Timestamp,
) -> Option<&'a Variant<S>> {
    if !experiment.is_running(now) {
        return None;
    }
    let drawn = draw(&experiment.salt, shopper);
    let mut end = 0.0;
    let within = |variant: &&Variant<S>| {
        end += variant.share;
        drawn < end
    };
    // Should rounding leave a gap below 1, it belongs to the last variant that has a share.
    let last = || experiment.variants.iter().rfind(|variant| 0.0 < variant.share);
    experiment.variants.iter().find(within).or_else(last)
}

/// A number in `[0, 1)`, as if drawn at random for each shopper and salt: the first 53 bits of a BLAKE3 hash.
fn draw(salt: &str, shopper: &str) -> f64 {
    let mut hasher = blake3::Hasher::new();
    // The length keeps ("ab", "c") and ("a", "bc") apart.
    hasher.update(&(salt.len() as u64).to_le_bytes());
    hasher.update(salt.as_bytes());
    hasher.update(shopper.as_bytes());
    let hash = hasher.finalize();
    let bytes: [u8; 8] = std::array::from_fn(|at| hash.as_bytes()[at]);
    (u64::from_be_bytes(bytes) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use statrs::distribution::{ChiSquared, ContinuousCDF};

    fn experiment(salt: &str, shares: &[f64]) -> Experiment {
        let variant = |(at, &share): (usize, &f64)| Variant {
            name: format!("v{at}"),
            share,
            settings: Settings::new(),
        };
        Experiment {
            id: "e".into(),
            scenario: "home".into(),
            salt: salt.into(),
            variants: shares.iter().enumerate().map(variant).collect(),
            starts: None,
            ends: None,
            enabled: true,
        }
    }

    fn position(experiment: &Experiment, shopper: u32) -> usize {
        let variant = assign(experiment, &format!("u{shopper}"), Timestamp(0)).unwrap();
        experiment.variants.iter().position(|other| other == variant).unwrap()
    }

    /// The p-value of the counts if `expected` is true.
    fn p_value(counts: &[f64], expected: &[f64], freedom: f64) -> f64 {
        let terms = counts.iter().zip(expected).map(|(n, e)| (n - e).powi(2) / e);
        ChiSquared::new(freedom).unwrap().sf(terms.sum())
    }

    #[test]
    fn shoppers_are_drawn_as_the_shares_say() {
        let shares = [0.5, 0.3, 0.15, 0.05];
        let experiment = experiment("s1", &shares);
        let mut counts = [0.0; 4];
        for shopper in 0..20_000 {
            counts[position(&experiment, shopper)] += 1.0;
        }
        // A fixed draw: the test cannot fail by chance, only if the hash or the shares change.
        let p = p_value(&counts, &shares.map(|share| share * 20_000.0), 3.0);
        assert!(0.01 < p, "{counts:?}: p = {p}");
        let mut bins = [0.0; 100];
        (0..20_000).for_each(|n| bins[(draw("s1", &format!("u{n}")) * 100.0) as usize] += 1.0);
        assert!(0.01 < p_value(&bins, &[200.0; 100], 99.0));
    }

    #[test]
    fn experiments_with_other_salts_are_independent() {
        let (a, b) = (experiment("s1", &[0.5, 0.5]), experiment("s2", &[0.3, 0.7]));
        let mut counts = [0.0; 4];
        for shopper in 0..20_000 {
            counts[2 * position(&a, shopper) + position(&b, shopper)] += 1.0;
        }
        let rows = [counts[0] + counts[1], counts[2] + counts[3]];
        let columns = [counts[0] + counts[2], counts[1] + counts[3]];
        let expected = [0, 1, 2, 3].map(|at| rows[at / 2] * columns[at % 2] / 20_000.0);
        assert!(0.01 < p_value(&counts, &expected, 1.0), "{counts:?}");
    }

    #[test]
    fn a_hash_stays_what_it_is() {
        // As first computed: another value would move the shoppers of every running experiment.
        assert_eq!((draw("s1", "u1") * 1e9) as u64, 377_470_466);
        assert_ne!(draw("ab", "c").to_bits(), draw("a", "bc").to_bits());
    }

    #[test]
    fn nobody_is_in_an_experiment_that_does_not_run() {
        let mut experiment = experiment("s", &[0.5, 0.5]);
        experiment.starts = Some(Timestamp(10));
        experiment.ends = Some(Timestamp(20));
        for (now, runs) in [(9, false), (10, true), (19, true), (20, false)] {
            assert_eq!(assign(&experiment, "u", Timestamp(now)).is_some(), runs, "{now}");
        }
        experiment.enabled = false;
        assert!(assign(&experiment, "u", Timestamp(15)).is_none());
    }

    #[test]
    fn what_cannot_be_run_is_refused() {
        assert_eq!(experiment("s", &[0.1; 10]).check(), Ok(()));
        assert_eq!(experiment("s", &[1.0, 0.0]).check(), Ok(()));
        assert_eq!(experiment("s", &[1.0]).check(), Err(ExperimentError::Variants(1)));
        assert_eq!(experiment("s", &[0.04; 25]).check(), Err(ExperimentError::Variants(25)));
        assert_eq!(experiment("s", &[0.5, 0.4]).check(), Err(ExperimentError::Shares(0.9)));
        let wrong = |share| experiment("s", &[share, 1.0 - share]).check();
        assert!(matches!(wrong(1.5), Err(ExperimentError::Share { .. })));
        assert!(matches!(wrong(f64::NAN), Err(ExperimentError::Share { .. })));
        assert!(matches!(experiment("", &[0.5, 0.5]).check(), Err(ExperimentError::Name { .. })));
        let mut twice = experiment("s", &[0.5, 0.5]);
        twice.variants[1].name = "v0".into();
        assert_eq!(twice.check(), Err(ExperimentError::Twice("v0".into())));
        let mut backwards = experiment("s", &[0.5, 0.5]);
        (backwards.starts, backwards.ends) = (Some(Timestamp(5)), Some(Timestamp(5)));
        assert_eq!(backwards.check(), Err(ExperimentError::Times));
    }

    #[test]
    fn it_is_read_as_written_and_unknown_fields_are_refused() {
        let text = r#"{"id": "e", "scenario": "home", "salt": "s", "enabled": true,
            "variants": [{"name": "a", "share": 0.5}, {"name": "b", "share": 0.5, "settings": {"x": 1}}]}"#;
        let read: Experiment = serde_json::from_str(text).unwrap();
        assert_eq!(read.check(), Ok(()));
        let again = serde_json::from_str(&serde_json::to_string(&read).unwrap()).unwrap();
        assert_eq!(read, again);
        assert!(
            serde_json::from_str::<Experiment>(&text.replace("\"salt\"", "\"pepper\"")).is_err()
        );
        assert!(
            serde_json::from_str::<Experiment>(
                &text.replace("share\": 0.5}", "share\": 0.5, \"y\": 1}")
            )
            .is_err()
        );
    }

    proptest! {
        #[test]
        fn everybody_has_one_variant_and_keeps_it(weights in proptest::collection::vec(0.0_f64..1.0, 2..20), shopper in ".{0,40}") {
            let sum: f64 = weights.iter().sum();
            prop_assume!(0.0 < sum);
            let shares: Vec<f64> = weights.iter().map(|weight| weight / sum).collect();
            let experiment = experiment("salt", &shares);
            prop_assert_eq!(experiment.check(), Ok(()));
            let variant = assign(&experiment, &shopper, Timestamp(0)).unwrap();
            prop_assert!(0.0 < variant.share);
            prop_assert_eq!(assign(&experiment, &shopper, Timestamp(9)), Some(variant));
        }
    }
}
