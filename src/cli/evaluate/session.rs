//! What comes next in a running session, from sessions of others before it.

use super::{
    Common,
    contender::{Contender, Measured, Run, measure_all, timed},
    files::Ids,
    parameters::Parameters,
    parse_cut_off,
    report::{Headline, Report, Spread},
    session_file::{Form, SessionFile, read_sessions},
    tables::Table,
    text_file::FileFacts,
};
use crate::learn::{
    evaluation::{Latency, NextItemCase, NextItemMetric, measure_latency, measure_next_items},
    recommenders::NEVER_STOP,
    sessions::{Choice, IndexLimits, Scratch, SessionIndex, SessionParams, VmisKnn, choose, fit},
};
use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{cmp::Reverse, path::PathBuf, sync::Arc, time::Duration};

/// Columns of the table for one cut-off.
const COLUMNS: [(&str, &str); 6] = [
    ("mrr", "MRR"),
    ("hit_rate", "hit rate"),
    ("ndcg", "NDCG"),
    ("precision", "precision"),
    ("recall", "recall"),
    ("coverage", "coverage"),
];

/// Columns about single calls.
const LATENCY_COLUMNS: [(&str, &str); 3] = [
    ("p50_microseconds", "p50 µs"),
    ("p90_microseconds", "p90 µs"),
    ("p99_microseconds", "p99 µs"),
];

/// Share of the training sessions, the latest, that parameters are chosen on if no file is given for it.
const VALID_SHARE: f64 = 0.1;

/// Most sessions that parameters are chosen on, evenly taken from all there are: some ten thousand cases tell
/// differences of half a percent apart.
const VALID_SESSIONS_MAX: usize = 10_000;

/// Most calls that are timed one by one.
const TIMED_CALLS_MAX: usize = 20_000;

/// Files of sessions: events under a header `SessionId ItemId Time`, or a session on each line, the oldest
/// first. Plain, .zst or .gz.
#[derive(Clone, Debug, clap::Args)]
pub struct SessionArguments {
    /// Sessions to learn from.
    #[arg(long, value_name = "FILE")]
    train: PathBuf,
    /// Sessions that are revealed item by item, or lines `item item … TAB next`.
    #[arg(long, value_name = "FILE")]
    test: PathBuf,
    /// Sessions to choose parameters on, in the form of either; otherwise the last tenth of what is learned from.
    #[arg(long, value_name = "FILE", requires = "search")]
    valid: Option<PathBuf>,
    /// Cut-offs.
    #[arg(long, value_delimiter = ',', default_value = "10,20", value_parser = parse_cut_off)]
    k: Vec<usize>,
    /// First search for the best parameters; what is to be found is read once, at the end.
    #[arg(long)]
    search: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// What `--set` changes.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    vmis_knn: SessionParams,
    index: IndexLimits,
}

/// The tables of [`Settings`].
const TABLES: [&str; 2] = ["vmis_knn", "index"];

/// What is learned from.
struct Training {
    sessions: Vec<Vec<u32>>,
    times: Vec<i64>,
    n_items: usize,
}

impl Training {
    fn index(&self, limits: &IndexLimits) -> anyhow::Result<Arc<SessionIndex>> {
        let sessions = self.sessions.iter().map(Vec::as_slice).zip(self.times.iter().copied());
        let index = SessionIndex::new(self.n_items, sessions, limits);
        Ok(Arc::new(index.context("cannot index the sessions")?))
    }

    /// Events of each item.
    fn popularity(&self) -> Vec<u32> {
        let mut counts = vec![0; self.n_items];
        self.sessions.iter().flatten().for_each(|&item| counts[item as usize] += 1);
        counts
    }

    /// The sessions without the latest, and those.
    fn split(&self) -> (Self, Vec<Vec<u32>>) {
        let mut order: Vec<usize> = (0..self.sessions.len()).collect();
        order.sort_by_key(|&at| self.times[at]);
        let n_valid = (VALID_SHARE * order.len() as f64).ceil() as usize;
        let (earlier, latest) = order.split_at(order.len() - n_valid);
        let sessions = |of: &[usize]| of.iter().map(|&at| self.sessions[at].clone()).collect();
        let times = earlier.iter().map(|&at| self.times[at]).collect();
        (Self { sessions: sessions(earlier), times, n_items: self.n_items }, sessions(latest))
    }
}

