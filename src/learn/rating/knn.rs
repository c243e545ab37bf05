//! Neighbours for ratings: what did users like this one give the item, or this user to items like it?
//!
//! Sources: Resnick, Iacovou, Suchak, Bergstrom, Riedl, "`GroupLens`: an open architecture for collaborative
//! filtering of netnews", CSCW 1994 (deviations from means); Herlocker, Konstan, Borchers, Riedl, "An
//! algorithmic framework for performing collaborative filtering", SIGIR 1999 (z-scores, the `k` nearest);
//! Koren, "Factor in the neighbors", TKDD 2010 (deviations from baselines, Pearson
//! correlation of what baselines leave, shrunk). Details are those of the library Surprise (Hug, JOSS
//! 2020): of those who have rated, the `k` most similar count, and of these only similarities above 0.
//!
//! With *rows* for users (or items, if not user-based) and *columns* for the other side, the similarities are a
//! table of `4·n_rows²` bytes, refused beyond `matrix_bytes_max`. Fitting costs `Σ |column|²` additions, in
//! parallel; a prediction costs the ratings of its column.

use super::lists::Lists;
use super::pairs::{TwoWay, check_table, rows_and_columns, tabulate};
use super::{RatingPredictor, Ratings, baseline};
use super::{baseline::Baseline, baseline::BaselineParams};
use crate::learn::dataset::{ItemIdx, UserIdx};
use crate::learn::recommenders::{FitError, Stop, check};
use serde::{Deserialize, Serialize};

/// What ratings are centred on before neighbours' are averaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Centering {
    /// Nothing.
    Basic,
    /// Each row's mean.
    Means,
    /// Each row's mean, in units of its standard deviation.
    ZScore,
    /// The baseline of user and item.
    Baseline,
}

/// How alike two rows are, by what both have rated (or have been rated by).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RatingSimilarity {
    /// `Σxy / √(Σx²·Σy²)`.
    Cosine,
    /// `1 / (1 + Σ(x − y)²/n)`.
    Msd,
    /// Correlation.
    Pearson,
    /// Correlation of what the baselines leave, times `(n − 1)/(n − 1 + shrinkage)`.
    PearsonBaseline {
        /// Draws similarities with little ground towards 0; at least 0.
        shrinkage: f32,
    },
}

/// How neighbours are found and used.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KnnParams {
    /// What ratings are centred on.
    pub centering: Centering,
    /// How alike two rows are.
    pub similarity: RatingSimilarity,
    /// Whether neighbours are users; else they are items.
    pub user_based: bool,
    /// Most neighbours that count, 1 to 10,000.
    pub n_neighbors: usize,
    /// Fewest for them to be asked, 0 to 10,000.
    pub min_neighbors: usize,
    /// Fewest common ratings for two rows to be alike at all, 1 to 10,000.
    pub min_support: usize,
    /// Most bytes of the table of similarities, 1 to 2⁴⁰.
    pub matrix_bytes_max: usize,
    /// For what is centred on baselines, and for similarities of what they leave.
    pub baseline: BaselineParams,
}

impl Default for KnnParams {
    fn default() -> Self {
        Self {
            centering: Centering::Basic,
            similarity: RatingSimilarity::Msd,
            user_based: true,
            n_neighbors: 40,
            min_neighbors: 1,
            min_support: 1,
            matrix_bytes_max: 2 << 30,
            baseline: BaselineParams::default(),
        }
    }
}

impl KnnParams {
    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), FitError> {
        if let RatingSimilarity::PearsonBaseline { shrinkage } = self.similarity {
            let fits = shrinkage.is_finite() && 0.0 <= shrinkage;
            check(fits, "similarity.shrinkage", "finite and at least 0", shrinkage)?;
        }
        let n = self.n_neighbors;
        check((1..=10_000).contains(&n), "n_neighbors", "between 1 and 10000", n)?;
        let n = self.min_neighbors;
        check(n <= 10_000, "min_neighbors", "at most 10000", n)?;
        let n = self.min_support;
        check((1..=10_000).contains(&n), "min_support", "between 1 and 10000", n)?;
        let most = self.matrix_bytes_max;
        check((1..=1 << 40).contains(&most), "matrix_bytes_max", "between 1 and 2^40", most)?;
        self.baseline.check()
    }
}

/// Similarities of all rows, and the ratings they are used on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Knn {
    params: KnnParams,
    n_rows: usize,
    /// `(n_rows, n_rows)`.
    similarities: Vec<f32>,
    /// The rows that rated each column, rising, with the ratings.
    columns: Lists,
    /// Mean and standard deviation of each row; none without ratings.
    spreads: Vec<Option<(f32, f32)>>,
    baseline: Baseline,
    scale: (f32, f32),
}

