//! Files into the store.
