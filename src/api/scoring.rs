//! Where lists are made that take their time: beside the threads that answer, as many at once as there are cores.
//!
//! A catalogue of a million items takes tens of milliseconds to look through. Done where requests are answered, that
//! would hold up everything else: prices, ready lists, events.

use super::{deadline::Deadline, error::ApiError};
use crate::telemetry::Metrics;
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// How long a list waits for its turn; then it is answered with what is ready. Bounds the queue.
const PATIENCE: Duration = Duration::from_secs(1);

/// The turns.
pub struct Scoring {
    turns: Arc<Semaphore>,
    patience: Duration,
    metrics: Arc<Metrics>,
}

impl Scoring {
    /// For this machine.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        let n_cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { turns: Arc::new(Semaphore::new(n_cores)), patience: PATIENCE, metrics }
    }

    /// Does work when it is its turn, on a thread that may block; work whose turn does not come in time is told that
    /// there is no time left.
    pub async fn run<T: Send + 'static>(
        &self,
        deadline: Deadline,
        work: impl FnOnce(Deadline) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let patience = deadline.left().unwrap_or(self.patience).min(self.patience);
        self.metrics.scoring_waiting.inc();
        let turn = tokio::time::timeout(patience, self.turns.clone().acquire_owned()).await;
        self.metrics.scoring_waiting.dec();
        let turn = turn.ok().and_then(Result::ok);
        let deadline = if turn.is_none() { Deadline::over() } else { deadline };
        let done = tokio::task::spawn_blocking(move || {
            let done = work(deadline);
            drop(turn);
            done
        });
        done.await.map_err(|error| ApiError::Internal(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_too_long_is_told_that_the_time_is_over() {
        let mut scoring = Scoring::new(Arc::new(Metrics::default()));
        let left = scoring.run(Deadline::default(), Deadline::left).await.unwrap();
        assert_eq!(left, None);
        let n_turns = scoring.turns.available_permits() as u32;
        scoring.patience = Duration::ZERO;
        let all = scoring.turns.clone().acquire_many_owned(n_turns).await.unwrap();
        let left = scoring.run(Deadline::default(), Deadline::left).await.unwrap();
        assert_eq!(left, Some(Duration::ZERO));
        drop(all);
        let left = scoring.run(Deadline::default(), Deadline::left).await.unwrap();
        assert_eq!(left, None);
    }
}
