//! One category, given its items: period effects, promotion, and a common shift of its items' elasticities.
//!
//! Items and periods explain each other where prices of a category move together, and steps on one after the
//! other would creep. So the shift that all elasticities share is found together with the effects, which are
//! eliminated first: the effects' part of the information is diagonal, and what is left is three by three
//! (Frisch and Waugh, "Partial time regressions as compared with individual trends", Econometrica 1933, for
//! weighted rows).

use super::{
    dispersion::Spread,
    panel::Panel,
    state::Category,
    symmetric::{Symmetric3, Triple},
};

/// Longest step of a common coefficient or of an effect in one sweep.
const STEP_MAX: f64 = 1.0;

/// What all rows of a category say, by period and together.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    /// By period: score, information, and information times log price, competitors' log price and promotion; and times
    /// log price once more, of prices that the merchant asked.
    periods: Vec<[f64; 6]>,
    gradient: Triple,
    information: Symmetric3,
    pub(super) spread: Spread,
}

impl Sums {
    pub(super) fn new(n_periods: usize) -> Self {
        Self {
            periods: vec![[0.0; 6]; n_periods],
            gradient: [0.0; 3],
            information: Symmetric3::default(),
            spread: Spread::default(),
        }
    }

    /// Adds the rows of one item.
    pub(super) fn add_item(
        &mut self,
        panel: &Panel,
        item: usize,
        coefficients: Triple,
        category: &Category,
    ) {
        for row in panel.rows(item).iter() {
            let fitted = category.fitted(&row, coefficients);
            let z = [row.log_price, row.log_competitor, row.promotion];
            let [score, weight, parts @ .., asked] = &mut self.periods[row.period];
            *score += fitted.score;
            *weight += fitted.weight;
            *asked += if row.is_decided { 0.0 } else { fitted.weight * row.log_price };
            for k in 0..3 {
                parts[k] += fitted.weight * z[k];
                self.gradient[k] += fitted.score * z[k];
            }
            self.information.add_outer(fitted.weight, z);
            self.spread.add(row.units, &fitted);
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (sum, x) in self.periods.iter_mut().zip(&other.periods) {
            sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
        }
        self.gradient.iter_mut().zip(other.gradient).for_each(|(sum, x)| *sum += x);
        self.information.add(&other.information);
        self.spread.merge(&other.spread);
    }
}

/// What draws the common coefficients towards their expectation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pull {
    /// How far each lies above what is expected of it.
    pub(super) excess: Triple,
    /// `1 /` the variance of what is expected.
    pub(super) precision: Triple,
}

/// Moves the category's promotion and effects; returns what to add to every item's coefficients.
pub(super) fn step(category: &mut Category, sums: &Sums, pull: Pull) -> Triple {
    let mut gradient = sums.gradient;
    let mut information = sums.information;
    for (gradient, (excess, precision)) in
        gradient.iter_mut().zip(pull.excess.iter().zip(pull.precision))
    {
        *gradient -= excess * precision;
    }
    information.add_diagonal(pull.precision);
    category.information = sums.periods.iter().map(|period| period[1]).collect();
    let asked = |period: &[f64; 6]| if period[1] > 0.0 { period[5] / period[1] } else { 0.0 };
    category.asked = sums.periods.iter().map(asked).collect();
    let effects = |category: &Category, period: usize| {
        let variance = category.effect_variances[period];
        (variance > 0.0).then(|| {
            let [score, weight, x, c, p, _] = sums.periods[period];
            let excess = category.effects[period] - category.effect_means[period];
            (score - excess / variance, weight + 1.0 / variance, [x, c, p])
        })
    };
    for period in 0..sums.periods.len() {
        if let Some((score, weight, parts)) = effects(category, period) {
            information.add_outer(-1.0 / weight, parts);
            for (gradient, part) in gradient.iter_mut().zip(parts) {
                *gradient -= part * score / weight;
            }
        }
    }
    category.promotion_variance = information.inverse().at(2, 2);
    let shift = information.solve(gradient).map(|step| step.clamp(-STEP_MAX, STEP_MAX));
    for period in 0..sums.periods.len() {
        if let Some((score, weight, parts)) = effects(category, period) {
            let explained: f64 = parts.iter().zip(shift).map(|(part, shift)| part * shift).sum();
            let step = ((score - explained) / weight).clamp(-STEP_MAX, STEP_MAX);
            category.effects[period] += step;
            let [score, weight, ..] = sums.periods[period];
            category.scores[period] = score - explained - weight * step;
        }
    }
    category.promotion += shift[2];
    [recentre(category), shift[0], shift[1]]
}

/// Moves what all effects share to where the prior has it, the rest being the items' level, which is
/// returned: the rows cannot tell the two apart.
fn recentre(category: &mut Category) -> f64 {
    let (mut precision, mut excess) = (0.0, 0.0);
    let expected = category.effect_means.iter().zip(&category.effect_variances);
    for (effect, (mean, variance)) in category.effects.iter().zip(expected) {
        if *variance > 0.0 {
            precision += variance.recip();
            excess += (effect - mean) / variance;
        }
    }
    let level = if precision > 0.0 { excess / precision } else { 0.0 };
    if level != 0.0 {
        category.effects.iter_mut().for_each(|effect| *effect -= level);
    }
    level
}
