//! Group commit: events of concurrent requests share a transaction.
//!
//! A request hands its events to a bounded queue and waits; one committer takes all that wait, up
//! to a limit, writes them in one transaction, and answers everybody. While a commit is on its way
//! to the disk the next group gathers, so that many small writers cost as few flushes as one.

use super::store::{Known, Store, StoreError};
use crate::domain::{Clock, Event, Sequence, Timestamp};
use crate::telemetry::Metrics;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// Why events were not recorded.
#[derive(Clone, Debug, thiserror::Error)]
pub enum IngestError {
    /// The queue is full; the caller may retry.
    #[error("too many events wait to be written")]
    QueueFull,
    /// The service is stopping.
    #[error("the service is stopping")]
    Stopping,
    /// The store did not take them.
    #[error("the events could not be written")]
    Store(#[source] Arc<StoreError>),
}

/// What follows a commit: the live view learns of the events before their senders are answered, so
/// that the sender's very next request sees them.
pub trait Committed: Send + Sync {
    /// Called once per commit with the new events, in the order of their sequence, and when they
    /// were received.
    fn committed(&self, events: &[(Sequence, Event)], received_at: Timestamp);
}

struct Batch {
    events: Vec<Event>,
    reply: Reply,
}

/// The door: cheap to clone, used by every handler.
#[derive(Clone)]
pub struct Ingest {
    queue: mpsc::UnboundedSender<Batch>,
    waiting: Arc<AtomicUsize>,
    queue_max: usize,
    metrics: Arc<Metrics>,
}

/// Behind the door: the one task that commits.
pub struct Committer {
    writer: Arc<Writer>,
    commit_max: usize,
    queue: mpsc::UnboundedReceiver<Batch>,
}

/// What a commit works with.
struct Writer {
    store: Arc<dyn Store>,
    known: Arc<dyn Known>,
    listener: Arc<dyn Committed>,
    clock: Arc<dyn Clock>,
    waiting: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
}

/// A door and its committer; `queue_max` bounds the events that wait, whatever their batches,
/// `commit_max` those in one commit.
pub fn ingest(
    store: Arc<dyn Store>,
    known: Arc<dyn Known>,
    listener: Arc<dyn Committed>,
    clock: Arc<dyn Clock>,
    (queue_max, commit_max): (usize, usize),
    metrics: Arc<Metrics>,
) -> (Ingest, Committer) {
    // Unbounded in batches, bounded in events: `waiting` is checked before every send.
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let door =
        Ingest { queue: sender, waiting: waiting.clone(), queue_max, metrics: metrics.clone() };
    let writer = Arc::new(Writer { store, known, listener, clock, waiting, metrics });
    (door, Committer { writer, commit_max, queue: receiver })
}

impl Ingest {
    /// Records events durably; answers one entry per event, `None` for a duplicate.
    pub async fn record(&self, events: Vec<Event>) -> Result<Vec<Option<Sequence>>, IngestError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let n = events.len();
        let admitted = self.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, |waiting| {
            (waiting + n <= self.queue_max).then_some(waiting + n)
        });
        if admitted.is_err() {
            return Err(IngestError::QueueFull);
        }
        self.metrics.ingest_queue.inc_by(n as i64);
        let (reply, answer) = oneshot::channel();
        self.queue.send(Batch { events, reply }).map_err(|_| IngestError::Stopping)?;
        answer.await.map_err(|_| IngestError::Stopping)?
    }
}

/// Commits on their way at a time: while the database works on one, the next is prepared.
const COMMITS_MAX: usize = 2;

/// Events that make a second commit worth its flush; fewer wait and grow.
const LARGE: usize = 500;

impl Committer {
    /// Commits until `stop`, then what still waits.
    ///
    /// # Panics
    ///
    /// If a commit does: then nobody knows what was written, and the service had better start anew.
    pub async fn run(mut self, stop: CancellationToken) {
        let (mut group, mut n, mut is_open) = (Vec::new(), 0, true);
        let mut commits: JoinSet<()> = JoinSet::new();
        loop {
            while n < self.commit_max {
                let Ok(batch) = self.queue.try_recv() else { break };
                n += batch.events.len();
                group.push(batch);
            }
            let has_room = commits.len() < COMMITS_MAX;
            if n > 0 && (commits.is_empty() || (has_room && n >= LARGE)) {
                let (writer, group) = (self.writer.clone(), std::mem::take(&mut group));
                let n = std::mem::take(&mut n);
                commits.spawn(async move { writer.commit(group, n).await });
                continue;
            }
            tokio::select! {
                biased;
                Some(done) = commits.join_next() => {
                    if let Err(error) = done
                        && let Ok(panic) = error.try_into_panic()
                    {
                        std::panic::resume_unwind(panic);
                    }
                }
                batch = self.queue.recv(), if is_open && n < self.commit_max => match batch {
                    Some(batch) => {
                        n += batch.events.len();
                        group.push(batch);
                    }
                    None => is_open = false,
                },
                () = stop.cancelled(), if !self.queue.is_closed() => self.queue.close(),
                else => return,
            }
        }
    }
}

