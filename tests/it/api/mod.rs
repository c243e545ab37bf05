//! The HTTP contract, through the public router: one file for each file of `src/api/` that answers.

mod auth;
mod bad_events;
mod catalogue;
mod competitors;
mod doubts;
mod events;
mod operator;
mod people;
mod price_policies;
mod prices;
mod pricing;
mod problems;
mod recommendations;
mod related;
mod rules;
mod search;
mod stages;
mod stock_outs;
mod trials;

mod scenarios;
mod snapshots;
mod visits;
