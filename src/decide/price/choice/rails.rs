//! Guard-rails: what the law, contracts, the merchant and the market leave of a price, in a stated order.
//!
//! Law, contracts, margin and the merchant's bounds are *hard*: a price outside of them is brought inside at once, even
//! if that takes more than a step, because the merchant set them and days below cost are worse than a leap. Corridor
//! and product line are kept where the present price allows it, and else approached by steps. So a step never makes
//! the set of prices empty; all other rails may, and then nothing moves.

use super::{
    case::{Case, CompetitorIndex},
    note::ChoiceNote,
};
use crate::{
    decide::price::Bounds,
    domain::{Cents, money::CENTS_MAX},
};
use serde::{Deserialize, Serialize};

/// Share of the cost below which a competitors' price is taken for a mistake.
const INDEX_OVER_COST_MIN: f64 = 0.5;

/// Ratio to the present price beyond which a competitors' price is taken for one of another unit or pack. Our choice.
const INDEX_RATIO_MAX: f64 = 8.0;

/// Relative error of a product of two floats, with a margin: 1400 · 1.05 is 1470, not a cent more.
const ROUNDING: f64 = 4.0 * f64::EPSILON;

/// A guard-rail; in the order in which they hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rail {
    /// The price may not change for now.
    Frozen,
    /// Advertised minimum and recommended maximum.
    Contract,
    /// Cost and the least margin.
    MarginFloor,
    /// The merchant's lowest and highest price.
    Merchant,
    /// Shares of the competitors' index.
    Corridor,
    /// Largest change at once.
    Step,
    /// Largest change in 30 days.
    Step30d,
    /// What other packs and variants leave.
    Line,
    /// Last digits.
    Endings,
}

impl Rail {
    /// The name in the HTTP contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Frozen => "frozen",
            Self::Contract => "contract",
            Self::MarginFloor => "margin_floor",
            Self::Merchant => "merchant",
            Self::Corridor => "corridor",
            Self::Step => "step",
            Self::Step30d => "step_30d",
            Self::Line => "line",
            Self::Endings => "endings",
        }
    }

    /// For a sentence.
    pub(super) fn phrase(self) -> &'static str {
        match self {
            Self::Frozen => "the freeze of the price",
            Self::Contract => "the price agreed by contract",
            Self::MarginFloor => "the margin over cost",
            Self::Merchant => "the bounds price_min and price_max",
            Self::Corridor => "the corridor around competitors' prices",
            Self::Step => "the largest step",
            Self::Step30d => "the largest change in 30 days",
            Self::Line => "the product line",
            Self::Endings => "the endings of prices",
        }
    }

    /// The verb of that sentence.
    pub(super) fn lets(self) -> &'static str {
        match self {
            Self::Merchant | Self::Endings => "let",
            _ => "lets",
        }
    }

    /// Whether a price outside is brought inside at once.
    pub(super) fn is_hard(self) -> bool {
        self <= Self::Merchant
    }
}

/// Two guard-rails between which no price is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clash {
    /// The stronger.
    pub first: Rail,
    /// The weaker.
    pub second: Rail,
}

/// One guard-rail that took prices away.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stage {
    pub(super) rail: Rail,
    pub(super) before: Bounds,
    pub(super) after: Bounds,
}

/// What the guard-rails leave, endings not yet seen to.
#[derive(Clone, Debug)]
pub(super) struct Railed {
    pub(super) stages: Vec<Stage>,
    /// What the hard ones leave.
    pub(super) hard: Bounds,
    /// What all but the steps leave.
    pub(super) wide: Bounds,
    /// What all leave.
    pub(super) narrow: Bounds,
    pub(super) clash: Option<Clash>,
    /// Rails that the present price is outside of.
    pub(super) breached: Vec<Rail>,
    pub(super) notes: Vec<ChoiceNote>,
    setters: Setters,
}

/// Which rails set the bounds.
#[derive(Clone, Copy, Debug, Default)]
struct Setters {
    low: Option<Rail>,
    high: Option<Rail>,
}

const EVERY_PRICE: Bounds = Bounds { low: Cents(1), high: Cents(CENTS_MAX) };

/// A whole price of at least `amount`.
pub(super) fn up(amount: f64) -> Cents {
    Cents((amount * (1.0 - ROUNDING)).ceil() as i64)
}

/// A whole price of at most `amount`.
pub(super) fn down(amount: f64) -> Cents {
    Cents((amount * (1.0 + ROUNDING)).floor() as i64)
}

/// The prices within a share of `from`, rounded inwards: a price of a few cents may not move at all.
pub(super) fn within(from: Cents, share: f64) -> Bounds {
    let from = from.0.max(0) as f64;
    let low = up(from * (1.0 - share));
    Bounds { low, high: down(from * (1.0 + share)).max(low) }
}

pub(super) fn holds(bounds: Bounds, price: Cents) -> bool {
    bounds.low <= price && price <= bounds.high
}

/// What two bounds share; `None` if nothing.
fn shared(a: Bounds, b: Bounds) -> Option<Bounds> {
    let both = Bounds { low: a.low.max(b.low), high: a.high.min(b.high) };
    (both.low <= both.high).then_some(both)
}

/// The price of `bounds` nearest to other bounds that share none with them.
fn end_towards(bounds: Bounds, other: Bounds) -> Bounds {
    let end = if other.high < bounds.low { bounds.low } else { bounds.high };
    Bounds { low: end, high: end }
}

