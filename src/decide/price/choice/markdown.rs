//! Selling a stock by a date: the best single price, and the best price for each week and stock.
//!
//! Demand is Poisson with a mean of constant elasticity, what is left at the end brings its salvage, and nothing more
//! comes in. The single price is what [`choose()`](super::choose()) sees through the shadow price of stock. The path of
//! prices is the dynamic programme of Gallego and van Ryzin, "Optimal dynamic pricing of inventories with stochastic
//! demand over finite horizons", Management Science 1994, week by week.

use super::stock::{highest, sales};

/// Limits of the dynamic programme, whose work grows with weeks, prices and the square of units.
const UNITS_MAX: u64 = 2_000;
const WEEKS_MAX: u32 = 520;
const PRICES_MAX: usize = 1_000;
/// Most units wanted in a week: beyond, all is sold in any case.
const DEMAND_MAX: f64 = 1e12;
/// Most of `weeks · prices · units²`: some seconds.
const WORK_MAX: f64 = 4e9;

/// Why no path of prices is reckoned.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum MarkdownError {
    /// A number that is none, or negative, or a base or price of 0.
    #[error("units in a week, elasticity, salvage and prices must be finite, prices above 0")]
    NotANumber,
    /// More than can be reckoned.
    #[error(
        "{units} units over {weeks} weeks at {prices} prices are too many to reckon; at most {units_max} for so many \
         weeks and prices"
    )]
    TooMuch {
        /// Units on hand.
        units: u64,
        /// Weeks.
        weeks: u32,
        /// Prices.
        prices: usize,
        /// Most units for so many weeks and prices; 0 if there are too many of those.
        units_max: u64,
    },
}

/// A stock that is to be sold by a date. Money in any unit, the same everywhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Markdown {
    /// Units on hand.
    pub units: u64,
    /// Weeks until the end.
    pub weeks: u32,
    /// Units in a week at the reference price.
    pub base: f64,
    /// Where demand is `base`.
    pub reference_price: f64,
    /// Elasticity of demand to the price.
    pub elasticity: f64,
    /// What a unit brings that is left at the end.
    pub salvage: f64,
}

/// A price and what it is expected to bring by the end, salvage included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SinglePrice {
    /// The price.
    pub price: f64,
    /// Expected money.
    pub value: f64,
}

/// A price that may be asked, and what comes of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Offer {
    /// The price.
    pub price: f64,
    /// What a unit sold at it brings: the price less fees.
    pub money: f64,
    /// Mean units wanted in a week.
    pub demand: f64,
}

/// A stock and what is left of it at the end. Money in any unit, the same everywhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LeftOver {
    /// Units on hand.
    pub units: u64,
    /// Weeks until the end.
    pub weeks: u32,
    /// What a unit brings that is left at the end.
    pub salvage: f64,
}

/// The best price and its value for each number of weeks and units left.
#[derive(Clone, Debug, PartialEq)]
pub struct PricePath {
    n_units: usize,
    /// `(n_weeks + 1, n_units + 1)`, row by row; no week left first.
    values: Vec<f64>,
    /// `(n_weeks, n_units + 1)`; one week left first.
    prices: Vec<f64>,
}

impl Markdown {
    fn check(&self) -> Result<(), MarkdownError> {
        let numbers = [self.base, self.reference_price, self.elasticity];
        let fits =
            numbers.iter().all(|x| x.is_finite()) && self.base >= 0.0 && self.reference_price > 0.0;
        fits.then_some(()).ok_or(MarkdownError::NotANumber)?;
        self.left().check()
    }

    fn left(&self) -> LeftOver {
        LeftOver { units: self.units, weeks: self.weeks, salvage: self.salvage }
    }

    fn offer(&self, price: f64) -> Offer {
        let demand = self.base * (price / self.reference_price).powf(self.elasticity);
        Offer { price, money: price, demand: demand.min(DEMAND_MAX) }
    }

    /// What one price throughout is expected to bring, salvage included.
    pub fn value_at(&self, price: f64) -> f64 {
        self.left().value_of(&self.offer(price))
    }

    /// The best price that stays throughout, between two prices, to about 1e-4 of it.
    pub fn best_single_price(&self, [low, high]: [f64; 2]) -> Result<SinglePrice, MarkdownError> {
        self.check()?;
        if !(0.0 < low && low <= high && high.is_finite()) {
            return Err(MarkdownError::NotANumber);
        }
        let price = highest(|price| self.value_at(price), low, high);
        Ok(SinglePrice { price, value: self.value_at(price) })
    }

