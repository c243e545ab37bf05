//! What competitors ask.

use super::super::{
    StoreError,
    rows::{self, OfferRow},
};
use crate::domain::{CompetitorPrice, ItemId, Timestamp};
use async_trait::async_trait;

const LAST_OF_PAGE: &str = "select item_id from competitor_prices \
     where item_id > $2 and observed_at_ms >= $1 \
     order by item_id, competitor, observed_at_ms limit 1 offset $3";
const OFFERS_SINCE: &str = "select item_id, competitor, observed_at_ms, price_minor, shipping_minor, \
     in_stock, condition, match_confidence from competitor_prices \
     where item_id > $2 and observed_at_ms >= $1 and (cast($3 as text) is null or item_id <= $3) \
     order by item_id, observed_at_ms, competitor";
const OFFERS_OF_ITEM: &str = "select item_id, competitor, observed_at_ms, price_minor, \
     shipping_minor, in_stock, condition, match_confidence from competitor_prices \
     where item_id = $1 and observed_at_ms >= $2 order by observed_at_ms desc, competitor limit $3";

/// What competitors ask.
#[async_trait]
pub trait Offers: Send + Sync {
    /// Offers seen since `from`, by item then time: those whose item id is above `after`, cut after whole items once
    /// `limit` is reached.
    async fn offers_since(
        &self,
        from: Timestamp,
        after: Option<&ItemId>,
        limit: u32,
    ) -> Result<Vec<CompetitorPrice>, StoreError>;

    /// Offers of one item seen since `from`, newest first, at most `limit`.
    async fn offers_of(
        &self,
        item: &ItemId,
        from: Timestamp,
        limit: u32,
    ) -> Result<Vec<CompetitorPrice>, StoreError>;
}

super::for_both! {
    impl Offers {
        async fn offers_since(
            &self,
            from: Timestamp,
            after: Option<&ItemId>,
            limit: u32,
        ) -> Result<Vec<CompetitorPrice>, StoreError> {
            let failed = || StoreError::while_doing("read competitors' prices");
            let after = after.map_or("", ItemId::as_str);
            let last: Option<String> = sqlx::query_scalar(LAST_OF_PAGE)
                .bind(from.0)
                .bind(after)
                .bind(i64::from(limit.saturating_sub(1)))
                .fetch_optional(self.readers())
                .await
                .map_err(failed())?;
            let found: Vec<OfferRow> = sqlx::query_as(OFFERS_SINCE)
                .bind(from.0)
                .bind(after)
                .bind(last)
                .fetch_all(self.readers())
                .await
                .map_err(failed())?;
            rows::all(found)
        }

        async fn offers_of(
            &self,
            item: &ItemId,
            from: Timestamp,
            limit: u32,
        ) -> Result<Vec<CompetitorPrice>, StoreError> {
            let found: Vec<OfferRow> = sqlx::query_as(OFFERS_OF_ITEM)
                .bind(item.as_str())
                .bind(from.0)
                .bind(i64::from(limit))
                .fetch_all(self.readers())
                .await
                .map_err(StoreError::while_doing("read competitors' prices"))?;
            rows::all(found)
        }
    }
}
