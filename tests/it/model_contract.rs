//! model_contract