    /// The best of some prices for each week and stock, as [`LeftOver::path`].
    pub fn path(&self, prices: &[f64]) -> Result<PricePath, MarkdownError> {
        self.check()?;
        let offers: Vec<Offer> = prices.iter().map(|&price| self.offer(price)).collect();
        self.left().path(&offers)
    }
}

impl LeftOver {
    fn check(&self) -> Result<(), MarkdownError> {
        let fits = self.salvage.is_finite() && self.salvage >= 0.0;
        fits.then_some(()).ok_or(MarkdownError::NotANumber)
    }

    /// What one offer throughout is expected to bring, salvage included.
    pub fn value_of(&self, offer: &Offer) -> f64 {
        let sold = sales(self.units, f64::from(self.weeks) * offer.demand).expected;
        self.salvage * self.units as f64 + (offer.money - self.salvage) * sold
    }

    /// The best of some offers for each week and stock, by backward induction; of equal ones the first.
    ///
    /// With `s` units and `t` weeks left, `m(p)` what a unit brings and `D` Poisson,
    /// `V_t(s) = max_p E[m(p)·min(D, s) + V_(t-1)(s - min(D, s))]`, and `V_0(s) = salvage·s`.
    pub fn path(&self, offers: &[Offer]) -> Result<PricePath, MarkdownError> {
        self.check()?;
        let is_number = |offer: &Offer| {
            let numbers = [offer.price, offer.money, offer.demand];
            numbers.iter().all(|x| x.is_finite()) && offer.price > 0.0 && offer.demand >= 0.0
        };
        if offers.is_empty() || !offers.iter().all(is_number) {
            return Err(MarkdownError::NotANumber);
        }
        let n = offers.len();
        let each = f64::from(self.weeks) * n as f64;
        let units_max = ((WORK_MAX / each.max(1.0)).sqrt() as u64).min(UNITS_MAX);
        let fits = self.weeks <= WEEKS_MAX && n <= PRICES_MAX;
        if !fits || self.units > units_max {
            let (units, weeks) = (self.units, self.weeks);
            let units_max = if fits { units_max } else { 0 };
            return Err(MarkdownError::TooMuch { units, weeks, prices: n, units_max });
        }
        let n_units = self.units as usize;
        let demands: Vec<Demand> =
            offers.iter().map(|offer| Demand::new(offer.demand, n_units)).collect();
        let mut values: Vec<f64> = (0..=n_units).map(|units| self.salvage * units as f64).collect();
        let mut chosen = Vec::with_capacity(self.weeks as usize * (n_units + 1));
        for week in 0..self.weeks as usize {
            let after = week * (n_units + 1);
            for units in 0..=n_units {
                let mut best = (f64::NEG_INFINITY, offers[0].price);
                for (offer, demand) in offers.iter().zip(&demands) {
                    let value = demand.value(offer.money, &values[after..=after + units]);
                    if value > best.0 {
                        best = (value, offer.price);
                    }
                }
                values.push(best.0);
                chosen.push(best.1);
            }
        }
        Ok(PricePath { n_units, values, prices: chosen })
    }
}

impl PricePath {
    fn position(&self, weeks: u32, units: u64) -> Option<usize> {
        let units = usize::try_from(units).ok().filter(|&units| units <= self.n_units)?;
        Some(weeks as usize * (self.n_units + 1) + units)
    }

    /// Expected money with this much left; `None` beyond what was reckoned.
    pub fn value(&self, weeks: u32, units: u64) -> Option<f64> {
        self.values.get(self.position(weeks, units)?).copied()
    }

    /// The price to ask with this much left; `None` beyond what was reckoned, or without a week left.
    pub fn price(&self, weeks: u32, units: u64) -> Option<f64> {
        self.prices.get(self.position(weeks.checked_sub(1)?, units)?).copied()
    }

    /// What one unit more adds: the value of the last unit on hand.
    pub fn marginal_value(&self, weeks: u32, units: u64) -> Option<f64> {
        Some(self.value(weeks, units)? - self.value(weeks, units.checked_sub(1)?)?)
    }
}

/// Chances of what is asked for in a week at one price.
struct Demand {
    /// Chance of exactly `d` units, `d` up to the stock.
    chances: Vec<f64>,
    /// Chance of at least `d` units.
    at_least: Vec<f64>,
}

