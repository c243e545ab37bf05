//! One contract, every back end: SQLite and a real Postgres, always.

mod operations;
mod prices;
mod spells;

use crate::support::postgres;
use shopkeeper::{
    domain::{
        Cents, Credit, Event, EventContext, EventKind, ItemChange, ItemFields, ItemId, Patch,
        Sequence, SessionId, Timestamp, UserId, VariantTally, item::ItemPatch, person::user_hash,
    },
    record::store::{
        ChangeTerms, NothingKnown, Store, postgres::PostgresStore, sqlite::SqliteStore,
    },
};
use std::{sync::Arc, time::Duration};

const T0: Timestamp = Timestamp(1_700_000_000_000);

async fn sqlite_in(folder: &std::path::Path) -> SqliteStore {
    SqliteStore::open(&folder.join("shop.db"), 4).await.unwrap()
}

async fn postgres_at(url: &str) -> PostgresStore {
    PostgresStore::connect(url, 8, Duration::from_secs(5)).await.unwrap()
}

/// Each case becomes two tests: one for each database.
macro_rules! on_both {
    ($($case:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test]
            async fn $case() {
                let folder = tempfile::tempdir().unwrap();
                super::$case(std::sync::Arc::new($crate::store_contract::sqlite_in(folder.path()).await)).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test]
            async fn $case() {
                let cluster = $crate::support::postgres::shared();
                let url = cluster.database().await;
                super::$case(std::sync::Arc::new($crate::store_contract::postgres_at(&url).await)).await;
            })*
        }
    };
}
use on_both;

on_both!(
    an_event_comes_back_as_it_was,
    an_event_id_is_stored_once_for_ever,
    a_large_batch_is_stored_like_a_small_one,
    a_batch_is_stored_whole_or_not_at_all,
    concurrent_writers_lose_and_double_nothing,
    a_reader_never_skips_an_event_of_a_slow_writer,
    users_and_items_exist_when_first_seen,
    item_changes_are_applied_in_order,
    users_are_replaced_and_found,
    an_erased_user_leaves_a_receipt_and_nothing_else,
    credits_add_up_by_list_and_by_shopper,
    a_guests_events_become_the_customers_and_go_with_them,
    totals_count_everything,
);

