//! The rules in force for one scenario at one time, ready to be asked about items.

use super::{
    cap::CapBy,
    rule::{Action, CheckedRule, FACTOR_MAX},
};
use crate::{
    decide::filter::{Filter, ItemView},
    domain::{ItemId, RuleId, Timestamp},
};
use std::{collections::HashSet, sync::Arc};

/// The rules in force, the one that wins first.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: Vec<Arc<CheckedRule>>,
}

/// What the rules make of one item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effect<'a> {
    /// The first rule that hides it.
    pub hidden_by: Option<&'a RuleId>,
    /// The first filter that it does not pass.
    pub filtered_by: Option<&'a RuleId>,
    /// The product of its boosts, 0.01 to 100.
    pub factor: f32,
}

impl Effect<'_> {
    /// Whether the item may be shown where it is not pinned.
    pub fn may_show(&self) -> bool {
        self.hidden_by.is_none() && self.filtered_by.is_none()
    }
}

/// An item and the position it is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin<'a> {
    /// Counted from 1; no two pins have the same.
    pub position: u32,
    /// What.
    pub item: &'a ItemId,
    /// Who says so.
    pub rule: &'a RuleId,
}

/// At most so many of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap<'a> {
    /// What makes a kind.
    pub by: &'a CapBy,
    /// How many, at least 1.
    pub max: u32,
    /// Who says so.
    pub rule: &'a RuleId,
}

impl RuleSet {
    /// Those of `rules` that are in force.
    pub fn new(rules: &[Arc<CheckedRule>], scenario: &str, now: Timestamp) -> Self {
        let in_force = |rule: &&Arc<CheckedRule>| rule.rule().is_in_force(scenario, now);
        let mut rules: Vec<_> = rules.iter().filter(in_force).cloned().collect();
        rules.sort_by(|left, right| left.order().cmp(&right.order()));
        Self { rules }
    }

    /// Whether no rule is in force.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Every item that a rule pins.
    pub fn pinned_items(&self) -> impl Iterator<Item = &ItemId> {
        self.each().flat_map(|(_, action, _)| match action {
            Action::Pin { items, .. } => items.as_slice(),
            _ => &[],
        })
    }

    fn each(&self) -> impl Iterator<Item = (&RuleId, &Action, Option<&Filter>)> {
        self.rules.iter().map(|rule| (&rule.rule().id, &rule.rule().action, rule.filter()))
    }

