//! One side of the model, users or items, and how it is drawn given the other.

use super::algebra::{self, LANES};
use super::condense::{Condensed, Design};
use super::data::Lists;
use super::draw::{self, Owner, Purpose, Streams};
use crate::learn::linalg::kernels::add_scaled;
use rand_distr::{Distribution, StandardNormal};

/// Constants of the priors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Priors {
    /// Shape and rate of the Gamma distribution of precisions.
    pub(super) gamma: (f64, f64),
    /// Precision of means.
    pub(super) mean_precision: f64,
}

/// Where factors start, away from the saddle at 0; a few sweeps forget it.
const INITIAL_DEVIATION: f32 = 0.1;
/// Where precisions start.
const INITIAL_PRECISION: f64 = 10.0;

/// The set of the other side's rows that a row has ratings with, as features.
///
/// A row's set adds `c·Σ_j y_j` to the mean of its factors, `c = 1/√(size of the set)`, and
/// `y_jf ~ N(ν_f, 1/λ_f)`.
#[derive(Clone, Debug)]
pub(super) struct Sets {
    /// `y (order, n_members)`, factor by factor.
    pub(super) members: Vec<f32>,
    /// `ν (order)`.
    pub(super) means: Vec<f64>,
    /// `λ (order)`.
    pub(super) precisions: Vec<f64>,
    /// `c (n_rows)`.
    scales: Vec<f32>,
}

/// The rows of one side and what governs them.
///
/// A row `p_u` is its factors, its bias, and padding. Given the rest, `p_u ~ N(m_u, Λ⁻¹)` a priori, with
/// `m_u = μ + c_u·Σ_{j ∈ N(u)} y_j` and a diagonal `Λ`.
#[derive(Clone, Debug)]
pub(super) struct Side {
    pub(super) owner: Owner,
    /// `p (n_rows, width)`.
    pub(super) rows: Vec<f32>,
    /// What `rows` were drawn around, given everything else.
    pub(super) expected: Vec<f32>,
    /// `m (n_rows, width)`.
    pub(super) prior_means: Vec<f32>,
    /// `μ (width)`.
    pub(super) centre: Vec<f32>,
    /// The diagonal of `Λ (order)`.
    pub(super) precisions: Vec<f64>,
    pub(super) sets: Option<Sets>,
    /// `(n_rows)`: how much more exact than others a row's ratings are.
    pub(super) exactness: Vec<f32>,
    pub(super) order: usize,
    pub(super) width: usize,
    condensed: Condensed,
}

/// What a side is drawn given.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    /// This side's lists.
    pub(super) lists: &'a Lists,
    /// The ratings less their mean, in the order of `lists`.
    pub(super) values: &'a [f32],
    /// The other side's lists: which rows of this one a member of sets is in.
    pub(super) memberships: &'a Lists,
    /// The other side.
    pub(super) design: &'a Design,
    /// Precision of the ratings' noise.
    pub(super) noise_precision: f64,
    pub(super) priors: Priors,
    pub(super) streams: Streams,
    pub(super) iteration: usize,
}

impl Side {
    pub(super) fn new(
        owner: Owner,
        lists: &Lists,
        n_members: Option<usize>,
        n_factors: usize,
        streams: Streams,
    ) -> Self {
        let (n_rows, order) = (lists.n_rows(), n_factors + 1);
        let width = order.next_multiple_of(LANES);
        let mut rng = streams.of(0, owner, Purpose::Start, 0);
        let mut rows = vec![0.0; n_rows * width];
        for row in rows.chunks_exact_mut(width) {
            for x in &mut row[..n_factors] {
                let normal: f32 = StandardNormal.sample(&mut rng);
                *x = INITIAL_DEVIATION * normal;
            }
        }
        let sets = n_members.map(|n_members| Sets {
            members: vec![0.0; order * n_members],
            means: vec![0.0; order],
            precisions: vec![INITIAL_PRECISION; order],
            scales: (0..n_rows)
                .map(|row| 1.0 / (lists.of(row).len().max(1) as f32).sqrt())
                .collect(),
        });
        Self {
            owner,
            expected: rows.clone(),
            rows,
            prior_means: vec![0.0; n_rows * width],
            centre: vec![0.0; width],
            precisions: vec![INITIAL_PRECISION; order],
            sets,
            exactness: vec![1.0; n_rows],
            order,
            width,
            condensed: Condensed::new(n_rows, width),
        }
    }

