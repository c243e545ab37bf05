//! All prices at once: a run.

use super::{
    Knowledge, PricePolicies,
    choice::{Case, Choice, ChoiceNote, ChoiceStatus, choose_without_curve, on_trial, slot_of},
    situation::{case_of, standstill},
};
use crate::domain::{Cents, Currency, Item, ItemId, Lottery, PriceEntry, PriceReason, Timestamp};
use rayon::prelude::*;
use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// An item with its prices of late, oldest first.
pub type Priced = (Arc<Item>, Arc<[PriceEntry]>);

/// What a run looks at.
pub struct Facts<'a> {
    /// Items on sale, in any order.
    pub items: &'a [Priced],
    /// What was learned of an item and what others ask for it; trials and product lines are seen to here.
    pub knowledge: &'a (dyn Fn(&Item) -> Knowledge + Sync),
    /// The cost that the item's last price was decided by.
    pub cost_before: &'a (dyn Fn(&ItemId) -> Option<Cents> + Sync),
    /// When.
    pub now: Timestamp,
    /// The shop's rules.
    pub policies: &'a PricePolicies,
    /// The shop's currency.
    pub currency: Currency,
}

/// A price that is to come into force.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// All that it was decided by.
    pub case: Case,
    /// The price.
    pub price: Cents,
    /// Why.
    pub reason: PriceReason,
    /// What is expected of it for a week against the present price; `None` if nothing is known of demand.
    pub gain: Option<f64>,
    /// The cost that the item's last price was decided by.
    pub cost_before: Option<Cents>,
}

impl Decided {
    /// Whether pricing chose the price; else it is the merchant's own.
    pub fn is_chosen(&self) -> bool {
        self.reason != PriceReason::BackToList
    }
}

/// What a run decided.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Book {
    /// Prices that move or are drawn, by item.
    pub decided: Vec<Decided>,
    /// Items that were looked at.
    pub considered: usize,
    /// What became of them, by name.
    pub outcomes: BTreeMap<&'static str, usize>,
}

/// Decides the prices of all items, in parallel on the pool it is called in. The same facts give the same book.
pub fn decide_all(facts: &Facts<'_>) -> Book {
    let mut items: Vec<&Priced> = facts.items.iter().filter(|(item, _)| !item.removed).collect();
    items.sort_by(|(a, _), (b, _)| in_line(facts.policies, a, b));
    let lines: Vec<&[&Priced]> = items
        .chunk_by(|(a, _), (b, _)| a.fields.group.is_some() && a.fields.group == b.fields.group)
        .collect();
    let outcomes: Vec<Vec<Outcome>> =
        lines.par_iter().map(|line| decide_line(facts, line)).collect();
    let mut book = Book { considered: items.len(), ..Book::default() };
    for outcome in outcomes.into_iter().flatten() {
        *book.outcomes.entry(outcome.name).or_default() += 1;
        book.decided.extend(outcome.decided);
    }
    book.decided.sort_by(|a, b| a.case.item.cmp(&b.case.item));
    book
}

/// The order in which prices are settled: members of a group stand together, smaller packs first.
fn in_line(policies: &PricePolicies, a: &Item, b: &Item) -> Ordering {
    let key = |item: &Item| (item.fields.group.is_none(), item.fields.group.clone());
    let size = |item: &Item| pack_size(item).unwrap_or(0.0);
    let by_group = key(a).cmp(&key(b)).then(size(a).total_cmp(&size(b)));
    // A price that may not move is one that its variants must have.
    let moves = |item: &Item| item.fields.group.is_some() && policies.of(item).enabled;
    by_group.then_with(|| moves(a).cmp(&moves(b))).then_with(|| a.item_id.cmp(&b.item_id))
}

/// What the members of its group that are settled before it leave to an item, if they stay where they are.
pub fn left_by_line(
    policies: &PricePolicies,
    mut members: Vec<Arc<Item>>,
    item: &Item,
) -> Option<(Cents, Cents)> {
    members.sort_by(|a, b| in_line(policies, a, b));
    let mut settled = Line::default();
    for member in members.iter().take_while(|member| member.item_id != item.item_id) {
        settled.bounds(member);
        if let Some(price) = member.price_in_force {
            settled.settle(member, price);
        }
    }
    settled.bounds(item)
}

/// What became of one item.
struct Outcome {
    name: &'static str,
    decided: Option<Decided>,
}

