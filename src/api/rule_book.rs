//! The stored rules with their filters read: once for each revision, not for each request.

use crate::{
    decide::rules::{CheckedRule, Rule, RuleSet},
    domain::{StoredDirective, StoredDirectives, Timestamp},
};
use arc_swap::ArcSwap;
use std::sync::Arc;

/// All rules that can be read.
#[derive(Debug, Default)]
pub struct Book {
    /// The revision that they are of.
    pub revision: i64,
    rules: Vec<Arc<CheckedRule>>,
    /// When any rule begins or ends, rising.
    turns: Vec<Timestamp>,
}

impl Book {
    fn read(stored: &StoredDirectives, minor_digits: u32) -> Self {
        let read = stored.directives.iter().filter_map(|rule| checked(rule, minor_digits));
        let rules: Vec<_> = read.map(Arc::new).collect();
        let times = |rule: &Arc<CheckedRule>| [rule.rule().valid_from, rule.rule().valid_until];
        let mut turns: Vec<Timestamp> = rules.iter().flat_map(times).flatten().collect();
        turns.sort_unstable();
        Self { revision: stored.revision, rules, turns }
    }

    /// The rules in force in a scenario.
    pub fn in_force(&self, scenario: &str, now: Timestamp) -> RuleSet {
        RuleSet::new(&self.rules, scenario, now)
    }

    /// When the next rule begins or ends.
    pub fn next_turn(&self, now: Timestamp) -> Option<Timestamp> {
        self.turns.get(self.turns.partition_point(|turn| *turn <= now)).copied()
    }

    /// Whether there are no rules.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

/// A stored rule that can no longer be read (the shop has changed its currency, say) is left out, and
/// the log says so.
fn checked(stored: &StoredDirective, minor_digits: u32) -> Option<CheckedRule> {
    let rule =
        serde_json::from_value::<Rule>(stored.body.clone()).map_err(|error| error.to_string());
    let checked = rule.and_then(|rule| {
        CheckedRule::new(rule, minor_digits).map_err(|problems| {
            let words =
                problems.iter().map(|problem| format!("{} {}", problem.pointer, problem.detail));
            words.collect::<Vec<_>>().join("; ")
        })
    });
    checked
        .inspect_err(|error| {
            tracing::warn!(rule.id = stored.name, %error, "a stored rule cannot be read and is not applied");
        })
        .ok()
}

/// Keeps the book of the latest revision.
#[derive(Default)]
pub struct RuleBook(ArcSwap<Book>);

impl RuleBook {
    /// The book of these rules.
    pub fn of(&self, stored: &StoredDirectives, minor_digits: u32) -> Arc<Book> {
        let known = self.0.load();
        if known.revision == stored.revision {
            return known.clone();
        }
        let book = Arc::new(Book::read(stored, minor_digits));
        self.0.store(book.clone());
        book
    }
}
