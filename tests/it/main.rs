//! One binary for all integration tests; its modules mirror the rooms of `src/`.

mod import;
mod model_contract;
mod operations;
mod pricing;
mod simulation;
mod store_contract;
mod support;