impl Writer {
    /// Writes a group in one transaction. Should the database refuse it for another reason than being
    /// away, each batch is written on its own, so that one cannot spoil its neighbours.
    async fn commit(&self, group: Vec<Batch>, n: usize) {
        let sizes: Vec<usize> = group.iter().map(|batch| batch.events.len()).collect();
        let (batches, replies): (Vec<Vec<Event>>, Vec<Reply>) =
            group.into_iter().map(|batch| (batch.events, batch.reply)).unzip();
        let mut events: Vec<Event> = batches.into_iter().flatten().collect();
        let received_at = self.clock.now();
        match self.append(&events, received_at).await {
            Ok(sequences) => {
                self.tell(events, &sequences, received_at);
                self.leave(n);
                let mut rest = sequences.as_slice();
                for (size, reply) in sizes.into_iter().zip(replies) {
                    let (mine, others) = rest.split_at(size.min(rest.len()));
                    rest = others;
                    answer(reply, Ok(mine.to_vec()));
                }
            }
            Err(error) if error.is_unavailable() || sizes.len() == 1 => {
                self.leave(n);
                let error = Arc::new(error);
                for reply in replies {
                    answer(reply, Err(IngestError::Store(error.clone())));
                }
            }
            Err(_) => {
                for (size, reply) in sizes.into_iter().zip(replies) {
                    let others = events.split_off(size);
                    let mine = std::mem::replace(&mut events, others);
                    let stored = self.append(&mine, received_at).await;
                    if let Ok(sequences) = &stored {
                        self.tell(mine, sequences, received_at);
                    }
                    self.leave(size);
                    answer(reply, stored.map_err(|error| IngestError::Store(Arc::new(error))));
                }
            }
        }
    }

    /// Tells the live view what is new, before anybody is answered.
    fn tell(&self, events: Vec<Event>, sequences: &[Option<Sequence>], received_at: Timestamp) {
        let mut fresh: Vec<(Sequence, Event)> = events
            .into_iter()
            .zip(sequences)
            .filter_map(|(event, sequence)| Some(((*sequence)?, event)))
            .collect();
        fresh.sort_by_key(|(sequence, _)| *sequence);
        self.listener.committed(&fresh, received_at);
    }

    /// Gives the queue back its room.
    fn leave(&self, n: usize) {
        self.waiting.fetch_sub(n, Ordering::AcqRel);
        self.metrics.ingest_queue.dec_by(n as i64);
    }

    async fn append(
        &self,
        events: &[Event],
        received_at: Timestamp,
    ) -> Result<Vec<Option<Sequence>>, StoreError> {
        /// A connection that hangs must not hold every writer for ever.
        const COMMIT_TIMEOUT: Duration = Duration::from_secs(15);
        let begun = Instant::now();
        let append = self.store.append_events(events, received_at, &*self.known);
        let stored = match tokio::time::timeout(COMMIT_TIMEOUT, append).await {
            Ok(result) => result,
            Err(_) => Err(StoreError::Unavailable(sqlx::Error::PoolTimedOut)),
        };
        self.metrics.commit_duration.observe(begun.elapsed().as_secs_f64());
        self.metrics.commit_events.observe(events.len() as f64);
        let is_down = stored.as_ref().is_err_and(StoreError::is_unavailable);
        self.metrics.store_up.set(i64::from(!is_down));
        if let Err(error) = &stored {
            tracing::error!(
                error = error as &dyn std::error::Error,
                events = events.len(),
                "commit failed"
            );
        }
        stored
    }
}

type Reply = oneshot::Sender<Result<Vec<Option<Sequence>>, IngestError>>;

fn answer(reply: Reply, stored: Result<Vec<Option<Sequence>>, IngestError>) {
    // The client may have gone; its events are safe all the same.
    let _gone = reply.send(stored);
}
