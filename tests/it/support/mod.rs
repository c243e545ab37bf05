//! What tests share.

pub(crate) mod postgres;
pub(crate) mod service;
pub(crate) mod shop;
