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

use crate::learn::recommenders::{FitError, Stop};
use rayon::prelude::*;

/// Items whose lists are made by one task, between two looks at `stop`.
const BLOCK: usize = 128;

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
