//! Pure answers from what was learned and what is known now: [`price`] says what an item costs.
//!
//! Nothing here reads a clock, waits, or keeps state: the same question about the same state has the
//! same answer, so every answer can be replayed.

pub mod price;
