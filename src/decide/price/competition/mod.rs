//! What others ask, as far as it may move our prices.
//!
//! Which offers are believed, and the index over them, is made in [`competitors`](crate::learn::demand::competitors),
//! for learning and deciding alike. Here is what deciding adds:
//!
//! - A seller who only answers our own moves ([`mod@duel`]) is left out of the index as long as others are in it. Where
//!   nobody else is, the index is theirs, so that demand can be foreseen, but no price may follow it.
//! - A price may follow competitors down, to what the other guard-rails allow, and never up. A rival who asks more is
//!   no reason to ask more: two machines that both take it for one climb together without a word. The corridor of
//!   `decide::price::choice` therefore pushes down only. A price still rises with demand or cost.
//!
//! | question | file |
//! | --- | --- |
//! | what does the market ask now | [`market`] |
//! | does a seller merely answer us | [`mod@duel`] |
//! | with which limits | [`policy`] |
//!
//! Deliberately not here: our own shipping. Offers are compared as delivered; whoever charges for shipping adds it to
//! our price before it is held against the index.

pub mod duel;
pub mod market;
pub mod policy;

pub use duel::{Duel, duel, duels};
pub use market::{Market, index};
pub use policy::{CompetitionPolicy, DuelPolicy};
