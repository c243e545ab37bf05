//! Every protocol on small made-up files.

use super::{Folder, json, run};
use serde_json::Value;
use std::{fmt::Write, fs, path::Path};

/// 60 users with ten different items each, in turns.
fn events() -> String {
    let mut rows = "time,user,item\n".to_owned();
    for at in 0..600_u32 {
        let (user, nth) = (at % 60, at / 60);
        writeln!(rows, "{at},u{user},i{}", (7 * user + 3 * nth) % 40).unwrap();
    }
    rows
}

#[test]
fn neighbours_find_every_item_of_a_checkerboard() {
    let folder = Folder::new();
    let (train, test) = folder.checkerboard();
    let report =
        run(&["top-n", "--train", &train, "--test", &test, "--model", "item_knn", "--k", "1,3"]);
    let report = report.unwrap();
    let names: Vec<&str> = report.results.iter().map(|result| result.model).collect();
    assert_eq!(names, ["popularity", "item_knn"], "popularity is always beside");
    let item_knn = &report.results[1];
    for metric in ["recall@1", "ndcg@3", "mrr@3", "hit_rate@1", "map@3", "auc", "coverage@1"] {
        let value = item_knn.metric(metric).unwrap();
        assert!((value - 1.0).abs() < 1e-12, "{metric} is {value}");
    }
    assert!(report.results[0].metric("recall@1").unwrap() < 0.6);
    let table = report.to_string();
    assert!(table.starts_with("first 1\nmodel "), "{table}");
    assert!(table.contains("\nitem_knn    1.0000"), "{table}");
    assert!(table.contains("item_knn against the others, ndcg@3 user by user"), "{table}");
}

#[test]
fn the_answer_says_what_was_done_with_what() {
    let folder = Folder::new();
    let (train, test) = folder.checkerboard();
    let arguments = ["top-n", "--train", &train, "--test", &test, "--model", "svd"];
    let more = ["--k", "20,5", "--set", "svd.n_factors=2", "--threads", "1"];
    let answer = json(&run(&[&arguments[..], &more[..]].concat()).unwrap());
    let protocol = &answer["protocol"];
    assert_eq!(protocol["name"], "top-n");
    assert_eq!(protocol["ranking"], "full");
    assert_eq!(protocol["k"], serde_json::json!([5, 20]));
    assert_eq!((&protocol["seeds"], &protocol["threads"]), (&1.into(), &1.into()));
    let file = &protocol["files"][1]["file"];
    let hash = blake3::hash(&fs::read(&test).unwrap()).to_hex().to_string();
    assert_eq!((&file["blake3"], &file["rows"]), (&Value::from(hash), &20.into()));
    let counts = &protocol["counts"];
    assert_eq!((&counts["users_trained"], &counts["items"]), (&20.into(), &20.into()));
    assert_eq!(counts["interactions_tested"], 20);
    let svd = &answer["results"][1];
    assert_eq!(svd["parameters"]["n_factors"], 2);
    for metric in ["recall@5", "recall_min@20", "ndcg@20", "gini@5", "novelty@5", "auc"] {
        assert!(svd["metrics"][metric].is_f64(), "{metric}");
    }
    assert!(svd["standard_errors"]["ndcg@20"].is_f64());
    assert!(svd["standard_errors"].get("gini@5").is_none(), "it is no mean over users");
    for number in ["fit_seconds", "predict_seconds", "peak_bytes", "model_bytes"] {
        assert!(svd[number].as_f64().unwrap() > 0.0, "{number}");
    }
    assert_eq!(answer["comparisons"][0]["than"], "popularity");
}

#[test]
fn the_same_seed_gives_the_same_numbers_at_any_thread_count_and_seeds_are_averaged() {
    let folder = Folder::new();
    let data = folder.file("events.csv", events());
    let results = |more: &[&str]| {
        let arguments = ["top-n", "--data", &data, "--model", "svd", "--holdout-share", "0.3"];
        let few = ["--set", "svd.n_factors=3", "--set", "svd.subspace_ratio=1"];
        let report = run(&[&arguments[..], &few[..], more].concat()).unwrap();
        report.results.iter().map(|result| result.metrics.clone()).collect::<Vec<_>>()
    };
    let one = results(&["--threads", "1"]);
    assert_eq!(one, results(&["--threads", "3"]));
    let another = results(&["--set", "svd.seed=8"]);
    assert_ne!(one[1], another[1]);
    let both = results(&["--seeds", "2"]);
    assert_eq!(both[0], one[0], "popularity has no seed");
    for ((name, mean, error), (a, b)) in both[1].iter().zip(one[1].iter().zip(&another[1])) {
        let (expected, half) = (f64::midpoint(a.1, b.1), (a.1 - b.1).abs() / 2.0);
        assert!((mean - expected).abs() < 1e-12, "{name}");
        // Of two values the standard error of the mean is half their distance.
        assert!((error.unwrap() - half).abs() < 1e-12, "{name}");
    }
    assert_ne!(one, results(&["--split-seed", "1"]));
}

