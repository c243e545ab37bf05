//! A simulated shop.