    /// This side as the other sees it.
    pub(super) fn design(&self) -> Design {
        let bias = self.order - 1;
        let offsets = self.rows.chunks_exact(self.width).map(|row| row[bias]).collect();
        let mut rows = self.rows.clone();
        rows.chunks_exact_mut(self.width).for_each(|row| row[bias] = 1.0);
        Design { rows, offsets, exactness: self.exactness.clone() }
    }

    /// Draws everything of this side anew, given the other: first the means of the rows, with the rows
    /// integrated out, then the rows, then the hyper-parameters.
    pub(super) fn draw(&mut self, given: Given<'_>) {
        self.condense(given);
        self.draw_centre(given);
        self.draw_sets(given);
        self.draw_rows(given.lists);
        self.draw_hyperparameters(given);
    }

    /// Condenses the ratings at the present prior means.
    pub(super) fn condense(&mut self, given: Given<'_>) {
        let noise_precision = given.noise_precision as f32;
        let own_precisions: Vec<f32> = self.exactness.iter().map(|x| x * noise_precision).collect();
        let (streams, iteration, owner) = (given.streams, given.iteration, self.owner);
        self.condensed.update(
            given.lists,
            given.values,
            given.design,
            &self.prior_means,
            &self.precisions,
            &own_precisions,
            |block| streams.of(iteration, owner, Purpose::Rows, block),
        );
    }

    #[cfg(test)]
    pub(super) fn gradients(&self) -> &[f32] {
        &self.condensed.gradients
    }

