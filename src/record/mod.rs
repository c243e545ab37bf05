//! How facts come in and stay. Start with [`store::Store`].

pub mod store;
