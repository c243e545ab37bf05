//! Merchandising rules: what the shop's people want shown, whatever a model says.
//!
//! A [`Rule`] is what they write; [`CheckedRule`] has its filter read; [`RuleSet`] are those in force
//! for one scenario at one time. The list builder asks in this order:
//!
//! 1. [`RuleSet::effect`] of each candidate: leave out what is hidden or filtered, multiply what is
//!    [`boosted`], rank;
//! 2. [`RuleSet::pins`] with what may be shown;
//! 3. [`one_per_group`], then [`apply_caps`], both knowing what is pinned;
//! 4. [`place_pins`], which cuts to length.
//!
//! **Who wins.** Rules are ordered by priority, the higher first, then by id. Where a pin disagrees
//! with a `hide` or a `filter`, the earlier in this order wins: a pinned item is shown although a later
//! rule hides it, and not shown if an earlier one does. Otherwise rules add up: an item must pass every
//! `filter`, no `hide`, and every `cap`, and its factors are multiplied. A pin is not subject to caps but
//! counts towards them.
//!
//! [`lint()`] finds rules that do not do what their author can have meant. Not here: where rules are kept,
//! and whether an item can be sold.

pub mod arrange;
mod cap;
mod lint;
mod rule;
mod set;

pub use arrange::{apply_caps, boosted, one_per_group, place_pins};
pub use cap::CapBy;
pub use lint::{Finding, LINT_FINDINGS_MAX, LINT_ITEMS_MAX, LINT_RULES_MAX, Severity, lint};
pub use rule::{Action, CheckedRule, Rule, RuleProblem};
pub use set::{Cap, Effect, Pin, RuleSet};