#[test]
fn events_are_split_as_told() {
    let folder = Folder::new();
    let data = folder.file("events.csv", events());
    let protocol = |split: &[&str]| {
        let arguments = [&["top-n", "--data", &data, "--model", "popularity"], split].concat();
        json(&run(&arguments).unwrap())["protocol"].take()
    };
    let last_out = protocol(&["--leave-last-out"]);
    assert_eq!(
        (&last_out["split"]["kind"], &last_out["split"]["by"]),
        (&"leave last out".into(), &"time".into())
    );
    assert_eq!(last_out["counts"]["interactions_tested"], 60);
    let by_time = protocol(&["--by-time", "0.25"]);
    assert_eq!(by_time["split"]["kind"], "by time");
    assert_eq!(by_time["counts"]["interactions_trained"], 450);
    assert_eq!(by_time["counts"]["interactions_tested"], 150);
    let users = protocol(&["--holdout-users", "0.25"]);
    assert_eq!(users["split"]["kind"], "whole users");
    assert_eq!(users["counts"]["users_trained"], 45);
    assert_eq!(users["counts"]["users_tested"], 15);
    assert_eq!(users["counts"]["users_tested_without_history"], 0);
    assert_eq!(users["counts"]["interactions_tested"], 30, "two of ten each");
    let share = protocol(&["--holdout-share", "0.3"]);
    assert_eq!(share["counts"]["interactions_tested"], 180);
}

#[test]
fn sampled_rankings_are_labelled_and_conservative_ties_count_against_the_model() {
    let folder = Folder::new();
    let (train, test) = folder.checkerboard();
    let base = ["top-n", "--train", &train, "--test", &test, "--model", "popularity", "--k", "5"];
    let recall = |more: &[&str]| {
        let report = run(&[&base[..], more].concat()).unwrap();
        (report.results[0].metric("recall@5").unwrap(), report)
    };
    let (full, report) = recall(&[]);
    assert!(!report.to_string().contains("sampled"));
    let (sampled, report) = recall(&["--sampled", "3"]);
    assert!(full < sampled && (sampled - 1.0).abs() < 1e-12, "four compete for five places");
    assert_eq!(json(&report)["protocol"]["ranking"], "sampled");
    assert_eq!(json(&report)["protocol"]["sampled"]["negatives"], 3);
    assert!(report.to_string().starts_with("first 5, sampled candidates\n"));
    let (conservative, report) = recall(&["--conservative"]);
    assert!(conservative < full, "everything is equally popular here");
    assert!(json(&report)["protocol"]["ties"].as_str().unwrap().starts_with("conservative"));
}

#[test]
fn the_next_item_of_a_sequence_is_asked_for_with_everything_before_it() {
    let folder = Folder::new();
    // Two kinds of users, each with nine items of their own, taken in turn.
    let line = |user: u32| {
        let item = |at: u32| 9 * (user % 2) + (user / 2 + at) % 9;
        let items: Vec<String> = (0..6).map(|at| format!(" {}", item(at))).collect();
        let items = items.concat();
        format!("u{user}{items}\n")
    };
    let data = folder.file("sequences", (0..18).map(line).collect::<String>());
    let answer = |more: &[&str]| {
        let arguments = ["sequential", "--data", &data, "--model", "item_knn", "--k", "1"];
        json(&run(&[&arguments[..], more].concat()).unwrap())
    };
    let (strict, refit) = (answer(&[]), answer(&["--refit"]));
    assert_eq!(strict["protocol"]["split"]["refit"], false);
    assert_eq!(strict["protocol"]["counts"]["interactions_trained"], 4 * 18);
    assert_eq!(refit["protocol"]["counts"]["interactions_trained"], 5 * 18);
    assert_eq!(refit["protocol"]["counts"]["users_tested"], 18);
    let recall = |answer: &Value, at: usize| answer["results"][at]["metrics"]["recall@1"].as_f64();
    assert!(recall(&strict, 1) > recall(&strict, 0), "neighbours beat popularity");
}

/// Shoppers who go round one of three circles of six items, each session a few steps from anywhere, later ones
/// later.
fn rounds(sessions: std::ops::Range<u32>) -> String {
    let mut rows = "SessionId\tItemId\tTime\n".to_owned();
    for session in sessions {
        let (circle, from, n) = (session % 3, session / 3 % 6, 3 + session % 2);
        for step in 0..n {
            let item = 6 * circle + (from + step) % 6;
            writeln!(rows, "{session}\ti{item}\t{}.5", 100 * session + step).unwrap();
        }
    }
    rows
}