/// A fitted model.
trait NextItems: Sync {
    /// Fills an empty list with the `n` best items, best first.
    fn recommend(&self, known: &[u32], n: usize, scratch: &mut Scratch, list: &mut Vec<u32>);
    fn n_bytes(&self) -> usize;
}

impl NextItems for VmisKnn {
    fn recommend(&self, known: &[u32], n: usize, scratch: &mut Scratch, list: &mut Vec<u32>) {
        list.extend(self.recommend(known, n, scratch).iter().map(|scored| scored.0));
    }

    fn n_bytes(&self) -> usize {
        self.n_bytes()
    }
}

/// The items with most events, whatever the session.
struct MostPopular(Vec<u32>);

impl NextItems for MostPopular {
    fn recommend(&self, _: &[u32], n: usize, _: &mut Scratch, list: &mut Vec<u32>) {
        list.extend(self.0.iter().take(n));
    }

    fn n_bytes(&self) -> usize {
        size_of::<u32>() * self.0.capacity()
    }
}

/// Measures lists for the next item of sessions.
pub(super) fn evaluate_session(
    arguments: &SessionArguments,
    progress: bool,
) -> anyhow::Result<Report> {
    let common = &arguments.common;
    let changes: Vec<String> = common.changes.iter().map(|change| with_table(change)).collect();
    let parameters = Parameters::new(&Settings::default(), &changes, &TABLES)?;
    let mut settings = parameters.of_run("", 0)?;
    settings.vmis_knn.check()?;
    settings.index.check()?;
    let mut ks = arguments.k.clone();
    ks.sort_unstable();
    ks.dedup();
    let longest = ks.last().copied().unwrap_or_default();

    let mut items = Ids::default();
    let SessionFile { sessions, times, facts, .. } =
        read_sessions(&arguments.train, &mut items, false)?;
    // What appears later is in no session that is learned from, and can never be found.
    let training = Training { sessions, times, n_items: items.len() };
    let mut files = vec![("train", facts)];
    let mut protocol = json!({ "name": "session" });
    if arguments.search {
        let (choice, described) =
            search(arguments, &training, &settings, (longest, &mut items), &mut files)?;
        settings.vmis_knn = choice.params;
        protocol["search"] = described;
    }
    let test = read_sessions(&arguments.test, &mut items, true)?;
    let cases = cases(&test.sessions, test.form);
    ensure!(!cases.is_empty(), "no session to be found has a second item");
    files.push(("test", test.facts));

    let popularity = training.popularity();
    let contenders = contenders(&settings)?;
    let measure = |contender: &Contender<'_, Training, dyn NextItems>, _| {
        measure_run(contender, (&training, &popularity), &cases, &ks)
    };
    let results = measure_all(&contenders, progress, measure)?;

    protocol["cases"] = json!(match test.form {
        Form::Sessions => "every session before each of its items but the first",
        Form::Labelled => "every line, prefixes in a row being one session",
    });
    protocol["files"] =
        files.iter().map(|(role, facts)| json!({ "role": role, "file": facts })).collect();
    let n_unknown =
        cases.iter().filter(|case| case.to_come[0] as usize >= training.n_items).count();
    protocol["counts"] = json!({
        "sessions_trained": training.sessions.len(),
        "events_trained": training.sessions.iter().map(Vec::len).sum::<usize>(),
        "items": training.n_items,
        "cases": cases.len(),
        "cases_with_unknown_next_item": n_unknown,
    });
    protocol["k"] = json!(ks);
    protocol["ranking"] = json!("full, items of the session too");
    protocol["ties"] = json!("the item that appears first in the files");
    protocol["predict_seconds"] = json!("lists of all cases and what is measured of them");
    protocol["microseconds"] =
        json!(format!("one call for {longest} items, on one thread, one call after the other"));
    common.describe(&mut protocol);
    let headline = Headline { metric: format!("mrr@{longest}"), is_higher_better: true };
    let compared_by = headline.metric.clone();
    let table = |k: &usize| {
        let columns = COLUMNS.iter().map(|&(name, head)| (format!("{name}@{k}"), head));
        let calls = LATENCY_COLUMNS.iter().map(|&(name, head)| (name.to_owned(), head));
        let calls = calls.take(if *k == longest { LATENCY_COLUMNS.len() } else { 0 });
        Table {
            title: format!("next item among the first {k}"),
            columns: columns.chain(calls).collect(),
        }
    };
    let tables = ks.iter().map(table).collect();
    Ok(Report::new(protocol, results, (headline, &compared_by), tables))
}

