//! Pure answers from a snapshot, the live view and a request: what to show, at what price.
//!
//! No runtime, no store, no clock: what they need is handed in. Start with [`recommend`].

pub mod filter;
pub mod price;
pub mod recommend;
pub mod rules;