/// Sums for [`RatingSimilarity::Msd`].
#[derive(Clone, Copy, Default)]
struct Differences {
    n: u32,
    squares: f32,
}

/// Sums for the other similarities.
#[derive(Clone, Copy, Default)]
struct Products {
    n: u32,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
}

impl Products {
    fn add(&mut self, x: f32, y: f32) {
        let (x, y) = (f64::from(x), f64::from(y));
        self.n += 1;
        self.x += x;
        self.y += y;
        self.xx += x * x;
        self.yy += y * y;
        self.xy += x * y;
    }

    fn cosine(&self) -> f64 {
        ratio(self.xy, (self.xx * self.yy).sqrt())
    }

    fn correlation(&self) -> f64 {
        let n = f64::from(self.n);
        let spread = |squares: f64, sum: f64| {
            let spread = n * squares - sum * sum;
            // What rounding leaves of a row without variance is no variance.
            if spread <= 1e-9 * n * squares { 0.0 } else { spread }
        };
        let spreads = spread(self.xx, self.x) * spread(self.yy, self.y);
        ratio(n * self.xy - self.x * self.y, spreads.sqrt())
    }
}

/// 0 instead of a division by nothing.
fn ratio(over: f64, under: f64) -> f64 {
    if under > 0.0 { over / under } else { 0.0 }
}

/// Finds all similarities, in parallel on the pool it is called in.
pub fn fit(ratings: &Ratings, params: &KnnParams, stop: Stop<'_>) -> Result<Knn, FitError> {
    params.check()?;
    if ratings.all().is_empty() {
        return Err(FitError::NoData { model: "knn" });
    }
    let n_rows = if params.user_based { ratings.n_users() } else { ratings.n_items() };
    check_table(n_rows, size_of::<f32>(), params.matrix_bytes_max)?;
    let baseline = baseline::fit(ratings, &params.baseline, stop)?;
    let similarities = similarities(ratings, params, &baseline, stop)?;
    if !similarities.iter().all(|similarity| similarity.is_finite()) {
        return Err(FitError::NotFinite { model: "knn" });
    }
    let (rows, columns) = rows_and_columns(ratings, params.user_based);
    let overall = spread_of(ratings.all().iter().map(|rating| rating.value));
    let spread = |row: &[(u32, f32)]| {
        let (mean, deviation) = spread_of(row.iter().map(|cell| cell.1));
        let deviation = if deviation > 0.0 { deviation } else { overall.1 };
        (!row.is_empty()).then_some((mean, deviation))
    };
    Ok(Knn {
        params: *params,
        n_rows,
        similarities,
        columns: columns.sorted(),
        spreads: rows.rows().map(spread).collect(),
        baseline,
        scale: ratings.scale(),
    })
}

/// Mean and standard deviation over all values.
fn spread_of(values: impl Iterator<Item = f32> + Clone) -> (f32, f32) {
    let n = values.clone().count().max(1) as f64;
    let mean = values.clone().map(f64::from).sum::<f64>() / n;
    let variance = values.map(|value| (f64::from(value) - mean).powi(2)).sum::<f64>() / n;
    (mean as f32, variance.sqrt() as f32)
}

/// The table `(n_rows, n_rows)`.
fn similarities(
    ratings: &Ratings,
    params: &KnnParams,
    baseline: &Baseline,
    stop: Stop<'_>,
) -> Result<Vec<f32>, FitError> {
    let is_supported = |n: u32, least: usize| least.max(params.min_support) <= n as usize;
    let given = || TwoWay::new(ratings, params.user_based, |_, _, rating| rating);
    let same = |similarity| similarity;
    let of_products = |rows: &TwoWay, least: usize, of: &(dyn Fn(&Products) -> f64 + Sync)| {
        let finish =
            |sums: &Products| if is_supported(sums.n, least) { of(sums) as f32 } else { 0.0 };
        tabulate(rows, Products::add, finish, same, stop)
    };
    match params.similarity {
        RatingSimilarity::Msd => {
            let add = |sums: &mut Differences, x: f32, y: f32| {
                sums.n += 1;
                sums.squares += (x - y) * (x - y);
            };
            let finish = |sums: &Differences| {
                let alike = || 1.0 / (1.0 + sums.squares / sums.n as f32);
                if is_supported(sums.n, 1) { alike() } else { 0.0 }
            };
            tabulate(&given(), add, finish, same, stop)
        }
        RatingSimilarity::Cosine => of_products(&given(), 1, &Products::cosine),
        RatingSimilarity::Pearson => of_products(&given(), 1, &Products::correlation),
        RatingSimilarity::PearsonBaseline { shrinkage } => {
            let left = TwoWay::new(ratings, params.user_based, |row, column, rating| {
                let pair = if params.user_based { (row, column) } else { (column, row) };
                let (user, item) = (UserIdx(pair.0 as u32), ItemIdx(pair.1 as u32));
                (f64::from(rating) - baseline.estimate(user, item)) as f32
            });
            let shrunk = |sums: &Products| {
                let n = f64::from(sums.n) - 1.0;
                sums.cosine() * ratio(n, n + f64::from(shrinkage))
            };
            of_products(&left, 2, &shrunk)
        }
    }
}

