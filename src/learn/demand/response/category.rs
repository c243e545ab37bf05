//! One category, given its items: period effects, promotion, and a common shift of its items' elasticities.
//!
//! Items and periods explain each other where prices of a category move together, and steps on one after the
//! other would creep. So the shift that all elasticities share is found together with the effects, which are
//! eliminated first: the effects' part of the information is diagonal, and what is left is three by three
//! (Frisch and Waugh, "Partial time regressions as compared with individual trends", Econometrica 1933, for
//! weighted rows).

use super::{
    dispersion::Spread,
    panel::{Panel, Row},
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
    /// Of the merchant's prices, over each item's mean: sum of squares by information.
    asked_square: f64,
    gradient: Triple,
    information: Symmetric3,
    pub(super) spread: Spread,
}

impl Sums {
    pub(super) fn new(n_periods: usize) -> Self {
        Self {
            periods: vec![[0.0; 6]; n_periods],
            asked_square: 0.0,
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
        let asked_mean = mean(asked(panel, item).map(|row| row.log_price));
        for row in panel.rows(item).iter() {
            let fitted = category.fitted(&row, coefficients);
            let z = [row.log_price, row.log_competitor, row.promotion];
            let [score, weight, parts @ .., asked] = &mut self.periods[row.period];
            *score += fitted.score;
            *weight += fitted.weight;
            if !row.is_decided {
                // Over the merchant's own mean: what pricing did since is no answer to a week.
                let log = row.log_price - asked_mean;
                *asked += fitted.weight * log;
                self.asked_square += fitted.weight * log * log;
            }
            for k in 0..3 {
                parts[k] += fitted.weight * z[k];
                self.gradient[k] += fitted.score * z[k];
            }
            self.information.add_outer(fitted.weight, z);
            self.spread.add(row.units, &fitted);
        }
    }

    /// By period, the mean that the merchant asked over the items' own means.
    ///
    /// Where all prices of a category move together, what they do and what goes with them cannot be told apart; then it is
    /// put down to them, as if nothing had been asked: the means count by the spread of prices within periods over that
    /// between them, at most in full.
    fn asked(&self) -> Vec<f64> {
        let means = self.periods.iter();
        let means: Vec<f64> =
            means.map(|period| if period[1] > 0.0 { period[5] / period[1] } else { 0.0 }).collect();
        let squares = self.periods.iter().zip(&means).map(|(period, mean)| period[1] * mean * mean);
        let between: f64 = squares.sum();
        let within = (self.asked_square - between).max(0.0);
        let share = if between > 0.0 { (within / between).min(1.0) } else { 0.0 };
        means.into_iter().map(|mean| share * mean).collect()
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (sum, x) in self.periods.iter_mut().zip(&other.periods) {
            sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
        }
        self.asked_square += other.asked_square;
        self.gradient.iter_mut().zip(other.gradient).for_each(|(sum, x)| *sum += x);
        self.information.add(&other.information);
        self.spread.merge(&other.spread);
    }
}

/// The rows of an item whose prices the merchant asked.
fn asked(panel: &Panel, item: usize) -> impl Iterator<Item = Row> + '_ {
    panel.rows(item).iter().filter(|row| !row.is_decided)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (n, sum) = values.fold((0.0, 0.0), |(n, sum), value| (n + 1.0, sum + value));
    if n > 0.0 { sum / n } else { 0.0 }
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
    category.asked = sums.asked();
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
