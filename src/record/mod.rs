//! How facts come in and stay: the [`store`] and, in front of it, the group commit in [`ingest`].
//!
//! Deliberately not here: what an event means for a recommendation (that is `learn`) and how HTTP
//! spells one (that is `api`). Start with [`store::Store`].

pub mod forms;
pub mod store;
