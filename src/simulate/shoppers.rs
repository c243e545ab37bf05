//! The shoppers: what they like, what a price means to them, how often they come.

use super::SimulationParams;
use super::assortment::{CATEGORIES, N_STYLES};
use super::shop::Good;
use crate::domain::UserId;
use rand::{Rng, SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, Gamma, StandardNormal};

/// Sets the shoppers' random numbers apart from the shop's.
const STREAM: u64 = 0x5110_0000;

/// Shape of the Dirichlet distribution of tastes over categories; small, so that a few prevail.
const TASTE_SHAPE: f64 = 0.35;
/// Interest in a category that nobody falls below, as a share of all interest.
const TASTE_FLOOR: f64 = 0.02;
/// How much a category's share of interest counts in a utility.
const TASTE_WEIGHT: f64 = 1.2;
/// How much one style factor counts in a utility.
const STYLE_WEIGHT: f64 = 0.45;
/// Median visits a day; the mean is 1.6 times that.
const VISITS_MEDIAN: f64 = 0.035;

/// A shopper's nature.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shopper {
    pub(super) id: UserId,
    /// Share of interest per category; sums to 1.
    pub(super) interests: [f64; CATEGORIES.len()],
    /// What the category adds to a utility.
    affinity: [f64; CATEGORIES.len()],
    style: [f64; N_STYLES],
    /// What a price level of 1, that is e times the usual, takes from a utility.
    price_sensitivity: f64,
    /// Visits a day.
    pub(super) visit_rate: f64,
}

impl Shopper {
    /// How much the shopper likes a good at its list price; 0 is indifference.
    pub(super) fn utility(&self, good: &Good) -> f64 {
        let style = self.style.iter().zip(good.style).map(|(own, its)| own * its).sum::<f64>();
        self.affinity[good.category_idx] + STYLE_WEIGHT * style + good.quality
            - self.price_sensitivity * good.price_level
    }
}

/// Makes up the shoppers.
pub(super) fn gather(params: &SimulationParams) -> Vec<Shopper> {
    let mut rng = ChaCha8Rng::seed_from_u64(params.seed ^ STREAM);
    let gamma = Gamma::new(TASTE_SHAPE, 1.0).expect("a positive shape and scale are a gamma");
    (1..=params.n_shoppers).map(|number| shopper(number, &gamma, &mut rng)).collect()
}

fn shopper(number: usize, gamma: &Gamma<f64>, rng: &mut impl Rng) -> Shopper {
    let n_categories = CATEGORIES.len() as f64;
    let drawn: [f64; CATEGORIES.len()] = std::array::from_fn(|_| gamma.sample(rng));
    let total = drawn.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    let interests =
        drawn.map(|part| (part / total + TASTE_FLOOR) / (1.0 + TASTE_FLOOR * n_categories));
    let mut normal = || -> f64 { StandardNormal.sample(rng) };
    Shopper {
        id: UserId::new(format!("shopper-{number:04}")).expect("a word and a number are an id"),
        affinity: interests.map(|share| TASTE_WEIGHT * (share * n_categories).ln()),
        interests,
        style: std::array::from_fn(|_| normal()),
        price_sensitivity: 0.6 * (0.6 * normal()).exp(),
        visit_rate: VISITS_MEDIAN * (0.97 * normal()).exp(),
    }
}
