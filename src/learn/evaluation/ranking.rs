//! From scores to a list: who competes, and who goes first among equals.

use super::{HeldOutCase, metrics::area_under_curve};
use rand::{SeedableRng, rngs::ChaCha8Rng, seq::index};

/// Who goes first among equal scores. Models that count tie a lot, so this can decide a comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ties {
    /// The lower position: what the service shows.
    #[default]
    LowerPosition,
    /// Relevant items come last: the worst list the scores allow. With one relevant item its rank is the
    /// number of scores not below its own, the "conservative" rank of `GRU4Rec` (Hidasi and Czapp, "The
    /// effect of third party implementations on reproducibility", `RecSys` 2023).
    Conservative,
}

/// Which items compete for the places of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Candidates {
    /// All that are not excluded.
    #[default]
    All,
    /// The relevant items and a few others, drawn evenly for each case. For comparing with tables made
    /// this way alone: such numbers do not even order models as the full ranking does (Krichene and
    /// Rendle, "On sampled metrics for item recommendation", KDD 2020).
    Sampled {
        /// Others that are drawn.
        n_negatives: usize,
        /// Start of the random numbers.
        seed: u64,
    },
}

/// An item that competes, as one number that is less the further in front its place is: the score turned
/// round, then whether it is held back, then the position.
type Key = u64;

/// Bits of a key for the position; the bit above them holds relevant items back.
const ITEM_BITS: u32 = 31;

fn key(item: u32, score: f32) -> Key {
    u64::from(!rising(score)) << 32 | u64::from(item)
}

fn item_of(key: Key) -> u32 {
    key as u32 & ((1 << ITEM_BITS) - 1)
}

/// The score's place in the order of [`f32::total_cmp`].
fn rising(score: f32) -> u32 {
    let bits = score.to_bits();
    // Below 0 the order of the bits is the other way round.
    bits ^ ((bits.cast_signed() >> 31).cast_unsigned() | 1 << 31)
}

/// The score of a key, as [`rising`] gives it.
fn rising_of(key: Key) -> u32 {
    !((key >> 32) as u32)
}

/// Scores that are looked at together.
const CHUNK: usize = 1_024;

/// The room for one list after another.
#[derive(Debug, Default)]
pub(super) struct Ranker {
    others: Vec<Key>,
    relevant: Vec<Key>,
    relevant_scores: Vec<u32>,
    /// The best items of the last case, best first.
    pub(super) ranked: Vec<u32>,
}

impl Ranker {
    /// No list: the model had nothing to say.
    pub(super) fn clear(&mut self) {
        self.others.clear();
        self.relevant.clear();
        self.ranked.clear();
    }

    /// Lets the candidates of `case`, the `at`th, compete for `n` places.
    ///
    /// Returns the area under the curve over everything that competes, if asked for; a half, where there
    /// is nothing to compare.
    pub(super) fn rank(
        &mut self,
        scores: &[f32],
        (at, case): (usize, &HeldOutCase),
        n: usize,
        (ties, candidates): (Ties, Candidates),
        with_area: bool,
    ) -> Option<f64> {
        // Who may be drawn, and the area, need all that compete; a list needs the best.
        let is_whole = with_area || candidates != Candidates::All;
        self.admit(scores, case, if is_whole { usize::MAX } else { n });
        if let Candidates::Sampled { n_negatives, seed } = candidates {
            self.sample(n_negatives, seed, at as u64);
        }
        let area = with_area.then(|| self.area_under_curve());
        if ties == Ties::Conservative {
            self.relevant.iter_mut().for_each(|key| *key |= 1 << ITEM_BITS);
        }
        self.others.append(&mut self.relevant);
        self.select(n);
        area
    }

