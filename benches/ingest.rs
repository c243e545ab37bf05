//! How fast do events become durable? In batches beside plain `COPY` into the same table, one by one
//! beside a bare axum handler that reads the body and answers a fixed JSON.
//!
//! Postgres is a throw-away server that flushes its commits to the disk; single events also go to
//! SQLite, for information.

#![expect(clippy::unwrap_used, reason = "a bench may fail")]

#[expect(dead_code, reason = "the tests use all of it")]
#[path = "../tests/it/support/postgres.rs"]
mod postgres;
#[expect(dead_code, reason = "the other bench uses the rest")]
mod support;

use postgres::Cluster;
use serde_json::{Value, json};
use shopkeeper::{
    domain::{EventKind, Timestamp},
    record::store::postgres::PostgresStore,
};
use sqlx::{Connection as _, PgConnection};
use std::{
    fmt::Write as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use support::{
    bare::{Bare, serve_if_asked},
    block_on,
    load::{self, Load, Pace, Until},
    median, millis,
    report::{Report, Rounds, count, say, say_where},
    service::Service,
};

const N_ROWS: usize = 100_000;
const BATCH: usize = 1_000;
/// Connections that send batches, as the servers of a storefront would.
const N_SENDERS: usize = 4;
const BATCH_ROUNDS: usize = 5;
const SINGLE_ROUNDS: usize = 3;
const SINGLE_ROUND: Duration = Duration::from_secs(3);
const N_CLIENTS: usize = 64;
/// Bytes of one piece of a COPY.
const COPY_PIECE: usize = 1 << 17;
const RECEIVED_AT_MS: i64 = 1_735_689_600_000;

const COPY: &str = "copy events (sequence, event_id, kind, user_id, session_id, item_id, \
     occurred_at_ms, received_at_ms, quantity, price_minor, order_id, value, context) from stdin";

fn main() {
    serve_if_asked();
    if !support::is_bench() {
        return say("measures only under `cargo bench`");
    }
    let mut report = Report::default();
    say_where();
    let cluster = Cluster::start(true);
    measure_batches(&cluster, &mut report);
    let bare = Bare::start(r#"{"accepted":1,"duplicates":0,"rejected":[]}"#);
    let folder = tempfile::Builder::new().prefix("shopkeeper-bench").tempdir().unwrap();
    let url = block_on(cluster.database());
    measure_singles("Postgres", &service(folder.path(), &url), &bare, &mut report);
    measure_singles("SQLite", &service(folder.path(), "sqlite"), &bare, &mut report);
    report.print();
}

/// The real program, which trains when asked only.
fn service(dir: &Path, url: &str) -> Service {
    Service::start(dir, &[("DATABASE__URL", url), ("TRAINING__ENABLED", "false")], &[])
}

/// One line of an order.
struct Purchase {
    n: usize,
    user: usize,
    item: usize,
    order: usize,
    quantity: usize,
    price_minor: usize,
    at: Timestamp,
}

/// Purchases of 20,000 users and 4,000 items, five lines per order; the same ones every time.
fn purchases() -> impl Iterator<Item = Purchase> {
    (0..N_ROWS).map(|n| {
        // Multipliers of Knuth's hash (The Art of Computer Programming, vol. 3, 6.4) spread them.
        let (order, spread) = (n / 5, n.wrapping_mul(2_654_435_761));
        Purchase {
            n,
            order,
            user: order.wrapping_mul(2_654_435_761) % 20_000,
            item: (spread >> 8) % 4_000,
            quantity: 1 + spread % 5,
            price_minor: 100 + spread % 9_900,
            at: Timestamp(RECEIVED_AT_MS - (N_ROWS - n) as i64 * 100),
        }
    })
}

/// As lines of COPY's text format, cut into pieces.
fn copy_pieces() -> Vec<Vec<u8>> {
    let kind = EventKind::Purchase.code();
    let mut text = String::new();
    for Purchase { n, user, item, order, quantity, price_minor, at } in purchases() {
        writeln!(
            text,
            "{}\tline-{n}\t{kind}\tu{user}\t\\N\tsku-{item}\t{}\t{RECEIVED_AT_MS}\t{quantity}\t\
             {price_minor}\to{order}\t\\N\t\\N",
            n + 1,
            at.0
        )
        .unwrap();
    }
    text.into_bytes().chunks(COPY_PIECE).map(<[u8]>::to_vec).collect()
}

/// As requests of a thousand events each.
fn batch_requests() -> Vec<Vec<u8>> {
    let events: Vec<Value> = purchases()
        .map(|Purchase { n, user, item, order, quantity, price_minor, at }| {
            json!({
                "id": format!("line-{n}"), "type": "purchase", "user": format!("u{user}"),
                "item": format!("sku-{item}"), "order": format!("o{order}"), "quantity": quantity,
                "price": format!("{}.{:02}", price_minor / 100, price_minor % 100),
                "timestamp": at.to_string(),
            })
        })
        .collect();
    events.chunks(BATCH).map(|batch| load::post("/events", &json!(batch).to_string())).collect()
}

fn measure_batches(cluster: &Cluster, report: &mut Report) {
    let (pieces, requests) = (copy_pieces(), Arc::new(batch_requests()));
    let mut rounds = Rounds::default();
    let mut latencies = Vec::new();
    for round in 0..=BATCH_ROUNDS {
        let copied = copy(&block_on(cluster.database()), &pieces);
        let (posted, p99_ms) = post_batches(&block_on(cluster.database()), &requests);
        // The first is to warm up: a fresh server has yet to make its write-ahead log files.
        if round > 0 {
            rounds.add("rows per second in batches", posted, copied);
            latencies.push(p99_ms);
        }
    }
    report.row(
        &format!("rows per second in batches of {BATCH}, {N_SENDERS} connections, beside COPY"),
        (count(rounds.ours()), count(rounds.other())),
        Some(rounds.ratio_and_spread()),
        Some(("≥ 0.40", rounds.ratio() >= 0.4)),
    );
    report.fact("p99 of a batch", format!("{:.1} ms", median(latencies)));
}

/// Rows per second of one COPY into the empty table.
fn copy(url: &str, pieces: &[Vec<u8>]) -> f64 {
    block_on(async {
        // Connecting brings the schema.
        drop(PostgresStore::connect(url, 2, Duration::from_secs(10)).await.unwrap());
        let mut database = PgConnection::connect(url).await.unwrap();
        settle(&mut database).await;
        let begun = Instant::now();
        let mut copy = database.copy_in_raw(COPY).await.unwrap();
        for piece in pieces {
            copy.send(piece.as_slice()).await.unwrap();
        }
        let rows = copy.finish().await.unwrap();
        let seconds = begun.elapsed().as_secs_f64();
        assert_eq!(rows, N_ROWS as u64);
        check_rows(&mut database).await;
        N_ROWS as f64 / seconds
    })
}

/// Rows per second through the service into the empty table, and the p99 of a batch in milliseconds.
fn post_batches(url: &str, requests: &Arc<Vec<Vec<u8>>>) -> (f64, f64) {
    let folder = tempfile::Builder::new().prefix("shopkeeper-bench").tempdir().unwrap();
    let service = service(folder.path(), url);
    block_on(async { settle(&mut PgConnection::connect(url).await.unwrap()).await });
    let load = Load {
        address: service.address().into(),
        requests: requests.clone(),
        n_connections: N_SENDERS,
        pace: Pace::Closed,
    };
    let measured = load::run(&load, Until::Sent(requests.len())).all_well();
    block_on(async { check_rows(&mut PgConnection::connect(url).await.unwrap()).await });
    (N_ROWS as f64 / measured.seconds, measured.quantile(0.99).as_secs_f64() * 1e3)
}

/// Writes what earlier rounds left in memory, so that it is not written during the next.
async fn settle(database: &mut PgConnection) {
    sqlx::query("checkpoint").execute(database).await.unwrap();
}

async fn check_rows(database: &mut PgConnection) {
    let rows: i64 = sqlx::query_scalar("select count(distinct event_id) from events")
        .fetch_one(database)
        .await
        .unwrap();
    assert_eq!(rows, N_ROWS as i64);
}

/// Clicks one by one: from one client that waits for each commit, from many, and many to the bare handler.
fn measure_singles(database: &str, service: &Service, bare: &Bare, report: &mut Report) {
    let clicks = (0..10_000).map(|n| {
        let click = json!({
            "type": "click", "user": format!("u{}", n % 2_000), "item": format!("sku-{}", n % 997),
        });
        load::post("/events", &click.to_string())
    });
    let one = Load {
        address: service.address().into(),
        requests: Arc::new(clicks.collect()),
        n_connections: 1,
        pace: Pace::Closed,
    };
    let many = Load { n_connections: N_CLIENTS, ..one.clone() };
    let reading = Load { address: bare.address().into(), ..many.clone() };
    for load in [&many, &reading] {
        load::run(load, Until::Elapsed(Duration::from_secs(1))).all_well();
    }
    let (mut by_one, mut by_bare) = (Rounds::default(), Rounds::default());
    let (mut alone, mut together) = (Vec::new(), Vec::new());
    for _ in 0..SINGLE_ROUNDS {
        let [single, concurrent, read] = [&one, &many, &reading]
            .map(|load| load::run(load, Until::Elapsed(SINGLE_ROUND)).all_well());
        let rate = concurrent.per_second();
        by_one.add(&format!("{database}, 64 clients against one"), rate, single.per_second());
        by_bare.add(&format!("{database}, 64 clients against bare"), rate, read.per_second());
        alone.push(single.quantile(0.5));
        together.push(concurrent.quantile(0.99));
    }
    alone.sort();
    together.sort();
    let is_goal = database == "Postgres";
    let is_met = by_one.ratio() >= 8.0 || by_bare.ratio() >= 0.5;
    let goal = |text| is_goal.then_some((text, is_met));
    report.row(
        &format!("{database}: single events per second, {N_CLIENTS} clients, beside one client"),
        (count(by_one.ours()), count(by_one.other())),
        Some(by_one.ratio_and_spread()),
        goal("≥ 8, or the next line"),
    );
    report.row(
        &format!(
            "{database}: single events per second, {N_CLIENTS} clients, beside a bare handler"
        ),
        (count(by_bare.ours()), count(by_bare.other())),
        Some(by_bare.ratio_and_spread()),
        goal("≥ 0.50, or the line before"),
    );
    report.fact(&format!("{database}: p50 of one client"), millis(alone[SINGLE_ROUNDS / 2]));
    report.fact(
        &format!("{database}: p99 of {N_CLIENTS} clients"),
        millis(together[SINGLE_ROUNDS / 2]),
    );
}
