//! Empirical Bayes: what the items say about their category, and the categories about the shop.
//!
//! Items are normal around their category's mean, categories around the shop's (Gelman et al., *Bayesian Data
//! Analysis*, 3rd ed. 2013, section 5.4; Morris, "Parametric empirical Bayes inference", JASA 1983). Means
//! are found by their marginal likelihood given the spread, spreads by Fisher scoring. With an item's
//! posterior mean `m` and variance `v` under a prior of mean `mu` and variance `t`, `rho = 1 - v/t` is the
//! share of its own data, `rho/t` the marginal precision of its estimate and `(m - mu)/t` that precision
//! times the estimate's distance, so that nothing is divided by what an item without data does not have.
//! Departure: each believed spread weighs some items, and spreads have bounds.

use super::{
    params::CoefficientPrior,
    state::{Category, EFFECT_SD, EFFECT_SD_RANGE, FOLLOW_SD, Population, SHOP_EFFECT_SD},
};

/// Periods that the believed spread of effects weighs. Our choice.
const EFFECT_PRIOR_PERIODS: f64 = 20.0;

/// What the items of a category say about one coefficient.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Evidence {
    /// Sum of `rho`: how many items' worth of data there is.
    pub(super) n_effective: f64,
    n_effective_squared: f64,
    excess: f64,
    spread: f64,
}

impl Evidence {
    /// Adds an item whose coefficient has this posterior, under a prior of `mean` and `variance`.
    pub(super) fn add(&mut self, posterior: (f64, f64), mean: f64, variance: f64) {
        let share = (1.0 - posterior.1 / variance).clamp(0.0, 1.0);
        let excess = posterior.0 - mean;
        self.n_effective += share;
        self.n_effective_squared += share * share;
        self.excess += excess;
        self.spread += excess * excess - share * (1.0 - share) * variance;
    }
}

/// The shop's mean of one coefficient and its variance; and the categories', which are updated.
pub(super) fn update(
    categories: &mut [Population],
    evidence: &[[Evidence; 3]],
    coefficient: usize,
    prior: &CoefficientPrior,
    prior_items: f64,
) -> (f64, f64) {
    let between = prior.category_sd.powi(2);
    let known = prior.shop_sd.powi(2).recip();
    let (mut precision, mut weighted) = (known, prior.shop_mean * known);
    let told = |population: &Population, evidence: &[Evidence; 3]| {
        let (evidence, variance) = (evidence[coefficient], population.variance[coefficient]);
        let precision = evidence.n_effective / variance;
        (precision, precision * population.mean[coefficient] + evidence.excess / variance)
    };
    for (population, evidence) in categories.iter().zip(evidence) {
        let (category_precision, category_weighted) = told(population, evidence);
        let blur = 1.0 + category_precision * between;
        precision += category_precision / blur;
        weighted += category_weighted / blur;
    }
    let (shop_mean, shop_variance) = (weighted / precision, precision.recip());
    for (population, evidence) in categories.iter_mut().zip(evidence) {
        let (precision, weighted) = told(population, evidence);
        let own = (precision + between.recip()).recip();
        let share_of_shop = own / between;
        population.mean[coefficient] = own * weighted + share_of_shop * shop_mean;
        population.mean_variance[coefficient] = own + share_of_shop.powi(2) * shop_variance;
        let evidence = evidence[coefficient];
        let variance = (evidence.spread + prior_items * prior.item_sd.powi(2))
            / (evidence.n_effective_squared + prior_items);
        let bounds = (prior.item_sd_min.powi(2), prior.item_sd_max.powi(2));
        let variance = variance.max(bounds.0).min(bounds.1);
        population.variance[coefficient] = damped(population.variance[coefficient], variance);
    }
    (shop_mean, shop_variance)
}

