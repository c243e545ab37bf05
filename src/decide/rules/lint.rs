//! Finds rules that do not do what their author can have meant.
//!
//! Every filter is asked once about every item; after that rules are compared as sets of positions.
//! The work is bounded by [`LINT_RULES_MAX`] filters × [`LINT_ITEMS_MAX`] items, and as many pairs of
//! rules × a 64th of the items; beyond that one look at each item, for those that are pinned.

use super::rule::{Action, CheckedRule, Rule};
use crate::{
    decide::filter::{Bitmap, Filter, ItemView},
    domain::{Item, ItemId, RuleId, Timestamp},
};
use std::collections::{HashMap, HashSet};

/// Most rules that are looked at, in the order in which they win.
pub const LINT_RULES_MAX: usize = 500;
/// Most items that filters are asked about.
pub const LINT_ITEMS_MAX: usize = 100_000;
/// Most findings that are told, the worst first.
pub const LINT_FINDINGS_MAX: usize = 1_000;
/// Most items that one message names.
const NAMED_MAX: usize = 3;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Lists are empty, or the rule cannot work.
    Error,
    /// The rule does not do all it says.
    Warning,
    /// The rule does nothing that others do not do already.
    Info,
}

impl Severity {
    /// The name in the HTTP contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// Something odd about a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which rule.
    pub rule: RuleId,
    /// How bad it is.
    pub severity: Severity,
    /// What it is, for programs.
    pub code: &'static str,
    /// What it is, for people.
    pub message: String,
    /// The rule that it disagrees with.
    pub other_rule: Option<RuleId>,
}

/// Looks through `rules` as they are at `now` and from then on.
///
/// `scenarios` are all there are; `minor_digits` the decimals of money. Filters are judged by the items
/// that can be sold, as only these can be shown. Disabled rules are checked, but not compared. The worst
/// findings come first, then by rule.
pub fn lint<'a>(
    rules: &[Rule],
    catalogue: impl IntoIterator<Item = &'a Item>,
    scenarios: &[&str],
    now: Timestamp,
    minor_digits: u32,
) -> Vec<Finding> {
    let mut findings = Findings::default();
    let checked = check_each(rules, scenarios, now, minor_digits, &mut findings);
    let shop = Shop::new(&checked, catalogue, now);
    let subjects = shop.subjects(&checked);
    for subject in &subjects {
        alone(subject, &shop, &mut findings);
    }
    for (at, first) in subjects.iter().enumerate() {
        for second in &subjects[at + 1..] {
            if may_meet(first.rule, second.rule) {
                together(first, second, &shop, &mut findings);
            }
        }
    }
    findings.sorted()
}

/// Reads the rules; leaves out those that have no future, in the order in which they win.
fn check_each(
    rules: &[Rule],
    scenarios: &[&str],
    now: Timestamp,
    minor_digits: u32,
    findings: &mut Findings,
) -> Vec<CheckedRule> {
    let mut checked = Vec::new();
    let mut ids = HashSet::new();
    for rule in rules {
        if !ids.insert(&rule.id) {
            findings.add(rule, Severity::Error, "duplicate_id", "another rule has this id".into());
        }
        for unknown in rule.scenarios.iter().filter(|named| !scenarios.contains(&named.as_str())) {
            let message = format!("there is no scenario `{unknown}`");
            findings.add(rule, Severity::Warning, "unknown_scenario", message);
        }
        match CheckedRule::new(rule.clone(), minor_digits) {
            Err(problems) => {
                for problem in problems {
                    let is_period = problem.pointer == "/valid_until";
                    let code = if is_period { "never_valid" } else { "invalid" };
                    let message = format!("{} {}", problem.pointer, problem.detail);
                    findings.add(rule, Severity::Error, code, message);
                }
            }
            Ok(_) if !rule.enabled => {}
            Ok(_) if rule.valid_until.is_some_and(|until| until <= now) => {
                let message = "the rule has expired; it can be deleted".into();
                findings.add(rule, Severity::Info, "expired", message);
            }
            Ok(read) => checked.push(read),
        }
    }
    checked.sort_by(|left, right| left.order().cmp(&right.order()));
    for left_out in checked.iter().skip(LINT_RULES_MAX) {
        let message = format!("only the first {LINT_RULES_MAX} rules are looked at");
        findings.add(left_out.rule(), Severity::Info, "not_looked_at", message);
    }
    checked.truncate(LINT_RULES_MAX);
    checked
}

/// What is known of the catalogue.
struct Shop<'a> {
    /// The items that can be sold, up to [`LINT_ITEMS_MAX`].
    sellable: Vec<&'a Item>,
    /// Every item that some rule pins and the catalogue has.
    pinned: HashMap<&'a ItemId, &'a Item>,
    now: Timestamp,
}

