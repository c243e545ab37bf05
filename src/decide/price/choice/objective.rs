//! What a price is worth in a week, and the best price of a grid.
//!
//! Every goal is a margin that is linear in the price, times units: the profit of one unit, its revenue, a mixture, or
//! one for the unit itself. Units fall in the price and are convex in it, for each draw and so for their mean. So on an
//! interval they lie below their chord, the objective below a parabola, and intervals whose parabola stays below the
//! best price found can be left out unseen (branch and bound; Land and Doig, "An automatic method of solving discrete
//! programming problems", Econometrica 1960). The result is the best price of the whole grid, of which a few dozen were
//! asked for.

use super::{case::Goal, grid::Grid, sample::Sample};
use crate::domain::Cents;

/// Guesses at the best price before it is searched for.
const N_GUESSES: usize = 2;

/// `slope · price - offset`: what one unit sold counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Margin {
    pub(super) slope: f64,
    pub(super) offset: f64,
}

impl Margin {
    /// Of a goal; `cost` is what a unit gives up, its shadow price included where there is one.
    pub(super) fn of(goal: Goal, fee_share: f64, cost: f64) -> Self {
        let profit = match goal {
            Goal::Profit => 1.0,
            Goal::Revenue => 0.0,
            Goal::Mixture(share) => share,
            Goal::Units => return Self { slope: 0.0, offset: -1.0 },
        };
        Self { slope: profit * (1.0 - fee_share) + (1.0 - profit), offset: profit * cost }
    }

    /// Of one unit at `price`.
    pub(super) fn at(self, price: f64) -> f64 {
        self.slope * price - self.offset
    }

    /// Whether only units count.
    pub(super) fn is_units(self) -> bool {
        self.slope == 0.0
    }
}

/// The best price of the grid if the elasticity were known to be this; the level does not matter.
///
/// `slope·p - offset` times `p^e` rises to `offset/slope · e/(1+e)` and falls from there if `e < -1`, and has no top
/// otherwise.
pub(super) fn best_for(elasticity: f64, margin: Margin, grid: &Grid<'_>) -> Option<Cents> {
    let free = margin.offset <= 0.0;
    if margin.is_units() || (free && elasticity <= -1.0) {
        return grid.first();
    }
    if elasticity >= -1.0 {
        return grid.last();
    }
    let top = margin.offset / margin.slope * elasticity / (1.0 + elasticity);
    let (below, above) = (top.min(i64::MAX as f64), top.min(i64::MAX as f64).ceil());
    let below = grid.at_or_below(Cents(below as i64));
    let above = grid.at_or_above(Cents(above as i64));
    let (Some(low), Some(high)) = (below, above) else { return below.or(above) };
    let worth =
        |price: Cents| margin.at(price.0 as f64) * (elasticity * (price.0 as f64 / top).ln()).exp();
    Some(if worth(low) >= worth(high) { low } else { high })
}

/// The mean demand with a memory of the prices that it was asked for.
#[derive(Clone, Debug)]
pub(super) struct Search<'a> {
    pub(super) sample: &'a Sample,
    /// Sorted by price.
    known: Vec<(Cents, f64)>,
}

/// An interval of the grid between two prices whose units are known.
#[derive(Clone, Copy, Debug)]
struct Piece {
    low: (Cents, f64),
    high: (Cents, f64),
}

impl Piece {
    /// What no price between its ends exceeds.
    fn bound(&self, margin: Margin) -> f64 {
        let (low, high) = (self.low.0.0 as f64, self.high.0.0 as f64);
        let slope = (self.high.1 - self.low.1) / (high - low);
        let chord = |price: f64| self.low.1 + slope * (price - low);
        // Where a unit brings a loss, more is lost the more are sold: at least as many as at the high end.
        let at = |price: f64| {
            let margin = margin.at(price);
            margin * if margin < 0.0 { self.high.1 } else { chord(price) }
        };
        let mut bound = at(low).max(at(high));
        if margin.at(low) < 0.0 && margin.at(high) > 0.0 {
            bound = bound.max(0.0);
        }
        let curvature = 2.0 * margin.slope * slope;
        if curvature < 0.0 {
            let gradient = margin.slope * self.low.1 + slope * margin.at(low);
            let top = low - gradient / curvature;
            if low < top && top < high {
                bound = bound.max(at(top));
            }
        }
        bound
    }
}

impl<'a> Search<'a> {
    pub(super) fn new(sample: &'a Sample) -> Self {
        Self { sample, known: Vec::with_capacity(64) }
    }

    /// Units in a week.
    pub(super) fn units(&mut self, price: Cents) -> f64 {
        match self.known.binary_search_by_key(&price, |known| known.0) {
            Ok(at) => self.known[at].1,
            Err(at) => {
                let units = self.sample.units(price.0 as f64);
                self.known.insert(at, (price, units));
                units
            }
        }
    }

    /// The objective of a week.
    pub(super) fn worth(&mut self, price: Cents, margin: Margin) -> f64 {
        margin.at(price.0 as f64) * self.units(price)
    }

