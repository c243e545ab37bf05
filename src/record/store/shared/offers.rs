//! What competitors ask.

use super::{
    super::{
        StoreError,
        rows::{self, OfferRow},
    },
    pages::Pages,
};
use crate::domain::{CompetitorPrice, ItemId, Timestamp};
use async_trait::async_trait;

const OFFERS_SINCE: Pages = Pages {
    page: "select item_id, competitor, observed_at_ms, price_minor, shipping_minor, in_stock, condition, \
         match_confidence from competitor_prices where item_id > $2 and observed_at_ms >= $1 \
         order by item_id, observed_at_ms, competitor limit $3",
    item: "select item_id, competitor, observed_at_ms, price_minor, shipping_minor, in_stock, condition, \
         match_confidence from competitor_prices where item_id = $2 and observed_at_ms >= $1 \
         order by observed_at_ms, competitor",
    action: "read competitors' prices",
};
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
            let found = self.page_of_items::<OfferRow>(&OFFERS_SINCE, from, after, limit).await?;
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
