//! Dense algebra.