#[test]
fn the_next_item_of_a_running_session_is_found_step_by_step() {
    let folder = Folder::new();
    let train = zstd::encode_all(rounds(0..180).as_bytes(), 1).unwrap();
    let (train, test) = (folder.file("train.zst", train), folder.file("test", rounds(180..240)));
    let arguments = ["session", "--train", &train, "--test", &test, "--k", "1,5"];
    // Nobody goes back.
    let onwards = ["before_weight=0.5", "repeat_weight=0", "vmis_knn.last_item_weight=0"];
    let onwards = onwards.map(|change| ["--set", change]).concat();
    let report = run(&[&arguments[..], &onwards[..]].concat()).unwrap();
    let answer = json(&report);
    let names: Vec<&str> = report.results.iter().map(|result| result.model).collect();
    assert_eq!(names, ["popularity", "vmis_knn_published", "vmis_knn"]);
    let counts = &answer["protocol"]["counts"];
    assert_eq!(counts["sessions_trained"], 180);
    // Half of the sessions have two steps, half three.
    assert_eq!((&counts["cases"], &counts["items"]), (&150.into(), &18.into()));
    assert_eq!(answer["protocol"]["files"][1]["role"], "test");
    let vmis = &report.results[2];
    assert!(vmis.metric("mrr@1").unwrap() > 0.99, "each item is followed by one other");
    assert!(report.results[0].metric("mrr@5").unwrap() < 0.5);
    assert!(answer["results"][2]["parameters"]["before_weight"] == 0.5);
    for name in
        ["hit_rate@5", "ndcg@5", "recall@5", "precision@5", "coverage@5", "p99_microseconds"]
    {
        assert!(vmis.metric(name).is_some_and(|value| value > 0.0), "{name}");
    }
    assert_eq!(answer["results"][2]["standard_errors_over"], "sessions");
    let table = report.to_string();
    assert!(table.contains("vmis_knn against the others, mrr@5 session by session"), "{table}");
}

#[test]
fn sessions_on_lines_are_asked_for_their_label_with_parameters_chosen_before() {
    let folder = Folder::new();
    let line = |at: u32| {
        let items: Vec<_> = (0..4).map(|step| format!("i{}", (at * 5 + step) % 12)).collect();
        items.join(" ") + "\n"
    };
    let train = folder.file("train", (0..60).map(line).collect::<String>());
    let labelled = |at: u32| {
        let item = |step| format!("i{}", (at * 5 + step) % 12);
        format!("{} {}\t{}\n{}\t{}\n", item(0), item(1), item(2), item(0), item(1))
    };
    let test = folder.file("test", (60..70).map(labelled).collect::<String>());
    let base = ["session", "--train", &train, "--test", &test, "--k", "3", "--search"];
    let bad_start = ["--set", "position_decay={linear = {span = 1}}", "--set", "before_weight=1"];
    let answer = json(&run(&[&base[..], &bad_start[..]].concat()).unwrap());
    let search = &answer["protocol"]["search"];
    assert_eq!(search["held_out"], "the last tenth of the training sessions, by time");
    // Six sessions of three steps.
    assert_eq!((&search["cases"], &search["metric"]), (&18.into(), &"ndcg@3".into()));
    assert!(search["best"].as_f64() >= search["at_start"].as_f64());
    assert!(search["trials"].as_u64().unwrap() > 10);
    assert_eq!(answer["protocol"]["counts"]["cases"], 20);
    let comparison = &answer["comparisons"][0];
    assert_eq!(comparison["metric"], "mrr@3");
    let given = json(&run(&[&base[..], &["--valid", &test]].concat()).unwrap());
    assert_eq!(given["protocol"]["search"]["held_out"], "a file of its own");
    let roles: Vec<_> = (0..3).map(|at| given["protocol"]["files"][at]["role"].clone()).collect();
    assert_eq!(roles, ["train", "valid", "test"]);
    assert_eq!(given["results"][2]["model"], "vmis_knn");
    assert!(given["results"][2]["metrics"]["hit_rate@3"].as_f64().unwrap() > 0.9);
}

