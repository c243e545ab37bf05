//! Merchandising rules.
