//! Co-clustering: users and items in a few groups each, and how far each pair of groups is from the means.
//!
//! Source: George and Merugu, "A scalable collaborative filtering framework based on co-clustering", ICDM
//! 2005: `r̂_ui = C̄_gh + (μ_u − C̄_g) + (μ_i − C̄_h)` for the means of the co-cluster,
//! of the user's and of the item's cluster; every user, then every item, moves to the cluster with the
//! least squared error, ties to the lowest.

use super::{RatingPredictor, Ratings, data::Rating};
use crate::learn::dataset::{ItemIdx, UserIdx};
use crate::learn::recommenders::{FitError, Stop, check};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// How groups are found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CoClusteringParams {
    /// Groups of users, 1 to 1,000.
    pub n_user_clusters: usize,
    /// Groups of items, 1 to 1,000.
    pub n_item_clusters: usize,
    /// Times that everybody may move, 1 to 1,000.
    pub n_epochs: usize,
    /// Start of the random groups.
    pub seed: u64,
}

impl Default for CoClusteringParams {
    fn default() -> Self {
        Self { n_user_clusters: 3, n_item_clusters: 3, n_epochs: 20, seed: 7 }
    }
}

impl CoClusteringParams {
    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), FitError> {
        for (name, n) in [
            ("n_user_clusters", self.n_user_clusters),
            ("n_item_clusters", self.n_item_clusters),
            ("n_epochs", self.n_epochs),
        ] {
            check((1..=1_000).contains(&n), name, "between 1 and 1000", n)?;
        }
        Ok(())
    }
}

/// Means of groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct GroupMeans {
    n_item_clusters: usize,
    of_users: Vec<f64>,
    of_items: Vec<f64>,
    of_both: Vec<f64>,
}

impl GroupMeans {
    /// An empty group has the mean of all.
    fn of(ratings: &Ratings, users: &[u32], items: &[u32], params: &CoClusteringParams) -> Self {
        let (n_users, n_items) = (params.n_user_clusters, params.n_item_clusters);
        let mut sums = [n_users, n_items, n_users * n_items].map(|n| vec![(0.0_f64, 0_u32); n]);
        for rating in ratings.all() {
            let (g, h) =
                (users[rating.user.0 as usize] as usize, items[rating.item.0 as usize] as usize);
            for (sums, at) in sums.iter_mut().zip([g, h, g * n_items + h]) {
                sums[at].0 += f64::from(rating.value);
                sums[at].1 += 1;
            }
        }
        let mean = |(sum, n): (f64, u32)| if n > 0 { sum / f64::from(n) } else { ratings.mean() };
        let [of_users, of_items, of_both] =
            sums.map(|sums| sums.into_iter().map(mean).collect::<Vec<f64>>());
        Self { n_item_clusters: n_items, of_users, of_items, of_both }
    }

    /// What the groups add to the means of user and item.
    fn shift(&self, g: usize, h: usize) -> f64 {
        self.of_both[g * self.n_item_clusters + h] - self.of_users[g] - self.of_items[h]
    }
}

/// Groups and their means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CoClustering {
    users: Vec<u32>,
    items: Vec<u32>,
    /// Mean of each user and item; none if they have no ratings.
    user_means: Vec<Option<f64>>,
    item_means: Vec<Option<f64>>,
    groups: GroupMeans,
    mean: f32,
    scale: (f32, f32),
}

