//! Everything that is fitted from data: [`dataset`] holds sparse matrices, [`recommenders`] the
//! contract of the models fitted on them, [`demand`] how each item sells against what was expected.
//! Pure: no I/O, no clock, no runtime.

pub mod dataset;
pub mod demand;
pub mod evaluation;
pub mod linalg;
pub mod recommenders;
