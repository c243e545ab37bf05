//! Runs: how one is made, applied and taken back.

use super::{
    CHUNK, Pricing,
    facts::{Rivalries, known},
};
use crate::{
    decide::price::{
        Book, Bounds, Decided, Facts, Priced, Wanted, at_once,
        brakes::{Hold, holds},
        choice::Goal,
        decide_all, hard_bounds, kept,
    },
    domain::{
        Cents, Item, ItemId, PriceDecision, PriceReason, PriceRun, RunState, Timestamp,
        time::DAY_MS,
    },
    record::store::{NewPrice, StoreError},
    snapshot::Snapshot,
};
use rustc_hash::FxHashMap;
use serde_json::{Value, json};
use std::sync::Arc;

/// Newest runs among which one that was cut off half-way is looked for.
const RECENT: u32 = 5;

/// Why nothing was done about a run.
#[derive(Debug, thiserror::Error)]
pub enum PricingError {
    /// The store did not do its part.
    #[error("cannot read or write prices")]
    Store(#[from] StoreError),
    /// Somebody has stopped pricing.
    #[error("pricing was stopped at {0}; POST /pricing/resume goes on")]
    Stopped(Timestamp),
    /// No such run.
    #[error("there is no such pricing run")]
    NotFound,
    /// The run is not in the state that this is done from.
    #[error("the run is {0}, so this cannot be done to it")]
    WrongState(&'static str),
    /// The thread that decided died.
    #[error("deciding died: {0}")]
    Died(String),
}

/// What came of deciding.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The run.
    pub run: PriceRun,
    /// Prices that came into force.
    pub n_moved: usize,
}

impl Pricing {
    /// Decides all prices, and applies them unless a brake holds them. Without a request key a run that moves nothing is
    /// not written down; with one it is, and the same key again gives the same run.
    pub async fn propose(&self, key: Option<String>) -> Result<Option<Proposal>, PricingError> {
        self.heed_switch().await?;
        self.finish_approved().await?;
        if let Some(key) = &key
            && let Some(run) = self.store.price_run_of_request(key).await?
        {
            return Ok(Some(Proposal { run, n_moved: 0 }));
        }
        let (snapshot, now) = (self.snapshots.current(), self.clock.now());
        let costs: FxHashMap<ItemId, Cents> =
            self.store.decided_costs().await?.into_iter().collect();
        let rivalries = self.rivalries(now).await?;
        let items: Vec<Priced> = self
            .live
            .catalogue
            .items()
            .into_iter()
            .filter(|entry| !entry.item.removed)
            .map(|entry| (entry.item, entry.trail))
            .collect();
        let seen: Vec<(ItemId, Cents)> = items
            .iter()
            .filter_map(|(item, _)| Some((item.item_id.clone(), item.fields.cost?)))
            .filter(|(item, cost)| costs.get(item) != Some(cost))
            .collect();
        let mut book = self.decide((items, rivalries, costs), snapshot.clone(), now).await?;
        // What a price was not moved for is known from now on; what it is moved for, once it has come into force.
        let is_decided = |item: &ItemId| {
            book.decided.binary_search_by(|decided| decided.case.item.cmp(item)).is_ok()
        };
        let seen: Vec<(ItemId, Cents)> =
            seen.into_iter().filter(|(item, _)| !is_decided(item)).collect();
        self.store.note_costs(&seen).await?;
        if book.decided.is_empty() && key.is_none() {
            // What waited for a person has nothing to say any more.
            self.store.supersede_price_runs(now).await?;
            self.metrics.price_runs_waiting.set(0);
            return Ok(None);
        }
        let held = self.held(&book, &snapshot, now);
        let is_held = !held.is_empty();
        // The merchant's own prices wait for nobody.
        let n_returned = if is_held { self.return_to_list(&mut book).await? } else { 0 };
        let run = PriceRun {
            run_id: uuid::Uuid::now_v7().to_string(),
            created_at: now,
            state: if is_held { RunState::Proposed } else { RunState::Approved },
            changed_at: now,
            request_key: key,
            is_approved_by_person: false,
            summary: summary(&book, &held),
        };
        let decisions: Vec<PriceDecision> = book
            .decided
            .into_iter()
            .map(|decided| PriceDecision {
                before: decided.case.past.current,
                case: kept::encode(&decided.case),
                cost: decided.case.cost,
                item: decided.case.item,
                price: decided.price,
                reason: decided.reason,
            })
            .collect();
        let known = self.store.write_price_run(&run, &decisions, self.keep_runs).await?;
        if let Some(run) = known {
            return Ok(Some(Proposal { run, n_moved: 0 }));
        }
        self.metrics.price_runs_waiting.set(i64::from(is_held));
        if is_held {
            tracing::warn!(
                price_run.id = run.run_id,
                prices = decisions.len(),
                "a pricing run waits for approval"
            );
            return Ok(Some(Proposal { run, n_moved: n_returned }));
        }
        let n_moved = self.apply(&run).await?;
        let state = RunState::Applied;
        Ok(Some(Proposal { run: PriceRun { state, ..run }, n_moved }))
    }

