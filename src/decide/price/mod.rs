//! What an item costs: a price that is chosen by how demand answers to it, within the guard-rails of law, contract and
//! merchant.
//!
//! | question | file |
//! | --- | --- |
//! | which price is best | [`mod@choice`] |
//! | what is known of an item when its price is chosen | [`mod@situation`] |
//! | all items at once, product lines and trials seen to | [`mod@book`] |
//! | what others ask, as far as it is followed | [`competition`] |
//! | how a reduction may be announced | [`law`] |
//! | what holds a run for a person to look at | [`brakes`] |
//! | how a decision is kept, to be decided again | [`kept`] |
//! | what a client is told, and whether it was | [`mod@quote`] |
//! | what if it cost something else | [`mod@simulate`] |
//! | how well it does where the truth is known | [`contender`] |
//! | between what prices an item may be sold at any time | [`guard`] |
//! | the shop's rules | [`policy`] |
//! | what may be laid down for some items | [`terms`], and for which: [`scope`] |
//!
//! Deliberately not here: who asks. A price depends on item, market, time and ledger, never on a person.

pub mod at_once;
pub mod book;
pub mod brakes;
pub mod choice;
pub mod competition;
pub mod contender;
pub mod guard;
pub mod kept;
pub mod law;
pub mod note;
pub mod policy;
pub mod quote;
pub mod scope;
pub mod simulate;
pub mod situation;
pub mod terms;

pub use at_once::{Wanted, at_once};
pub use book::{Book, Decided, Facts, Priced, decide_all, left_by_line};
pub use guard::{Bounds, CeilingRule, FloorRule};
pub use note::PriceNote;
pub use policy::{Brakes, PricePolicy};
pub use quote::{Quote, QuoteTime, quote};
pub use scope::{PricePolicies, Scope};
pub use situation::{Knowledge, case_of, hard_bounds, weeks_to_end};
pub use terms::{GoalName, PriceTerms, TermsChange, WrongTerm};
