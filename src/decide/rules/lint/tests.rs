//! Each kind of finding, and what is no finding.

use super::*;
use crate::domain::ItemFields;
use serde_json::{Value, json};

fn item(id: &str, brand: &str) -> Item {
    let fields = ItemFields { brand: Some(brand.into()), ..ItemFields::default() };
    Item {
        item_id: ItemId::new(id).unwrap(),
        fields,
        price_in_force: None,
        first_seen_at: Timestamp(0),
        updated_at: Timestamp(0),
        removed: false,
        back_on_sale_at: None,
        revision: 0,
    }
}

fn catalogue() -> Vec<Item> {
    let mut items = vec![item("a1", "a"), item("a2", "a"), item("b1", "b"), item("c1", "c")];
    items.push(Item { removed: true, ..item("removed", "r") });
    let mut sold_out = item("sold out", "s");
    sold_out.fields.stock = Some(0);
    items.push(sold_out);
    items
}

/// (rule, code, other rule) of what is found at second 100.
fn found(rules: Value) -> Vec<(String, &'static str, String)> {
    let rules: Vec<Rule> = serde_json::from_value(rules).unwrap();
    let items = catalogue();
    let findings = lint(&rules, &items, &["home", "cart"], Timestamp(100_000), 2);
    let other = |other: Option<RuleId>| other.map_or(String::new(), |rule| rule.to_string());
    findings
        .into_iter()
        .map(|finding| (finding.rule.to_string(), finding.code, other(finding.other_rule)))
        .collect()
}

fn is(rule: &str, code: &'static str, other: &str) -> (String, &'static str, String) {
    (rule.into(), code, other.into())
}

fn with(id: &str, action: Value, more: Value) -> Value {
    let mut rule = json!({"id": id, "action": action});
    let more = more.as_object().unwrap().clone();
    rule.as_object_mut().unwrap().extend(more);
    rule
}

fn rule(id: &str, action: Value) -> Value {
    with(id, action, json!({}))
}

fn hide(filter: &str) -> Value {
    json!({"kind": "hide", "filter": filter})
}

fn only(filter: &str) -> Value {
    json!({"kind": "filter", "filter": filter})
}

fn boost(filter: &str, factor: f32) -> Value {
    json!({"kind": "boost", "filter": filter, "factor": factor})
}

fn pin(items: &[&str], position: u32) -> Value {
    json!({"kind": "pin", "items": items, "position": position})
}

fn cap(max: u32) -> Value {
    json!({"kind": "cap", "by": "brand", "max": max})
}

#[test]
fn good_rules_have_no_findings() {
    let rules = json!([
        rule("1", hide("brand = 'a'")),
        rule("2", only("brand in ('a', 'b')")),
        rule("3", boost("brand = 'b'", 2.0)),
        rule("4", pin(&["b1"], 1)),
        rule("5", cap(2)),
        with("6", cap(1), json!({"scenarios": ["cart"]})),
    ]);
    assert_eq!(found(rules), [is("5", "shadowed", "6")][..0]);
}

#[test]
fn rules_that_match_nothing_or_everything_are_found() {
    for (action, code) in [
        (hide("brand = 'x'"), "matches_nothing"),
        // Only what can be sold counts.
        (boost("brand = 's'", 2.0), "matches_nothing"),
        (only("brand = 'r'"), "empties_lists"),
        (hide("exists brand"), "empties_lists"),
        (only("true"), "changes_nothing"),
        (boost("true", 0.5), "changes_nothing"),
    ] {
        assert_eq!(found(json!([rule("1", action)])), [is("1", code, "")]);
    }
}

#[test]
fn rules_without_a_time_or_place_are_found() {
    let hide = hide("brand = 'a'");
    let rules = json!([
        with("1", hide.clone(), json!({"valid_from": 300, "valid_until": 200})),
        with("2", hide.clone(), json!({"valid_until": 100})),
        with("3", hide.clone(), json!({"scenarios": ["home", "moon"]})),
        with("4", hide.clone(), json!({"enabled": false})),
        rule("5", json!({"kind": "hide", "filter": "prise = 1"})),
        with("5", hide, json!({"scenarios": ["cart"]})),
    ]);
    let expected = [
        is("1", "never_valid", ""),
        is("5", "duplicate_id", ""),
        is("5", "invalid", ""),
        is("3", "unknown_scenario", ""),
        is("2", "expired", ""),
    ];
    assert_eq!(found(rules), expected);
}

