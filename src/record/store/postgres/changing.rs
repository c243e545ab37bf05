//! How items and the ledger of their prices are written.

use super::{
    CATALOGUE_LOCK, ITEMS_LOCK, PostgresStore, lock,
    statements::{
        CLOSE_PRICES, DROP_PRICES_AT, INSERT_PRICES, LOCK, LOCK_SHARED, STANDING, WRITE_ITEMS,
    },
};
use crate::{
    domain::{Item, ItemId, PriceEntry, Timestamp},
    record::store::{
        StoreError,
        draft::{Draft, LedgerStep, SpellStep, Standing},
        rows::{self, StandingRow, to_json},
    },
};
use sqlx::{Postgres, Transaction};
use std::collections::HashMap;

/// Locks the catalogue against other changes and reads the items as they are.
pub(super) async fn standing(
    transaction: &mut Transaction<'static, Postgres>,
    items: impl Iterator<Item = &ItemId>,
) -> Result<HashMap<ItemId, Standing>, StoreError> {
    lock(transaction, LOCK, CATALOGUE_LOCK).await?;
    let ids: Vec<&str> = items.map(ItemId::as_str).collect();
    let found: Vec<StandingRow> = sqlx::query_as(STANDING)
        .bind(ids)
        .fetch_all(&mut **transaction)
        .await
        .map_err(StoreError::while_doing("read items"))?;
    rows::standing(found)
}

/// Writes the drafts that changed, with what follows for the ledger, and answers all as items.
pub(super) async fn write_drafts(
    transaction: &mut Transaction<'static, Postgres>,
    drafts: Vec<Draft>,
    at: Timestamp,
) -> Result<Vec<Item>, StoreError> {
    let steps: Vec<LedgerStep> = drafts.iter().filter_map(|draft| draft.ledger_step(at)).collect();
    let spells: Vec<SpellStep> = drafts.iter().flat_map(Draft::spell_steps).collect();
    let changed = drafts.iter().filter(|draft| draft.is_changed()).map(|draft| &draft.item);
    let revisions = write_items(transaction, changed.collect()).await?;
    write_steps(transaction, &steps).await?;
    PostgresStore::write_spells(transaction, &spells, at).await?;
    let items = drafts.into_iter().map(|draft| {
        let mut item = draft.item;
        if let Some(&revision) = revisions.get(item.item_id.as_str()) {
            item.revision = revision;
        }
        item
    });
    Ok(items.collect())
}

pub(super) async fn write_items(
    transaction: &mut Transaction<'static, Postgres>,
    mut items: Vec<&Item>,
) -> Result<HashMap<String, i64>, StoreError> {
    if items.is_empty() {
        return Ok(HashMap::new());
    }
    items.sort_unstable_by_key(|item| &item.item_id);
    lock(transaction, LOCK_SHARED, ITEMS_LOCK).await?;
    let written: Vec<(String, i64)> = sqlx::query_as(WRITE_ITEMS)
        .bind(items.iter().map(|item| item.item_id.as_str()).collect::<Vec<_>>())
        .bind(items.iter().map(|item| to_json(&item.fields)).collect::<Vec<_>>())
        .bind(items.iter().map(|item| item.price_in_force.map(|p| p.0)).collect::<Vec<_>>())
        .bind(items.iter().map(|item| item.first_seen_at.0).collect::<Vec<_>>())
        .bind(items.iter().map(|item| item.updated_at.0).collect::<Vec<_>>())
        .bind(items.iter().map(|item| item.removed).collect::<Vec<_>>())
        .bind(items.iter().map(|item| Some(item.back_on_sale_at?.0)).collect::<Vec<_>>())
        .fetch_all(&mut **transaction)
        .await
        .map_err(StoreError::while_doing("write items"))?;
    Ok(written.into_iter().collect())
}

async fn write_steps(
    transaction: &mut Transaction<'static, Postgres>,
    steps: &[LedgerStep],
) -> Result<(), StoreError> {
    if steps.is_empty() {
        return Ok(());
    }
    for sql in [DROP_PRICES_AT, CLOSE_PRICES] {
        sqlx::query(sql)
            .bind(steps.iter().map(|step| step.item.as_str()).collect::<Vec<_>>())
            .bind(steps.iter().map(|step| step.at.0).collect::<Vec<_>>())
            .execute(&mut **transaction)
            .await
            .map_err(StoreError::while_doing("write the price ledger"))?;
    }
    let begun: Vec<PriceEntry> = steps
        .iter()
        .filter_map(|step| {
            let (item, reason) = (step.item.clone(), step.reason);
            Some(PriceEntry { item, price: step.price?, from: step.at, to: None, reason })
        })
        .collect();
    write_entries(transaction, &begun).await
}

pub(super) async fn write_entries(
    transaction: &mut Transaction<'static, Postgres>,
    entries: &[PriceEntry],
) -> Result<(), StoreError> {
    let lotteries = || entries.iter().map(|entry| entry.reason.lottery());
    sqlx::query(INSERT_PRICES)
        .bind(entries.iter().map(|entry| entry.item.as_str()).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| entry.from.0).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| entry.to.map(|to| to.0)).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| entry.price.0).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| entry.reason.name()).collect::<Vec<_>>())
        .bind(lotteries().map(|lottery| Some(lottery?.expected.0)).collect::<Vec<_>>())
        .bind(lotteries().map(|lottery| Some(lottery?.chance_ppm as i32)).collect::<Vec<_>>())
        .execute(&mut **transaction)
        .await
        .map(drop)
        .map_err(StoreError::while_doing("write the price ledger"))
}
