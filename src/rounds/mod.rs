//! The shopkeeper's rounds: what a snapshot changes outside of memory, looked after every second.
//!
//! A snapshot may come from this process's trainer, from an operator's rollback, or from another
//! process that shares the folder (`shopkeeper train` beside a running service). A round takes up
//! what others published ([`adopt`]) and, when a snapshot or a price policy is new or a while has
//! passed, brings prices up to date ([`crate::pricing`]).

pub mod adopt;

use crate::{
    domain::{Clock, Timestamp, time::DAY_MS},
    live::Live,
    pricing::{Pricing, PricingError},
    record::store::Store,
    snapshot::{SnapshotCell, file::SnapshotFolder},
    telemetry::Metrics,
};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Prices are looked at this often without a new snapshot: steps are per day, so that an item on its
/// way to its price, or one whose guard-rails the merchant changed, moves on.
const REPRICE_MS: i64 = DAY_MS / 24;

/// What a round works with.
#[derive(Clone)]
pub struct Rounds {
    /// The ledger.
    pub store: Arc<dyn Store>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The catalogue in memory.
    pub live: Arc<Live>,
    /// The served snapshot.
    pub snapshots: Arc<SnapshotCell>,
    /// Saved snapshots.
    pub folder: SnapshotFolder,
    /// What decides prices.
    pub pricing: Arc<Pricing>,
    /// What to report to.
    pub metrics: Arc<Metrics>,
    /// The snapshot that could not be taken up.
    pub unreadable: Arc<adopt::Unreadable>,
}

impl Rounds {
    /// Goes round every `period` until `stop`.
    pub async fn run(self, period: Duration, stop: CancellationToken) {
        let mut tick = tokio::time::interval(period);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut priced: Option<((u64, i64), Timestamp)> = None;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                _ = tick.tick() => {}
            }
            adopt::adopt(&self).await;
            let (version, now) = (self.snapshots.current().version, self.clock.now());
            let by = (version, self.pricing.policies_revision());
            let is_due =
                priced.is_none_or(|last| last.0 != by || now.since_ms(last.1) >= REPRICE_MS);
            if !is_due {
                continue;
            }
            match self.pricing.propose(None).await {
                Ok(proposal) => {
                    priced = Some((by, now));
                    let n_moved = proposal.map_or(0, |proposal| proposal.n_moved);
                    if n_moved > 0 {
                        tracing::info!(
                            prices = n_moved,
                            snapshot.version = version,
                            "prices moved"
                        );
                    }
                }
                // Somebody may let it go on at any time.
                Err(PricingError::Stopped(_)) => priced = None,
                // The next round is the retry, but after a fault of ours, which would only come again.
                Err(error) => {
                    if matches!(error, PricingError::Died(_)) {
                        priced = Some((by, now));
                    }
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "prices could not be brought up to date"
                    );
                }
            }
        }
    }
}
