//! The embedded database: one file, WAL, every commit flushed.
//!
//! SQLite lets one writer in at a time, in this process through the pool of one connection, among
//! processes through its own lock (`begin immediate`). Numbers are therefore given out in the order
//! of the commits, and everything that a reader sees is settled.

mod ledger;
mod statements;

use super::{
    ChangeTerms, Changed, Known, NewPrice, Store, StoreError,
    draft::{
        Draft, LedgerStep, SpellStep, draft_backfill, draft_changes, draft_prices, last_offers,
    },
    rows::{
        self, ErasureRow, EventRow, ItemRow, MergeRow, StandingRow, UserRow, context_json,
        first_of_each, last_of_each, newcomers, to_json,
    },
};
use crate::domain::{
    CompetitorPrice, ErasureReceipt, Event, Item, ItemChange, ItemId, Merge, PriceEntry,
    RecordedEvent, Sequence, Timestamp, User, UserId,
    person::{id_hash, user_hash},
};
use async_trait::async_trait;
use ledger::{write_entries, write_steps};
use serde_json::{Map, Value, json};
use sqlx::{
    Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use statements::{
    ENSURE_USER, ERASE_EVENTS, ERASE_MERGES, ERASE_USER, EVENTS_AFTER, GUEST_EVENTS,
    INSERT_COMPETITOR, INSERT_EVENTS, INSERT_ITEM, INSERT_USERS, ITEM, ITEMS_AFTER,
    KNOWN_EVENT_IDS, LAST_EVENT, MERGE_EVENTS, MERGE_MERGES, STANDING, WRITE_ERASURE, WRITE_ITEM,
    WRITE_MERGE, WRITE_USER,
};
use std::{path::Path, time::Duration};

/// How long a writer waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// A store in one SQLite file.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    readers: SqlitePool,
    writer: SqlitePool,
}

impl SqliteStore {
    pub(super) const WRITE_DECISIONS: &str = "insert into price_decisions (run_id, item_id, before_minor, \
         price_minor, reason, expected_minor, chance_ppm, cost_minor, decided_by) select value ->> 0, \
         value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, \
         unhex(value ->> 8) from json_each($1)";
    pub(super) const NOTE_COSTS: &str = "insert into price_costs (item_id, cost_minor) \
         select value ->> 0, value ->> 1 from json_each($1) where true \
         on conflict (item_id) do update set cost_minor = excluded.cost_minor";
    /// The condition is that of the index `events_by_credit`.
    pub(super) const CREDITED: &str = "select context ->> '$.credit.scenario' as scenario, context ->> '$.credit.source' as source, \
         context ->> '$.credit.experiment' as experiment, context ->> '$.credit.variant' as variant, kind, \
         count(*) as events, cast(sum(quantity) as integer) as units, \
         cast(sum(case when kind = 8 then coalesce(price_minor, 0) * quantity else 0 end) as integer) as revenue_minor \
         from events where context like '%\"credit\":{\"scenario\"%' and occurred_at_ms >= $1 \
         and context ->> '$.credit.scenario' is not null \
         group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5";
    /// First by shopper, then by variant; kinds are those of `EventKind::code`.
    pub(super) const VARIANT_TALLIES: &str = "select variant, count(*) as users, \
         count(case when bought > 0 then 1 end) as converted, \
         cast(sum(shown) as integer) as impressions, cast(sum(clicked) as integer) as clicks, \
         cast(sum(carted) as integer) as carts, cast(sum(bought) as integer) as purchases, \
         cast(sum(paid) as real) as revenue_minor, cast(sum(paid * paid) as real) as revenue_squares \
         from (select context ->> '$.credit.variant' as variant, coalesce(user_id, session_id) as shopper, \
         count(case when kind = 3 then 1 end) as shown, count(case when kind = 2 then 1 end) as clicked, \
         count(case when kind = 5 then 1 end) as carted, count(case when kind = 8 then 1 end) as bought, \
         cast(sum(case when kind = 8 then coalesce(price_minor, 0) * quantity else 0 end) as real) as paid \
         from events where context like '%\"credit\":{\"scenario\"%' and context ->> '$.credit.experiment' = $1 \
         and context ->> '$.credit.variant' is not null group by 1, 2) as shoppers group by variant order by variant";

    pub(super) fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    pub(super) fn writer(&self) -> &SqlitePool {
        &self.writer
    }

