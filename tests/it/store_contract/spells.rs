//! When items could not be bought, and when they were promoted.

use super::{T0, item, on_both, postgres_at, sqlite_in};
use crate::support::postgres;
use shopkeeper::{
    domain::{
        Cents, CompetitorOffer, Condition, Item, ItemChange, ItemFields, ItemSpell, Lottery, Patch,
        PriceEntry, PriceReason, SpellKind, Timestamp, item::ItemPatch,
    },
    record::store::{ChangeTerms, NewPrice, Store},
};
use sqlx::{
    Connection, PgConnection, SqliteConnection, migrate::Migrator, sqlite::SqliteConnectOptions,
};
use std::{path::Path, sync::Arc};

on_both!(
    a_stock_out_lasts_until_the_item_can_be_bought_again,
    what_came_and_went_within_one_call_is_no_spell,
    a_promotion_is_what_the_merchant_says,
    a_clock_that_goes_back_moves_no_spell,
    a_new_price_begins_and_ends_nothing,
    spells_are_paged_by_whole_items,
    spells_that_ended_long_ago_are_dropped,
);

fn stock(units: u64) -> ItemChange {
    ItemChange::Merge(Box::new(ItemPatch { stock: Patch::Set(units), ..ItemPatch::default() }))
}

fn available(is: bool) -> ItemChange {
    ItemChange::Merge(Box::new(ItemPatch { available: Patch::Set(is), ..ItemPatch::default() }))
}

fn promoted(is: bool) -> ItemChange {
    ItemChange::Merge(Box::new(ItemPatch { promoted: Patch::Set(is), ..ItemPatch::default() }))
}

fn plain() -> ItemChange {
    ItemChange::Replace(Box::default())
}

/// Changes the mug at some time; the mug after it.
async fn change(store: &dyn Store, ms: i64, changes: &[ItemChange]) -> Item {
    let changes: Vec<_> = changes.iter().map(|change| (item("mug"), change.clone())).collect();
    let changed = store.change_items(&changes, ChangeTerms::ANY, T0.plus_ms(ms)).await.unwrap();
    changed.items[0].clone()
}

fn plain_form(spell: &ItemSpell) -> (SpellKind, i64, Option<i64>) {
    (spell.kind, spell.from.since_ms(T0), spell.to.map(|to| to.since_ms(T0)))
}

async fn spells(store: &dyn Store) -> Vec<(SpellKind, i64, Option<i64>)> {
    let all = store.spells_since(Timestamp(i64::MIN / 2), None, 100).await.unwrap();
    all.iter().map(plain_form).collect()
}

const OUT: SpellKind = SpellKind::SoldOut;
const PUSHED: SpellKind = SpellKind::Promoted;

async fn a_stock_out_lasts_until_the_item_can_be_bought_again(store: Arc<dyn Store>) {
    let mug = change(&*store, 0, &[stock(3)]).await;
    assert_eq!((spells(&*store).await, mug.back_on_sale_at), (vec![], None));
    change(&*store, 10, &[stock(0)]).await;
    // The same again opens nothing new, nor does another reason why it cannot be bought.
    change(&*store, 11, &[stock(0)]).await;
    change(&*store, 12, &[available(false)]).await;
    change(&*store, 13, &[stock(5)]).await;
    let mug = change(&*store, 14, &[ItemChange::Remove]).await;
    assert_eq!((spells(&*store).await, mug.back_on_sale_at), (vec![(OUT, 10, None)], None));
    let mug = change(&*store, 20, &[plain()]).await;
    assert_eq!(spells(&*store).await, [(OUT, 10, Some(20))]);
    assert_eq!(mug.back_on_sale_at, Some(T0.plus_ms(20)));
    change(&*store, 30, &[ItemChange::Remove]).await;
    change(&*store, 40, &[available(true)]).await;
    change(&*store, 50, &[available(false)]).await;
    assert_eq!(spells(&*store).await, [(OUT, 10, Some(20)), (OUT, 30, Some(40)), (OUT, 50, None)]);
    // Every reader sees when it came back, also while it is out again.
    let mug = store.item(&item("mug")).await.unwrap().unwrap();
    assert_eq!(mug.back_on_sale_at, Some(T0.plus_ms(40)));
    assert_eq!(store.items_after(0, 9).await.unwrap(), [mug]);
    // An item may be sold out when it is first heard of.
    let fields = ItemFields { stock: Some(0), ..ItemFields::default() };
    let new = [(item("pot"), ItemChange::Replace(Box::new(fields)))];
    store.change_items(&new, ChangeTerms::ANY, T0.plus_ms(60)).await.unwrap();
    assert_eq!(spells(&*store).await.last(), Some(&(OUT, 60, None)));
}