    /// Refuses to go on while pricing is stopped.
    async fn heed_switch(&self) -> Result<(), PricingError> {
        match self.store.pricing_stopped().await? {
            Some(at) => Err(PricingError::Stopped(at)),
            None => Ok(()),
        }
    }

    async fn decide(
        &self,
        (items, rivalries, costs): (Vec<Priced>, Rivalries, FxHashMap<ItemId, Cents>),
        snapshot: Arc<Snapshot>,
        now: Timestamp,
    ) -> Result<Book, PricingError> {
        let (pool, policies, currency) = (self.pool.clone(), self.policies(), self.currency);
        // A panic in a price rule costs this run; what is in force stays.
        let deciding = tokio::task::spawn_blocking(move || {
            let facts = Facts {
                items: &items,
                knowledge: &|item| {
                    let rivalry = rivalries.get(&item.item_id);
                    known((&snapshot, rivalry), item, now, policies.shop())
                },
                cost_before: &|item| costs.get(item).copied(),
                now,
                policies: &policies,
                currency,
            };
            pool.install(|| decide_all(&facts))
        });
        deciding.await.map_err(|error| PricingError::Died(error.to_string()))
    }

    /// Brings the list prices of a book into force, and leaves the rest of it.
    async fn return_to_list(&self, book: &mut Book) -> Result<usize, PricingError> {
        let is_back = |decided: &Decided| decided.reason == PriceReason::BackToList;
        let (back, chosen) = std::mem::take(&mut book.decided).into_iter().partition(is_back);
        book.decided = chosen;
        let prices = Vec::into_iter(back).map(|decided: Decided| NewPrice {
            item: decided.case.item,
            before: decided.case.past.current,
            price: decided.price,
            reason: decided.reason,
        });
        self.set_all(&prices.collect::<Vec<_>>()).await
    }

    fn held(&self, book: &Book, snapshot: &Snapshot, now: Timestamp) -> Vec<Hold> {
        let policies = self.policies();
        let policy = policies.shop();
        let days_since = now.since_ms(snapshot.priced().1) as f64 / DAY_MS as f64;
        let mut held = holds(&book.decided, (book.considered, days_since), &policy.brakes);
        // List prices are the merchant's own; there is nothing to approve.
        if policy.needs_approval && book.decided.iter().any(Decided::is_chosen) {
            held.insert(0, Hold::NeedsApproval);
        }
        held
    }

    /// Applies runs that were approved by a process that did not live to apply them.
    async fn finish_approved(&self) -> Result<(), PricingError> {
        let recent = self.store.price_runs(RECENT).await?;
        for run in recent.iter().filter(|run| run.state == RunState::Approved) {
            self.apply(run).await?;
        }
        Ok(())
    }

    /// Approves a run that waits, and applies it.
    pub async fn approve(&self, run: &str) -> Result<Proposal, PricingError> {
        self.heed_switch().await?;
        self.step(run, (RunState::Proposed, RunState::Approved)).await?;
        self.metrics.price_runs_waiting.set(0);
        let found = self.store.price_run(run).await?.ok_or(PricingError::NotFound)?;
        let n_moved = self.apply(&found).await?;
        let run = self.store.price_run(run).await?.ok_or(PricingError::NotFound)?;
        Ok(Proposal { run, n_moved })
    }

    /// Refuses a run that waits.
    pub async fn reject(&self, run: &str) -> Result<Proposal, PricingError> {
        self.step(run, (RunState::Proposed, RunState::Rejected)).await?;
        self.metrics.price_runs_waiting.set(0);
        let run = self.store.price_run(run).await?.ok_or(PricingError::NotFound)?;
        Ok(Proposal { run, n_moved: 0 })
    }

    /// Takes a run back: prices that it brought and that are still in force give way to those before, as far as today's
    /// bounds allow [at once](at_once()). Doing so again does what is left to do.
    pub async fn roll_back(&self, run: &str) -> Result<Proposal, PricingError> {
        let found = self.store.price_run(run).await?.ok_or(PricingError::NotFound)?;
        if found.state != RunState::RolledBack {
            self.step(run, (RunState::Applied, RunState::RolledBack)).await?;
        }
        let policies = self.policies();
        let n_moved = self
            .walk(&found, |decision, item| {
                let in_force = item.price_in_force?;
                let before = decision.before.filter(|_| in_force == decision.price)?;
                // Where pricing is off, what it made of a price does not come back.
                let policy = Some(policies.of(item)).filter(|policy| policy.enabled)?;
                let price = at_once(
                    item,
                    &policy,
                    self.currency,
                    Wanted { price: before, follows_far: false },
                );
                Some((price, PriceReason::Restored))
            })
            .await?;
        let run = self.store.price_run(run).await?.ok_or(PricingError::NotFound)?;
        Ok(Proposal { run, n_moved })
    }

