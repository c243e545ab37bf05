//! Sweeps over items, categories and the shop until nothing moves.
//!
//! Penalised quasi-likelihood by Newton steps in blocks (Breslow and Clayton, "Approximate inference in
//! generalized linear mixed models", JASA 1993): every item's own coefficients given its category, then means
//! and spreads, then every category's effects with what its items share. A sweep is linear in rows. Parallel
//! over fixed blocks of items; what is summed over blocks is summed in their order.

use super::{
    category::{self, Pull, Sums},
    dispersion::Spread,
    item::{self, Step},
    panel::Panel,
    params::ResponseParams,
    pool::{self, Evidence},
    posterior::DemandResponse,
    state::{Category, EFFECT_SD, Population, priors},
    symmetric::Triple,
};
use crate::learn::recommenders::{FitError, Stop};
use rayon::prelude::*;

/// Items that one task steps, between two looks at `stop`.
const BLOCK: usize = 128;

/// Some items of one category.
struct Block {
    category: usize,
    items: Vec<u32>,
}

/// What a fit holds between two sweeps.
pub(super) struct Fit<'a> {
    pub(super) panel: &'a Panel,
    pub(super) params: &'a ResponseParams,
    blocks: Vec<Block>,
    /// By block and item.
    pub(super) steps: Vec<Vec<Step>>,
    pub(super) categories: Vec<Category>,
    pub(super) populations: Vec<Population>,
    /// Mean and variance of every coefficient in the shop.
    pub(super) shop: [(f64, f64); 3],
    effect_variance: f64,
    /// By how much an effect is higher for each unit of the logarithm of the merchant's prices.
    follow: f64,
    pub(super) n_sweeps: usize,
    pub(super) has_converged: bool,
}

/// Fits price response, in parallel on the pool it is called in; asks `stop` in every sweep.
pub fn fit(
    panel: &Panel,
    params: &ResponseParams,
    stop: Stop<'_>,
) -> Result<DemandResponse, FitError> {
    params.check()?;
    if panel.n_rows() == 0 {
        return Err(FitError::NoData { model: "price response" });
    }
    let mut fit = Fit::start(panel, params);
    while fit.n_sweeps < params.n_sweeps && !fit.has_converged {
        fit.sweep(stop)?;
    }
    // Once more without a step, for the covariance at the end.
    fit.steps = fit.step_items(stop, false)?;
    let response = DemandResponse::of(&fit);
    if response.is_finite() {
        Ok(response)
    } else {
        Err(FitError::NotFinite { model: "price response" })
    }
}

impl<'a> Fit<'a> {
    fn start(panel: &'a Panel, params: &'a ResponseParams) -> Self {
        let n_categories = panel.categories().len();
        let mut items_of = vec![Vec::new(); n_categories];
        for item in (0..panel.n_items()).filter(|&item| panel.rows(item).len() > 0) {
            items_of[panel.category_position(item)].push(item as u32);
        }
        let blocks: Vec<Block> = items_of
            .iter()
            .enumerate()
            .flat_map(|(category, items)| {
                items.chunks(BLOCK).map(move |items| Block { category, items: items.to_vec() })
            })
            .collect();
        let population = Population::prior(params);
        let start = |&item: &u32| Step {
            coefficients: [level_of(panel, item as usize), population.mean[1], population.mean[2]],
            covariance: super::symmetric::Symmetric3::default(),
        };
        Self {
            panel,
            params,
            steps: blocks.iter().map(|block| block.items.iter().map(start).collect()).collect(),
            blocks,
            categories: vec![Category::new(panel.n_periods(), params); n_categories],
            populations: vec![population; n_categories],
            shop: priors(params).map(|prior| (prior.shop_mean, prior.shop_sd.powi(2))),
            effect_variance: EFFECT_SD.powi(2),
            follow: 0.0,
            n_sweeps: 0,
            has_converged: false,
        }
    }

    /// Every item of the panel that has rows, with its step.
    pub(super) fn items(&self) -> impl Iterator<Item = (usize, usize, &Step)> {
        self.blocks.iter().zip(&self.steps).flat_map(|(block, steps)| {
            let items = block.items.iter().zip(steps);
            items.map(|(&item, step)| (item as usize, block.category, step))
        })
    }

    fn sweep(&mut self, stop: Stop<'_>) -> Result<(), FitError> {
        let before = (self.elasticities(), self.mean_elasticities());
        let follow = self.follow;
        self.steps = self.step_items(stop, true)?;
        self.pool_items();
        self.step_categories(stop)?;
        let distances = |after: Vec<f64>, before: Vec<f64>| -> Vec<f64> {
            after.iter().zip(&before).map(|(after, before)| (after - before).abs()).collect()
        };
        let items = distances(self.elasticities(), before.0);
        let change = items.iter().sum::<f64>() / items.len().max(1) as f64;
        let means = distances(self.mean_elasticities(), before.1);
        let farthest = means.into_iter().fold(0.0, f64::max);
        self.n_sweeps += 1;
        let tolerance = self.params.tolerance;
        // The spread is first known after one sweep and first used in the next.
        // What a period is expected to be at a price a tenth off.
        let followed = 0.1 * (self.follow - follow).abs();
        let farthest = farthest.max(followed);
        self.has_converged = self.n_sweeps > 3 && change < tolerance && farthest < tolerance;
        Ok(())
    }

    fn elasticities(&self) -> Vec<f64> {
        self.steps.iter().flatten().map(|step| step.coefficients[1]).collect()
    }

    fn mean_elasticities(&self) -> Vec<f64> {
        self.populations.iter().map(|population| population.mean[1]).collect()
    }

