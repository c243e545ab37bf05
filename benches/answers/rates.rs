//! Answers per second of each kind beside a bare handler, and how late they are.

use super::{
    serve,
    support::{
        bare::Bare,
        load::{self, Load, Measured, Pace, Requests, Until},
        memory_mib,
        report::{Report, Rounds, count, say},
        service::Service,
    },
};
use serde_json::json;
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

const CONNECTIONS: [usize; 3] = [1, 32, 256];
/// Many short rounds rather than a few long ones: whoever else works on the machine disturbs both sides alike.
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(400);
/// No round begins after this, where answers take so long that the last of a round are waited for.
const ROUNDS_TIME_MAX: Duration = Duration::from_secs(15);
const WARM_UP: Duration = Duration::from_millis(300);
/// Kinds whose answers are asked for once before.
const READY: [&str; 2] = ["list, ready", "sparse list, ready"];
/// Shoppers who come again and again.
const N_RETURNING: usize = 500;
/// Different requests of the other kinds; over the whole catalogue.
const N_REQUESTS: usize = 20_000;
/// Items that a guest has looked at.
const N_VISITED: usize = 5;
/// Answers among which the typical one is looked for.
const N_SAMPLE: usize = 100;
/// Prices asked for per second while first lists are made, on how many connections each, and for how long.
const BESIDE: (f64, usize, Duration) = (200.0, 4, Duration::from_secs(3));

/// A shop to measure.
pub(crate) struct Target<'a> {
    pub(crate) name: &'a str,
    pub(crate) users: &'a [String],
    pub(crate) items: &'a [String],
    pub(crate) floors: Floors,
    /// Whether the model of the scenario `sparse` was fitted.
    pub(crate) has_sparse: bool,
}

/// Least parts of the limit that are asked for, if any.
pub(crate) struct Floors {
    /// For lists that are ready.
    pub(crate) list: Option<f64>,
    /// For related items and prices.
    pub(crate) lookup: Option<f64>,
}

/// One kind of request.
struct Kind<'a> {
    what: &'a str,
    service: &'a Service,
    requests: Requests,
    floor: Option<f64>,
}

/// Prints what columns mean, and the table.
pub(crate) fn print(report: &Report) {
    say("\nOurs, and the bare handler: answers per second; p50, p99, p99.9 in milliseconds.");
    report.print();
}

/// Measures every kind on a shop: on a service as it is shipped, and on one that keeps nothing ready, so
/// that each list is a first one.
pub(crate) fn measure(dir: &Path, shop: &Target<'_>, report: &mut Report) {
    let begun = Instant::now();
    let usual = serve(dir, &[]);
    let started = format!("{:.2} s", begun.elapsed().as_secs_f64());
    report.fact(&format!("{}: start to ready on the saved snapshot", shop.name), started);
    let forgetful = serve(dir, &[("RECOMMENDATIONS__CACHE_BYTES_MAX", "0")]);
    let floors = &shop.floors;
    let list = |user: &String| load::get(&format!("/recommendations/{user}?n=10"));
    let sparse =
        |user: &String| load::get(&format!("/recommendations/{user}?n=10&scenario=sparse"));
    let related = |item: &String| load::get(&format!("/items/{item}/related"));
    let price = |item: &String| load::get(&format!("/prices/{item}"));
    let [ready, first, sparse, guests, related, prices] = [
        spread(shop.users, N_RETURNING).map(list).collect(),
        spread(shop.users, N_REQUESTS).map(list).collect(),
        spread(shop.users, N_REQUESTS).map(sparse).collect(),
        visits(shop.items),
        spread(shop.items, N_REQUESTS).map(related).collect(),
        spread(shop.items, N_REQUESTS).map(price).collect(),
    ]
    .map(Arc::new);
    for (what, service, requests, floor) in [
        (READY[0], &usual, &ready, floors.list),
        ("first list", &forgetful, &first, None),
        (READY[1], &usual, &sparse, floors.list),
        ("sparse list, first", &forgetful, &sparse, None),
        ("list for a guest's 5 items", &forgetful, &guests, None),
        ("related", &usual, &related, floors.lookup),
        ("price", &usual, &prices, floors.lookup),
    ] {
        if what.starts_with("sparse") && !shop.has_sparse {
            continue;
        }
        let kind = Kind { what, service, requests: requests.clone(), floor };
        measure_kind(shop.name, &kind, report);
    }
    measure_beside(shop.name, &forgetful, (&prices, &first), report);
    let resident = memory_mib(usual.pid(), "VmRSS").unwrap();
    report.fact(&format!("{}: resident after it", shop.name), format!("{} MiB", count(resident)));
}

