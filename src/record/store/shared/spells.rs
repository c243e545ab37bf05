//! When items could not be bought, and when they were promoted.

use super::{
    super::{
        StoreError,
        draft::SpellStep,
        postgres::PostgresStore,
        rows::{self, to_json},
        sqlite::SqliteStore,
    },
    pages::{OfItem, Pages},
};
use crate::domain::{ItemId, ItemSpell, SpellKind, Timestamp};
use async_trait::async_trait;
use sqlx::{Postgres, Sqlite, Transaction};

const SPELLS_SINCE: Pages = Pages {
    page: "select item_id, kind, from_ms, to_ms from item_spells \
         where item_id > $2 and (to_ms is null or to_ms > $1) order by item_id, kind, from_ms limit $3",
    item: "select item_id, kind, from_ms, to_ms from item_spells \
         where item_id = $2 and (to_ms is null or to_ms > $1) order by kind, from_ms",
    action: "read spells of items",
};
const DROP_ENDED: &str = "delete from item_spells where to_ms is not null and to_ms <= $1";

/// When items could not be bought, and when they were promoted.
///
/// Spells are told by changes of items alone: of the time before the store began to keep them, nothing is known, and
/// the item counts as buyable and not promoted. Spells of one item and kind do not overlap, and take time: what ends
/// when it begins was never there. A clock that goes back does not move what is recorded already.
#[async_trait]
pub trait Spells: Send + Sync {
    /// Spells that were going on at any time since `from`, by item, kind and time: those whose item id is above
    /// `after`, cut after whole items once `limit` is reached.
    async fn spells_since(
        &self,
        from: Timestamp,
        after: Option<&ItemId>,
        limit: u32,
    ) -> Result<Vec<ItemSpell>, StoreError>;

    /// Forgets spells that had ended by `before`; answers how many. The trainer does so at every run, so that the
    /// store keeps those of as many weeks as are learned from, and one open spell for each item and kind.
    async fn drop_spells(&self, before: Timestamp) -> Result<u64, StoreError>;
}

super::for_both! {
    impl Spells {
        async fn spells_since(
            &self,
            from: Timestamp,
            after: Option<&ItemId>,
            limit: u32,
        ) -> Result<Vec<ItemSpell>, StoreError> {
            let found = self.page_of_items::<SpellRow>(&SPELLS_SINCE, from, after, limit).await?;
            rows::all(found)
        }

        async fn drop_spells(&self, before: Timestamp) -> Result<u64, StoreError> {
            let dropped = sqlx::query(DROP_ENDED).bind(before.0).execute(self.writer()).await;
            let dropped = dropped.map_err(StoreError::while_doing("drop spells of items"))?;
            Ok(dropped.rows_affected())
        }
    }
}

#[derive(sqlx::FromRow)]
struct SpellRow {
    item_id: String,
    kind: String,
    from_ms: i64,
    to_ms: Option<i64>,
}

impl OfItem for SpellRow {
    fn item_id(&self) -> &str {
        &self.item_id
    }
}

impl TryFrom<SpellRow> for ItemSpell {
    type Error = StoreError;
    fn try_from(row: SpellRow) -> Result<Self, StoreError> {
        let corrupt = |detail: String| StoreError::Corrupt { what: "spell", detail };
        let kind = SpellKind::from_name(&row.kind);
        Ok(Self {
            item: ItemId::new(row.item_id).map_err(|error| corrupt(error.to_string()))?,
            kind: kind.ok_or_else(|| corrupt(format!("kind {:?}", row.kind)))?,
            from: Timestamp(row.from_ms),
            to: row.to_ms.map(Timestamp),
        })
    }
}

impl SqliteStore {
    const DROP_SPELLS_AT: &str = "delete from item_spells where to_ms is null and from_ms >= $2 \
         and (item_id, kind) in (select value ->> 0, value ->> 1 from json_each($1))";
    const CLOSE_SPELLS: &str = "update item_spells set to_ms = $2 where to_ms is null \
         and (item_id, kind) in (select value ->> 0, value ->> 1 from json_each($1))";
    const OPEN_SPELLS: &str = "insert into item_spells (item_id, kind, from_ms) select id, kind, \
         max($2, coalesce((select max(s.to_ms) from item_spells s where s.item_id = id and s.kind = t.kind), $2)) \
         from (select value ->> 0 as id, value ->> 1 as kind from json_each($1)) as t where true \
         on conflict do nothing";
}

impl PostgresStore {
    const DROP_SPELLS_AT: &str = "delete from item_spells where to_ms is null and from_ms >= $2 \
         and (item_id, kind) in (select v ->> 0, v ->> 1 from json_array_elements($1::json) as t(v))";
    const CLOSE_SPELLS: &str = "update item_spells set to_ms = $2 where to_ms is null \
         and (item_id, kind) in (select v ->> 0, v ->> 1 from json_array_elements($1::json) as t(v))";
    const OPEN_SPELLS: &str = "insert into item_spells (item_id, kind, from_ms) select v ->> 0, v ->> 1, \
         greatest($2::bigint, (select max(s.to_ms) from item_spells s \
         where s.item_id = v ->> 0 and s.kind = v ->> 1)) \
         from json_array_elements($1::json) as t(v) on conflict do nothing";
}

macro_rules! writes_spells {
    ($store:ident, $database:ident) => {
        impl $store {
            /// Begins and ends spells at `at`, within a transaction that holds the items.
            pub(in crate::record::store) async fn write_spells(
                transaction: &mut Transaction<'static, $database>,
                steps: &[SpellStep],
                at: Timestamp,
            ) -> Result<(), StoreError> {
                let of = |begins: bool| {
                    let steps = steps.iter().filter(|step| step.begins == begins);
                    let places = steps.map(|step| (step.item.as_str(), step.kind.name()));
                    places.collect::<Vec<_>>()
                };
                let (begin, end) = (of(true), of(false));
                for (sql, places) in [
                    (Self::DROP_SPELLS_AT, &end),
                    (Self::CLOSE_SPELLS, &end),
                    (Self::OPEN_SPELLS, &begin),
                ] {
                    if !places.is_empty() {
                        sqlx::query(sql)
                            .bind(to_json(places))
                            .bind(at.0)
                            .execute(&mut **transaction)
                            .await
                            .map_err(StoreError::while_doing("write spells of items"))?;
                    }
                }
                Ok(())
            }
        }
    };
}

writes_spells!(SqliteStore, Sqlite);
writes_spells!(PostgresStore, Postgres);
