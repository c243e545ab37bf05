//! The switch that stops pricing.

use super::{CHUNK, Pricing, PricingError};
use crate::{
    decide::price::{Wanted, at_once},
    domain::{Cents, ItemId, PriceEntry, PriceReason, RunState, Timestamp},
    record::store::NewPrice,
};

/// Runs among which the last one that a person approved is looked for.
const RUNS_MAX: u32 = 1_000;

/// What stopping did.
#[derive(Clone, Debug, PartialEq)]
pub struct Stopped {
    /// Since when pricing is stopped.
    pub at: Timestamp,
    /// The time whose prices were restored; `None`: list prices, because no person ever approved a run.
    pub restored_to: Option<Timestamp>,
    /// Prices that moved.
    pub n_moved: usize,
}

impl Pricing {
    /// Since when pricing is stopped, if it is.
    pub async fn stopped(&self) -> Result<Option<Timestamp>, PricingError> {
        Ok(self.store.pricing_stopped().await?)
    }

    /// Stops pricing and restores the price book that a person last approved; list prices if none ever did. What the
    /// merchant has set since then stays. Stopping again restores again.
    pub async fn stop(&self) -> Result<Stopped, PricingError> {
        let now = self.clock.now();
        self.store.switch_pricing(Some(now)).await?;
        let runs = self.store.price_runs(RUNS_MAX).await?;
        // What was on its way or waits belongs to the time before: going on must not finish it.
        self.store.supersede_price_runs(now).await?;
        for run in runs.iter().filter(|run| run.state == RunState::Approved) {
            let states = (RunState::Approved, RunState::Superseded);
            self.store.move_price_run(&run.run_id, states, false, now).await?;
        }
        let approved = runs
            .into_iter()
            .find(|run| run.is_approved_by_person && run.state == RunState::Applied)
            .map(|run| run.changed_at);
        let n_moved = match approved {
            Some(at) => self.restore(at).await?,
            None => self.restore_list().await?,
        };
        tracing::warn!(prices = n_moved, "pricing was stopped and prices were restored");
        Ok(Stopped { at: now, restored_to: approved, n_moved })
    }

    /// Lets pricing go on.
    pub async fn resume(&self) -> Result<(), PricingError> {
        Ok(self.store.switch_pricing(None).await?)
    }

    /// The list prices of all items.
    async fn restore_list(&self) -> Result<usize, PricingError> {
        let policies = self.policies();
        let mut prices: Vec<NewPrice> = self
            .live
            .catalogue
            .items()
            .into_iter()
            .filter(|entry| !entry.item.removed && entry.item.price_in_force.is_some())
            .filter_map(|entry| {
                let list = entry.item.fields.price?;
                let policy = policies.of(&entry.item);
                let price = at_once(
                    &entry.item,
                    &policy,
                    self.currency,
                    Wanted { price: list, follows_far: false },
                );
                let before = entry.item.price_in_force;
                let (item, reason) = (entry.item.item_id.clone(), PriceReason::Restored);
                (entry.item.price_in_force != Some(price)).then_some(NewPrice {
                    item,
                    before,
                    price,
                    reason,
                })
            })
            .collect();
        prices.sort_by(|a, b| a.item.cmp(&b.item));
        self.set_all(&prices).await
    }

    /// The prices of a time, or what the merchant has set since.
    async fn restore(&self, at: Timestamp) -> Result<usize, PricingError> {
        let (mut n_moved, mut after): (usize, Option<ItemId>) = (0, None);
        let policies = self.policies();
        loop {
            let page = self.store.prices_since(at, after.as_ref(), CHUNK).await?;
            let Some(last) = page.last() else { return Ok(n_moved) };
            after = Some(last.item.clone());
            let prices: Vec<NewPrice> = page
                .chunk_by(|a, b| a.item == b.item)
                .filter_map(|ledger| {
                    let entry = self.live.catalogue.get(&ledger[0].item)?;
                    let in_force = entry.item.price_in_force.filter(|_| !entry.item.removed)?;
                    let policy = policies.of(&entry.item);
                    // Where pricing was turned off since, the price is the merchant's; the bounds of today come before
                    // the book of then.
                    let list = entry.item.fields.price.filter(|_| !policy.enabled);
                    let price = list.or_else(|| approved_price(ledger, at))?;
                    let price = at_once(
                        &entry.item,
                        &policy,
                        self.currency,
                        Wanted { price, follows_far: false },
                    );
                    let price = Some(price).filter(|&price| price != in_force)?;
                    let (item, reason) = (ledger[0].item.clone(), PriceReason::Restored);
                    Some(NewPrice { item, before: Some(in_force), price, reason })
                })
                .collect();
            n_moved += self.set_all(&prices).await?;
        }
    }

    pub(super) async fn set_all(&self, prices: &[NewPrice]) -> Result<usize, PricingError> {
        let mut n_moved = 0;
        for chunk in prices.chunks(CHUNK as usize) {
            n_moved += self.set_prices(chunk).await?;
        }
        Ok(n_moved)
    }
}

/// The price in force at a time, or the last one that the merchant set after it. The ledger is of one item, oldest first.
fn approved_price(ledger: &[PriceEntry], at: Timestamp) -> Option<Cents> {
    let set_by_merchant =
        ledger.iter().rfind(|entry| entry.from > at && entry.reason == PriceReason::ListPrice);
    let back_then =
        || ledger.iter().rfind(|entry| entry.from <= at && entry.to.is_none_or(|to| to > at));
    set_by_merchant.or_else(back_then).map(|entry| entry.price)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(price: i64, from: i64, to: Option<i64>, reason: PriceReason) -> PriceEntry {
        PriceEntry {
            item: ItemId::new("tea").unwrap(),
            price: Cents(price),
            from: Timestamp(from),
            to: to.map(Timestamp),
            reason,
        }
    }

    #[test]
    fn the_approved_book_is_that_of_its_time_but_for_what_the_merchant_set_since() {
        let (demand, list) = (PriceReason::Demand, PriceReason::ListPrice);
        let ledger = [
            entry(10, 0, Some(5), list),
            entry(11, 5, Some(9), demand),
            entry(12, 9, None, demand),
        ];
        assert_eq!(approved_price(&ledger, Timestamp(5)), Some(Cents(11)));
        assert_eq!(approved_price(&ledger, Timestamp(4)), Some(Cents(10)));
        assert_eq!(approved_price(&ledger[1..], Timestamp(4)), None, "nothing was asked then");
        let later = [
            entry(11, 5, Some(9), demand),
            entry(8, 9, Some(12), list),
            entry(9, 12, None, demand),
        ];
        assert_eq!(approved_price(&later, Timestamp(6)), Some(Cents(8)));
    }
}
