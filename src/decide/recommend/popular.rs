//! What everybody wants now: the snapshot's popularity and what happened since.

use crate::{domain::ItemId, snapshot::Snapshot};
use rustc_hash::{FxHashMap, FxHashSet};

/// Changes to a snapshot's popularity; small beside it.
#[derive(Clone, Debug, Default)]
pub struct Popular {
    /// Items that something happened to, best first, with their whole weight.
    boosted: Vec<(ItemId, f32)>,
    /// The positions of those that the snapshot knows.
    positions: FxHashSet<u32>,
}

impl Popular {
    /// Adds the weights of what happened since to what the snapshot knows.
    pub fn new(snapshot: &Snapshot, since: impl Iterator<Item = (ItemId, f32)>) -> Self {
        let mut added: FxHashMap<ItemId, f32> = FxHashMap::default();
        for (item, weight) in since {
            *added.entry(item).or_default() += weight;
        }
        let mut positions = FxHashSet::default();
        let mut boosted: Vec<(ItemId, f32)> = Vec::with_capacity(added.len());
        for (item, weight) in added {
            let position = snapshot.item_position(&item);
            let before = position.map_or(0.0, |at| snapshot.popularity_of(at));
            positions.extend(position);
            if before + weight > 0.0 {
                boosted.push((item, before + weight));
            }
        }
        boosted.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Self { boosted, positions }
    }

    /// All items that anybody wants, best first; `snapshot` is the one it was made for.
    pub fn iter<'a>(
        &'a self,
        snapshot: &'a Snapshot,
    ) -> impl Iterator<Item = (&'a ItemId, f32)> + 'a {
        let mut known = snapshot
            .popular
            .iter()
            .filter(|(at, _)| !self.positions.contains(at))
            .map(|&(at, weight)| (&snapshot.items[at as usize], weight))
            .peekable();
        let mut boosted = self.boosted.iter().map(|(item, weight)| (item, *weight)).peekable();
        std::iter::from_fn(move || match (known.peek(), boosted.peek()) {
            (Some(a), Some(b)) if a.1 >= b.1 => known.next(),
            (_, Some(_)) => boosted.next(),
            (_, None) => known.next(),
        })
    }

    /// How many items something happened to.
    pub fn n_boosted(&self) -> usize {
        self.boosted.len()
    }
}
