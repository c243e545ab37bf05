//! How alike two sparse vectors are; shared by the two neighbour models.
//!
//! A *vector* is an item's column or a user's row, a *dimension* the other side. Sources: Sarwar,
//! Karypis, Konstan, Riedl, "Item-based collaborative filtering recommendation algorithms", WWW 2001,
//! section 3.1 (cosine, Pearson correlation, adjusted cosine); Robertson and Zaragoza, "The
//! probabilistic relevance framework: BM25 and beyond", 2009, equation 3.15. Shrinkage: Bell and
//! Koren, "Scalable collaborative filtering with jointly derived neighborhood interpolation weights",
//! ICDM 2007. Asymmetric cosine: Aiolli, "Efficient top-N recommendation for very large scale binary
//! rated datasets", `RecSys` 2013, whose `α` and `1 − α` are two free exponents here.

use super::FitError;
use crate::learn::linalg::Csr;
use serde::{Deserialize, Serialize};

/// The formula of likeness.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Similarity {
    /// `x·y / (‖x‖‖y‖ + shrinkage)`, with the norms of the whole vectors.
    Cosine,
    /// `x·y / (‖x‖^(2·own) ‖y‖^(2·other) + shrinkage)`; `x` is what is asked with (an item of the history, the
    /// shopper), `y` what is found. Half and half is cosine; less of `other` favours what is popular.
    AsymmetricCosine {
        /// How much the size of `x` is held against it, 0 to 1.
        own: f32,
        /// How much the size of `y` is held against it, 0 to 1.
        other: f32,
    },
    /// Cosine over the dimensions both have, after taking off each dimension's mean; times
    /// `n / (n + shrinkage)` for `n` common dimensions.
    AdjustedCosine,
    /// Correlation over the dimensions both have; times `n / (n + shrinkage)`.
    Pearson,
}

/// What is done to weights before they are compared; keeps their signs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weighting {
    /// Nothing.
    None,
    /// `√w · idf`, where `idf = ln((1 + n_vectors) / (1 + n))` for a dimension that `n` vectors have:
    /// somebody who bought everything says little about anything.
    TfIdf,
    /// `w · n^(−exponent)` for a dimension that `n` vectors have.
    InverseFrequency {
        /// How little dimensions that many have count, 0 to 2; both vectors have it.
        exponent: f32,
    },
    /// `w (k1 + 1) / (w + k1 (1 − b + b·length/mean length)) · idf`, the same `idf`.
    Bm25 {
        /// How late more weight stops counting, above 0.
        k1: f32,
        /// How much long vectors are held back, 0 to 1.
        b: f32,
    },
}

impl Similarity {
    /// Refuses parameters out of range.
    pub fn check(self) -> Result<(), FitError> {
        let Self::AsymmetricCosine { own, other } = self else { return Ok(()) };
        super::check((0.0..=1.0).contains(&own), "similarity.own", "between 0 and 1", own)?;
        super::check((0.0..=1.0).contains(&other), "similarity.other", "between 0 and 1", other)
    }

    /// Powers of `‖x‖` and `‖y‖` under the product, 1 and 1 unless the similarity says otherwise.
    pub fn norm_powers(self) -> (f64, f64) {
        match self {
            Self::AsymmetricCosine { own, other } => (2.0 * f64::from(own), 2.0 * f64::from(other)),
            Self::Cosine | Self::AdjustedCosine | Self::Pearson => (1.0, 1.0),
        }
    }
}

impl Weighting {
    /// Refuses parameters out of range.
    pub fn check(self) -> Result<(), FitError> {
        match self {
            Self::None | Self::TfIdf => Ok(()),
            Self::InverseFrequency { exponent } => {
                let fits = (0.0..=2.0).contains(&exponent);
                super::check(fits, "weighting.exponent", "between 0 and 2", exponent)
            }
            Self::Bm25 { k1, b } => {
                super::check(k1.is_finite() && 0.0 < k1, "weighting.k1", "finite and above 0", k1)?;
                super::check((0.0..=1.0).contains(&b), "weighting.b", "between 0 and 1", b)
            }
        }
    }