async fn what_came_and_went_within_one_call_is_no_spell(store: Arc<dyn Store>) {
    let mug = change(&*store, 0, &[stock(0), promoted(true), stock(2), promoted(false)]).await;
    assert_eq!((spells(&*store).await, mug.back_on_sale_at), (vec![], None));
    change(&*store, 5, &[stock(0)]).await;
    change(&*store, 9, &[stock(2), ItemChange::Remove, stock(0)]).await;
    assert_eq!(spells(&*store).await, [(OUT, 5, None)]);
    // What ends when it begins took no time.
    change(&*store, 20, &[stock(1)]).await;
    change(&*store, 30, &[stock(0)]).await;
    change(&*store, 30, &[stock(1)]).await;
    assert_eq!(spells(&*store).await, [(OUT, 5, Some(20))]);
    change(&*store, 40, &[stock(0), promoted(true)]).await;
    change(&*store, 50, &[stock(1)]).await;
    change(&*store, 50, &[stock(0)]).await;
    let found = spells(&*store).await;
    assert_eq!(
        found,
        [(PUSHED, 40, None), (OUT, 5, Some(20)), (OUT, 40, Some(50)), (OUT, 50, None)]
    );
}

async fn a_promotion_is_what_the_merchant_says(store: Arc<dyn Store>) {
    let mug = change(&*store, 0, &[promoted(true)]).await;
    assert_eq!((mug.fields.promoted, mug.is_promoted()), (Some(true), true));
    change(&*store, 3, &[promoted(true), stock(4)]).await;
    assert_eq!(spells(&*store).await, [(PUSHED, 0, None)]);
    // A replacement that does not name it ends it, and so does a removal.
    change(&*store, 10, &[plain()]).await;
    change(&*store, 20, &[promoted(true)]).await;
    change(&*store, 30, &[ItemChange::Remove]).await;
    assert_eq!(
        spells(&*store).await,
        [(PUSHED, 0, Some(10)), (PUSHED, 20, Some(30)), (OUT, 30, None)]
    );
    let stored = store.item(&item("mug")).await.unwrap().unwrap();
    assert!(!stored.is_promoted());
}

async fn a_clock_that_goes_back_moves_no_spell(store: Arc<dyn Store>) {
    change(&*store, 10, &[stock(0)]).await;
    change(&*store, 20, &[stock(1)]).await;
    change(&*store, 15, &[stock(0)]).await;
    assert_eq!(spells(&*store).await, [(OUT, 10, Some(20)), (OUT, 20, None)]);
    change(&*store, 12, &[stock(1)]).await;
    assert_eq!(spells(&*store).await, [(OUT, 10, Some(20))]);
}

async fn a_new_price_begins_and_ends_nothing(store: Arc<dyn Store>) {
    let fields = ItemFields {
        price: Some(Cents(1_000)),
        stock: Some(0),
        promoted: Some(true),
        ..ItemFields::default()
    };
    change(&*store, 0, &[ItemChange::Replace(Box::new(fields))]).await;
    let moved = [NewPrice {
        item: item("mug"),
        before: Some(Cents(1_000)),
        price: Cents(900),
        reason: PriceReason::Demand,
    }];
    assert_eq!(store.set_prices(&moved, T0.plus_ms(5)).await.unwrap().len(), 1);
    assert_eq!(spells(&*store).await, [(PUSHED, 0, None), (OUT, 0, None)]);
}

async fn spells_are_paged_by_whole_items(store: Arc<dyn Store>) {
    for (ms, units) in [(0, 0), (5, 1), (10, 0)] {
        let changes = ["a", "b", "c"].map(|id| (item(id), stock(units)));
        store.change_items(&changes, ChangeTerms::ANY, T0.plus_ms(ms)).await.unwrap();
    }
    let of = |page: Vec<ItemSpell>| -> Vec<(String, i64)> {
        page.iter().map(|s| (s.item.to_string(), s.from.since_ms(T0))).collect()
    };
    let pair = |id: &str, ms| (id.to_owned(), ms);
    let page = of(store.spells_since(T0, None, 3).await.unwrap());
    assert_eq!(page, [pair("a", 0), pair("a", 10), pair("b", 0), pair("b", 10)], "b is whole");
    let rest = of(store.spells_since(T0, Some(&item("b")), 3).await.unwrap());
    assert_eq!(rest, [pair("c", 0), pair("c", 10)]);
    let late = of(store.spells_since(T0.plus_ms(5), None, 9).await.unwrap());
    assert_eq!(late, [pair("a", 10), pair("b", 10), pair("c", 10)], "`to` is exclusive");
}

async fn spells_that_ended_long_ago_are_dropped(store: Arc<dyn Store>) {
    for (ms, units) in [(0, 0), (5, 1), (10, 0), (15, 1), (20, 0)] {
        change(&*store, ms, &[stock(units)]).await;
    }
    assert_eq!(store.drop_spells(T0.plus_ms(5)).await.unwrap(), 1);
    assert_eq!(spells(&*store).await, [(OUT, 10, Some(15)), (OUT, 20, None)]);
    assert_eq!(store.drop_spells(T0.plus_ms(99)).await.unwrap(), 1, "what goes on is kept");
    change(&*store, 30, &[stock(1)]).await;
    assert_eq!(spells(&*store).await, [(OUT, 20, Some(30))]);
}