/// What every category's effects are expected to be from the effects of all others, and how far they may lie off.
///
/// An effect is normal around the shop's of that period, and that around 0; `variance` is the first spread,
/// and its next value is returned. Besides it follows the mean price that the merchant asked: whoever cuts prices in good
/// weeks makes the two go together, and an effect that is drawn towards 0 would leave the rest of it to the elasticities
/// (Mundlak, "On the pooling of time series and cross section data", Econometrica 1978). By how much is `follow`, whose
/// next value is returned too. With `w` a category's information and `g` the score at its effect `s`, its
/// own estimate is `s + g/w` of variance `1/w`, and that times its marginal precision `w/(1 + w·variance)` is
/// `(w·s + g)/(1 + w·variance)`.
pub(super) fn expect_effects(
    categories: &mut [Category],
    variance: f64,
    follow: f64,
) -> (f64, f64) {
    let n_periods = categories.first().map_or(0, |category| category.effects.len());
    let prior = EFFECT_SD.powi(2);
    let mut spread = EFFECT_PRIOR_PERIODS / prior;
    let mut weight = EFFECT_PRIOR_PERIODS / (prior * prior);
    let (mut followed, mut asked_square) = (0.0, FOLLOW_SD.powi(2).recip());
    for period in 0..n_periods {
        let told = |category: &Category| {
            let w = category.information[period];
            let blur = 1.0 + w * variance;
            let effect = category.effects[period] - follow * category.asked[period];
            (w / blur, (w * effect + category.scores[period]) / blur)
        };
        let known = SHOP_EFFECT_SD.powi(2).recip();
        let (precision, weighted) = categories
            .iter()
            .map(told)
            .fold((known, 0.0), |sum, told| (sum.0 + told.0, sum.1 + told.1));
        for category in categories.iter_mut() {
            let (own_precision, own_weighted) = told(category);
            // What rounding leaves of a difference of sums is no less than the prior.
            let others = (precision - own_precision).max(known);
            let (w, v) = (category.information[period], category.effect_variances[period]);
            let marginal = w / (1.0 + w * v);
            // Marginal precision times the estimate's distance from what was expected.
            let distance = category.effects[period] - category.effect_means[period];
            let excess = (w * distance + category.scores[period]) / (1.0 + w * v);
            let noise = w / (1.0 + w * v).powi(2);
            spread += excess * excess - noise - marginal * marginal * (v - variance);
            weight += marginal * marginal;
            let asked = category.asked[period];
            let of_others = (weighted - own_weighted) / others;
            let beyond = w * (category.effects[period] - of_others) + category.scores[period];
            followed += asked * beyond / (1.0 + w * v);
            asked_square += asked * asked * marginal;
            category.effect_means[period] = of_others + follow * asked;
            category.effect_variances[period] = variance + others.recip();
        }
    }
    let [least, most] = EFFECT_SD_RANGE.map(|sd| sd * sd);
    (damped(variance, (spread / weight).clamp(least, most)), followed / asked_square)
}

