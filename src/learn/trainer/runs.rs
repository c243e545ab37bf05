//! The latest runs as this process remembers them: a database that is away is no reason to forget why
//! training fails, and a run that had nothing to do is not worth a row.

use crate::domain::{ModelRun, RunOutcome};
use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

/// Runs kept.
const RUNS_MAX: usize = 20;

/// A run, and whether the database has it too.
#[derive(Clone, Debug)]
struct Remembered {
    run: ModelRun,
    is_stored: bool,
}

/// The latest runs of this process, oldest first.
#[derive(Debug, Default)]
pub struct RecentRuns(Mutex<VecDeque<Remembered>>);

impl RecentRuns {
    /// Remembers a run. Of skipped ones that follow each other and are not stored, the last one counts.
    pub fn push(&self, run: ModelRun, is_stored: bool) {
        let is_passing =
            |run: &ModelRun, is_stored: bool| run.outcome == RunOutcome::Skipped && !is_stored;
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let repeats = runs.back().is_some_and(|last| is_passing(&last.run, last.is_stored));
        if repeats && is_passing(&run, is_stored) {
            runs.pop_back();
        }
        runs.push_back(Remembered { run, is_stored });
        if runs.len() > RUNS_MAX {
            runs.pop_front();
        }
    }

    /// The latest runs, newest first, at most `limit`: those that the database has (`None` = it does
    /// not answer), and what only this process knows.
    pub fn joined(&self, stored: Option<Vec<ModelRun>>, limit: usize) -> Vec<ModelRun> {
        let answers = stored.is_some();
        let own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = own.iter().rev().filter(|own| !answers || !own.is_stored);
        let mut runs: Vec<ModelRun> = own.map(|own| own.run.clone()).collect();
        runs.extend(stored.into_iter().flatten());
        // Stable: at equal times what is not stored is told first.
        runs.sort_by_key(|run| std::cmp::Reverse(run.finished_at));
        runs.truncate(limit);
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;
    use serde_json::Value;

    fn run(at: i64, outcome: RunOutcome) -> ModelRun {
        let (started_at, finished_at) = (Timestamp(at), Timestamp(at));
        let reason = format!("at {at}");
        ModelRun { started_at, finished_at, outcome, reason, version: None, report: Value::Null }
    }

    #[test]
    fn what_the_database_has_is_told_once_and_the_rest_beside_it() {
        let runs = RecentRuns::default();
        runs.push(run(1, RunOutcome::Published), true);
        runs.push(run(2, RunOutcome::Failed), false);
        runs.push(run(3, RunOutcome::Skipped), false);
        runs.push(run(4, RunOutcome::Skipped), false);
        let at = |runs: Vec<ModelRun>| -> Vec<i64> {
            runs.iter().map(|run| run.finished_at.0).collect()
        };
        let stored = vec![run(3, RunOutcome::Published), run(1, RunOutcome::Published)];
        assert_eq!(at(runs.joined(Some(stored), 9)), [4, 3, 2, 1]);
        assert_eq!(at(runs.joined(None, 9)), [4, 2, 1]);
        assert_eq!(at(runs.joined(None, 1)), [4]);
        for at in 5..90 {
            runs.push(run(at, RunOutcome::Failed), false);
        }
        assert_eq!(runs.joined(None, 999).len(), RUNS_MAX);
    }
}
