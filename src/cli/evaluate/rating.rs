//! What a user would give an item: predicted ratings, measured against given ones.

use super::{
    Common,
    contender::{Contender, Run, contenders, measure_all, timed},
    files::{People, Row, Rows, Third, read_folds, read_rows},
    in_range, named,
    parameters::Parameters,
    report::{Headline, Report, Spread, named_mean},
    tables::Table,
    text_file::FileFacts,
};
use crate::learn::{
    dataset::{ItemIdx, UserIdx},
    evaluation::{
        RatingErrors, rating_errors,
        splits::{fold_numbers, k_folds},
    },
    rating::{
        RatingPredictor, Ratings,
        data::Rating,
        kind::{RatingModelKind, RatingModelParams, fit},
    },
    recommenders::NEVER_STOP,
};
use anyhow::{Context, ensure};
use clap::ArgGroup;
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Value, json};
use std::{path::PathBuf, time::Duration};

/// Ratings that one task predicts.
const BLOCK: usize = 4_096;

/// Columns of the table.
const COLUMNS: [(&str, &str); 3] = [("rmse", "RMSE"), ("mae", "MAE"), ("user_rmse", "user RMSE")];

/// Two files of ratings, or one and its folds. Files may be plain, .zst or .gz.
#[derive(Clone, Debug, clap::Args)]
#[command(group(ArgGroup::new("source").args(["train", "data"]).required(true)))]
#[command(group(ArgGroup::new("split").args(["folds", "n_folds"])))]
pub struct RatingArguments {
    /// Ratings to learn from, rows `user item rating [time]` or with a header that names these columns.
    #[arg(long, value_name = "FILE", requires = "test")]
    train: Option<PathBuf>,
    /// Ratings to predict, in the same form.
    #[arg(long, value_name = "FILE", requires = "train")]
    test: Option<PathBuf>,
    /// All ratings, in the same form.
    #[arg(long, value_name = "FILE", requires = "split")]
    data: Option<PathBuf>,
    /// The fold of each row of the data, a number on each line.
    #[arg(long, value_name = "FILE", requires = "data")]
    folds: Option<PathBuf>,
    /// Share the rows out over so many folds at random.
    #[arg(long, value_name = "N", requires = "data", value_parser = parse_n_folds)]
    n_folds: Option<usize>,
    /// Start of the random numbers of folds.
    #[arg(long, default_value_t = 0)]
    split_seed: u64,
    /// Models to measure; all if none is named.
    #[arg(
        long = "model",
        value_name = "NAME",
        value_parser = named(RatingModelKind::ALL, RatingModelKind::name)
    )]
    models: Vec<RatingModelKind>,
    #[command(flatten)]
    pub(super) common: Common,
}

fn parse_n_folds(text: &str) -> Result<usize, String> {
    in_range(text, 2, 1_000)
}

/// What is learned from and what is predicted.
struct Fold {
    train: Ratings,
    test: Vec<Rating>,
}

/// Measures predictions.
pub(super) fn evaluate_rating(
    arguments: &RatingArguments,
    progress: bool,
) -> anyhow::Result<Report> {
    let common = &arguments.common;
    let kinds = chosen(&arguments.models);
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    let parameters = Parameters::new(&RatingModelParams::default(), &common.changes, &names)?;
    for kind in &kinds {
        parameters.of_run(kind.name(), 0)?.check()?;
    }
    let fit_model = |kind, ratings: &Ratings, params: &RatingModelParams| {
        let fitted: Box<dyn RatingPredictor> = Box::new(fit(kind, ratings, params, NEVER_STOP)?);
        Ok(fitted)
    };
    let contenders =
        contenders(&kinds, RatingModelKind::name, &parameters, common.seeds, fit_model)?;
    let mut people = People::default();
    let (folds, mut protocol) = folds(arguments, &mut people)?;
    for fold in &folds {
        ensure!(!fold.train.all().is_empty(), "there is nothing to learn from");
        ensure!(!fold.test.is_empty(), "there is nothing to predict");
    }
    let n_users = people.users.len();
    let measure = |contender: &Contender<'_, Ratings, dyn RatingPredictor>, run| {
        measure_run(contender, run, &folds, n_users)
    };
    let results = measure_all(&contenders, progress, measure)?;
    describe(&mut protocol, common, &folds, &people);
    let headline = Headline { metric: "rmse".into(), is_higher_better: false };
    let tables = vec![Table {
        title: "errors of predicted ratings".into(),
        columns: COLUMNS.map(|(name, head)| (name.to_owned(), head)).to_vec(),
    }];
    Ok(Report::new(protocol, results, (headline, "RMSE"), tables))
}