    /// What a dimension counts that `n` of `n_vectors` vectors have.
    fn importance(self, n: u32, n_vectors: usize) -> f32 {
        match self {
            Self::None => 1.0,
            Self::InverseFrequency { exponent } => (n.max(1) as f32).powf(-exponent),
            Self::TfIdf | Self::Bm25 { .. } => ((1.0 + n_vectors as f32) / (1.0 + n as f32)).ln(),
        }
    }
}

/// How to weight and centre vectors, learnt from all of them; a new vector is treated alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preparation {
    weighting: Weighting,
    centred: bool,
    mean_length: f32,
    importances: Vec<f32>,
    dimension_means: Vec<f32>,
}

impl Preparation {
    /// Learns from `vectors` over `n_dimensions` dimensions.
    pub fn learn(
        vectors: &Csr,
        n_dimensions: usize,
        similarity: Similarity,
        weighting: Weighting,
    ) -> Self {
        let n_vectors = vectors.n_rows();
        let mut counts = vec![0_u32; n_dimensions];
        let mut length = 0.0_f64;
        for (dimension, value) in (0..n_vectors).flat_map(|vector| vectors.cells(vector)) {
            counts[dimension as usize] += 1;
            length += f64::from(value.abs());
        }
        let weighted = weighting != Weighting::None;
        let importance = |&n: &u32| weighting.importance(n, n_vectors);
        let mut preparation = Self {
            weighting,
            centred: similarity == Similarity::AdjustedCosine,
            mean_length: (length / n_vectors.max(1) as f64) as f32,
            importances: if weighted {
                counts.iter().map(importance).collect()
            } else {
                Vec::new()
            },
            dimension_means: Vec::new(),
        };
        if preparation.centred {
            let mut sums = vec![0.0_f64; n_dimensions];
            for vector in 0..n_vectors {
                let length = preparation.length(vectors.row(vector).1.iter().copied());
                for (dimension, value) in vectors.cells(vector) {
                    sums[dimension as usize] +=
                        f64::from(preparation.weigh(dimension, value, length));
                }
            }
            let mean = |(sum, &n): (f64, &u32)| (sum / f64::from(n.max(1))) as f32;
            preparation.dimension_means = sums.into_iter().zip(&counts).map(mean).collect();
        }
        preparation
    }

    /// The vectors as they are compared.
    pub fn prepare(&self, vectors: &Csr) -> Csr {
        Csr::from_rows((0..vectors.n_rows()).map(|vector| {
            let length = self.length(vectors.row(vector).1.iter().copied());
            vectors.cells(vector).map(move |(at, value)| (at, self.value(at, value, length)))
        }))
    }

    /// What [`Self::value`] needs to know of the whole vector.
    pub fn length(&self, values: impl Iterator<Item = f32>) -> f32 {
        values.map(f32::abs).sum()
    }

    /// A cell of a vector of this length, as it is compared.
    pub fn value(&self, dimension: u32, value: f32, length: f32) -> f32 {
        let mean = if self.centred { self.dimension_means[dimension as usize] } else { 0.0 };
        self.weigh(dimension, value, length) - mean
    }

    fn weigh(&self, dimension: u32, value: f32, length: f32) -> f32 {
        match self.weighting {
            Weighting::None => value,
            Weighting::TfIdf => {
                value.signum() * value.abs().sqrt() * self.importances[dimension as usize]
            }
            Weighting::InverseFrequency { .. } => value * self.importances[dimension as usize],
            Weighting::Bm25 { k1, b } => {
                let norm = 1.0 - b + b * length / self.mean_length.max(f32::MIN_POSITIVE);
                value * (k1 + 1.0) / (value.abs() + k1 * norm)
                    * self.importances[dimension as usize]
            }
        }
    }

    /// Bytes held on the heap.
    pub fn n_bytes(&self) -> usize {
        4 * (self.importances.len() + self.dimension_means.len())
    }
}

/// Euclidean length of prepared values, summed in `f64`.
pub fn norm(values: impl Iterator<Item = f32>) -> f64 {
    values.map(|value| f64::from(value).powi(2)).sum::<f64>().sqrt()
}

/// Sums over the dimensions that two vectors share, from which their similarity follows.
pub trait Overlap: Copy + Default + Send {
    /// Takes in one shared dimension.
    fn add(&mut self, x: f64, y: f64);
    /// The similarity; `norms` is the product of the lengths of the whole vectors.
    fn similarity(&self, norms: f64, shrinkage: f64) -> f64;
}

