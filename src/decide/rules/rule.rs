//! A rule as its author writes it, and what is wrong with it.

use super::cap::CapBy;
use crate::{
    decide::filter::Filter,
    domain::{ItemId, RuleId, Timestamp, id::check_id},
};
use serde::{Deserialize, Serialize};
use std::{cmp::Reverse, collections::HashSet};

/// Longest description, in bytes.
const DESCRIPTION_BYTES_MAX: usize = 1_000;
/// Most scenarios that one rule names.
const SCENARIOS_MAX: usize = 100;
/// Most items that one rule pins.
const PINNED_MAX: usize = 100;
/// Last position that can be pinned: the longest list there is.
const POSITION_MAX: u32 = 100;
/// Largest factor; its inverse is the smallest that moves an item further than a list is long.
pub(super) const FACTOR_MAX: f32 = 100.0;

/// What the shop's people want in some scenarios for some time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name.
    pub id: RuleId,
    /// Why it is there, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whether it is in force at all.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Where it is in force; empty = everywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scenarios: Vec<String>,
    /// In force from then on.
    #[serde(default, with = "time_text", skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Timestamp>,
    /// No longer in force then.
    #[serde(default, with = "time_text", skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// The higher goes before the lower.
    #[serde(default)]
    pub priority: i32,
    /// What it does.
    pub action: Action,
}

fn yes() -> bool {
    true
}

/// What a rule does to a list. Filters are texts of the filter language.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Shows these items one after another, the first at this position.
    Pin {
        /// Which, best first.
        items: Vec<ItemId>,
        /// Where, counted from 1.
        position: u32,
    },
    /// Never shows what matches.
    Hide {
        /// Which items.
        filter: String,
    },
    /// Moves what matches up (factor above 1) or down (below 1).
    Boost {
        /// Which items.
        filter: String,
        /// How much, above 0 and at most 100.
        factor: f32,
    },
    /// Shows only what matches.
    Filter {
        /// Which items.
        filter: String,
    },
    /// Shows at most so many of one kind.
    Cap {
        /// What makes a kind.
        by: CapBy,
        /// How many, at least 1.
        max: u32,
    },
}

impl Action {
    /// The filter's text, if the action has one.
    pub fn filter(&self) -> Option<&str> {
        match self {
            Self::Hide { filter } | Self::Boost { filter, .. } | Self::Filter { filter } => {
                Some(filter)
            }
            Self::Pin { .. } | Self::Cap { .. } => None,
        }
    }
}

/// What is wrong with one field of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleProblem {
    /// JSON pointer (RFC 6901) into the rule, such as `/action/filter`.
    pub pointer: String,
    /// What is wrong, as the end of a sentence that begins with the field's name.
    pub detail: String,
}

/// A rule whose every field is within its bounds, with its filter read.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedRule {
    rule: Rule,
    filter: Option<Filter>,
}

impl CheckedRule {
    /// Checks a rule; amounts of money in its filter have `minor_digits` decimals.
    pub fn new(rule: Rule, minor_digits: u32) -> Result<Self, Vec<RuleProblem>> {
        let mut problems = Vec::new();
        let filter = check(&rule, minor_digits, &mut problems);
        if problems.is_empty() { Ok(Self { rule, filter }) } else { Err(problems) }
    }

    /// The rule as written.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// Its filter, if its action has one.
    pub fn filter(&self) -> Option<&Filter> {
        self.filter.as_ref()
    }

    /// What rules are sorted by: the earlier wins.
    pub(super) fn order(&self) -> (Reverse<i32>, &RuleId) {
        (Reverse(self.rule.priority), &self.rule.id)
    }
}

impl Rule {
    /// Everything that is wrong with the rule; amounts of money have `minor_digits` decimals.
    pub fn check(&self, minor_digits: u32) -> Result<(), Vec<RuleProblem>> {
        CheckedRule::new(self.clone(), minor_digits).map(drop)
    }

    /// Whether the rule is in force in this scenario at this time.
    pub fn is_in_force(&self, scenario: &str, now: Timestamp) -> bool {
        self.enabled
            && (self.scenarios.is_empty() || self.scenarios.iter().any(|named| named == scenario))
            && self.valid_from.is_none_or(|from| from <= now)
            && self.valid_until.is_none_or(|until| now < until)
    }
}

