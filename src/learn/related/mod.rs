//! What goes with an item.
//!
//! Three questions, each with its own evidence: what the same people like ([`similar`]), what is put into the same
//! order ([`bought_together`]), and what is looked at instead ([`substitute`]). All are lists of positions, built once
//! for a snapshot and shown as they are; so each demands more than chance would bring ([`chance`]), and a
//! list may be empty. [`trending`] is what is wanted now, kept up to date between two snapshots.
//!
//! Not here: prices, stock and rules, which decide what of a list is shown; and similarity of texts and
//! pictures. Start with [`fit`].

pub mod baskets;
pub mod bought_together;
pub mod chance;
pub mod similar;
pub mod substitute;
pub mod trending;

pub use bought_together::{BoughtTogether, BoughtTogetherParams, Companion};
pub use similar::SimilarParams;
pub use substitute::{ItemFacts, SubstituteParams};
pub use trending::{Trending, TrendingParams};

use crate::domain::EventKind;
use crate::learn::dataset::{InteractionMatrix, log::Act};
use crate::learn::linalg::Csr;
use crate::learn::recommenders::{FitError, Stop};
use baskets::{Baskets, Grouping};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Items whose lists are made by one task, between two looks at `stop`.
const BLOCK: usize = 128;

/// How related items are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelatedParams {
    /// What the same people like.
    pub similar: SimilarParams,
    /// What is bought in the same order.
    pub bought_together: BoughtTogetherParams,
    /// What is looked at instead.
    pub substitute: SubstituteParams,
}

impl RelatedParams {
    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), FitError> {
        self.similar.check()?;
        self.bought_together.check()?;
        self.substitute.check()
    }
}

/// What goes with every item; each list best first, by positions of one snapshot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Related {
    similar: Csr,
    bought_together: BoughtTogether,
    substitute: Csr,
}

impl Related {
    /// What the same people like, with similarities up to 1; nothing for an item that came later.
    pub fn similar(&self, item: u32) -> impl Iterator<Item = (u32, f32)> + '_ {
        cells(&self.similar, item)
    }

    /// What is bought in the same order; nothing for an item that came later.
    pub fn bought_together(&self, item: u32) -> &[Companion] {
        self.bought_together.of(item)
    }

    /// What may stand in for an item, with scores up to 1; nothing for an item that came later.
    pub fn substitute(&self, item: u32) -> impl Iterator<Item = (u32, f32)> + '_ {
        cells(&self.substitute, item)
    }

    /// Bytes held on the heap.
    pub fn n_bytes(&self) -> usize {
        self.similar.n_bytes() + self.bought_together.n_bytes() + self.substitute.n_bytes()
    }
}

fn cells(lists: &Csr, item: u32) -> impl Iterator<Item = (u32, f32)> + '_ {
    let row = Some(item as usize).filter(|&row| row < lists.n_rows());
    row.into_iter().flat_map(|row| lists.cells(row))
}

/// Finds what goes with every item, in parallel on the pool it is called in.
///
/// `acts` are in order of time and speak of the items of `matrix`, and so do `facts`, which may end early.
///
/// # Panics
///
/// If an act is about an item outside the matrix.
pub fn fit(
    acts: &[Act],
    matrix: &InteractionMatrix,
    facts: &[ItemFacts],
    params: &RelatedParams,
    stop: Stop<'_>,
) -> Result<Related, FitError> {
    params.check()?;
    let n_items = matrix.n_items();
    let orders = Grouping {
        kinds: &[EventKind::Purchase],
        gap_ms: None,
        items_max: params.bought_together.order_items_max,
    };
    let orders = Baskets::of(acts, n_items, &orders);
    let bought_together = bought_together::fit(&orders, n_items, &params.bought_together, stop)?;
    let visits = Grouping {
        // A click in a list leads to the item's page: both say that it was considered.
        kinds: &[EventKind::View, EventKind::Click],
        gap_ms: Some(i64::from(params.substitute.pause_minutes) * 60_000),
        items_max: params.substitute.visit_items_max,
    };
    let visits = Baskets::of(acts, n_items, &visits);
    let both = (&visits, &orders);
    let substitute = substitute::fit(both, facts, n_items, &params.substitute, stop)?;
    drop((orders, visits));
    let similar = similar::fit(matrix, &params.similar, stop)?;
    Ok(Related { similar, bought_together, substitute })
}

