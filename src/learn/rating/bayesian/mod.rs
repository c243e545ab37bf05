//! Bayesian factorisation of ratings by Gibbs sampling.
mod algebra;
mod condense;
mod data;
mod draw;
mod side;

use super::{RatingPredictor, Ratings};
use crate::learn::dataset::{ItemIdx, UserIdx};
use crate::learn::linalg::dot;
use crate::learn::recommenders::{FitError, Stop, check};
use condense::Design;
use data::TwoWay;
use draw::{Owner, Purpose, Streams};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use side::{Given, Priors, Side};

/// How a posterior is sampled.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BayesianParams {
    /// Factors of a user or an item.
    pub n_factors: usize,
    /// Sweeps before the first sample is kept.
    pub n_burn_in: usize,
    /// Samples that are kept.
    pub n_samples: usize,
    /// Sweeps from one kept sample to the next.
    pub thinning: usize,
    /// Whether users are also described by which items they rated.
    pub user_sets: bool,
    /// Whether items are also described by who rated them.
    pub item_sets: bool,
    /// noise freedom of users, 0 = same for all.
    pub user_noise_freedom: f64,
    /// Shape of the Gamma prior of every precision.
    pub precision_shape: f64,
    /// Rate of the Gamma prior of every precision.
    pub precision_rate: f64,
    /// Precision of the prior of means.
    pub mean_precision: f64,
    /// Start of the random numbers.
    pub seed: u64,
}

impl Default for BayesianParams {
    fn default() -> Self {
        Self {
            n_factors: 15,
            n_burn_in: 20,
            n_samples: 100,
            thinning: 2,
            user_sets: true,
            item_sets: true,
            user_noise_freedom: 0.0,
            precision_shape: 0.5,
            precision_rate: 0.5,
            mean_precision: 1.0,
            seed: 7,
        }
    }
}

impl BayesianParams {
    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), FitError> {
        check((1..=512).contains(&self.n_factors), "n_factors", "between 1 and 512", self.n_factors)
    }
}

/// Samples of the posterior.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BayesianFactorization {
    mean: f32,
    scale: (f32, f32),
    n_samples: usize,
    row_len: usize,
    users: Vec<f32>,
    items: Vec<f32>,
}

/// fit
pub fn fit(
    ratings: &Ratings,
    params: &BayesianParams,
    stop: Stop<'_>,
) -> Result<BayesianFactorization, FitError> {
    params.check()?;
    let data = TwoWay::new(ratings);
    let streams = Streams::new(params.seed);
    let n_factors = params.n_factors;
    let (n_users, n_items) = (ratings.n_users(), ratings.n_items());
    let mut users = Side::new(
        Owner::Users,
        &data.by_user,
        params.user_sets.then_some(n_items),
        n_factors,
        streams,
    );
    let mut items = Side::new(
        Owner::Items,
        &data.by_item,
        params.item_sets.then_some(n_users),
        n_factors,
        streams,
    );
    let priors = Priors {
        gamma: (params.precision_shape, params.precision_rate),
        mean_precision: params.mean_precision,
    };
    let mut noise_precision = 1.0;
    let d = n_factors + 2;
    let row_len = params.n_samples * d;
    let mut model = BayesianFactorization {
        mean: ratings.mean() as f32,
        scale: ratings.scale(),
        n_samples: params.n_samples,
        row_len,
        users: vec![0.0; (n_users + 1) * row_len],
        items: vec![0.0; (n_items + 1) * row_len],
    };
    let mut sample = 0;
    let mut iteration = 0;
    let mut t = [0.0; 4];
    while sample < params.n_samples {
        iteration += 1;
        if stop() {
            return Err(FitError::Stopped);
        }
        let c = std::time::Instant::now();
        let design = users.design();
        items.draw(Given {
            lists: &data.by_item,
            values: &data.item_values,
            memberships: &data.by_user,
            design: &design,
            noise_precision,
            priors,
            streams,
            iteration,
        });
        t[0] += c.elapsed().as_secs_f64();
        let design = items.design();
        let c = std::time::Instant::now();
        users.draw(Given {
            lists: &data.by_user,
            values: &data.user_values,
            memberships: &data.by_item,
            design: &design,
            noise_precision,
            priors,
            streams,
            iteration,
        });
        t[1] += c.elapsed().as_secs_f64();
        let c = std::time::Instant::now();
        let errors = squared_errors(&users, &design, &data);
        let mut rng = streams.of(iteration, Owner::All, Purpose::Noise, 0);
        if params.user_noise_freedom > 0.0 {
            let half = params.user_noise_freedom / 2.0;
            for (u, &e) in errors.iter().enumerate() {
                users.exactness[u] = draw::precision(
                    (half, half),
                    data.by_user.of(u).len(),
                    noise_precision * e,
                    &mut rng,
                ) as f32;
            }
        }
        let sum = errors.iter().zip(&users.exactness).map(|(e, &x)| e * f64::from(x)).sum();
        noise_precision = draw::precision(priors.gamma, ratings.all().len(), sum, &mut rng);
        t[2] += c.elapsed().as_secs_f64();
        if iteration > params.n_burn_in && (iteration - params.n_burn_in) % params.thinning == 0 {
            keep(&users, &users.expected, true, &mut model.users, sample * d, row_len);
            keep(&items, &items.rows, false, &mut model.items, sample * d, row_len);
            sample += 1;
        }
    }
    if std::env::var("TIMES").is_ok() {
        eprintln!(
            "{t:?} alpha {noise_precision} user {:?} sets {:?}\n items {:?} {:?}",
            users.precisions,
            users.sets.as_ref().map(|s| (&s.means, &s.precisions)),
            items.precisions,
            items.sets.as_ref().map(|s| (&s.means, &s.precisions))
        );
    }
    Ok(model)
}

fn keep(side: &Side, rows: &[f32], first: bool, into: &mut [f32], at: usize, row_len: usize) {
    let d = side.order - 1;
    let rows = rows.chunks_exact(side.width).chain(std::iter::once(&side.centre[..]));
    for (row, into) in rows.zip(into.chunks_exact_mut(row_len)) {
        let into = &mut into[at..at + d + 2];
        into[..d].copy_from_slice(&row[..d]);
        into[d] = if first { row[d] } else { 1.0 };
        into[d + 1] = if first { 1.0 } else { row[d] };
    }
}

fn squared_errors(users: &Side, design: &Design, data: &TwoWay) -> Vec<f64> {
    let width = users.width;
    (0..data.by_user.n_rows())
        .into_par_iter()
        .map(|u| {
            let row = &users.rows[u * width..][..width];
            data.by_user
                .of(u)
                .iter()
                .zip(&data.user_values[data.by_user.range(u)])
                .map(|(&i, &v)| {
                    let i = i as usize;
                    let e = v - design.offsets[i] - dot(row, &design.rows[i * width..][..width]);
                    f64::from(e * e)
                })
                .sum()
        })
        .collect()
}

impl RatingPredictor for BayesianFactorization {
    fn predict(&self, user: UserIdx, item: ItemIdx) -> f32 {
        let n = self.row_len;
        let u = (user.0 as usize).min(self.users.len() / n - 1);
        let i = (item.0 as usize).min(self.items.len() / n - 1);
        let sum = dot(&self.users[u * n..][..n], &self.items[i * n..][..n]);
        (self.mean + sum / self.n_samples as f32).clamp(self.scale.0, self.scale.1)
    }
    fn n_bytes(&self) -> usize {
        4 * (self.users.len() + self.items.len())
    }
}
