//! What an item costs: a price that moves with demand within the merchant's guard-rails.
//!
//! [`rule`] decides a new price, run by run; the ledger keeps it; [`mod@quote`] tells it to a client. In
//! [`rule`] what is *wanted* (from demand) is apart from what is *allowed* ([`guard`]), so a better model
//! of demand changes only the former, and no model can leave the bounds.
//!
//! [`law`] says what may be said of a price beside earlier ones, [`competition`] what others ask and how far it may be
//! followed.
//!
//! Deliberately not here: who asks. A price depends on item and time, never on a person.

pub mod choice;
pub mod competition;
pub mod guard;
pub mod law;
pub mod note;
pub mod policy;
pub mod quote;
pub mod rule;

pub use guard::{Bounds, CeilingRule, FloorRule};
pub use note::PriceNote;
pub use policy::PricePolicy;
pub use quote::{Quote, quote};
pub use rule::{Decision, decide_price};
