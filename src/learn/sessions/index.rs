//! Past sessions by recency, and for each item the latest sessions that hold it.
//!
//! Source: Kersbergen, Sprangers, Schelter, "Serenade: low-latency session-based recommendation in e-commerce
//! at scale", SIGMOD 2022 (the prebuilt index of VMIS-kNN: per item the `m` most recent sessions,
//! per session its different items, per item how many sessions hold it). Departures: sessions are numbered by
//! recency, so that a session's number is its timestamp and a list in rising order is in order of recency;
//! items keep the order in which they were looked at, for which Garg, Gupta, Malhotra, Vig, Shroff, "Sequence
//! and time aware neighborhood for session-based recommendations: STAN", SIGIR 2019, has a use.

use crate::learn::recommenders::{FitError, check};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;

/// How much is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IndexLimits {
    /// Most sessions, the latest, 1 to 16,000,000.
    pub sessions_max: usize,
    /// Most different items of a session, its last, 2 to 256.
    pub items_per_session_max: usize,
    /// Most sessions listed for an item, the latest, 1 to 1,000,000; a model may ask for as many candidates.
    pub postings_max: usize,
}

impl Default for IndexLimits {
    fn default() -> Self {
        Self { sessions_max: 1_000_000, items_per_session_max: 50, postings_max: 5_000 }
    }
}

impl IndexLimits {
    /// Refuses limits out of range.
    pub fn check(&self) -> Result<(), FitError> {
        let n = self.sessions_max;
        check((1..=16_000_000).contains(&n), "sessions_max", "between 1 and 16000000", n)?;
        let n = self.items_per_session_max;
        check((2..=256).contains(&n), "items_per_session_max", "between 2 and 256", n)?;
        let n = self.postings_max;
        check((1..=1_000_000).contains(&n), "postings_max", "between 1 and 1000000", n)
    }
}

/// Past sessions, ready to be asked.
///
/// `8` bytes for each item of a session and `4` for each session, `8` for each item of the catalogue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionIndex {
    limits: IndexLimits,
    /// `(n_sessions + 1)`: where the items of a session begin.
    session_starts: Vec<u32>,
    /// Different items of every session, by when they were last looked at, the oldest first; sessions latest first.
    session_items: Vec<u32>,
    /// `(n_items + 1)`: where the sessions of an item begin.
    posting_starts: Vec<u32>,
    /// Sessions of every item, rising, so the latest first.
    postings: Vec<u32>,
    /// `(n_items)`: sessions that hold the item, also those that its list has no room for.
    frequencies: Vec<u32>,
}

impl SessionIndex {
    /// Takes sessions, each its items in the order they were looked at and the time of the last, in any order; of
    /// equal times the one that comes later is taken for the later one.
    ///
    /// Left out are items that are not below `n_items`, and sessions with fewer than two different items: they lead
    /// nowhere, and would take the places of others that do.
    pub fn new<'a>(
        n_items: usize,
        sessions: impl IntoIterator<Item = (&'a [u32], i64)>,
        limits: &IndexLimits,
    ) -> Result<Self, FitError> {
        limits.check()?;
        let known = |item: &&u32| (**item as usize) < n_items;
        let leads_somewhere = |items: &[u32]| {
            let mut items = items.iter().filter(known);
            items.next().is_some_and(|first| items.any(|item| item != first))
        };
        let mut order: Vec<(&[u32], i64, usize)> = sessions
            .into_iter()
            .enumerate()
            .map(|(at, (items, time))| (items, time, at))
            .filter(|(items, ..)| leads_somewhere(items))
            .collect();
        order.sort_unstable_by_key(|&(_, time, at)| Reverse((time, at)));
        order.truncate(limits.sessions_max);

        let mut session_starts = vec![0_u32];
        let mut session_items = Vec::new();
        for (items, ..) in &order {
            let begin = session_items.len();
            for &item in items.iter().rev().filter(known) {
                if session_items.len() - begin == limits.items_per_session_max {
                    break;
                }
                if !session_items[begin..].contains(&item) {
                    session_items.push(item);
                }
            }
            session_items[begin..].reverse();
            // 16,000,000 sessions of 256 items are fewer than 2³².
            session_starts.push(session_items.len() as u32);
        }
        session_items.shrink_to_fit();

        let mut index = Self {
            limits: *limits,
            session_starts,
            session_items,
            posting_starts: Vec::new(),
            postings: Vec::new(),
            frequencies: Vec::new(),
        };
        index.list_sessions(n_items);
        Ok(index)
    }

