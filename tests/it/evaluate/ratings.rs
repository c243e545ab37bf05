//! Predicted ratings on small made-up files.

use super::{Folder, json, run};
use serde_json::Value;
use std::fmt::Write;

impl Folder {
    /// Ratings from 1 to 5: some users give more than others, some items get more.
    fn ratings(&self) -> (String, String) {
        let (mut ratings, mut folds) = (String::new(), String::new());
        for at in 0..30 * 20_u32 {
            let (user, item) = (at / 20, at % 20);
            let value = 1 + (user % 3) + (item % 3);
            writeln!(ratings, "{user}::{item}::{value}::{at}").unwrap();
            writeln!(folds, "{}", (user + 7 * item) % 5).unwrap();
        }
        (self.file("ratings", ratings), self.file("folds", folds))
    }
}

#[test]
fn ratings_are_predicted_fold_by_fold() {
    let folder = Folder::new();
    let (ratings, folds) = folder.ratings();
    let report = run(&["rating", "--data", &ratings, "--folds", &folds, "--threads", "1"]).unwrap();
    let answer = json(&report);
    assert_eq!(answer["protocol"]["split"]["kind"], "given folds");
    assert_eq!(answer["protocol"]["counts"]["ratings_tested"], Value::from(vec![120; 5]));
    assert_eq!(answer["protocol"]["scale"], serde_json::json!([1.0, 5.0]));
    let best = report.results.iter().filter_map(|result| result.metric("rmse"));
    let best = best.fold(f64::INFINITY, f64::min);
    // The deviation of the ratings is 1.15; users and items together explain all of it.
    assert!(best < 0.7, "{best}");
    for result in &report.results {
        let [rmse, mae] = ["rmse", "mae"].map(|name| result.metric(name).unwrap());
        assert!(mae <= rmse && rmse < 1.5, "{}: {rmse}", result.model);
    }
    assert!(report.to_string().contains("standard errors are over folds"));
    let model = report.results[0].model;
    let random = ["rating", "--data", &ratings, "--n-folds", "3", "--model", model];
    let random = json(&run(&random).unwrap());
    assert_eq!(random["protocol"]["counts"]["ratings_tested"], Value::from(vec![200; 3]));
    let given = ["rating", "--train", &ratings, "--test", &ratings, "--model", model];
    let given = json(&run(&given).unwrap());
    assert_eq!(given["protocol"]["split"]["tested_pairs_in_training"], 600);
    assert_eq!(given["results"][0]["standard_errors_over"], "ratings");
}

#[test]
fn ratings_that_cannot_be_used_are_counted() {
    let folder = Folder::new();
    let data = folder
        .file("ratings.csv", "user,item,rating\na,x,1\na,x,5\nb,x,nan\nb,y,2\nc,y,3\nc,x,4\n");
    let answer = json(&run(&["rating", "--data", &data, "--n-folds", "2"]).unwrap());
    let counts = &answer["protocol"]["counts"];
    assert_eq!((&counts["rows_not_finite"], &counts["repeated_rows"]), (&1.into(), &1.into()));
    assert_eq!(answer["protocol"]["scale"], serde_json::json!([2.0, 5.0]));
}

#[test]
fn ratings_that_cannot_be_measured_are_refused_with_what_to_change() {
    let folder = Folder::new();
    let (ratings, folds) = folder.ratings();
    let bad = folder.file("bad", "1 2 3\n1 3 good\n");
    let short = folder.file("short", "0\n1\n");
    let refusals: &[(&[&str], &str)] = &[
        (
            &["rating", "--data", &bad, "--n-folds", "2"],
            "bad, line 2: the rating `good` is not a number",
        ),
        (&["rating", "--data", &ratings, "--folds", &short], "give one fold for each row"),
        (
            &["rating", "--data", &ratings, "--folds", &bad],
            "bad, line 1: `1 2 3` is not the number",
        ),
        (&["rating", "--data", &ratings], "the following required arguments"),
        (&["rating", "--train", &ratings], "--test"),
        (
            &["rating", "--data", &ratings, "--folds", &folds, "--n-folds", "2"],
            "cannot be used with",
        ),
        (
            &["rating", "--data", &ratings, "--folds", &folds, "--model", "oracle"],
            "possible values: ",
        ),
    ];
    for (arguments, expected) in refusals {
        let said = run(arguments).unwrap_err();
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}
