//! Chooses a price.

use super::{
    case::{Case, Stock},
    explore::{Drawn, Lottery},
    grid::{Endings, Grid},
    lot::Lot,
    model::{Model, is_sound_policy},
    note::ChoiceNote,
    objective::Search,
    outcome::{Candidate, Choice, ChoiceStatus, CurvePoint, Exploration, NoTrial, RailEffect},
    rails::{Clash, Rail, Railed, holds, lay, within},
};
use crate::{
    decide::price::Bounds,
    domain::{Cents, time::DAY_MS},
};

/// Points of the curve that are spread over the trusted prices; the present, chosen and best prices come beside them.
const N_CURVE: usize = 40;

/// Chance of being better below which a change is noise. Our choice.
const CHANCE_MIN: f64 = 0.6;

/// Gain, as a share of the present objective, below which a change is not worth the label. Our choice.
const GAIN_MIN: f64 = 1e-3;

/// How many times the largest step an ending may lie away if none lies within it. Our choice.
const WIDEN_MAX: f64 = 2.0;

/// Chooses a price among the legal ones, with all that led to it.
///
/// Pure: an equal case has an equal choice. The rules, strongest first:
///
/// 1. No price in force and no list price: no price.
/// 2. Guard-rails that clash: the present price, and the note names them; one outside of the hard bounds that the
///    others agree on is brought inside.
/// 3. A price outside of the hard bounds is brought inside at once.
/// 4. Nothing usable known of demand, or no cost where profit counts: the present price.
/// 5. A price stays for the dwell time.
/// 6. On trial: a drawn price, within the loss that is allowed.
/// 7. The price with the greatest expected objective, if the gain is more than noise.
pub fn choose(case: &Case) -> Choice {
    decide(case, N_CURVE)
}

/// As [`choose`], without a curve: for runs over all items.
pub fn choose_without_curve(case: &Case) -> Choice {
    decide(case, 0)
}

fn decide(case: &Case, n_curve: usize) -> Choice {
    let Some(base) = case.past.current.or(case.list) else {
        return Choice::plain(None, ChoiceStatus::NoListPrice, vec![ChoiceNote::NoListPrice]);
    };
    if !is_sound_policy(&case.policy) {
        return Choice::plain(Some(base), ChoiceStatus::Kept, vec![ChoiceNote::PolicyBroken]);
    }
    let railed = lay(case, base);
    let endings = Endings::new(&case.policy.endings);
    let lot = Lot::of(case);
    let model =
        if base.0 > 0 { Model::of(case, base, lot.seed) } else { Err(ChoiceNote::NotAPrice) };
    let desk = Desk { case, base, railed: &railed, endings: &endings };
    let mut choice = match &model {
        Ok(model) if railed.clash.is_none() => desk.weigh(model, lot.pick),
        _ => desk.without_demand(model.as_ref().err().copied()),
    };
    choice.notes.extend(railed.breached.iter().map(|&rail| ChoiceNote::Breach(rail)));
    choice.notes.extend(&railed.notes);
    if let Ok(model) = &model {
        choice.notes.extend(model.stock_note(base));
        choice.shadow_price = model.shadow_price();
        choice.trusted = Some(model.trusted);
        if n_curve > 0 && model.has_level {
            choice.curve = desk.curve(model, n_curve, &choice);
        }
    }
    choice
}

/// One case with its guard-rails.
struct Desk<'a> {
    case: &'a Case,
    base: Cents,
    railed: &'a Railed,
    endings: &'a Endings,
}

/// The legal prices of a case.
struct Legal<'a> {
    grid: Grid<'a>,
    note: Option<ChoiceNote>,
    /// Set if no ending is left.
    clash: Option<Clash>,
}

impl Choice {
    fn plain(price: Option<Cents>, status: ChoiceStatus, notes: Vec<ChoiceNote>) -> Self {
        let exploration = Exploration {
            not_exploring: Some(NoTrial::NotFree),
            propensity: 1.0,
            expected_price: None,
            exploit: price,
            loss_share: 0.0,
        };
        Self {
            price,
            status,
            notes,
            bounds: None,
            trusted: None,
            unconstrained: None,
            best: None,
            curve: Vec::new(),
            rails: Vec::new(),
            change: None,
            shadow_price: 0.0,
            exploration,
        }
    }
}

