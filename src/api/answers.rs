//! The answers of late, by their id: what a page continues from, and what can be looked up again.
//!
//! An answer is kept as what was asked and what came of it, some hundred bytes; it goes when it is older
//! than [`KEPT_MS`] or when `recommendations.answers_bytes_max` are full, the oldest first. Ids begin with the time, so
//! the order in which answers are kept is that of their ids, and one is found by bisection.

use super::{policies::Chosen, shelves::ShelfKey};
use crate::{
    decide::recommend::{Ask, Source},
    domain::{ItemId, Timestamp, time::MINUTE_MS},
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use uuid::Uuid;

/// How long an answer can be continued and looked up.
pub const KEPT_MS: i64 = 30 * MINUTE_MS;

/// Parts with a lock each: threads that answer must not wait for each other.
const N_SHARDS: usize = 16;

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
    /// The item that chance put into it, and the chance that it had, in parts per million.
    pub explored: Option<(ItemId, u32)>,
    /// What the pages before it showed.
    pub before: Arc<[ItemId]>,
}

impl Given {
    /// All items that this answer and the pages before it showed.
    pub fn shown(&self) -> Arc<[ItemId]> {
        self.before.iter().cloned().chain(self.items.iter().map(|item| item.0.clone())).collect()
    }
}

/// Bytes that an answer takes.
fn weight(given: &Given) -> u64 {
    let ids = given.ask.exclude.len() + given.ask.context.len() + given.before.len();
    let n_bytes = size_of::<(Uuid, Arc<Given>)>()
        + size_of::<Given>()
        + ids * size_of::<ItemId>()
        + given.items.len() * size_of::<(ItemId, f32)>()
        + given.scenario.len()
        + given.user.as_ref().map_or(0, String::len);
    n_bytes as u64 + given.shelf.n_bytes()
}

/// Some of the answers, in order of their ids.
#[derive(Default)]
struct Shard {
    given: VecDeque<(Uuid, Arc<Given>)>,
    n_bytes: u64,
}

impl Shard {
    fn drop_oldest(&mut self) -> Option<Arc<Given>> {
        let (_id, oldest) = self.given.pop_front()?;
        self.n_bytes -= weight(&oldest);
        Some(oldest)
    }
}

/// The answers of late.
pub struct Answers {
    shards: [Mutex<Shard>; N_SHARDS],
    shard_bytes_max: u64,
}

impl Answers {
    /// None yet; at most about `bytes_max` bytes.
    pub fn new(bytes_max: u64) -> Self {
        Self { shards: Default::default(), shard_bytes_max: bytes_max / N_SHARDS as u64 }
    }

    /// Keeps an answer, unless it takes more than a part may; the id names it and cannot be guessed.
    pub fn keep(&self, id: Uuid, given: Given) {
        let (n_bytes, horizon) = (weight(&given), given.at.plus_ms(-KEPT_MS));
        if n_bytes > self.shard_bytes_max {
            return;
        }
        let given = Arc::new(given);
        let mut shard = self.shard(id);
        // Another thread may have kept a later one just before.
        let place = shard.given.iter().rev().take_while(|kept| kept.0 > id).count();
        let place = shard.given.len() - place;
        shard.given.insert(place, (id, given));
        shard.n_bytes += n_bytes;
        // Two leave for one that comes, so that what is too old goes soon, and nobody waits for all of it.
        let dropped = [(); 2].map(|()| {
            let is_full = shard.n_bytes > self.shard_bytes_max;
            let is_old = shard.given.front().is_some_and(|oldest| oldest.1.at < horizon);
            (is_full || is_old).then(|| shard.drop_oldest())
        });
        // One as large as many: rare.
        while shard.n_bytes > self.shard_bytes_max && shard.drop_oldest().is_some() {}
        // Nobody else waits while memory is given back.
        drop(shard);
        drop(dropped);
    }

