//! What learning hands to deciding: immutable, versioned, saved and loaded.
//!
//! [`cell`] swaps it without blocking readers, [`mod@file`] keeps it on disk, [`mod@memory`] says what it takes. Only the trainer publishes.

pub mod cell;
pub mod file;
pub mod memory;

pub use cell::SnapshotCell;

use crate::{
    domain::{ItemId, Sequence, ShopperId, Timestamp},
    learn::{
        dataset::{TradingDays, UserIdx},
        demand::response::DemandResponse,
        recommenders::{FittedModel, blend::Blend},
        related::Related,
        sessions::SessionModel,
    },
};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

/// What a snapshot file holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Contents {
    /// Running number, rising with each publication.
    pub version: u64,
    /// When it was trained.
    pub trained_at: Timestamp,
    /// The time that weights have faded to: that of the last event it has learned from.
    pub as_of: Timestamp,
    /// The shop's own time, in which weights fade.
    pub trading_days: TradingDays,
    /// The last event that it has learned from.
    pub watermark: Sequence,
    /// The last merge of people that it has learned from.
    pub merges: i64,
    /// Items by position.
    pub items: Vec<ItemId>,
    /// Shoppers by position.
    pub shoppers: Vec<ShopperId>,
    /// Where each shopper's row begins in `history`; one more than shoppers.
    pub history_starts: Vec<u32>,
    /// Items, rising within a row, with weights at `as_of`.
    pub history: Vec<(u32, f32)>,
    /// Where each shopper's row begins in `purchases`; one more than shoppers.
    pub purchase_starts: Vec<u32>,
    /// Items, rising within a row, with the time of the last purchase.
    pub purchases: Vec<(u32, Timestamp)>,
    /// The fitted models that the blend uses.
    pub models: Vec<FittedModel>,
    /// How they are joined.
    pub blend: Blend,
    /// What comes next in a visit, if that was learned.
    pub session: Option<SessionModel>,
    /// Most popular items first, with their decayed weight.
    pub popular: Vec<(u32, f32)>,
    /// How demand answers to price; `None` if nothing was sold at a known price.
    pub price_response: Option<DemandResponse>,
    /// What it was learned from, if that is more than the rest: new lists were worse, and prices do not wait for better
    /// ones.
    pub priced_anew: Option<PricedAnew>,
    /// What goes with each item.
    pub related: Related,
    /// What was wanted at `as_of`, best first, with faded counts.
    pub trending: Vec<(u32, f32)>,
    /// What was measured, as JSON text.
    pub report: String,
    /// How it was trained; under other settings the same events may teach something else.
    pub settings: String,
}

/// What price response has learned from, where that is not what the lists of its snapshot have learned from.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PricedAnew {
    /// Items by position in price response.
    pub items: Vec<ItemId>,
    /// When it was trained.
    pub trained_at: Timestamp,
    /// The time of the last event that it has learned from.
    pub as_of: Timestamp,
    /// That event, and the last merge of people: the same would teach the same lists, which were refused.
    pub read_to: (Sequence, i64),
    /// The version before, if that had the same lists, too.
    pub before: Option<u64>,
}

/// Everything a request reads, frozen at one training run.
#[derive(Debug, Default)]
pub struct Snapshot {
    contents: Contents,
    item_positions: FxHashMap<ItemId, u32>,
    /// Of items in price response, if they are others there.
    priced_positions: Option<FxHashMap<ItemId, u32>>,
    shopper_positions: FxHashMap<ShopperId, u32>,
    popularity: Vec<f32>,
}

impl From<Contents> for Snapshot {
    fn from(contents: Contents) -> Self {
        let positions = |items: &[ItemId]| items.iter().cloned().zip(0..).collect();
        let item_positions = positions(&contents.items);
        let priced_positions = contents.priced_anew.as_ref().map(|anew| positions(&anew.items));
        let shopper_positions = contents.shoppers.iter().cloned().zip(0..).collect();
        let mut popularity = vec![0.0; contents.items.len()];
        for &(at, weight) in &contents.popular {
            if let Some(place) = popularity.get_mut(at as usize) {
                *place = weight;
            }
        }
        Self { contents, item_positions, priced_positions, shopper_positions, popularity }
    }
}

impl std::ops::Deref for Snapshot {
    type Target = Contents;
    fn deref(&self) -> &Contents {
        &self.contents
    }
}

impl Snapshot {
    /// The item's position, if the snapshot knows it.
    pub fn item_position(&self, item: &ItemId) -> Option<u32> {
        self.item_positions.get(item).copied()
    }

    /// How demand answers to price, with the item's position in it.
    pub fn response_of(&self, item: &ItemId) -> Option<(&DemandResponse, usize)> {
        let positions = self.priced_positions.as_ref().unwrap_or(&self.item_positions);
        let at = positions.get(item).copied()?;
        Some((self.price_response.as_ref()?, at as usize))
    }

    /// When price response was trained, and the time of the last event that it has learned from.
    pub fn priced(&self) -> (Timestamp, Timestamp) {
        let anew = self.priced_anew.as_ref().map(|anew| (anew.trained_at, anew.as_of));
        anew.unwrap_or((self.trained_at, self.as_of))
    }

    /// How old something that happened at `at` was when the snapshot was trained, in days of the shop's
    /// own time; 0 if it came later.
    pub fn age_days(&self, at: Timestamp) -> f64 {
        self.trading_days.age_days(at, self.as_of)
    }

    /// How much the item at this position is wanted, 0 if not at all.
    pub fn popularity_of(&self, item: u32) -> f32 {
        self.popularity.get(item as usize).copied().unwrap_or_default()
    }

    /// The shopper's position, if the snapshot knows them.
    pub fn shopper_position(&self, shopper: &ShopperId) -> Option<UserIdx> {
        self.shopper_positions.get(shopper).map(|&at| UserIdx(at))
    }

    /// What the shopper had done when the snapshot was trained.
    pub fn history_of(&self, shopper: UserIdx) -> &[(u32, f32)] {
        slice_of(&self.history_starts, &self.history, shopper)
    }

    /// What the shopper had bought, and when last.
    pub fn purchases_of(&self, shopper: UserIdx) -> &[(u32, Timestamp)] {
        slice_of(&self.purchase_starts, &self.purchases, shopper)
    }
}

fn slice_of<'a, T>(starts: &[u32], values: &'a [T], row: UserIdx) -> &'a [T] {
    let bound = |at: usize| starts.get(at).map_or(0, |&start| start as usize);
    let (from, to) = (bound(row.0 as usize), bound(row.0 as usize + 1));
    values.get(from..to).unwrap_or(&[])
}
