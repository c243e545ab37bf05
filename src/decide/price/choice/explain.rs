//! What each guard-rail costs, and what is expected at other prices.

use super::{
    choose::Desk,
    grid::{Endings, Grid},
    model::Model,
    objective::Search,
    outcome::{Choice, CurvePoint, RailEffect},
    rails::{Rail, holds},
};
use crate::{decide::price::Bounds, domain::Cents};

impl Desk<'_> {
    /// The best trusted price of all, and what each guard-rail takes from it; `legal_best` is left after all of them.
    pub(super) fn effects(
        &self,
        model: &Model,
        search: &mut Search<'_>,
        legal_best: Cents,
    ) -> (Cents, Vec<RailEffect>) {
        let any = Endings::any();
        let best_of = |search: &mut Search<'_>, bounds: Bounds| {
            let grid = Grid::new(&any, model.believed(bounds), &[]);
            search.best(&grid, model.margin).unwrap_or(bounds.low)
        };
        let unconstrained = best_of(search, model.trusted);
        let mut best = unconstrained;
        let mut effects = Vec::with_capacity(self.railed.stages.len() + 1);
        let mut compare =
            |search: &mut Search<'_>, rail, bounds: [Bounds; 2], prices: [Cents; 2]| {
                let [before, after] = prices.map(|price| search.worth(price, model.margin));
                let cost = (prices[0] != prices[1] && model.has_level)
                    .then_some((before - after).max(0.0));
                effects.push(RailEffect {
                    best_before: Some(prices[0]),
                    best_after: Some(prices[1]),
                    cost_per_week: cost,
                    ..effect(rail, bounds[0], bounds[1])
                });
            };
        for stage in &self.railed.stages {
            let after = if holds(model.believed(stage.after), best) {
                best
            } else {
                best_of(search, stage.after)
            };
            compare(search, stage.rail, [stage.before, stage.after], [best, after]);
            best = after;
        }
        if !self.case.policy.endings.is_empty() {
            let narrow = self.railed.narrow;
            compare(search, Rail::Endings, [narrow, narrow], [best, legal_best]);
        }
        (unconstrained, effects)
    }

    /// Expectations over the trusted prices.
    pub(super) fn curve(&self, model: &Model, n: usize, choice: &Choice) -> Vec<CurvePoint> {
        let grid = Grid::new(self.endings, model.trusted, &[]);
        let mut prices = grid.spread(n);
        prices.extend(choice.price);
        prices.extend(choice.unconstrained);
        prices.extend(choice.best.map(|best| best.price));
        prices.push(self.base);
        prices.sort_unstable();
        prices.dedup();
        let fee_share = self.case.policy.fee_share;
        let cost = self.case.cost.filter(|cost| cost.0 >= 0);
        let point = |price: Cents| {
            let at = price.0 as f64;
            let units = model.sample.units(at);
            CurvePoint {
                price,
                units,
                revenue: at * units,
                profit: cost.map(|cost| (at * (1.0 - fee_share) - cost.0 as f64) * units),
                objective: model.margin.at(at) * units,
            }
        };
        prices.into_iter().filter(|price| price.0 > 0).map(point).collect()
    }
}

/// Of a guard-rail whose cost is not known.
pub(super) fn effect(rail: Rail, before: Bounds, after: Bounds) -> RailEffect {
    RailEffect { rail, before, after, best_before: None, best_after: None, cost_per_week: None }
}