/// Lays the guard-rails around `base`, the price in force or else the list price.
pub(super) fn lay(case: &Case, base: Cents) -> Railed {
    let mut railed = Railed {
        stages: Vec::new(),
        hard: EVERY_PRICE,
        wide: EVERY_PRICE,
        narrow: EVERY_PRICE,
        clash: None,
        breached: Vec::new(),
        notes: Vec::new(),
        setters: Setters::default(),
    };
    let (limits, policy) = (&case.limits, &case.policy);
    let either = |low: Option<Cents>, high: Option<Cents>| Bounds {
        low: low.unwrap_or(EVERY_PRICE.low),
        high: high.unwrap_or(EVERY_PRICE.high),
    };
    let frozen = limits.is_frozen && case.past.current.is_some();
    let floor = case.cost.filter(|cost| cost.0 >= 0 && !limits.is_clearance);
    let floor = floor.map(|cost| up(cost.0 as f64 * (1.0 + policy.margin_floor)));
    let rails = [
        (Rail::Frozen, if frozen { Bounds { low: base, high: base } } else { EVERY_PRICE }),
        (Rail::Contract, either(limits.advertised_min, limits.recommended_max)),
        (Rail::MarginFloor, either(floor, None)),
        (Rail::Merchant, either(limits.price_min, limits.price_max)),
        (Rail::Corridor, corridor(case, base, &mut railed.notes).unwrap_or(EVERY_PRICE)),
        (Rail::Line, limits.line.map_or(EVERY_PRICE, |(low, high)| Bounds { low, high })),
    ];
    for (rail, bounds) in rails {
        if !railed.meet(rail, bounds, base) {
            return railed;
        }
    }
    // All but the steps agree: now in the stated order, with them.
    railed.wide = railed.narrow;
    let others = std::mem::take(&mut railed.stages);
    railed.narrow = railed.hard;
    railed.stages.extend(others.iter().filter(|stage| stage.rail.is_hard()));
    railed.narrow_by(&others, Rail::Corridor, rails[4].1);
    let steps = [
        (Rail::Step, case.past.day_ago.unwrap_or(base), policy.step_max),
        (Rail::Step30d, case.past.month_ago.unwrap_or(base), policy.step_30d_max),
    ];
    for (rail, from, share) in steps {
        railed.step(rail, within(from, share));
    }
    railed.narrow_by(&others, Rail::Line, rails[5].1);
    railed
}

impl Railed {
    /// Narrows to a rail; `false` if nothing is left.
    fn meet(&mut self, rail: Rail, bounds: Bounds, base: Cents) -> bool {
        if bounds == EVERY_PRICE {
            return true;
        }
        if !holds(bounds, base) {
            self.breached.push(rail);
        }
        let Some(both) = shared(self.narrow, bounds) else {
            let first = if bounds.low > bounds.high {
                Some(rail)
            } else if bounds.low > self.narrow.high {
                self.setters.high
            } else {
                self.setters.low
            };
            self.clash = Some(Clash { first: first.unwrap_or(rail), second: rail });
            return false;
        };
        if both.low > self.narrow.low {
            self.setters.low = Some(rail);
        }
        if both.high < self.narrow.high {
            self.setters.high = Some(rail);
        }
        self.narrow_to(rail, both);
        if rail.is_hard() {
            self.hard = self.narrow;
        }
        true
    }

    fn narrow_to(&mut self, rail: Rail, after: Bounds) {
        if after != self.narrow {
            self.stages.push(Stage { rail, before: self.narrow, after });
            self.narrow = after;
        }
    }

    /// Narrows to a rail that agrees with all others but the steps: behind a step, as near to it as that allows.
    fn narrow_by(&mut self, others: &[Stage], rail: Rail, bounds: Bounds) {
        if others.iter().any(|stage| stage.rail == rail) {
            let after = shared(self.narrow, bounds);
            self.narrow_to(rail, after.unwrap_or_else(|| end_towards(self.narrow, bounds)));
        }
    }

    /// Narrows to a step. Where that leaves nothing the present price is far outside: hard bounds are entered at once,
    /// the others approached.
    fn step(&mut self, rail: Rail, bounds: Bounds) {
        let after = shared(self.narrow, bounds).unwrap_or_else(|| {
            let nearest = end_towards(bounds, self.narrow).low;
            let price = self.hard.clamp(nearest);
            let price = if rail == Rail::Step { price } else { self.narrow.clamp(price) };
            Bounds { low: price, high: price }
        });
        self.narrow_to(rail, after);
    }

    /// The rails nearest to each other where no price is left between them for want of an ending.
    pub(super) fn clash_of_endings(&self) -> Clash {
        let first = self.setters.high.or(self.setters.low).unwrap_or(Rail::Endings);
        Clash { first, second: Rail::Endings }
    }
}

/// The index, if it can be a price of this item at all.
pub(super) fn believable(case: &Case, base: Cents) -> Option<CompetitorIndex> {
    let index = case.competitors?;
    let ratio = index.price / base.0 as f64;
    let cost = case.cost.map_or(0.0, |cost| cost.0 as f64);
    let is_price = (INDEX_RATIO_MAX.recip()..=INDEX_RATIO_MAX).contains(&ratio);
    (is_price && index.price >= INDEX_OVER_COST_MIN * cost && index.n_offers > 0).then_some(index)
}

/// Where competitors' prices let this one be; they never lift it.
fn corridor(case: &Case, base: Cents, notes: &mut Vec<ChoiceNote>) -> Option<Bounds> {
    let [low, high] = case.policy.corridor?;
    case.competitors?;
    let Some(index) = believable(case, base) else {
        notes.push(ChoiceNote::CompetitorsOdd);
        return None;
    };
    if !index.may_follow {
        notes.push(ChoiceNote::CompetitorsNotFollowed);
        return None;
    }
    let (low, high) = (up(low * index.price), down(high * index.price));
    Some(Bounds { low: low.min(base), high })
}
