//! What is wanted now: counts that fade, kept up to date event by event.
//!
//! Cormode, Shkapenyuk, Srivastava, Xu, "Forward decay: a practical time decay model for streaming systems", ICDE
//! 2009, with exponential decay: an event at `t` adds `w · 2^((t − landmark) / half_life)`, and what is asked
//! at `now` is the sum over `2^((now − landmark) / half_life)`. No sum changes while time passes, so an event costs one
//! addition and the order of two items needs no clock. Before numbers grow too large the landmark moves.

use crate::domain::{EventKind, Timestamp};
use crate::learn::recommenders::{FitError, check};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::hash::Hash;

/// Half-lives after which the landmark moves: sums then stay far below `f64::MAX`, and
/// what is left of one event of before is below `2^-64`.
const HALF_LIVES_MAX: f64 = 64.0;

/// How wants are counted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrendingParams {
    /// Time after which an event counts half, in hours; above 0.
    pub half_life_hours: f64,
    /// What an event counts by kind, in the order of [`EventKind::ALL`]; an item below 0 is not wanted.
    pub weights: [f32; 12],
    /// Items that are remembered, at least 1; up to twice as many between two clearances.
    pub items_max: usize,
}

impl Default for TrendingParams {
    fn default() -> Self {
        Self {
            half_life_hours: 24.0,
            weights: [1.0, 1.0, 0.0, 0.0, 3.0, -1.0, 0.0, 5.0, -5.0, 2.0, 0.0, -2.0],
            items_max: 100_000,
        }
    }
}

impl TrendingParams {
    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), FitError> {
        let hours = self.half_life_hours;
        // A millisecond is the clock's step; a longer life than a century forgets nothing.
        let fits = (1e-6..=1e6).contains(&hours);
        check(fits, "half_life_hours", "between 0.000001 and 1000000", hours)?;
        for weight in self.weights {
            let fits = weight.is_finite() && weight.abs() <= 1e6;
            check(fits, "weights", "between -1000000 and 1000000", weight)?;
        }
        check(1 <= self.items_max, "items_max", "at least 1", self.items_max)
    }
}

impl TrendingParams {
    fn half_lives(&self, from: Timestamp, to: Timestamp) -> f64 {
        to.since_ms(from) as f64 / (self.half_life_hours * 3.6e6)
    }

    /// What is left at `to` of a count of 1 at `from`; a time before that is a wrong clock, and counts as it.
    pub fn faded(&self, from: Timestamp, to: Timestamp) -> f64 {
        (-self.half_lives(from, to).max(0.0)).exp2()
    }
}

/// Fading counts by item, whatever names an item.
#[derive(Clone, Debug)]
pub struct Trending<K> {
    params: TrendingParams,
    /// Where time begins; none before the first event.
    landmark: Option<Timestamp>,
    sums: FxHashMap<K, f64>,
}

impl<K: Clone + Eq + Hash + Ord> Trending<K> {
    /// Nothing is wanted yet.
    pub fn new(params: TrendingParams) -> Result<Self, FitError> {
        params.check()?;
        Ok(Self { params, landmark: None, sums: FxHashMap::default() })
    }

    /// Goes on from counts as of `at`.
    #[must_use]
    pub fn resumed(self, counts: impl IntoIterator<Item = (K, f64)>, at: Timestamp) -> Self {
        Self { landmark: Some(at), sums: counts.into_iter().collect(), ..self }
    }

    /// Takes in one event; one from the future counts as now, or a wrong clock would outweigh everything.
    ///
    /// Amortised constant time: items are cleared away when they are twice as many as are remembered.
    pub fn record(&mut self, item: &K, kind: EventKind, at: Timestamp, now: Timestamp) {
        let weight = f64::from(self.params.weights[kind as usize - 1]);
        if weight == 0.0 {
            return;
        }
        let at = at.min(now);
        let landmark = *self.landmark.get_or_insert(at);
        if HALF_LIVES_MAX < self.half_lives(landmark, at) {
            self.move_landmark(landmark, at);
        }
        let added = weight * self.half_lives(self.landmark.unwrap_or(at), at).exp2();
        if added == 0.0 {
            return;
        }
        match self.sums.get_mut(item) {
            Some(sum) => *sum += added,
            None => {
                self.sums.insert(item.clone(), added);
            }
        }
        if self.params.items_max.saturating_mul(2) <= self.sums.len() {
            self.clear_away();
        }
    }

    /// The most wanted items that `keep` admits with their faded counts, best first; equal ones in the order of
    /// their names. Linear in items remembered.
    pub fn top(&self, n: usize, now: Timestamp, keep: impl Fn(&K) -> bool) -> Vec<(K, f64)> {
        let mut found: Vec<(&K, f64)> = self.sums.iter().map(|(k, &sum)| (k, sum)).collect();
        found.retain(|(item, sum)| 0.0 < *sum && keep(item));
        if n == 0 {
            return Vec::new();
        }
        if n < found.len() {
            found.select_nth_unstable_by(n - 1, better);
            found.truncate(n);
        }
        found.sort_unstable_by(better);
        let faded = self.faded(now);
        found.into_iter().map(|(item, sum)| (item.clone(), sum * faded)).collect()
    }

    /// How much an item is wanted at `now`.
    pub fn count(&self, item: &K, now: Timestamp) -> f64 {
        self.sums.get(item).map_or(0.0, |sum| sum * self.faded(now))
    }