    /// Fills in the lists of sessions: one counting sort over the items of all sessions.
    fn list_sessions(&mut self, n_items: usize) {
        let n_sessions = self.n_sessions() as u32;
        let mut frequencies = vec![0_u32; n_items];
        for &item in &self.session_items {
            frequencies[item as usize] += 1;
        }
        let mut posting_starts = Vec::with_capacity(n_items + 1);
        let mut end = 0;
        posting_starts.push(end);
        for &frequency in &frequencies {
            end += frequency.min(self.limits.postings_max as u32);
            posting_starts.push(end);
        }
        let mut next = posting_starts.clone();
        let mut postings = vec![0; end as usize];
        for session in 0..n_sessions {
            for &item in self.session(session) {
                let item = item as usize;
                if next[item] < posting_starts[item + 1] {
                    postings[next[item] as usize] = session;
                    next[item] += 1;
                }
            }
        }
        (self.frequencies, self.posting_starts, self.postings) =
            (frequencies, posting_starts, postings);
    }

    /// What it was made with.
    pub fn limits(&self) -> &IndexLimits {
        &self.limits
    }

    /// Number of sessions.
    pub fn n_sessions(&self) -> usize {
        self.session_starts.len() - 1
    }

    /// Number of items of the catalogue.
    pub fn n_items(&self) -> usize {
        self.frequencies.len()
    }

    /// The different items of a session, by when they were last looked at, the oldest first; 0 is the latest
    /// session.
    ///
    /// # Panics
    ///
    /// If there is no such session.
    pub fn session(&self, session: u32) -> &[u32] {
        let at = session as usize;
        &self.session_items[self.session_starts[at] as usize..self.session_starts[at + 1] as usize]
    }

    /// The latest sessions that hold `item`, the latest first; none if nobody looked at it or it is not in the
    /// catalogue.
    pub fn sessions_with(&self, item: u32) -> &[u32] {
        let at = item as usize;
        if at >= self.n_items() {
            return &[];
        }
        &self.postings[self.posting_starts[at] as usize..self.posting_starts[at + 1] as usize]
    }

    /// Number of sessions that hold each item `(n_items)`.
    pub fn frequencies(&self) -> &[u32] {
        &self.frequencies
    }

    /// `ln(1 + n_sessions / frequency)`: how much it says that a session holds `item`; 0 if none does.
    ///
    /// The paper's `log(|H| / h_i)`, but for the 1, without which an item that every session of a small shop holds
    /// could neither be found nor find others.
    pub fn inverse_frequency(&self, item: u32) -> f32 {
        match self.frequencies.get(item as usize) {
            Some(&frequency) if frequency > 0 => {
                (self.n_sessions() as f64 / f64::from(frequency)).ln_1p() as f32
            }
            _ => 0.0,
        }
    }

