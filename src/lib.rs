//! shopkeeper records what shoppers do, learns from it in the background, and decides what to show
//! and at what price.
//!
//! ```text
//!           record                       learn                         decide
//! HTTP ─▶ api ─▶ record (durable) ─▶ learn (dataset → models → evaluation) ─▶ snapshot ─▶ decide ─▶ api ─▶ answer
//!                     └────────────── live: what happened since the snapshot ──────────────┘
//! ```
//!
//! Writes go to the database, answers come from memory, the trainer is the only bridge.
//!
//! Invariants (checked by `tests/it/architecture.rs`):
//! - [`domain`], [`decide`], [`snapshot`] and [`learn`] (but its trainer) know no runtime, HTTP or SQL.
//! - Recommenders see positions and weights, never ids.
//! - Only [`record::store`] contains SQL; only [`api`] types are (de)serialised for clients.
//! - Only the trainer publishes a snapshot; an operator's rollback and [`rounds`] serve a saved one; a
//!   request reads exactly one.
//! - Nobody imports [`api`] but [`app`].

pub mod api;
pub mod app;
pub mod cli;
pub mod config;
pub mod decide;
pub mod domain;
pub mod learn;
pub mod lifecycle;
pub mod live;
pub mod pricing;
pub mod record;
pub mod rounds;
pub mod simulate;
pub mod snapshot;
pub mod telemetry;
