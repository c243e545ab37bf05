//! How demand answers to price: elasticities with their uncertainty, learned from orders and the ledger of prices.
//!
//! Start with [`response`]; [`competitors`] says what is believed of what others ask, [`ledger`] what of our own prices.
//!
//! Deliberately not here: forecasts with season.

pub mod competitors;
pub mod ledger;
pub mod response;