/// At most `n` of the ids, from all over.
fn spread(ids: &[String], n: usize) -> impl Iterator<Item = &String> {
    ids.iter().step_by(ids.len().div_ceil(n))
}

/// Guests who have looked at neighbouring items, each at others.
fn visits(items: &[String]) -> Vec<Vec<u8>> {
    let firsts = (0..items.len() - N_VISITED).step_by(items.len().div_ceil(N_REQUESTS));
    let visit = |at: usize| json!({ "session": items[at..at + N_VISITED], "n": 10 });
    firsts.map(|at| load::post("/recommendations", &visit(at).to_string())).collect()
}

/// One kind in turns with the bare handler, on few and many connections.
fn measure_kind(shop: &str, kind: &Kind<'_>, report: &mut Report) {
    let mut ours = Load {
        address: kind.service.address().into(),
        requests: kind.requests.clone(),
        n_connections: 2,
        pace: Pace::Closed,
    };
    if READY.contains(&kind.what) {
        load::run(&ours, Until::Sent(ours.requests.len())).all_well();
    }
    let body = load::typical_body(&ours, N_SAMPLE);
    let bare_server = Bare::start(&body);
    for n_connections in CONNECTIONS {
        ours.n_connections = n_connections;
        let bare = Load { address: bare_server.address().into(), ..ours.clone() };
        let what = format!("{shop}: {}, {} bytes, {n_connections} conn.", kind.what, body.len());
        for load in [&ours, &bare] {
            load::run(load, Until::Elapsed(WARM_UP)).all_well();
        }
        let mut rounds = Rounds::default();
        let (mut all_ours, mut all_bare) = (Measured::default(), Measured::default());
        let begun = Instant::now();
        while rounds.len() < ROUNDS && begun.elapsed() < ROUNDS_TIME_MAX {
            let [our, other] =
                [&ours, &bare].map(|load| load::run(load, Until::Elapsed(ROUND)).all_well());
            rounds.add(&what, our.per_second(), other.per_second());
            all_ours.add(&our);
            all_bare.add(&other);
        }
        let sides = (shown(rounds.ours(), &all_ours), shown(rounds.other(), &all_bare));
        let goal = kind.floor.map(|floor| (format!("≥ {floor:.2}"), rounds.ratio() >= floor));
        let goal = goal.as_ref().map(|(text, is_met)| (text.as_str(), *is_met));
        report.row(&what, sides, Some(rounds.ratio_and_spread()), goal);
    }
}

/// Prices at a modest rate, alone and while first lists are made as fast as they can be: whether cheap answers
/// wait for dear ones.
fn measure_beside(
    shop: &str,
    service: &Service,
    (prices, lists): (&Requests, &Requests),
    report: &mut Report,
) {
    let (per_second, n_connections, time) = BESIDE;
    let address = service.address().to_owned();
    let lists = Load { address, requests: lists.clone(), n_connections, pace: Pace::Closed };
    let prices =
        Load { requests: prices.clone(), pace: Pace::PerSecond(per_second), ..lists.clone() };
    let alone = load::run(&prices, Until::Elapsed(time)).all_well();
    let beside = std::thread::scope(|scope| {
        let made = scope.spawn(|| load::run(&lists, Until::Elapsed(time)).all_well());
        let beside = load::run(&prices, Until::Elapsed(time)).all_well();
        made.join().unwrap();
        beside
    });
    for (when, measured) in [("alone", alone), ("beside first lists", beside)] {
        let what = format!("{shop}: price at {per_second} per second, {when}");
        report.fact(&what, shown(measured.per_second(), &measured));
    }
}

/// A rate, and the latencies of all rounds together.
fn shown(rate: f64, measured: &Measured) -> String {
    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|q| measured.quantile(q).as_secs_f64() * 1e3);
    format!("{}/s; {p50:.2}, {p99:.2}, {p999:.2}", count(rate))
}
