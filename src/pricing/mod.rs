//! When prices are decided, and what becomes of it: proposed, approved, applied, taken back.
//!
//! A run decides all prices at once ([`Pricing::propose`]). Unless a brake holds it, or the shop wants to look at every
//! run, it is applied there and then; otherwise it waits for a person until a later run supersedes it. What decides is
//! pure and lies in `decide::price`; here are the store, the ledger and the catalogue in memory.
//!
//! Who shops is not read here: neither events nor profiles. `tests/it/architecture.rs` holds this room to it.
//!
//! | question | file |
//! | --- | --- |
//! | what a run looks at | [`facts`] |
//! | which rules hold now | [`policies`] |
//! | how a run is made, applied and taken back | [`runs`] |
//! | how pricing is stopped | [`switch`] |

pub mod facts;
pub mod policies;
pub mod runs;
pub mod switch;

pub use policies::PolicyBook;
pub use runs::{PricingError, Proposal};

use crate::{
    domain::{Clock, Currency},
    live::Live,
    record::store::Store,
    snapshot::SnapshotCell,
    telemetry::Metrics,
};
use std::sync::Arc;

/// Prices moved in one transaction, decisions read at a time.
const CHUNK: u32 = 1_000;

/// What pricing works with.
#[derive(Clone)]
pub struct Pricing {
    /// The ledger, runs and what competitors ask.
    pub store: Arc<dyn Store>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The catalogue in memory.
    pub live: Arc<Live>,
    /// The served snapshot.
    pub snapshots: Arc<SnapshotCell>,
    /// The shop's rules.
    pub policies: Arc<PolicyBook>,
    /// The shop's currency.
    pub currency: Currency,
    /// Threads to decide on, beside those that answer.
    pub pool: Arc<rayon::ThreadPool>,
    /// Runs that are kept with their decisions.
    pub keep_runs: u32,
    /// What to report to.
    pub metrics: Arc<Metrics>,
}