    fn step_items(&self, stop: Stop<'_>, moves: bool) -> Result<Vec<Vec<Step>>, FitError> {
        let blocks = self.blocks.par_iter().zip(&self.steps);
        let stepped = blocks.map(|(block, steps)| {
            if stop() {
                return Err(FitError::Stopped);
            }
            let (category, population) =
                (&self.categories[block.category], &self.populations[block.category]);
            let of = |(&item, before): (&u32, &Step)| {
                let rows = self.panel.rows(item as usize);
                let step = item::step(rows, before.coefficients, category, population);
                if moves { step } else { Step { coefficients: before.coefficients, ..step } }
            };
            Ok(block.items.iter().zip(steps).map(of).collect())
        });
        stepped.collect()
    }

    /// Steps every category, and its items by what they share.
    fn step_categories(&mut self, stop: Stop<'_>) -> Result<(), FitError> {
        let n_periods = self.panel.n_periods();
        let sums: Result<Vec<Sums>, FitError> = self
            .blocks
            .par_iter()
            .zip(&self.steps)
            .map(|(block, steps)| {
                if stop() {
                    return Err(FitError::Stopped);
                }
                let mut sums = Sums::new(n_periods);
                let category = &self.categories[block.category];
                for (&item, step) in block.items.iter().zip(steps) {
                    sums.add_item(self.panel, item as usize, step.coefficients, category);
                }
                Ok(sums)
            })
            .collect();
        let mut by_category = vec![Sums::new(n_periods); self.categories.len()];
        for (block, sums) in self.blocks.iter().zip(&sums?) {
            by_category[block.category].add(sums);
        }
        let [_, elasticity, cross] = priors(self.params).map(|prior| prior.category_sd.powi(-2));
        let mut shifts = Vec::with_capacity(by_category.len());
        for (at, sums) in by_category.iter().enumerate() {
            let (category, population) = (&mut self.categories[at], &mut self.populations[at]);
            let pull = Pull {
                excess: [
                    population.mean[1] - self.shop[1].0,
                    population.mean[2] - self.shop[2].0,
                    category.promotion,
                ],
                precision: [elasticity, cross, self.params.promotion_sd.powi(-2)],
            };
            let shift = category::step(category, sums, pull);
            population.mean.iter_mut().zip(shift).for_each(|(mean, shift)| *mean += shift);
            shifts.push(shift);
        }
        for (block, steps) in self.blocks.iter().zip(&mut self.steps) {
            let shift = shifts[block.category];
            for step in steps {
                step.coefficients.iter_mut().zip(shift).for_each(|(x, shift)| *x += shift);
            }
        }
        self.measure_spread(by_category.into_iter().map(|sums| sums.spread).collect());
        if self.params.period_effects {
            (self.effect_variance, self.follow) =
                pool::expect_effects(&mut self.categories, self.effect_variance, self.follow);
        }
        Ok(())
    }

    fn measure_spread(&mut self, mut spreads: Vec<Spread>) {
        let mut n_parameters = vec![0.0; spreads.len()];
        for (_, category, step) in self.items() {
            let variance = self.populations[category].variance;
            let shares = (0..3).map(|k| 1.0 - step.covariance.at(k, k) / variance[k]);
            n_parameters[category] += shares.map(|share| share.clamp(0.0, 1.0)).sum::<f64>();
        }
        for (category, n_parameters) in self.categories.iter().zip(&mut n_parameters) {
            let effects = category.information.iter().zip(&category.effect_variances);
            *n_parameters += effects.map(|(w, v)| w * v / (1.0 + w * v)).sum::<f64>();
        }
        let mut shop = Spread::default();
        for (spread, n_parameters) in spreads.iter_mut().zip(n_parameters) {
            spread.unbias(n_parameters);
            shop.merge(spread);
        }
        for (spread, category) in spreads.iter().zip(&mut self.categories) {
            let with_shop = spread.with_shop(&shop).with_poisson(category.phi);
            (category.phi, category.alpha) = with_shop.solve();
        }
    }

    /// Updates means and spreads of the coefficients.
    ///
    /// The items follow their means at once, as far as the prior has a share in them: otherwise the next step
    /// on what they share would correct for the same distance once more.
    fn pool_items(&mut self) {
        let mut evidence = vec![[Evidence::default(); 3]; self.categories.len()];
        for (_, category, step) in self.items() {
            let population = &self.populations[category];
            for (k, evidence) in evidence[category].iter_mut().enumerate() {
                let posterior = (step.coefficients[k], step.covariance.at(k, k));
                evidence.add(posterior, population.mean[k], population.variance[k]);
            }
        }
        let before = self.populations.clone();
        for (k, prior) in priors(self.params).into_iter().enumerate() {
            self.shop[k] =
                pool::update(&mut self.populations, &evidence, k, prior, self.params.prior_items);
        }
        for (block, steps) in self.blocks.iter().zip(&mut self.steps) {
            let (old, new) = (&before[block.category], &self.populations[block.category]);
            let moved: Triple =
                std::array::from_fn(|k| (new.mean[k] - old.mean[k]) / old.variance[k]);
            for step in steps {
                for (j, x) in step.coefficients.iter_mut().enumerate() {
                    *x += (0..3).map(|k| step.covariance.at(j, k) * moved[k]).sum::<f64>();
                }
            }
        }
    }
}

/// The logarithm of units by exposed period, of an item that sold nothing as if it had sold half a unit:
/// where the first step starts from.
fn level_of(panel: &Panel, item: usize) -> f64 {
    let rows = panel.rows(item).iter();
    let (units, exposure) = rows.fold((0.0, 0.0), |(units, exposure), row| {
        (units + row.units, exposure + row.log_exposure.exp())
    });
    (units.max(0.5) / exposure).ln()
}
