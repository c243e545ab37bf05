//! The filter language over catalogue fields: `price <= 30 and category = "mugs"`.
//!
//! A filter is safe to take from anybody: it has no loops, calls nothing, changes nothing, and every
//! length is bounded ([`FILTER_BYTES_MAX`], [`COMPARISONS_MAX`], [`NESTING_MAX`]).
//!
//! ```text
//! filter    = conjunction { "or" conjunction }
//! conjunction = condition { "and" condition }
//! condition = "not" condition | "(" filter ")" | "true" | "false"
//!           | "exists" field
//!           | field "is" [ "not" ] "missing"
//!           | field ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) value
//!           | field [ "not" ] "in" "(" value { "," value } ")"
//!           | field [ "not" ] "contains" value
//! field     = "item" | "title" | "brand" | "category" | "categories" | "tag" | "tags" | "group"
//!           | "price" | "list_price" | "cost" | "margin" | "discount" | "stock" | "available"
//!           | "promoted" | "lead_time_days" | "age_days" | "attributes" "." key { "." key }
//! key       = word | text
//! value     = number | text | "true" | "false"
//! number    = [ "-" ] digit { digit } [ "." digit { digit } ]
//! text      = '"' { character | escape } '"' | "'" { character | escape } "'"
//! escape    = "\" ( '"' | "'" | "\" | "n" | "r" | "t" | "u{" hex-digit { hex-digit } "}" )
//! word      = ( letter | "_" ) { letter | digit | "_" | "-" }
//! ```
//!
//! Keywords are read in any case of letters, names of fields as they stand here. `not` binds tighter
//! than `and`, `and` tighter than `or`.
//!
//! | field | what it is |
//! | --- | --- |
//! | `price` | the price in force, else the list price; money is compared in the shop's currency, exactly |
//! | `margin` | (price − cost) / price |
//! | `discount` | (list price − price) / list price |
//! | `available` | what the merchant says; true if they say nothing |
//! | `promoted` | what the merchant says; false if they say nothing |
//! | `age_days` | whole days since the item was first seen |
//! | `category`, `tag`, an attribute that is a list | holds if **any** member does; `!=`, `not in` and `not contains` if none does |
//! | `attributes.size.width` | the value of `width` in the object `size` |
//!
//! `contains` disregards case: it looks for a part of a single text, and for a whole member of a list.
//! `=` and `in` regard it. A value of another type is different, neither less nor greater. Attributes
//! that are text are ordered by code point, which is right for dates such as `"2024-05-01"`.
//!
//! **A missing value makes every comparison false**, `!=` and `not in` too, and so `not` of it true:
//! `brand != "x"` wants an item with a brand, `not brand = "x"` takes one without as well. A field is
//! missing if the merchant left it out, if it is an empty list or `null`, and for `margin` and
//! `discount` if a part is missing or the divisor is not positive. `exists` asks for just that.
//!
//! Reading goes `token` → `grammar` → `expression` (the canonical form) → `matcher` (compiled). Not
//! here: which items there are, and what a list does with those that pass.

mod bitmap;
mod error;
mod expression;
mod field;
mod grammar;
mod literal;
mod matcher;
mod needle;
#[cfg(test)]
mod properties;
mod sieve;
#[cfg(test)]
mod tests;
mod token;

pub use bitmap::Bitmap;
pub use error::FilterError;
pub use sieve::Sieve;

use crate::domain::{Item, Timestamp};
use expression::{Comparison, Expression, Operator};
use field::{Field, TextField};
use literal::Literal;
use matcher::Matcher;
use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

/// Longest filter, in bytes of UTF-8.
pub const FILTER_BYTES_MAX: usize = 5_000;
/// Most comparisons and members of lists together.
pub const COMPARISONS_MAX: usize = 500;
/// Most parentheses and `not` around one another.
pub const NESTING_MAX: usize = 50;

/// An item as a filter sees it.
#[derive(Clone, Copy, Debug)]
pub struct ItemView<'a> {
    /// The item.
    pub item: &'a Item,
    /// When it is looked at.
    pub now: Timestamp,
}

/// A condition on items. Cheap to clone; two that differ only in how they are written are equal.
#[derive(Clone)]
pub struct Filter(Arc<Inner>);

struct Inner {
    canonical: String,
    minor_digits: u32,
    depends_on_time: bool,
    matcher: Matcher,
}

impl Filter {
    /// Reads a filter; amounts of money have `minor_digits` decimals.
    pub fn parse(text: &str, minor_digits: u32) -> Result<Self, FilterError> {
        Ok(Self::compile(&grammar::parse(text, minor_digits)?, minor_digits))
    }

    /// `category = "…"`.
    pub fn of_category(category: &str, minor_digits: u32) -> Self {
        let comparison = Comparison {
            field: Field::Text(TextField::Category),
            operator: Operator::Equal,
            values: vec![Literal::Text(category.into())],
        };
        Self::compile(&Expression::Compare(comparison), minor_digits)
    }

    fn compile(expression: &Expression, minor_digits: u32) -> Self {
        Self(Arc::new(Inner {
            canonical: expression.text(),
            minor_digits,
            depends_on_time: expression.depends_on_time(),
            matcher: Matcher::compile(expression, minor_digits),
        }))
    }

    /// Whether an item may come to pass, or no longer pass, without being changed.
    pub fn depends_on_time(&self) -> bool {
        self.0.depends_on_time
    }

    /// The one way to write this filter, which reads as the same filter.
    pub fn as_str(&self) -> &str {
        &self.0.canonical
    }

    /// Whether the item passes. Allocates nothing.
    pub fn matches(&self, view: &ItemView<'_>) -> bool {
        self.0.matcher.matches(view)
    }

    /// The positions below `n_positions` whose items pass; one without an item does not.
    pub fn bitmap<'a>(
        &self,
        n_positions: usize,
        mut item_at: impl FnMut(usize) -> Option<ItemView<'a>>,
    ) -> Bitmap {
        Bitmap::from_fn(n_positions, |at| item_at(at).is_some_and(|view| self.matches(&view)))
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        (self.0.minor_digits, &self.0.canonical) == (other.0.minor_digits, &other.0.canonical)
    }
}

impl Eq for Filter {}

impl Hash for Filter {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.0.minor_digits, &self.0.canonical).hash(state);
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.canonical)
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Filter").field(&self.0.canonical).finish()
    }
}