    /// Everything but what is excluded, by position, the relevant ones apart; of the others at least the `n` first.
    fn admit(&mut self, scores: &[f32], case: &HeldOutCase, n: usize) {
        debug_assert!(case.excluded.is_sorted() && case.relevant.is_sorted());
        debug_assert!(scores.len() < 1 << ITEM_BITS);
        self.clear();
        let mut last = None;
        let mut excluded = case.excluded.iter().copied().peekable();
        let mut relevant = case.relevant.iter().copied().peekable();
        let mut from = 0_u32;
        loop {
            // What lies between two items of the shopper's own needs no look at either list.
            let end = scores.len() as u32;
            let next = |items: &mut std::iter::Peekable<_>| items.peek().copied().unwrap_or(end);
            let to = next(&mut excluded).min(next(&mut relevant)).min(end);
            let between = &scores[from as usize..to as usize];
            for (scores, from) in between.chunks(CHUNK).zip((from..).step_by(CHUNK)) {
                self.admit_best(scores, from, n, &mut last);
            }
            if to == end {
                break;
            }
            let is_relevant = relevant.next_if_eq(&to).is_some();
            let is_excluded = excluded.next_if_eq(&to).is_some();
            if is_relevant && !is_excluded {
                self.relevant.push(key(to, scores[to as usize]));
            }
            from = to + 1;
        }
    }

    /// Adds items from position `from` on to the others, unless there are `n` in front of them; `last`: where the `n`th of
    /// those is, if there are.
    fn admit_best(&mut self, scores: &[f32], from: u32, n: usize, last: &mut Option<Key>) {
        let items = (from..).zip(scores);
        match *last {
            None => self.others.extend(items.map(|(item, &score)| key(item, score))),
            Some(last) => {
                // Whoever is as good comes later.
                let least = rising_of(last);
                if scores.iter().fold(false, |any, &score| any | (rising(score) > least)) {
                    let better = items.filter(|(_, score)| rising(**score) > least);
                    self.others.extend(better.map(|(item, &score)| key(item, score)));
                }
            }
        }
        if 0 < n && n.saturating_mul(2).max(CHUNK) <= self.others.len() {
            let nth = *self.others.select_nth_unstable(n - 1).1;
            self.others.truncate(n);
            *last = Some(nth);
        }
    }