    /// The answer of this id, unless it is too old or was crowded out.
    pub fn get(&self, id: Uuid, now: Timestamp) -> Option<Arc<Given>> {
        let shard = self.shard(id);
        let place = shard.given.binary_search_by(|kept| kept.0.cmp(&id)).ok()?;
        let given = &shard.given[place].1;
        (now.since_ms(given.at) <= KEPT_MS).then(|| given.clone())
    }

    /// Forgets what was answered to somebody who is erased.
    pub fn forget(&self, user: &str) {
        for shard in &self.shards {
            let shard = &mut *locked(shard);
            shard.given.retain(|(_id, given)| given.user.as_deref() != Some(user));
            shard.n_bytes = shard.given.iter().map(|(_id, given)| weight(given)).sum();
        }
    }

    /// Bytes held.
    pub fn n_bytes(&self) -> u64 {
        self.shards.iter().map(|shard| locked(shard).n_bytes).sum()
    }

    fn shard(&self, id: Uuid) -> MutexGuard<'_, Shard> {
        // The end of an id is drawn by chance.
        locked(&self.shards[usize::from(id.as_bytes()[15]) % N_SHARDS])
    }
}

fn locked(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // Nothing between taking and giving back can panic half-way.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{decide::recommend::Policy, domain::time::HOUR_MS};
    use proptest::prelude::*;

    fn given(user: &str, at: i64) -> Given {
        Given {
            user: Some(user.into()),
            scenario: "home".into(),
            chosen: Arc::new(Chosen { policy: Policy::default(), number: 0, variant: None }),
            shelf: ShelfKey::default(),
            ask: Ask::default(),
            source: Source::Popular,
            version: 1,
            at: Timestamp(at),
            items: Arc::default(),
            explored: None,
            before: Arc::default(),
        }
    }

    proptest! {
        #[test]
        fn whatever_the_order_all_are_found_and_bytes_add_up(mut tails in prop::collection::vec(0u128.., 1..60)) {
            tails.sort_unstable();
            tails.dedup();
            let answers = Answers::new(1 << 20);
            let ids: Vec<Uuid> = tails.iter().rev().map(|tail| Uuid::from_u128(*tail)).collect();
            for (id, user) in ids.iter().zip(["ada", "bob"].iter().cycle()) {
                answers.keep(*id, given(user, 0));
            }
            prop_assert!(ids.iter().all(|id| answers.get(*id, Timestamp(0)).is_some()));
            prop_assert_eq!(answers.n_bytes(), ids.len() as u64 * weight(&given("ada", 0)));
            answers.forget("ada");
            let n_left = ids.iter().filter(|id| answers.get(**id, Timestamp(0)).is_some()).count();
            prop_assert_eq!(n_left, ids.len() / 2);
            prop_assert_eq!(answers.n_bytes(), n_left as u64 * weight(&given("ada", 0)));
        }
    }

    #[test]
    fn the_oldest_go_first_and_none_stays_beyond_its_time() {
        let each = weight(&given("ada", 0));
        let answers = Answers::new(each * 3 * N_SHARDS as u64);
        // All of one shard.
        let ids: Vec<Uuid> = (1..=5u128).map(|n| Uuid::from_u128(n << 64)).collect();
        for id in &ids {
            answers.keep(*id, given("ada", 0));
        }
        let found =
            |at| ids.iter().map(|id| answers.get(*id, Timestamp(at)).is_some()).collect::<Vec<_>>();
        assert_eq!(found(0), [false, false, true, true, true]);
        assert_eq!(answers.n_bytes(), 3 * each);
        assert!(found(KEPT_MS + 1).iter().all(|is_found| !is_found));
        let late = Uuid::from_u128(9 << 64);
        answers.keep(late, given("ada", HOUR_MS));
        assert_eq!(answers.n_bytes(), 2 * each, "two of the old ones are gone");
        answers.keep(Uuid::from_u128(10 << 64), given(&"a".repeat(5 * each as usize), HOUR_MS));
        assert_eq!(answers.n_bytes(), 2 * each, "one that is too large is not kept");
        assert!(answers.get(late, Timestamp(HOUR_MS)).is_some(), "nor drives others out");
    }
}
