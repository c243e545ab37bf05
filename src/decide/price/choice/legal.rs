//! Which prices are legal once endings are seen to, and what happens where none is.

use super::{
    choose::Desk,
    grid::Grid,
    model::Model,
    note::ChoiceNote,
    rails::{Clash, holds, within},
};
use crate::{decide::price::Bounds, domain::Cents};

/// How many times the largest step an ending may lie away if none lies within it. Our choice.
const WIDEN_MAX: f64 = 2.0;

/// The legal prices of a case.
pub(super) struct Legal<'a> {
    pub(super) grid: Grid<'a>,
    pub(super) note: Option<ChoiceNote>,
    /// Set if no ending is left.
    pub(super) clash: Option<Clash>,
}

impl Desk<'_> {
    /// The present price, or the nearest within bounds, with a right ending if one lies there.
    pub(super) fn inside(&self, bounds: Bounds, notes: &mut Vec<ChoiceNote>) -> Cents {
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

    /// Whether the price may stay.
    pub(super) fn keeps(&self) -> bool {
        holds(self.railed.wide, self.base)
    }

    /// The prices to choose among. The present price is one wherever no rail but a step forbids it: to stay is no step.
    pub(super) fn legal<'a>(&'a self, model: &Model) -> Legal<'a> {
        let narrow = self.railed.narrow;
        let allowed = model.believed(narrow);
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
}