impl Demand {
    fn new(mean: f64, n_units: usize) -> Self {
        // In logarithms: with a large mean the chance of 0 would be 0, and with it all others.
        let mut log_chance = -mean;
        let mut chances = Vec::with_capacity(n_units + 1);
        for units in 0..=n_units {
            if units > 0 {
                log_chance += (mean / units as f64).ln();
            }
            chances.push(log_chance.exp());
        }
        let mut below = 0.0;
        let at_least = chances.iter().map(|chance| {
            let at_least = f64::max(1.0 - below, 0.0);
            below += chance;
            at_least
        });
        let at_least = at_least.collect();
        Self { chances, at_least }
    }

    /// What a week brings with one unit less on hand than `after` is long, `money` for each sold; `after`: values by
    /// units left.
    fn value(&self, money: f64, after: &[f64]) -> f64 {
        let units = after.len() - 1;
        let sold_out = self.at_least[units] * (money * units as f64 + after[0]);
        let some = self.chances[..units].iter().zip(after.iter().rev()).enumerate();
        some.map(|(sold, (chance, left))| chance * (money * sold as f64 + left)).sum::<f64>()
            + sold_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The case of MERCHANDISING.
    const CASE: Markdown = Markdown {
        units: 40,
        weeks: 8,
        base: 3.0,
        reference_price: 50.0,
        elasticity: -2.5,
        salvage: 5.0,
    };

    #[test]
    fn the_best_single_price_is_that_of_the_reference() {
        let best = CASE.best_single_price([20.0, 80.0]).unwrap();
        // Printed to two decimals.
        assert!((best.price - 40.40).abs() < 0.01, "{best:?}");
        assert!((best.value - 1541.18).abs() < 0.005, "{best:?}");
        assert!((CASE.value_at(50.0) - 1279.90).abs() < 0.005);
        assert!((CASE.value_at(40.76) - 1540.35).abs() < 0.1, "{}", CASE.value_at(40.76));
    }

    #[test]
    fn a_path_is_no_worse_than_its_best_price_and_follows_the_stock() {
        let prices: Vec<f64> = (0..=240).map(|step| 20.0 + 0.25 * f64::from(step)).collect();
        let path = CASE.path(&prices).unwrap();
        let single = prices.iter().map(|&price| CASE.value_at(price)).fold(0.0, f64::max);
        let value = path.value(8, 40).unwrap();
        assert!(value >= 1541.18 && value >= single, "{value} {single}");
        // More stock, a lower price; the last unit is worth less than it sells for, and its salvage at least.
        for units in 2..=40 {
            assert!(path.price(8, units).unwrap() <= path.price(8, units - 1).unwrap());
            let last = path.marginal_value(8, units).unwrap();
            assert!(
                (CASE.salvage..path.price(8, units).unwrap()).contains(&last),
                "{units}: {last}"
            );
        }
        assert_eq!((path.price(0, 1), path.price(1, 41), path.value(9, 1)), (None, None, None));
        assert_eq!(path.value(0, 40), Some(200.0));
    }

    #[test]
    fn one_week_of_one_price_is_the_single_price() {
        let case = Markdown { weeks: 1, ..CASE };
        for price in [30.0, 50.0, 75.0] {
            let path = case.path(&[price]).unwrap();
            assert!((path.value(1, 40).unwrap() - case.value_at(price)).abs() < 1e-9);
        }
    }

    #[test]
    fn what_cannot_be_reckoned_is_refused() {
        let not_a_number = Err(MarkdownError::NotANumber);
        assert_eq!(CASE.path(&[]), not_a_number);
        assert_eq!(CASE.path(&[10.0, f64::NAN]), not_a_number);
        assert_eq!(Markdown { base: f64::INFINITY, ..CASE }.path(&[10.0]), not_a_number);
        assert_eq!(CASE.best_single_price([0.0, 1.0]), Err(MarkdownError::NotANumber));
        let too_many = Markdown { units: UNITS_MAX + 1, ..CASE }.path(&[10.0]);
        assert!(matches!(too_many, Err(MarkdownError::TooMuch { .. })));
    }

    proptest! {
        #[test]
        fn to_change_the_price_by_the_week_is_never_worse(
            units in 0_u64..30, weeks in 0_u32..6, base in 0.0..9.0_f64, elasticity in -5.0..-0.2_f64,
            salvage in 0.0..40.0_f64,
        ) {
            let case = Markdown { units, weeks, base, elasticity, salvage, ..CASE };
            let prices: Vec<f64> = (0..25).map(|step| 20.0 + 4.0 * f64::from(step)).collect();
            let value = case.path(&prices).unwrap().value(weeks, units).unwrap();
            for price in prices {
                prop_assert!(value >= case.value_at(price) - 1e-6, "{} at {}", value, price);
            }
        }
    }
}
