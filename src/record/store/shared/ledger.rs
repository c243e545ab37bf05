//! What items cost, and when.

use super::{
    super::{
        StoreError,
        rows::{self, PriceRow},
    },
    pages::Pages,
};
use crate::domain::{ItemId, PriceEntry, Timestamp};
use async_trait::async_trait;

const PRICE_HISTORY: &str = "select * from (select item_id, from_ms, to_ms, price_minor, reason, \
     expected_minor, chance_ppm \
     from price_ledger where item_id = $1 and from_ms < $3 and (to_ms is null or to_ms > $2) \
     order by from_ms desc limit $4) as newest order by from_ms";
const PRICES_SINCE: Pages = Pages {
    page: "select item_id, from_ms, to_ms, price_minor, reason, expected_minor, chance_ppm \
         from price_ledger where item_id > $2 and (to_ms is null or to_ms > $1) \
         order by item_id, from_ms limit $3",
    item: "select item_id, from_ms, to_ms, price_minor, reason, expected_minor, chance_ppm \
         from price_ledger where item_id = $2 and (to_ms is null or to_ms > $1) order by from_ms",
    action: "read the price ledger",
};

/// What items cost, and when.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Ledger entries of one item that were in force at any time in `[from, to)`, oldest first, at
    /// most `limit` of the newest.
    async fn price_history(
        &self,
        item: &ItemId,
        from: Timestamp,
        to: Timestamp,
        limit: u32,
    ) -> Result<Vec<PriceEntry>, StoreError>;

    /// Ledger entries of all items that were in force at any time since `from`, by item then time:
    /// those whose item id is above `after`, cut after whole items once `limit` is reached.
    async fn prices_since(
        &self,
        from: Timestamp,
        after: Option<&ItemId>,
        limit: u32,
    ) -> Result<Vec<PriceEntry>, StoreError>;
}

super::for_both! {
    impl Ledger {
        async fn price_history(
            &self,
            item: &ItemId,
            from: Timestamp,
            to: Timestamp,
            limit: u32,
        ) -> Result<Vec<PriceEntry>, StoreError> {
            let found: Vec<PriceRow> = sqlx::query_as(PRICE_HISTORY)
                .bind(item.as_str())
                .bind(from.0)
                .bind(to.0)
                .bind(i64::from(limit))
                .fetch_all(self.readers())
                .await
                .map_err(StoreError::while_doing("read the price ledger"))?;
            rows::all(found)
        }

        async fn prices_since(
            &self,
            from: Timestamp,
            after: Option<&ItemId>,
            limit: u32,
        ) -> Result<Vec<PriceEntry>, StoreError> {
            let found = self.page_of_items::<PriceRow>(&PRICES_SINCE, from, after, limit).await?;
            rows::all(found)
        }
    }
}
