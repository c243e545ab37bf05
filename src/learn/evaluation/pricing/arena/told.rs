//! What is there to be learned: a policy that is told all of a shop but its items' demand.
//!
//! It knows how items, categories and levels of demand were drawn, what competitors' prices do to each item, and what
//! shook each category in every week that is over. Own elasticities and levels it learns from sales, by Bayes' rule on
//! a grid, and asks the price of most expected profit. No shop knows as much: what this policy misses of the oracle's
//! profit, nobody can expect to gain who does not lose on purpose in order to learn.
//!
//! Levels are integrated out for each elasticity by Laplace's method (Tierney and Kadane, "Accurate approximations for
//! posterior moments and marginal densities", JASA 1986, for the marginal density; units are the mean of the normal
//! that it puts in their place).

use super::{
    ledger::Ledger,
    season::Policy,
    shop::{CATEGORY_SD, ELASTICITIES, ELASTICITY_MEAN, ITEM_SD, Shop},
};
use crate::learn::recommenders::FitError;

/// Elasticities that are told apart.
const N_ELASTICITIES: usize = 97;
/// Categories' means that are told apart.
const N_MEANS: usize = 49;
/// Prices within a step that are compared.
const N_PRICES: usize = 81;
/// Newton's steps to the most likely level; from the last week's they are hardly needed.
const N_NEWTON: usize = 6;

/// Sales of one item, by elasticity.
#[derive(Clone, Debug)]
struct Seen {
    units: f64,
    /// Σ units · log(p / b).
    units_log_price: f64,
    /// What would have been sold at a level of 1.
    expected: Vec<f64>,
    /// The most likely logarithm of the level.
    level: Vec<f64>,
}

/// What sales of one item say, by elasticity.
#[derive(Clone, Debug)]
struct Evidence {
    /// Up to a factor.
    likelihood: Vec<f64>,
    /// Units expected at the usual price.
    units: Vec<f64>,
}

/// Told of this shop.
#[derive(Clone, Debug)]
pub struct Told {
    shop: Shop,
    elasticities: Vec<f64>,
    means: Vec<f64>,
    /// `(n_means, n_elasticities)`, each row sums to 1.
    item_priors: Vec<Vec<f64>>,
    seen: Vec<Seen>,
    n_weeks: usize,
}

/// Evenly spread over a range, with both ends.
fn grid([low, high]: [f64; 2], n: usize) -> Vec<f64> {
    (0..n).map(|at| low + (high - low) * at as f64 / (n - 1) as f64).collect()
}

fn normal(x: f64, mean: f64, sd: f64) -> f64 {
    (-0.5 * ((x - mean) / sd).powi(2)).exp()
}

/// Makes values sum to 1, if they sum to anything.
fn normalise(values: &mut [f64]) {
    let sum: f64 = values.iter().sum();
    if sum > 0.0 {
        for value in values {
            *value /= sum;
        }
    }
}

impl Told {
    /// Knows nothing of sales yet.
    pub fn new(shop: &Shop) -> Self {
        let elasticities = grid(ELASTICITIES, N_ELASTICITIES);
        let means = grid([ELASTICITIES[0] + 1.0, ELASTICITIES[1]], N_MEANS);
        let prior = |&mean: &f64| {
            let mut prior: Vec<f64> =
                elasticities.iter().map(|&x| normal(x, mean, ITEM_SD)).collect();
            normalise(&mut prior);
            prior
        };
        let nothing = Seen {
            units: 0.0,
            units_log_price: 0.0,
            expected: vec![0.0; N_ELASTICITIES],
            level: vec![shop.units_per_week().ln(); N_ELASTICITIES],
        };
        Self {
            item_priors: means.iter().map(prior).collect(),
            seen: vec![nothing; shop.items().len()],
            shop: shop.clone(),
            elasticities,
            means,
            n_weeks: 0,
        }
    }

    /// Takes in the weeks that are new.
    fn see(&mut self, ledger: &Ledger) {
        for (week, past) in ledger.weeks().iter().enumerate().skip(self.n_weeks) {
            for (at, seen) in self.seen.iter_mut().enumerate() {
                let item = &self.shop.items()[at];
                let usual = self.shop.expected_units(at, week, item.usual_price) / item.usual_units;
                let log_price = (past.prices[at] / item.usual_price).ln();
                seen.units += past.units[at];
                seen.units_log_price += past.units[at] * log_price;
                for (expected, elasticity) in seen.expected.iter_mut().zip(&self.elasticities) {
                    *expected += usual * (elasticity * log_price).exp();
                }
            }
        }
        self.n_weeks = ledger.weeks().len();
    }

