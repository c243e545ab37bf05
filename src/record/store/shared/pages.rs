//! Pages of what all items have, each of whole items.

use super::super::{StoreError, postgres::PostgresStore, sqlite::SqliteStore};
use crate::domain::{ItemId, Timestamp};
use sqlx::{FromRow, postgres::PgRow, sqlite::SqliteRow};

/// A row that is of an item.
pub(in crate::record::store) trait OfItem: Send + Unpin {
    fn item_id(&self) -> &str;
}

/// How pages are asked for.
pub(super) struct Pages {
    /// Answers rows of items whose id is above `$2`, at most `$3` of them: by item, those of each item in order, and
    /// only what `$1`, a time, leaves.
    pub(super) page: &'static str,
    /// Answers what `page` does, of the item `$2` alone.
    pub(super) item: &'static str,
    /// What cannot be done if this fails.
    pub(super) action: &'static str,
}

macro_rules! reads_pages {
    ($store:ident, $row:ident) => {
        impl $store {
            /// Rows of the items after `after`. Where `limit` cuts, the last item is read anew, whole: only the
            /// database knows whether there is more of it.
            pub(super) async fn page_of_items<Row>(
                &self,
                pages: &Pages,
                from: Timestamp,
                after: Option<&ItemId>,
                limit: u32,
            ) -> Result<Vec<Row>, StoreError>
            where
                Row: OfItem + for<'r> FromRow<'r, $row>,
            {
                let limit = limit.max(1);
                let mut found: Vec<Row> = sqlx::query_as(pages.page)
                    .bind(from.0)
                    .bind(after.map_or("", ItemId::as_str))
                    .bind(i64::from(limit))
                    .fetch_all(self.readers())
                    .await
                    .map_err(StoreError::while_doing(pages.action))?;
                let cut = found.last().filter(|_| found.len() >= limit as usize);
                let Some(last) = cut.map(|row| row.item_id().to_owned()) else { return Ok(found) };
                let whole: Vec<Row> = sqlx::query_as(pages.item)
                    .bind(from.0)
                    .bind(&last)
                    .fetch_all(self.readers())
                    .await
                    .map_err(StoreError::while_doing(pages.action))?;
                found.truncate(found.partition_point(|row| row.item_id() != last));
                found.extend(whole);
                Ok(found)
            }
        }
    };
}

reads_pages!(SqliteStore, SqliteRow);
reads_pages!(PostgresStore, PgRow);
