//! What is known of an item, made ready for choosing; or what of it is missing.

use super::{
    case::{Case, ChoicePolicy, Goal},
    note::ChoiceNote,
    objective::Margin,
    outcome::Change,
    rails::{believable, down, up},
    sample::{Sample, is_sound},
    stock::opportunity,
};
use crate::{
    decide::price::Bounds,
    domain::{Cents, money::CENTS_MAX},
    learn::demand::response::{Evidence, Grade, evidence::PRICE_SD_MIN},
};

/// Ratio to the prices tried beyond which a price must be of another unit or currency: cents for euros are 100.
const ELSEWHERE: f64 = 10.0;

/// Difference of the shadow price from nothing, in shares of the price, that is worth telling.
const SHADOW_MIN: f64 = 1e-3;

/// Demand, costs and what may be believed of them.
pub(super) struct Model {
    pub(super) sample: Sample,
    /// With the shadow price of stock.
    pub(super) margin: Margin,
    /// Without it.
    pub(super) plain: Margin,
    /// Prices near those that were tried.
    pub(super) trusted: Bounds,
    /// Whether the item's own sales say how demand answers to price.
    pub(super) is_identified: bool,
    /// Whether the level of demand is known, not only its shape.
    pub(super) has_level: bool,
    /// Whether prices were too steady to learn from.
    pub(super) is_steady: bool,
    /// Mean and standard deviation of the elasticity, before bounds.
    pub(super) elasticity: [f64; 2],
}

impl Model {
    /// Of a case whose policy is sound.
    pub(super) fn of(case: &Case, base: Cents, seed: u64) -> Result<Self, ChoiceNote> {
        let (limits, policy) = (&case.limits, &case.policy);
        let cost = case.cost.filter(|cost| cost.0 >= 0);
        let bounds =
            [limits.price_min, limits.price_max, limits.advertised_min, limits.recommended_max];
        let counts_cost = !matches!(policy.goal, Goal::Revenue | Goal::Units);
        if cost.is_none() && bounds.iter().all(Option::is_none) {
            return Err(ChoiceNote::NoGuardRails);
        }
        if cost.is_none() && (counts_cost || limits.price_min.is_none()) {
            return Err(ChoiceNote::CostUnknown);
        }
        let belief = case.demand.as_ref().ok_or(ChoiceNote::DemandUnknown)?;
        if !is_sound(belief) {
            return Err(ChoiceNote::DemandBroken);
        }
        let trusted = trusted(belief.evidence.as_ref(), base, policy.step_max)?;
        let competitor = believable(case, base).map(|index| index.price);
        let sample = Sample::of(belief, competitor, seed);
        let cost = cost.map_or(0.0, |cost| cost.0 as f64);
        let plain = Margin::of(policy.goal, policy.fee_share, cost);
        let mut margin = plain;
        if let Some(stock) = &case.stock {
            let range = [trusted.low.0 as f64, trusted.high.0 as f64];
            let salvage = plain.offset * policy.salvage_share;
            margin.offset = opportunity(stock, &sample, plain, salvage, range);
        }
        let evidence = belief.evidence.as_ref();
        Ok(Self {
            margin,
            plain,
            trusted,
            is_identified: evidence.is_some_and(|evidence| evidence.grade != Grade::E),
            has_level: evidence.is_some(),
            is_steady: evidence.is_none_or(|evidence| evidence.price_sd < PRICE_SD_MIN),
            elasticity: [belief.coefficients[1], belief.covariance.at(1, 1).sqrt()],
            sample,
        })
    }

    /// Trusted prices within bounds; where those share none, the end nearest to them.
    pub(super) fn believed(&self, bounds: Bounds) -> Bounds {
        Bounds { low: bounds.clamp(self.trusted.low), high: bounds.clamp(self.trusted.high) }
    }

    /// What a unit of stock is worth above its cost.
    pub(super) fn shadow_price(&self) -> f64 {
        self.margin.offset - self.plain.offset
    }

    /// What stock does to the price, if it is worth telling.
    pub(super) fn stock_note(&self, base: Cents) -> Option<ChoiceNote> {
        let share = self.shadow_price() / base.0 as f64;
        match share {
            share if share > SHADOW_MIN => Some(ChoiceNote::StockScarce),
            share if share < -SHADOW_MIN => Some(ChoiceNote::StockAmple),
            _ => None,
        }
    }

    /// What a change of price does to the objective of a week.
    pub(super) fn change(&self, from: Cents, to: Cents) -> Change {
        if from == to {
            return Change::default();
        }
        let worth = |price: Cents| {
            let price = price.0 as f64;
            let margin = self.margin.at(price);
            self.sample.units_by_draw(price).map(move |units| margin * units)
        };
        let mut gains: Vec<f64> = worth(to).zip(worth(from)).map(|(to, from)| to - from).collect();
        let n = gains.len();
        let mean = gains.iter().sum::<f64>() / n as f64;
        let better = gains.iter().filter(|&&gain| gain > 0.0).count();
        let mut at = |share: f64| {
            let position = ((n - 1) as f64 * share).round() as usize;
            *gains.select_nth_unstable_by(position, f64::total_cmp).1
        };
        Change { mean, q10: at(0.1), q90: at(0.9), probability_better: better as f64 / n as f64 }
    }
}

/// From a step below the lowest price tried to a step above the highest: nothing is believed beyond.
fn trusted(evidence: Option<&Evidence>, base: Cents, step: f64) -> Result<Bounds, ChoiceNote> {
    let base = base.0 as f64;
    let (low, high) = evidence.map_or((base, base), |seen| (seen.price_min, seen.price_max));
    if base > high * ELSEWHERE || base < low / ELSEWHERE {
        return Err(ChoiceNote::EvidenceElsewhere);
    }
    let (low, high) = (up(low * (1.0 - step)), down(high * (1.0 + step)));
    let low = low.clamp(Cents(1), Cents(CENTS_MAX));
    Ok(Bounds { low, high: high.clamp(low, Cents(CENTS_MAX)) })
}

/// Whether the rules can be reckoned with; they are checked where they come from, but not where a kept case does.
pub(super) fn is_sound_policy(policy: &ChoicePolicy) -> bool {
    let share = |x: f64| (0.0..=1.0).contains(&x);
    let amount = |x: f64| x.is_finite() && x >= 0.0;
    share(policy.step_max)
        && amount(policy.step_30d_max)
        && amount(policy.margin_floor)
        && share(policy.fee_share)
        && share(policy.salvage_share)
        && policy.corridor.is_none_or(|[low, high]| amount(low) && high.is_finite())
        && amount(policy.explore.loss_max)
        && amount(policy.explore.dwell_days)
        && match policy.goal {
            Goal::Mixture(part) => share(part),
            Goal::Profit | Goal::Revenue | Goal::Units => true,
        }
}
