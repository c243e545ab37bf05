//! How long it takes to decide the prices of a large catalogue, to bring them into force, and to quote 500 at once.

use super::{
    serve,
    support::{
        large, median,
        report::{Report, count, say},
    },
};
use serde_json::{Value, json};
use std::{path::Path, time::Instant};

/// Longest time that a run over 100,000 items may take, in seconds.
const RUN_MAX: f64 = 30.0;
const ROUNDS: usize = 5;
const N_QUOTES: usize = 500;
const N_REQUESTS: usize = 40;

/// Measures on a shop of so many items, whose every item has sold at three prices for twelve weeks.
pub(crate) fn measure(dir: &Path, n_items: usize) {
    let mut report = Report::default();
    let settings = [("PRICING__ENABLED", "true"), ("PRICING__NEEDS_APPROVAL", "true")];
    let service = serve(dir, &settings);
    let mut decided = Vec::new();
    let mut last = Value::Null;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let (status, run) = service.post("/pricing/runs", &json!(null));
        assert_eq!(status, 200, "{run}");
        decided.push(begun.elapsed().as_secs_f64());
        last = run;
    }
    let n_moved = last["summary"]["moved"].as_u64().unwrap();
    assert!(n_moved > n_items as u64 / 2, "most prices move: {last}");
    let what = format!(
        "{} prices decided, {} of them to move and written down; seconds",
        count(n_items as f64),
        count(n_moved as f64)
    );
    report.below(&what, median(decided), RUN_MAX, "s");
    let path = format!("/pricing/runs/{}/approve", last["run"].as_str().unwrap());
    let begun = Instant::now();
    let (status, applied) = service.post(&path, &json!(null));
    assert_eq!((status, &applied["state"]), (200, &json!("applied")), "{applied}");
    let seconds = begun.elapsed().as_secs_f64();
    report.below(
        "the same approved: brought into force and into the ledger; seconds",
        seconds,
        RUN_MAX,
        "s",
    );
    let quotes: Vec<f64> = (0..N_REQUESTS)
        .map(|at| {
            let first = at * N_QUOTES % n_items;
            let items: Vec<String> =
                (first..first + N_QUOTES).map(|item| large::item(item % n_items)).collect();
            let begun = Instant::now();
            let (status, answer) = service.post("/prices", &json!({ "items": items }));
            assert_eq!((status, answer["prices"].as_array().unwrap().len()), (200, N_QUOTES));
            begun.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    report.fact(
        "500 quotes in one request, connection and parsing included; ms",
        format!("{:.1}", median(quotes)),
    );
    say("");
    report.print();
}
