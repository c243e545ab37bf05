//! What the shop's people lay down, as the store keeps it: a name and a text, whatever it says.

use super::Timestamp;
use serde_json::Value;

/// What a directive is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectiveKind {
    /// What lists show, by the name of a rule.
    Rule,
    /// How prices move, by the scope that it holds for.
    PricePolicy,
}

impl DirectiveKind {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Rule, Self::PricePolicy];
}

/// A directive in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredDirective {
    /// Its name.
    pub name: String,
    /// What it says.
    pub body: Value,
    /// When it was last written.
    pub updated_at: Timestamp,
}

/// All directives of one kind at one revision.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredDirectives {
    /// Rises with every change of any of them.
    pub revision: i64,
    /// By name, rising.
    pub directives: Vec<StoredDirective>,
}

impl StoredDirectives {
    /// The one of this name.
    pub fn named(&self, name: &str) -> Option<&StoredDirective> {
        self.directives.iter().find(|directive| directive.name == name)
    }
}
