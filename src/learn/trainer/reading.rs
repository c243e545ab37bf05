//! What a run reads from the store, and what is remembered of it between runs.

use super::{PAGE, TrainError, Trainer};
use crate::{
    domain::{
        Cents, CompetitorOffer, ItemId, ItemSpell, PriceEntry, Sequence, SpellKind, Timestamp,
        person::id_hash, time::DAY_MS,
    },
    learn::{
        dataset::{EventLog, Weighting},
        demand::{
            competitors::{OwnFacts, spells},
            ledger::learnable,
            response::{
                Randomised,
                weeks::{PriceSpell, Spell},
            },
        },
        pipeline::PriceRecords,
        search::SearchState,
    },
};
use rustc_hash::{FxHashMap, FxHashSet};
use tokio_util::sync::CancellationToken;

/// Entries of the ledger that a fit looks at, 72 bytes each: bounds what it takes, a shop of 100,000 items has 20 for
/// each of them.
const PRICES_MAX: usize = 2_000_000;

/// Spells that a fit looks at, 40 bytes each: 20 for each of 100,000 items.
const SPELLS_MAX: usize = 2_000_000;

/// What the trainer remembers between runs.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) log: EventLog,
    pub(super) read_to: Sequence,
    pub(super) erasure: i64,
    pub(super) merge: i64,
    pub(super) erased_at: Option<Timestamp>,
    pub(super) search: Option<SearchState>,
    pub(super) is_search_read: bool,
}

impl Trainer {
    /// Reads erasures; `true` if somebody was erased since the served snapshot was trained.
    ///
    /// Called before events are read: who is erased and comes back is a new person.
    pub(super) async fn read_erasures(&self, trained_at: Timestamp) -> Result<bool, TrainError> {
        let (mut after, mut last_at) = {
            let memory = self.memory();
            (memory.erasure, memory.erased_at)
        };
        loop {
            let receipts = self.store.erasures_after(after, PAGE).await?;
            let Some(last) = receipts.last() else { break };
            (after, last_at) = (last.sequence, Some(last.erased_at));
            let hashes: FxHashSet<&str> =
                receipts.iter().map(|receipt| receipt.user_hash.as_str()).collect();
            self.memory().log.forget(|who| hashes.contains(id_hash(who.as_str()).as_str()));
        }
        let mut memory = self.memory();
        (memory.erasure, memory.erased_at) = (after, last_at);
        Ok(last_at.is_some_and(|at| at >= trained_at))
    }

    /// Reads merges; the last there is. Called before events are read: those are stored as merges have left them.
    pub(super) async fn read_merges(&self) -> Result<i64, TrainError> {
        let mut after = self.memory().merge;
        loop {
            let merges = self.store.merges_after(after, PAGE).await?;
            let Some(last) = merges.last() else { return Ok(after) };
            after = last.sequence;
            let mut memory = self.memory();
            for merge in &merges {
                memory.log.merge(merge);
            }
            memory.merge = after;
        }
    }

    /// Reads events since last time.
    pub(super) async fn read_events(&self, stop: &CancellationToken) -> Result<(), TrainError> {
        let mut after = self.memory().read_to;
        let weighting: &Weighting = &self.params.pipeline.weighting;
        let window_days = f64::from(self.params.window_days);
        let (max, per_shopper) = (self.params.events_max, self.params.events_per_shopper_max);
        while !stop.is_cancelled() {
            let events = self.store.events_after(after, PAGE).await?;
            let Some(last) = events.last() else { break };
            after = last.sequence;
            let mut memory = self.memory();
            memory.log.extend(&events, weighting);
            memory.read_to = after;
            // So that `events_max` bounds what is kept while reading, too.
            if memory.log.acts().len() > max.saturating_add(max / 10) {
                memory.log.settle(window_days, max, per_shopper);
            }
        }
        self.memory().log.settle(window_days, max, per_shopper);
        Ok(())
    }

    /// Reads the ledger of the weeks that price response is learned from, with what bears on sales beside the price,
    /// for the items of the log.
    pub(super) async fn read_prices(&self, now: Timestamp) -> Result<PriceRecords, TrainError> {
        let (positions, as_of): (FxHashMap<ItemId, u32>, Timestamp) = {
            let memory = self.memory();
            let as_of = memory.log.acts().last().map_or(now, |act| act.at.min(now));
            (memory.log.items().iter().cloned().zip(0..).collect(), as_of)
        };
        let weeks = self.params.pipeline.price_response.weeks_max as i64;
        let from = as_of.plus_ms(-weeks * 7 * DAY_MS);
        let mut records = PriceRecords::default();
        self.read_ledger((from, &positions), now, &mut records).await?;
        self.read_offers((from, &positions), &mut records).await?;
        self.read_spells((from, &positions), &mut records).await?;
        Ok(records)
    }

    /// When items could not be bought or were promoted. What ended before is of no use any more, and is dropped.
    async fn read_spells(
        &self,
        (from, positions): (Timestamp, &FxHashMap<ItemId, u32>),
        records: &mut PriceRecords,
    ) -> Result<(), TrainError> {
        self.store.drop_spells(from).await?;
        let mut after = None;
        while records.sold_out.len() + records.promoted.len() <= SPELLS_MAX {
            let page = self.store.spells_since(from, after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.item.clone());
            for spell in &page {
                let Some(&item) = positions.get(&spell.item) else { continue };
                let read = match spell.kind {
                    SpellKind::SoldOut => &mut records.sold_out,
                    SpellKind::Promoted => &mut records.promoted,
                };
                read.push(Spell { item, from: spell.from, to: self.end_of(spell) });
            }
        }
        tracing::warn!(
            "stock-outs and promotions are more than price response reads; those of items late in the order of ids \
             are not taken into account"
        );
        Ok(())
    }

