//! Pure answers.

pub mod price;
