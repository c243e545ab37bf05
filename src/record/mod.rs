//! How facts come in and stay: the [`store`] and, in front of it, the
//! group commit in [`ingest`]; [`forms`] reads facts from JSON with every fault named.

pub mod forms;
pub mod ingest;
pub mod store;