    async fn step(&self, run: &str, (from, to): (RunState, RunState)) -> Result<(), PricingError> {
        let now = self.clock.now();
        if self.store.move_price_run(run, (from, to), true, now).await? {
            return Ok(());
        }
        match self.store.price_run(run).await? {
            None => Err(PricingError::NotFound),
            Some(run) => Err(PricingError::WrongState(run.state.name())),
        }
    }

    /// Brings the prices of an approved run into force. A price that somebody has changed since it was decided stays,
    /// and so does one whose bounds have moved; the next run sees to them. Stopping pricing stops this, too.
    async fn apply(&self, run: &PriceRun) -> Result<usize, PricingError> {
        let n_moved = self
            .walk(run, |decision, item| {
                // As they are now: somebody may have changed them since the run was decided, or began.
                let policies = self.policies();
                let policy = policies.of(item);
                let bounds = hard_bounds(item, &policy, self.currency);
                let holds = |bounds: Bounds| bounds.clamp(decision.price) == decision.price;
                let is_allowed = decision.reason == PriceReason::BackToList
                    || policy.enabled && bounds.is_some_and(holds);
                let stands = decision.before == item.price_in_force;
                (stands && is_allowed).then_some((decision.price, decision.reason))
            })
            .await?;
        let now = self.clock.now();
        let states = (RunState::Approved, RunState::Applied);
        self.store.move_price_run(&run.run_id, states, false, now).await?;
        self.metrics.prices_moved.inc_by(n_moved as u64);
        Ok(n_moved)
    }

    /// Goes through the decisions of a run and brings into force what `choose` makes of each and of the item as it is;
    /// answers how many prices moved.
    async fn walk(
        &self,
        run: &PriceRun,
        choose: impl Fn(&PriceDecision, &Item) -> Option<(Cents, PriceReason)>,
    ) -> Result<usize, PricingError> {
        let (mut n_moved, mut after): (usize, Option<ItemId>) = (0, None);
        let is_applied = run.state == RunState::Approved || run.state == RunState::Proposed;
        loop {
            let page = self.store.price_decisions(&run.run_id, after.as_ref(), CHUNK).await?;
            let Some(last) = page.last() else { return Ok(n_moved) };
            after = Some(last.item.clone());
            if is_applied {
                self.heed_switch().await?;
            }
            let prices: Vec<NewPrice> = page
                .iter()
                .filter_map(|decision| {
                    let item = self.live.catalogue.get(&decision.item)?.item;
                    let before = item.price_in_force.filter(|_| !item.removed)?;
                    let (price, reason) = choose(decision, &item)?;
                    let item = decision.item.clone();
                    Some(NewPrice { item, before: Some(before), price, reason })
                })
                .collect();
            n_moved += self.set_prices(&prices).await?;
        }
    }

    /// Writes prices to the ledger, then to memory; answers how many changed. They are by item.
    pub(super) async fn set_prices(&self, prices: &[NewPrice]) -> Result<usize, PricingError> {
        let now = self.clock.now();
        let moved = self.store.set_prices(prices, now).await?;
        let n_moved = moved.len();
        for item in moved {
            if let Ok(at) = prices.binary_search_by(|new| new.item.cmp(&item.item_id)) {
                self.live.catalogue.apply_priced(item, prices[at].reason, now);
            }
        }
        Ok(n_moved)
    }
}

fn summary(book: &Book, held: &[Hold]) -> Value {
    // Money alone: where units are the goal, so is what is gained.
    let is_money = |decided: &&Decided| decided.case.policy.goal != Goal::Units;
    let gains = book.decided.iter().filter(is_money).filter_map(|decided| decided.gain);
    // From 0, not from −0, where nothing moves.
    let gain = gains.fold(0.0, std::ops::Add::add);
    let count = |is: fn(&Decided) -> bool| book.decided.iter().filter(|d| is(d)).count();
    json!({
        "considered": book.considered,
        "moved": book.decided.len(),
        "trials": count(|decided| decided.reason.lottery().is_some()),
        "outcomes": book.outcomes,
        "expected_gain_per_week_minor": gain,
        "held": held,
    })
}
