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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::dataset::{ItemIdx, UserIdx};
    use crate::learn::rating::bayesian::data::Lists;
    use crate::learn::rating::data::Rating;
    use crate::learn::recommenders::NEVER_STOP;

    fn sampler() -> Sampler {
        // The last user and the last item have no rating.
        let given = (0..400_u32).filter(|at| at % 3 != 0).map(|at| Rating {
            user: UserIdx(at / 20),
            item: ItemIdx(at % 20),
            value: (at * at % 5) as f32 + 1.0,
        });
        let params = BayesianParams { n_factors: 3, ..BayesianParams::default() };
        Sampler::new(&Ratings::new(21, 21, given), &params)
    }

    fn assert_sets_add_up(side: &Side, lists: &Lists, n_members: usize) {
        let sets = side.sets.as_ref().expect("the model has sets");
        for u in 0..lists.n_rows() {
            let scale = 1.0 / (lists.of(u).len().max(1) as f64).sqrt();
            for f in 0..side.order {
                let members = lists.of(u).iter().map(|&j| sets.members[f * n_members + j as usize]);
                let sum: f64 = members.map(f64::from).sum();
                let expected = f64::from(side.centre[f]) + scale * sum;
                let found = f64::from(side.prior_means[u * side.width + f]);
                assert!((found - expected).abs() < 1e-5, "{found} is not {expected} in f32");
            }
        }
    }

    #[test]
    fn prior_means_are_the_sums_of_their_sets_after_many_sweeps() {
        let mut sampler = sampler();
        for _ in 0..20 {
            sampler.sweep(NEVER_STOP).unwrap();
        }
        let sets = sampler.users.sets.as_ref().unwrap();
        assert!(sets.members.iter().any(|x| x.abs() > 1e-3), "members are drawn");
        assert_sets_add_up(&sampler.users, &sampler.data.by_user, 21);
        assert_sets_add_up(&sampler.items, &sampler.data.by_item, 21);
    }

    #[test]
    fn the_gradient_left_by_a_sweep_is_the_one_condensed_anew() {
        let mut sampler = sampler();
        for _ in 0..5 {
            sampler.sweep(NEVER_STOP).unwrap();
        }
        let design = sampler.items.design();
        let given = Given {
            lists: &sampler.data.by_user,
            values: &sampler.data.user_values,
            memberships: &sampler.data.by_item,
            design: &design,
            noise_precision: sampler.noise_precision,
            priors: sampler.priors,
            streams: sampler.streams,
            iteration: 99,
        };
        let mut users = sampler.users.clone();
        let precisions = users.precisions.clone();
        users.draw(given);
        // What the draws of centre and sets left of the gradient, against the definition at the new means.
        let mut again = users.clone();
        again.precisions = precisions;
        again.condense(given);
        for (left, anew) in users.gradients().iter().zip(again.gradients()) {
            assert!((left - anew).abs() < 1e-3, "{left} is not {anew} after f32 sums");
        }
        assert!(users.gradients().iter().any(|x| x.abs() > 0.1));
    }

    #[test]
    fn hyper_parameters_stay_positive_and_finite() {
        let mut sampler = sampler();
        for _ in 0..50 {
            sampler.sweep(NEVER_STOP).unwrap();
            for side in [&sampler.users, &sampler.items] {
                let sets = side.sets.as_ref().unwrap();
                let precisions = side.precisions.iter().chain(&sets.precisions);
                assert!(
                    precisions.chain([&sampler.noise_precision]).all(|&x| 0.0 < x && x.is_finite())
                );
                assert!(side.exactness.iter().all(|&x| 0.0 < x && x.is_finite()));
                assert!(sets.means.iter().all(|x| x.is_finite()));
            }
        }
    }

    #[test]
    fn errors_are_those_of_the_formula() {
        let mut sampler = sampler();
        sampler.sweep(NEVER_STOP).unwrap();
        let items = sampler.items.design();
        let found: f64 = squared_errors(&sampler.users, &items, &sampler.data).iter().sum();
        let mut expected = 0.0;
        for u in 0..21 {
            let p = &sampler.users.rows[u * 8..][..4];
            let values = &sampler.data.user_values[sampler.data.by_user.range(u)];
            for (&item, value) in sampler.data.by_user.of(u).iter().zip(values) {
                let g = &sampler.items.rows[item as usize * 8..][..4];
                let known = p[0] * g[0] + p[1] * g[1] + p[2] * g[2] + p[3] + g[3];
                expected += f64::from(value - known).powi(2);
            }
        }
        assert!((found - expected).abs() < 1e-4 * expected, "{found} is not {expected} in f32");
    }
}