    /// What the rules make of an item, pins and caps excepted. Allocates nothing.
    pub fn effect(&self, view: &ItemView<'_>) -> Effect<'_> {
        let mut effect = Effect { hidden_by: None, filtered_by: None, factor: 1.0 };
        for (id, action, filter) in self.each() {
            let matches = || filter.is_some_and(|filter| filter.matches(view));
            match action {
                Action::Hide { .. } if effect.hidden_by.is_none() && matches() => {
                    effect.hidden_by = Some(id);
                }
                Action::Filter { .. } if effect.filtered_by.is_none() && !matches() => {
                    effect.filtered_by = Some(id);
                }
                Action::Boost { factor, .. } if matches() => effect.factor *= factor,
                _ => {}
            }
            // A hidden item has no place in the ranking.
            if effect.hidden_by.is_some() && effect.filtered_by.is_some() {
                break;
            }
        }
        effect.factor = effect.factor.clamp(1.0 / FACTOR_MAX, FACTOR_MAX);
        effect
    }

    /// The boosts of an item one by one, to explain its place.
    pub fn factors(&self, view: &ItemView<'_>) -> Vec<(&RuleId, f32)> {
        let boost = |(id, action, filter): (_, &Action, Option<&Filter>)| match action {
            Action::Boost { factor, .. } if filter.is_some_and(|f| f.matches(view)) => {
                Some((id, *factor))
            }
            _ => None,
        };
        self.each().filter_map(boost).collect()
    }

    /// Who goes where, by position.
    ///
    /// `view` looks an item up; it answers `None` for one that may not be shown for reasons other than
    /// rules: unknown, sold out, excluded by the request. Such an item is skipped, as is one that an
    /// earlier rule hides, filters or already pins, and those behind it in its rule move up. Where two
    /// rules want one position, the later takes the next that is free.
    pub fn pins<'v>(&self, view: impl Fn(&ItemId) -> Option<ItemView<'v>>) -> Vec<Pin<'_>> {
        let (mut taken, mut pinned) = (HashSet::new(), HashSet::new());
        let mut pins = Vec::new();
        for (at, (rule, action, _)) in self.each().enumerate() {
            let Action::Pin { items, position } = action else { continue };
            let mut position = *position;
            for item in items {
                let is_overruled = |view: ItemView<'_>| self.is_kept_out(&view, at);
                if view(item).is_none_or(is_overruled) || !pinned.insert(item) {
                    continue;
                }
                while !taken.insert(position) {
                    position += 1;
                }
                pins.push(Pin { position, item, rule });
            }
        }
        pins.sort_unstable_by_key(|pin| pin.position);
        pins
    }

    /// Whether one of the first `n_rules` hides or filters the item.
    fn is_kept_out(&self, view: &ItemView<'_>, n_rules: usize) -> bool {
        self.each().take(n_rules).any(|(_, action, filter)| {
            let matches = || filter.is_some_and(|filter| filter.matches(view));
            match action {
                Action::Hide { .. } => matches(),
                Action::Filter { .. } => !matches(),
                _ => false,
            }
        })
    }

    /// The caps, the one that is named first where several bind.
    pub fn caps(&self) -> Vec<Cap<'_>> {
        let cap = |(rule, action, _): (_, _, _)| match action {
            &Action::Cap { ref by, max } => Some(Cap { by, max, rule }),
            _ => None,
        };
        self.each().filter_map(cap).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Item, ItemFields};
    use serde_json::{Value, json};

    fn rules(written: Value) -> Vec<Arc<CheckedRule>> {
        let rules: Vec<crate::decide::rules::Rule> = serde_json::from_value(written).unwrap();
        rules.into_iter().map(|rule| Arc::new(CheckedRule::new(rule, 2).unwrap())).collect()
    }

    fn set(written: Value) -> RuleSet {
        RuleSet::new(&rules(written), "home", Timestamp(0))
    }

    fn item(id: &str, tags: &[&str]) -> Item {
        Item {
            item_id: ItemId::new(id).unwrap(),
            fields: ItemFields {
                tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
                ..ItemFields::default()
            },
            price_in_force: None,
            first_seen_at: Timestamp(0),
            updated_at: Timestamp(0),
            removed: false,
            back_on_sale_at: None,
            revision: 0,
        }
    }

    fn view(item: &Item) -> ItemView<'_> {
        ItemView { item, now: Timestamp(0) }
    }

    #[test]
    fn the_first_rule_by_priority_then_id_is_named() {
        let hide = |id: &str, priority: i32| json!({"id": id, "priority": priority, "action": {"kind": "hide", "filter": "tag = 'x'"}});
        let set = set(json!([hide("c", 0), hide("b", 5), hide("a", 5), hide("z", -1)]));
        let shown = item("i", &["y"]);
        let hidden = item("i", &["x"]);
        assert_eq!(set.effect(&view(&hidden)).hidden_by.map(RuleId::as_str), Some("a"));
        assert!(set.effect(&view(&shown)).may_show());
    }

    #[test]
    fn only_rules_in_force_count() {
        let hide = json!({"kind": "hide", "filter": "true"});
        let rules = rules(json!([
            {"id": "off", "enabled": false, "action": hide},
            {"id": "later", "valid_from": 10, "action": hide},
            {"id": "elsewhere", "scenarios": ["cart"], "action": hide},
        ]));
        assert!(RuleSet::new(&rules, "home", Timestamp(0)).is_empty());
        let later = RuleSet::new(&rules, "cart", Timestamp(10_000));
        assert_eq!(later.rules.len(), 2);
    }

    #[test]
    fn every_filter_must_be_passed_and_factors_are_multiplied_within_bounds() {
        let boost = |id: &str, factor: f32| json!({"id": id, "action": {"kind": "boost", "filter": "tag = 'b'", "factor": factor}});
        let set = set(json!([
            {"id": "f1", "action": {"kind": "filter", "filter": "tag = 'a'"}},
            {"id": "f2", "action": {"kind": "filter", "filter": "tag in ('a', 'b')"}},
            boost("b1", 3.0), boost("b2", 0.5),
        ]));
        let both = item("i", &["a", "b"]);
        let effect = set.effect(&view(&both));
        assert!(effect.may_show() && (effect.factor - 1.5).abs() < 1e-6);
        let named: Vec<(&str, f32)> =
            set.factors(&view(&both)).into_iter().map(|(rule, f)| (rule.as_str(), f)).collect();
        assert_eq!(named, [("b1", 3.0), ("b2", 0.5)]);
        let one = item("i", &["b"]);
        assert_eq!(set.effect(&view(&one)).filtered_by.map(RuleId::as_str), Some("f1"));
        let extreme = super::tests::set(json!([boost("b1", 100.0), boost("b2", 100.0)]));
        assert!((extreme.effect(&view(&one)).factor - 100.0).abs() < 1e-6);
    }

    fn pinned(set: &RuleSet, items: &[Item]) -> Vec<(u32, String, String)> {
        let view =
            |id: &ItemId| items.iter().find(|item| item.item_id == *id).map(|item| view(item));
        let written = |pin: Pin<'_>| (pin.position, pin.item.to_string(), pin.rule.to_string());
        set.pins(view).into_iter().map(written).collect()
    }

    #[test]
    fn a_pin_and_a_hide_that_disagree_are_decided_by_priority() {
        let items = [item("i", &["x"])];
        let with = |pin: i32, hide: i32, kind: &str, filter: &str| {
            set(json!([
                {"id": "p", "priority": pin, "action": {"kind": "pin", "items": ["i"], "position": 2}},
                {"id": "h", "priority": hide, "action": {"kind": kind, "filter": filter}},
            ]))
        };
        for (kind, filter) in [("hide", "tag = 'x'"), ("filter", "tag = 'y'")] {
            assert_eq!(pinned(&with(2, 1, kind, filter), &items).len(), 1);
            assert_eq!(pinned(&with(1, 2, kind, filter), &items).len(), 0);
            // Equal priority: `h` comes before `p`.
            assert_eq!(pinned(&with(1, 1, kind, filter), &items).len(), 0);
        }
    }

    #[test]
    fn pins_that_cannot_be_shown_are_skipped_and_no_position_is_taken_twice() {
        let pin = |id: &str, items: &[&str], position: u32| json!({"id": id, "action": {"kind": "pin", "items": items, "position": position}});
        let set = set(json!([pin("p", &["gone", "a", "b"], 1), pin("q", &["b", "c", "d"], 2)]));
        let items = ["a", "b", "c", "d"].map(|id| item(id, &[]));
        let expected = [(1, "a", "p"), (2, "b", "p"), (3, "c", "q"), (4, "d", "q")];
        let expected = expected.map(|(at, item, rule)| (at, item.to_owned(), rule.to_owned()));
        assert_eq!(pinned(&set, &items), expected);
    }
}
