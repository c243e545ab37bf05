//! What the service needs to run: its currency, totals, training runs, leases.

use super::super::{
    StoreError, Totals,
    rows::{self, RunRow, to_json},
};
use crate::domain::{Currency, ModelRun, Timestamp};
use async_trait::async_trait;

const WRITE_RUN: &str = "insert into model_runs (started_at_ms, finished_at_ms, outcome, reason, \
     version, report) values ($1, $2, $3, $4, $5, $6)";
const RUNS: &str = "select started_at_ms, finished_at_ms, outcome, reason, version, report \
     from model_runs order by run_id desc limit $1";
const TAKE_LEASE: &str = "insert into leases (name, holder, expires_at_ms) values ($1, $2, $4) \
     on conflict (name) do update set holder = excluded.holder, \
     expires_at_ms = excluded.expires_at_ms \
     where leases.holder = excluded.holder or leases.expires_at_ms <= $3";
const RELEASE_LEASE: &str = "delete from leases where name = $1 and holder = $2";
const EVENT_COUNTS: &str = "select kind, count(*) from events group by kind order by kind";
const COUNTS: &str = "select (select count(*) from items where not removed), \
     (select count(*) from users), (select count(*) from price_ledger), \
     (select count(*) from competitor_prices)";

/// Amounts are told apart by nothing but this, so it changes only while there are none.
const SETTLE_CURRENCY: &str = "insert into shop (one, currency) values (1, $1) \
     on conflict (one) do update set currency = excluded.currency \
     where not exists (select 1 from items) and not exists (select 1 from events) \
     and not exists (select 1 from competitor_prices)";
const CURRENCY: &str = "select currency from shop";

/// What the service needs to run: its currency, totals, training runs, leases.
#[async_trait]
pub trait Operations: Send + Sync {
    /// The code of the currency that all amounts are in: `currency`, if there are none yet.
    async fn settle_currency(&self, currency: Currency) -> Result<String, StoreError>;

    /// Counts everything; may scan, so not for a hot path.
    async fn totals(&self) -> Result<Totals, StoreError>;

    /// Remembers what a training run did.
    async fn record_run(&self, run: &ModelRun) -> Result<(), StoreError>;

    /// The latest runs, newest first.
    async fn runs(&self, limit: u32) -> Result<Vec<ModelRun>, StoreError>;

    /// Takes or renews the named lease until `until`; `false` if another holder has it and it has
    /// not run out at `now`.
    async fn take_lease(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Gives the named lease back if `holder` has it.
    async fn release_lease(&self, name: &str, holder: &str) -> Result<(), StoreError>;
}

super::for_both! {
    impl Operations {
        async fn settle_currency(&self, currency: Currency) -> Result<String, StoreError> {
            let failed = || StoreError::while_doing("settle the currency");
            sqlx::query(SETTLE_CURRENCY)
                .bind(currency.code())
                .execute(self.writer())
                .await
                .map_err(failed())?;
            sqlx::query_scalar(CURRENCY).fetch_one(self.readers()).await.map_err(failed())
        }

        async fn totals(&self) -> Result<Totals, StoreError> {
            let failed = || StoreError::while_doing("count");
            let events: Vec<(i16, i64)> =
                sqlx::query_as(EVENT_COUNTS).fetch_all(self.readers()).await.map_err(failed())?;
            let counts: (i64, i64, i64, i64) =
                sqlx::query_as(COUNTS).fetch_one(self.readers()).await.map_err(failed())?;
            Ok(rows::totals(&events, counts))
        }

        async fn record_run(&self, run: &ModelRun) -> Result<(), StoreError> {
            sqlx::query(WRITE_RUN)
                .bind(run.started_at.0)
                .bind(run.finished_at.0)
                .bind(run.outcome.name())
                .bind(run.reason.as_str())
                .bind(run.version.map(|version| version as i64))
                .bind(to_json(&run.report))
                .execute(self.writer())
                .await
                .map(drop)
                .map_err(StoreError::while_doing("record a training run"))
        }

        async fn runs(&self, limit: u32) -> Result<Vec<ModelRun>, StoreError> {
            let found: Vec<RunRow> = sqlx::query_as(RUNS)
                .bind(i64::from(limit))
                .fetch_all(self.readers())
                .await
                .map_err(StoreError::while_doing("read training runs"))?;
            rows::all(found)
        }

        async fn take_lease(
            &self,
            name: &str,
            holder: &str,
            now: Timestamp,
            until: Timestamp,
        ) -> Result<bool, StoreError> {
            let taken = sqlx::query(TAKE_LEASE)
                .bind(name)
                .bind(holder)
                .bind(now.0)
                .bind(until.0)
                .execute(self.writer())
                .await
                .map_err(StoreError::while_doing("take a lease"))?;
            Ok(taken.rows_affected() > 0)
        }

        async fn release_lease(&self, name: &str, holder: &str) -> Result<(), StoreError> {
            sqlx::query(RELEASE_LEASE)
                .bind(name)
                .bind(holder)
                .execute(self.writer())
                .await
                .map(drop)
                .map_err(StoreError::while_doing("release a lease"))
        }
    }
}