    /// Leaves `n` of the others, in their order.
    fn sample(&mut self, n: usize, seed: u64, stream: u64) {
        if self.others.len() <= n {
            return;
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        let mut drawn = index::sample(&mut rng, self.others.len(), n).into_vec();
        drawn.sort_unstable();
        for (to, from) in drawn.into_iter().enumerate() {
            self.others[to] = self.others[from];
        }
        self.others.truncate(n);
    }

    fn area_under_curve(&mut self) -> f64 {
        self.relevant_scores.clear();
        self.relevant_scores.extend(self.relevant.iter().map(|&key| rising_of(key)));
        self.relevant_scores.sort_unstable();
        let others = self.others.iter().map(|&key| rising_of(key));
        area_under_curve(&self.relevant_scores, others).unwrap_or(0.5)
    }

    /// Takes the `n` least keys, by then all among the others.
    fn select(&mut self, n: usize) {
        let n = n.min(self.others.len());
        if 0 < n && n < self.others.len() {
            self.others.select_nth_unstable(n - 1);
        }
        self.others[..n].sort_unstable();
        self.ranked.extend(self.others[..n].iter().map(|&key| item_of(key)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_cut_as_it_would_be_if_all_were_sorted() {
        for n_scores in [0, 1, 900, 1_024, 5_000, 20_000_u32] {
            // Many ties, and the best ones at the end.
            let scores: Vec<f32> =
                (0..n_scores).map(|at| (at * 7_919 % 613 + at / 1_000) as f32 - 300.0).collect();
            let mut all: Vec<u32> =
                (0..n_scores).filter(|item| !case().excluded.contains(item)).collect();
            all.sort_by_key(|&item| key(item, scores[item as usize]));
            for n in [0, 1, 10, 700, 30_000] {
                let list = ranked(&scores, n, Ties::LowerPosition, Candidates::All);
                assert_eq!(list, all[..n.min(all.len())], "{n} of {n_scores}");
            }
        }
    }

    #[test]
    fn the_shoppers_own_items_may_lie_anywhere_in_a_long_list() {
        let n_scores = 20_000_u32;
        let scores: Vec<f32> = (0..n_scores).map(|at| (at * 7_919 % 13) as f32).collect();
        // Among them some that are as good as the last of a list.
        let own = HeldOutCase {
            user: None,
            history: vec![],
            excluded: (0..40).map(|at| at * 500 + 3).collect(),
            relevant: (0..60).map(|at| at * 333 + 1).collect(),
        };
        for ties in [Ties::LowerPosition, Ties::Conservative] {
            let mut all: Vec<u32> =
                (0..n_scores).filter(|item| !own.excluded.contains(item)).collect();
            all.sort_by_key(|item| {
                let comes_last = ties == Ties::Conservative && own.relevant.contains(item);
                (!rising(scores[*item as usize]), comes_last, *item)
            });
            for n in [1, 10, 1_500, 4_000] {
                let mut ranker = Ranker::default();
                ranker.rank(&scores, (0, &own), n, (ties, Candidates::All), false);
                assert_eq!(ranker.ranked, all[..n], "{n} {ties:?}");
            }
        }
    }

    fn case() -> HeldOutCase {
        HeldOutCase { user: None, history: vec![], excluded: vec![1, 5], relevant: vec![2, 9] }
    }

    fn ranked(scores: &[f32], n: usize, ties: Ties, candidates: Candidates) -> Vec<u32> {
        let mut ranker = Ranker::default();
        ranker.rank(scores, (0, &case()), n, (ties, candidates), false);
        ranker.ranked
    }

    #[test]
    fn excluded_items_do_not_compete_and_ties_are_broken_as_told() {
        let scores = [1.0, 9.0, 2.0, 2.0, 3.0, 9.0, 2.0];
        let all = Candidates::All;
        assert_eq!(ranked(&scores, 3, Ties::LowerPosition, all), [4, 2, 3]);
        assert_eq!(ranked(&scores, 3, Ties::Conservative, all), [4, 3, 6]);
        assert_eq!(ranked(&scores, 99, Ties::Conservative, all), [4, 3, 6, 2, 0]);
        assert!(ranked(&scores, 0, Ties::Conservative, all).is_empty());
        assert!(ranked(&[], 3, Ties::LowerPosition, all).is_empty());
    }

    #[test]
    fn a_conservative_rank_is_the_number_of_scores_not_below() {
        let scores = [0.0; 8];
        let list = ranked(&scores, 99, Ties::Conservative, Candidates::All);
        assert_eq!(list.last(), Some(&2));
        assert_eq!(list.len(), 6);
    }

    #[test]
    fn a_sample_keeps_the_relevant_and_depends_on_seed_and_case_only() {
        let scores: Vec<f32> = (0..100_u8).map(f32::from).collect();
        let sampled = |at, seed| {
            let mut ranker = Ranker::default();
            let candidates = Candidates::Sampled { n_negatives: 10, seed };
            ranker.rank(&scores, (at, &case()), 99, (Ties::LowerPosition, candidates), false);
            ranker.ranked
        };
        let list = sampled(3, 1);
        assert_eq!(list.len(), 12);
        assert!(list.contains(&2) && list.contains(&9));
        assert!(!list.contains(&1) && !list.contains(&5));
        assert_eq!(list, sampled(3, 1));
        assert_ne!(list, sampled(4, 1));
        assert_ne!(list, sampled(3, 2));
    }

    #[test]
    fn the_area_is_that_of_what_competes() {
        let mut ranker = Ranker::default();
        let mut area = |scores: &[f32]| {
            let rules = (Ties::LowerPosition, Candidates::All);
            ranker.rank(scores, (0, &case()), 2, rules, true)
        };
        // 2.0 is above 1.0, as high as two, below 3.0.
        assert_eq!(area(&[1.0, 9.0, 2.0, 2.0, 3.0, 9.0, 2.0]), Some(0.5));
        assert_eq!(area(&[1.0, 9.0, 2.5, 2.0, 3.0, 9.0, 2.0]), Some(0.75));
        assert_eq!(area(&[1.0, 9.0]), Some(0.5), "the relevant items are not known");
    }

    #[test]
    fn keys_keep_the_order_of_scores_of_any_sign() {
        let falling = [f32::MAX, 2.0, 1e-40, 0.0, -0.0, -1e-40, -1.5, f32::MIN];
        let keys: Vec<Key> = falling.iter().map(|&score| key(7, score)).collect();
        assert!(keys.is_sorted_by(|a, b| a < b));
        assert!(key(1, 2.0) < key(2, 2.0));
        assert_eq!(item_of(key(123, -4.0)), 123);
    }
}
