//! What to show: a list for every user, measured against what the user went on to want.

use super::{
    TopNArguments,
    cases::{PartRow, task},
    files::{People, Row, Rows, Third, read_lists, read_rows},
    ranked::measure_ranked,
    report::Report,
};
use crate::learn::evaluation::splits::{
    Part, by_time, leave_last_out, per_user_share, whole_users,
};
use anyhow::{Context, ensure};
use serde_json::{Value, json};
use std::path::Path;

/// Share of the rows of a held-out user that models are asked with (Liang et al., WWW 2018).
const FOLD_IN_SHARE: f64 = 0.8;

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