/// A rule and, if it has a filter, the sellable items that match.
struct Subject<'a> {
    rule: &'a Rule,
    filter: Option<&'a Filter>,
    matching: Bitmap,
}

impl<'a> Shop<'a> {
    fn new(
        rules: &[CheckedRule],
        catalogue: impl IntoIterator<Item = &'a Item>,
        now: Timestamp,
    ) -> Self {
        let pinned_ids = rules.iter().flat_map(|rule| pinned_by(rule.rule()));
        let pinned_ids: HashSet<&ItemId> = pinned_ids.collect();
        let mut shop = Self { sellable: Vec::new(), pinned: HashMap::new(), now };
        for item in catalogue {
            if item.is_sellable() && shop.sellable.len() < LINT_ITEMS_MAX {
                shop.sellable.push(item);
            }
            if pinned_ids.contains(&item.item_id) {
                shop.pinned.insert(&item.item_id, item);
            }
        }
        shop
    }

    /// Asks each filter once, however many rules have it.
    fn subjects<'r>(&self, rules: &'r [CheckedRule]) -> Vec<Subject<'r>> {
        let mut known: HashMap<&Filter, Bitmap> = HashMap::new();
        let subject = |checked: &'r CheckedRule| {
            let filter = checked.filter();
            let matching = filter
                .map(|filter| known.entry(filter).or_insert_with(|| self.matching(filter)).clone());
            Subject { rule: checked.rule(), filter, matching: matching.unwrap_or_default() }
        };
        rules.iter().map(subject).collect()
    }

    fn matching(&self, filter: &Filter) -> Bitmap {
        filter.bitmap(self.sellable.len(), |at| Some(self.view(self.sellable[at])))
    }

    fn view<'v>(&self, item: &'v Item) -> ItemView<'v> {
        ItemView { item, now: self.now }
    }

    /// The items of `rule` that can be shown and for which `filter` says `answer`.
    fn pinned_where<'r>(
        &self,
        rule: &'r Rule,
        filter: Option<&Filter>,
        answer: bool,
    ) -> Vec<&'r ItemId> {
        let is_such = |id: &&ItemId| {
            self.pinned.get(*id).is_some_and(|item| {
                item.is_sellable()
                    && filter.is_some_and(|filter| filter.matches(&self.view(item)) == answer)
            })
        };
        pinned_by(rule).iter().filter(is_such).collect()
    }
}

fn pinned_by(rule: &Rule) -> &[ItemId] {
    match &rule.action {
        Action::Pin { items, .. } => items,
        _ => &[],
    }
}

