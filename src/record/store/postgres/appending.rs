//! How events are written: many at once by COPY, as long as none of them is stored already.

use super::{
    EVENTS_LOCK, ITEMS_LOCK, PostgresStore, commit, lock,
    statements::{
        COPY_EVENTS, INSERT_EVENTS, INSERT_ITEMS, INSERT_USERS, LOCK_SHARED, RESERVE_SEQUENCES,
    },
};
use crate::{
    domain::{Event, ItemId, Sequence, SessionId, Timestamp, UserId},
    record::store::{
        Known, StoreError, copy_format,
        rows::{context_json, first_of_each, newcomers},
    },
};
use sqlx::{Connection, PgConnection, Postgres, pool::PoolConnection};
use std::{collections::HashSet, sync::atomic::Ordering};

/// How events are written.
#[derive(Clone, Copy)]
enum Append {
    /// Fastest, and fails as a whole if any event is stored already.
    Copy,
    /// Passes over those that are.
    Insert,
}

/// A connection that goes back to its pool only when told so: one that is abandoned in the middle of a
/// COPY (its commit took too long) is not in a state that anybody could use, and is closed.
struct Whole(Option<PoolConnection<Postgres>>);

impl Whole {
    fn connection(&mut self) -> &mut PgConnection {
        self.0.as_mut().expect("it is there until it is kept or dropped")
    }

    fn keep(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.0 {
            connection.close_on_drop();
        }
    }
}

/// Events from which on COPY is faster than an insert.
const COPY_MIN: usize = 200;

/// Large appends for which COPY is not tried again once it has met a duplicate.
const COPY_PAUSE: u32 = 64;

fn is_duplicate(error: &StoreError) -> bool {
    match error {
        StoreError::Query { source: sqlx::Error::Database(error), .. } => {
            error.is_unique_violation()
        }
        _ => false,
    }
}

impl PostgresStore {
    /// Whether a large append should be tried as COPY.
    fn may_copy(&self) -> bool {
        let lower = |pause: u32| pause.checked_sub(1);
        self.copy_pause.fetch_update(Ordering::Relaxed, Ordering::Relaxed, lower).is_err()
    }

    /// Appends events; answers the numbers of those that were not stored already.
    pub(super) async fn append(
        &self,
        events: &[Event],
        received_at: Timestamp,
        known: &dyn Known,
    ) -> Result<Vec<Option<Sequence>>, StoreError> {
        if events.len() >= COPY_MIN && self.may_copy() {
            match self.append_by(events, received_at, known, Append::Copy).await {
                // Duplicates come in droves: somebody repeats an import.
                Err(error) if is_duplicate(&error) => {
                    self.copy_pause.store(COPY_PAUSE, Ordering::Relaxed);
                }
                appended => return appended,
            }
        }
        self.append_by(events, received_at, known, Append::Insert).await
    }

    async fn append_by(
        &self,
        events: &[Event],
        received_at: Timestamp,
        known: &dyn Known,
        how: Append,
    ) -> Result<Vec<Option<Sequence>>, StoreError> {
        let connection = self.pool.acquire().await;
        let mut whole = Whole(Some(connection.map_err(StoreError::while_doing("connect"))?));
        let connection = whole.connection();
        let appended = Self::append_on(connection, events, received_at, known, how).await;
        whole.keep();
        appended
    }

    async fn append_on(
        connection: &mut PgConnection,
        events: &[Event],
        received_at: Timestamp,
        known: &dyn Known,
        how: Append,
    ) -> Result<Vec<Option<Sequence>>, StoreError> {
        let failed = || StoreError::while_doing("append events");
        let is_first = first_of_each(events);
        let begun = connection.begin().await;
        let mut transaction = begun.map_err(StoreError::while_doing("begin a transaction"))?;
        let mut numbers: Vec<i64> = sqlx::query_scalar(RESERVE_SEQUENCES)
            .bind(EVENTS_LOCK)
            .bind(events.len() as i64)
            .fetch_all(&mut *transaction)
            .await
            .map_err(failed())?;
        numbers.sort_unstable();
        let numbered = numbers.iter().copied().zip(events).zip(&is_first);
        let mut fresh: Vec<(i64, &Event)> =
            numbered.filter(|(_, is_first)| **is_first).map(|(pair, _)| pair).collect();
        // Two writers with the same event ids wait for each other at the first, whatever their order.
        fresh.sort_by_key(|(_, event)| event.event_id.as_deref());
        let inserted = match how {
            Append::Copy => copy_events(&mut transaction, &fresh, received_at).await?,
            Append::Insert => insert_events(&mut transaction, &fresh, received_at).await?,
        };
        let (users, items) = newcomers(events, known);
        if !users.is_empty() {
            sqlx::query(INSERT_USERS)
                .bind(users)
                .bind(received_at.0)
                .execute(&mut *transaction)
                .await
                .map_err(failed())?;
        }
        if !items.is_empty() {
            lock(&mut transaction, LOCK_SHARED, ITEMS_LOCK).await?;
            sqlx::query(INSERT_ITEMS)
                .bind(items)
                .bind(received_at.0)
                .execute(&mut *transaction)
                .await
                .map_err(failed())?;
        }
        commit(transaction).await?;
        let taken = |number: i64| inserted.contains(&number).then_some(Sequence(number));
        Ok(numbers.into_iter().map(taken).collect())
    }
}

/// Copies numbered events, none of which may be stored already.
async fn copy_events(
    connection: &mut PgConnection,
    numbered: &[(i64, &Event)],
    received_at: Timestamp,
) -> Result<HashSet<i64>, StoreError> {
    let failed = || StoreError::while_doing("append events");
    let mut copy = connection.copy_in_raw(COPY_EVENTS).await.map_err(failed())?;
    copy.send(copy_format::events(numbered, received_at)).await.map_err(failed())?;
    copy.finish().await.map_err(failed())?;
    Ok(numbered.iter().map(|(number, _)| *number).collect())
}

/// Inserts numbered events and answers the numbers that were taken up: those of no duplicate.
async fn insert_events(
    connection: &mut PgConnection,
    numbered: &[(i64, &Event)],
    received_at: Timestamp,
) -> Result<HashSet<i64>, StoreError> {
    let events = || numbered.iter().map(|(_, event)| *event);
    let inserted: Vec<i64> = sqlx::query_scalar(INSERT_EVENTS)
        .bind(numbered.iter().map(|(number, _)| *number).collect::<Vec<_>>())
        .bind(events().map(|event| event.event_id.as_deref()).collect::<Vec<_>>())
        .bind(events().map(|event| event.kind.code()).collect::<Vec<_>>())
        .bind(events().map(|event| event.user.as_ref().map(UserId::as_str)).collect::<Vec<_>>())
        .bind(
            events().map(|event| event.session.as_ref().map(SessionId::as_str)).collect::<Vec<_>>(),
        )
        .bind(events().map(|event| event.item.as_ref().map(ItemId::as_str)).collect::<Vec<_>>())
        .bind(events().map(|event| event.occurred_at.0).collect::<Vec<_>>())
        .bind(events().map(|event| i64::from(event.quantity)).collect::<Vec<_>>())
        .bind(events().map(|event| event.price.map(|price| price.0)).collect::<Vec<_>>())
        .bind(events().map(|event| event.order.as_deref()).collect::<Vec<_>>())
        .bind(events().map(|event| event.value).collect::<Vec<_>>())
        .bind(events().map(context_json).collect::<Vec<_>>())
        .bind(received_at.0)
        .fetch_all(connection)
        .await
        .map_err(StoreError::while_doing("append events"))?;
    Ok(inserted.into_iter().collect())
}