    /// Bytes held on the heap.
    pub fn n_bytes(&self) -> usize {
        let vectors = [
            &self.session_starts,
            &self.session_items,
            &self.posting_starts,
            &self.postings,
            &self.frequencies,
        ];
        vectors.iter().map(|vector| size_of::<u32>() * vector.capacity()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(sessions: &[(&[u32], i64)], limits: IndexLimits) -> SessionIndex {
        SessionIndex::new(5, sessions.iter().copied(), &limits).unwrap()
    }

    #[test]
    fn sessions_are_numbered_by_recency_and_hold_an_item_once() {
        let sessions: [(&[u32], i64); 4] =
            [(&[0, 1, 0], 10), (&[1, 2], 30), (&[3, 1], 20), (&[2, 0], 30)];
        let index = index(&sessions, IndexLimits::default());
        let kept: Vec<&[u32]> = (0..4).map(|session| index.session(session)).collect();
        assert_eq!(kept, [&[2, 0][..], &[1, 2], &[3, 1], &[1, 0]], "of equals the later is latest");
        let lists: Vec<&[u32]> = (0..6).map(|item| index.sessions_with(item)).collect();
        assert_eq!(lists, [&[0, 3][..], &[1, 2, 3], &[0, 1], &[2], &[], &[]]);
        assert_eq!(index.frequencies(), [2, 3, 2, 1, 0]);
        assert!((index.inverse_frequency(3) - 5_f32.ln()).abs() < 1e-6, "one rounding to f32");
        assert_eq!((index.inverse_frequency(4), index.inverse_frequency(9)), (0.0, 0.0));
    }

    #[test]
    fn memory_is_bounded_by_forgetting_what_is_oldest() {
        let sessions: [(&[u32], i64); 4] =
            [(&[0, 1], 1), (&[1, 2, 3, 4], 2), (&[1, 3], 3), (&[1, 4], 4)];
        let limits = IndexLimits { sessions_max: 3, items_per_session_max: 3, postings_max: 2 };
        let small = index(&sessions, limits);
        assert_eq!(small.n_sessions(), 3);
        assert_eq!(small.session(2), [2, 3, 4], "the last items are kept");
        assert_eq!(small.sessions_with(1), [0, 1]);
        assert_eq!(small.frequencies(), [0, 2, 1, 2, 2]);
        assert!(small.n_bytes() < index(&sessions, IndexLimits::default()).n_bytes());
    }

    #[test]
    fn sessions_that_lead_nowhere_and_items_outside_of_the_catalogue_are_left_out() {
        let sessions: [(&[u32], i64); 5] =
            [(&[], 1), (&[2, 2], 2), (&[9, 3, u32::MAX], 3), (&[9, 3, 4], 4), (&[2, 0, 2], 5)];
        let index = index(&sessions, IndexLimits::default());
        assert_eq!(index.n_sessions(), 2);
        assert_eq!((index.session(0), index.session(1)), (&[0, 2][..], &[3, 4][..]));
        let empty = SessionIndex::new(0, [], &IndexLimits::default()).unwrap();
        assert_eq!((empty.n_sessions(), empty.n_items()), (0, 0));
        assert!(empty.sessions_with(0).is_empty());
    }

    #[test]
    fn limits_out_of_range_are_refused_by_name() {
        let refused = |limits: IndexLimits| match SessionIndex::new(1, [], &limits) {
            Err(FitError::Parameter { parameter, .. }) => parameter,
            other => panic!("{other:?}"),
        };
        let base = IndexLimits::default();
        assert_eq!(refused(IndexLimits { sessions_max: 0, ..base }), "sessions_max");
        assert_eq!(
            refused(IndexLimits { items_per_session_max: 1, ..base }),
            "items_per_session_max"
        );
        assert_eq!(refused(IndexLimits { postings_max: 0, ..base }), "postings_max");
    }

    #[test]
    fn an_index_is_the_same_after_it_was_written_and_read() {
        let sessions: [(&[u32], i64); 3] = [(&[0, 1], 1), (&[1, 2, 3, 4], 2), (&[1, 3], 3)];
        let index = index(&sessions, IndexLimits::default());
        let bytes = postcard::to_stdvec(&index).unwrap();
        assert_eq!(postcard::from_bytes::<SessionIndex>(&bytes).unwrap(), index);
    }
}