/// The models asked for, each once; all if none is.
fn chosen(models: &[RatingModelKind]) -> Vec<RatingModelKind> {
    let asked = if models.is_empty() { RatingModelKind::ALL } else { models };
    let mut chosen: Vec<RatingModelKind> = Vec::new();
    for &kind in asked {
        if !chosen.contains(&kind) {
            chosen.push(kind);
        }
    }
    chosen
}

/// Fits and predicts fold by fold; errors are means over folds, times are sums.
fn measure_run(
    contender: &Contender<'_, Ratings, dyn RatingPredictor>,
    run: u32,
    folds: &[Fold],
    n_users: usize,
) -> anyhow::Result<Run> {
    let mut of_folds = Vec::new();
    let mut all = Vec::new();
    let (mut fit, mut predict) = (Duration::ZERO, Duration::ZERO);
    let mut model_bytes = 0;
    for fold in folds {
        let (model, fit_time) = timed(|| (contender.fit)(&fold.train, run));
        let model = model?;
        let (predicted, predict_time) = timed(|| predictions(&*model, &fold.test));
        let of_fold = fold.test.iter().zip(predicted);
        let of_fold: Vec<_> =
            of_fold.map(|(rating, value)| (rating.user, rating.value, value)).collect();
        of_folds.push(measured(&rating_errors(n_users, of_fold.iter().copied())));
        all.extend(of_fold);
        (fit, predict) = (fit + fit_time, predict + predict_time);
        model_bytes = model_bytes.max(model.n_bytes());
    }
    let of_folds: Vec<&[_]> = of_folds.iter().map(Vec::as_slice).collect();
    let (metrics, spread) = match of_folds[..] {
        [alone] => (alone.to_vec(), Spread::Ratings),
        _ => (named_mean(&of_folds), Spread::Folds),
    };
    let of_users = user_errors(n_users, all);
    Ok(Run { metrics, spread, of_users, fit, predict, model_bytes })
}

/// In parallel, in the order of `test`.
fn predictions(model: &dyn RatingPredictor, test: &[Rating]) -> Vec<f32> {
    let predict = |rating: &Rating| model.predict(rating.user, rating.item);
    test.par_iter().with_min_len(BLOCK).map(predict).collect()
}

fn measured(errors: &RatingErrors) -> Vec<(String, f64, Option<f64>)> {
    vec![
        ("rmse".into(), errors.rmse, Some(errors.rmse_standard_error)),
        ("mae".into(), errors.mae, Some(errors.mae_standard_error)),
        ("user_rmse".into(), errors.user_rmse, Some(errors.user_rmse_standard_error)),
    ]
}

/// The RMSE of every user with a predicted rating, users by position.
fn user_errors(n_users: usize, pairs: Vec<(UserIdx, f32, f32)>) -> Vec<f64> {
    let mut sums = vec![(0.0_f64, 0_u32); n_users];
    for (user, given, predicted) in pairs {
        let (sum, n) = &mut sums[user.0 as usize];
        *sum += (f64::from(given) - f64::from(predicted)).powi(2);
        *n += 1;
    }
    let rated = sums.iter().filter(|user| user.1 > 0);
    rated.map(|(sum, n)| (sum / f64::from(*n)).sqrt()).collect()
}