/// The last migration before there were spells.
const BEFORE_SPELLS: i64 = 8;

/// Items as they were written before there were spells.
const OLD_ITEMS: &str = r#"insert into items (item_id, fields, first_seen_ms, updated_ms, removed, revision) values
    ('a', '{"stock":0}', 1, 1700000000001, false, 1001),
    ('b', '{"stock":10}', 1, 1700000000002, false, 1002),
    ('c', '{"available":false,"stock":1}', 1, 1700000000003, false, 1003),
    ('d', '{"available":true}', 1, 1700000000004, false, 1004),
    ('e', '{}', 1, 1700000000005, true, 1005)"#;

/// Prices as they were written before SQLite kept them in the order of their keys.
const OLD_PRICES: &str = "insert into price_ledger (item_id, from_ms, to_ms, price_minor, reason, expected_minor, \
    chance_ppm) values ('a', 5, 9, 100, 'trial', 95, 250000), ('a', 9, null, 110, 'demand', null, null);
    insert into competitor_prices (item_id, competitor, observed_at_ms, price_minor, shipping_minor, in_stock, \
    condition, match_confidence) values ('a', 'rival', 7, 99, 3, true, 'used', 0.75), \
    ('a', 'other', 8, 98, null, null, 'new', null)";

/// The migrations for one of the databases.
async fn migrations(database: &str) -> Migrator {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(database);
    Migrator::new(folder).await.unwrap()
}

async fn what_was_sold_out_is_known_of(store: &dyn Store) {
    assert_eq!(spells(store).await, [(OUT, 1, None), (OUT, 3, None), (OUT, 5, None)]);
    let back = ["a", "b", "c", "e"].map(|id| (item(id), plain()));
    let items = store.change_items(&back, ChangeTerms::ANY, T0.plus_ms(50)).await.unwrap().items;
    let found = spells(store).await;
    assert_eq!(found, [(OUT, 1, Some(50)), (OUT, 3, Some(50)), (OUT, 5, Some(50))]);
    let returned: Vec<bool> = items.iter().map(|item| item.back_on_sale_at.is_some()).collect();
    assert_eq!(returned, [true, false, true, true]);
    let entry = |price, from, to: Option<i64>, reason| PriceEntry {
        item: item("a"),
        price: Cents(price),
        from: Timestamp(from),
        to: to.map(Timestamp),
        reason,
    };
    let trial = PriceReason::Trial(Lottery { expected: Cents(95), chance_ppm: 250_000 });
    let ledger = store.prices_since(Timestamp(0), None, 100).await.unwrap();
    let kept = [entry(100, 5, Some(9), trial), entry(110, 9, None, PriceReason::Demand)];
    assert_eq!(ledger, kept);
    let offers = store.offers_since(Timestamp(0), None, 100).await.unwrap();
    let rival = CompetitorOffer {
        competitor: "rival".into(),
        price: Cents(99),
        shipping: Some(Cents(3)),
        in_stock: Some(true),
        condition: Condition::Used,
        match_confidence: Some(0.75),
        observed_at: Timestamp(7),
    };
    let other = CompetitorOffer {
        competitor: "other".into(),
        price: Cents(98),
        shipping: None,
        in_stock: None,
        condition: Condition::New,
        match_confidence: None,
        observed_at: Timestamp(8),
    };
    let offers: Vec<CompetitorOffer> = offers.into_iter().map(|price| price.offer).collect();
    assert_eq!(offers, [rival, other]);
    // One price of an item is open, as before.
    let moved =
        NewPrice { item: item("a"), before: None, price: Cents(120), reason: PriceReason::Demand };
    store.set_prices(&[moved], T0.plus_ms(60)).await.unwrap();
    let ledger = store.prices_since(Timestamp(0), None, 100).await.unwrap();
    assert_eq!(ledger.iter().filter(|entry| entry.to.is_none()).count(), 1, "{ledger:?}");
}

#[tokio::test]
async fn a_database_of_before_goes_on_and_knows_what_is_sold_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = SqliteConnectOptions::new().filename(folder.path().join("shop.db"));
    let mut connection =
        SqliteConnection::connect_with(&file.create_if_missing(true)).await.unwrap();
    migrations("sqlite").await.run_to(BEFORE_SPELLS, &mut connection).await.unwrap();
    for old in [OLD_ITEMS, OLD_PRICES] {
        sqlx::raw_sql(old).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    what_was_sold_out_is_known_of(&sqlite_in(folder.path()).await).await;
    let cluster = postgres::shared();
    let url = cluster.database().await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    migrations("postgres").await.run_to(BEFORE_SPELLS, &mut connection).await.unwrap();
    for old in [OLD_ITEMS, OLD_PRICES] {
        sqlx::raw_sql(old).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    what_was_sold_out_is_known_of(&postgres_at(&url).await).await;
}