    /// Draws `μ ~ N(0, 1/κ)`, all factors together.
    fn draw_centre(&mut self, given: Given<'_>) {
        let (order, width) = (self.order, self.width);
        let mut curvature = vec![0.0_f64; width * width];
        for row in self.condensed.curvatures.chunks_exact(width * width) {
            curvature.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x));
        }
        let mut gradient = vec![0.0_f64; width];
        for row in self.condensed.gradients.chunks_exact(width) {
            gradient.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x));
        }
        let mut factor: Vec<f32> = curvature.iter().map(|&x| x as f32).collect();
        for f in 0..order {
            factor[f * width + f] += given.priors.mean_precision as f32;
            gradient[f] -= given.priors.mean_precision * f64::from(self.centre[f]);
        }
        let mut triangle = vec![0.0; width * width];
        let mut covariance = vec![0.0; width * width];
        algebra::factorise(&mut factor, order, width);
        algebra::invert_triangle(&factor, &mut triangle, order, width);
        algebra::square_triangle(&triangle, &mut covariance, order, width);
        let mut change = vec![0.0_f32; width];
        let mut rng = given.streams.of(given.iteration, self.owner, Purpose::Centre, 0);
        for row in triangle.chunks_exact(width).take(order) {
            add_scaled(&mut change, StandardNormal.sample(&mut rng), row);
        }
        for (row, &gradient) in covariance.chunks_exact(width).zip(&gradient) {
            add_scaled(&mut change, gradient as f32, row);
        }
        add_scaled(&mut self.centre, 1.0, &change);
        for row in self.prior_means.chunks_exact_mut(width) {
            add_scaled(row, 1.0, &change);
        }
        let n_rows = given.lists.n_rows();
        for (f, &change) in change.iter().enumerate().take(order) {
            self.condensed.follow(f, &vec![change; n_rows], width);
        }
    }

    /// Draws the factors of the sets' members one by one.
    fn draw_sets(&mut self, given: Given<'_>) {
        let Some(sets) = &mut self.sets else { return };
        let (width, n_rows) = (self.width, given.lists.n_rows());
        let n_members = given.memberships.n_rows();
        let mut rng = given.streams.of(given.iteration, self.owner, Purpose::Members, 0);
        let mut slopes = vec![[0.0_f32; 2]; n_rows];
        let mut changes = vec![0.0; n_rows];
        for f in 0..self.order {
            let places = self.condensed.gradients.chunks_exact(width);
            let places = places.zip(self.condensed.curvatures.chunks_exact(width * width));
            for ((slope, (gradient, curvature)), c) in
                slopes.iter_mut().zip(places).zip(&sets.scales)
            {
                *slope = [c * gradient[f], c * c * curvature[f * width + f]];
            }
            let members = &mut sets.members[f * n_members..][..n_members];
            let (mean, precision) = (sets.means[f] as f32, sets.precisions[f] as f32);
            for (j, member) in members.iter_mut().enumerate() {
                let places = given.memberships.of(j);
                if places.is_empty() {
                    continue;
                }
                let [slope, curvature] = sum_slopes(&slopes, places);
                let whole = curvature + precision;
                let z: f32 = StandardNormal.sample(&mut rng);
                let change = (slope - precision * (*member - mean)) / whole + z / whole.sqrt();
                *member += change;
                for &u in places {
                    let [slope, curvature] = &mut slopes[u as usize];
                    *slope -= change * *curvature;
                }
            }
            // The sums are made anew, so that rounding does not pile up from sweep to sweep.
            let rows = self.prior_means.chunks_exact_mut(width).zip(&mut changes);
            for (u, (row, change)) in rows.enumerate() {
                let sum: f32 = given.lists.of(u).iter().map(|&j| members[j as usize]).sum();
                let new = self.centre[f] + sets.scales[u] * sum;
                *change = new - row[f];
                row[f] = new;
            }
            self.condensed.follow(f, &changes, width);
        }
    }

    /// Draws the rows around their expectation; those without ratings are at their prior mean.
    fn draw_rows(&mut self, lists: &Lists) {
        let (order, width) = (self.order, self.width);
        for u in 0..lists.n_rows() {
            let row = u * width..(u + 1) * width;
            let expected = &mut self.expected[row.clone()];
            expected.copy_from_slice(&self.prior_means[row.clone()]);
            if !lists.of(u).is_empty() {
                let gradient = &self.condensed.gradients[row.clone()];
                for f in 0..order {
                    expected[f] += gradient[f] / self.precisions[f] as f32;
                }
            }
            let places = self.rows[row.clone()].iter_mut().zip(expected);
            for ((x, mean), noise) in places.zip(&self.condensed.noise[row]) {
                *x = *mean + noise;
            }
        }
    }

    fn draw_hyperparameters(&mut self, given: Given<'_>) {
        let width = self.width;
        let mut rng = given.streams.of(given.iteration, self.owner, Purpose::Hyperparameters, 0);
        let mut sums = vec![0.0_f64; width];
        let mut n = 0;
        for u in (0..given.lists.n_rows()).filter(|&u| !given.lists.of(u).is_empty()) {
            let row = u * width..(u + 1) * width;
            let differences = self.rows[row.clone()].iter().zip(&self.prior_means[row]);
            for (sum, (x, mean)) in sums.iter_mut().zip(differences) {
                *sum += f64::from(x - mean).powi(2);
            }
            n += 1;
        }
        for (precision, &sum) in self.precisions.iter_mut().zip(&sums) {
            *precision = draw::precision(given.priors.gamma, n, sum, &mut rng);
        }
        let Some(sets) = &mut self.sets else { return };
        let n_members = given.memberships.n_rows();
        for (f, members) in sets.members.chunks_exact(n_members).enumerate() {
            let used = || {
                let used = (0..n_members).filter(|&j| !given.memberships.of(j).is_empty());
                used.map(|j| f64::from(members[j]))
            };
            let n = used().count();
            let prior = given.priors.mean_precision;
            sets.means[f] = draw::mean(prior, n, used().sum(), sets.precisions[f], &mut rng);
            let sum = used().map(|x| (x - sets.means[f]).powi(2)).sum();
            sets.precisions[f] = draw::precision(given.priors.gamma, n, sum, &mut rng);
        }
    }
}

/// The sums over some rows, in four strands that do not wait for each other.
fn sum_slopes(slopes: &[[f32; 2]], rows: &[u32]) -> [f32; 2] {
    let mut strands = [[0.0_f32; 2]; 4];
    let (fours, rest) = rows.as_chunks::<4>();
    for four in fours {
        for (strand, &row) in strands.iter_mut().zip(four) {
            let [slope, curvature] = slopes[row as usize];
            strand[0] += slope;
            strand[1] += curvature;
        }
    }
    for &row in rest {
        let [slope, curvature] = slopes[row as usize];
        strands[0][0] += slope;
        strands[0][1] += curvature;
    }
    [0, 1].map(|k| (strands[0][k] + strands[1][k]) + (strands[2][k] + strands[3][k]))
}
