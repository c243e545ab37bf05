//! Postgres: several processes may write at once.
//!
//! Sequences and revisions are taken while a shared advisory lock is held until the end of the
//! transaction. A reader that wants settled numbers takes that lock exclusively for a moment: once it
//! has it, nobody is between taking a number and committing it, so whatever the sequence has given
//! out is either visible or will never be. Locks are always taken in the same order (events, users,
//! items; rows by id), so that writers wait for each other but never in a circle.

mod appending;
mod changing;
mod statements;

use super::{
    ChangeTerms, Changed, Known, NewPrice, Store, StoreError,
    draft::{draft_backfill, draft_changes, draft_prices, last_offers},
    rows::{self, ErasureRow, EventRow, ItemRow, MergeRow, UserRow, last_of_each, to_json},
};
use crate::domain::{
    CompetitorPrice, ErasureReceipt, Event, Item, ItemChange, ItemId, Merge, PriceEntry,
    RecordedEvent, Sequence, Timestamp, User, UserId,
    person::{id_hash, user_hash},
};
use async_trait::async_trait;
use changing::{standing, write_drafts, write_entries, write_items};
use serde_json::{Map, Value};
use sqlx::{
    PgConnection, PgPool, Postgres, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use statements::{
    ERASE_EVENTS, ERASE_MERGES, ERASE_USER, EVENTS_BETWEEN, INSERT_COMPETITORS, INSERT_USERS, ITEM,
    ITEMS_BETWEEN, LAST_EVENT, LAST_REVISION, LOCK, MERGE_EVENTS, MERGE_MERGES, WRITE_ERASURE,
    WRITE_MERGE, WRITE_USERS,
};
use std::{collections::HashMap, str::FromStr, sync::atomic::AtomicU32, time::Duration};

/// Advisory lock of those who take numbers from `event_sequence`.
const EVENTS_LOCK: i64 = 0x5348_4f50_0001;
/// Advisory lock of those who take numbers from `item_revision`.
const ITEMS_LOCK: i64 = 0x5348_4f50_0002;
/// Advisory lock of those who change what they have read of the catalogue.
const CATALOGUE_LOCK: i64 = 0x5348_4f50_0003;
/// Advisory lock of those who erase and merge, so that both are numbered in the order of commits.
const PEOPLE_LOCK: i64 = 0x5348_4f50_0004;

/// A store in a Postgres database.
#[derive(Debug)]
pub struct PostgresStore {
    pool: PgPool,
    /// Large appends that will not be tried as COPY, because one has met a duplicate.
    copy_pause: AtomicU32,
}

impl PostgresStore {
    pub(super) const WRITE_DECISIONS: &str = "insert into price_decisions (run_id, item_id, before_minor, \
         price_minor, reason, expected_minor, chance_ppm, cost_minor, decided_by) select v ->> 0, v ->> 1, \
         (v ->> 2)::bigint, (v ->> 3)::bigint, v ->> 4, (v ->> 5)::bigint, (v ->> 6)::integer, \
         (v ->> 7)::bigint, decode(v ->> 8, 'hex') from json_array_elements($1::json) as t(v)";
    pub(super) const NOTE_COSTS: &str = "insert into price_costs (item_id, cost_minor) \
         select v ->> 0, (v ->> 1)::bigint from json_array_elements($1::json) as t(v) order by 1 \
         on conflict (item_id) do update set cost_minor = excluded.cost_minor";
    /// The condition is that of the index `events_by_credit`.
    pub(super) const CREDITED: &str = "select context::json -> 'credit' ->> 'scenario' as scenario, context::json -> 'credit' ->> 'source' as source, \
         context::json -> 'credit' ->> 'experiment' as experiment, context::json -> 'credit' ->> 'variant' as variant, kind, \
         count(*) as events, cast(sum(quantity) as bigint) as units, \
         cast(sum(case when kind = 8 then coalesce(price_minor, 0) * quantity else 0 end) as bigint) as revenue_minor \
         from events where context like '%\"credit\":{\"scenario\"%' and occurred_at_ms >= $1 \
         and context::json -> 'credit' ->> 'scenario' is not null \
         group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5";
    /// First by shopper, then by variant; kinds are those of `EventKind::code`.
    pub(super) const VARIANT_TALLIES: &str = "select variant, count(*) as users, \
         count(case when bought > 0 then 1 end) as converted, \
         cast(sum(shown) as bigint) as impressions, cast(sum(clicked) as bigint) as clicks, \
         cast(sum(carted) as bigint) as carts, cast(sum(bought) as bigint) as purchases, \
         cast(sum(paid) as double precision) as revenue_minor, cast(sum(paid * paid) as double precision) as revenue_squares \
         from (select context::json -> 'credit' ->> 'variant' as variant, coalesce(user_id, session_id) as shopper, \
         count(case when kind = 3 then 1 end) as shown, count(case when kind = 2 then 1 end) as clicked, \
         count(case when kind = 5 then 1 end) as carted, count(case when kind = 8 then 1 end) as bought, \
         cast(sum(case when kind = 8 then coalesce(price_minor, 0) * quantity else 0 end) as double precision) as paid \
         from events where context like '%\"credit\":{\"scenario\"%' and context::json -> 'credit' ->> 'experiment' = $1 \
         and context::json -> 'credit' ->> 'variant' is not null group by 1, 2) as shoppers group by variant order by variant";

    pub(super) fn readers(&self) -> &PgPool {
        &self.pool
    }

    pub(super) fn writer(&self) -> &PgPool {
        &self.pool
    }

    /// Connects and brings the schema up to date; waits at most `acquire_timeout` for a connection,
    /// now and later.
    pub async fn connect(
        url: &str,
        connections_max: u32,
        acquire_timeout: Duration,
    ) -> Result<Self, StoreError> {
        let connecting = || StoreError::while_doing("connect to the database");
        let options = PgConnectOptions::from_str(url)
            .map_err(connecting())?
            .application_name("shopkeeper")
            // A transaction whose client has gone must not hold the numbering lock for long.
            .options([("idle_in_transaction_session_timeout", "30s")]);
        let pool = PgPoolOptions::new()
            .max_connections(connections_max.max(1))
            .acquire_timeout(acquire_timeout)
            .connect_with(options)
            .await
            .map_err(connecting())?;
        sqlx::migrate!("migrations/postgres").run(&pool).await.map_err(StoreError::Migrate)?;
        Ok(Self { pool, copy_pause: AtomicU32::new(0) })
    }

    pub(super) async fn begin(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        self.pool.begin().await.map_err(StoreError::while_doing("begin a transaction"))
    }

    /// The highest number that the sequence behind `last` has given out and that is settled.
    async fn settled(&self, lock_key: i64, last: &'static str) -> Result<i64, StoreError> {
        let mut transaction = self.begin().await?;
        lock(&mut transaction, LOCK, lock_key).await?;
        let last = sqlx::query_scalar(last)
            .fetch_one(&mut *transaction)
            .await
            .map_err(StoreError::while_doing("read the last number"))?;
        commit(transaction).await?;
        Ok(last)
    }

    /// Whether the sequence behind `last` has gone past `after`; spares readers the lock.
    async fn has_gone_past(&self, after: i64, last: &'static str) -> Result<bool, StoreError> {
        let last: i64 = sqlx::query_scalar(last)
            .fetch_one(&self.pool)
            .await
            .map_err(StoreError::while_doing("read the last number"))?;
        Ok(last > after)
    }
}

async fn lock(
    connection: &mut PgConnection,
    how: &'static str,
    key: i64,
) -> Result<(), StoreError> {
    let locked = sqlx::query(how).bind(key).execute(connection).await;
    locked.map(drop).map_err(StoreError::while_doing("take a lock"))
}

async fn commit(transaction: Transaction<'_, Postgres>) -> Result<(), StoreError> {
    transaction.commit().await.map_err(StoreError::while_doing("commit"))
}

#[async_trait]
impl Store for PostgresStore {
    fn kind(&self) -> &'static str {
        "postgres"
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let answer = sqlx::query("select 1").execute(&self.pool).await;
        answer.map(drop).map_err(StoreError::while_doing("reach the database"))
    }

    async fn append_events(
        &self,
        events: &[Event],
        received_at: Timestamp,
        known: &dyn Known,
    ) -> Result<Vec<Option<Sequence>>, StoreError> {
        self.append(events, received_at, known).await
    }

    async fn events_after(
        &self,
        after: Sequence,
        limit: u32,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        if !self.has_gone_past(after.0, LAST_EVENT).await? {
            return Ok(Vec::new());
        }
        let settled = self.settled(EVENTS_LOCK, LAST_EVENT).await?;
        let found: Vec<EventRow> = sqlx::query_as(EVENTS_BETWEEN)
            .bind(after.0)
            .bind(settled)
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .map_err(StoreError::while_doing("read events"))?;
        rows::all(found)
    }

    async fn last_sequence(&self) -> Result<Sequence, StoreError> {
        self.settled(EVENTS_LOCK, LAST_EVENT).await.map(Sequence)
    }

    async fn change_items(
        &self,
        changes: &[(ItemId, ItemChange)],
        terms: ChangeTerms,
        at: Timestamp,
    ) -> Result<Changed, StoreError> {
        let mut transaction = self.begin().await?;
        let known = standing(&mut transaction, changes.iter().map(|change| &change.0)).await?;
        let (drafts, refused) = draft_changes(known, changes, terms, at);
        let items = write_drafts(&mut transaction, drafts, at).await?;
        commit(transaction).await?;
        Ok(Changed { items, refused })
    }

    async fn item(&self, item: &ItemId) -> Result<Option<Item>, StoreError> {
        let found: Option<ItemRow> = sqlx::query_as(ITEM)
            .bind(item.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(StoreError::while_doing("read an item"))?;
        found.map(Item::try_from).transpose()
    }

    async fn items_after(&self, after: i64, limit: u32) -> Result<Vec<Item>, StoreError> {
        if !self.has_gone_past(after, LAST_REVISION).await? {
            return Ok(Vec::new());
        }
        let settled = self.settled(ITEMS_LOCK, LAST_REVISION).await?;
        let found: Vec<ItemRow> = sqlx::query_as(ITEMS_BETWEEN)
            .bind(after)
            .bind(settled)
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .map_err(StoreError::while_doing("read items"))?;
        rows::all(found)
    }

    async fn set_prices(
        &self,
        prices: &[NewPrice],
        at: Timestamp,
    ) -> Result<Vec<Item>, StoreError> {
        let mut transaction = self.begin().await?;
        let known = standing(&mut transaction, prices.iter().map(|price| &price.item)).await?;
        let items = write_drafts(&mut transaction, draft_prices(known, prices, at), at).await?;
        commit(transaction).await?;
        Ok(items)
    }

    async fn backfill_prices(&self, entries: &[PriceEntry]) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        let known = standing(&mut transaction, entries.iter().map(|entry| &entry.item)).await?;
        let (drafts, entries) = draft_backfill(known, entries);
        write_items(&mut transaction, drafts.iter().map(|draft| &draft.item).collect()).await?;
        write_entries(&mut transaction, &entries).await?;
        commit(transaction).await?;
        Ok(entries.len() as u64)
    }

    async fn append_competitor_prices(
        &self,
        prices: &[CompetitorPrice],
    ) -> Result<u64, StoreError> {
        let prices = last_offers(prices);
        let offers = || prices.iter().map(|price| &price.offer);
        let written = sqlx::query(INSERT_COMPETITORS)
            .bind(prices.iter().map(|price| price.item.as_str()).collect::<Vec<_>>())
            .bind(offers().map(|offer| offer.competitor.as_str()).collect::<Vec<_>>())
            .bind(offers().map(|offer| offer.observed_at.0).collect::<Vec<_>>())
            .bind(offers().map(|offer| offer.price.0).collect::<Vec<_>>())
            .bind(offers().map(|offer| Some(offer.shipping?.0)).collect::<Vec<_>>())
            .bind(offers().map(|offer| offer.in_stock).collect::<Vec<_>>())
            .bind(offers().map(|offer| offer.condition.name()).collect::<Vec<_>>())
            .bind(offers().map(|offer| offer.match_confidence).collect::<Vec<_>>())
            .execute(&self.pool)
            .await
            .map_err(StoreError::while_doing("write competitors' prices"))?;
        Ok(written.rows_affected())
    }

    async fn save_users(
        &self,
        users: &[(UserId, Map<String, Value>)],
        at: Timestamp,
    ) -> Result<Vec<User>, StoreError> {
        let mentioned = last_of_each(users);
        let mut sorted = mentioned.clone();
        sorted.sort_unstable_by_key(|pair| pair.0);
        let saved: Vec<UserRow> = sqlx::query_as(WRITE_USERS)
            .bind(sorted.iter().map(|pair| pair.0.as_str()).collect::<Vec<_>>())
            .bind(sorted.iter().map(|pair| to_json(pair.1)).collect::<Vec<_>>())
            .bind(at.0)
            .fetch_all(&self.pool)
            .await
            .map_err(StoreError::while_doing("write users"))?;
        let saved: Vec<User> = rows::all(saved)?;
        let mut by_id: HashMap<UserId, User> =
            saved.into_iter().map(|user| (user.user_id.clone(), user)).collect();
        Ok(mentioned.into_iter().filter_map(|pair| by_id.remove(pair.0)).collect())
    }

    async fn merge_users(
        &self,
        from: &str,
        into: &UserId,
        at: Timestamp,
    ) -> Result<Option<Merge>, StoreError> {
        let failed = || StoreError::while_doing("merge users");
        let mut transaction = self.begin().await?;
        lock(&mut transaction, LOCK, PEOPLE_LOCK).await?;
        let moved: (i64, i64) = sqlx::query_as(MERGE_EVENTS)
            .bind(from)
            .bind(into.as_str())
            .fetch_one(&mut *transaction)
            .await
            .map_err(failed())?;
        sqlx::query(INSERT_USERS)
            .bind([into.as_str()].as_slice())
            .bind(at.0)
            .execute(&mut *transaction)
            .await
            .map_err(failed())?;
        let mut attributes = Vec::new();
        for user in [from, into.as_str()] {
            let found: Option<UserRow> = sqlx::query_as(super::shared::people::USER)
                .bind(user)
                .fetch_optional(&mut *transaction)
                .await
                .map_err(failed())?;
            let found = found.map(User::try_from).transpose()?;
            attributes.push(found.map(|user| user.attributes).unwrap_or_default());
        }
        if attributes[0].keys().any(|key| !attributes[1].contains_key(key)) {
            // What the customer says of themselves comes last, and so counts.
            let joined: Map<String, Value> = attributes.into_iter().flatten().collect();
            let _written: UserRow = sqlx::query_as(WRITE_USERS)
                .bind([into.as_str()].as_slice())
                .bind([to_json(&joined)].as_slice())
                .bind(at.0)
                .fetch_one(&mut *transaction)
                .await
                .map_err(failed())?;
        }
        sqlx::query(ERASE_USER).bind(from).execute(&mut *transaction).await.map_err(failed())?;
        let (moved_until, events_moved) = moved;
        if events_moved == 0 {
            commit(transaction).await?;
            return Ok(None);
        }
        sqlx::query(MERGE_MERGES)
            .bind(from)
            .bind(into.as_str())
            .execute(&mut *transaction)
            .await
            .map_err(failed())?;
        let row: MergeRow = sqlx::query_as(WRITE_MERGE)
            .bind(from)
            .bind(into.as_str())
            .bind(at.0)
            .bind(moved_until)
            .bind(events_moved)
            .fetch_one(&mut *transaction)
            .await
            .map_err(failed())?;
        commit(transaction).await?;
        row.try_into().map(Some)
    }

    async fn erase_user(&self, user: &UserId, at: Timestamp) -> Result<ErasureReceipt, StoreError> {
        let failed = || StoreError::while_doing("erase a user");
        let mut transaction = self.begin().await?;
        lock(&mut transaction, LOCK, PEOPLE_LOCK).await?;
        let erased = sqlx::query(ERASE_EVENTS)
            .bind(user.as_str())
            .execute(&mut *transaction)
            .await
            .map_err(failed())?;
        sqlx::query(ERASE_USER)
            .bind(user.as_str())
            .execute(&mut *transaction)
            .await
            .map_err(failed())?;
        let guests: Vec<String> = sqlx::query_scalar(ERASE_MERGES)
            .bind(user.as_str())
            .fetch_all(&mut *transaction)
            .await
            .map_err(failed())?;
        for guest in guests {
            let _receipt: ErasureRow = sqlx::query_as(WRITE_ERASURE)
                .bind(id_hash(&guest))
                .bind(at.0)
                .bind(0_i64)
                .fetch_one(&mut *transaction)
                .await
                .map_err(failed())?;
        }
        let row: ErasureRow = sqlx::query_as(WRITE_ERASURE)
            .bind(user_hash(user))
            .bind(at.0)
            .bind(erased.rows_affected() as i64)
            .fetch_one(&mut *transaction)
            .await
            .map_err(failed())?;
        commit(transaction).await?;
        Ok(row.into())
    }
}