#[test]
fn pins_of_what_cannot_be_shown_are_found() {
    let rules = json!([rule("1", pin(&["a1", "x", "removed", "sold out"], 1))]);
    let expected = [
        is("1", "pinned_removed", ""),
        is("1", "pinned_unknown", ""),
        is("1", "pinned_sold_out", ""),
    ];
    assert_eq!(found(rules), expected);
}

#[test]
fn pins_that_are_in_each_others_way_are_found() {
    let rules = |at| json!([rule("1", pin(&["a1", "b1"], 3)), rule("2", pin(&["c1"], at))]);
    assert_eq!(found(rules(4)), [is("2", "same_position", "1")]);
    assert_eq!(found(rules(5)), []);
    let twice = json!([rule("1", pin(&["a1"], 3)), rule("2", pin(&["a1"], 9))]);
    assert_eq!(found(twice), [is("2", "pinned_twice", "1")]);
}

#[test]
fn a_pin_and_what_keeps_it_out_are_found_whoever_wins() {
    for (keeper, code) in
        [(hide("brand = 'a'"), "pin_against_hide"), (only("brand = 'b'"), "pin_against_filter")]
    {
        for priority in [-1, 1] {
            let rules = json!([
                with("k", keeper.clone(), json!({"priority": priority})),
                rule("p", pin(&["a1", "b1"], 1)),
            ]);
            assert_eq!(found(rules), [is("p", code, "k")]);
        }
        let apart = json!([
            with("k", keeper.clone(), json!({"scenarios": ["home"], "valid_until": 200})),
            with("p", pin(&["a1"], 1), json!({"scenarios": ["cart"]})),
            with("q", pin(&["a1"], 1), json!({"scenarios": ["home"], "valid_from": 200})),
        ]);
        assert_eq!(found(apart), []);
    }
}

#[test]
fn rules_that_together_empty_lists_are_found() {
    let filters = json!([rule("1", only("brand = 'a'")), rule("2", only("brand = 'b'"))]);
    assert_eq!(found(filters), [is("2", "filters_exclude_each_other", "1")]);
    for (hide_id, filter_id) in [("1", "2"), ("2", "1")] {
        let rules = json!([
            rule(hide_id, hide("brand in ('a', 'b')")),
            rule(filter_id, only("brand = 'a'")),
        ]);
        assert_eq!(found(rules), [is(hide_id, "empties_lists", filter_id)]);
    }
}

#[test]
fn boost_and_demote_of_the_same_items_are_found() {
    let rules =
        |second: &str| json!([rule("1", boost("brand = 'a'", 2.0)), rule("2", boost(second, 0.5))]);
    assert_eq!(found(rules("item in ('a1', 'a2')")), [is("2", "boost_against_demote", "1")]);
    assert_eq!(found(rules("item = 'a1'")), []);
}

#[test]
fn superfluous_rules_are_found_once() {
    for (strong, weak) in [
        (hide("brand in ('a', 'b')"), hide("brand = 'a'")),
        (hide("brand in ('a', 'b')"), boost("brand = 'a'", 3.0)),
        (only("brand = 'a'"), only("brand in ('a', 'b')")),
        (cap(1), cap(2)),
    ] {
        let rules = |more: Value| json!([rule("w", weak.clone()), with("s", strong.clone(), more)]);
        assert_eq!(found(rules(json!({}))), [is("w", "shadowed", "s")]);
        assert_eq!(found(rules(json!({"valid_from": 50}))), [is("w", "shadowed", "s")]);
        assert_eq!(found(rules(json!({"scenarios": ["home"]}))), []);
        assert_eq!(found(rules(json!({"valid_from": 150}))), []);
        assert_eq!(found(rules(json!({"valid_until": 150}))), []);
    }
    let same = json!([rule("1", hide("brand = 'a'")), rule("2", hide("brand = 'a'"))]);
    assert_eq!(found(same), [is("2", "shadowed", "1")]);
}

#[test]
fn an_empty_shop_says_nothing_of_filters() {
    let rules: Vec<Rule> =
        serde_json::from_value(json!([rule("1", hide("true")), rule("2", only("stock > 1"))]))
            .unwrap();
    assert_eq!(lint(&rules, [], &[], Timestamp(0), 2), []);
}

#[test]
fn rules_and_findings_are_bounded() {
    let many: Vec<Value> =
        (0..LINT_RULES_MAX + 10).map(|at| rule(&format!("{at:04}"), pin(&["a1"], 1))).collect();
    let found = found(many.into());
    assert_eq!(found.len(), LINT_FINDINGS_MAX);
}
