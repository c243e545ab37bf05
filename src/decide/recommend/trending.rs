//! What is wanted now, with less patience than popularity has: counts that fade within hours.
//!
//! All counts fade alike, so the order of two items needs no clock: what is kept are counts as of the
//! snapshot, to which an event that came later adds more than 1 times its weight.

use crate::{
    domain::{EventKind, ItemId, Timestamp, time::MINUTE_MS},
    learn::related::TrendingParams,
    snapshot::Snapshot,
};
use rustc_hash::FxHashMap;

/// Half-lives after the snapshot beyond which an event counts as if it came then; a shop whose training
/// has stood still for so long must not overflow.
const HALF_LIVES_MAX: f64 = 100.0;

/// What is wanted now.
#[derive(Clone, Debug, Default)]
pub struct TrendingNow {
    as_of: Timestamp,
    half_life_ms: f64,
    list: Vec<(ItemId, f64)>,
}

impl TrendingNow {
    /// Adds what happened since the snapshot to what it knows; an event from the future counts as `now`.
    pub fn new(
        snapshot: &Snapshot,
        since: impl Iterator<Item = (ItemId, EventKind, Timestamp)>,
        now: Timestamp,
        params: &TrendingParams,
    ) -> Self {
        let mut wanted = Self {
            as_of: snapshot.as_of,
            half_life_ms: params.half_life_hours * 60.0 * MINUTE_MS as f64,
            list: Vec::new(),
        };
        let known = snapshot.trending.iter();
        let mut counts: FxHashMap<ItemId, f64> = known
            .map(|&(at, count)| (snapshot.items[at as usize].clone(), f64::from(count)))
            .collect();
        for (item, kind, at) in since {
            let weight = f64::from(params.weights[kind as usize - 1]);
            if weight != 0.0 {
                *counts.entry(item).or_default() += weight / wanted.faded(at.min(now));
            }
        }
        wanted.list = counts.into_iter().filter(|item| item.1 > 0.0).collect();
        wanted.list.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        wanted
    }

    /// All items that anybody wants, best first, with their counts at `now`.
    pub fn iter(&self, now: Timestamp) -> impl Iterator<Item = (&ItemId, f64)> {
        let faded = self.faded(now);
        self.list.iter().map(move |(item, count)| (item, count * faded))
    }

    /// What has been left at `at` of a count of 1 at the snapshot.
    fn faded(&self, at: Timestamp) -> f64 {
        if self.half_life_ms <= 0.0 {
            return 1.0;
        }
        let half_lives = at.since_ms(self.as_of) as f64 / self.half_life_ms;
        (-half_lives.clamp(-HALF_LIVES_MAX, HALF_LIVES_MAX)).exp2()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_event_outweighs_two_of_two_half_lives_ago() {
        let item = |id: &str| ItemId::new(id).unwrap();
        let params = TrendingParams { half_life_hours: 1.0, ..TrendingParams::default() };
        let hour = |n: i64| Timestamp(n * 60 * MINUTE_MS);
        let events = [
            (item("old"), EventKind::View, hour(1)),
            (item("old"), EventKind::View, hour(1)),
            (item("new"), EventKind::View, hour(3)),
            (item("disliked"), EventKind::Dislike, hour(3)),
        ];
        let snapshot = Snapshot::default();
        let now = TrendingNow::new(&snapshot, events.into_iter(), hour(3), &params);
        let found: Vec<(&str, f64)> = now.iter(hour(3)).map(|(i, n)| (i.as_str(), n)).collect();
        assert_eq!(found, [("new", 1.0), ("old", 0.5)]);
    }
}