    /// Opens the file, creating it if need be, and brings its schema up to date; reads go through
    /// at most `connections_max` connections.
    pub async fn open(path: &Path, connections_max: u32) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // With WAL, NORMAL may lose the last commits when the power fails; we have promised.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let opening = || StoreError::while_doing("open the database file");
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options.clone())
            .await
            .map_err(opening())?;
        sqlx::migrate!("migrations/sqlite").run(&writer).await.map_err(StoreError::Migrate)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(connections_max.max(1))
            .connect_with(options)
            .await
            .map_err(opening())?;
        Ok(Self { readers, writer })
    }

    pub(super) async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        let begun = self.writer.begin_with("begin immediate").await;
        begun.map_err(StoreError::while_doing("begin a transaction"))
    }
}

async fn commit(transaction: Transaction<'static, Sqlite>) -> Result<(), StoreError> {
    transaction.commit().await.map_err(StoreError::while_doing("commit"))
}

async fn standing(
    transaction: &mut Transaction<'static, Sqlite>,
    items: impl Iterator<Item = &ItemId>,
) -> Result<std::collections::HashMap<ItemId, super::draft::Standing>, StoreError> {
    let ids: Vec<&str> = items.map(ItemId::as_str).collect();
    let found: Vec<StandingRow> = sqlx::query_as(STANDING)
        .bind(to_json(&ids))
        .fetch_all(&mut **transaction)
        .await
        .map_err(StoreError::while_doing("read items"))?;
    rows::standing(found)
}

/// Writes the drafts that changed, with what follows for the ledger, and answers all as items.
async fn write_drafts(
    transaction: &mut Transaction<'static, Sqlite>,
    drafts: Vec<Draft>,
    at: Timestamp,
) -> Result<Vec<Item>, StoreError> {
    let mut items = Vec::with_capacity(drafts.len());
    let mut steps: Vec<LedgerStep> = Vec::new();
    let spells: Vec<SpellStep> = drafts.iter().flat_map(Draft::spell_steps).collect();
    for draft in drafts {
        let step = draft.ledger_step(at);
        let is_changed = draft.is_changed();
        let mut item = draft.item;
        if is_changed {
            item.revision = sqlx::query_scalar(WRITE_ITEM)
                .bind(item.item_id.as_str())
                .bind(to_json(&item.fields))
                .bind(item.price_in_force.map(|price| price.0))
                .bind(item.first_seen_at.0)
                .bind(item.updated_at.0)
                .bind(item.removed)
                .bind(item.back_on_sale_at.map(|at| at.0))
                .fetch_one(&mut **transaction)
                .await
                .map_err(StoreError::while_doing("write items"))?;
        }
        steps.extend(step);
        items.push(item);
    }
    write_steps(transaction, &steps).await?;
    SqliteStore::write_spells(transaction, &spells, at).await?;
    Ok(items)
}