    /// When a spell ended. One that a process of an older version left open ended, at the latest, with the last change
    /// of an item that is no longer in it.
    fn end_of(&self, spell: &ItemSpell) -> Option<Timestamp> {
        let left = || {
            let item = self.live.catalogue.item(&spell.item)?;
            (!item.is_in(spell.kind)).then_some(item.updated_at.max(spell.from))
        };
        spell.to.or_else(left)
    }

    async fn read_ledger(
        &self,
        (from, positions): (Timestamp, &FxHashMap<ItemId, u32>),
        now: Timestamp,
        records: &mut PriceRecords,
    ) -> Result<(), TrainError> {
        let units = self.params.pipeline.price_response.minor_units;
        let days = self.params.pipeline.price_response.trial_days;
        let trial_ms = (days * DAY_MS as f64) as i64;
        let mut after = None;
        loop {
            let page = self.store.prices_since(from, after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.item.clone());
            for of_item in page.chunk_by(|a, b| a.item == b.item) {
                let Some(&item) = positions.get(&of_item[0].item) else { continue };
                for (entry, is_learned) in of_item.iter().zip(learnable(of_item, now, units)) {
                    if is_learned {
                        records.prices.extend(price_spells(item, entry, trial_ms));
                    } else {
                        records.prices_left_out += 1;
                    }
                }
            }
            if records.prices.len() > PRICES_MAX {
                tracing::warn!(
                    prices = records.prices.len(),
                    "the ledger is longer than price response reads; items late in the order of ids have category elasticities"
                );
                return Ok(());
            }
        }
    }

    /// What competitors asked, held against what the item cost then. Comes after the ledger.
    async fn read_offers(
        &self,
        (from, positions): (Timestamp, &FxHashMap<ItemId, u32>),
        records: &mut PriceRecords,
    ) -> Result<(), TrainError> {
        let trust = &self.params.pipeline.price_response.trust;
        // By item, then time, however the ids are ordered.
        let mut ledger = records.prices.clone();
        ledger.sort_by_key(|spell| (spell.item, spell.from));
        let mut after = None;
        loop {
            let page = self.store.offers_since(from, after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.item.clone());
            for of_item in page.chunk_by(|a, b| a.item == b.item) {
                let Some(&item) = positions.get(&of_item[0].item) else { continue };
                let cost = self.live.catalogue.get(&of_item[0].item);
                let cost = cost.and_then(|entry| entry.item.fields.cost);
                let own = |at: Timestamp| {
                    let known =
                        ledger.partition_point(|spell| (spell.item, spell.from) <= (item, at));
                    let spell = known.checked_sub(1).map(|before| &ledger[before]);
                    let price = spell.filter(|spell| spell.item == item);
                    let price = price.map(|spell| Cents(spell.price.round() as i64));
                    OwnFacts { cost, price, list: None }
                };
                let offers: Vec<CompetitorOffer> =
                    of_item.iter().map(|price| price.offer.clone()).collect();
                records.competitors.extend(spells(item, &offers, own, trust));
            }
            if records.competitors.len() > PRICES_MAX {
                tracing::warn!(
                    spells = records.competitors.len(),
                    "competitors' prices are more than price response reads; the rest is left out"
                );
                return Ok(());
            }
        }
    }
}

/// The spells of a ledger's entry. A price that was drawn counts as drawn for as long as a trial lasts; that it was kept
/// afterwards was a choice, made by what the trial had shown.
fn price_spells(item: u32, entry: &PriceEntry, trial_ms: i64) -> Vec<PriceSpell> {
    let spell = PriceSpell {
        item,
        from: entry.from,
        to: entry.to,
        price: entry.price.0 as f64,
        randomised: None,
        is_decided: entry.reason.is_decided(),
    };
    let Some(lottery) = entry.reason.lottery() else { return vec![spell] };
    let drawn = Some(Randomised { expected_price: Some(lottery.expected.0 as f64) });
    let end = entry.from.plus_ms(trial_ms);
    if entry.to.is_some_and(|to| to <= end) {
        return vec![PriceSpell { randomised: drawn, ..spell }];
    }
    vec![
        PriceSpell { to: Some(end), randomised: drawn, ..spell },
        PriceSpell { from: end, ..spell },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Cents, ItemId, Lottery, PriceReason};

    #[test]
    fn what_a_merchant_asked_is_told_from_what_a_rule_chose() {
        let lottery = Lottery { expected: Cents(990), chance_ppm: 500_000 };
        for (reason, is_decided) in [
            (PriceReason::ListPrice, false),
            (PriceReason::Imported, false),
            (PriceReason::Demand, true),
            (PriceReason::GuardRail, true),
            (PriceReason::BackToList, true),
            (PriceReason::Restored, true),
            (PriceReason::Trial(lottery), true),
        ] {
            let entry = PriceEntry {
                item: ItemId::new("a").unwrap(),
                price: Cents(1_000),
                from: Timestamp(0),
                to: None,
                reason,
            };
            let spells = price_spells(0, &entry, 1_000);
            assert!(spells.iter().all(|spell| spell.is_decided == is_decided), "{reason:?}");
            // A trial is one until its end; what is kept of it was chosen.
            let is_trial = reason.lottery().is_some();
            let drawn: Vec<bool> = spells.iter().map(|spell| spell.randomised.is_some()).collect();
            assert_eq!(drawn, if is_trial { vec![true, false] } else { vec![false] });
        }
    }
}
