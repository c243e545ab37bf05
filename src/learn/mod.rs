//! Everything that is fitted from data.
//!
//! [`dataset`] turns events into sparse matrices, [`recommenders`] are fitted on those, [`rating`] on explicit ratings,
//! [`sessions`] say what comes next in a running visit, [`evaluation`] measures them, [`related`] finds what goes with an item, [`demand`] estimates how fast things sell and how sales answer to price. All of it is pure: no I/O, no clock, no
//! runtime. [`pipeline`] says what a training run does; only [`trainer`], which says when, has effects.

pub mod dataset;
pub mod demand;
pub mod evaluation;
pub mod linalg;
pub mod pipeline;
pub mod rating;
pub mod recommenders;
pub mod related;
mod rooms;
pub mod search;
pub mod sessions;
pub mod trainer;
