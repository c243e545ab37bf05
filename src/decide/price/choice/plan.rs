//! Plans how an item's stock is sold by a date, at prices that its rules allow and by the demand that is believed in.

use super::{
    case::{Case, ChoicePolicy, Goal},
    choose::Desk,
    grid::{Endings, Grid},
    lot::Lot,
    markdown::{LeftOver, MarkdownError, Offer, PricePath},
    model::{Model, is_sound_policy},
    note::ChoiceNote,
    rails::{holds, lay},
};
use crate::{decide::price::Bounds, domain::Cents};

/// Prices that are compared at once.
const N_PRICES: usize = 60;
/// Prices of the path lie between the best single one over this and times this. Our choice.
const AROUND: i64 = 4;

/// Why there is no plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NoPlan {
    /// What a choice of a price would say.
    Because(ChoiceNote),
    /// It is too much to reckon, or no numbers.
    Markdown(MarkdownError),
}

/// A stock that is to be sold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clearance {
    /// Units on hand.
    pub units: u64,
    /// Weeks until the end; above 0.
    pub weeks: f64,
    /// What a unit brings that is left at the end; minor units.
    pub salvage: f64,
}

/// How a stock is best sold by a date. Money in minor units, salvage included, fees taken off.
#[derive(Clone, Debug, PartialEq)]
pub struct MarkdownPlan {
    /// What it is for, in as many steps of equal length as there are weeks, rounded up.
    pub left: LeftOver,
    /// Between which prices it looks.
    pub bounds: Bounds,
    /// Whether the best price that stays is the lowest or the highest that is believed: one beyond might bring more.
    pub is_at_evidence: bool,
    /// The present price and what it would bring if it stayed; `None` if there is none.
    pub now: Option<(Cents, f64)>,
    /// The best price that stays throughout.
    pub single: (Cents, f64),
    /// The best price for each week and stock.
    pub path: PricePath,
}

/// The plan for one item; money in minor units.
///
/// Prices are those that every guard-rail but the largest steps allows, within the range that is believed; the mean of
/// what is believed of demand without a promotion counts, and stays what it is, the competitors' prices included.
///
/// # Errors
///
/// Where a price could not be chosen either, or the plan is too long.
pub fn plan_markdown(case: &Case, stock: Clearance) -> Result<MarkdownPlan, NoPlan> {
    let because = NoPlan::Because;
    let current = case.past.current;
    let base = current.or(case.list).ok_or(because(ChoiceNote::NoListPrice))?;
    if !is_sound_policy(&case.policy) {
        return Err(because(ChoiceNote::PolicyBroken));
    }
    if base.0 <= 0 {
        return Err(because(ChoiceNote::NotAPrice));
    }
    // The stock is what is planned here: its shadow price would count it twice. What it cost is spent.
    let policy = ChoicePolicy { goal: Goal::Revenue, ..case.policy.clone() };
    let case = Case { stock: None, policy, ..case.clone() };
    let railed = lay(&case, base);
    if let Some(clash) = railed.clash {
        return Err(because(ChoiceNote::Clash(clash)));
    }
    let endings = Endings::new(&case.policy.endings);
    let model = Model::of(&case, base, Lot::of(&case).seed).map_err(because)?;
    if !model.has_level {
        return Err(because(ChoiceNote::DemandUnknown));
    }
    if !model.is_identified {
        return Err(because(ChoiceNote::NoEvidence));
    }
    let desk = Desk { case: &case, base, railed: &railed, endings: &endings };
    let mut keep: Vec<Cents> = desk.keeps().then_some(base).into_iter().collect();
    let bounds = model.believed(railed.wide);
    if Grid::new(&endings, bounds, &[]).is_empty_of_endings() {
        // The next endings beyond are better than none, as they are to a choice.
        let below = endings.at_or_below(Cents(bounds.low.0 - 1));
        let above = endings.at_or_above(Cents(bounds.high.0 + 1));
        let beyond = below.into_iter().chain([above]);
        keep.extend(beyond.filter(|&price| holds(railed.wide, price)));
    }
    let steps = stock.weeks.ceil().clamp(1.0, f64::from(u32::MAX));
    let left = LeftOver { units: stock.units, weeks: steps as u32, salvage: stock.salvage };
    let step = (stock.weeks / steps).min(1.0);
    let offer = |&price: &Cents| Offer {
        price: price.0 as f64,
        money: price.0 as f64 * (1.0 - case.policy.fee_share),
        demand: step * model.sample.units(price.0 as f64),
    };
    let value = |price: &Cents| left.value_of(&offer(price));
    let best = best_single(&Grid::new(&endings, bounds, &keep), value);
    let best = best.ok_or(because(ChoiceNote::NoEnding))?;
    // The prices of the path lie around it: a week with little left is dear, one with much is cheap, within reason.
    let around = Bounds { low: Cents(best.0 / AROUND), high: Cents(best.0.saturating_mul(AROUND)) };
    let near = Bounds { low: bounds.low.max(around.low), high: bounds.high.min(around.high) };
    let others: Vec<Cents> = keep.iter().copied().chain([best]).collect();
    let mut prices = Grid::new(&endings, near, &others).spread(N_PRICES);
    prices.extend(&others);
    prices.sort_unstable();
    prices.dedup();
    let offers: Vec<Offer> = prices.iter().map(offer).collect();
    let path = left.path(&offers).map_err(NoPlan::Markdown)?;
    let now = current.map(|price| (price, value(&price)));
    let is_at_evidence = best == model.trusted.low || best == model.trusted.high;
    Ok(MarkdownPlan { left, bounds, is_at_evidence, now, single: (best, value(&best)), path })
}

/// The best price of a grid, whose values have one hump: the best of some, then of some between its neighbours, until
/// there are none between. The lower of two equally good ones.
fn best_single(grid: &Grid<'_>, value: impl Fn(&Cents) -> f64) -> Option<Cents> {
    let mut prices = grid.spread(N_PRICES);
    loop {
        let values: Vec<f64> = prices.iter().map(&value).collect();
        let mut best = 0;
        for (at, &value) in values.iter().enumerate() {
            if value > values[best] {
                best = at;
            }
        }
        let top = *prices.get(best)?;
        let low = prices[best.saturating_sub(1)];
        let high = prices[(best + 1).min(prices.len() - 1)];
        if grid.between(low, top).is_none() && grid.between(top, high).is_none() {
            return Some(top);
        }
        let ratio = high.0 as f64 / low.0 as f64;
        let steps = N_PRICES as f64 - 1.0;
        let wanted = (0..N_PRICES).map(|step| low.0 as f64 * ratio.powf(step as f64 / steps));
        prices = wanted.filter_map(|price| grid.nearest(price)).collect();
        prices.extend([low, top, high]);
        prices.extend(grid.between(low, top).into_iter().chain(grid.between(top, high)));
        prices.retain(|price| (low..=high).contains(price));
        prices.sort_unstable();
        prices.dedup();
    }
}
