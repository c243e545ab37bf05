//! What goes with an item.

use crate::{domain::ItemId, snapshot::Snapshot};

/// In which way items are related.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Taken by the same people.
    Similar,
    /// Bought in the same order.
    BoughtTogether,
    /// Looked at instead.
    Substitute,
}

/// Why an item is in the list of another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// How much; comparable within one kind only.
    pub score: f32,
    /// How many times as often as by chance the two are in one order; bought together only.
    pub lift: Option<f32>,
    /// In how many orders; bought together only.
    pub support: Option<u32>,
}

/// The items related to `item`, best first; none if the snapshot does not know it or nothing is.
pub fn related<'a>(
    snapshot: &'a Snapshot,
    item: &ItemId,
    relation: Relation,
) -> Box<dyn Iterator<Item = (&'a ItemId, Evidence)> + 'a> {
    let Some(at) = snapshot.item_position(item) else { return Box::new(std::iter::empty()) };
    let known = move |(at, score): (u32, f32)| {
        (&snapshot.items[at as usize], Evidence { score, lift: None, support: None })
    };
    match relation {
        Relation::Similar => Box::new(snapshot.related.similar(at).map(known)),
        Relation::Substitute => Box::new(snapshot.related.substitute(at).map(known)),
        Relation::BoughtTogether => {
            Box::new(snapshot.related.bought_together(at).iter().map(move |with| {
                let (lift, support) = (Some(with.lift), Some(with.support));
                let evidence = Evidence { score: with.score, lift, support };
                (&snapshot.items[with.item as usize], evidence)
            }))
        }
    }
}
