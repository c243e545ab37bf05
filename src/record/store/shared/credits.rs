//! What lists are credited with.

use super::super::{
    StoreError,
    rows::{self, CreditRow, TallyRow},
};
use crate::domain::{Credited, Timestamp, VariantTally};
use async_trait::async_trait;

/// What lists are credited with.
#[async_trait]
pub trait Credits: Send + Sync {
    /// What events since `since` are credited to, added up.
    async fn credited(&self, since: Timestamp) -> Result<Vec<Credited>, StoreError>;

    /// What the shoppers of each variant of an experiment did; variants without any are not there.
    async fn variant_tallies(&self, experiment: &str) -> Result<Vec<VariantTally>, StoreError>;
}

super::for_both! {
    impl Credits {
        async fn credited(&self, since: Timestamp) -> Result<Vec<Credited>, StoreError> {
            let found: Vec<CreditRow> = sqlx::query_as(Self::CREDITED)
                .bind(since.0)
                .fetch_all(self.readers())
                .await
                .map_err(StoreError::while_doing("add up credits"))?;
            rows::all(found)
        }

        async fn variant_tallies(&self, experiment: &str) -> Result<Vec<VariantTally>, StoreError> {
            let found: Vec<TallyRow> = sqlx::query_as(Self::VARIANT_TALLIES)
                .bind(experiment)
                .fetch_all(self.readers())
                .await
                .map_err(StoreError::while_doing("measure an experiment"))?;
            Ok(found.into_iter().map(Into::into).collect())
        }
    }
}
