//! Measuring what the models are worth, and choosing by it.
//!
//! [`metrics`] has the formulas, [`measure`] asks a model about shoppers whose later purchases it has not
//! seen, [`choose`] learns how much each model should count. How cases are held out is not decided here:
//! whoever splits the data (by time, best of all) makes [`HeldOutCase`]s.

pub mod choose;
pub mod measure;
pub mod metrics;

pub use choose::learn_blend;
pub use measure::{HeldOutCase, Metrics, evaluate, evaluate_model};
