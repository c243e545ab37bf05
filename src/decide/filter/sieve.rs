//! Which items of a snapshot pass a filter, kept true while items change: one bit each, read without a lock.

use super::Filter;
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

/// Positions looked at before whoever has a change to make gets a turn.
const CHUNK: usize = 1_024;

/// A filter, and the positions that pass.
///
/// Whoever changes an item does so first, and then calls [`update`](Self::update), which looks at the item again.
/// With the same lock taken around each look of [`fill`](Self::fill), no bit stays behind its item.
#[derive(Debug)]
pub struct Sieve {
    filter: Filter,
    n_positions: usize,
    words: Box<[AtomicU64]>,
    is_ready: AtomicBool,
    /// Held from looking at an item until its bit is set.
    looking: Mutex<()>,
}

impl Sieve {
    /// For so many items; to be filled.
    pub fn new(filter: Filter, n_positions: usize) -> Self {
        let words = (0..n_positions.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        let (is_ready, looking) = (AtomicBool::new(false), Mutex::default());
        Self { filter, n_positions, words, is_ready, looking }
    }

    /// The filter.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Whether it has been filled.
    pub fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::Acquire)
    }

    /// Whether the item at a position passes; none beyond the end does.
    pub fn holds(&self, at: usize) -> bool {
        let word = self.words.get(at / 64).map_or(0, |word| word.load(Ordering::Acquire));
        (word >> (at % 64)) & 1 == 1
    }

    /// Looks at every item, and is ready.
    pub fn fill(&self, passes: impl Fn(usize) -> bool) {
        for first in (0..self.n_positions).step_by(CHUNK) {
            let _looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
            for at in first..(first + CHUNK).min(self.n_positions) {
                self.set(at, passes(at));
            }
        }
        self.is_ready.store(true, Ordering::Release);
    }

    /// Looks at one item again.
    pub fn update(&self, at: usize, passes: impl FnOnce() -> bool) {
        let _looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        self.set(at, passes());
    }

    /// Bytes held; the filter by its text and once more for what it is compiled to.
    pub fn n_bytes(&self) -> usize {
        let filter = 2 * self.filter.as_str().len();
        size_of::<Self>() + filter + self.words.len() * size_of::<AtomicU64>()
    }

    fn set(&self, at: usize, passes: bool) {
        let Some(word) = self.words.get(at / 64) else { return };
        let bit = 1 << (at % 64);
        if passes {
            word.fetch_or(bit, Ordering::AcqRel);
        } else {
            word.fetch_and(!bit, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sieve(n: usize) -> Sieve {
        Sieve::new(Filter::parse("true", 2).unwrap(), n)
    }

    proptest! {
        #[test]
        fn bits_are_what_was_looked_at_last(
            first in prop::collection::vec(any::<bool>(), 0..3_000),
            changes in prop::collection::vec((0_usize..3_000, any::<bool>()), 0..50),
        ) {
            let sieve = sieve(first.len());
            prop_assert!(!sieve.is_ready());
            sieve.fill(|at| first[at]);
            prop_assert!(sieve.is_ready());
            let mut expected = first.clone();
            for (at, passes) in changes.into_iter().filter(|change| change.0 < first.len()) {
                sieve.update(at, || passes);
                expected[at] = passes;
            }
            prop_assert!((0..expected.len()).all(|at| sieve.holds(at) == expected[at]));
            prop_assert!(!sieve.holds(expected.len()) && !sieve.holds(usize::MAX));
        }
    }

    #[test]
    fn what_changes_while_it_is_filled_is_not_lost() {
        let n = 200_000;
        let items: Vec<AtomicBool> = (0..n).map(|_| AtomicBool::new(false)).collect();
        let sieve = sieve(n);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for at in (0..n).rev().step_by(7) {
                    items[at].store(true, Ordering::SeqCst);
                    sieve.update(at, || items[at].load(Ordering::SeqCst));
                }
            });
            sieve.fill(|at| items[at].load(Ordering::SeqCst));
        });
        assert!((0..n).all(|at| sieve.holds(at) == items[at].load(Ordering::SeqCst)));
        assert!(items.iter().any(|item| item.load(Ordering::SeqCst)));
    }
}