/// Finds the groups, in parallel on the pool it is called in; linear in ratings, groups and epochs.
pub fn fit(
    ratings: &Ratings,
    params: &CoClusteringParams,
    stop: Stop<'_>,
) -> Result<CoClustering, FitError> {
    params.check()?;
    if ratings.all().is_empty() {
        return Err(FitError::NoData { model: "co_clustering" });
    }
    let mut rng = ChaCha8Rng::seed_from_u64(params.seed);
    let mut draw = |n: usize, n_groups: usize| -> Vec<u32> {
        (0..n).map(|_| rng.random_range(0..n_groups as u32)).collect()
    };
    let mut users = draw(ratings.n_users(), params.n_user_clusters);
    let mut items = draw(ratings.n_items(), params.n_item_clusters);
    let mean_of = |sum: f64, n: usize| (n > 0).then(|| sum / n as f64);
    let user_means: Vec<Option<f64>> = (0..ratings.n_users() as u32)
        .map(|user| {
            mean_of(sum(ratings.of_user(UserIdx(user))), ratings.of_user(UserIdx(user)).len())
        })
        .collect();
    let item_means: Vec<Option<f64>> = (0..ratings.n_items() as u32)
        .map(|item| {
            mean_of(sum(ratings.of_item(ItemIdx(item))), ratings.of_item(ItemIdx(item)).len())
        })
        .collect();
    let left = |rating: &Rating| {
        let of_user = user_means[rating.user.0 as usize].unwrap_or_default();
        let of_item = item_means[rating.item.0 as usize].unwrap_or_default();
        f64::from(rating.value) - of_user - of_item
    };
    for _ in 0..params.n_epochs {
        if stop() {
            return Err(FitError::Stopped);
        }
        let groups = GroupMeans::of(ratings, &users, &items, params);
        users.par_iter_mut().enumerate().for_each(|(user, group)| {
            let of_user = ratings.of_user(UserIdx(user as u32));
            let error = |g: usize| -> f64 {
                let shift = |r: &Rating| groups.shift(g, items[r.item.0 as usize] as usize);
                of_user.clone().map(|r| (left(r) - shift(r)).powi(2)).sum()
            };
            *group = least(params.n_user_clusters, error);
        });
        let groups = GroupMeans::of(ratings, &users, &items, params);
        items.par_iter_mut().enumerate().for_each(|(item, group)| {
            let of_item = ratings.of_item(ItemIdx(item as u32));
            let error = |h: usize| -> f64 {
                let shift = |r: &Rating| groups.shift(users[r.user.0 as usize] as usize, h);
                of_item.clone().map(|r| (left(r) - shift(r)).powi(2)).sum()
            };
            *group = least(params.n_item_clusters, error);
        });
    }
    let groups = GroupMeans::of(ratings, &users, &items, params);
    Ok(CoClustering {
        groups,
        users,
        items,
        user_means,
        item_means,
        mean: ratings.mean() as f32,
        scale: ratings.scale(),
    })
}

fn sum<'a>(ratings: impl Iterator<Item = &'a Rating>) -> f64 {
    ratings.map(|rating| f64::from(rating.value)).sum()
}

/// The first of `n` with the least error.
fn least(n: usize, error: impl Fn(usize) -> f64) -> u32 {
    let errors = (0..n).map(|at| (at as u32, error(at)));
    errors.reduce(|best, next| if next.1 < best.1 { next } else { best }).map_or(0, |best| best.0)
}

impl RatingPredictor for CoClustering {
    /// The mean of the known side, or of all, if the other is not known.
    fn predict(&self, user: UserIdx, item: ItemIdx) -> f32 {
        let (user, item) = (user.0 as usize, item.0 as usize);
        let of_user = self.user_means.get(user).copied().flatten();
        let of_item = self.item_means.get(item).copied().flatten();
        let expected = match (of_user, of_item) {
            (Some(of_user), Some(of_item)) => {
                let (g, h) = (self.users[user] as usize, self.items[item] as usize);
                of_user + of_item + self.groups.shift(g, h)
            }
            (Some(known), None) | (None, Some(known)) => known,
            (None, None) => return self.mean,
        };
        (expected as f32).clamp(self.scale.0, self.scale.1)
    }

    fn n_bytes(&self) -> usize {
        4 * (self.users.len() + self.items.len())
            + 16 * (self.user_means.len() + self.item_means.len())
            + 8 * self.groups.of_both.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::recommenders::NEVER_STOP;

    /// Two groups of users who like two groups of items the other way round.
    #[test]
    fn groups_that_are_there_are_found() {
        let given = (0..200_u32).map(|at| (at / 10, at % 10)).filter(|(u, i)| (u + i) % 7 != 0);
        let given = given.map(|(user, item)| Rating {
            user: UserIdx(user),
            item: ItemIdx(item),
            value: if (user < 10) == (item < 5) { 5.0 } else { 1.0 },
        });
        let ratings = Ratings::new(20, 10, given);
        let params =
            CoClusteringParams { n_user_clusters: 2, n_item_clusters: 2, ..Default::default() };
        let model = fit(&ratings, &params, NEVER_STOP).unwrap();
        for (user, item) in [(0, 0), (0, 7), (7, 0), (14, 0), (13, 8)] {
            let expected = if (user < 10) == (item < 5) { 5.0 } else { 1.0 };
            let found = model.predict(UserIdx(user), ItemIdx(item));
            // Means differ a little, as a seventh of the cells is missing.
            assert!((found - expected).abs() < 0.7, "{user}, {item}: {found}");
        }
    }
}
