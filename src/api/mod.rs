//! HTTP: every route in [`mod@router`], one file per resource with its request and response types.
//!
//! Only types of this room are (de)serialised for clients. Handlers read one snapshot and pass it
//! down; they never fit, never write SQL. Nobody but `app` imports this room.

mod answer_id;
pub mod answers;
pub mod attribution;
pub mod auth;
pub mod catalogue;
pub mod competitors;
mod credit;
pub mod deadline;
mod doubts;
pub mod error;
pub mod events;
pub mod experiments;
pub mod explanation;
pub mod extract;
pub mod markdown;
pub mod memory;
pub mod middleware;
pub mod operator;
mod paging;
pub mod people;
pub mod policies;
pub mod price_policies;
pub mod price_runs;
pub mod prices;
pub mod prior_price;
pub mod quotes;
pub mod recommendations;
pub mod related;
pub mod rendered;
pub mod router;
pub mod rule_book;
pub mod rules;
pub mod scoring;
pub mod shelves;
pub mod sieves;
pub mod simulation;
pub mod state;
pub mod why;

pub use router::router;
pub use state::ApiState;
