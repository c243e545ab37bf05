//! Starting and ending together: signals, one stop token, one tracker of tasks.

use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Owns every background task: one token tells them to stop, one tracker waits until they have.
#[derive(Default)]
pub struct Lifecycle {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Lifecycle {
    /// The token that is cancelled when the service shall end.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Runs a task. One that ends on its own, or panics, stops the whole service: half a service is
    /// worse than none.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let guard = self.stop.clone().drop_guard();
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let _stops_service_on_exit = guard;
            task.await;
            if stop.is_cancelled() {
                tracing::debug!(task = name, "task ended");
            } else {
                tracing::error!(task = name, "task ended on its own; the service stops");
            }
        });
    }

    /// Cancels the stop token at the first SIGTERM or SIGINT.
    pub fn listen_to_signals(&self) -> std::io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let stop = self.stop.clone();
        self.spawn("signals", async move {
            tokio::select! {
                _ = terminate.recv() => tracing::info!(signal = "SIGTERM", "stopping"),
                _ = interrupt.recv() => tracing::info!(signal = "SIGINT", "stopping"),
                () = stop.cancelled() => {}
            }
            stop.cancel();
        });
        Ok(())
    }

    /// Waits until the stop token is cancelled, then for all tasks: at most `grace`, and no longer than
    /// until another signal; `false` if some were still running.
    pub async fn run_until_stopped(self, grace: Duration) -> bool {
        self.stop.cancelled().await;
        self.tasks.close();
        tokio::select! {
            ended = tokio::time::timeout(grace, self.tasks.wait()) => ended.is_ok(),
            () = another_signal() => false,
        }
    }
}

/// Somebody does not want to wait any longer.
async fn another_signal() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panicking_task_stops_the_service() {
        let lifecycle = Lifecycle::default();
        lifecycle.spawn("boom", async { panic!("boom") });
        let ended = lifecycle.run_until_stopped(Duration::from_secs(1));
        assert!(tokio::time::timeout(Duration::from_secs(2), ended).await.unwrap());
    }
}
