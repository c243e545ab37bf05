//! How fast lists are answered, beside a bare axum handler that returns as many bytes, and while a
//! training run goes on; how fast a saved snapshot is ready; what training costs.
//!
//! On Online Retail if `../shared/data` is there, else on the simulated shop: the first line says so.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

#[path = "support/child.rs"]
mod child;
#[path = "support/load.rs"]
mod load;

use child::{Server, be_bare_if_asked, run_measured, shopkeeper};
use load::{Load, Pressure, get, load, median, post};
use shopkeeper::{
    domain::Sequence,
    record::store::{Store, sqlite::SqliteStore},
};
use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

const CONNECTIONS: usize = 16;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(3);
const SHOPPERS: usize = 2_000;

fn main() {
    be_bare_if_asked();
    let dir = tempfile::tempdir().expect("a temporary folder");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let retail = root.join("../shared/data/online-retail/online-retail.csv.zst");
    let settings = [("SHOP__CURRENCY", "GBP"), ("TRAINING__ENABLED", "false")];
    if retail.exists() {
        println!("data: Online Retail");
        let mut import = shopkeeper(dir.path(), &settings);
        import.args(["import", "online-retail"]).arg(&retail);
        print!("{}", run_measured(import).0);
    } else {
        println!("data: a simulated shop, because {} is not there", retail.display());
        // Once it listens, everything is stored and learned from.
        let mut demo = shopkeeper(dir.path(), &settings);
        demo.args(["demo", "--dir"]).arg(dir.path());
        drop(Server::spawn(demo));
    }
    let mut train = shopkeeper(dir.path(), &settings);
    train.arg("train");
    let begun = Instant::now();
    let (report, peak_mib) = run_measured(train);
    println!(
        "{report}train, whole process: {:.1} s, peak {peak_mib:.0} MiB (goals: 60 s, 1024 MiB)",
        begun.elapsed().as_secs_f64()
    );

    let starts = (0..5).map(|_| {
        let begun = Instant::now();
        let server = Server::shopkeeper(dir.path(), &settings);
        let ready =
            load(server.address, Pressure::full(1, Duration::ZERO), |_, _| get("/health/ready"));
        assert_eq!(ready.n_failed, 0);
        begun.elapsed().as_secs_f64()
    });
    println!(
        "start to ready on the saved snapshot: {:.3} s, median of 5 (goal: 1 s)",
        median(starts.collect())
    );

    let paths = list_paths(dir.path());
    let server = Server::shopkeeper(dir.path(), &settings);
    let next =
        move |connection: usize, n: usize| paths[(connection * 131 + n) % paths.len()].clone();
    let cold = load(server.address, Pressure::full(1, Duration::from_secs(2)), next.clone());
    println!(
        "first list of a shopper, one connection: p50 {:.2} ms, p99 {:.2} ms",
        cold.quantile_ms(0.5),
        cold.quantile_ms(0.99)
    );
    let bytes = answer_bytes(server.address, &next(0, 0));
    let bare = Server::bare(bytes);
    let full = Pressure::full(CONNECTIONS, ROUND);
    load(server.address, full, next.clone());
    let (mut ours, mut limit): (Vec<Load>, Vec<Load>) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        limit.push(load(bare.address, full, next.clone()));
        ours.push(load(server.address, full, next.clone()));
    }
    let ratios = ours.iter().zip(&limit).map(|(a, b)| a.per_second / b.per_second);
    println!(
        "GET /recommendations/{{user}}?n=10, {bytes} bytes, {CONNECTIONS} connections: {:.0}/s, bare axum {:.0}/s, ratio {:.2} (goal: 0.50); p99 {:.2} ms; {} not 200",
        median(ours.iter().map(|load| load.per_second).collect()),
        median(limit.iter().map(|load| load.per_second).collect()),
        median(ratios.collect()),
        median(ours.iter().map(|load| load.quantile_ms(0.99)).collect()),
        ours.iter().map(|load| load.n_failed).sum::<usize>(),
    );
    under_training(server.address, &next);
}

/// Loads while one training run follows the other.
fn under_training(
    address: std::net::SocketAddr,
    next: &(impl Fn(usize, usize) -> Vec<u8> + Clone + Send + 'static),
) {
    let stop = Arc::new(AtomicBool::new(false));
    let training = {
        let stop = stop.clone();
        std::thread::spawn(move || {
            let mut runs = 0;
            while !stop.load(Ordering::Relaxed) {
                // Something new, or the run would be skipped.
                let event = r#"{"type":"view","user":"bench","item":"22423"}"#;
                let once = Pressure::full(1, Duration::ZERO);
                load(address, once, move |_, _| post("/events", event));
                load(address, once, |_, _| post("/models/train", "{}"));
                runs += 1;
            }
            runs
        })
    };
    let busy = load(address, Pressure::full(8, Duration::from_secs(10)), next.clone());
    let paced = Pressure {
        connections: 10,
        duration: Duration::from_secs(10),
        pause: Duration::from_millis(10),
    };
    let calm = load(address, paced, next.clone());
    stop.store(true, Ordering::Relaxed);
    let runs = training.join().expect("it only asks");
    println!(
        "during {runs} training runs: {:.0}/s on 8 connections, p50 {:.2} ms, p99 {:.2} ms; at {:.0}/s p50 {:.2} ms, p99 {:.2} ms (goal: p99 below 10 ms)",
        busy.per_second,
        busy.quantile_ms(0.5),
        busy.quantile_ms(0.99),
        calm.per_second,
        calm.quantile_ms(0.5),
        calm.quantile_ms(0.99),
    );
}

/// Requests for the lists of real shoppers.
fn list_paths(dir: &Path) -> Arc<Vec<Vec<u8>>> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime needs nothing");
    let shoppers: BTreeSet<String> = runtime.block_on(async {
        let store =
            SqliteStore::open(&dir.join("shopkeeper.db"), 1).await.expect("it was imported");
        let mut shoppers = BTreeSet::new();
        let mut after = Sequence(0);
        while shoppers.len() < SHOPPERS {
            let events = store.events_after(after, 10_000).await.expect("it was imported");
            let Some(last) = events.last() else { break };
            after = last.sequence;
            shoppers.extend(events.into_iter().filter_map(|e| e.event.user.map(|u| u.to_string())));
        }
        shoppers
    });
    Arc::new(shoppers.iter().map(|user| get(&format!("/recommendations/{user}?n=10"))).collect())
}

/// Bytes in the body of one answer.
fn answer_bytes(address: std::net::SocketAddr, request: &[u8]) -> usize {
    use std::io::{Read, Write};
    let text =
        String::from_utf8_lossy(request).replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
    let mut stream = std::net::TcpStream::connect(address).expect("it listens");
    stream.write_all(text.as_bytes()).expect("it listens");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer.split_once("\r\n\r\n").map_or(0, |(_, body)| body.len())
}
