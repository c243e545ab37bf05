//! Rules as the store keeps them: a name and a text, whatever it says.

use super::{RuleId, Timestamp};
use serde_json::Value;

/// A rule in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRule {
    /// Its name.
    pub rule_id: RuleId,
    /// What it says.
    pub body: Value,
    /// When it was last written.
    pub updated_at: Timestamp,
}

/// All rules at one revision.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredRules {
    /// Rises with every change of any rule.
    pub revision: i64,
    /// By name, rising.
    pub rules: Vec<StoredRule>,
}