impl Knn {
    /// Similarity of two rows; 0 of a row with itself, which is never its own neighbour.
    pub fn similarity(&self, row: u32, other: u32) -> f32 {
        let (row, other) = (row as usize, other as usize);
        if row < self.n_rows && other < self.n_rows {
            self.similarities[row * self.n_rows + other]
        } else {
            0.0
        }
    }

    /// The nearest rows that rated the column: similarity above 0, row, rating.
    fn neighbours(&self, row: usize, column: usize) -> Vec<(f32, u32, f32)> {
        let similarities = &self.similarities[row * self.n_rows..(row + 1) * self.n_rows];
        let rated = self.columns.of(column).iter();
        let mut near: Vec<(f32, u32, f32)> = rated
            .map(|&(other, rating)| (similarities[other as usize], other, rating))
            .filter(|neighbour| neighbour.0 > 0.0 && neighbour.1 as usize != row)
            .collect();
        let n = self.params.n_neighbors;
        if n < near.len() {
            near.select_nth_unstable_by(n, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            near.truncate(n);
        }
        near.sort_unstable_by_key(|neighbour| neighbour.1);
        near
    }

    fn expected(&self, user: UserIdx, item: ItemIdx) -> f64 {
        let (user_at, item_at) = (user.0 as usize, item.0 as usize);
        let is_user_based = self.params.user_based;
        let (row, column) = if is_user_based { (user_at, item_at) } else { (item_at, user_at) };
        let own = self.spreads.get(row).copied().flatten();
        let is_rated = self.columns.get(column).is_some_and(|rated| !rated.is_empty());
        let Some((mean, deviation)) = own.filter(|_| is_rated) else {
            return if self.params.centering == Centering::Baseline {
                self.baseline.estimate(user, item)
            } else {
                self.baseline.mean()
            };
        };
        let near = self.neighbours(row, column);
        let spread_of = |other: u32| self.spreads[other as usize].unwrap_or((0.0, 1.0));
        let weighted = |centred: &dyn Fn(u32, f32) -> f64| -> Option<f64> {
            let sum: f64 = near.iter().map(|&(s, other, r)| f64::from(s) * centred(other, r)).sum();
            let weights: f64 = near.iter().map(|neighbour| f64::from(neighbour.0)).sum();
            (self.params.min_neighbors <= near.len() && weights > 0.0).then(|| sum / weights)
        };
        match self.params.centering {
            Centering::Basic => {
                weighted(&|_, rating| rating.into()).unwrap_or_else(|| self.baseline.mean())
            }
            Centering::Means => {
                let shift = weighted(&|other, rating| (rating - spread_of(other).0).into());
                f64::from(mean) + shift.unwrap_or(0.0)
            }
            Centering::ZScore => {
                let shift = weighted(&|other, rating| {
                    let (mean, deviation) = spread_of(other);
                    ratio((rating - mean).into(), deviation.into())
                });
                f64::from(mean) + f64::from(deviation) * shift.unwrap_or(0.0)
            }
            Centering::Baseline => {
                let estimate = |other: u32| {
                    if is_user_based {
                        self.baseline.estimate(UserIdx(other), item)
                    } else {
                        self.baseline.estimate(user, ItemIdx(other))
                    }
                };
                let shift = weighted(&|other, rating| f64::from(rating) - estimate(other));
                self.baseline.estimate(user, item) + shift.unwrap_or(0.0)
            }
        }
    }
}

impl RatingPredictor for Knn {
    fn predict(&self, user: UserIdx, item: ItemIdx) -> f32 {
        (self.expected(user, item) as f32).clamp(self.scale.0, self.scale.1)
    }

