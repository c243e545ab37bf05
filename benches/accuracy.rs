//! How good are the models, by protocols that others publish numbers for, and how long do they take
//! beside the libraries people would use instead?
//!
//! `cargo bench --bench accuracy` prints all tables; names after `--` pick some: `rating-100k`,
//! `rating-1m`, `top-n`; a number sets the rounds (5). Reads `../shared/data`. The peers run if
//! `SHOPKEEPER_BENCH_PYTHON` names an interpreter with the packages of `benches/peers/requirements.txt`;
//! on MovieLens 1M those that take many minutes only if `slow` is given too.

#![expect(clippy::unwrap_used, reason = "a bench may fail")]

#[expect(dead_code, reason = "the other benches use the rest")]
mod support;

use serde_json::Value;
use std::path::Path;
use support::{
    median,
    peer::{Peer, data_file},
    report::{Report, say, say_where},
    service::run,
};

const ROUNDS: usize = 5;
/// Asks for the peers of many minutes too.
const SLOW: &str = "slow";

/// Our model, the peer's, and whether the peer is quick enough for a million ratings.
const RATING: [(&str, Option<&str>, bool); 11] = [
    ("baseline", Some("BaselineOnly"), true),
    ("knn_basic", Some("KNNBasic"), false),
    ("knn_with_means", Some("KNNWithMeans"), false),
    ("knn_with_z_score", Some("KNNWithZScore"), false),
    ("knn_baseline", Some("KNNBaseline"), false),
    ("slope_one", Some("SlopeOne"), false),
    ("co_clustering", Some("CoClustering"), true),
    ("nmf", Some("NMF"), true),
    ("svd", Some("SVD"), true),
    ("svdpp", Some("SVDpp"), false),
    ("bayesian", None, false),
];

/// Our model with its settings, and the peer's name.
const LISTS: [(&str, &[&str], &str); 5] = [
    ("item_knn", &["item_knn.weighting=none", "item_knn.shrinkage=0"], "item_knn (cosine)"),
    (
        "item_knn",
        &[
            "item_knn.weighting={bm25={k1=1.2,b=0.75}}",
            "item_knn.similarity={asymmetric_cosine={own=0,other=0}}",
            "item_knn.shrinkage=0",
        ],
        "item_knn (bm25)",
    ),
    ("als", &[], "als"),
    ("bpr", &[], "bpr"),
    ("ease", &[], "ease"),
];

fn main() {
    if !support::is_bench() {
        return say("measures only under `cargo bench`");
    }
    say_where();
    let given: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let rounds = given.iter().find_map(|arg| arg.parse().ok()).unwrap_or(ROUNDS);
    let named: Vec<&String> = given.iter().filter(|arg| arg.parse::<usize>().is_err()).collect();
    let is_named = |name: &str| named.iter().any(|given| *given == name);
    let is_slow = is_named(SLOW);
    let is_asked = |table: &str| named.len() == usize::from(is_slow) || is_named(table);
    let folder = tempfile::tempdir().unwrap();
    for (table, set, file, is_small) in [
        ("rating-100k", "ml-100k", "u.data.zst", true),
        ("rating-1m", "ml-1m", "ratings.tsv.zst", false),
    ] {
        if is_asked(table) {
            ratings((set, file), is_small || is_slow, rounds, folder.path());
        }
    }
    if is_asked("top-n") {
        lists(rounds, folder.path());
    }
}

/// Surprise's protocol: five folds, as it draws them.
fn ratings((set, file): (&str, &str), are_all: bool, rounds: usize, folder: &Path) {
    let data = data_file(&format!("{set}/{file}"), folder);
    let folds = data_file(&format!("{set}/surprise-folds.txt.zst"), folder);
    let (Some(data), Some(folds)) = (data, folds) else { return };
    let mut peer = Peer::start("rating.py", &[data.as_os_str(), folds.as_os_str()]);
    let mut report = Report::default();
    let (data, folds) = (data.to_str().unwrap(), folds.to_str().unwrap());
    for (model, theirs, is_quick) in RATING {
        let base = ["--json", "evaluate", "rating", "--data", data, "--folds", folds];
        let arguments: Vec<&str> = base.into_iter().chain(["--model", model]).collect();
        let theirs = theirs.filter(|_| are_all || is_quick);
        let (mut seconds, mut ratios, mut other) = (Vec::new(), Vec::new(), None);
        let mut result = Value::Null;
        for _ in 0..rounds {
            result = evaluate(folder, &arguments, model);
            let ours = result["fit_seconds"].as_f64().unwrap()
                + result["predict_seconds"].as_f64().unwrap();
            seconds.push(ours);
            if let (Some(peer), Some(theirs)) = (peer.as_mut(), theirs) {
                let answer = peer.run(theirs);
                ratios.push(answer["seconds"].as_f64().unwrap() / ours);
                other = Some(answer);
            }
        }
        let metric = |name: &str| result["metrics"][name].as_f64().unwrap();
        let ours = (metric("rmse"), metric("mae"), median(seconds));
        let shown = |(rmse, mae, s): (f64, f64, f64)| format!("{rmse:.4} / {mae:.4} / {s:.2} s");
        let Some(other) = other else {
            report.fact(&format!("{set}, {model}"), shown(ours));
            continue;
        };
        let number = |key: &str| other[key].as_f64().unwrap();
        let ratio = median(ratios);
        let is_met = ours.0 <= number("rmse") + 0.003 && ratio >= 5.0;
        report.row(
            &format!("{set}, {model}; Surprise {}", theirs.unwrap_or_default()),
            (shown(ours), shown((number("rmse"), number("mae"), number("seconds")))),
            Some(format!("{ratio:.1}")),
            Some(("RMSE within .003, 5 times as fast", is_met)),
        );
    }
    say("\nRMSE / MAE / seconds of five fits and predictions; the ratio is of seconds.");
    report.print();
}

