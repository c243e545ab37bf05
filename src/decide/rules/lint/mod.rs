//! Finds rules that do not do what their author can have meant.
//!
//! Every filter is asked once about every item; after that rules are compared as sets of positions.
//! The work is bounded by [`LINT_RULES_MAX`] filters × [`LINT_ITEMS_MAX`] items, and as many pairs of
//! rules × a 64th of the items; beyond that one look at each item, for those that are pinned.

mod pairs;
mod shop;
#[cfg(test)]
mod tests;

use super::rule::{Action, CheckedRule, Rule};
use crate::domain::{Item, ItemId, RuleId, Timestamp};
use pairs::{may_meet, together};
use shop::{Shop, Subject};
use std::collections::HashSet;

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