#[async_trait]
impl Store for SqliteStore {
    fn kind(&self) -> &'static str {
        "sqlite"
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let answer = sqlx::query("select 1").execute(&self.readers).await;
        answer.map(drop).map_err(StoreError::while_doing("reach the database"))
    }

    async fn append_events(
        &self,
        events: &[Event],
        received_at: Timestamp,
        known: &dyn Known,
    ) -> Result<Vec<Option<Sequence>>, StoreError> {
        let failed = || StoreError::while_doing("append events");
        let mut is_fresh = first_of_each(events);
        let mut transaction = self.begin().await?;
        let ids: Vec<&str> = events.iter().filter_map(|event| event.event_id.as_deref()).collect();
        if !ids.is_empty() {
            let stored: Vec<String> = sqlx::query_scalar(KNOWN_EVENT_IDS)
                .bind(to_json(&ids))
                .fetch_all(&mut *transaction)
                .await
                .map_err(failed())?;
            let stored: std::collections::HashSet<String> = stored.into_iter().collect();
            for (fresh, event) in is_fresh.iter_mut().zip(events) {
                *fresh &= event.event_id.as_ref().is_none_or(|event_id| !stored.contains(event_id));
            }
        }
        let last: i64 =
            sqlx::query_scalar(LAST_EVENT).fetch_one(&mut *transaction).await.map_err(failed())?;
        let mut next = last;
        let sequences: Vec<Option<Sequence>> = is_fresh
            .into_iter()
            .map(|fresh| {
                next += i64::from(fresh);
                fresh.then_some(Sequence(next))
            })
            .collect();
        if next > last {
            let fresh = events.iter().zip(&sequences).filter_map(|(event, sequence)| {
                let sequence = (*sequence)?.0;
                Some(json!([
                    sequence,
                    event.event_id,
                    event.kind.code(),
                    event.user,
                    event.session,
                    event.item,
                    event.occurred_at.0,
                    event.quantity,
                    event.price.map(|price| price.0),
                    event.order,
                    event.value,
                    context_json(event),
                ]))
            });
            sqlx::query(INSERT_EVENTS)
                .bind(to_json(&fresh.collect::<Vec<_>>()))
                .bind(received_at.0)
                .execute(&mut *transaction)
                .await
                .map_err(failed())?;
        }
        let (users, items) = newcomers(events, known);
        if !users.is_empty() {
            sqlx::query(INSERT_USERS)
                .bind(to_json(&users))
                .bind(received_at.0)
                .execute(&mut *transaction)
                .await
                .map_err(failed())?;
        }
        for item in items {
            sqlx::query(INSERT_ITEM)
                .bind(item)
                .bind(received_at.0)
                .execute(&mut *transaction)
                .await
                .map_err(failed())?;
        }
        commit(transaction).await?;
        Ok(sequences)
    }

    async fn events_after(
        &self,
        after: Sequence,
        limit: u32,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let found: Vec<EventRow> = sqlx::query_as(EVENTS_AFTER)
            .bind(after.0)
            .bind(limit)
            .fetch_all(&self.readers)
            .await
            .map_err(StoreError::while_doing("read events"))?;
        rows::all(found)
    }

    async fn last_sequence(&self) -> Result<Sequence, StoreError> {
        let last = sqlx::query_scalar(LAST_EVENT).fetch_one(&self.readers).await;
        last.map(Sequence).map_err(StoreError::while_doing("read the last sequence"))
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
            .fetch_optional(&self.readers)
            .await
            .map_err(StoreError::while_doing("read an item"))?;
        found.map(Item::try_from).transpose()
    }

    async fn items_after(&self, after: i64, limit: u32) -> Result<Vec<Item>, StoreError> {
        let found: Vec<ItemRow> = sqlx::query_as(ITEMS_AFTER)
            .bind(after)
            .bind(limit)
            .fetch_all(&self.readers)
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
        for draft in drafts {
            let item = draft.item;
            sqlx::query(WRITE_ITEM)
                .bind(item.item_id.as_str())
                .bind(to_json(&item.fields))
                .bind(item.price_in_force.map(|price| price.0))
                .bind(item.first_seen_at.0)
                .bind(item.updated_at.0)
                .bind(item.removed)
                .bind(item.back_on_sale_at.map(|at| at.0))
                .execute(&mut *transaction)
                .await
                .map_err(StoreError::while_doing("write items"))?;
        }
        write_entries(&mut transaction, &entries).await?;
        commit(transaction).await?;
        Ok(entries.len() as u64)
    }

    async fn append_competitor_prices(
        &self,
        prices: &[CompetitorPrice],
    ) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        let mut n_new = 0;
        for price in last_offers(prices) {
            let written = sqlx::query(INSERT_COMPETITOR)
                .bind(price.item.as_str())
                .bind(price.offer.competitor.as_str())
                .bind(price.offer.observed_at.0)
                .bind(price.offer.price.0)
                .bind(price.offer.shipping.map(|shipping| shipping.0))
                .bind(price.offer.in_stock)
                .bind(price.offer.condition.name())
                .bind(price.offer.match_confidence)
                .execute(&mut *transaction)
                .await
                .map_err(StoreError::while_doing("write competitors' prices"))?;
            n_new += written.rows_affected();
        }
        commit(transaction).await?;
        Ok(n_new)
    }

    async fn save_users(
        &self,
        users: &[(UserId, Map<String, Value>)],
        at: Timestamp,
    ) -> Result<Vec<User>, StoreError> {
        let mut transaction = self.begin().await?;
        let mut saved = Vec::with_capacity(users.len());
        for (user, attributes) in last_of_each(users) {
            let row: UserRow = sqlx::query_as(WRITE_USER)
                .bind(user.as_str())
                .bind(to_json(attributes))
                .bind(at.0)
                .fetch_one(&mut *transaction)
                .await
                .map_err(StoreError::while_doing("write users"))?;
            saved.push(row.try_into()?);
        }
        commit(transaction).await?;
        Ok(saved)
    }

    async fn merge_users(
        &self,
        from: &str,
        into: &UserId,
        at: Timestamp,
    ) -> Result<Option<Merge>, StoreError> {
        let failed = || StoreError::while_doing("merge users");
        let mut transaction = self.begin().await?;
        let moved: (i64, i64) = sqlx::query_as(GUEST_EVENTS)
            .bind(from)
            .fetch_one(&mut *transaction)
            .await
            .map_err(failed())?;
        sqlx::query(MERGE_EVENTS)
            .bind(from)
            .bind(into.as_str())
            .execute(&mut *transaction)
            .await
            .map_err(failed())?;
        sqlx::query(ENSURE_USER)
            .bind(into.as_str())
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
            let _written: UserRow = sqlx::query_as(WRITE_USER)
                .bind(into.as_str())
                .bind(to_json(&joined))
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
