//! shopkeeper records what shoppers do, learns from it in the background, and decides what to show
//! and at what price.
//!
//! Rooms: [`domain`] (the words of a shop) ← [`learn`] (what is fitted from data) ← [`record`] (how
//! facts come in and stay), [`live`] (what happened lately), [`config`], [`lifecycle`],
//! [`telemetry`]; beside them [`simulate`] (a made-up shop whose truth is known).
//! `tests/it/architecture.rs` keeps the arrows.

pub mod config;
pub mod domain;
pub mod learn;
pub mod lifecycle;
pub mod live;
pub mod record;
pub mod simulate;
pub mod telemetry;
