//! Chooses a price.

use super::{
    case::{Case, Stock},
    explain::effect,
    explore::{Drawn, Lottery},
    grid::Endings,
    legal::Legal,
    lot::Lot,
    model::{Model, is_sound_policy},
    note::ChoiceNote,
    objective::Search,
    outcome::{Candidate, Choice, ChoiceStatus, Exploration, NoTrial},
    rails::{Railed, lay},
};
use crate::domain::{Cents, Timestamp, time::DAY_MS};

/// Points of the curve that are spread over the trusted prices; the present, chosen and best prices come beside them.
const N_CURVE: usize = 40;

/// Chance of being better below which a change is noise. Our choice, with [`GAIN_MIN`]: of 6,000 made-up items within
/// 12 % of their best price, whose elasticity is known to 0.15, 0.3, 0.6, the two spare 20, 22, 38 % of the changes for
/// 0.6, 1.1, 7.3 % of the gain. At 0.6 it would be 5 and 25 % of the gain for 0.3 and 0.6.
const CHANCE_MIN: f64 = 0.55;

/// Gain, as a share of the present objective, below which a change is not worth the label. Our choice.
const GAIN_MIN: f64 = 1e-3;

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
pub(super) struct Desk<'a> {
    pub(super) case: &'a Case,
    /// The price in force, or else the list price.
    pub(super) base: Cents,
    pub(super) railed: &'a Railed,
    pub(super) endings: &'a Endings,
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
        let stages = self.railed.stages.iter();
        choice.rails = stages.map(|stage| effect(stage.rail, stage.before, stage.after)).collect();
        choice
    }

    /// Chooses by what is expected of demand.
    fn weigh(&self, model: &Model, pick: u64) -> Choice {
        let mut search = Search::new(&model.sample);
        let legal = self.legal(model);
        let best = search.best(&legal.grid, model.margin).unwrap_or(self.base);
        let (unconstrained, rails) = self.effects(model, &mut search, best);
        let mut notes = Vec::new();
        let exploit = self.exploit(model, &mut search, &legal, best, &mut notes);
        let (price, exploration) = match self.trial(model, &mut search, &legal, exploit, pick) {
            Ok((drawn, loss_share)) => {
                notes = vec![ChoiceNote::Trial];
                (drawn.price, Exploration::drawn(drawn, exploit, loss_share))
            }
            Err(why) => (exploit, Exploration::none(why, Some(exploit))),
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
        let chosen = change(price);
        let best_change = if best == price { chosen } else { change(best) };
        Choice {
            bounds: legal.clash.is_none().then_some(self.railed.narrow),
            unconstrained: Some(unconstrained),
            best: Some(Candidate { price: best, change: best_change }),
            rails,
            change: chosen,
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
        self.is_within_dwell(self.case.past.since)
    }

    /// Whether something happened less than the dwell time ago.
    fn is_within_dwell(&self, then: Option<Timestamp>) -> bool {
        let dwell_ms = self.case.policy.explore.dwell_days * DAY_MS as f64;
        then.is_some_and(|then| (self.case.at.since_ms(then) as f64) < dwell_ms)
    }

    /// A drawn price with its expected loss, or why there is none.
    fn trial(
        &self,
        model: &Model,
        search: &mut Search<'_>,
        legal: &Legal<'_>,
        exploit: Cents,
        pick: u64,
    ) -> Result<(Drawn, f64), NoTrial> {
        let (case, explore) = (self.case, &self.case.policy.explore);
        let is_empty = |stock: Stock| stock.units == 0;
        let is_sold_out = case.past.sold_out_at.is_some_and(|at| at >= case.at);
        if !explore.enabled {
            return Err(NoTrial::Disabled);
        }
        if is_sold_out || case.stock.is_some_and(is_empty) {
            return Err(NoTrial::SoldOut);
        }
        if self.is_within_dwell(case.past.sold_out_at) {
            return Err(NoTrial::CoolDown);
        }
        if case.is_promoted {
            return Err(NoTrial::Promoted);
        }
        if legal.clash.is_some() || !self.keeps() {
            return Err(NoTrial::NotFree);
        }
        if self.dwells() {
            return Err(NoTrial::Dwell);
        }
        // Last, so that an explanation says what keeps the item from being tried even if it were drawn.
        if !case.may_explore {
            return Err(NoTrial::NotDrawn);
        }
        let mut lottery = Lottery {
            search,
            margin: model.margin,
            grid: &legal.grid,
            elasticity: model.elasticity,
            exploit,
            loss_max: explore.loss_max,
        };
        lottery.loss_share(exploit).ok_or(NoTrial::NothingToRisk)?;
        // Whoever is sure of one price may be sure by what history made of other reasons; a small move tells.
        let drawn = if model.is_steady { None } else { lottery.thompson(pick) };
        let drawn = drawn.or_else(|| lottery.forced(pick)).ok_or(NoTrial::OnePrice)?;
        let loss_share = lottery.loss_share(drawn.price).ok_or(NoTrial::NothingToRisk)?;
        Ok((drawn, loss_share))
    }
}

fn status_of(missing: ChoiceNote) -> ChoiceStatus {
    match missing {
        ChoiceNote::NoGuardRails | ChoiceNote::CostUnknown => ChoiceStatus::CostUnknown,
        ChoiceNote::NotAPrice => ChoiceStatus::Kept,
        _ => ChoiceStatus::UnknownDemand,
    }
}