/// Half-way from a spread to its next value, by ratio. How much the data weigh against what was believed
/// depends on the spread itself, and full steps may go to and fro for ever.
fn damped(variance: f64, next: f64) -> f64 {
    (variance * next).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The posterior of an item that was measured as `estimate` with this variance.
    fn posterior(estimate: f64, error: f64, mean: f64, variance: f64) -> (f64, f64) {
        let precision = 1.0 / error + 1.0 / variance;
        ((estimate / error + mean / variance) / precision, 1.0 / precision)
    }

    #[test]
    fn means_and_spread_are_those_of_the_marginal_likelihood() {
        // Estimates with known errors; the reference is the likelihood itself, on a grid.
        let measured: [(f64, f64); 5] =
            [(-4.0, 0.3), (-1.5, 0.2), (-3.2, 0.6), (-0.8, 0.1), (-2.6, 0.4)];
        let prior = CoefficientPrior {
            shop_sd: 1e3,
            category_sd: 1e3,
            item_sd: 1.0,
            item_sd_min: 1e-3,
            item_sd_max: 1e3,
            ..CoefficientPrior::ELASTICITY
        };
        let mut categories =
            [Population { mean: [-2.5; 3], mean_variance: [1.0; 3], variance: [1.0; 3] }];
        for _ in 0..500 {
            let Population { mean, variance, .. } = categories[0];
            let mut evidence = Evidence::default();
            for (estimate, error) in measured {
                let of_item = posterior(estimate, error, mean[1], variance[1]);
                evidence.add(of_item, mean[1], variance[1]);
            }
            update(&mut categories, &[[evidence; 3]], 1, &prior, 1e-9);
        }
        let log_likelihood = |mean: f64, variance: f64| -> f64 {
            let of = |&(estimate, error): &(f64, f64)| {
                let total = error + variance;
                -0.5 * (total.ln() + (estimate - mean).powi(2) / total)
            };
            measured.iter().map(of).sum()
        };
        let Population { mean, variance, .. } = categories[0];
        let (mean, variance) = (mean[1], variance[1]);
        // At a maximum every direction leads down, by more than the rounding of the likelihood.
        for (step, factor) in [(0.01, 1.0), (-0.01, 1.0), (0.0, 1.02), (0.0, 1.0 / 1.02)] {
            let there = log_likelihood(mean + step, variance * factor);
            assert!(there < log_likelihood(mean, variance), "{mean} {variance}");
        }
    }

    #[test]
    fn a_category_without_data_is_the_shop_and_its_uncertainty_is_the_prior() {
        let prior = CoefficientPrior::ELASTICITY;
        let start = Population { mean: [-2.5; 3], mean_variance: [1.0; 3], variance: [0.36; 3] };
        let mut categories = [start; 2];
        let mut told = Evidence::default();
        for _ in 0..1_000 {
            told.add(posterior(-1.5, 0.01, -2.5, 0.36), -2.5, 0.36);
        }
        let evidence = [[told; 3], [Evidence::default(); 3]];
        let (shop, variance) = update(&mut categories, &evidence, 1, &prior, 4.0);
        // One category at -1.5 with deviation 0.5, a prior at -2.5 with 0.5: half-way, and half the variance.
        assert!((shop + 2.0).abs() < 1e-3 && (variance - 0.125).abs() < 1e-3, "{shop} {variance}");
        assert!((categories[0].mean[1] + 1.5).abs() < 1e-2);
        assert!((categories[1].mean[1] - shop).abs() < 1e-12);
        assert!((categories[1].mean_variance[1] - 0.25 - variance).abs() < 1e-12);
        assert!((categories[1].variance[1] - 0.36).abs() < 1e-12, "nothing is said of its spread");
    }

    fn category(effect: f64, information: f64) -> Category {
        Category {
            promotion: 0.0,
            promotion_variance: 1.0,
            phi: 1.0,
            alpha: 0.0,
            effects: vec![effect],
            asked: vec![0.0],
            effect_means: vec![0.0],
            effect_variances: vec![0.29],
            information: vec![information],
            scores: vec![0.0],
        }
    }

    #[test]
    fn how_effects_follow_prices_is_found_whatever_the_shop_has_of_its_own() {
        // Sure effects: the shop's 0.1, and -3 for each unit of the logarithm of what was asked.
        let asked = [-0.1, -0.02, 0.03, 0.08, -0.06, 0.05];
        let mut categories = asked.map(|asked| {
            let category = category(0.1 - 3.0 * asked, 1e6);
            Category { asked: vec![asked], ..category }
        });
        let (mut variance, mut follow) = (0.04, 0.0);
        for _ in 0..200 {
            (variance, follow) = expect_effects(&mut categories, variance, follow);
        }
        // Six weeks of deviation 0.07 against a prior: what is asked squared, over the variance that is left.
        let square: f64 = asked.iter().map(|asked| asked * asked).sum();
        let kept = square / (square + variance * FOLLOW_SD.powi(-2));
        assert!((follow / -3.0 - kept).abs() < 0.1, "{follow} {kept} {variance}");
        for (category, asked) in categories.iter().zip(asked) {
            let of_shop = category.effect_means[0] - follow * asked;
            assert!((of_shop - 0.1).abs() < 0.1, "{of_shop}");
        }
    }

    #[test]
    fn effects_are_expected_from_the_other_categories() {
        let mut categories = [category(0.0, 0.0), category(0.4, 1e9), category(0.4, 1e9)];
        let (next, follow) = expect_effects(&mut categories, 0.04, 0.0);
        assert!(follow.abs() < 1e-12, "nothing was asked");
        assert!((0.0004..=1.0).contains(&next));
        // Two sure estimates of 0.4, each of precision 1/0.04 = 25, against 0 of precision 1/0.25 = 4.
        assert!((categories[0].effect_means[0] - 0.4 * 50.0 / 54.0).abs() < 1e-6);
        assert!((categories[0].effect_variances[0] - 0.04 - 1.0 / 54.0).abs() < 1e-6);
        assert!((categories[1].effect_means[0] - 0.4 * 25.0 / 29.0).abs() < 1e-6);
    }
}
