//! The answers of late, by their id: what a page continues from, and what can be looked up again.
//!
//! An answer is kept as what was asked and what came of it, some hundred bytes; it goes when it is older
//! than [`KEPT_MS`] or when `recommendations.answers_bytes_max` are full.

use super::{policies::Chosen, shelves::ShelfKey};
use crate::{
    decide::recommend::{Ask, Source},
    domain::{ItemId, Timestamp, time::MINUTE_MS},
};
use quick_cache::{Weighter, sync::Cache};
use std::sync::Arc;
use uuid::Uuid;

/// How long an answer can be continued and looked up.
pub const KEPT_MS: i64 = 30 * MINUTE_MS;

/// Guesses how many answers fit, for the cache's own tables.
const MEAN_BYTES: u64 = 700;

/// An answer as it was given.
#[derive(Clone, Debug)]
pub struct Given {
    /// The customer, if one was named.
    pub user: Option<String>,
    /// The place in the storefront.
    pub scenario: String,
    /// How the list was made.
    pub chosen: Arc<Chosen>,
    /// Whose shelf it was taken from, as of when.
    pub shelf: ShelfKey,
    /// What was asked.
    pub ask: Ask,
    /// Where it came from.
    pub source: Source,
    /// The snapshot's version.
    pub version: u64,
    /// When.
    pub at: Timestamp,
    /// The items with their scores, best first.
    pub items: Arc<[(ItemId, f32)]>,
    /// What the pages before it showed.
    pub before: Arc<[ItemId]>,
}

impl Given {
    /// All items that this answer and the pages before it showed.
    pub fn shown(&self) -> Arc<[ItemId]> {
        self.before.iter().cloned().chain(self.items.iter().map(|item| item.0.clone())).collect()
    }
}

#[derive(Clone)]
struct Bytes;

impl Weighter<Uuid, Arc<Given>> for Bytes {
    fn weight(&self, _id: &Uuid, given: &Arc<Given>) -> u64 {
        let ids = given.ask.exclude.len() + given.ask.context.len() + given.before.len();
        let n_bytes = size_of::<Given>()
            + ids * size_of::<ItemId>()
            + given.items.len() * size_of::<(ItemId, f32)>()
            + given.scenario.len()
            + given.user.as_ref().map_or(0, String::len);
        n_bytes as u64 + given.shelf.n_bytes()
    }
}

/// The answers of late.
pub struct Answers(Cache<Uuid, Arc<Given>, Bytes>);

impl Answers {
    /// None yet; at most about `bytes_max` bytes.
    pub fn new(bytes_max: u64) -> Self {
        let n = (bytes_max / MEAN_BYTES).max(1) as usize;
        Self(Cache::with_weighter(n, bytes_max.max(1), Bytes))
    }

    /// Keeps an answer; the id names it and cannot be guessed.
    pub fn keep(&self, id: Uuid, given: Given) {
        self.0.insert(id, Arc::new(given));
    }

    /// The answer of this id, unless it is too old or was crowded out.
    pub fn get(&self, id: Uuid, now: Timestamp) -> Option<Arc<Given>> {
        self.0.get(&id).filter(|given| now.since_ms(given.at) <= KEPT_MS)
    }

    /// Forgets what was answered to somebody who is erased.
    pub fn forget(&self, user: &str) {
        self.0.retain(|_id, given| given.user.as_deref() != Some(user));
    }

    /// Bytes held.
    pub fn n_bytes(&self) -> u64 {
        self.0.weight()
    }
}