/// `KEY=VALUE` is about the one model there is.
fn with_table(change: &str) -> String {
    let named = TABLES.iter().any(|table| change.trim_start().starts_with(&format!("{table}.")));
    if named { change.to_owned() } else { format!("{}.{}", TABLES[0], change.trim_start()) }
}

fn cases(sessions: &[Vec<u32>], form: Form) -> Vec<NextItemCase<'_>> {
    match form {
        Form::Sessions => NextItemCase::every_step(sessions),
        Form::Labelled => NextItemCase::labelled(sessions),
    }
}

/// Chooses parameters without what is to be found; says how, too.
fn search(
    arguments: &SessionArguments,
    training: &Training,
    settings: &Settings,
    (k, items): (usize, &mut Ids),
    files: &mut Vec<(&'static str, FileFacts)>,
) -> anyhow::Result<(Choice, Value)> {
    let (index, sessions, form, held_out) = if let Some(path) = &arguments.valid {
        let file = read_sessions(path, items, true)?;
        files.push(("valid", file.facts));
        (training.index(&settings.index)?, file.sessions, file.form, "a file of its own")
    } else {
        let (earlier, latest) = training.split();
        let index = earlier.index(&settings.index)?;
        (index, latest, Form::Sessions, "the last tenth of the training sessions, by time")
    };
    let cases = thinned(cases(&sessions, form));
    ensure!(!cases.is_empty(), "there is no second item in the sessions to choose parameters on");
    let choice = choose(&index, &cases, k, &settings.vmis_knn, NEVER_STOP)
        .context("cannot search for parameters")?;
    let described = json!({
        "held_out": held_out,
        "cases": cases.len(),
        "metric": format!("ndcg@{k}"),
        "trials": choice.n_trials,
        "at_start": choice.ndcg_at_start,
        "best": choice.ndcg,
    });
    Ok((choice, described))
}

/// The cases of at most [`VALID_SESSIONS_MAX`] sessions, evenly taken.
fn thinned(cases: Vec<NextItemCase<'_>>) -> Vec<NextItemCase<'_>> {
    let n_sessions = cases.last().map_or(0, |case| case.session + 1);
    let step = n_sessions.div_ceil(VALID_SESSIONS_MAX).max(1);
    cases.into_iter().filter(|case| case.session % step == 0).collect()
}

/// Popularity, the algorithm as it was published, and with the settings.
fn contenders(
    settings: &Settings,
) -> anyhow::Result<Vec<Contender<'static, Training, dyn NextItems>>> {
    let Settings { vmis_knn, index } = *settings;
    // The index must list as many sessions as the published algorithm asks for.
    let published = SessionParams::as_published();
    let published = SessionParams { m: published.m.min(index.postings_max), ..published };
    let shown = |params: SessionParams| {
        Parameters::new(&Settings { vmis_knn: params, index }, &[], &TABLES)?.shown(TABLES[0])
    };
    let vmis = |name, params: SessionParams| -> anyhow::Result<_> {
        let fit_model = move |training: &Training, _| {
            let model = fit(training.index(&index)?, &params);
            let model: Box<dyn NextItems> =
                Box::new(model.with_context(|| format!("cannot fit {name}"))?);
            Ok(model)
        };
        Ok(Contender { name, parameters: shown(params)?, n_runs: 1, fit: Box::new(fit_model) })
    };
    let popularity = Contender::<Training, dyn NextItems> {
        name: "popularity",
        parameters: json!({}),
        n_runs: 1,
        fit: Box::new(|training, _| {
            let counts = training.popularity();
            let mut items: Vec<u32> = (0..training.n_items as u32).collect();
            items.sort_by_key(|&item| Reverse(counts[item as usize]));
            Ok(Box::new(MostPopular(items)))
        }),
    };
    Ok(vec![popularity, vmis("vmis_knn_published", published)?, vmis("vmis_knn", vmis_knn)?])
}

fn measure_run(
    contender: &Contender<'_, Training, dyn NextItems>,
    (training, popularity): (&Training, &[u32]),
    cases: &[NextItemCase<'_>],
    ks: &[usize],
) -> anyhow::Result<Run> {
    let (model, fit) = timed(|| (contender.fit)(training, 0));
    let model = model?;
    let recommend = |scratch: &mut Scratch, known: &[u32], n, list: &mut Vec<u32>| {
        model.recommend(known, n, scratch, list);
    };
    let (report, predict) =
        timed(|| measure_next_items(cases, ks, popularity, Scratch::default, recommend));
    let longest = ks.last().copied().unwrap_or_default();
    let (mut scratch, mut list) = (Scratch::default(), Vec::new());
    let timed_cases = &cases[..cases.len().min(TIMED_CALLS_MAX)];
    let latency = measure_latency(timed_cases, |known| {
        list.clear();
        model.recommend(known, longest, &mut scratch, &mut list);
    });
    let mut metrics = report.named();
    metrics.extend(named(&latency));
    let of_users = report.of_sessions(NextItemMetric::Mrr, longest).unwrap_or_default();
    let model_bytes = model.n_bytes();
    Ok(Run { metrics, spread: Spread::Sessions, of_users, fit, predict, model_bytes })
}

fn named(latency: &Latency) -> [Measured; 3] {
    let micros = |call: Duration| call.as_secs_f64() * 1e6;
    let calls = [latency.p50, latency.p90, latency.p99].map(micros);
    std::array::from_fn(|at| (LATENCY_COLUMNS[at].0.to_owned(), calls[at], None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_sessions_are_kept_for_choosing() {
        let sessions = (0..20_u32).map(|at| vec![at, at + 1]).collect();
        let times = (0..20).map(|at| (7 * at) % 20).collect();
        let training = Training { sessions, times, n_items: 21 };
        let (earlier, latest) = training.split();
        // 7 · 14 = 98 and 7 · 17 = 119 leave 18 and 19 of 20.
        assert_eq!(latest, [[14, 15], [17, 18]]);
        assert_eq!((earlier.sessions.len(), earlier.times.iter().max()), (18, Some(&17)));
    }

    #[test]
    fn a_change_without_a_table_is_one_of_the_model() {
        assert_eq!(with_table("m=5"), "vmis_knn.m=5");
        assert_eq!(
            with_table("position_decay.linear.span=4"),
            "vmis_knn.position_decay.linear.span=4"
        );
        assert_eq!(with_table("vmis_knn.m=5"), "vmis_knn.m=5");
        assert_eq!(with_table("index.postings_max=9"), "index.postings_max=9");
    }

    #[test]
    fn the_cases_of_many_sessions_are_thinned_by_whole_sessions() {
        let sessions = vec![vec![1, 2, 3]; 2 * VALID_SESSIONS_MAX + 1];
        let thinned = thinned(NextItemCase::every_step(&sessions));
        assert_eq!(thinned.len(), 2 * (2 * VALID_SESSIONS_MAX + 1).div_ceil(3));
        assert!(thinned.iter().all(|case| case.session % 3 == 0));
        let few = NextItemCase::every_step(&sessions[..5]);
        assert_eq!(super::thinned(few.clone()), few);
    }
}
