//! Pure answers from a snapshot, the live view and a request: what to show, at what price, in which
//! variant of an experiment.
//!
//! No runtime, no store, no clock: what they need is handed in. Start with [`recommend`].

pub mod experiment;
pub mod filter;
pub mod price;
pub mod recommend;
pub mod rules;