/// Makes the list of every item, in parallel; the result does not depend on which of the `room`s, of which
/// each thread has some, an item is given.
fn of_every_item<Room, List: Send>(
    n_items: usize,
    stop: Stop<'_>,
    room: impl Fn() -> Room + Sync + Send,
    list: impl Fn(&mut Room, u32) -> List + Sync,
) -> Result<Vec<List>, FitError> {
    let of_block = |room: &mut Room, block: usize| {
        if stop() {
            return Err(FitError::Stopped);
        }
        let items = block * BLOCK..n_items.min((block + 1) * BLOCK);
        Ok(items.map(|item| list(room, item as u32)).collect::<Vec<List>>())
    };
    let blocks: Result<Vec<_>, FitError> =
        (0..n_items.div_ceil(BLOCK)).into_par_iter().map_init(room, of_block).collect();
    Ok(blocks?.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::baskets::tests::act;
    use super::*;
    use crate::learn::recommenders::NEVER_STOP;
    use EventKind::{Click, Purchase, View};

    fn matrix(acts: &[Act], n_items: usize) -> InteractionMatrix {
        let cells = acts.iter().map(|act| (act.user, act.item, act.weight));
        InteractionMatrix::from_cells(600, n_items, cells)
    }

    /// Items 0 and 1 are viewed instead of each other, the one that is bought goes with item 2.
    fn acts() -> Vec<Act> {
        let mut acts = Vec::new();
        for user in 0..40 {
            acts.extend([act(View, user, 0, 0, 1), act(Click, user, 0, 1, 2)]);
            acts.extend([user % 2, 2].map(|item| act(Purchase, user, 1, item, 3)));
        }
        for user in 40..600 {
            let others = [3 + user % 40, 43 + user % 41];
            acts.extend(others.map(|item| act(View, user, 0, item, 1)));
            acts.extend(others.map(|item| act(Purchase, user, 1, item, 3)));
        }
        acts
    }

    #[test]
    fn each_list_has_its_own_evidence() {
        let acts = acts();
        let related =
            fit(&acts, &matrix(&acts, 90), &[], &RelatedParams::default(), NEVER_STOP).unwrap();
        let companions: Vec<u32> = related.bought_together(0).iter().map(|c| c.item).collect();
        assert_eq!(companions, [2]);
        assert_eq!(related.substitute(0).map(|x| x.0).collect::<Vec<_>>(), [1]);
        assert!(related.similar(0).any(|x| x.0 == 1) && related.similar(0).any(|x| x.0 == 2));
        let saved = postcard::to_stdvec(&related).unwrap();
        assert_eq!(postcard::from_bytes::<Related>(&saved).unwrap(), related);
        assert!(related.n_bytes() > 0);
    }

    #[test]
    fn nothing_relates_to_nothing() {
        let related =
            fit(&[], &matrix(&[], 0), &[], &RelatedParams::default(), NEVER_STOP).unwrap();
        for related in [related, Related::default()] {
            assert_eq!(related.similar(3).count() + related.substitute(0).count(), 0);
            assert!(related.bought_together(0).is_empty());
        }
    }

    #[test]
    fn unknown_keys_and_wrong_values_are_refused() {
        assert!(serde_json::from_str::<RelatedParams>("{\"similar\":{\"n\":3}}").is_err());
        let params: RelatedParams =
            serde_json::from_str("{\"bought_together\":{\"orders_min\":0}}").unwrap();
        assert!(params.check().is_err());
        assert!(RelatedParams::default().check().is_ok());
    }
}
