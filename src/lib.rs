//! shopkeeper records what shoppers do, learns from it in the background, and decides what to show
//! and at what price.

pub mod cli;
pub mod decide;
pub mod domain;
pub mod learn;
pub mod record;
pub mod simulate;
