//! What was learned, and what follows from it: expected units at a price, and draws to decide by.

use super::{
    belief::DemandBelief,
    bias::{Bias, BiasMeter},
    evidence::Evidence,
    fit::Fit,
    item::ETA_MAX,
    symmetric::{Symmetric3, Triple},
};
use serde::{Deserialize, Serialize};

/// Last periods whose effects stand for those to come: a month of weeks. Our choice.
const RECENT_PERIODS: usize = 4;

/// A mean and how far the truth may lie from it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Belief {
    /// Mean.
    pub mean: f64,
    /// Variance.
    pub variance: f64,
}

impl Belief {
    /// Square root of the variance.
    pub fn standard_error(&self) -> f64 {
        self.variance.sqrt()
    }
}

/// An elasticity that is believed only between bounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Elasticity {
    /// Posterior mean.
    pub mean: f64,
    /// Below it lies one chance in twenty.
    pub q05: f64,
    /// Above it lies one chance in twenty.
    pub q95: f64,
}

/// What an item costs, and beside what.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Offer {
    /// Price; above 0.
    pub price: f64,
    /// Competitors' price; `None` = as usual.
    pub competitor: Option<f64>,
    /// Share of the period in which the item is promoted.
    pub promotion: f64,
    /// Position of a period of the panel; `None`, or one beyond it = as in the last four.
    pub period: Option<usize>,
}

impl Offer {
    /// At a price, all else as usual.
    pub fn at(price: f64) -> Self {
        Self { price, competitor: None, promotion: 0.0, period: None }
    }
}

/// The price response of one item.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemResponse {
    /// Position of its category.
    pub category: u32,
    /// Means of level, elasticity, cross elasticity, before bounds. The level is the logarithm of the units
    /// of a period of effect 0 at the reference prices.
    pub coefficients: Triple,
    /// Their covariance.
    pub covariance: Symmetric3,
    /// Geometric mean of the prices tried.
    pub reference_price: f64,
    /// Geometric mean of the competitors'; `None` if none was known.
    pub reference_competitor: Option<f64>,
    /// What it rests on.
    pub evidence: Evidence,
}

impl ItemResponse {
    fn log_units(&self, coefficients: Triple, offer: &Offer) -> f64 {
        let relative = |price: f64, reference: f64| {
            let log = (price / reference).ln();
            if log.is_nan() { 0.0 } else { log.clamp(-ETA_MAX, ETA_MAX) }
        };
        let competitor = offer.competitor.zip(self.reference_competitor);
        let cross = competitor.map_or(0.0, |(price, reference)| relative(price, reference));
        let [level, own, gamma] = coefficients;
        level + own * relative(offer.price, self.reference_price) + gamma * cross
    }
}

/// What a category shares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CategoryResponse {
    /// Its number; `None` holds the items without one.
    pub category: Option<u32>,
    /// Mean elasticity of its items.
    pub elasticity: Belief,
    /// Standard deviation of its items around it.
    pub elasticity_sd: f64,
    /// Mean cross elasticity of its items.
    pub cross_elasticity: Belief,
    /// Standard deviation of its items around it.
    pub cross_elasticity_sd: f64,
    /// What a promotion adds to the logarithm of sales; its variance takes the items' own coefficients for
    /// known, and is somewhat too small (measured on made-up sales: squared errors are 1.3 times it).
    pub promotion: Belief,
    /// `phi`: part of the variance of sales over their mean; at least 1.
    pub overdispersion: f64,
    /// `1/k`: part of the variance of sales over the square of their mean.
    pub overdispersion_squared: f64,
    /// By period: what the period adds to the logarithm of sales; 0 in the mean.
    pub period_effects: Vec<f64>,
    /// The effect that is expected of periods to come.
    pub recent_effect: f64,
    /// Items with rows.
    pub n_items: u32,
}

impl CategoryResponse {
    /// The effect of a period, as in [`Offer::period`].
    pub fn effect(&self, period: Option<usize>) -> f64 {
        let known = period.and_then(|period| self.period_effects.get(period));
        known.copied().unwrap_or(self.recent_effect)
    }

    /// Of level, elasticity and cross elasticity of an item of which nothing else is known; the level is left out.
    fn prior_covariance(&self) -> Symmetric3 {
        let sum = |belief: Belief, sd: f64| belief.variance + sd * sd;
        let own = sum(self.elasticity, self.elasticity_sd);
        let cross = sum(self.cross_elasticity, self.cross_elasticity_sd);
        Symmetric3([0.0, 0.0, own, 0.0, 0.0, cross])
    }

    /// The variance of sales of this mean.
    pub fn variance(&self, mean: f64) -> f64 {
        mean * (self.overdispersion + self.overdispersion_squared * mean)
    }
}

/// One sample of an item's posterior.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw(pub(super) Triple);

impl Draw {
    /// Elasticity to the own price.
    pub fn elasticity(&self) -> f64 {
        self.0[1]
    }