/// Implicit MovieLens 1M, full ranking.
fn lists(rounds: usize, folder: &Path) {
    let name = |part: &str| format!("top-n/Movielens1M_m1/{part}.txt.zst");
    let (train, test) = (data_file(&name("train"), folder), data_file(&name("test"), folder));
    let (Some(train), Some(test)) = (train, test) else { return };
    let mut peer = Peer::start("lists.py", &[train.as_os_str(), test.as_os_str()]);
    let mut report = Report::default();
    let files = ["--train", train.to_str().unwrap(), "--test", test.to_str().unwrap()];
    for (model, settings, theirs) in LISTS {
        let base = ["--json", "evaluate", "top-n", "--k", "20", "--model", model];
        let mut arguments: Vec<&str> = base.into_iter().chain(files).collect();
        arguments.extend(settings.iter().flat_map(|setting| ["--set", *setting]));
        let (mut seconds, mut ratios, mut other) = (Vec::new(), Vec::new(), None);
        let mut result = Value::Null;
        for _ in 0..rounds {
            result = evaluate(folder, &arguments, model);
            let ours = result["fit_seconds"].as_f64().unwrap();
            seconds.push(ours);
            if let Some(peer) = peer.as_mut() {
                let answer = peer.run(theirs);
                ratios.push(answer["seconds"].as_f64().unwrap() / ours);
                other = Some(answer);
            }
        }
        let shown = |of: &Value, s: f64| {
            let metric = |name: &str| of[name].as_f64().unwrap();
            format!("{:.4} / {:.4} / {s:.2} s", metric("recall@20"), metric("ndcg@20"))
        };
        let ours = shown(&result["metrics"], median(seconds));
        let error = result["standard_errors"]["ndcg@20"].as_f64().unwrap_or_default();
        let what = format!("{model} (± {error:.4}); {theirs}");
        match other {
            None => report.fact(&what, ours),
            Some(other) => {
                let is_met = result["metrics"]["ndcg@20"].as_f64() >= other["ndcg@20"].as_f64();
                let theirs = shown(&other, other["seconds"].as_f64().unwrap());
                let ratio = Some(format!("{:.1}", median(ratios)));
                report.row(&what, (ours, theirs), ratio, Some(("NDCG not below", is_met)));
            }
        }
    }
    say("\nrecall@20 / NDCG@20 / seconds to fit; the ratio is of seconds.");
    report.print();
    let searched = ["--json", "evaluate", "top-n", "--k", "20", "--search", "--trials", "160"];
    let arguments: Vec<&str> = searched.into_iter().chain(files).collect();
    let answer = answer(folder, &arguments);
    say(format!("\nthe search chose {}", answer["protocol"]["search"]["blend"]));
    let mut report = Report::default();
    for result in answer["results"].as_array().unwrap() {
        let metric = |name: &str| {
            let (value, error) = (&result["metrics"][name], &result["standard_errors"][name]);
            format!("{:.4} ± {:.4}", value.as_f64().unwrap(), error.as_f64().unwrap_or_default())
        };
        let what = format!("{}, parameters chosen on a tenth of training", result["model"]);
        report.row(&what, (metric("recall@20"), metric("ndcg@20")), None, None);
    }
    say("\nrecall@20; NDCG@20; the test file is read once, after the search.");
    report.print();
}

/// The result of one model.
fn evaluate(folder: &Path, arguments: &[&str], model: &str) -> Value {
    let answer = answer(folder, arguments);
    let results = answer["results"].as_array().unwrap();
    results.iter().find(|result| result["model"] == model).unwrap().clone()
}

/// What a command says.
fn answer(folder: &Path, arguments: &[&str]) -> Value {
    let done = run(folder, &[], arguments);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}
