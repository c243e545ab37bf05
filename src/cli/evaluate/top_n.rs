//! What to show: a list for every user, measured against what the user went on to want.

use super::{
    Common, ListArguments,
    cases::{PartRow, task},
    files::{People, Row, Rows, Third, read_lists, read_rows},
    ranked::measure_ranked,
    report::Report,
};
use crate::learn::evaluation::splits::{
    Part, by_time, leave_last_out, per_user_share, whole_users,
};
use anyhow::{Context, ensure};
use clap::ArgGroup;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Share of the rows of a held-out user that models are asked with (Liang et al., WWW 2018).
const FOLD_IN_SHARE: f64 = 0.8;

/// Two files of lists, or one of events and how to split it. Files may be plain, .zst or .gz.
#[derive(Clone, Debug, clap::Args)]
#[command(group(ArgGroup::new("source").args(["train", "data"]).required(true)))]
#[command(group(ArgGroup::new("split").args(["leave_last_out", "by_time", "holdout_users", "holdout_share"])))]
pub struct TopNArguments {
    /// What is learned from, lines `user item item …`.
    #[arg(long, value_name = "FILE", requires = "test")]
    train: Option<PathBuf>,
    /// What is to be found, lines `user item item …`.
    #[arg(long, value_name = "FILE", requires = "train")]
    test: Option<PathBuf>,
    /// Events, rows `user item [weight [time]]` or with a header that names these columns.
    #[arg(long, value_name = "FILE", requires = "split")]
    data: Option<PathBuf>,
    /// Hold out the last row of every user.
    #[arg(long, requires = "data")]
    leave_last_out: bool,
    /// Hold out the last SHARE of all rows.
    #[arg(long, value_name = "SHARE", requires = "data", value_parser = parse_share)]
    by_time: Option<f64>,
    /// Hold out a random SHARE of the users; ask with 80 % of their rows.
    #[arg(long, value_name = "SHARE", requires = "data", value_parser = parse_share)]
    holdout_users: Option<f64>,
    /// Hold out a random SHARE of every user's rows.
    #[arg(long, value_name = "SHARE", requires = "data", value_parser = parse_share)]
    holdout_share: Option<f64>,
    /// Start of the random numbers of a split.
    #[arg(long, default_value_t = 0)]
    split_seed: u64,
    #[command(flatten)]
    pub(super) lists: ListArguments,
    #[command(flatten)]
    pub(super) common: Common,
}

fn parse_share(text: &str) -> Result<f64, String> {
    let share: Option<f64> = text.parse().ok();
    let share = share.filter(|&share| 0.0 < share && share < 1.0);
    share.ok_or_else(|| "must be a number between 0 and 1, like 0.2".into())
}

/// Measures lists.
pub(super) fn evaluate_top_n(arguments: &TopNArguments, progress: bool) -> anyhow::Result<Report> {
    let mut people = People::default();
    let (rows, protocol) = match (&arguments.train, &arguments.test, &arguments.data) {
        (Some(train), Some(test), None) => given_files(train, test, &mut people)?,
        (None, None, Some(data)) => split_rows(data, arguments, &mut people)?,
        _ => anyhow::bail!("give --train and --test, or --data and how to split it"),
    };
    let task = task(people.users.len(), people.items.len(), rows);
    let how = (&arguments.lists, &arguments.common);
    measure_ranked(&task, &people, how, protocol, progress)
}

/// Two files of lists, as published.
fn given_files(
    train: &Path,
    test: &Path,
    people: &mut People,
) -> anyhow::Result<(Vec<PartRow>, Value)> {
    let mut rows = Vec::new();
    let mut files = Vec::new();
    for (path, part, role) in [(train, Part::Train, "train"), (test, Part::Test, "test")] {
        let lists = read_lists(path, people)?;
        for (user, items) in &lists.rows {
            rows.extend(items.iter().map(|&item| (*user, item, 1.0, part)));
        }
        files.push(json!({ "role": role, "file": lists.facts }));
    }
    Ok((rows, json!({ "name": "top-n", "split": { "kind": "given files" }, "files": files })))
}

/// One file of events, split here.
fn split_rows(
    data: &Path,
    arguments: &TopNArguments,
    people: &mut People,
) -> anyhow::Result<(Vec<PartRow>, Value)> {
    let Rows { rows, facts } = read_rows(data, Third::Weight, people)?;
    let (parts, split) = split(&rows, arguments).with_context(|| data.display().to_string())?;
    let row = |(row, part): (&Row, Part)| (row.user, row.item, row.value, part);
    let rows = rows.iter().zip(parts).map(row).collect();
    let files = json!([{ "role": "data", "file": facts }]);
    Ok((rows, json!({ "name": "top-n", "split": split, "files": files })))
}

/// What each row is for, and how that was decided.
fn split(rows: &[Row], arguments: &TopNArguments) -> anyhow::Result<(Vec<Part>, Value)> {
    let users: Vec<u32> = rows.iter().map(|row| row.user).collect();
    let times: Vec<i64> = rows.iter().filter_map(|row| row.time).collect();
    ensure!(
        times.is_empty() || times.len() == rows.len(),
        "only {} of {} rows have a time; give all of them one, or none",
        times.len(),
        rows.len()
    );
    let part = |is_held_out| if is_held_out { Part::Test } else { Part::Train };
    let parts = |held_out: Vec<bool>| held_out.into_iter().map(part).collect::<Vec<_>>();
    let seed = arguments.split_seed;
    if arguments.leave_last_out {
        let order = (!times.is_empty()).then_some(&times[..]);
        let by = if times.is_empty() { "order of rows" } else { "time" };
        let held_out = leave_last_out(&users, order, 1);
        return Ok((parts(held_out), json!({ "kind": "leave last out", "by": by })));
    }
    if let Some(share) = arguments.by_time {
        ensure!(!times.is_empty(), "--by-time needs a column `time`");
        let held_out = by_time(&times, share);
        ensure!(held_out.contains(&true), "no row is later than those learned from");
        return Ok((parts(held_out), json!({ "kind": "by time", "share": share })));
    }
    if let Some(share) = arguments.holdout_users {
        let split = json!({ "kind": "whole users", "share": share, "fold_in": FOLD_IN_SHARE, "seed": seed });
        return Ok((whole_users(&users, share, FOLD_IN_SHARE, seed), split));
    }
    let share = arguments.holdout_share.context("say how to split --data")?;
    let split = json!({ "kind": "share of every user", "share": share, "seed": seed });
    Ok((parts(per_user_share(&users, share, seed)), split))
}