    /// Of every item.
    fn evidence(&mut self) -> Vec<Evidence> {
        let middle = self.shop.units_per_week().ln();
        let precision = self.shop.params().spread.powi(-2);
        let of = |seen: &mut Seen| {
            let mut logs = Vec::with_capacity(N_ELASTICITIES);
            let mut units = Vec::with_capacity(N_ELASTICITIES);
            for at in 0..N_ELASTICITIES {
                let (expected, level) = (seen.expected[at], &mut seen.level[at]);
                for _ in 0..N_NEWTON {
                    let mean = expected * level.exp();
                    let slope = seen.units - mean - precision * (*level - middle);
                    *level += (slope / (mean + precision)).clamp(-1.0, 1.0);
                }
                let mean = expected * level.exp();
                let information = mean + precision;
                let excess = *level - middle;
                logs.push(
                    seen.units * *level + self.elasticities[at] * seen.units_log_price
                        - mean
                        - 0.5 * precision * excess * excess
                        - 0.5 * information.ln(),
                );
                units.push((*level + 0.5 / information).exp());
            }
            let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            Evidence { likelihood: logs.into_iter().map(|log| (log - most).exp()).collect(), units }
        };
        self.seen.iter_mut().map(of).collect()
    }

    /// Of every item: what is believed of its elasticity, given those of its category.
    fn beliefs(&self, items: &[Evidence]) -> Vec<Vec<f64>> {
        let evidence = |Evidence { likelihood, .. }: &Evidence| -> Vec<f64> {
            let of = |prior: &Vec<f64>| prior.iter().zip(likelihood).map(|(p, l)| p * l).sum();
            self.item_priors.iter().map(|prior| f64::ln(of(prior))).collect()
        };
        let evidence: Vec<Vec<f64>> = items.iter().map(evidence).collect();
        let n_categories = self.shop.params().n_categories.max(1);
        let prior: Vec<f64> = self
            .means
            .iter()
            .map(|&mean| normal(mean, ELASTICITY_MEAN, CATEGORY_SD).ln())
            .collect();
        let mut of_category = vec![prior; n_categories];
        for (item, evidence) in self.shop.items().iter().zip(&evidence) {
            let sums = &mut of_category[item.category as usize];
            sums.iter_mut().zip(evidence).for_each(|(sum, log)| *sum += log);
        }
        let of = |(at, Evidence { likelihood, .. }): (usize, &Evidence)| {
            let all = &of_category[self.shop.items()[at].category as usize];
            let others: Vec<f64> =
                all.iter().zip(&evidence[at]).map(|(all, own)| all - own).collect();
            let most = others.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let mut belief = vec![0.0; N_ELASTICITIES];
            for (log, prior) in others.iter().zip(&self.item_priors) {
                let weight = (log - most).exp();
                belief.iter_mut().zip(prior).for_each(|(sum, prior)| *sum += weight * prior);
            }
            belief.iter_mut().zip(likelihood).for_each(|(belief, l)| *belief *= l);
            normalise(&mut belief);
            belief
        };
        items.iter().enumerate().map(of).collect()
    }
}

impl Policy for Told {
    fn prices(&mut self, ledger: &Ledger, _: &[f64]) -> Result<Vec<f64>, FitError> {
        self.see(ledger);
        let evidence = self.evidence();
        let beliefs = self.beliefs(&evidence);
        let price = |at: usize| {
            let (item, belief, units) = (&self.shop.items()[at], &beliefs[at], &evidence[at].units);
            let current = ledger.current().get(at).copied().unwrap_or(item.usual_price);
            let profit = |price: f64| {
                let log_price = (price / item.usual_price).ln();
                let sold = self.elasticities.iter().zip(belief).zip(units);
                let sold = sold.map(|((e, belief), units)| belief * units * (e * log_price).exp());
                (price - item.cost) * sold.sum::<f64>()
            };
            let candidates = grid(self.shop.step_bounds(current), N_PRICES);
            let profits = candidates.into_iter().map(|price| (price, profit(price)));
            let best = profits.fold((current, f64::NEG_INFINITY), |best, next| {
                if next.1 > best.1 { next } else { best }
            });
            best.0
        };
        Ok((0..evidence.len()).map(price).collect())
    }
}
