//! Ratings by user and by item, as the sampler walks them.

use crate::learn::rating::data::{Rating, Ratings};

/// Which of the other side a row has ratings with; the ratings of a row lie together.
#[derive(Clone, Debug)]
pub(super) struct Lists {
    starts: Vec<usize>,
    others: Vec<u32>,
}

impl Lists {
    pub(super) fn n_rows(&self) -> usize {
        self.starts.len() - 1
    }

    pub(super) fn range(&self, row: usize) -> std::ops::Range<usize> {
        self.starts[row]..self.starts[row + 1]
    }

    pub(super) fn of(&self, row: usize) -> &[u32] {
        &self.others[self.range(row)]
    }
}

/// The ratings less `offset`, in both orientations: 20 bytes a rating.
#[derive(Clone, Debug)]
pub(super) struct TwoWay {
    pub(super) by_user: Lists,
    pub(super) by_item: Lists,
    /// In the order of `by_user`.
    pub(super) user_values: Vec<f32>,
    /// In the order of `by_item`.
    pub(super) item_values: Vec<f32>,
    /// Where a rating of `by_item` stands in `by_user`.
    pub(super) user_places: Vec<u32>,
}

impl TwoWay {
    pub(super) fn new(ratings: &Ratings) -> Self {
        let all = ratings.all();
        let mean = ratings.mean();
        let value = |rating: &Rating| (f64::from(rating.value) - mean) as f32;
        let (starts, order) = grouped(all, ratings.n_users(), |rating| rating.user.0);
        let by_user =
            Lists { starts, others: order.iter().map(|&at| all[at as usize].item.0).collect() };
        let user_values = order.iter().map(|&at| value(&all[at as usize])).collect();
        let mut places = vec![0; all.len()];
        for (place, &at) in (0..).zip(&order) {
            places[at as usize] = place;
        }
        let (starts, order) = grouped(all, ratings.n_items(), |rating| rating.item.0);
        let by_item =
            Lists { starts, others: order.iter().map(|&at| all[at as usize].user.0).collect() };
        let item_values = order.iter().map(|&at| value(&all[at as usize])).collect();
        let user_places = order.iter().map(|&at| places[at as usize]).collect();
        Self { by_user, by_item, user_values, item_values, user_places }
    }
}

/// Where each key's ratings begin, and their positions, rising within a key.
fn grouped(
    ratings: &[Rating],
    n_keys: usize,
    key: impl Fn(&Rating) -> u32,
) -> (Vec<usize>, Vec<u32>) {
    let mut starts = vec![0_usize; n_keys + 1];
    for rating in ratings {
        starts[key(rating) as usize + 1] += 1;
    }
    for at in 1..starts.len() {
        starts[at] += starts[at - 1];
    }
    let mut next = starts.clone();
    let mut positions = vec![0; ratings.len()];
    for (at, rating) in (0..).zip(ratings) {
        let place = &mut next[key(rating) as usize];
        positions[*place] = at;
        *place += 1;
    }
    (starts, positions)
}