fn check(rule: &Rule, minor_digits: u32, problems: &mut Vec<RuleProblem>) -> Option<Filter> {
    let mut refuse =
        |pointer: String, detail: String| problems.push(RuleProblem { pointer, detail });
    if rule.description.len() > DESCRIPTION_BYTES_MAX {
        let detail = format!("is longer than {DESCRIPTION_BYTES_MAX} bytes");
        refuse("/description".into(), detail);
    }
    if rule.scenarios.len() > SCENARIOS_MAX {
        refuse("/scenarios".into(), format!("names more than {SCENARIOS_MAX} scenarios"));
    }
    for (at, scenario) in rule.scenarios.iter().take(SCENARIOS_MAX).enumerate() {
        if let Err(error) = check_id(scenario) {
            refuse(format!("/scenarios/{at}"), error.to_string());
        }
    }
    for (pointer, time) in [("/valid_from", rule.valid_from), ("/valid_until", rule.valid_until)] {
        if time.is_some_and(|time| !time.is_representable()) {
            refuse(pointer.into(), "is out of range".into());
        }
    }
    if rule.valid_from.zip(rule.valid_until).is_some_and(|(from, until)| until <= from) {
        refuse(
            "/valid_until".into(),
            "must be after valid_from, or the rule is never valid".into(),
        );
    }
    match &rule.action {
        Action::Pin { items, position } => {
            if items.is_empty() || items.len() > PINNED_MAX {
                refuse("/action/items".into(), format!("must be 1 to {PINNED_MAX} items"));
            }
            let mut seen = HashSet::new();
            for (at, item) in items.iter().take(PINNED_MAX).enumerate() {
                if !seen.insert(item) {
                    refuse(format!("/action/items/{at}"), format!("names `{item}` again"));
                }
            }
            if !(1..=POSITION_MAX).contains(position) {
                refuse("/action/position".into(), format!("must be 1 to {POSITION_MAX}"));
            }
        }
        Action::Boost { factor, .. } => {
            // A factor that is not a number is in no range.
            if !(f32::MIN_POSITIVE..=FACTOR_MAX).contains(factor) {
                refuse("/action/factor".into(), format!("must be above 0, at most {FACTOR_MAX}"));
            }
        }
        Action::Cap { by, max } => {
            if let CapBy::Attribute(name) = by
                && let Err(error) = check_id(name)
            {
                refuse("/action/by".into(), format!("names an attribute that {error}"));
            }
            if *max == 0 {
                refuse("/action/max".into(), "must be at least 1; `hide` shows none".into());
            }
        }
        Action::Hide { .. } | Action::Filter { .. } => {}
    }
    match Filter::parse(rule.action.filter()?, minor_digits) {
        Ok(filter) => Some(filter),
        Err(error) => {
            refuse("/action/filter".into(), error.to_string());
            None
        }
    }
}

