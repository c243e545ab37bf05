//! Trials: safe Thompson sampling. One draw of the demand is taken for true and the best price under it asked, unless
//! that is expected to cost more than the shop allows.
//!
//! After Thompson, "On the likelihood that one unknown probability exceeds another in view of the evidence of two
//! samples", Biometrika 1933. Our fences: draws are kept within the middle 80 %, and a price whose expected loss is too
//! great is taken half-way back, or not at all. The draw is one of those that every expectation is taken over, so the
//! chance of each price is known exactly.

use super::{
    grid::Grid,
    objective::{Margin, Search, best_for},
};
use crate::domain::Cents;

/// Deviations from its mean within which an elasticity is drawn: the middle 80 % of a normal distribution.
const Z_MAX: f64 = 1.28;

/// Moves that are forced where prices were too steady to learn anything, or belief is sure of one price: 1 to 3 per cent,
/// either way. After den Boer
/// and Zwart, "Simultaneously learning and optimizing using controlled variance pricing", Management Science 2014.
const FORCED: [f64; 6] = [-0.03, -0.02, -0.01, 0.01, 0.02, 0.03];

/// All that a trial is drawn from.
pub(super) struct Lottery<'a, 'b> {
    pub(super) search: &'a mut Search<'b>,
    pub(super) margin: Margin,
    pub(super) grid: &'a Grid<'a>,
    /// Mean and standard deviation of the elasticity.
    pub(super) elasticity: [f64; 2],
    /// The price without a trial, which losses are measured against.
    pub(super) exploit: Cents,
    pub(super) loss_max: f64,
}

/// A drawn price.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Drawn {
    pub(super) price: Cents,
    pub(super) propensity: f64,
    pub(super) expected_price: f64,
}

impl Lottery<'_, '_> {
    /// What a price is expected to lose, as a share of the objective without a trial; `None` if that is nothing.
    pub(super) fn loss_share(&mut self, price: Cents) -> Option<f64> {
        let best = self.search.worth(self.exploit, self.margin);
        (best > 0.0).then(|| 1.0 - self.search.worth(price, self.margin) / best)
    }

    fn is_cheap(&mut self, price: Cents) -> bool {
        self.loss_share(price).is_some_and(|share| share <= self.loss_max)
    }

    /// By Thompson sampling; `None` if all draws lead to one price.
    pub(super) fn thompson(&mut self, pick: u64) -> Option<Drawn> {
        let [mean, sd] = self.elasticity;
        let elasticities = self.search.sample.elasticities();
        let mut prices = Vec::with_capacity(elasticities.len());
        // Many draws want the same price.
        let mut known: Vec<(Cents, Cents)> = Vec::new();
        for own in elasticities {
            let own = own.clamp(mean - Z_MAX * sd, mean + Z_MAX * sd);
            let wanted = best_for(own, self.margin, self.grid)?;
            let seen = known.binary_search_by_key(&wanted, |known| known.0);
            let price = match seen {
                Ok(at) => known[at].1,
                Err(at) => {
                    let price = self.fenced(wanted);
                    known.insert(at, (wanted, price));
                    price
                }
            };
            prices.push(price);
        }
        drawn(&prices, pick)
    }

    /// The price itself, or half of the way to it, or none of it.
    fn fenced(&mut self, wanted: Cents) -> Cents {
        if self.is_cheap(wanted) {
            return wanted;
        }
        let half = (wanted.0 as f64 * self.exploit.0 as f64).sqrt();
        let half = self.grid.nearest(half).filter(|&half| self.is_cheap(half));
        half.unwrap_or(self.exploit)
    }

    /// A small move from the price without a trial, where prices were too steady or all draws want one; `None` if there is
    /// none to make.
    pub(super) fn forced(&mut self, pick: u64) -> Option<Drawn> {
        let from = self.exploit;
        let moved = |share: f64| self.grid.nearest(from.0 as f64 * (1.0 + share));
        let mut prices: Vec<Cents> = FORCED.iter().filter_map(|&share| moved(share)).collect();
        prices.retain(|&price| price != from);
        if prices.is_empty() {
            // Endings are far apart: the next ones.
            prices.extend(self.grid.at_or_below(Cents(from.0.saturating_sub(1))));
            prices.extend(self.grid.at_or_above(Cents(from.0.saturating_add(1))));
        }
        prices.sort_unstable();
        prices.dedup();
        prices.retain(|&price| self.is_cheap(price));
        if prices.len() == 1 {
            // With one price to move to, chance says whether to: else nothing could be told from it.
            prices.push(from);
        }
        drawn(&prices, pick)
    }
}

/// One of equally likely prices; `None` if they are all the same.
fn drawn(prices: &[Cents], pick: u64) -> Option<Drawn> {
    let n = prices.len();
    let price = *prices.get((pick % n.max(1) as u64) as usize)?;
    let same = prices.iter().filter(|&&other| other == price).count();
    let expected_price = prices.iter().map(|price| price.0 as f64).sum::<f64>() / n as f64;
    (same < n).then_some(Drawn { price, propensity: same as f64 / n as f64, expected_price })
}
