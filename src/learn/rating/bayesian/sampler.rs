//! The chain: items given users, users given items, noise given both.

use super::BayesianParams;
use super::condense::Design;
use super::data::TwoWay;
use super::draw::{self, Owner, Purpose, Streams};
use super::side::{Given, Priors, Side};
use crate::learn::linalg::dot;
use crate::learn::rating::Ratings;
use crate::learn::recommenders::{FitError, Stop};
use multiversion::multiversion;
use rayon::prelude::*;

/// Users whose errors one task sums.
const BLOCK: usize = 64;

/// The state of the chain.
#[derive(Clone, Debug)]
pub(super) struct Sampler {
    pub(super) data: TwoWay,
    pub(super) users: Side,
    pub(super) items: Side,
    /// `α`, of ratings of unit variance.
    pub(super) noise_precision: f64,
    user_noise_freedom: f64,
    priors: Priors,
    streams: Streams,
    iteration: usize,
}

impl Sampler {
    pub(super) fn new(ratings: &Ratings, params: &BayesianParams) -> Self {
        let data = TwoWay::new(ratings);
        let streams = Streams::new(params.seed);
        let user_members = params.user_sets.then_some(ratings.n_items());
        let item_members = params.item_sets.then_some(ratings.n_users());
        let n_factors = params.n_factors;
        Self {
            users: Side::new(Owner::Users, &data.by_user, user_members, n_factors, streams),
            items: Side::new(Owner::Items, &data.by_item, item_members, n_factors, streams),
            data,
            noise_precision: 1.0,
            user_noise_freedom: params.user_noise_freedom,
            priors: Priors {
                gamma: (params.precision_shape, params.precision_rate),
                mean_precision: params.mean_precision,
            },
            streams,
            iteration: 0,
        }
    }

    /// Draws everything once.
    pub(super) fn sweep(&mut self, stop: Stop<'_>) -> Result<(), FitError> {
        self.iteration += 1;
        if stop() {
            return Err(FitError::Stopped);
        }
        let design = self.users.design();
        self.items.draw(Given {
            lists: &self.data.by_item,
            values: &self.data.item_values,
            memberships: &self.data.by_user,
            design: &design,
            noise_precision: self.noise_precision,
            priors: self.priors,
            streams: self.streams,
            iteration: self.iteration,
        });
        if stop() {
            return Err(FitError::Stopped);
        }
        let design = self.items.design();
        self.users.draw(Given {
            lists: &self.data.by_user,
            values: &self.data.user_values,
            memberships: &self.data.by_item,
            design: &design,
            noise_precision: self.noise_precision,
            priors: self.priors,
            streams: self.streams,
            iteration: self.iteration,
        });
        self.draw_noise(&design);
        Ok(())
    }

    /// Draws `α_u` given `α`, then `α`.
    fn draw_noise(&mut self, items: &Design) {
        let errors = squared_errors(&self.users, items, &self.data);
        let mut rng = self.streams.of(self.iteration, Owner::All, Purpose::Noise, 0);
        if self.user_noise_freedom > 0.0 {
            let half = 0.5 * self.user_noise_freedom;
            for (u, (exactness, error)) in self.users.exactness.iter_mut().zip(&errors).enumerate()
            {
                let n = self.data.by_user.of(u).len();
                let sum = self.noise_precision * error;
                *exactness = draw::precision((half, half), n, sum, &mut rng) as f32;
            }
        }
        let weighted = errors.iter().zip(&self.users.exactness);
        let sum = weighted.map(|(error, &exactness)| error * f64::from(exactness)).sum();
        let n = self.data.user_values.len();
        self.noise_precision = draw::precision(self.priors.gamma, n, sum, &mut rng);
    }
}

/// Each user's sum of squared errors.
pub(super) fn squared_errors(users: &Side, items: &Design, data: &TwoWay) -> Vec<f64> {
    let mut errors = vec![0.0; data.by_user.n_rows()];
    let blocks = errors.par_chunks_mut(BLOCK).enumerate();
    blocks.for_each(|(block, errors)| sum_errors(users, items, data, block * BLOCK, errors));
    errors
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn sum_errors(users: &Side, items: &Design, data: &TwoWay, first: usize, errors: &mut [f64]) {
    let width = users.width;
    for (u, sum) in (first..).zip(errors) {
        let row = &users.rows[u * width..][..width];
        let values = &data.user_values[data.by_user.range(u)];
        for (&item, value) in data.by_user.of(u).iter().zip(values) {
            let item = item as usize;
            let known = items.offsets[item] + dot(row, &items.rows[item * width..][..width]);
            *sum += f64::from(value - known).powi(2);
        }
    }
}