/// Sums for [`Similarity::AdjustedCosine`].
#[derive(Clone, Copy, Default)]
pub struct CommonCosine {
    n: u32,
    xy: f64,
    xx: f64,
    yy: f64,
}

impl Overlap for CommonCosine {
    #[inline]
    fn add(&mut self, x: f64, y: f64) {
        self.n += 1;
        self.xy += x * y;
        self.xx += x * x;
        self.yy += y * y;
    }

    fn similarity(&self, _norms: f64, shrinkage: f64) -> f64 {
        let n = f64::from(self.n);
        ratio(self.xy, (self.xx * self.yy).sqrt()) * ratio(n, n + shrinkage)
    }
}

/// Sums for [`Similarity::Pearson`].
#[derive(Clone, Copy, Default)]
pub struct Correlation {
    x: f64,
    y: f64,
    products: CommonCosine,
}

impl Overlap for Correlation {
    #[inline]
    fn add(&mut self, x: f64, y: f64) {
        self.x += x;
        self.y += y;
        self.products.add(x, y);
    }

    fn similarity(&self, _norms: f64, shrinkage: f64) -> f64 {
        let CommonCosine { n, xy, xx, yy } = self.products;
        let n = f64::from(n);
        let variance = |squares: f64, sum: f64| {
            let variance = n * squares - sum * sum;
            // What rounding leaves of a vector without variance, not a variance.
            if variance <= 1e-9 * n * squares { 0.0 } else { variance }
        };
        let spread = (variance(xx, self.x) * variance(yy, self.y)).sqrt();
        ratio(n * xy - self.x * self.y, spread) * ratio(n, n + shrinkage)
    }
}

/// `0` instead of a division by nothing.
fn ratio(over: f64, under: f64) -> f64 {
    if under > 0.0 { over / under } else { 0.0 }
}

/// One set of sums for each other vector, cleared in the time of what was touched.
pub struct Overlaps<O> {
    sums: Vec<O>,
    met: Vec<bool>,
    touched: Vec<u32>,
}

impl<O: Overlap> Overlaps<O> {
    /// Room for `n` vectors.
    pub fn new(n: usize) -> Self {
        Self { sums: vec![O::default(); n], met: vec![false; n], touched: Vec::new() }
    }

    /// Takes in all vectors that share the cells of `x`, by way of `inverted (n_dimensions, n)`.
    pub fn meet(&mut self, x: impl Iterator<Item = (u32, f32)>, inverted: &Csr) {
        for (dimension, x_value) in x {
            for (other, y_value) in inverted.cells(dimension as usize) {
                let at = other as usize;
                if !self.met[at] {
                    self.met[at] = true;
                    self.sums[at] = O::default();
                    self.touched.push(other);
                }
                self.sums[at].add(f64::from(x_value), f64::from(y_value));
            }
        }
    }

    /// Hands out the vectors met, rising, with their sums, and forgets them.
    pub fn drain(&mut self, mut each: impl FnMut(u32, &O)) {
        self.touched.sort_unstable();
        for &other in &self.touched {
            self.met[other as usize] = false;
            each(other, &self.sums[other as usize]);
        }
        self.touched.clear();
    }
}

/// A fixed permutation of positions that scatters neighbours (the finaliser of `MurmurHash3`, Appleby,
/// 2011): an order for lists that must be cut without favour.
pub fn scattered(position: u32) -> u32 {
    let mut h = position ^ (position >> 16);
    h = h.wrapping_mul(0x85eb_ca6b);
    h ^= h >> 13;
    h = h.wrapping_mul(0xc2b2_ae35);
    h ^ (h >> 16)
}

/// Cuts a list to the `n` most similar, ties to the lower position; the order of the rest is lost.
pub fn keep_most_similar(neighbours: &mut Vec<(u32, f32)>, n: usize) {
    if n < neighbours.len() {
        let mut best = MostSimilar::new(n);
        neighbours.drain(..).for_each(|(position, similarity)| best.offer(position, similarity));
        neighbours.extend(best.drain());
    }
}

/// The `n` most similar of all that are offered, ties to the lower position.
///
/// Those kept are whole numbers that order like similarity, then falling position, so that selection needs
/// no branches; most that are offered are worse than the worst of them, and cost one comparison.
pub struct MostSimilar {
    n: usize,
    keys: Vec<u64>,
    least: f32,
}

