//! The price rule.
