//! Policies that learn elasticities from their sales, and ask what would be best if they were right.

use super::{ledger::Ledger, season::Policy};
use crate::learn::{
    demand::response::{DemandBelief, DemandResponse, Draw, ResponseParams, fit},
    evaluation::pricing::regress,
    recommenders::{FitError, NEVER_STOP},
};

/// The best price at this elasticity: profit rises without end from -1 upwards, where the highest price of a step
/// is as far as one can see.
pub fn target(cost: f64, elasticity: f64, current: f64, step_max: f64) -> f64 {
    if elasticity < -1.0 {
        cost * elasticity / (1.0 + elasticity)
    } else {
        current * (1.0 + step_max)
    }
}

fn targets(ledger: &Ledger, elasticity: impl Fn(usize) -> Option<f64>) -> Vec<f64> {
    let of = |(at, (&cost, &current)): (usize, (&f64, &f64))| {
        elasticity(at).map_or(current, |e| target(cost, e, current, ledger.step_max()))
    };
    ledger.costs().iter().zip(ledger.current()).enumerate().map(of).collect()
}

/// Regresses every item's `log(q + 0.5)` on its own log price, as is often done, and keeps the price where the slope
/// has no best one.
#[derive(Clone, Debug, Default)]
pub struct Regression {
    elasticities: Vec<Option<f64>>,
}

impl Policy for Regression {
    fn prices(&mut self, ledger: &Ledger, _: &[f64]) -> Result<Vec<f64>, FitError> {
        if is_due(ledger, self.elasticities.is_empty()) {
            let slope = |item: usize| {
                let x = |week: &super::ledger::PastWeek| [1.0, week.prices[item].ln()];
                let y = |week: &super::ledger::PastWeek| (week.units[item] + 0.5).ln();
                Some(regress(ledger.weeks(), x, y)?.coefficients[1]).filter(|&slope| slope < -1.0)
            };
            self.elasticities = (0..ledger.costs().len()).map(slope).collect();
        }
        Ok(targets(ledger, |item| self.elasticities[item]))
    }
}

/// Whether a policy that learns is to learn again this week.
pub fn is_due(ledger: &Ledger, knows_nothing: bool) -> bool {
    knows_nothing || ledger.weeks().len().is_multiple_of(ledger.refit_weeks())
}

/// What the product's own model of price response believes, refitted as often as the arena says.
#[derive(Clone, Debug)]
pub struct Learner {
    params: ResponseParams,
    response: Option<DemandResponse>,
}

impl Learner {
    /// Knows nothing yet.
    pub fn new(params: ResponseParams) -> Self {
        Self { params, response: None }
    }

    /// What is believed of every item at the time of this ledger; fits if it is due.
    ///
    /// # Errors
    ///
    /// If the fit fails.
    pub fn beliefs(&mut self, ledger: &Ledger) -> Result<&DemandResponse, FitError> {
        if is_due(ledger, self.response.is_none()) {
            self.response = None;
        }
        match self.response.take() {
            Some(response) => Ok(self.response.insert(response)),
            None => Ok(self.response.insert(fit(&ledger.panel(), &self.params, NEVER_STOP)?)),
        }
    }
}

/// Takes the mean of every elasticity for the truth.
#[derive(Clone, Debug)]
pub struct CertaintyEquivalent(pub Learner);

impl Policy for CertaintyEquivalent {
    fn prices(&mut self, ledger: &Ledger, _: &[f64]) -> Result<Vec<f64>, FitError> {
        let response = self.0.beliefs(ledger)?;
        Ok(targets(ledger, |item| Some(response.elasticity(item)?.mean)))
    }
}

/// Takes a draw of every elasticity for the truth, a new one each week (Thompson, "On the likelihood that one
/// unknown probability exceeds another in view of the evidence of two samples", Biometrika 1933).
#[derive(Clone, Debug)]
pub struct Thompson {
    learner: Learner,
    seed: u64,
}

impl Thompson {
    /// The same seed gives the same draws.
    pub fn new(learner: Learner, seed: u64) -> Self {
        Self { learner, seed }
    }
}

impl Policy for Thompson {
    fn prices(&mut self, ledger: &Ledger, _: &[f64]) -> Result<Vec<f64>, FitError> {
        let (seed, week) = (self.seed, ledger.weeks().len() as u64);
        let response = self.learner.beliefs(ledger)?;
        let draw = |item: usize| {
            let stream = week << 32 | item as u64;
            let belief: DemandBelief = response.belief(item)?;
            belief.draws(1, seed, stream).first().map(Draw::elasticity)
        };
        Ok(targets(ledger, draw))
    }
}