impl MostSimilar {
    /// Room for `n`.
    pub fn new(n: usize) -> Self {
        Self { n, keys: Vec::with_capacity(4 * n), least: f32::NEG_INFINITY }
    }

    /// Whether one as similar as this would be kept for now.
    #[inline]
    pub fn is_wanted(&self, similarity: f32) -> bool {
        similarity >= self.least
    }

    /// Takes one in; positions do not come twice.
    #[inline]
    pub fn offer(&mut self, position: u32, similarity: f32) {
        if self.is_wanted(similarity) {
            self.keys.push(key_of(position, similarity));
            if self.keys.len() >= 4 * self.n {
                self.prune();
            }
        }
    }

    fn prune(&mut self) {
        if self.n == 0 {
            self.keys.clear();
        } else if self.n < self.keys.len() {
            let worst = *self.keys.select_nth_unstable(self.n - 1).1;
            self.keys.truncate(self.n);
            self.least = cell_of(worst).1;
        }
    }

    /// Hands out those kept, in no particular order, and forgets them.
    pub fn drain(&mut self) -> impl Iterator<Item = (u32, f32)> + '_ {
        self.prune();
        self.least = f32::NEG_INFINITY;
        self.keys.drain(..).map(cell_of)
    }
}

#[inline]
fn key_of(position: u32, similarity: f32) -> u64 {
    let bits = similarity.to_bits();
    let rising = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    u64::from(!rising) << 32 | u64::from(position)
}

fn cell_of(key: u64) -> (u32, f32) {
    let rising = !((key >> 32) as u32);
    let bits = if rising >> 31 == 1 { rising & !(1 << 31) } else { !rising };
    (key as u32, f32::from_bits(bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlation_agrees_with_a_case_by_hand() {
        let mut sums = Correlation::default();
        for (x, y) in [(1.0, 2.0), (2.0, 4.0), (3.0, 5.0)] {
            sums.add(x, y);
        }
        // Σxy − n·x̄·ȳ = 25 − 22 = 3; sums of squared deviations 2 and 14/3.
        let expected = 3.0 / (2.0_f64 * 14.0 / 3.0).sqrt();
        assert!((sums.similarity(0.0, 0.0) - expected).abs() < 1e-12);
        assert!((sums.similarity(0.0, 3.0) - expected / 2.0).abs() < 1e-12);
    }

    #[test]
    fn the_most_similar_stay_and_ties_go_to_the_lower_position() {
        let list = [(0, -0.5), (3, 0.25), (1, 0.5), (7, -0.1), (2, 0.5), (9, 0.0), (4, 0.5)];
        for (n, expected) in [(2, &[1, 2][..]), (5, &[1, 2, 3, 4, 9]), (6, &[1, 2, 3, 4, 7, 9])] {
            let mut kept = list.to_vec();
            keep_most_similar(&mut kept, n);
            assert!(
                kept.iter().all(|cell| list.contains(cell)),
                "values are given back as they were"
            );
            kept.sort_unstable_by_key(|cell| cell.0);
            assert!(kept.iter().map(|cell| cell.0).eq(expected.iter().copied()));
        }
    }

    #[test]
    fn vectors_without_spread_are_not_correlated() {
        let mut sums = Correlation::default();
        for y in [0.1, 0.2, 0.7] {
            sums.add(0.1, y);
        }
        assert!(sums.similarity(0.0, 0.0).abs() < f64::EPSILON);
    }

    #[test]
    fn bm25_agrees_with_a_case_by_hand() {
        let vectors = Csr::from_rows([vec![(0, 2.0), (1, 1.0)], vec![(0, 1.0)], vec![]]);
        let bm25 = Weighting::Bm25 { k1: 1.5, b: 0.5 };
        let learnt = Preparation::learn(&vectors, 2, Similarity::Cosine, bm25);
        // Length 3 of the first vector, mean length 4/3; dimension 0 occurs in 2 of 3 vectors.
        let expected =
            2.0 * 2.5 / (2.0 + 1.5 * (0.5 + 0.5 * 3.0 / (4.0 / 3.0))) * (4.0_f32 / 3.0).ln();
        let prepared = learnt.prepare(&vectors);
        assert!((prepared.row(0).1[0] - expected).abs() < 1e-6);
    }
}
