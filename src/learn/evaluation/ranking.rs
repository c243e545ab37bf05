//! From scores to a list: who competes, and who goes first among equals.

use super::{HeldOutCase, metrics::area_under_curve};
use rand::{SeedableRng, rngs::ChaCha8Rng, seq::index};
use std::cmp::Ordering;

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

/// An item that competes.
#[derive(Clone, Copy, Debug)]
struct Place {
    score: f32,
    item: u32,
    is_relevant: bool,
}

/// The room for one list after another.
#[derive(Debug, Default)]
pub(super) struct Ranker {
    places: Vec<Place>,
    relevant_scores: Vec<f32>,
    /// The best items of the last case, best first.
    pub(super) ranked: Vec<u32>,
}

impl Ranker {
    /// No list: the model had nothing to say.
    pub(super) fn clear(&mut self) {
        self.places.clear();
        self.ranked.clear();
    }

    /// Lets the candidates of `case`, the `at`th, compete for `n` places.
    pub(super) fn rank(
        &mut self,
        scores: &[f32],
        (at, case): (usize, &HeldOutCase),
        n: usize,
        (ties, candidates): (Ties, Candidates),
    ) {
        self.admit(scores, case);
        if let Candidates::Sampled { n_negatives, seed } = candidates {
            self.sample(n_negatives, seed, at as u64);
        }
        self.ranked.clear();
        if n == 0 {
            return;
        }
        let by_score = |a: &Place, b: &Place| b.score.total_cmp(&a.score);
        match ties {
            Ties::LowerPosition => {
                self.select(n, |a, b| by_score(a, b).then(a.item.cmp(&b.item)));
            }
            Ties::Conservative => self.select(n, |a, b| {
                by_score(a, b).then(a.is_relevant.cmp(&b.is_relevant)).then(a.item.cmp(&b.item))
            }),
        }
    }

    /// Everything but what is excluded, by position.
    fn admit(&mut self, scores: &[f32], case: &HeldOutCase) {
        debug_assert!(case.excluded.is_sorted() && case.relevant.is_sorted());
        self.places.clear();
        let mut excluded = case.excluded.iter().copied().peekable();
        let mut relevant = case.relevant.iter().copied().peekable();
        for (item, &score) in (0..).zip(scores) {
            let is_excluded = excluded.next_if_eq(&item).is_some();
            let is_relevant = relevant.next_if_eq(&item).is_some();
            if !is_excluded {
                self.places.push(Place { score, item, is_relevant });
            }
        }
    }

    /// Leaves the relevant places and `n` of the others; the places stay in order.
    fn sample(&mut self, n: usize, seed: u64, stream: u64) {
        let n_others = self.places.iter().filter(|place| !place.is_relevant).count();
        if n_others <= n {
            return;
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        let mut drawn = index::sample(&mut rng, n_others, n).into_vec();
        drawn.sort_unstable();
        let mut drawn = drawn.into_iter().peekable();
        let mut at = 0;
        self.places.retain(|place| {
            if place.is_relevant {
                return true;
            }
            at += 1;
            drawn.next_if_eq(&(at - 1)).is_some()
        });
    }

    /// Takes the first `n` places in the order of `better`.
    fn select(&mut self, n: usize, better: impl Fn(&Place, &Place) -> Ordering) {
        let best = if n < self.places.len() {
            self.places.select_nth_unstable_by(n - 1, &better);
            &mut self.places[..n]
        } else {
            &mut self.places[..]
        };
        best.sort_unstable_by(&better);
        self.ranked.extend(best.iter().map(|place| place.item));
    }

    /// The area under the curve of the last case, over everything that competed.
    pub(super) fn area_under_curve(&mut self) -> Option<f64> {
        let of = |is_relevant| {
            move |place: &Place| (place.is_relevant == is_relevant).then_some(place.score)
        };
        self.relevant_scores.clear();
        self.relevant_scores.extend(self.places.iter().filter_map(of(true)));
        self.relevant_scores.sort_unstable_by(f32::total_cmp);
        area_under_curve(&self.relevant_scores, self.places.iter().filter_map(of(false)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case() -> HeldOutCase {
        HeldOutCase { user: None, history: vec![], excluded: vec![1, 5], relevant: vec![2, 9] }
    }

    fn ranked(scores: &[f32], n: usize, ties: Ties, candidates: Candidates) -> Vec<u32> {
        let mut ranker = Ranker::default();
        ranker.rank(scores, (0, &case()), n, (ties, candidates));
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
            ranker.rank(&scores, (at, &case()), 99, (Ties::LowerPosition, candidates));
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
        let scores = [1.0, 9.0, 2.0, 2.0, 3.0, 9.0, 2.0];
        ranker.rank(&scores, (0, &case()), 2, (Ties::LowerPosition, Candidates::All));
        // 2.0 is above 1.0, as high as two, below 3.0.
        assert_eq!(ranker.area_under_curve(), Some(0.5));
        ranker.clear();
        assert_eq!(ranker.area_under_curve(), None);
    }
}