    fn n_bytes(&self) -> usize {
        4 * self.similarities.len()
            + self.columns.n_bytes()
            + 12 * self.spreads.len()
            + self.baseline.n_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::super::pairs::tests::table;
    use super::*;
    use crate::learn::recommenders::NEVER_STOP;

    /// `f32` keeps 7 digits.
    const TOLERANCE: f32 = 1e-6;

    /// Users 0 and 1 have items 0, 1, 2 in common, users 0 and 2 only item 0.
    fn small() -> Ratings {
        let given = [
            (0, 0, 5.0),
            (0, 1, 3.0),
            (0, 2, 4.0),
            (1, 0, 4.0),
            (1, 1, 2.0),
            (1, 2, 5.0),
            (1, 3, 4.0),
            (2, 0, 1.0),
            (2, 3, 2.0),
        ];
        table(4, 5, &given).with_scale(1.0, 5.0)
    }

    fn model(params: KnnParams) -> Knn {
        fit(&small(), &params, NEVER_STOP).unwrap()
    }

    #[test]
    fn similarities_agree_with_cases_by_hand() {
        let of =
            |similarity| model(KnnParams { similarity, ..KnnParams::default() }).similarity(0, 1);
        assert!((of(RatingSimilarity::Msd) - 0.5).abs() < TOLERANCE, "differences 1, 1, −1");
        let cosine = 46.0 / (50.0_f32 * 45.0).sqrt();
        assert!((of(RatingSimilarity::Cosine) - cosine).abs() < TOLERANCE);
        // Deviations from the common means 4 and 11/3: (1, −1, 0) and (1/3, −5/3, 4/3).
        let pearson = 2.0 / (2.0_f32 * (1.0 + 25.0 + 16.0) / 9.0).sqrt();
        assert!((of(RatingSimilarity::Pearson) - pearson).abs() < TOLERANCE);
        let shrunk = of(RatingSimilarity::PearsonBaseline { shrinkage: 2.0 });
        let whole = of(RatingSimilarity::PearsonBaseline { shrinkage: 0.0 });
        assert!((shrunk - whole / 2.0).abs() < TOLERANCE, "(n − 1)/(n − 1 + 2) for n = 3");
        let params = KnnParams { min_support: 2, ..KnnParams::default() };
        assert!(model(params).similarity(0, 2).abs() < TOLERANCE);
    }

    #[test]
    fn predictions_agree_with_cases_by_hand() {
        let of = |centering| {
            let params = KnnParams { centering, ..KnnParams::default() };
            model(params).predict(UserIdx(0), ItemIdx(3))
        };
        // MSD: 1/2 to user 1, who gave 4; 1/(1 + 16) to user 2, who gave 2.
        let (near, far) = (0.5, 1.0 / 17.0);
        let basic = (near * 4.0 + far * 2.0) / (near + far);
        assert!((of(Centering::Basic) - basic).abs() < TOLERANCE);
        let means = 4.0 + (near * (4.0 - 3.75) + far * (2.0 - 1.5)) / (near + far);
        assert!((of(Centering::Means) - means).abs() < TOLERANCE);
        let deviation = (2.0_f32 / 3.0).sqrt();
        let scores = (near * 0.25 / 1.1875_f32.sqrt() + far * 0.5 / 0.5) / (near + far);
        let expected = 4.0 + deviation * scores;
        assert!((of(Centering::ZScore) - expected).abs() < 1e-5, "square roots in f32");
    }

    #[test]
    fn items_and_users_change_places() {
        let params = KnnParams { user_based: false, ..KnnParams::default() };
        let flipped: Vec<(u32, u32, f32)> =
            small().all().iter().map(|r| (r.item.0, r.user.0, r.value)).collect();
        let flipped = table(5, 4, &flipped).with_scale(1.0, 5.0);
        let by_users = fit(&flipped, &KnnParams::default(), NEVER_STOP).unwrap();
        let by_items = model(params);
        for (user, item) in [(0, 3), (2, 1), (3, 0), (0, 4)] {
            let found = by_items.predict(UserIdx(user), ItemIdx(item));
            let other = by_users.predict(UserIdx(item), ItemIdx(user));
            assert!((found - other).abs() < TOLERANCE);
        }
    }

    #[test]
    fn a_table_that_is_too_large_is_refused() {
        let params = KnnParams { matrix_bytes_max: 63, ..KnnParams::default() };
        let error = fit(&small(), &params, NEVER_STOP).unwrap_err();
        let is_named = matches!(error, FitError::Parameter { parameter: "matrix_bytes_max", .. });
        assert!(is_named, "{error}");
    }
}
