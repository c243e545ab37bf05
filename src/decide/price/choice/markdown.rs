//! Selling a stock by a date: what a single price brings, and the best price for each week and stock.
//!
//! Demand is Poisson, what is left at the end brings its salvage, and nothing more comes in. The best single price is what [`choose()`](super::choose()) sees through the shadow price of stock. The path of
//! prices is the dynamic programme of Gallego and van Ryzin, "Optimal dynamic pricing of inventories with stochastic
//! demand over finite horizons", Management Science 1994, week by week.

use super::stock::sales;

/// Limits of the dynamic programme, whose work grows with weeks, prices and the square of units.
const UNITS_MAX: u64 = 2_000;
const WEEKS_MAX: u32 = 520;
const PRICES_MAX: usize = 1_000;
/// Most of `weeks · prices · units²`: some seconds.
const WORK_MAX: f64 = 4e9;

/// Why no path of prices is reckoned.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum MarkdownError {
    /// A number that is none, or negative, or a price of 0.
    #[error("units in a week, salvage and prices must be finite, prices above 0")]
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