impl Desk<'_> {
    /// The present price, as far as guard-rails let it be.
    fn without_demand(&self, missing: Option<ChoiceNote>) -> Choice {
        let (status, mut notes) = match (self.railed.clash, missing) {
            (Some(clash), _) => (ChoiceStatus::Infeasible(clash), vec![ChoiceNote::Clash(clash)]),
            (None, Some(note)) => (status_of(note), vec![note]),
            (None, None) => (ChoiceStatus::Kept, vec![]),
        };
        // Bounds that contradict each other say nothing of where the price should go.
        let torn = self.railed.clash.is_some_and(|clash| clash.second.is_hard());
        let free = self.base.0 <= 0 && self.railed.hard.low <= Cents(1);
        let price =
            if torn || free { self.base } else { self.inside(self.railed.hard, &mut notes) };
        let mut choice = Choice::plain(Some(price), status, notes);
        if self.railed.clash.is_none() {
            choice.bounds = Some(self.railed.narrow);
        }
        choice.rails = self
            .railed
            .stages
            .iter()
            .map(|stage| effect(stage.rail, stage.before, stage.after))
            .collect();
        choice
    }

    /// The present price, or the nearest within bounds, with a right ending if one lies there.
    fn inside(&self, bounds: Bounds, notes: &mut Vec<ChoiceNote>) -> Cents {
        let nearest = bounds.clamp(self.base);
        if nearest == self.base {
            return nearest;
        }
        if let Some(&rail) = self.railed.breached.iter().find(|rail| rail.is_hard()) {
            notes.push(ChoiceNote::BroughtInside(rail));
        }
        let ending = self.ending_inside(nearest);
        if ending.is_none() {
            notes.push(ChoiceNote::NoEnding);
        }
        ending.unwrap_or(nearest)
    }

    /// The right ending next to a hard bound that the price comes in by.
    fn ending_inside(&self, nearest: Cents) -> Option<Cents> {
        if nearest > self.base {
            Some(self.endings.at_or_above(nearest)).filter(|&price| price <= self.railed.hard.high)
        } else {
            self.endings.at_or_below(nearest).filter(|&price| price >= self.railed.hard.low)
        }
    }

    fn keeps(&self) -> bool {
        holds(self.railed.wide, self.base)
    }

    /// Trusted prices within bounds; where those share none, the end nearest to them.
    fn believed(&self, model: &Model, bounds: Bounds) -> Bounds {
        Bounds { low: bounds.clamp(model.trusted.low), high: bounds.clamp(model.trusted.high) }
    }

    /// The prices to choose among. The present price is one wherever no rail but a step forbids it: to stay is no step.
    fn legal<'a>(&'a self, model: &Model) -> Legal<'a> {
        let narrow = self.railed.narrow;
        let allowed = self.believed(model, narrow);
        let keep: &[Cents] = if self.keeps() { &[self.base] } else { &[] };
        let grid = Grid::new(self.endings, allowed, keep);
        let legal = |grid, note, clash| Legal { grid, note, clash };
        if !grid.is_empty_of_endings() {
            return legal(grid, None, None);
        }
        let all = Grid::new(self.endings, narrow, keep);
        if !all.is_empty_of_endings() {
            let nearest = Grid::new(self.endings, narrow, &[]).nearest(allowed.low.0 as f64);
            let others = if self.keeps() { keep.to_vec() } else { nearest.into_iter().collect() };
            return legal(Grid::new(self.endings, allowed, &others), None, None);
        }
        if !self.keeps() {
            let nearest = narrow.clamp(self.base);
            let ending = self.ending_inside(nearest);
            let clash = ending.is_none().then(|| self.railed.clash_of_endings());
            let price = ending.unwrap_or(nearest);
            let note = ending.map_or(ChoiceNote::NoEnding, |_| ChoiceNote::StepWidened);
            return legal(Grid::new(self.endings, allowed, &[price]), Some(note), clash);
        }
        if Grid::new(self.endings, self.railed.wide, &[]).is_empty_of_endings() {
            return legal(grid, None, Some(self.railed.clash_of_endings()));
        }
        let mut others = keep.to_vec();
        others.extend(self.next_endings());
        let note =
            if others.len() > 1 { ChoiceNote::StepWidened } else { ChoiceNote::StepTooSmall };
        legal(Grid::new(self.endings, allowed, &others), Some(note), None)
    }

    /// Right endings beyond a step, but not far beyond, on either side.
    fn next_endings(&self) -> impl Iterator<Item = Cents> {
        let (past, policy) = (&self.case.past, &self.case.policy);
        let narrow = self.railed.narrow;
        let step =
            within(past.day_ago.unwrap_or(self.base), (WIDEN_MAX * policy.step_max).min(1.0));
        let month = within(past.month_ago.unwrap_or(self.base), policy.step_30d_max);
        let below = self.endings.at_or_below(Cents(narrow.low.0 - 1));
        let above = self.endings.at_or_above(Cents(narrow.high.0 + 1));
        let wide = self.railed.wide;
        let fits =
            move |&price: &Cents| [step, month, wide].iter().all(|&bounds| holds(bounds, price));
        below.into_iter().chain([above]).filter(fits)
    }

    fn weigh(&self, model: &Model, pick: u64) -> Choice {
        let mut search = Search::new(&model.sample);
        let legal = self.legal(model);
        let (unconstrained, rails) = self.effects(model, &mut search, &legal);
        let best = search.best(&legal.grid, model.margin).unwrap_or(self.base);
        let mut notes = Vec::new();
        let exploit = self.exploit(model, &mut search, &legal, best, &mut notes);
        let (price, exploration) =
            match self.trial(model, &mut search, &legal, [best, exploit], pick) {
                Ok((drawn, loss_share)) => {
                    notes = vec![ChoiceNote::Trial];
                    let exploration = Exploration {
                        not_exploring: None,
                        propensity: drawn.propensity,
                        expected_price: Some(drawn.expected_price),
                        exploit: Some(exploit),
                        loss_share,
                    };
                    (drawn.price, exploration)
                }
                Err(why) => {
                    let exploration = Exploration {
                        not_exploring: Some(why),
                        propensity: 1.0,
                        expected_price: None,
                        exploit: Some(exploit),
                        loss_share: 0.0,
                    };
                    (exploit, exploration)
                }
            };
        let bound = rails.iter().filter(|effect| effect.best_before != effect.best_after);
        let bound: Vec<ChoiceNote> = bound.map(|effect| ChoiceNote::AtRail(effect.rail)).collect();
        let trusted = model.trusted;
        if bound.is_empty() && (unconstrained == trusted.low || unconstrained == trusted.high) {
            notes.push(ChoiceNote::EvidenceRange);
        }
        notes.extend(bound);
        notes.extend(legal.note);
        let status = match legal.clash {
            Some(clash) => ChoiceStatus::Infeasible(clash),
            None if exploration.is_exploring() => ChoiceStatus::Exploring,
            None if price == self.base => ChoiceStatus::Kept,
            None => ChoiceStatus::Moved,
        };
        let against = self.case.past.current.filter(|_| model.has_level);
        let change = |to: Cents| against.map(|from| model.change(from, to));
        Choice {
            bounds: legal.clash.is_none().then_some(self.railed.narrow),
            unconstrained: Some(unconstrained),
            best: Some(Candidate { price: best, change: change(best) }),
            rails,
            change: change(price),
            exploration,
            ..Choice::plain(Some(price), status, notes)
        }
    }

    /// The price without a trial, and why.
    fn exploit(
        &self,
        model: &Model,
        search: &mut Search<'_>,
        legal: &Legal<'_>,
        best: Cents,
        notes: &mut Vec<ChoiceNote>,
    ) -> Cents {
        if let Some(clash) = legal.clash {
            notes.push(ChoiceNote::Clash(clash));
            return legal.grid.nearest(self.base.0 as f64).unwrap_or(self.base);
        }
        if !self.keeps() {
            let brought = self.railed.breached.iter().find(|rail| rail.is_hard());
            notes.extend(brought.map(|&rail| ChoiceNote::BroughtInside(rail)));
        }
        if !model.is_identified {
            notes.push(ChoiceNote::NoEvidence);
            return legal.grid.nearest(self.base.0 as f64).unwrap_or(self.base);
        }
        if !self.keeps() {
            notes.push(ChoiceNote::Best);
            return best;
        }
        if self.dwells() {
            notes.push(ChoiceNote::Dwell);
            return self.base;
        }
        if best == self.base {
            notes.push(ChoiceNote::AlreadyBest);
            return best;
        }
        let (now, then) = (search.worth(self.base, model.margin), search.worth(best, model.margin));
        let change = model.change(self.base, best);
        let is_noise = change.probability_better < CHANCE_MIN
            || then - now < GAIN_MIN * now.abs().max(then.abs());
        notes.push(if is_noise { ChoiceNote::GainIsNoise } else { ChoiceNote::Best });
        if is_noise { self.base } else { best }
    }

    /// Whether the price is too new to change.
    fn dwells(&self) -> bool {
        let dwell_ms = self.case.policy.explore.dwell_days * DAY_MS as f64;
        let since = self.case.past.since;
        since.is_some_and(|since| (self.case.at.since_ms(since) as f64) < dwell_ms)
    }

    /// A drawn price with its expected loss, or why there is none.
    fn trial(
        &self,
        model: &Model,
        search: &mut Search<'_>,
        legal: &Legal<'_>,
        [best, exploit]: [Cents; 2],
        pick: u64,
    ) -> Result<(Drawn, f64), NoTrial> {
        let (case, explore) = (self.case, &self.case.policy.explore);
        let dwell_ms = explore.dwell_days * DAY_MS as f64;
        let sold_out = case.past.sold_out_at;
        let cools = sold_out.is_some_and(|then| (case.at.since_ms(then) as f64) < dwell_ms);
        let is_empty = |stock: Stock| stock.units == 0;
        if !explore.enabled {
            return Err(NoTrial::Disabled);
        }
        if !case.may_explore {
            return Err(NoTrial::NotDrawn);
        }
        if legal.clash.is_some() || !self.keeps() {
            return Err(NoTrial::NotFree);
        }
        if self.dwells() {
            return Err(NoTrial::Dwell);
        }
        if cools || case.stock.is_some_and(is_empty) {
            return Err(NoTrial::SoldOut);
        }
        let mut lottery = Lottery {
            search,
            margin: model.margin,
            grid: &legal.grid,
            elasticity: model.elasticity,
            known_best: if model.is_identified { best } else { exploit },
            exploit,
            loss_max: explore.loss_max,
        };
        lottery.loss_share(exploit).ok_or(NoTrial::NothingToRisk)?;
        let drawn = if model.is_steady { lottery.forced(pick) } else { lottery.thompson(pick) };
        let drawn = drawn.ok_or(NoTrial::OnePrice)?;
        let loss_share = lottery.loss_share(drawn.price).ok_or(NoTrial::NothingToRisk)?;
        Ok((drawn, loss_share))
    }

    /// The best trusted price of all, and what each guard-rail takes from it.
    fn effects(
        &self,
        model: &Model,
        search: &mut Search<'_>,
        legal: &Legal<'_>,
    ) -> (Cents, Vec<RailEffect>) {
        let any = Endings::any();
        let best_of = |search: &mut Search<'_>, bounds: Bounds| {
            let grid = Grid::new(&any, self.believed(model, bounds), &[]);
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
            let after = if holds(self.believed(model, stage.after), best) {
                best
            } else {
                best_of(search, stage.after)
            };
            compare(search, stage.rail, [stage.before, stage.after], [best, after]);
            best = after;
        }
        if !self.case.policy.endings.is_empty() {
            let narrow = self.railed.narrow;
            if let Some(after) = search.best(&legal.grid, model.margin) {
                compare(search, Rail::Endings, [narrow, narrow], [best, after]);
            }
        }
        (unconstrained, effects)
    }

    /// Expectations over the trusted prices.
    fn curve(&self, model: &Model, n: usize, choice: &Choice) -> Vec<CurvePoint> {
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

fn effect(rail: Rail, before: Bounds, after: Bounds) -> RailEffect {
    RailEffect { rail, before, after, best_before: None, best_after: None, cost_per_week: None }
}

fn status_of(missing: ChoiceNote) -> ChoiceStatus {
    match missing {
        ChoiceNote::NoGuardRails | ChoiceNote::CostUnknown => ChoiceStatus::CostUnknown,
        ChoiceNote::NotAPrice => ChoiceStatus::Kept,
        _ => ChoiceStatus::UnknownDemand,
    }
}
