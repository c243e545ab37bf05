//! What is believed about price response before any sale, and how long the fit may take.

use crate::learn::recommenders::{FitError, check};
use serde::{Deserialize, Serialize};

/// What is believed about one coefficient: the shop's mean, the categories around it, the items around theirs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoefficientPrior {
    /// Expected mean over the whole shop.
    pub shop_mean: f64,
    /// How far the shop's mean may lie from it; a standard deviation, like those below.
    pub shop_sd: f64,
    /// How far the categories lie from the shop.
    pub category_sd: f64,
    /// How far the items lie from their category, before the data say otherwise.
    pub item_sd: f64,
    /// Least that the data may say.
    pub item_sd_min: f64,
    /// Most that the data may say.
    pub item_sd_max: f64,
    /// Least value that is believed of an item.
    pub low: f64,
    /// Greatest value that is believed of an item.
    pub high: f64,
}

impl CoefficientPrior {
    /// The prior of the elasticity of demand to the own price.
    ///
    /// The mean lies near the -2.62 of 1,851 estimates in 81 studies (Bijmolt, van Heerde, Pieters, "New
    /// empirical generalizations on the determinants of price elasticity", Journal of Marketing Research
    /// 2005); those are of brands in the main, so the deviations are wide: those of shop and category make up 0.7. The
    /// bounds are our choice: no item is sold more of by asking more, and beyond 8 a price can hardly be told
    /// from a closed door.
    pub const ELASTICITY: Self = Self {
        shop_mean: -2.5,
        shop_sd: 0.5,
        category_sd: 0.5,
        item_sd: 0.6,
        item_sd_min: 0.2,
        item_sd_max: 1.2,
        low: -8.0,
        high: -0.2,
    };

    /// The prior of the elasticity to competitors' prices.
    ///
    /// The mean lies between the mean, 0.26, and the median, 0.10, of 7,264 estimates in 115 studies (Auer and Papies,
    /// "Cross-price elasticities and their determinants", Journal of the Academy of Marketing Science 2019); the three
    /// deviations make up 0.25, our choice.
    pub const CROSS_ELASTICITY: Self = Self {
        shop_mean: 0.15,
        shop_sd: 0.12,
        category_sd: 0.12,
        item_sd: 0.18,
        item_sd_min: 0.05,
        item_sd_max: 0.5,
        low: 0.0,
        high: 2.0,
    };

    /// The prior of the level, the logarithm of units in a period at the item's mean price. All but flat: it
    /// only keeps an item without a sale finite, at a level below those of its category. Our choice.
    pub const LEVEL: Self = Self {
        shop_mean: 0.0,
        shop_sd: 100.0,
        category_sd: 3.0,
        item_sd: 1.5,
        item_sd_min: 0.5,
        item_sd_max: 4.0,
        low: -100.0,
        high: 100.0,
    };

    /// A prior so wide that every item speaks for itself: with it the fit is maximum likelihood.
    #[must_use]
    pub fn flat(self) -> Self {
        const WIDE: f64 = 1e3;
        Self { item_sd: WIDE, item_sd_min: WIDE, item_sd_max: WIDE, ..self }
    }

    fn check(&self, names: [&'static str; 4]) -> Result<(), FitError> {
        let [mean, deviation, item_sd, bounds] = names;
        check(self.shop_mean.abs() <= 100.0, mean, "between -100 and 100", self.shop_mean)?;
        for sd in [self.shop_sd, self.category_sd, self.item_sd_min] {
            let fits = (1e-3..=1e4).contains(&sd);
            check(fits, deviation, "between 0.001 and 10000", sd)?;
        }
        let ordered = self.item_sd_min <= self.item_sd && self.item_sd <= self.item_sd_max;
        let rule = "between item_sd_min and item_sd_max, which is at most 10000";
        check(ordered && self.item_sd_max <= 1e4, item_sd, rule, self.item_sd)?;
        let fits = self.low < self.high && -100.0 <= self.low && self.high <= 100.0;
        check(fits, bounds, "between -100 and 100, the lower first", self.low)
    }
}

/// How price response is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResponseParams {
    /// Prior of the level.
    pub level: CoefficientPrior,
    /// Prior of the elasticity to the own price.
    pub elasticity: CoefficientPrior,
    /// Prior of the elasticity to competitors' prices.
    pub cross_elasticity: CoefficientPrior,
    /// How many items the believed deviation of items from their category weighs; items.
    pub prior_items: f64,
    /// Standard deviation of what a promotion adds to the logarithm of sales, around 0.
    pub promotion_sd: f64,
    /// Whether each category has an effect of its own for each period: what makes a good week is then not
    /// mistaken for the price that was asked in it.
    pub period_effects: bool,
    /// Sweeps over all items, at most; at least 1.
    pub n_sweeps: usize,
    /// Change in a sweep at which the fit is done: the mean one of the items' elasticities, and the largest of the
    /// categories'.
    pub tolerance: f64,
}