    /// The price of the grid with the greatest objective, the lower of two equal ones; `None` if the grid is empty.
    pub(super) fn best(&mut self, grid: &Grid<'_>, margin: Margin) -> Option<Cents> {
        let (first, last) = (grid.first()?, grid.last()?);
        if margin.is_units() || first == last {
            return Some(first);
        }
        // A good price at once leaves out most of the rest: the best if demand had the elasticity that its mean has
        // there.
        let mut guess = grid.nearest((first.0 as f64 * last.0 as f64).sqrt())?;
        for _ in 0..N_GUESSES {
            let (_, elasticity) = self.sample.units_and_elasticity(guess.0 as f64);
            guess = best_for(elasticity, margin, grid)?;
        }
        let mut ends = vec![first, guess, last];
        ends.dedup();
        let mut best = (f64::NEG_INFINITY, first);
        for &end in &ends {
            best = better(best, (self.worth(end, margin), end));
        }
        let piece = |search: &mut Self, low: Cents, high: Cents| Piece {
            low: (low, search.units(low)),
            high: (high, search.units(high)),
        };
        let mut pieces: Vec<Piece> =
            ends.windows(2).map(|pair| piece(self, pair[0], pair[1])).collect();
        while let Some(open) = pieces.pop() {
            let (low, high) = (open.low.0, open.high.0);
            let Some(inside) = grid.between(low, high) else { continue };
            if open.bound(margin) <= best.0 {
                continue;
            }
            best = better(best, (self.worth(inside, margin), inside));
            pieces.push(piece(self, low, inside));
            pieces.push(piece(self, inside, high));
        }
        Some(best.1)
    }
}

/// The greater worth; of equal ones that with the lower price.
fn better(best: (f64, Cents), other: (f64, Cents)) -> (f64, Cents) {
    if other.0 > best.0 || (other.0 >= best.0 && other.1 < best.1) { other } else { best }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        decide::price::{Bounds, choice::grid::Endings},
        learn::demand::response::{DemandBelief, Symmetric3},
    };
    use proptest::prelude::*;

    fn belief(level: f64, elasticity: f64, sd: f64) -> DemandBelief {
        DemandBelief {
            coefficients: [level, elasticity, 0.0],
            covariance: Symmetric3([0.05, 0.0, sd * sd, 0.0, 0.0, 0.0]),
            bounds: [[-8.0, 0.5], [0.0, 2.0]],
            reference_price: 1000.0,
            reference_competitor: None,
            overdispersion: 1.0,
            overdispersion_squared: 0.0,
            evidence: None,
        }
    }

    fn margins() -> impl Strategy<Value = Margin> {
        let goal = prop_oneof![
            Just(Goal::Profit),
            Just(Goal::Revenue),
            Just(Goal::Units),
            (0.0..1.0_f64).prop_map(Goal::Mixture)
        ];
        (goal, 0.0..0.4_f64, 0.0..1800.0_f64)
            .prop_map(|(goal, fee, cost)| Margin::of(goal, fee, cost))
    }

    fn listed(grid: &Grid<'_>) -> Vec<Cents> {
        let next = |price: &Cents| grid.at_or_above(Cents(price.0 + 1));
        std::iter::successors(grid.first(), next).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn the_best_price_is_that_of_the_whole_grid(
            level in -3.0..5.0_f64, elasticity in -6.0..0.4_f64, sd in 0.0..2.0_f64, margin in margins(),
            low in 1_i64..1500, width in 0_i64..2500, all in prop::bool::ANY, other in 1_i64..3000,
        ) {
            let sample = Sample::of(&belief(level, elasticity, sd), None, 7);
            let endings = Endings::new(if all { &[] } else { &[9, 95] });
            let bounds = Bounds { low: Cents(low), high: Cents(low + width) };
            let grid = Grid::new(&endings, bounds, &[Cents(other)]);
            let mut search = Search::new(&sample);
            let found = search.best(&grid, margin).unwrap();
            let worth = |price: Cents| margin.at(price.0 as f64) * sample.units(price.0 as f64);
            let best = listed(&grid).into_iter().fold((f64::NEG_INFINITY, Cents(0)), |best, price| {
                better(best, (worth(price), price))
            });
            // Where no draw answers to the price, others may be as good, and rounding decides.
            let slack = 1e-12 * best.0.abs();
            prop_assert!(found == best.1 || worth(found) >= best.0 - slack, "{} {:?}", found.0, best);
        }

        #[test]
        fn the_best_price_of_a_known_elasticity_is_that_of_the_whole_grid(
            elasticity in -7.0..0.0_f64, margin in margins(), low in 1_i64..1500, width in 0_i64..2500,
            other in 1_i64..3000,
        ) {
            let mut known = belief(2.0, elasticity, 0.0);
            known.covariance = Symmetric3::default();
            let sample = Sample::of(&known, None, 7);
            let endings = Endings::new(&[9, 95]);
            let bounds = Bounds { low: Cents(low), high: Cents(low + width) };
            let grid = Grid::new(&endings, bounds, &[Cents(other)]);
            let found = best_for(elasticity, margin, &grid).unwrap();
            let worth = |price: Cents| margin.at(price.0 as f64) * sample.units(price.0 as f64);
            let best = listed(&grid).into_iter().map(worth).fold(f64::NEG_INFINITY, f64::max);
            prop_assert!(worth(found) >= best - 1e-9 * best.abs(), "{} {}", worth(found), best);
        }
    }

    #[test]
    fn a_grid_of_a_million_prices_is_searched_by_a_few() {
        let sample = Sample::of(&belief(2.0, -2.5, 0.1), None, 7);
        let endings = Endings::any();
        let bounds = Bounds { low: Cents(100_000), high: Cents(1_100_000) };
        let grid = Grid::new(&endings, bounds, &[]);
        let margin = Margin { slope: 1.0, offset: 300_000.0 };
        let mut search = Search::new(&sample);
        let best = search.best(&grid, margin).unwrap();
        assert!(best > Cents(300_000) && best < Cents(1_100_000));
        assert!(search.known.len() < 150, "{}", search.known.len());
    }
}