    /// Elasticity to competitors' prices.
    pub fn cross_elasticity(&self) -> f64 {
        self.0[2]
    }
}

/// The price response of every item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DemandResponse {
    pub(super) items: Vec<Option<ItemResponse>>,
    pub(super) categories: Vec<CategoryResponse>,
    category_of: Vec<u32>,
    /// By item.
    left_out: Vec<u32>,
    /// Mean elasticity of the shop.
    pub shop_elasticity: Belief,
    /// Mean cross elasticity of the shop.
    pub shop_cross_elasticity: Belief,
    /// Bounds of elasticity and of cross elasticity.
    bounds: [[f64; 2]; 2],
    /// Whether history shows another elasticity than experiments do; empty until it was measured.
    pub bias: BiasMeter,
    /// Sweeps that the fit took.
    pub n_sweeps: usize,
    /// Whether it came to rest before its last sweep.
    pub has_converged: bool,
}

impl DemandResponse {
    /// Of a fit whose steps hold the covariance at their coefficients.
    pub(super) fn of(fit: &Fit<'_>) -> Self {
        let mut items = vec![None; fit.panel.n_items()];
        let mut n_items = vec![0; fit.categories.len()];
        for (item, category, step) in fit.items() {
            n_items[category] += 1;
            let population = &fit.populations[category];
            let share = step.covariance.at(1, 1) / population.variance[1];
            // The means of the category are themselves uncertain, and the item follows them as far as the
            // prior has a share in it (Morris 1983).
            let mut covariance = step.covariance;
            for k in 0..3 {
                let follows = [0, 1, 2].map(|j| step.covariance.at(j, k) / population.variance[k]);
                covariance.add_outer(population.mean_variance[k], follows);
            }
            let reference = fit.panel.reference(item);
            items[item] = Some(ItemResponse {
                category: category as u32,
                coefficients: step.coefficients,
                covariance,
                reference_price: reference.log_price.exp(),
                reference_competitor: reference.log_competitor.map(f64::exp),
                evidence: Evidence::of(fit.panel, item, share),
            });
        }
        let belief = |(mean, variance): (f64, f64)| Belief { mean, variance };
        let categories = fit.panel.categories().iter().enumerate().map(|(at, &category)| {
            let (state, population) = (&fit.categories[at], &fit.populations[at]);
            let mean = |k: usize| belief((population.mean[k], population.mean_variance[k]));
            let last = state.effects.len().saturating_sub(RECENT_PERIODS);
            let recent = &state.effects[last..];
            CategoryResponse {
                category,
                elasticity: mean(1),
                elasticity_sd: population.variance[1].sqrt(),
                cross_elasticity: mean(2),
                cross_elasticity_sd: population.variance[2].sqrt(),
                promotion: belief((state.promotion, state.promotion_variance)),
                overdispersion: state.phi,
                overdispersion_squared: state.alpha,
                period_effects: state.effects.clone(),
                recent_effect: recent.iter().sum::<f64>() / recent.len().max(1) as f64,
                n_items: n_items[at],
            }
        });
        let category_of = (0..items.len()).map(|item| fit.panel.category_position(item) as u32);
        let left_out = (0..items.len()).map(|item| fit.panel.left_out(item));
        let bounds = [fit.params.elasticity, fit.params.cross_elasticity];
        Self {
            categories: categories.collect(),
            category_of: category_of.collect(),
            left_out: left_out.collect(),
            items,
            shop_elasticity: belief(fit.shop[1]),
            shop_cross_elasticity: belief(fit.shop[2]),
            bounds: bounds.map(|prior| [prior.low, prior.high]),
            bias: BiasMeter::default(),
            n_sweeps: fit.n_sweeps,
            has_converged: fit.has_converged,
        }
    }

    pub(super) fn is_finite(&self) -> bool {
        let finite = |values: &[f64]| values.iter().all(|x| x.is_finite());
        let item = |item: &ItemResponse| finite(&item.coefficients) && finite(&item.covariance.0);
        let category = |category: &CategoryResponse| {
            let beliefs = [category.elasticity, category.cross_elasticity, category.promotion];
            beliefs.iter().all(|belief| finite(&[belief.mean, belief.variance]))
                && finite(&[category.overdispersion, category.overdispersion_squared])
                && finite(&category.period_effects)
        };
        self.items.iter().flatten().all(item) && self.categories.iter().all(category)
    }

    /// How history and experiments differ in the item's category (`true`), or else in the shop; `None` if there were no
    /// experiments.
    pub fn bias_of(&self, item: usize) -> Option<(bool, Bias)> {
        let category = *self.category_of.get(item)? as usize;
        let own = self.bias.categories.get(category).copied().flatten();
        own.map(|bias| (true, bias)).or(self.bias.shop.map(|bias| (false, bias)))
    }

