//! Lets a policy run the shop for its decision weeks.

use super::{
    ledger::{Ledger, PastWeek},
    luck,
    shop::Shop,
};
use crate::learn::recommenders::FitError;

/// Sets prices, week by week.
pub trait Policy {
    /// Prices for the coming week by item, in minor units, at which competitors' prices will be `competitors`.
    /// They are rounded to whole units and brought within a step of those in force, which stay where a price is not
    /// finite.
    ///
    /// # Errors
    ///
    /// If the policy learns and its fit fails.
    fn prices(&mut self, ledger: &Ledger, competitors: &[f64]) -> Result<Vec<f64>, FitError>;
}

/// What came of a policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Season {
    /// Expected profit by decision week; minor units.
    pub profits: Vec<f64>,
    /// Prices of the last week, by item.
    pub last_prices: Vec<f64>,
}

impl Season {
    /// Expected profit of all weeks.
    pub fn profit(&self) -> f64 {
        self.profits.iter().sum()
    }
}

/// Plays the merchant's history and then the policy's weeks. Profits are what is expected under the true demand;
/// the policy sees sales that luck had a hand in.
///
/// # Errors
///
/// If the policy's fit fails.
///
/// # Panics
///
/// If a policy has not a price for every item.
pub fn play(shop: &Shop, policy: &mut dyn Policy) -> Result<Season, FitError> {
    let params = shop.params();
    let mut ledger = Ledger::new(shop);
    let mut profits = Vec::with_capacity(params.decision_weeks);
    for week in 0..params.n_weeks() {
        let competitors = shop.competitors(week);
        let prices = if week < params.history_weeks {
            shop.history(week).to_vec()
        } else {
            let wanted = policy.prices(&ledger, competitors)?;
            let prices = allowed(shop, ledger.current(), &wanted);
            profits.push(shop.expected_profit(week, &prices));
            prices
        };
        let luck = luck::of_week(shop.seed(), week, prices.len());
        let sold = prices.iter().enumerate().zip(luck).map(|((item, &price), luck)| {
            luck::units(shop.expected_units(item, week, price), luck)
        });
        let units = sold.collect();
        ledger.push(PastWeek { prices, competitors: competitors.to_vec(), units });
    }
    Ok(Season { profits, last_prices: ledger.current().to_vec() })
}

/// The prices that are wanted as far as a step goes.
fn allowed(shop: &Shop, current: &[f64], wanted: &[f64]) -> Vec<f64> {
    assert_eq!(wanted.len(), shop.items().len(), "every item has a price");
    let of = |(at, &wanted): (usize, &f64)| {
        // Without a history the usual prices are those in force.
        let current = current.get(at).copied().unwrap_or(shop.items()[at].usual_price);
        let [low, high] = shop.step_bounds(current);
        if wanted.is_finite() { wanted.round().clamp(low, high) } else { current }
    };
    wanted.iter().enumerate().map(of).collect()
}
