//! Explicit ratings, by user and by item.

use super::lists::Lists;
use crate::learn::dataset::{ItemIdx, UserIdx};

/// One rating.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rating {
    /// Who.
    pub user: UserIdx,
    /// What.
    pub item: ItemIdx,
    /// How much.
    pub value: f32,
}

/// Ratings in the order given, with both orientations as lists of positions into it.
///
/// 12 bytes a rating, 4 more for each orientation: 20 in all, and 8 for each user and item. Unlike in
/// an [`InteractionMatrix`](crate::learn::dataset::InteractionMatrix) a value of 0 is a rating.
#[derive(Clone, Debug, PartialEq)]
pub struct Ratings {
    n_users: usize,
    n_items: usize,
    all: Vec<Rating>,
    user_starts: Vec<usize>,
    by_user: Vec<u32>,
    item_starts: Vec<usize>,
    by_item: Vec<u32>,
    scale: (f32, f32),
    mean: f64,
}

impl Ratings {
    /// Takes over ratings in their order. Of a pair that is rated twice the last counts, in the place
    /// of the first; values that are not finite are dropped.
    ///
    /// # Panics
    ///
    /// If a position lies outside, or there are more than `u32::MAX` ratings.
    pub fn new(n_users: usize, n_items: usize, given: impl IntoIterator<Item = Rating>) -> Self {
        let mut places = rustc_hash::FxHashMap::default();
        let mut ratings: Vec<Rating> = Vec::new();
        for rating in given {
            let (user, item) = (rating.user.0, rating.item.0);
            assert!(
                (user as usize) < n_users && (item as usize) < n_items,
                "a rating lies outside of {n_users} × {n_items}"
            );
            if !rating.value.is_finite() {
                continue;
            }
            let place = *places.entry((user, item)).or_insert(ratings.len());
            if let Some(before) = ratings.get_mut(place) {
                *before = rating;
            } else {
                ratings.push(rating);
            }
        }
        assert!(u32::try_from(ratings.len()).is_ok(), "there are fewer than 2³² ratings");
        let (user_starts, by_user) = grouped(&ratings, n_users, |rating| rating.user.0);
        let (item_starts, by_item) = grouped(&ratings, n_items, |rating| rating.item.0);
        let low = ratings.iter().map(|rating| rating.value).fold(f32::INFINITY, f32::min);
        let high = ratings.iter().map(|rating| rating.value).fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = ratings.iter().map(|rating| f64::from(rating.value)).sum();
        let scale = if ratings.is_empty() { (0.0, 0.0) } else { (low, high) };
        let mean = sum / ratings.len().max(1) as f64;
        Self {
            n_users,
            n_items,
            all: ratings,
            user_starts,
            by_user,
            item_starts,
            by_item,
            scale,
            mean,
        }
    }

    /// The same ratings on a scale that is known to be wider than what occurs; bounds that are not
    /// finite or leave ratings out are ignored.
    #[must_use]
    pub fn with_scale(mut self, low: f32, high: f32) -> Self {
        if low.is_finite() && low <= self.scale.0 {
            self.scale.0 = low;
        }
        if high.is_finite() && self.scale.1 <= high {
            self.scale.1 = high;
        }
        self
    }

    /// Number of users.
    pub fn n_users(&self) -> usize {
        self.n_users
    }

    /// Number of items.
    pub fn n_items(&self) -> usize {
        self.n_items
    }

    /// All ratings, in the order given.
    pub fn all(&self) -> &[Rating] {
        &self.all
    }

    /// A user's ratings, in the order given.
    pub fn of_user(&self, user: UserIdx) -> impl ExactSizeIterator<Item = &Rating> + Clone + '_ {
        let range = self.user_starts[user.0 as usize]..self.user_starts[user.0 as usize + 1];
        self.by_user[range].iter().map(|&at| &self.all[at as usize])
    }

    /// An item's ratings, in the order given.
    pub fn of_item(&self, item: ItemIdx) -> impl ExactSizeIterator<Item = &Rating> + Clone + '_ {
        let range = self.item_starts[item.0 as usize]..self.item_starts[item.0 as usize + 1];
        self.by_item[range].iter().map(|&at| &self.all[at as usize])
    }

    /// Every user's items and values, in the order given.
    pub(super) fn by_user(&self) -> Lists {
        let users = (0..self.n_users as u32).map(UserIdx);
        let of = |user| self.of_user(user).map(|rating| (rating.item.0, rating.value));
        Lists::new(users.map(of), self.all.len())
    }

    /// Every item's users and values, in the order given.
    pub(super) fn by_item(&self) -> Lists {
        let items = (0..self.n_items as u32).map(ItemIdx);
        let of = |item| self.of_item(item).map(|rating| (rating.user.0, rating.value));
        Lists::new(items.map(of), self.all.len())
    }

    /// The least and the greatest value; predictions are cut to it. `(0, 0)` if there are no ratings.
    pub fn scale(&self) -> (f32, f32) {
        self.scale
    }

    /// The mean of all ratings; 0 if there are none.
    pub fn mean(&self) -> f64 {
        self.mean
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_rating_of_a_pair_counts_and_zero_is_a_rating() {
        let given = [(0, 1, 4.0), (1, 0, 0.0), (0, 1, 2.0), (0, 0, f32::NAN), (0, 0, 5.0)];
        let given = given.map(|(user, item, value)| Rating {
            user: UserIdx(user),
            item: ItemIdx(item),
            value,
        });
        let ratings = Ratings::new(2, 2, given);
        let values: Vec<f32> = ratings.all().iter().map(|rating| rating.value).collect();
        assert_eq!(values, [2.0, 0.0, 5.0]);
        assert_eq!(ratings.scale(), (0.0, 5.0));
        assert!((ratings.mean() - 7.0 / 3.0).abs() < 1e-12);
        let of_user: Vec<f32> = ratings.of_user(UserIdx(0)).map(|rating| rating.value).collect();
        assert_eq!(of_user, [2.0, 5.0]);
        let of_item: Vec<u32> = ratings.of_item(ItemIdx(0)).map(|rating| rating.user.0).collect();
        assert_eq!(of_item, [1, 0]);
        assert_eq!(ratings.by_user().of(0), [(1, 2.0), (0, 5.0)]);
        assert_eq!(ratings.by_item().of(0), [(1, 0.0), (0, 5.0)]);
        assert_eq!(ratings.with_scale(-1.0, 4.0).scale(), (-1.0, 5.0));
    }
}