impl Default for ResponseParams {
    fn default() -> Self {
        Self {
            level: CoefficientPrior::LEVEL,
            elasticity: CoefficientPrior::ELASTICITY,
            cross_elasticity: CoefficientPrior::CROSS_ELASTICITY,
            prior_items: 4.0,
            promotion_sd: 1.0,
            period_effects: true,
            n_sweeps: 60,
            tolerance: 1e-3,
        }
    }
}

impl ResponseParams {
    /// Parameters under which nothing is pooled: every item's own maximum-likelihood estimate.
    pub fn unpooled() -> Self {
        Self {
            level: CoefficientPrior::LEVEL.flat(),
            elasticity: CoefficientPrior::ELASTICITY.flat(),
            cross_elasticity: CoefficientPrior::CROSS_ELASTICITY.flat(),
            period_effects: false,
            ..Self::default()
        }
    }

    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), FitError> {
        self.level.check([
            "level.shop_mean",
            "level's deviations",
            "level.item_sd",
            "level.low",
        ])?;
        self.elasticity.check([
            "elasticity.shop_mean",
            "elasticity's deviations",
            "elasticity.item_sd",
            "elasticity.low",
        ])?;
        self.cross_elasticity.check([
            "cross_elasticity.shop_mean",
            "cross_elasticity's deviations",
            "cross_elasticity.item_sd",
            "cross_elasticity.low",
        ])?;
        let (items, promotion_sd, tolerance) =
            (self.prior_items, self.promotion_sd, self.tolerance);
        let fits = (0.1..=1e6).contains(&items);
        check(fits, "prior_items", "between 0.1 and 1000000", items)?;
        let fits = (1e-3..=1e3).contains(&promotion_sd);
        check(fits, "promotion_sd", "between 0.001 and 1000", promotion_sd)?;
        let n = self.n_sweeps;
        check((1..=10_000).contains(&n), "n_sweeps", "between 1 and 10000", n)?;
        let fits = (1e-9..=1.0).contains(&tolerance);
        check(fits, "tolerance", "between 1e-9 and 1", tolerance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_out_of_range_are_refused_and_the_default_is_not() {
        assert_eq!(ResponseParams::default().check(), Ok(()));
        assert_eq!(ResponseParams::unpooled().check(), Ok(()));
        let good = ResponseParams::default();
        let with = |change: fn(&mut ResponseParams)| {
            let mut params = good;
            change(&mut params);
            params
        };
        for (name, bad) in [
            ("shop_mean", with(|p| p.elasticity.shop_mean = f64::NAN)),
            ("shop_sd", with(|p| p.elasticity.shop_sd = 0.0)),
            ("item_sd", with(|p| p.cross_elasticity.item_sd = 0.6)),
            ("low", with(|p| p.elasticity.low = 0.0)),
            ("prior_items", with(|p| p.prior_items = 0.0)),
            ("promotion_sd", with(|p| p.promotion_sd = f64::INFINITY)),
            ("n_sweeps", with(|p| p.n_sweeps = 0)),
            ("tolerance", with(|p| p.tolerance = f64::NAN)),
        ] {
            assert!(bad.check().is_err(), "{name}");
        }
    }
}
