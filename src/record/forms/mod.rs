//! From JSON that somebody sent to the words of the shop, with a precise complaint about every
//! field that is at fault.
//!
//! Pure: no HTTP, no database, no clock. Everything that enters the service, by a request or from a
//! file, passes one of these forms, so that behind them nothing needs to be checked again. `null`
//! means the same as leaving the field out (in a patch: make it empty). An event may carry fields
//! that mean nothing to us, because losing a purchase over one would be worse; what a merchant sends
//! may not, because a misspelt field name would silently not change the shop.
//!
//! Start with [`event_from_json`].

mod batch;
mod event;
mod item;
mod other;
mod reader;
mod values;

pub use batch::{BatchError, decode_batch};
pub use event::{event_from_json, kind_of};
pub use item::{item_fields_from_json, item_patch_from_json, item_row_from_json};
pub use other::{competitor_price_from_json, user_attributes_from_json};
pub use values::amount_from_json;

use crate::domain::{Currency, Timestamp};
use std::fmt;

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    /// JSON pointer (RFC 6901) to the field, relative to the object, such as `/price`.
    pub pointer: String,
    /// What is wrong, as the end of a sentence that begins with the field's name.
    pub detail: String,
}

impl fmt::Display for FieldProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.strip_prefix('/') {
            Some(name) => write!(f, "{name} {}", self.detail),
            None => f.write_str(&self.detail),
        }
    }
}

/// What a form must know besides the JSON.
#[derive(Clone, Copy, Debug)]
pub struct FormRules {
    /// The shop's one currency.
    pub currency: Currency,
    /// The time of a fact that does not say its own.
    pub now: Timestamp,
    /// How far ahead of `now` a sender's clock may be, in milliseconds.
    pub future_skew_max_ms: i64,
}

/// Largest free-form object (an event's properties, an item's or a user's attributes), in bytes of
/// JSON.
pub const OBJECT_BYTES_MAX: usize = 16 * 1024;

#[cfg(test)]
mod tests;