/// Times as RFC 3339; in, also as seconds or milliseconds since the epoch.
mod time_text {
    use crate::domain::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Text(String),
        Number(f64),
    }

    #[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
    pub(super) fn serialize<S: Serializer>(
        time: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.collect_str(time),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let time = match Option::<Written>::deserialize(deserializer)? {
            None => return Ok(None),
            Some(Written::Text(text)) => Timestamp::parse(&text),
            Some(Written::Number(number)) => Timestamp::from_epoch_number(number),
        };
        time.map(Some).ok_or_else(|| D::Error::custom("not a time such as 2026-01-31T12:00:00Z"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(value: Value) -> Result<Rule, serde_json::Error> {
        serde_json::from_value(value)
    }

    fn pointers(value: Value) -> Vec<String> {
        let problems = read(value).unwrap().check(2).err().unwrap_or_default();
        problems.into_iter().map(|problem| problem.pointer).collect()
    }

    #[test]
    fn a_rule_survives_writing_and_reading() {
        for action in [
            json!({"kind": "pin", "items": ["a", "b"], "position": 1}),
            json!({"kind": "hide", "filter": "stock = 0"}),
            json!({"kind": "boost", "filter": "margin > 0.5", "factor": 1.5}),
            json!({"kind": "filter", "filter": "category = 'mugs'"}),
            json!({"kind": "cap", "by": "brand", "max": 2}),
            json!({"kind": "cap", "by": "attributes.color", "max": 2}),
        ] {
            let full = json!({
                "id": "r", "description": "why", "enabled": false, "scenarios": ["home"],
                "valid_from": "2026-01-01T00:00:00Z", "valid_until": "2026-02-01T00:00:00Z",
                "priority": -3, "action": action,
            });
            let rule = read(full.clone()).unwrap();
            assert_eq!(rule.check(2), Ok(()));
            assert_eq!(serde_json::to_value(&rule).unwrap(), full);
        }
        let short =
            json!({"id": "r", "action": {"kind": "hide", "filter": "true"}, "valid_from": 0});
        let rule = read(short).unwrap();
        assert!(rule.enabled && rule.scenarios.is_empty());
        assert_eq!((rule.priority, rule.valid_from), (0, Some(Timestamp(0))));
    }

    #[test]
    fn what_is_not_a_rule_is_refused_in_reading() {
        let hide = json!({"kind": "hide", "filter": "true"});
        for wrong in [
            json!({"id": "", "action": hide}),
            json!({"id": "x".repeat(129), "action": hide}),
            json!({"id": "r", "action": hide, "prio": 1}),
            json!({"id": "r", "action": {"kind": "hide", "filter": "true", "factor": 2}}),
            json!({"id": "r", "action": {"kind": "bury", "filter": "true"}}),
            json!({"id": "r", "action": {"kind": "cap", "by": "colour", "max": 1}}),
            json!({"id": "r", "action": {"kind": "pin", "items": ["a\n"], "position": 1}}),
            json!({"id": "r", "action": hide, "valid_from": "soon"}),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_problem_is_found_and_pointed_at() {
        let all = json!({
            "id": "r", "description": "x".repeat(1001), "scenarios": ["home", ""],
            "valid_from": 10, "valid_until": 10,
            "action": {"kind": "boost", "filter": "prise > 1", "factor": 0},
        });
        let expected =
            ["/description", "/scenarios/1", "/valid_until", "/action/factor", "/action/filter"];
        assert_eq!(pointers(all), expected);
        let action = |action: Value| pointers(json!({"id": "r", "action": action}));
        let pin = json!({"kind": "pin", "items": ["a", "b", "a"], "position": 0});
        assert_eq!(action(pin), ["/action/items/2", "/action/position"]);
        let many: Vec<String> = (0..101).map(|at| at.to_string()).collect();
        assert_eq!(action(json!({"kind": "pin", "items": many, "position": 1})), ["/action/items"]);
        assert_eq!(action(json!({"kind": "pin", "items": [], "position": 101})).len(), 2);
        assert_eq!(
            action(json!({"kind": "cap", "by": "attributes.", "max": 0})),
            ["/action/by", "/action/max"],
        );
        for factor in [-1.0, 100.5, 1e30] {
            let boost = json!({"kind": "boost", "filter": "true", "factor": factor});
            assert_eq!(action(boost), ["/action/factor"]);
        }
        let rule = read(json!({"id": "r", "action": {"kind": "hide", "filter": "prise > 1"}}));
        let problems = rule.unwrap().check(2).unwrap_err();
        let detail = "at character 1: unknown field `prise`; did you mean `price`?";
        assert_eq!(problems[0].detail, detail);
    }

    #[test]
    fn a_rule_is_in_force_in_its_scenarios_from_its_start_until_before_its_end() {
        let mut rule = read(json!({
            "id": "r", "scenarios": ["home"], "valid_from": 10, "valid_until": 20,
            "action": {"kind": "hide", "filter": "true"},
        }))
        .unwrap();
        let at = |rule: &Rule, seconds: i64| rule.is_in_force("home", Timestamp(seconds * 1_000));
        let states: Vec<bool> = [9, 10, 19, 20].into_iter().map(|time| at(&rule, time)).collect();
        assert_eq!(states, [false, true, true, false]);
        assert!(!rule.is_in_force("cart", Timestamp(15_000)));
        rule.enabled = false;
        assert!(!at(&rule, 15));
    }
}