/// Reads the data and shares it out.
fn folds(arguments: &RatingArguments, people: &mut People) -> anyhow::Result<(Vec<Fold>, Value)> {
    match (&arguments.train, &arguments.test, &arguments.data) {
        (Some(train), Some(test), None) => {
            let train = read_rows(train, Third::Rating, people)?;
            let test = read_rows(test, Third::Rating, people)?;
            let files = [("train", &train.facts), ("test", &test.facts)];
            let (train, test) = (Clean::of(&train.rows), Clean::of(&test.rows));
            let pair = |rating: &Rating| (rating.user.0, rating.item.0);
            let known: FxHashSet<(u32, u32)> = train.ratings().map(|r| pair(&r)).collect();
            let n_known = test.ratings().filter(|rating| known.contains(&pair(rating))).count();
            let fold = fold(people, scale(&[&train, &test]), train.ratings(), test.ratings());
            let split = json!({ "kind": "given files", "tested_pairs_in_training": n_known });
            Ok((vec![fold], protocol(split, &files, &[&train, &test])))
        }
        (None, None, Some(data)) => {
            let Rows { rows, facts } = read_rows(data, Third::Rating, people)?;
            let mut files = vec![("data", &facts)];
            let folds_facts;
            let (of_rows, split) = if let Some(path) = &arguments.folds {
                let (numbers, facts) = read_folds(path)?;
                ensure!(
                    numbers.len() == rows.len(),
                    "{} has {} rows, {} has {} folds; give one fold for each row",
                    data.display(),
                    rows.len(),
                    path.display(),
                    numbers.len()
                );
                folds_facts = facts;
                files.push(("folds", &folds_facts));
                (numbers, json!({ "kind": "given folds" }))
            } else {
                let n_folds = arguments.n_folds.context("give --folds or --n-folds")?;
                let seed = arguments.split_seed;
                let split = json!({ "kind": "k folds", "folds": n_folds, "seed": seed });
                (k_folds(rows.len(), n_folds, seed), split)
            };
            let clean = Clean::of(&rows);
            let scale = scale(&[&clean]);
            let numbers = fold_numbers(&of_rows);
            ensure!(numbers.len() > 1, "{}: one fold leaves nothing to learn from", data.display());
            let part = |number: u32, is_test: bool| {
                let is_in = move |row: usize, of_rows: &[u32]| (of_rows[row] == number) == is_test;
                let (clean, of_rows) = (&clean, &of_rows);
                clean.rows.iter().filter(move |row| is_in(row.0, of_rows)).map(|row| row.1)
            };
            let folds = numbers
                .iter()
                .map(|&number| fold(people, scale, part(number, false), part(number, true)))
                .collect();
            Ok((folds, protocol(split, &files, &[&clean])))
        }
        _ => anyhow::bail!("give --train and --test, or --data with --folds or --n-folds"),
    }
}

/// Ratings without those that cannot be used.
struct Clean {
    /// Number of the row, and the rating.
    rows: Vec<(usize, Rating)>,
    n_not_finite: usize,
    n_repeated: usize,
}

impl Clean {
    /// Of a pair that is rated twice the last rating counts, in its own place; values that are no finite
    /// numbers are left out.
    fn of(rows: &[Row]) -> Self {
        let mut last = FxHashMap::default();
        let finite = || rows.iter().enumerate().filter(|(_, row)| row.value.is_finite());
        for (at, row) in finite() {
            last.insert((row.user, row.item), at);
        }
        let is_last = |&(at, row): &(usize, &Row)| last[&(row.user, row.item)] == at;
        let rating = |row: &Row| Rating {
            user: UserIdx(row.user),
            item: ItemIdx(row.item),
            value: row.value,
        };
        let n_finite = finite().count();
        let kept: Vec<_> = finite().filter(is_last).map(|(at, row)| (at, rating(row))).collect();
        Self { n_not_finite: rows.len() - n_finite, n_repeated: n_finite - kept.len(), rows: kept }
    }

    fn ratings(&self) -> impl Iterator<Item = Rating> + '_ {
        self.rows.iter().map(|row| row.1)
    }
}

/// Least and greatest rating of all files: the scale is known before anything is predicted.
fn scale(files: &[&Clean]) -> (f32, f32) {
    let values = || files.iter().flat_map(|file| file.ratings()).map(|rating| rating.value);
    (values().fold(f32::INFINITY, f32::min), values().fold(f32::NEG_INFINITY, f32::max))
}

fn fold(
    people: &People,
    (low, high): (f32, f32),
    train: impl Iterator<Item = Rating>,
    test: impl Iterator<Item = Rating>,
) -> Fold {
    let (n_users, n_items) = (people.users.len(), people.items.len());
    let train = Ratings::new(n_users, n_items, train).with_scale(low, high);
    Fold { train, test: test.collect() }
}

fn protocol(split: Value, files: &[(&str, &FileFacts)], clean: &[&Clean]) -> Value {
    let files: Vec<Value> =
        files.iter().map(|(role, facts)| json!({ "role": role, "file": facts })).collect();
    let (low, high) = scale(clean);
    json!({
        "name": "rating",
        "split": split,
        "files": files,
        "scale": [low, high],
        "counts": {
            "rows_not_finite": clean.iter().map(|file| file.n_not_finite).sum::<usize>(),
            "repeated_rows": clean.iter().map(|file| file.n_repeated).sum::<usize>(),
        },
    })
}

/// Adds what is the same for every split.
fn describe(protocol: &mut Value, common: &Common, folds: &[Fold], people: &People) {
    let counts = &mut protocol["counts"];
    counts["users"] = json!(people.users.len());
    counts["items"] = json!(people.items.len());
    counts["ratings_trained"] =
        json!(folds.iter().map(|f| f.train.all().len()).collect::<Vec<_>>());
    counts["ratings_tested"] = json!(folds.iter().map(|f| f.test.len()).collect::<Vec<_>>());
    protocol["predictions"] = json!("cut to the scale");
    protocol["seconds"] = json!("sums over folds");
    common.describe(protocol);
}
