//! What is known of shoppers.

use super::super::{
    StoreError,
    rows::{self, ErasureRow, EventRow, MergeRow, UserRow},
};
use crate::domain::{ErasureReceipt, Merge, RecordedEvent, Sequence, User, UserId};
use async_trait::async_trait;

pub(in super::super) const USER: &str =
    "select user_id, attributes, first_seen_ms, updated_ms from users where user_id = $1";
const USER_EVENTS: &str = "select sequence, event_id, kind, user_id, session_id, item_id, \
     occurred_at_ms, quantity, price_minor, order_id, value, context \
     from events where user_id = $1 and sequence > $2 order by sequence limit $3";
const MERGES_AFTER: &str = "select sequence, from_id, into_user_id, merged_at_ms, moved_until, \
     events_moved from merges where sequence > $1 order by sequence limit $2";
const ERASURES_AFTER: &str = "select sequence, user_hash, erased_at_ms, events_erased \
     from erasures where sequence > $1 order by sequence limit $2";

/// What is known of shoppers.
#[async_trait]
pub trait People: Send + Sync {
    /// One user.
    async fn user(&self, user: &UserId) -> Result<Option<User>, StoreError>;

    /// A user's events with a sequence above `after`, lowest first, at most `limit`.
    async fn user_events(
        &self,
        user: &UserId,
        after: Sequence,
        limit: u32,
    ) -> Result<Vec<RecordedEvent>, StoreError>;

    /// Merges with a sequence above `after`, lowest first, at most `limit`.
    async fn merges_after(&self, after: i64, limit: u32) -> Result<Vec<Merge>, StoreError>;

    /// Receipts with a sequence above `after`, lowest first, at most `limit`.
    async fn erasures_after(
        &self,
        after: i64,
        limit: u32,
    ) -> Result<Vec<ErasureReceipt>, StoreError>;
}

super::for_both! {
    impl People {
        async fn user(&self, user: &UserId) -> Result<Option<User>, StoreError> {
            let found: Option<UserRow> = sqlx::query_as(USER)
                .bind(user.as_str())
                .fetch_optional(self.readers())
                .await
                .map_err(StoreError::while_doing("read a user"))?;
            found.map(User::try_from).transpose()
        }

        async fn user_events(
            &self,
            user: &UserId,
            after: Sequence,
            limit: u32,
        ) -> Result<Vec<RecordedEvent>, StoreError> {
            let found: Vec<EventRow> = sqlx::query_as(USER_EVENTS)
                .bind(user.as_str())
                .bind(after.0)
                .bind(i64::from(limit))
                .fetch_all(self.readers())
                .await
                .map_err(StoreError::while_doing("read a user's events"))?;
            rows::all(found)
        }

        async fn merges_after(&self, after: i64, limit: u32) -> Result<Vec<Merge>, StoreError> {
            let found: Vec<MergeRow> = sqlx::query_as(MERGES_AFTER)
                .bind(after)
                .bind(i64::from(limit))
                .fetch_all(self.readers())
                .await
                .map_err(StoreError::while_doing("read merges"))?;
            rows::all(found)
        }

        async fn erasures_after(
            &self,
            after: i64,
            limit: u32,
        ) -> Result<Vec<ErasureReceipt>, StoreError> {
            let found: Vec<ErasureRow> = sqlx::query_as(ERASURES_AFTER)
                .bind(after)
                .bind(i64::from(limit))
                .fetch_all(self.readers())
                .await
                .map_err(StoreError::while_doing("read erasures"))?;
            Ok(found.into_iter().map(ErasureReceipt::from).collect())
        }
    }
}