    /// Bytes held on the heap.
    pub fn n_bytes(&self) -> usize {
        let effects: usize =
            self.categories.iter().map(|category| category.period_effects.capacity()).sum();
        self.items.capacity() * size_of::<Option<ItemResponse>>()
            + self.categories.capacity() * size_of::<CategoryResponse>()
            + (self.category_of.capacity() + self.left_out.capacity()) * size_of::<u32>()
            + effects * size_of::<f64>()
    }

    /// Number of items, those without rows included.
    pub fn n_items(&self) -> usize {
        self.items.len()
    }

    /// The response of the item at this position; `None` if it has no rows, and
    /// [`elasticity`](Self::elasticity) is its category's.
    pub fn item(&self, item: usize) -> Option<&ItemResponse> {
        self.items.get(item)?.as_ref()
    }

    /// Periods that say nothing of the item because it could not be bought in them.
    pub fn left_out(&self, item: usize) -> u32 {
        self.left_out.get(item).copied().unwrap_or(0)
    }

    /// What every category shares, in the order of the panel.
    pub fn categories(&self) -> &[CategoryResponse] {
        &self.categories
    }

    /// The category of the item at this position.
    pub fn category_of(&self, item: usize) -> Option<&CategoryResponse> {
        self.category_of.get(item).map(|&at| &self.categories[at as usize])
    }

    /// The elasticity to the own price; of an item without rows, what its category lets expect. `None` if there is no
    /// such item.
    pub fn elasticity(&self, item: usize) -> Option<Elasticity> {
        Some(self.belief(item)?.elasticity())
    }

    /// The elasticity to competitors' prices, as [`elasticity`](Self::elasticity).
    pub fn cross_elasticity(&self, item: usize) -> Option<Elasticity> {
        Some(self.belief(item)?.cross_elasticity())
    }

    /// All that is believed about the item in the periods to come; of an item without rows, what its category lets
    /// expect, around a reference price of 1. `None` if there is no such item.
    pub fn belief(&self, item: usize) -> Option<DemandBelief> {
        let category = self.category_of(item)?;
        let shared = DemandBelief {
            coefficients: [0.0, category.elasticity.mean, category.cross_elasticity.mean],
            covariance: category.prior_covariance(),
            bounds: self.bounds,
            reference_price: 1.0,
            reference_competitor: None,
            overdispersion: category.overdispersion,
            overdispersion_squared: category.overdispersion_squared,
            evidence: None,
        };
        // Where experiments contradict history they win: what is put down to history is shifted by as much as it is
        // wrong, and is the less certain the less certain that is.
        let bias = self.bias_of(item).map(|(_, bias)| bias).filter(Bias::experiment_wins);
        let bias = bias.map(|bias| bias.excess());
        let shift = bias.map_or(0.0, |bias| bias.mean);
        let Some(item) = self.item(item) else {
            let [level, own, cross] = shared.coefficients;
            let mut covariance = shared.covariance;
            covariance.0[2] += bias.map_or(0.0, |bias| bias.variance);
            let coefficients = [level, own - shift, cross];
            return Some(DemandBelief { coefficients, covariance, ..shared });
        };
        let [level, own, cross] = item.coefficients;
        let mut covariance = item.covariance;
        covariance.0[2] += bias.map_or(0.0, |bias| bias.variance);
        Some(DemandBelief {
            coefficients: [level + category.effect(None), own - shift, cross],
            covariance,
            reference_price: item.reference_price,
            reference_competitor: item.reference_competitor,
            evidence: Some(item.evidence),
            ..shared
        })
    }

    /// Units expected in a period of full exposure, at the means of the coefficients within their bounds;
    /// `None` if the item has no rows.
    pub fn predict(&self, item: usize, offer: &Offer) -> Option<f64> {
        let response = self.item(item)?;
        let (own, cross) = (self.elasticity(item)?, self.cross_elasticity(item)?);
        let coefficients = [response.coefficients[0], own.mean, cross.mean];
        Some(self.units(response, coefficients, offer))
    }

    /// Units expected if a draw were the truth; `None` if the item has no rows.
    pub fn predict_draw(&self, item: usize, draw: Draw, offer: &Offer) -> Option<f64> {
        Some(self.units(self.item(item)?, draw.0, offer))
    }

    fn units(&self, response: &ItemResponse, coefficients: Triple, offer: &Offer) -> f64 {
        let category = &self.categories[response.category as usize];
        let promotion =
            if offer.promotion.is_nan() { 0.0 } else { offer.promotion.clamp(0.0, 1.0) };
        let eta = response.log_units(coefficients, offer)
            + category.promotion.mean * promotion
            + category.effect(offer.period);
        eta.clamp(-ETA_MAX, ETA_MAX).exp()
    }

    /// Samples of the item's posterior within the bounds; empty if it has no rows.
    ///
    /// The same seed gives the same draws, whatever is drawn for other items.
    pub fn draws(&self, item: usize, n: usize, seed: u64) -> Vec<Draw> {
        let belief = self.item(item).and_then(|_| self.belief(item));
        belief.map_or_else(Vec::new, |belief| belief.draws(n, seed, item as u64))
    }
}