/// Names some items.
fn named<'i>(items: impl IntoIterator<Item = &'i ItemId>) -> String {
    let items: Vec<&ItemId> = items.into_iter().collect();
    let first: Vec<String> = items.iter().take(NAMED_MAX).map(|item| format!("`{item}`")).collect();
    match items.len().saturating_sub(NAMED_MAX) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// What is odd about a rule by itself.
fn alone(subject: &Subject<'_>, shop: &Shop<'_>, findings: &mut Findings) {
    let Subject { rule, matching, .. } = subject;
    let (n_matching, n_items) = (matching.count(), shop.sellable.len());
    let mut add = |severity, code, message: String| findings.add(rule, severity, code, message);
    match &rule.action {
        Action::Pin { items, .. } => {
            let is = |state: &dyn Fn(&Item) -> bool| {
                let found = |id: &&ItemId| shop.pinned.get(*id).is_some_and(|item| state(item));
                items.iter().filter(found).collect::<Vec<_>>()
            };
            let unknown: Vec<_> =
                items.iter().filter(|id| !shop.pinned.contains_key(*id)).collect();
            let removed = is(&|item| item.removed);
            let unsellable = is(&|item| !item.removed && !item.is_sellable());
            if !unknown.is_empty() {
                let message = format!("there is no item {}", named(unknown));
                add(Severity::Error, "pinned_unknown", message);
            }
            if !removed.is_empty() {
                let message = format!("pins {}, which the merchant removed", named(removed));
                add(Severity::Error, "pinned_removed", message);
            }
            if !unsellable.is_empty() {
                let message = format!("pins {}, which cannot be sold now", named(unsellable));
                add(Severity::Warning, "pinned_sold_out", message);
            }
        }
        // Nothing can be said of filters where there is nothing to sell.
        _ if n_items == 0 => {}
        Action::Hide { .. } | Action::Boost { .. } if n_matching == 0 => {
            add(Severity::Warning, "matches_nothing", "no item that can be sold matches".into());
        }
        Action::Filter { .. } if n_matching == 0 => {
            let message = "no item that can be sold passes, so lists are empty".into();
            add(Severity::Error, "empties_lists", message);
        }
        Action::Hide { .. } if n_matching == n_items => {
            let message = "every item that can be sold is hidden, so lists are empty".into();
            add(Severity::Error, "empties_lists", message);
        }
        Action::Filter { .. } | Action::Boost { .. } if n_matching == n_items => {
            let message = "every item that can be sold matches, so nothing changes".into();
            add(Severity::Info, "changes_nothing", message);
        }
        Action::Hide { .. } | Action::Boost { .. } | Action::Filter { .. } | Action::Cap { .. } => {
        }
    }
}

/// Whether both rules can be in force in one place at one time.
fn may_meet(first: &Rule, second: &Rule) -> bool {
    let in_one_place = first.scenarios.is_empty()
        || second.scenarios.is_empty()
        || first.scenarios.iter().any(|named| second.scenarios.contains(named));
    let begins_before_the_end = |one: &Rule, other: &Rule| {
        one.valid_from.zip(other.valid_until).is_none_or(|(from, until)| from < until)
    };
    in_one_place && begins_before_the_end(first, second) && begins_before_the_end(second, first)
}

/// Whether the outer rule is in force wherever and whenever the inner is, from `now` on.
fn covers(outer: &Rule, inner: &Rule, now: Timestamp) -> bool {
    let everywhere = outer.scenarios.is_empty()
        || (!inner.scenarios.is_empty()
            && inner.scenarios.iter().all(|named| outer.scenarios.contains(named)));
    let from_the_start = outer
        .valid_from
        .is_none_or(|from| from <= now || inner.valid_from.is_some_and(|inner| from <= inner));
    let to_the_end =
        outer.valid_until.is_none_or(|until| inner.valid_until.is_some_and(|inner| inner <= until));
    everywhere && from_the_start && to_the_end
}

/// What is odd about two rules that can meet; `first` wins where they disagree.
fn together(first: &Subject<'_>, second: &Subject<'_>, shop: &Shop<'_>, findings: &mut Findings) {
    use Action::{Boost, Filter, Hide, Pin};
    match (&first.rule.action, &second.rule.action) {
        (Pin { .. }, Pin { .. }) => two_pins(first.rule, second.rule, findings),
        (Pin { .. }, Hide { .. } | Filter { .. }) => {
            against_pin(first, second, true, shop, findings)
        }
        (Hide { .. } | Filter { .. }, Pin { .. }) => {
            against_pin(second, first, false, shop, findings)
        }
        (Filter { .. }, Filter { .. }) => {
            if both_pass_some(first, second) && first.matching.and(&second.matching).is_empty() {
                let message = "no item that can be sold passes both filters, so lists are empty";
                let code = "filters_exclude_each_other";
                findings.between(second.rule, first.rule, Severity::Error, code, message.into());
            }
        }
        (Hide { .. }, Filter { .. }) => hide_against_filter(first, second, shop, findings),
        (Filter { .. }, Hide { .. }) => hide_against_filter(second, first, shop, findings),
        (Boost { factor: one, .. }, Boost { factor: other, .. }) => {
            let is_opposite = (*one > 1.0 && *other < 1.0) || (*one < 1.0 && *other > 1.0);
            let is_same = first.matching == second.matching && !first.matching.is_empty();
            if is_opposite && is_same {
                let message = format!(
                    "one raises and the other lowers the same {} items; together they multiply by {}",
                    first.matching.count(),
                    one * other,
                );
                let code = "boost_against_demote";
                findings.between(second.rule, first.rule, Severity::Warning, code, message);
            }
        }
        _ => {}
    }
    // Of two that do the same the later is the superfluous one.
    if makes_superfluous(first, second, shop) {
        findings.shadowed(second.rule, first.rule);
    } else if makes_superfluous(second, first, shop) {
        findings.shadowed(first.rule, second.rule);
    }
}

fn both_pass_some(first: &Subject<'_>, second: &Subject<'_>) -> bool {
    !first.matching.is_empty() && !second.matching.is_empty()
}

fn two_pins(first: &Rule, second: &Rule, findings: &mut Findings) {
    let (Action::Pin { items, position }, Action::Pin { items: others, position: other }) =
        (&first.action, &second.action)
    else {
        return;
    };
    let twice: Vec<&ItemId> = others.iter().filter(|item| items.contains(item)).collect();
    if !twice.is_empty() {
        let message = format!("pins {} again; the first place counts", named(twice));
        findings.between(second, first, Severity::Warning, "pinned_twice", message);
    }
    let end = |position: u32, items: &[ItemId]| position as usize + items.len();
    let from = (*position).max(*other) as usize;
    if from < end(*position, items).min(end(*other, others)) {
        let message = format!("pins another item at position {from}, so its own move down");
        findings.between(second, first, Severity::Warning, "same_position", message);
    }
}

/// A pin and a rule that keeps out some of what it pins.
fn against_pin(
    pin: &Subject<'_>,
    keeper: &Subject<'_>,
    pin_wins: bool,
    shop: &Shop<'_>,
    findings: &mut Findings,
) {
    let is_hide = matches!(keeper.rule.action, Action::Hide { .. });
    let kept_out = shop.pinned_where(pin.rule, keeper.filter, is_hide);
    if kept_out.is_empty() {
        return;
    }
    let (code, what) = if is_hide {
        ("pin_against_hide", "hidden")
    } else {
        ("pin_against_filter", "filtered out")
    };
    let outcome = if pin_wins {
        "is shown nevertheless, as the pin goes first"
    } else {
        "is not shown, as the pin goes second"
    };
    let message =
        format!("pins {}, which is {what} by the other rule and {outcome}", named(kept_out));
    findings.between(pin.rule, keeper.rule, Severity::Warning, code, message);
}

fn hide_against_filter(
    hide: &Subject<'_>,
    filter: &Subject<'_>,
    shop: &Shop<'_>,
    findings: &mut Findings,
) {
    let is_total = filter.matching.and(&hide.matching) == filter.matching;
    let hides_all = hide.matching.count() == shop.sellable.len();
    if is_total && !filter.matching.is_empty() && !hides_all {
        let message = "hides everything that the other rule lets pass, so lists are empty".into();
        findings.between(hide.rule, filter.rule, Severity::Error, "empties_lists", message);
    }
}

/// Whether the inner rule changes nothing that the outer one has not changed already.
fn makes_superfluous(outer: &Subject<'_>, inner: &Subject<'_>, shop: &Shop<'_>) -> bool {
    use Action::{Boost, Cap, Filter, Hide};
    let is_part = |part: &Bitmap, whole: &Bitmap| part.and(whole) == *part;
    // What matches nothing, or all there is, is told of by itself.
    let is_telling = |subject: &Subject<'_>| {
        let n_matching = subject.matching.count();
        n_matching > 0 && n_matching < shop.sellable.len()
    };
    let does_the_same = match (&outer.rule.action, &inner.rule.action) {
        (Hide { .. }, Hide { .. } | Boost { .. }) => {
            is_telling(outer) && is_telling(inner) && is_part(&inner.matching, &outer.matching)
        }
        (Filter { .. }, Filter { .. }) => {
            is_telling(outer) && is_telling(inner) && is_part(&outer.matching, &inner.matching)
        }
        (Cap { by, max }, Cap { by: other_by, max: other }) => by == other_by && max <= other,
        _ => false,
    };
    does_the_same && covers(outer.rule, inner.rule, shop.now)
}

