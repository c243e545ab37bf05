//! How the lists of one scenario are made.

use super::gate::HidePolicy;
use crate::learn::recommenders::{Blend, ModelKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How the lists of one scenario are made; what is not said is as everywhere.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Models by name with their weights, instead of the blend that was learned; those that are not fitted are
    /// left out.
    pub models: BTreeMap<String, f32>,
    /// Days for which a purchase hides its item, if other than for all lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hide_purchased_days: Option<u32>,
    /// Minutes for which an item that was dealt with is hidden, if other than for all lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hide_seen_minutes: Option<u32>,
    /// How much unlike each other the items of a list are, 0 (not asked for) to 1.
    pub diversity: f32,
    /// Least score, as a part of the best item's, 0 to 1; 0 keeps everything.
    pub relevance_min: f32,
    /// Whether places that are left over go to what everybody wants.
    pub fill: bool,
    /// How far an item sinks that was just shown and not clicked, 0 (not at all) to 1 (to the end).
    pub rotation: f32,
    /// For how long it does, less and less, in minutes.
    pub rotation_minutes: u32,
    /// The place of a list that is left to chance, to learn what nobody knows; 0 = none.
    pub exploration_position: u32,
}

/// Last place that may be left to chance.
const EXPLORATION_POSITION_MAX: u32 = 100;

/// Longest time for which an item sinks: a day.
const ROTATION_MINUTES_MAX: u32 = 1_440;

impl Policy {
    /// What is wrong, and with which key.
    pub fn check(&self) -> Result<(), (String, &'static str, String)> {
        let wrong = |key: &str, rule, value: String| Err((key.to_owned(), rule, value));
        for (name, weight) in &self.models {
            if ModelKind::named(name).is_none() {
                return wrong("models", "must name models of the README's table", name.clone());
            }
            if !(weight.is_finite() && *weight > 0.0) {
                let key = format!("models.{name}");
                return wrong(&key, "must be a number above 0", weight.to_string());
            }
        }
        for (key, value) in [
            ("diversity", self.diversity),
            ("relevance_min", self.relevance_min),
            ("rotation", self.rotation),
        ] {
            if !(0.0..=1.0).contains(&value) {
                return wrong(key, "must be from 0 to 1", value.to_string());
            }
        }
        if self.rotation_minutes > ROTATION_MINUTES_MAX {
            let value = self.rotation_minutes.to_string();
            return wrong("rotation_minutes", "must be at most 1440", value);
        }
        if self.exploration_position > EXPLORATION_POSITION_MAX {
            let value = self.exploration_position.to_string();
            return wrong("exploration_position", "must be at most 100", value);
        }
        Ok(())
    }

    /// The models by kind, if any are named.
    pub fn blend(&self) -> Option<Blend> {
        let named = |(name, &weight): (&String, &f32)| Some((ModelKind::named(name)?, weight));
        let weights: Vec<(ModelKind, f32)> = self.models.iter().filter_map(named).collect();
        (!weights.is_empty()).then_some(Blend { weights })
    }

    /// For how long items are hidden, where `usual` holds for all lists.
    pub fn hide(&self, usual: HidePolicy) -> HidePolicy {
        HidePolicy {
            purchased_days: self.hide_purchased_days.unwrap_or(usual.purchased_days),
            seen_minutes: self.hide_seen_minutes.unwrap_or(usual.seen_minutes),
        }
    }

    /// Whether lists are more than the best items in their order.
    pub fn rearranges(&self) -> bool {
        self.diversity > 0.0
            || self.relevance_min > 0.0
            || self.rotates()
            || self.exploration_position > 0
            || self.fill
    }

    /// Whether what was just shown sinks.
    pub fn rotates(&self) -> bool {
        self.rotation > 0.0 && self.rotation_minutes > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read_checked_and_overrides_what_it_says() {
        let policy: Policy = serde_json::from_str(
            r#"{"models": {"als": 0.7, "ease": 0.3}, "hide_seen_minutes": 0, "diversity": 0.5}"#,
        )
        .unwrap();
        assert_eq!(policy.check(), Ok(()));
        let blend = policy.blend().unwrap();
        assert_eq!(blend.weights, [(ModelKind::Als, 0.7), (ModelKind::Ease, 0.3)]);
        let usual = HidePolicy { purchased_days: 30, seen_minutes: 30 };
        assert_eq!(policy.hide(usual), HidePolicy { purchased_days: 30, seen_minutes: 0 });
        assert!(policy.rearranges() && !policy.rotates());
        assert!(!Policy::default().rearranges() && Policy::default().blend().is_none());
        for (json, key) in [
            (r#"{"models": {"magic": 1}}"#, "models"),
            (r#"{"models": {"als": 0}}"#, "models.als"),
            (r#"{"diversity": 1.5}"#, "diversity"),
            (r#"{"relevance_min": -0.1}"#, "relevance_min"),
            (r#"{"rotation": 2}"#, "rotation"),
            (r#"{"rotation_minutes": 1441}"#, "rotation_minutes"),
            (r#"{"exploration_position": 101}"#, "exploration_position"),
        ] {
            let policy: Policy = serde_json::from_str(json).unwrap();
            assert_eq!(policy.check().unwrap_err().0, key);
        }
        assert!(serde_json::from_str::<Policy>(r#"{"divresity": 0.5}"#).is_err());
    }
}
