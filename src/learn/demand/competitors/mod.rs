//! What competitors ask for an item, as far as it can be believed: one number, the index.
//!
//! The same index is learned from and decided upon, so it is made here, in one place: now ([`believe()`] and
//! [`index_price`]) and over the past ([`spells`], for [`weeks`](super::response::weeks)).
//!
//! An offer counts if it is the newest of its seller, fresh, in stock, in the condition of our own good, surely the
//! same good, and its price is not absurd beside our own cost and price or the other offers. Each offer is either used
//! or refused with one reason.
//!
//! **The index is a weighted low quantile of delivered prices**: the lowest price at or below which a quarter of the
//! weight lies. The weight of an offer halves with every day of its age and is in proportion to how sure the match is.
//! With up to four offers of equal weight it is the lowest of them, with more the lowest quarter is passed over to its
//! end: one seller among many who clears his stock does not set the market. Being a quantile, it is always the price
//! of one of the offers. That a quarter is asked for, instead of the very lowest, is our choice.
//!
//! Deliberately not here: who answers to whom, and whether to follow; that is deciding.

pub mod believe;
pub mod history;
pub mod index;
pub mod refusal;
pub mod trust;

pub use believe::{Believed, OwnFacts, UsedOffer, believe, seller};
pub use history::spells;
pub use index::{index_price, weighted_low_quantile};
pub use refusal::{OfferFlag, Refusal};
pub use trust::{CompetitorPolicyError, TrustPolicy, check};
