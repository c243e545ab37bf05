//! What is known of one item, or of all, when prices are decided.

use super::{CHUNK, Pricing, PricingError};
use crate::{
    decide::price::{
        Knowledge, PricePolicy, case_of,
        choice::{Case, ItemLimits},
        competition::{Market, duels, index},
        left_by_line,
    },
    domain::{CompetitorOffer, Item, ItemId, PriceEntry, Timestamp, time::DAY_MS},
    learn::demand::competitors::OwnFacts,
    live::catalogue::Entry,
    record::store::StoreError,
    snapshot::Snapshot,
};
use rustc_hash::FxHashMap;

/// Offers of one item that are looked at, the newest first.
const OFFERS_OF_ITEM_MAX: u32 = 5_000;

/// Offers that a run looks at; of more the rest is left out, with a warning.
const OFFERS_MAX: usize = 2_000_000;

/// Entries of one item's ledger that are looked at.
const LEDGER_OF_ITEM_MAX: u32 = 1_000;

/// Variance beyond which what a promotion adds is not known: nothing is better than a guess. That of a category without a
/// promotion is 1.
const PROMOTION_VARIANCE_MAX: f64 = 0.25;

/// What others ask for an item, and what we asked, as far back as duels are looked for.
#[derive(Debug, Default)]
pub(super) struct Rivalry {
    offers: Vec<CompetitorOffer>,
    ledger: Vec<PriceEntry>,
}

/// Rivalries by item; only those with offers.
pub(super) type Rivalries = FxHashMap<ItemId, Rivalry>;

impl Pricing {
    /// All that the price of one item depends on now, but for its product line; outside of a run nothing is on trial.
    pub async fn case(&self, entry: &Entry, now: Timestamp) -> Result<Case, PricingError> {
        let rivalry = self.rivalry(&entry.item.item_id, now).await?;
        let (entry, snapshot) = (entry.clone(), self.snapshots.current());
        let (policies, currency) = (self.policies(), self.currency);
        // Thousands of offers may have to be held against one another.
        let looking = tokio::task::spawn_blocking(move || {
            let policy = policies.of(&entry.item);
            let knowledge = known((&snapshot, Some(&rivalry)), &entry.item, now, &policy);
            case_of((&entry.item, &entry.trail), knowledge, now, (&policy, currency))
        });
        looking.await.map_err(|error| PricingError::Died(error.to_string()))
    }

    /// What competitors ask for an item, with what does not count and why.
    pub async fn market(&self, entry: &Entry, now: Timestamp) -> Result<Market, PricingError> {
        let rivalry = self.rivalry(&entry.item.item_id, now).await?;
        let (entry, policies) = (entry.clone(), self.policies());
        let looking = tokio::task::spawn_blocking(move || {
            market(&rivalry, &entry.item, now, &policies.of(&entry.item))
        });
        looking.await.map_err(|error| PricingError::Died(error.to_string()))
    }

    async fn rivalry(&self, item: &ItemId, now: Timestamp) -> Result<Rivalry, StoreError> {
        let from = since(now, self.policies().shop());
        let offers = self.store.offers_of(item, from, OFFERS_OF_ITEM_MAX).await?;
        if offers.is_empty() {
            return Ok(Rivalry::default());
        }
        let ledger = self.store.price_history(item, from, now, LEDGER_OF_ITEM_MAX).await?;
        Ok(Rivalry { offers: offers.into_iter().map(|price| price.offer).collect(), ledger })
    }

