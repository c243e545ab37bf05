//! Pricing runs and what they decided.

use super::super::{
    StoreError,
    rows::{self, PriceDecisionRow, PriceRunRow, to_json},
};
use crate::domain::{Cents, ItemId, PriceDecision, PriceRun, RunState, Timestamp};
use async_trait::async_trait;
use serde_json::json;

/// Rows written with one statement.
const ROWS_MAX: usize = 1_000;

/// Bytes as both databases read them from text.
fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |at: u8| char::from(DIGITS[usize::from(at)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

const RUN_OF_REQUEST: &str = "select run_id, created_ms, state, changed_ms, request_key, by_person, \
     summary from price_runs where request_key = $1";
const SUPERSEDE_RUNS: &str =
    "update price_runs set state = 'superseded', changed_ms = $1 where state = 'proposed'";
const WRITE_RUN: &str = "insert into price_runs (run_id, created_ms, state, changed_ms, request_key, \
     by_person, summary) values ($1, $2, $3, $4, $5, $6, $7) \
     on conflict (request_key) where request_key is not null do nothing";
/// What is kept: the newest, and the last one that a person approved, whose prices are the book to go back to.
const DROP_DECISIONS: &str = "delete from price_decisions where run_id not in \
     (select run_id from price_runs order by run_id desc limit $1) and run_id <> coalesce((select max(run_id) \
     from price_runs where by_person and state = 'applied'), '')";
const DROP_RUNS: &str = "delete from price_runs where run_id not in \
     (select run_id from price_runs order by run_id desc limit $1) and run_id <> coalesce((select max(run_id) \
     from price_runs where by_person and state = 'applied'), '')";
/// A run that nobody looked at in time, and whose place another one has taken, is of no use to anybody.
const DROP_SUPERSEDED: &str = "delete from price_decisions where run_id in \
     (select run_id from price_runs where state = 'superseded')";
const RUNS: &str = "select run_id, created_ms, state, changed_ms, request_key, by_person, summary \
     from price_runs order by run_id desc limit $1";
const RUN: &str = "select run_id, created_ms, state, changed_ms, request_key, by_person, summary \
     from price_runs where run_id = $1";
const MOVE_RUN: &str = "update price_runs set state = $3, changed_ms = $4, \
     by_person = by_person or $5 where run_id = $1 and state = $2";
const DECISIONS: &str = "select run_id, item_id, before_minor, price_minor, reason, expected_minor, \
     chance_ppm, cost_minor, decided_by from price_decisions where run_id = $1 and item_id > $2 \
     order by item_id limit $3";
const LAST_DECISION: &str = "select run_id, item_id, before_minor, price_minor, reason, \
     expected_minor, chance_ppm, cost_minor, decided_by from price_decisions where item_id = $1 \
     order by run_id desc limit 1";

const DECIDED_COSTS: &str = "select item_id, cost_minor from price_costs";
const NOTE_COSTS_OF_RUN: &str = "insert into price_costs (item_id, cost_minor) \
     select item_id, cost_minor from price_decisions where run_id = $1 and cost_minor is not null \
     on conflict (item_id) do update set cost_minor = excluded.cost_minor";
const STOPPED: &str = "select stopped_ms from pricing_switch";
const SWITCH: &str = "update pricing_switch set stopped_ms = $1";

/// Pricing runs and what they decided.
#[async_trait]
pub trait PriceRuns: Send + Sync {
    /// Writes a run with its decisions, in one transaction. Runs that still wait are superseded by it, and only
    /// the newest `keep` are kept. If its request key is known already nothing is written, and the run of that
    /// key is answered.
    async fn write_price_run(
        &self,
        run: &PriceRun,
        decisions: &[PriceDecision],
        keep: u32,
    ) -> Result<Option<PriceRun>, StoreError>;

    /// The run that was asked for under this key.
    async fn price_run_of_request(&self, key: &str) -> Result<Option<PriceRun>, StoreError>;

    /// Supersedes runs that still wait.
    async fn supersede_price_runs(&self, at: Timestamp) -> Result<(), StoreError>;

    /// The newest runs, newest first.
    async fn price_runs(&self, limit: u32) -> Result<Vec<PriceRun>, StoreError>;

    /// One run.
    async fn price_run(&self, run: &str) -> Result<Option<PriceRun>, StoreError>;

    /// Moves a run from one state to another; `false` if it is not in the first. The costs of a run that comes into
    /// force are noted with it.
    async fn move_price_run(
        &self,
        run: &str,
        (from, to): (RunState, RunState),
        is_by_person: bool,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// What a run decided, by item, those after `after`, at most `limit`.
    async fn price_decisions(
        &self,
        run: &str,
        after: Option<&ItemId>,
        limit: u32,
    ) -> Result<Vec<PriceDecision>, StoreError>;

    /// Notes the costs that prices were decided by.
    async fn note_costs(&self, costs: &[(ItemId, Cents)]) -> Result<(), StoreError>;

    /// The costs that were last noted.
    async fn decided_costs(&self) -> Result<Vec<(ItemId, Cents)>, StoreError>;

    /// Since when pricing is stopped; `None` while it goes on.
    async fn pricing_stopped(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Stops pricing, or lets it go on.
    async fn switch_pricing(&self, stopped: Option<Timestamp>) -> Result<(), StoreError>;

    /// The newest kept decision about an item, with its run's id.
    async fn last_price_decision(
        &self,
        item: &ItemId,
    ) -> Result<Option<(String, PriceDecision)>, StoreError>;
}

super::for_both! {
    impl PriceRuns {
        async fn write_price_run(
            &self,
            run: &PriceRun,
            decisions: &[PriceDecision],
            keep: u32,
        ) -> Result<Option<PriceRun>, StoreError> {
            let failed = || StoreError::while_doing("write a pricing run");
            let mut transaction = self.begin().await?;
            if let Some(key) = &run.request_key {
                let known: Option<PriceRunRow> = sqlx::query_as(RUN_OF_REQUEST)
                    .bind(key.as_str())
                    .fetch_optional(&mut *transaction)
                    .await
                    .map_err(failed())?;
                if let Some(known) = known {
                    return known.try_into().map(Some);
                }
            }
            sqlx::query(SUPERSEDE_RUNS)
                .bind(run.created_at.0)
                .execute(&mut *transaction)
                .await
                .map_err(failed())?;
            let written = sqlx::query(WRITE_RUN)
                .bind(run.run_id.as_str())
                .bind(run.created_at.0)
                .bind(run.state.name())
                .bind(run.changed_at.0)
                .bind(run.request_key.as_deref())
                .bind(run.is_approved_by_person)
                .bind(to_json(&run.summary))
                .execute(&mut *transaction)
                .await
                .map_err(failed())?;
            if let (0, Some(key)) = (written.rows_affected(), &run.request_key) {
                // Somebody else has just written a run for this request; what was superseded is not.
                transaction.rollback().await.map_err(failed())?;
                return self.price_run_of_request(key).await;
            }
            for chunk in decisions.chunks(ROWS_MAX) {
                let rows: Vec<_> = chunk
                    .iter()
                    .map(|decision| {
                        let lottery = decision.reason.lottery();
                        json!([
                            run.run_id,
                            decision.item.as_str(),
                            decision.before.map(|price| price.0),
                            decision.price.0,
                            decision.reason.name(),
                            lottery.map(|lottery| lottery.expected.0),
                            lottery.map(|lottery| lottery.chance_ppm),
                            decision.cost.map(|cost| cost.0),
                            hex(&decision.case),
                        ])
                    })
                    .collect();
                sqlx::query(Self::WRITE_DECISIONS)
                    .bind(to_json(&rows))
                    .execute(&mut *transaction)
                    .await
                    .map_err(failed())?;
            }
            sqlx::query(DROP_SUPERSEDED).execute(&mut *transaction).await.map_err(failed())?;
            for sql in [DROP_DECISIONS, DROP_RUNS] {
                sqlx::query(sql)
                    .bind(i64::from(keep))
                    .execute(&mut *transaction)
                    .await
                    .map_err(failed())?;
            }
            transaction.commit().await.map_err(StoreError::while_doing("commit"))?;
            Ok(None)
        }

        async fn price_run_of_request(&self, key: &str) -> Result<Option<PriceRun>, StoreError> {
            let found: Option<PriceRunRow> = sqlx::query_as(RUN_OF_REQUEST)
                .bind(key)
                .fetch_optional(self.readers())
                .await
                .map_err(StoreError::while_doing("read a pricing run"))?;
            found.map(PriceRun::try_from).transpose()
        }

        async fn supersede_price_runs(&self, at: Timestamp) -> Result<(), StoreError> {
            sqlx::query(SUPERSEDE_RUNS)
                .bind(at.0)
                .execute(self.writer())
                .await
                .map(drop)
                .map_err(StoreError::while_doing("supersede pricing runs"))
        }

        async fn price_runs(&self, limit: u32) -> Result<Vec<PriceRun>, StoreError> {
            let found: Vec<PriceRunRow> = sqlx::query_as(RUNS)
                .bind(i64::from(limit))
                .fetch_all(self.readers())
                .await
                .map_err(StoreError::while_doing("read pricing runs"))?;
            rows::all(found)
        }

        async fn price_run(&self, run: &str) -> Result<Option<PriceRun>, StoreError> {
            let found: Option<PriceRunRow> = sqlx::query_as(RUN)
                .bind(run)
                .fetch_optional(self.readers())
                .await
                .map_err(StoreError::while_doing("read a pricing run"))?;
            found.map(PriceRun::try_from).transpose()
        }

        async fn move_price_run(
            &self,
            run: &str,
            (from, to): (RunState, RunState),
            is_by_person: bool,
            at: Timestamp,
        ) -> Result<bool, StoreError> {
            let failed = || StoreError::while_doing("change a pricing run");
            let mut transaction = self.begin().await?;
            let moved = sqlx::query(MOVE_RUN)
                .bind(run)
                .bind(from.name())
                .bind(to.name())
                .bind(at.0)
                .bind(is_by_person)
                .execute(&mut *transaction)
                .await
                .map_err(failed())?;
            if moved.rows_affected() > 0 && to == RunState::Applied {
                sqlx::query(NOTE_COSTS_OF_RUN)
                    .bind(run)
                    .execute(&mut *transaction)
                    .await
                    .map_err(failed())?;
            }
            transaction.commit().await.map_err(StoreError::while_doing("commit"))?;
            Ok(moved.rows_affected() > 0)
        }

        async fn price_decisions(
            &self,
            run: &str,
            after: Option<&ItemId>,
            limit: u32,
        ) -> Result<Vec<PriceDecision>, StoreError> {
            let found: Vec<PriceDecisionRow> = sqlx::query_as(DECISIONS)
                .bind(run)
                .bind(after.map_or("", ItemId::as_str))
                .bind(i64::from(limit))
                .fetch_all(self.readers())
                .await
                .map_err(StoreError::while_doing("read price decisions"))?;
            let decisions = found.into_iter().map(|row| Ok(<(String, PriceDecision)>::try_from(row)?.1));
            decisions.collect()
        }

        async fn note_costs(&self, costs: &[(ItemId, Cents)]) -> Result<(), StoreError> {
            for chunk in costs.chunks(ROWS_MAX) {
                let rows: Vec<_> =
                    chunk.iter().map(|(item, cost)| json!([item.as_str(), cost.0])).collect();
                sqlx::query(Self::NOTE_COSTS)
                    .bind(to_json(&rows))
                    .execute(self.writer())
                    .await
                    .map_err(StoreError::while_doing("note the costs that prices were decided by"))?;
            }
            Ok(())
        }

        async fn decided_costs(&self) -> Result<Vec<(ItemId, Cents)>, StoreError> {
            let found: Vec<(String, i64)> = sqlx::query_as(DECIDED_COSTS)
                .fetch_all(self.readers())
                .await
                .map_err(StoreError::while_doing("read the costs that prices were decided by"))?;
            // An id that is none any more belongs to no item that could be asked about.
            let costs = found.into_iter();
            Ok(costs.filter_map(|(item, cost)| Some((ItemId::new(item).ok()?, Cents(cost)))).collect())
        }

        async fn pricing_stopped(&self) -> Result<Option<Timestamp>, StoreError> {
            let stopped: Option<i64> = sqlx::query_scalar(STOPPED)
                .fetch_one(self.readers())
                .await
                .map_err(StoreError::while_doing("read whether pricing is stopped"))?;
            Ok(stopped.map(Timestamp))
        }

        async fn switch_pricing(&self, stopped: Option<Timestamp>) -> Result<(), StoreError> {
            sqlx::query(SWITCH)
                .bind(stopped.map(|at| at.0))
                .execute(self.writer())
                .await
                .map(drop)
                .map_err(StoreError::while_doing("switch pricing"))
        }

        async fn last_price_decision(
            &self,
            item: &ItemId,
        ) -> Result<Option<(String, PriceDecision)>, StoreError> {
            let found: Option<PriceDecisionRow> = sqlx::query_as(LAST_DECISION)
                .bind(item.as_str())
                .fetch_optional(self.readers())
                .await
                .map_err(StoreError::while_doing("read a price decision"))?;
            found.map(TryInto::try_into).transpose()
        }
    }
}
