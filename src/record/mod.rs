//! How facts come in and stay: the [`store`] and, in front of it, the group commit in [`ingest`].

pub mod ingest;
pub mod store;