#[test]
fn both_databases_have_the_same_migrations() {
    let names = |folder: &str| {
        let files = std::fs::read_dir(format!("{}/{folder}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert!(!names("migrations/sqlite").is_empty());
    assert_eq!(names("migrations/postgres"), names("migrations/sqlite"));
}

fn item(id: &str) -> ItemId {
    ItemId::new(id).unwrap()
}

fn user(id: &str) -> UserId {
    UserId::new(id).unwrap()
}

fn view(shopper: &str, of: &str, event_id: Option<&str>) -> Event {
    Event {
        event_id: event_id.map(str::to_owned),
        kind: EventKind::View,
        user: Some(user(shopper)),
        session: None,
        item: Some(item(of)),
        occurred_at: T0,
        quantity: 1,
        price: None,
        order: None,
        value: None,
        context: EventContext::default(),
    }
}

async fn append(store: &dyn Store, events: &[Event]) -> Vec<Option<Sequence>> {
    store.append_events(events, T0, &NothingKnown).await.unwrap()
}

async fn all_events(store: &dyn Store) -> Vec<Event> {
    let events = store.events_after(Sequence(0), 100_000).await.unwrap();
    assert!(events.windows(2).all(|pair| pair[0].sequence < pair[1].sequence));
    events.into_iter().map(|recorded| recorded.event).collect()
}

async fn an_event_comes_back_as_it_was(store: Arc<dyn Store>) {
    let full = Event {
        event_id: Some("e/1 ☕ \"quoted\" \\".into()),
        kind: EventKind::Rating,
        user: Some(user("ümläut, {}")),
        session: Some(SessionId::new("s'1").unwrap()),
        item: Some(item("a/b")),
        occurred_at: Timestamp(-5),
        quantity: 4_000_000_000,
        price: Some(Cents(-1_299)),
        order: Some("o,7".into()),
        value: Some(4.1),
        context: EventContext {
            recommendation: Some("r".into()),
            scenario: Some("home".into()),
            channel: Some("web".into()),
            campaign: Some("spring".into()),
            credit: None,
            properties: serde_json::from_str(r#"{"a": [1, null, "\u0000x"]}"#).unwrap(),
        },
    };
    let mut search = view("u", "i", None);
    (search.kind, search.item) = (EventKind::Search, None);
    let sequences = append(&*store, &[full.clone(), search.clone()]).await;
    assert!(sequences[0].is_some() && sequences[0] < sequences[1]);
    assert_eq!(all_events(&*store).await, [full, search]);
    assert_eq!(store.last_sequence().await.unwrap(), sequences[1].unwrap());
    assert_eq!(store.events_after(sequences[0].unwrap(), 9).await.unwrap().len(), 1);
    assert_eq!(store.events_after(Sequence(0), 1).await.unwrap().len(), 1);
    assert_eq!(append(&*store, &[]).await, []);
}

async fn an_event_id_is_stored_once_for_ever(store: Arc<dyn Store>) {
    let first = append(&*store, &[view("u", "a", Some("x")), view("u", "b", Some("x"))]).await;
    assert!(first[0].is_some() && first[1].is_none(), "the first in the batch counts");
    let again = append(&*store, &[view("u", "c", Some("x")), view("u", "d", None)]).await;
    assert!(again[0].is_none() && again[1].is_some());
    assert_eq!(all_events(&*store).await, [view("u", "a", Some("x")), view("u", "d", None)]);
}

async fn a_large_batch_is_stored_like_a_small_one(store: Arc<dyn Store>) {
    let batch = |from: usize, to: usize| -> Vec<Event> {
        let full = |n: usize| Event {
            kind: EventKind::Purchase,
            session: Some(SessionId::new("s ☕").unwrap()),
            quantity: n as u32 + 1,
            price: n.is_multiple_of(2).then_some(Cents(n as i64)),
            order: n.is_multiple_of(3).then(|| "o\\,\"7".into()),
            value: n.is_multiple_of(5).then_some(-0.1),
            context: EventContext {
                channel: n.is_multiple_of(7).then(|| "web".into()),
                ..EventContext::default()
            },
            ..view(&format!("u{n}"), &format!("i{}", n % 50), Some(&format!("e{n}")))
        };
        (from..to).map(full).collect()
    };
    let first = append(&*store, &batch(0, 600)).await;
    assert!(first.iter().all(Option::is_some) && first.is_sorted());
    // Half of it again, twice over: every one is known, nothing new is lost.
    let mut again = batch(300, 900);
    again.extend(batch(300, 400));
    let second = append(&*store, &again).await;
    assert!(second[..300].iter().chain(&second[600..]).all(Option::is_none));
    assert!(second[300..600].iter().all(Option::is_some));
    append(&*store, &batch(900, 1_200)).await;
    assert_eq!(all_events(&*store).await, batch(0, 1_200));
}

async fn a_batch_is_stored_whole_or_not_at_all(store: Arc<dyn Store>) {
    let dropped = {
        let store = store.clone();
        let events: Vec<Event> = (0..2_000).map(|n| view(&n.to_string(), "i", None)).collect();
        async move { append(&*store, &events).await }
    };
    // A caller that goes away in the middle leaves all or nothing behind.
    let _gone = tokio::time::timeout(Duration::from_millis(3), dropped).await;
    append(&*store, &[view("last", "i", None)]).await;
    let n = all_events(&*store).await.len();
    assert!(n == 1 || n == 2_001, "{n} events are there");
}

async fn concurrent_writers_lose_and_double_nothing(store: Arc<dyn Store>) {
    let writers = (0..8).map(|writer: u32| {
        let store = store.clone();
        async move {
            for round in 0..10 {
                let own = format!("{writer}-{round}");
                // Shared ids in opposite orders: writers that wait in a circle would fail here.
                let mut batch: Vec<Event> = (0..20)
                    .map(|n| {
                        view(&format!("u{n}"), &format!("i{n}"), Some(&format!("r{round}-{n}")))
                    })
                    .chain([view(&own, &own, Some(&own))])
                    .collect();
                if writer.is_multiple_of(2) {
                    batch.reverse();
                }
                append(&*store, &batch).await;
            }
        }
    });
    let mut tasks = tokio::task::JoinSet::new();
    for writer in writers {
        tasks.spawn(writer);
    }
    tasks.join_all().await;
    let mut ids: Vec<String> =
        all_events(&*store).await.into_iter().filter_map(|event| event.event_id).collect();
    assert_eq!(ids.len(), 10 * 20 + 8 * 10);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 280, "an event is there twice");
}

async fn a_reader_never_skips_an_event_of_a_slow_writer(store: Arc<dyn Store>) {
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..6 {
        let store = store.clone();
        tasks.spawn(async move {
            for n in 0..25 {
                let size = if writer == 0 { 400 } else { 1 };
                let batch: Vec<Event> = (0..size)
                    .map(|e| view(&format!("w{writer}"), &format!("{n}-{e}"), None))
                    .collect();
                append(&*store, &batch).await;
            }
        });
    }
    let (mut seen, mut after) = (0, Sequence(0));
    let total = 25 * 400 + 5 * 25;
    let read = async {
        while seen < total {
            let page = store.events_after(after, 300).await.unwrap();
            seen += page.len();
            after = page.last().map_or(after, |event| event.sequence);
        }
    };
    tokio::time::timeout(Duration::from_mins(1), read).await.expect("an event was skipped");
    tasks.join_all().await;
    assert_eq!(seen, total);
}

async fn users_and_items_exist_when_first_seen(store: Arc<dyn Store>) {
    append(&*store, &[view("u", "mug", None)]).await;
    assert_eq!(store.user(&user("u")).await.unwrap().unwrap().first_seen_at, T0);
    let mug = store.item(&item("mug")).await.unwrap().unwrap();
    assert_eq!((mug.fields, mug.price_in_force), (ItemFields::default(), None));
    assert_eq!(store.item(&item("cup")).await.unwrap(), None);
    assert_eq!(store.user(&user("v")).await.unwrap(), None);
}

fn priced(price: i64) -> ItemChange {
    ItemChange::Merge(Box::new(ItemPatch {
        price: Patch::Set(Cents(price)),
        ..ItemPatch::default()
    }))
}

async fn item_changes_are_applied_in_order(store: Arc<dyn Store>) {
    let fields = ItemFields {
        title: Some("Mug \"big\"".into()),
        stock: Some(3),
        attributes: serde_json::from_str(r#"{"colour": "red"}"#).unwrap(),
        ..ItemFields::default()
    };
    let patch = ItemPatch { stock: Patch::Set(0), title: Patch::Clear, ..ItemPatch::default() };
    let changes = [
        (item("mug"), ItemChange::Replace(Box::new(fields.clone()))),
        (item("cup"), ItemChange::Replace(Box::default())),
        (item("mug"), ItemChange::Merge(Box::new(patch))),
        (item("never"), ItemChange::Remove),
    ];
    let changed = store.change_items(&changes, ChangeTerms::ANY, T0).await.unwrap().items;
    let ids: Vec<&str> = changed.iter().map(|item| item.item_id.as_str()).collect();
    assert_eq!(ids, ["mug", "cup"]);
    assert_eq!(changed[0].fields, ItemFields { title: None, stock: Some(0), ..fields });
    let followed = store.items_after(0, 10).await.unwrap();
    assert_eq!(followed.len(), 2);
    let last = followed[1].revision;
    assert!(store.items_after(last, 10).await.unwrap().is_empty());
    let later = T0.plus_ms(5);
    let removed = store
        .change_items(&[(item("cup"), ItemChange::Remove)], ChangeTerms::ANY, later)
        .await
        .unwrap()
        .items;
    assert!(removed[0].removed && removed[0].updated_at == later);
    assert_eq!(store.items_after(last, 10).await.unwrap(), removed);
    assert_eq!(store.item(&item("cup")).await.unwrap().as_ref(), removed.first());
    let back = store
        .change_items(&[(item("cup"), priced(5))], ChangeTerms::ANY, later)
        .await
        .unwrap()
        .items;
    assert!(!back[0].removed);
    // Removed, it has no price in force; back again, it begins anew.
    let gone = store
        .change_items(&[(item("cup"), ItemChange::Remove)], ChangeTerms::ANY, later)
        .await
        .unwrap()
        .items;
    assert_eq!(gone[0].price_in_force, None);
    let empty = ItemChange::Merge(Box::default());
    let anew =
        store.change_items(&[(item("cup"), empty)], ChangeTerms::ANY, later).await.unwrap().items;
    assert_eq!((&anew[0].fields, anew[0].removed), (&ItemFields::default(), false));
}

async fn users_are_replaced_and_found(store: Arc<dyn Store>) {
    let attributes = |json: &str| serde_json::from_str(json).unwrap();
    let users = [
        (user("b"), attributes(r#"{"age": 3}"#)),
        (user("a"), attributes("{}")),
        (user("b"), attributes(r#"{"city": "Köln"}"#)),
    ];
    let saved = store.save_users(&users, T0).await.unwrap();
    assert_eq!(saved.iter().map(|u| u.user_id.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    let b = store.user(&user("b")).await.unwrap().unwrap();
    assert_eq!(b.attributes, users[2].1);
    let again = store.save_users(&users[..1], T0.plus_ms(9)).await.unwrap();
    assert_eq!((again[0].first_seen_at, again[0].updated_at), (T0, T0.plus_ms(9)));
}

async fn an_erased_user_leaves_a_receipt_and_nothing_else(store: Arc<dyn Store>) {
    append(&*store, &[view("u", "a", None), view("v", "a", None), view("u", "b", None)]).await;
    assert_eq!(store.user_events(&user("u"), Sequence(0), 10).await.unwrap().len(), 2);
    let receipt = store.erase_user(&user("u"), T0).await.unwrap();
    assert_eq!((receipt.events_erased, receipt.user_hash.clone()), (2, user_hash(&user("u"))));
    assert_eq!(store.user(&user("u")).await.unwrap(), None);
    assert!(store.user_events(&user("u"), Sequence(0), 10).await.unwrap().is_empty());
    assert_eq!(all_events(&*store).await, [view("v", "a", None)]);
    assert_eq!(store.erasures_after(0, 10).await.unwrap(), std::slice::from_ref(&receipt));
    assert!(store.erasures_after(receipt.sequence, 10).await.unwrap().is_empty());
    let last = append(&*store, &[view("w", "a", None)]).await[0];
    assert!(last > Some(Sequence(3)), "numbers of erased events are not given out again");
}

async fn a_guests_events_become_the_customers_and_go_with_them(store: Arc<dyn Store>) {
    let by_session = |session: &str, named: bool| Event {
        user: named.then(|| user("other")),
        session: Some(SessionId::new(session).unwrap()),
        ..view("x", "a", None)
    };
    let events = [view("guest", "a", None), by_session("guest", false), by_session("guest", true)];
    let numbers = append(&*store, &events).await;
    let attributes = |json: &str| serde_json::from_str(json).unwrap();
    let users = [
        (user("guest"), attributes(r#"{"city": "Köln", "age": 3}"#)),
        (user("c"), attributes(r#"{"age": 4}"#)),
    ];
    store.save_users(&users, T0).await.unwrap();
    let merge = store.merge_users("guest", &user("c"), T0.plus_ms(5)).await.unwrap().unwrap();
    assert_eq!((merge.from.as_str(), &merge.into, merge.events_moved), ("guest", &user("c"), 2));
    assert_eq!((Some(merge.moved_until), merge.merged_at), (numbers[1], T0.plus_ms(5)));
    assert_eq!(store.user_events(&user("c"), Sequence(0), 9).await.unwrap().len(), 2);
    assert_eq!(store.user_events(&user("other"), Sequence(0), 9).await.unwrap().len(), 1);
    assert_eq!(store.user(&user("guest")).await.unwrap(), None);
    let customer = store.user(&user("c")).await.unwrap().unwrap();
    assert_eq!(customer.attributes, attributes(r#"{"age": 4, "city": "Köln"}"#));
    assert_eq!(store.merge_users("guest", &user("c"), T0).await.unwrap(), None, "done before");
    assert_eq!(store.merge_users("nobody", &user("new"), T0).await.unwrap(), None);
    assert!(store.user(&user("new")).await.unwrap().is_some(), "the customer comes to exist");
    assert_eq!(store.merges_after(0, 9).await.unwrap(), std::slice::from_ref(&merge));
    assert!(store.merges_after(merge.sequence, 9).await.unwrap().is_empty());

    // The customer turns out to be somebody else's guest: everything goes on.
    let again = store.merge_users("c", &user("d"), T0).await.unwrap().unwrap();
    assert_eq!(again.events_moved, 2);
    let receipt = store.erase_user(&user("d"), T0).await.unwrap();
    assert_eq!(receipt.events_erased, 2);
    assert!(store.merges_after(0, 9).await.unwrap().is_empty(), "no name is left");
    let receipts = store.erasures_after(0, 9).await.unwrap();
    let mut hashes: Vec<String> = receipts.into_iter().map(|r| r.user_hash).collect();
    assert_eq!(hashes.pop(), Some(user_hash(&user("d"))));
    hashes.sort_unstable();
    let mut guests = [user_hash(&user("guest")), user_hash(&user("c"))];
    guests.sort_unstable();
    assert_eq!(hashes, guests);
}

async fn credits_add_up_by_list_and_by_shopper(store: Arc<dyn Store>) {
    let event = |shopper: &str, kind, variant: Option<&str>, price: Option<i64>| {
        let credit = Credit {
            scenario: "home".into(),
            source: Some("personal".into()),
            experiment: variant.map(|_| "e".into()),
            variant: variant.map(Into::into),
            chance_ppm: price.map(|_| 20_000),
        };
        let context = EventContext { credit: Some(credit), ..EventContext::default() };
        let (price, quantity) = (price.map(Cents), if price.is_some() { 2 } else { 1 });
        Event { kind, price, quantity, context, ..view(shopper, "a", None) }
    };
    let mut talks_of_it = view("z", "a", None);
    let said = serde_json::from_str(r#"{"credit": {"scenario": "mine"}}"#).unwrap();
    talks_of_it.context.properties = said;
    let events = [
        event("u", EventKind::Impression, Some("a"), None),
        event("u", EventKind::Click, Some("a"), None),
        event("u", EventKind::Purchase, Some("a"), Some(300)),
        event("u", EventKind::Purchase, Some("a"), Some(100)),
        event("v", EventKind::Impression, Some("a"), None),
        event("w", EventKind::AddToCart, Some("b"), None),
        event("x", EventKind::Click, None, None),
        talks_of_it,
        view("y", "a", None),
    ];
    append(&*store, &events).await;
    assert_eq!(all_events(&*store).await, events);
    let credited = store.credited(T0).await.unwrap();
    assert!(credited.iter().all(|row| row.credit.scenario == "home"));
    let bought = credited.iter().find(|row| row.kind == EventKind::Purchase).unwrap();
    assert_eq!((bought.events, bought.units, bought.revenue_minor), (2, 4, 800));
    assert_eq!(credited.iter().map(|row| row.events).sum::<u64>(), 7);
    assert!(store.credited(T0.plus_ms(1)).await.unwrap().is_empty());
    let tallies = store.variant_tallies("e").await.unwrap();
    let expected = VariantTally {
        variant: "a".into(),
        users: 2,
        converted: 1,
        impressions: 2,
        clicks: 1,
        carts: 0,
        purchases: 2,
        revenue_minor: 800.0,
        revenue_squares: 640_000.0,
    };
    assert_eq!(tallies[0], expected);
    assert_eq!((tallies.len(), tallies[1].carts, tallies[1].converted), (2, 1, 0));
    assert!(store.variant_tallies("other").await.unwrap().is_empty());
}

async fn totals_count_everything(store: Arc<dyn Store>) {
    let mut bought = view("u", "a", None);
    bought.kind = EventKind::Purchase;
    append(&*store, &[view("u", "a", None), view("v", "b", None), bought]).await;
    store
        .change_items(
            &[(item("a"), priced(5)), (item("b"), ItemChange::Remove)],
            ChangeTerms::ANY,
            T0,
        )
        .await
        .unwrap();
    let totals = store.totals().await.unwrap();
    assert_eq!(totals.events, [(EventKind::View, 2), (EventKind::Purchase, 1)]);
    assert_eq!((totals.items, totals.users, totals.prices), (1, 2, 1));
}

#[tokio::test]
async fn a_reopened_store_has_everything() {
    let folder = tempfile::tempdir().unwrap();
    append(&sqlite_in(folder.path()).await, &[view("u", "a", Some("1"))]).await;
    let again = sqlite_in(folder.path()).await;
    assert_eq!(append(&again, &[view("u", "a", Some("1"))]).await, [None]);
    let url = postgres::shared();
    let url = url.database().await;
    append(&postgres_at(&url).await, &[view("u", "a", Some("1"))]).await;
    assert_eq!(append(&postgres_at(&url).await, &[view("u", "a", Some("1"))]).await, [None]);
}

#[tokio::test]
async fn a_stopped_postgres_is_unavailable_and_comes_back() {
    let cluster = postgres::Cluster::start(false);
    let url = cluster.database().await;
    let store = PostgresStore::connect(&url, 4, Duration::from_millis(500)).await.unwrap();
    append(&store, &[view("u", "a", None)]).await;
    cluster.stop();
    let error = store.append_events(&[view("u", "a", None)], T0, &NothingKnown).await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    assert!(store.ping().await.unwrap_err().is_unavailable());
    cluster.resume();
    append(&store, &[view("u", "b", None)]).await;
    assert_eq!(all_events(&store).await.len(), 2);
}
