//! What the fit holds of a category and of the shop between two steps.

use super::{
    params::{CoefficientPrior, ResponseParams},
    symmetric::Triple,
};

/// Believed deviation of a category's effect of a period from the shop's, before the data say otherwise, and
/// the least and the most that they may say. Our choice.
pub(super) const EFFECT_SD: f64 = 0.2;
/// See [`EFFECT_SD`].
pub(super) const EFFECT_SD_RANGE: [f64; 2] = [0.02, 1.0];
/// Deviation of the shop's effects of periods around 0: a good week sells half as much again. Our choice.
pub(super) const SHOP_EFFECT_SD: f64 = 0.5;
/// Deviation around 0 of how much better a period is for each unit by which the merchant lowers the logarithm of prices
/// in it. Our choice: one who cuts by a fifth of what demand rises has 4 or 5, and is believed once the periods show it.
pub(super) const FOLLOW_SD: f64 = 1.0;

/// How one category's items are spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Population {
    pub(super) mean: Triple,
    /// Variance of the means themselves.
    pub(super) mean_variance: Triple,
    /// Variance of items around the means.
    pub(super) variance: Triple,
}

impl Population {
    pub(super) fn prior(params: &ResponseParams) -> Self {
        let of = |value: fn(&CoefficientPrior) -> f64| priors(params).map(value);
        Self {
            mean: of(|prior| prior.shop_mean),
            mean_variance: of(|prior| prior.shop_sd.powi(2) + prior.category_sd.powi(2)),
            variance: of(|prior| prior.item_sd.powi(2)),
        }
    }
}

/// The priors in the order of the coefficients.
pub(super) fn priors(params: &ResponseParams) -> [&CoefficientPrior; 3] {
    [&params.level, &params.elasticity, &params.cross_elasticity]
}

/// One category.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Category {
    pub(super) promotion: f64,
    pub(super) promotion_variance: f64,
    /// Overdispersion in proportion to the mean; at least 1.
    pub(super) phi: f64,
    /// Overdispersion in proportion to its square; at least 0.
    pub(super) alpha: f64,
    /// By period; all 0 without period effects.
    pub(super) effects: Vec<f64>,
    /// By period: mean logarithm of the prices that the merchant asked over the items' means of such, each item by what it
    /// says; prices that pricing decided on count as 0, so do all where they cannot be told from the period.
    pub(super) asked: Vec<f64>,
    /// Mean of each effect, were nothing known of this category.
    pub(super) effect_means: Vec<f64>,
    /// Variance of each effect around it; 0 without period effects.
    pub(super) effect_variances: Vec<f64>,
    /// Information of all of the category's rows of each period.
    pub(super) information: Vec<f64>,
    /// Derivative of the rows' likelihood by each effect, at the effect.
    pub(super) scores: Vec<f64>,
}

impl Category {
    pub(super) fn new(n_periods: usize, params: &ResponseParams) -> Self {
        let variance = EFFECT_SD.powi(2) + SHOP_EFFECT_SD.powi(2);
        let variance = if params.period_effects { variance } else { 0.0 };
        Self {
            promotion: 0.0,
            promotion_variance: params.promotion_sd.powi(2),
            phi: 1.0,
            alpha: 0.0,
            effects: vec![0.0; n_periods],
            asked: vec![0.0; n_periods],
            effect_means: vec![0.0; n_periods],
            effect_variances: vec![variance; n_periods],
            information: vec![0.0; n_periods],
            scores: vec![0.0; n_periods],
        }
    }

    /// The share of a row's information, `weight`, that is left when the effect of its period is not known
    /// but by the rest of the category and its prior.
    #[inline]
    pub(super) fn rest_of_period(&self, period: usize, weight: f64) -> f64 {
        let variance = self.effect_variances[period];
        if variance <= 0.0 {
            return 1.0;
        }
        let rest = (self.information[period] - weight).max(0.0) + 1.0 / variance;
        rest / (weight + rest)
    }
}