/// Decides the members of one product line, one after the other.
fn decide_line(facts: &Facts<'_>, line: &[&Priced]) -> Vec<Outcome> {
    let shop = facts.policies.shop();
    let explore = &shop.choice.explore;
    let members: Vec<ItemId> = line.iter().map(|(item, _)| item.item_id.clone()).collect();
    let slot = slot_of(facts.now, explore);
    let drawn = on_trial(&members, &shop.market, slot, explore.share);
    let mut settled = Line::default();
    let mut outcomes = Vec::with_capacity(line.len());
    for (item, trail) in line {
        let outcome =
            decide_item(facts, (item, trail), (drawn == Some(&item.item_id), settled.bounds(item)));
        let decided = outcome.decided.as_ref().map(|decided| decided.price);
        if let Some(price) = decided.or(item.price_in_force) {
            settled.settle(item, price);
        }
        outcomes.push(outcome);
    }
    outcomes
}

fn decide_item(
    facts: &Facts<'_>,
    (item, trail): (&Item, &[PriceEntry]),
    (may_explore, line): (bool, Option<(Cents, Cents)>),
) -> Outcome {
    let policy = facts.policies.of(item);
    let may_explore = may_explore && policy.choice.explore.enabled;
    let knowledge = Knowledge { may_explore, line, ..(facts.knowledge)(item) };
    let case = case_of((item, trail), knowledge, facts.now, (&policy, facts.currency));
    let cost_before = (facts.cost_before)(&item.item_id);
    if let Some(note) = standstill(&item.fields, &policy) {
        // Whatever pricing made of the price, it goes back to the merchant's.
        let moved = item.fields.price.filter(|_| item.fields.price != item.price_in_force);
        let reason = PriceReason::BackToList;
        let decided = moved.map(|price| Decided { case, price, reason, gain: None, cost_before });
        return Outcome { name: note.kind(), decided };
    }
    let choice = choose_without_curve(&case);
    let reason = reason_of(&choice);
    let is_new = choice.price.is_some() && choice.price != item.price_in_force;
    let decided = choice.price.filter(|_| is_new || reason.lottery().is_some()).map(|price| {
        Decided { case, price, reason, gain: choice.change.map(|change| change.mean), cost_before }
    });
    Outcome { name: choice.status.name(), decided }
}

/// What the ledger says of a chosen price.
pub fn reason_of(choice: &Choice) -> PriceReason {
    let trial = &choice.exploration;
    let brought = |note: &ChoiceNote| matches!(note, ChoiceNote::BroughtInside(_));
    match (choice.status, trial.expected_price) {
        (ChoiceStatus::Exploring, Some(expected)) => PriceReason::Trial(Lottery {
            expected: Cents(expected.round() as i64),
            chance_ppm: (trial.propensity.clamp(0.0, 1.0) * 1e6).round() as u32,
        }),
        _ if choice.notes.iter().any(brought) => PriceReason::GuardRail,
        _ => PriceReason::Demand,
    }
}

/// How much one pack holds: the attribute `pack_size`.
fn pack_size(item: &Item) -> Option<f64> {
    let size = item.fields.attributes.get("pack_size")?.as_f64()?;
    (size.is_finite() && size > 0.0).then_some(size)
}

/// The members of a line that are settled, smaller packs first.
#[derive(Default)]
struct Line {
    /// Prices by size and list price.
    variants: HashMap<(Option<u64>, Option<Cents>), Cents>,
    /// The size that is being settled, with the lowest price by the unit and the highest price so far.
    size: Option<(f64, f64, Cents)>,
    /// The same of all smaller sizes.
    smaller: Option<(f64, Cents)>,
}

impl Line {
    /// What is left to the next member: variants of one list price and size cost the same, and a bigger pack costs no more
    /// by the unit and no less in all.
    fn bounds(&mut self, item: &Item) -> Option<(Cents, Cents)> {
        let size = pack_size(item);
        if let Some((before, per_unit, price)) = self.size
            && size.is_some_and(|size| size > before)
        {
            let smaller = self.smaller.unwrap_or((f64::INFINITY, Cents(0)));
            self.smaller = Some((smaller.0.min(per_unit), smaller.1.max(price)));
            self.size = None;
        }
        let variant = self.variants.get(&(size.map(f64::to_bits), item.fields.price));
        if let Some(&price) = variant {
            return Some((price, price));
        }
        let ((per_unit, low), size) = self.smaller.zip(size)?;
        Some((low, Cents((per_unit * size).floor() as i64).max(low)))
    }

    fn settle(&mut self, item: &Item, price: Cents) {
        let size = pack_size(item);
        self.variants.entry((size.map(f64::to_bits), item.fields.price)).or_insert(price);
        let Some(size) = size else { return };
        let per_unit = price.0 as f64 / size;
        let (_, least, most) = self.size.unwrap_or((size, f64::INFINITY, Cents(0)));
        self.size = Some((size, least.min(per_unit), most.max(price)));
    }
}