#[test]
fn categories_tell_how_varied_and_how_well_mixed_lists_are() {
    let folder = Folder::new();
    let (train, test) = folder.checkerboard();
    // Two categories that are the two halves of the checkerboard, and one item nobody has.
    let line = |item: u32| format!("i{item},{}\n", ["even", "odd"][item as usize % 2]);
    let categories: String = (0..20).map(line).chain(["i99,odd\n".into()]).collect();
    let categories = folder.file("categories", categories);
    let arguments = ["top-n", "--train", &train, "--test", &test, "--model", "item_knn"];
    let more = ["--k", "1,4", "--categories", &categories];
    let answer = json(&run(&[&arguments[..], &more[..]].concat()).unwrap());
    assert_eq!(answer["protocol"]["categories"]["lines_of_unknown_items"], 1);
    let metric = |name: &str| answer["results"][1]["metrics"][name].as_f64();
    // The first item is of the user's own half, the others can only be of the other one.
    assert!(metric("calibration@1").unwrap() < 1e-6, "two mixtures in f32 that are the same");
    let expected = (1.0 / (0.99 * 0.25 + 0.01_f64)).ln();
    assert!((metric("calibration@4").unwrap() - expected).abs() < 1e-6);
    // Of six pairs, three are across the halves.
    assert!((metric("diversity@4").unwrap() - 0.5).abs() < 1e-6);
    assert_eq!(metric("diversity@1"), None, "one item has no pairs");
    let without = json(&run(&arguments).unwrap());
    assert!(without["results"][1]["metrics"].get("calibration@10").is_none());
}

#[test]
fn a_picture_shows_every_model() {
    let folder = Folder::new();
    let (train, test) = folder.checkerboard();
    let picture = folder.path("picture.svg");
    let arguments = ["top-n", "--train", &train, "--test", &test, "--model", "item_knn"];
    run(&[&arguments[..], &["--svg", picture.to_str().unwrap()]].concat()).unwrap();
    let svg = fs::read_to_string(&picture).unwrap();
    assert!(svg.starts_with("<svg"));
    for text in ["popularity", "item_knn", "ndcg@20 (more is better)"] {
        assert!(svg.contains(text), "{text}");
    }
}

#[test]
fn what_cannot_be_measured_is_refused_with_what_to_change() {
    let folder = Folder::new();
    let (train, test) = folder.checkerboard();
    let bad = folder.file("bad", "1 2 3\n1 3 good\n");
    let timeless = folder.file("timeless", "a x\na y\nb x\n");
    let same_time = folder.file("same", "user,item,time\na,x,5\nb,y,5\n");
    let empty = folder.file("empty", "\n");
    let nowhere = folder.path("nowhere");
    let nowhere = nowhere.to_str().unwrap();
    let lists = ["top-n", "--train", &train, "--test", &test];
    let refusals: &[(&[&str], &str)] = &[
        (
            &["top-n", "--data", &bad, "--leave-last-out"],
            "bad, line 2: the weight `good` is not a number",
        ),
        (&["top-n", "--data", &timeless, "--by-time", "0.5"], "--by-time needs a column `time`"),
        (&["top-n", "--data", &same_time, "--by-time", "0.5"], "no row is later"),
        (&["top-n", "--data", &timeless, "--by-time", "2"], "between 0 and 1"),
        (&["top-n", "--data", &timeless], "required"),
        (&["top-n", "--train", &train, "--test", &train], "nothing to be found"),
        (&["top-n", "--train", &train, "--test", &empty], "empty: there is nothing in the file"),
        (&["top-n", "--train", nowhere, "--test", &test], "cannot open"),
        (&[&lists[..], &["--k", "0"]].concat(), "between 1 and 1000"),
        (&[&lists[..], &["--model", "oracle"]].concat(), "possible values: popularity, "),
        (
            &[&lists[..], &["--set", "svd.n_factor=3"]].concat(),
            "unknown field `n_factor`, expected one of `n_factors`",
        ),
        (
            &[&lists[..], &["--set", "svd.n_factors=0"]].concat(),
            "n_factors must be between 1 and 2048, not 0",
        ),
        (
            &[&lists[..], &["--model", "item_knn", "--set", "svd.n_factors=3"]].concat(),
            "`svd` is not among the models to be measured: popularity, item_knn",
        ),
        (&["session", "--train", &bad, "--test", &timeless, "--set", "m=0"], "m must be between"),
        (&["session", "--train", &bad, "--test", &test, "--set", "svd.x=1"], "unknown field `svd`"),
        (&["session", "--train", &bad, "--test", &test, "--valid", &test], "--search"),
        (
            &["session", "--train", &same_time, "--test", &empty],
            "empty: there is nothing in the file",
        ),
        (
            &[&lists[..], &["--svg", "/nowhere/at/all.svg"]].concat(),
            "cannot write /nowhere/at/all.svg",
        ),
    ];
    for (arguments, expected) in refusals {
        let said = run(arguments).unwrap_err();
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    assert!(!Path::new(nowhere).exists());
}
