//! The ledger of prices, many rows with one statement.

use super::statements::{CLOSE_PRICES, DROP_PRICES_AT, INSERT_PRICES};
use crate::{
    domain::PriceEntry,
    record::store::{StoreError, draft::LedgerStep, rows::to_json},
};
use serde_json::json;
use sqlx::{Sqlite, Transaction};

/// Rows written with one statement.
const ROWS_MAX: usize = 1_000;

/// Does what must be done to the ledgers of items, each of which is named once.
pub(super) async fn write_steps(
    transaction: &mut Transaction<'static, Sqlite>,
    steps: &[LedgerStep],
) -> Result<(), StoreError> {
    for chunk in steps.chunks(ROWS_MAX) {
        let places: Vec<_> =
            chunk.iter().map(|step| json!([step.item.as_str(), step.at.0])).collect();
        let places = to_json(&places);
        for sql in [DROP_PRICES_AT, CLOSE_PRICES] {
            sqlx::query(sql)
                .bind(places.as_str())
                .execute(&mut **transaction)
                .await
                .map_err(StoreError::while_doing("write the price ledger"))?;
        }
        let begun: Vec<PriceEntry> = chunk
            .iter()
            .filter_map(|step| {
                let (item, reason) = (step.item.clone(), step.reason);
                Some(PriceEntry { item, price: step.price?, from: step.at, to: None, reason })
            })
            .collect();
        write_entries(transaction, &begun).await?;
    }
    Ok(())
}

/// Writes entries as they are.
pub(super) async fn write_entries(
    transaction: &mut Transaction<'static, Sqlite>,
    entries: &[PriceEntry],
) -> Result<(), StoreError> {
    for chunk in entries.chunks(ROWS_MAX) {
        let rows: Vec<_> = chunk
            .iter()
            .map(|entry| {
                let lottery = entry.reason.lottery();
                json!([
                    entry.item.as_str(),
                    entry.from.0,
                    entry.to.map(|to| to.0),
                    entry.price.0,
                    entry.reason.name(),
                    lottery.map(|lottery| lottery.expected.0),
                    lottery.map(|lottery| lottery.chance_ppm),
                ])
            })
            .collect();
        sqlx::query(INSERT_PRICES)
            .bind(to_json(&rows))
            .execute(&mut **transaction)
            .await
            .map_err(StoreError::while_doing("write the price ledger"))?;
    }
    Ok(())
}