    /// As [`case`](Self::case), with what its product line leaves it where the others are now; in a run, those that are
    /// settled before it may move.
    pub async fn case_in_line(&self, entry: &Entry, now: Timestamp) -> Result<Case, PricingError> {
        let case = self.case(entry, now).await?;
        let Some(group) = entry.item.fields.group.clone() else { return Ok(case) };
        let (live, policies, item) = (self.live.clone(), self.policies(), entry.item.clone());
        // The whole catalogue is looked through.
        let looking = tokio::task::spawn_blocking(move || {
            let all = live.catalogue.items().into_iter().map(|entry| entry.item);
            let members =
                all.filter(|other| !other.removed && other.fields.group.as_ref() == Some(&group));
            left_by_line(&policies, members.collect(), &item)
        });
        let line = looking.await.map_err(|error| PricingError::Died(error.to_string()))?;
        Ok(Case { limits: ItemLimits { line, ..case.limits }, ..case })
    }

    /// As [`case`](Self::case), with demand as it is in the present week: that of a promoted item while it is
    /// promoted. How long that will last nobody knows, so what goes beyond a week must not count on it.
    pub async fn case_of_week(&self, entry: &Entry, now: Timestamp) -> Result<Case, PricingError> {
        let case = self.case(entry, now).await?;
        let snapshot = self.snapshots.current();
        let response = snapshot.response_of(&case.item).filter(|_| case.is_promoted);
        let category = response.and_then(|(response, at)| response.category_of(at));
        let effect = category.map(|category| category.promotion);
        let effect = effect.filter(|effect| effect.variance <= PROMOTION_VARIANCE_MAX);
        let demand = case.demand.map(|demand| match effect {
            Some(effect) => demand.promoted(effect),
            None => demand,
        });
        Ok(Case { demand, ..case })
    }

    /// What competitors ask for all items, and what we asked for those.
    pub(super) async fn rivalries(&self, now: Timestamp) -> Result<Rivalries, StoreError> {
        let from = since(now, self.policies().shop());
        let mut rivalries = Rivalries::default();
        let (mut after, mut n) = (None, 0);
        while n <= OFFERS_MAX {
            let page = self.store.offers_since(from, after.as_ref(), CHUNK).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.item.clone());
            n += page.len();
            for price in page {
                rivalries.entry(price.item).or_default().offers.push(price.offer);
            }
        }
        if n > OFFERS_MAX {
            tracing::warn!(offers = n, "competitors' offers are more than a run looks at");
        }
        let mut after = None;
        while !rivalries.is_empty() {
            let page = self.store.prices_since(from, after.as_ref(), CHUNK).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.item.clone());
            for entry in page {
                if let Some(rivalry) = rivalries.get_mut(&entry.item) {
                    rivalry.ledger.push(entry);
                }
            }
        }
        Ok(rivalries)
    }
}

/// From when offers count: for the index as long as one is fresh, for duels as far as those are looked for.
fn since(now: Timestamp, policy: &PricePolicy) -> Timestamp {
    let competition = &policy.competition;
    let days = competition.duel.lookback_days.max(competition.trust.max_age_hours / 24.0);
    now.plus_ms(-((days * DAY_MS as f64) as i64))
}

/// What the snapshot says of an item, and what others ask for it.
pub(super) fn known(
    (snapshot, rivalry): (&Snapshot, Option<&Rivalry>),
    item: &Item,
    now: Timestamp,
    policy: &PricePolicy,
) -> Knowledge {
    let response = snapshot.response_of(&item.item_id);
    let demand = response.and_then(|(response, at)| response.belief(at));
    let competitors = rivalry.and_then(|rivalry| market(rivalry, item, now, policy).index);
    Knowledge { demand, competitors, ..Knowledge::default() }
}

fn market(
    Rivalry { offers, ledger }: &Rivalry,
    item: &Item,
    now: Timestamp,
    policy: &PricePolicy,
) -> Market {
    if offers.is_empty() {
        return Market::default();
    }
    let fields = &item.fields;
    let own = OwnFacts { cost: fields.cost, price: item.price_in_force, list: fields.price };
    let judged = duels(ledger, offers, now, &policy.competition);
    let duellists: Vec<String> =
        judged.into_iter().filter(|(_, duel)| duel.answers).map(|(seller, _)| seller).collect();
    index(offers, now, &own, &duellists, &policy.competition)
}
