//! One binary for all integration tests.

#![expect(clippy::unwrap_used, reason = "a test may fail, and helpers of tests are tests")]

mod api;
mod architecture;
mod evaluate;
mod import;
mod model_contract;
mod operations;
mod pricing;
mod service;
mod simulation;
mod store_contract;
mod support;
