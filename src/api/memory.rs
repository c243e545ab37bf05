//! Where memory goes: the part of `GET /status` about it.

use super::state::ApiState;
use crate::snapshot::Snapshot;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What waits and what is in memory; bytes are of what is held, without what the allocator adds.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemoryStatus {
    /// Of the whole process, as the system sees it; null where it does not say.
    resident_bytes: Option<usize>,
    /// Of the served snapshot, by part: each model, what is related, shoppers' histories, and so on.
    snapshot_bytes: BTreeMap<&'static str, usize>,
    /// What the next snapshot will take beside the served one, until requests to that have ended: as much for each
    /// event as the served one. Training needs more, for a while.
    next_swap_bytes: usize,
    /// Of ready shelves and lists; bounded by `recommendations.cache_bytes_max`.
    list_cache_bytes: u64,
    /// Of filters, a bit for each item; at most 64 of them.
    filter_bytes: usize,
    /// Of answers kept; bounded by `recommendations.answers_bytes_max`.
    answers_bytes: u64,
    /// Events that wait for a commit; bounded by `events.queue_max`.
    ingest_queue_events: i64,
    /// Shoppers with recent events; bounded by `live.shoppers_max`.
    live_shoppers: usize,
    /// Items; bounded by `catalogue.items_max`.
    catalogue_items: usize,
}

/// Where memory goes now, when `n_events` are stored of which the snapshot has learned from `n_learned`.
pub(super) fn memory(
    state: &ApiState,
    snapshot: &Snapshot,
    (n_events, n_learned): (u64, u64),
) -> MemoryStatus {
    let mut parts: BTreeMap<&'static str, usize> = BTreeMap::new();
    for (part, bytes) in snapshot.memory() {
        *parts.entry(part).or_default() += bytes;
    }
    let total: usize = parts.values().sum();
    let growth = if n_learned == 0 { 1.0 } else { (n_events as f64 / n_learned as f64).max(1.0) };
    MemoryStatus {
        resident_bytes: memory_stats::memory_stats().map(|stats| stats.physical_mem),
        next_swap_bytes: (total as f64 * growth) as usize,
        snapshot_bytes: parts,
        list_cache_bytes: state.shelves.n_bytes(),
        filter_bytes: state.sieves.n_bytes(),
        answers_bytes: state.answers.n_bytes(),
        ingest_queue_events: state.metrics.ingest_queue.get(),
        live_shoppers: state.live.shoppers.len(),
        catalogue_items: state.live.catalogue.len(),
    }
}
