//! What a snapshot takes of memory, part by part.

use super::Snapshot;
use crate::{
    domain::{ItemId, ShopperId},
    learn::{demand::response::DemandResponse, recommenders::Recommender, sessions::SessionModel},
};

/// Beside the text of an id, what the shared pointer to it counts references with.
const SHARED_BYTES: usize = 2 * size_of::<usize>();

impl Snapshot {
    /// Bytes on the heap by part: each model by its name, then what else there is. Ids are counted by their
    /// text and both their lists; spare room of maps by their capacity.
    pub fn memory(&self) -> Vec<(&'static str, usize)> {
        let models = self.models.iter().map(|model| (model.kind().name(), model.n_bytes()));
        let items: usize = self.items.iter().map(|id| SHARED_BYTES + id.as_str().len()).sum();
        let shoppers: usize = self.shoppers.iter().map(|id| SHARED_BYTES + id.as_str().len()).sum();
        let places = |capacity: usize, id: usize| capacity * (id + size_of::<u32>() + 1);
        let names = items
            + shoppers
            + self.items.capacity() * size_of::<ItemId>()
            + self.shoppers.capacity() * size_of::<ShopperId>()
            + places(self.item_positions.capacity(), size_of::<ItemId>())
            + places(self.shopper_positions.capacity(), size_of::<ShopperId>());
        let priced = self.priced_anew.as_ref().map_or(0, |anew| bytes_of(&anew.items));
        let priced_positions = self
            .priced_positions
            .as_ref()
            .map_or(0, |positions| places(positions.capacity(), size_of::<ItemId>()));
        let histories = bytes_of(&self.history)
            + bytes_of(&self.purchases)
            + bytes_of(&self.history_starts)
            + bytes_of(&self.purchase_starts);
        let popularity =
            bytes_of(&self.popular) + bytes_of(&self.trending) + bytes_of(&self.popularity);
        let response = self.price_response.as_ref().map_or(0, DemandResponse::n_bytes);
        let session = self.session.as_ref().map_or(0, SessionModel::n_bytes);
        models
            .chain([
                ("vmis_knn", session),
                ("related", self.related.n_bytes()),
                ("histories", histories),
                ("names", names),
                ("popular_and_trending", popularity),
                ("price_response", response + priced + priced_positions),
                ("report", self.report.capacity()),
            ])
            .collect()
    }
}

fn bytes_of<T>(values: &Vec<T>) -> usize {
    values.capacity() * size_of::<T>()
}
