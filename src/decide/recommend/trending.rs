//! What is wanted now, with less patience than popularity has: the snapshot's counts and what came since.

use crate::{
    domain::{EventKind, ItemId, Timestamp},
    learn::{
        recommenders::FitError,
        related::{Trending, TrendingParams},
    },
    snapshot::Snapshot,
};

/// What was wanted at one moment. The order stays true as time passes, since all counts fade alike.
#[derive(Clone, Debug, Default)]
pub struct TrendingNow {
    params: TrendingParams,
    at: Timestamp,
    list: Vec<(ItemId, f64)>,
}

impl TrendingNow {
    /// Adds what happened since the snapshot to what it knows.
    ///
    /// # Errors
    ///
    /// If the parameters are out of range.
    pub fn new(
        snapshot: &Snapshot,
        since: impl Iterator<Item = (ItemId, EventKind, Timestamp)>,
        now: Timestamp,
        params: &TrendingParams,
    ) -> Result<Self, FitError> {
        let named =
            |&(at, count): &(u32, f32)| (snapshot.items[at as usize].clone(), f64::from(count));
        let known = snapshot.trending.iter().map(named);
        let mut trending = Trending::new(*params)?;
        if !snapshot.trending.is_empty() {
            trending = trending.resumed(known, snapshot.as_of);
        }
        for (item, kind, at) in since {
            trending.record(&item, kind, at, now);
        }
        Ok(Self { params: *params, at: now, list: trending.top(usize::MAX, now, |_| true) })
    }

    /// All items that anybody wants, best first, with their counts at `now`.
    pub fn iter(&self, now: Timestamp) -> impl Iterator<Item = (&ItemId, f64)> {
        let faded = self.params.faded(self.at, now);
        self.list.iter().map(move |(item, count)| (item, count * faded))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_event_outweighs_two_of_two_half_lives_ago() {
        let item = |id: &str| ItemId::new(id).unwrap();
        let params = TrendingParams { half_life_hours: 1.0, ..TrendingParams::default() };
        let hour = |n: i64| Timestamp(n * 60 * 60_000);
        let events = [
            (item("old"), EventKind::View, hour(1)),
            (item("old"), EventKind::View, hour(1)),
            (item("new"), EventKind::View, hour(3)),
            (item("disliked"), EventKind::Dislike, hour(3)),
        ];
        let snapshot = Snapshot::default();
        let now = TrendingNow::new(&snapshot, events.into_iter(), hour(3), &params).unwrap();
        let found: Vec<(&str, f64)> = now.iter(hour(3)).map(|(i, n)| (i.as_str(), n)).collect();
        assert_eq!(found, [("new", 1.0), ("old", 0.5)]);
    }
}
