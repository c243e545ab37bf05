//! Lists while events pour in and models are trained: how late they are, and whether they are ever older
//! than what the shopper was told is recorded.

use super::{
    serve,
    support::{
        block_on,
        load::{self, Connection, Load, Measured, Pace, Until},
        median, millis,
        report::{Report, count, say},
        shop::train_until,
    },
};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use serde_json::{Value, json};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

const TIME: Duration = Duration::from_secs(20);
/// Lists asked for per second, and on how many connections.
const LISTS: (f64, usize) = (500.0, 32);
/// Events sent per second, in batches of so many, on so many connections.
const EVENTS: (f64, usize, usize) = (2_000.0, 100, 4);
/// Different batches; those of a minute.
const N_BATCHES: usize = 1_200;
/// Clicks of each newcomer who is followed.
const N_CLICKS: usize = 3;
/// Between two newcomers.
const PAUSE: Duration = Duration::from_millis(50);

/// Measures on a shop of these users and items.
pub(crate) fn measure(dir: &Path, (users, items): (&[String], &[String])) {
    let mut report = Report::default();
    let service = serve(dir, &[]);
    let lists = Load {
        address: service.address().into(),
        requests: Arc::new(
            users.iter().map(|user| load::get(&format!("/recommendations/{user}?n=10"))).collect(),
        ),
        n_connections: LISTS.1,
        pace: Pace::PerSecond(LISTS.0),
    };
    let events = Load {
        address: service.address().into(),
        requests: Arc::new(batches(users, items)),
        n_connections: EVENTS.2,
        pace: Pace::PerSecond(EVENTS.0 / EVENTS.1 as f64),
    };
    check_batch(&events);
    // Every list once, so that what is measured is the stream's doing.
    let calm = Load { n_connections: 1, pace: Pace::Closed, ..lists.clone() };
    load::run(&calm, Until::Sent(calm.requests.len())).all_well();
    let before = load::run(&lists, Until::Elapsed(TIME / 4)).all_well();
    tell("without events and training", &before, &mut report);

    let stop = AtomicBool::new(false);
    let (during, poured, followed, runs) = std::thread::scope(|scope| {
        let training = scope.spawn(|| train_until(service.address(), &stop));
        let poured = scope.spawn(|| load::run(&events, Until::Elapsed(TIME)).all_well());
        let followed = scope.spawn(|| block_on(follow_newcomers(service.address(), &stop)));
        let during = load::run(&lists, Until::Elapsed(TIME)).all_well();
        let poured = poured.join().unwrap();
        stop.store(true, Ordering::Relaxed);
        (during, poured, followed.join().unwrap(), training.join().unwrap())
    });
    tell("while events pour in and models are trained", &during, &mut report);
    let p99 = during.quantile(0.99).as_secs_f64() * 1e3;
    report.below("p99 of lists meanwhile", p99, 10.0, "ms");
    let per_second = count(poured.per_second() * EVENTS.1 as f64);
    let (p50, p99) = (millis(poured.quantile(0.5)), millis(poured.quantile(0.99)));
    report.fact("events recorded meanwhile", format!("{per_second}/s"));
    report.fact(&format!("p50, p99 of a batch of {} meanwhile", EVENTS.1), format!("{p50}, {p99}"));
    let seconds = median(runs.iter().map(Duration::as_secs_f64));
    report.fact("training runs meanwhile", format!("{}, {seconds:.1} s each", runs.len()));
    report.row(
        "lists older than the shopper's last acknowledged click",
        (
            format!("{} of {}", count(followed.n_old as f64), count(followed.n_asked as f64)),
            "0".into(),
        ),
        None,
        Some(("0", followed.n_old == 0)),
    );
    say(format!("\nLists at {} per second over {} connections.", LISTS.0, LISTS.1));
    report.print();
}

fn tell(when: &str, lists: &Measured, report: &mut Report) {
    let quantiles = [0.5, 0.99, 0.999, 1.0].map(|q| millis(lists.quantile(q)));
    let shown = format!("{}/s; {}", count(lists.per_second()), quantiles.join(", "));
    report.fact(&format!("rate; p50, p99, p99.9, max of lists {when}"), shown);
}

/// What shoppers of the shop look at and click, without ids, so that each sending is a new event.
fn batches(users: &[String], items: &[String]) -> Vec<Vec<u8>> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut event = || {
        let kind = if rng.random_bool(0.8) { "view" } else { "click" };
        // The product of two draws: some items are looked at far more often than others.
        let at = rng.random::<f64>() * rng.random::<f64>() * items.len() as f64;
        let user = &users[rng.random_range(0..users.len())];
        json!({ "type": kind, "user": user, "item": items[at as usize] })
    };
    let batch = |_| (0..EVENTS.1).map(|_| event()).collect::<Value>();
    (0..N_BATCHES).map(batch).map(|batch| load::post("/events", &batch.to_string())).collect()
}

/// Makes sure that a batch is taken as it is meant.
fn check_batch(events: &Load) {
    let answer = block_on(async {
        let mut connection = Connection::open(&events.address).await;
        connection.exchange_json(&events.requests[0]).await
    });
    assert_eq!(answer["accepted"], EVENTS.1, "{answer}");
}

/// Lists that were asked for after a click, and those among them that did not know of it.
#[derive(Debug, Default)]
struct Followed {
    n_asked: usize,
    n_old: usize,
}

/// One newcomer after the other clicks the first item of each list; the next must go by the visit and have
/// none of the clicked.
async fn follow_newcomers(address: &str, stop: &AtomicBool) -> Followed {
    let mut connection = Connection::open(address).await;
    let mut followed = Followed::default();
    for newcomer in (0..).map(|n| format!("newcomer-{n}")) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let ask = load::get(&format!("/recommendations/{newcomer}?n=10"));
        let mut list = connection.exchange_json(&ask).await;
        let mut clicked: Vec<Value> = Vec::new();
        for _ in 0..N_CLICKS {
            let item = list["items"][0]["item"].clone();
            let click = json!({ "type": "click", "user": newcomer, "item": item });
            let told = connection.exchange_json(&load::post("/events", &click.to_string())).await;
            assert_eq!(told["accepted"], 1, "{told}");
            clicked.push(item);
            list = connection.exchange_json(&ask).await;
            // A snapshot that has learned from the first clicks makes the next list a personal one.
            let is_current = list["source"] == "session" || list["source"] == "personal";
            let shown = list["items"].as_array().unwrap();
            let shows_clicked = shown.iter().any(|shown| clicked.contains(&shown["item"]));
            followed.n_asked += 1;
            if !is_current || shows_clicked {
                followed.n_old += 1;
                say(format!("{newcomer} clicked {clicked:?} and is shown {list}"));
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    followed
}