    /// Number of items remembered.
    pub fn len(&self) -> usize {
        self.sums.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.sums.is_empty()
    }

    /// Forgets an item.
    pub fn forget(&mut self, item: &K) {
        self.sums.remove(item);
    }

    fn half_lives(&self, from: Timestamp, to: Timestamp) -> f64 {
        self.params.half_lives(from, to)
    }

    /// What a sum is worth at `now`.
    fn faded(&self, now: Timestamp) -> f64 {
        self.landmark.map_or(0.0, |landmark| self.params.faded(landmark, now))
    }

    /// Counts from `at` on; what has faded to nothing goes.
    fn move_landmark(&mut self, from: Timestamp, at: Timestamp) {
        let faded = (-self.half_lives(from, at)).exp2();
        self.sums.retain(|_, sum| {
            *sum *= faded;
            f64::EPSILON < sum.abs()
        });
        self.landmark = Some(at);
    }

    /// Keeps the most wanted.
    fn clear_away(&mut self) {
        let mut all: Vec<(&K, f64)> = self.sums.iter().map(|(k, &sum)| (k, sum)).collect();
        let n = self.params.items_max;
        all.select_nth_unstable_by(n - 1, better);
        all.truncate(n);
        self.sums = all.into_iter().map(|(item, sum)| (item.clone(), sum)).collect();
    }
}

fn better<K: Ord>(a: &(&K, f64), b: &(&K, f64)) -> std::cmp::Ordering {
    b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use EventKind::{Purchase, Return, View};

    fn hour(hour: i64) -> Timestamp {
        Timestamp(hour * 3_600_000)
    }

    fn trending(items_max: usize) -> Trending<u32> {
        Trending::new(TrendingParams { items_max, ..TrendingParams::default() }).unwrap()
    }

    #[test]
    fn a_count_halves_in_its_half_life() {
        let mut trending = trending(10);
        trending.record(&1, Purchase, hour(0), hour(0));
        trending.record(&1, View, hour(24), hour(24));
        assert!((trending.count(&1, hour(24)) - 3.5).abs() < 1e-12);
        assert!((trending.count(&1, hour(48)) - 1.75).abs() < 1e-12);
        assert!(trending.count(&2, hour(48)).abs() < f64::EPSILON);
    }

    #[test]
    fn the_order_of_events_does_not_matter() {
        let events = [(1, Purchase, 0), (2, View, 30), (1, View, 50), (2, Purchase, 7)];
        let mut lists = Vec::new();
        for order in [[0, 1, 2, 3], [3, 2, 1, 0]] {
            let mut trending = trending(10);
            for (item, kind, at) in order.map(|at| events[at]) {
                trending.record(&item, kind, hour(at), hour(60));
            }
            lists.push(trending.top(9, hour(60), |_| true));
        }
        for (a, b) in lists[0].iter().zip(&lists[1]) {
            assert!(a.0 == b.0 && (a.1 / b.1 - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn years_do_not_overflow_and_the_old_is_forgotten() {
        let mut trending = trending(10);
        for day in 0..5_000 {
            trending.record(&u32::from(day % 2 == 0), View, hour(24 * day), hour(24 * day));
        }
        let now = hour(24 * 4_999);
        // Alternate days: 1 + 1/4 + 1/16 + … = 4/3 for yesterday's item before it halves.
        assert!((trending.count(&0, now) - 4.0 / 3.0).abs() < 1e-9);
        assert!((trending.count(&1, now) - 2.0 / 3.0).abs() < 1e-9);
        trending.record(&7, View, hour(24 * 6_000), hour(24 * 6_000));
        assert_eq!(trending.len(), 1);
    }

    #[test]
    fn a_wrong_clock_outweighs_nobody() {
        let mut trending = trending(10);
        trending.record(&1, View, Timestamp(i64::MAX), hour(5));
        trending.record(&2, Purchase, hour(5), hour(5));
        trending.record(&3, View, Timestamp(i64::MIN), hour(5));
        let top = trending.top(9, hour(5), |_| true);
        assert_eq!(top.iter().map(|x| x.0).collect::<Vec<_>>(), [2, 1]);
        assert!(top.iter().all(|x| x.1.is_finite()));
        assert!(trending.top(9, Timestamp(i64::MIN), |_| true).iter().all(|x| x.1.is_finite()));
    }

    #[test]
    fn the_least_wanted_go_and_memory_is_bounded() {
        let mut trending = trending(3);
        for item in 0..1_000_u32 {
            trending.record(&item, if item < 3 { Purchase } else { View }, hour(0), hour(0));
            assert!(trending.len() < 6);
        }
        let top = trending.top(3, hour(0), |_| true);
        assert_eq!(top.iter().map(|x| x.0).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(trending.top(1, hour(0), |&item| item != 0)[0].0, 1);
        assert!(trending.top(0, hour(0), |_| true).is_empty());
    }

    #[test]
    fn what_comes_back_is_not_wanted() {
        let mut trending = trending(3);
        trending.record(&1, View, hour(0), hour(0));
        trending.record(&1, Return, hour(0), hour(0));
        assert!(trending.top(1, hour(0), |_| true).is_empty());
        trending.forget(&1);
        assert!(trending.is_empty());
        let wrong = TrendingParams { half_life_hours: 0.0, ..TrendingParams::default() };
        assert!(Trending::<u32>::new(wrong).is_err());
    }
}