/// Findings as they come, of each severity as many as are told at most.
#[derive(Default)]
struct Findings {
    told: Vec<Finding>,
    counts: [usize; 3],
}

impl Findings {
    fn push(&mut self, finding: Finding) {
        let count = &mut self.counts[finding.severity as usize];
        if *count < LINT_FINDINGS_MAX {
            *count += 1;
            self.told.push(finding);
        }
    }

    fn add(&mut self, rule: &Rule, severity: Severity, code: &'static str, message: String) {
        self.push(Finding { rule: rule.id.clone(), severity, code, message, other_rule: None });
    }

    fn between(
        &mut self,
        rule: &Rule,
        other: &Rule,
        severity: Severity,
        code: &'static str,
        message: String,
    ) {
        let (rule, other_rule) = (rule.id.clone(), Some(other.id.clone()));
        self.push(Finding { rule, severity, code, message, other_rule });
    }

    fn shadowed(&mut self, rule: &Rule, by: &Rule) {
        let message = "changes nothing that the other rule does not change already".into();
        self.between(rule, by, Severity::Info, "shadowed", message);
    }

    fn sorted(self) -> Vec<Finding> {
        let mut findings = self.told;
        findings.sort_by(|left, right| {
            (left.severity.cmp(&right.severity))
                .then_with(|| left.rule.cmp(&right.rule))
                .then_with(|| left.code.cmp(right.code))
                .then_with(|| left.other_rule.cmp(&right.other_rule))
        });
        findings.truncate(LINT_FINDINGS_MAX);
        findings
    }
}

#[cfg(test)]
mod tests {
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
        let rules = |second: &str| {
            json!([rule("1", boost("brand = 'a'", 2.0)), rule("2", boost(second, 0.5))])
        };
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
            let rules =
                |more: Value| json!([rule("w", weak.clone()), with("s", strong.clone(), more)]);
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
}
