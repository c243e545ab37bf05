//! HTTP/1.1 clients that do little themselves, so that the server gets the processor.
//!
//! Requests are built beforehand, buffers are used again, and of an answer only the status and the
//! length are read. All clients run on one thread of their own.

use super::histogram::Histogram;
use std::{
    collections::BTreeMap,
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    task::JoinSet,
};

/// A bound on everything: a server that hangs fails the bench.
const PATIENCE: Duration = Duration::from_mins(1);

/// When clients stop.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// After this time.
    Elapsed(Duration),
    /// After so many requests in all.
    Sent(usize),
}

/// How clients send.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// The next request follows the answer.
    Closed,
    /// So many requests per second in all, whether or not answers keep up.
    PerSecond(f64),
}

/// Requests, as they go over the wire.
pub(crate) type Requests = Arc<Vec<Vec<u8>>>;

/// Requests, and how to send them.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// Where to.
    pub(crate) address: String,
    /// What to send, again from the start after the last.
    pub(crate) requests: Requests,
    /// On how many connections.
    pub(crate) n_connections: usize,
    /// How fast.
    pub(crate) pace: Pace,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured {
    /// From the first request to the last answer.
    pub(crate) seconds: f64,
    latencies: Histogram,
    /// The longest that an answer took, by the second of its arrival.
    pub(crate) slowest: Vec<Duration>,
    /// Answers other than 2xx, by status.
    pub(crate) failed: BTreeMap<u16, usize>,
}

impl Measured {
    /// How many answers.
    pub(crate) fn n(&self) -> u64 {
        self.latencies.n()
    }

    /// Answers per second.
    pub(crate) fn per_second(&self) -> f64 {
        self.n() as f64 / self.seconds
    }

    /// The latency that a share `q` of all requests did not exceed.
    pub(crate) fn quantile(&self, q: f64) -> Duration {
        self.latencies.quantile(q)
    }

    /// Answers other than 2xx.
    pub(crate) fn n_failed(&self) -> usize {
        self.failed.values().sum()
    }

    fn record(&mut self, took: Duration, at: Duration) {
        self.latencies.record(took);
        let second = at.as_secs() as usize;
        if self.slowest.len() <= second {
            self.slowest.resize(second + 1, Duration::ZERO);
        }
        self.slowest[second] = took.max(self.slowest[second]);
    }

    /// Takes in what came of a load that was sent at another time, or beside this one.
    pub(crate) fn add(&mut self, other: &Self) {
        self.seconds += other.seconds;
        self.latencies.add(&other.latencies);
        if self.slowest.len() < other.slowest.len() {
            self.slowest.resize(other.slowest.len(), Duration::ZERO);
        }
        for (mine, &theirs) in self.slowest.iter_mut().zip(&other.slowest) {
            *mine = theirs.max(*mine);
        }
        for (&status, n) in &other.failed {
            *self.failed.entry(status).or_default() += n;
        }
    }

    /// The same, if every answer was 2xx.
    ///
    /// # Panics
    ///
    /// If one was not: a number measured on errors means nothing.
    pub(crate) fn all_well(self) -> Self {
        assert!(self.failed.is_empty(), "answers other than 2xx, by status: {:?}", self.failed);
        self
    }
}

/// A GET request.
pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: shop\r\naccept: application/json\r\n\r\n").into_bytes()
}

/// A POST request with a JSON body.
pub(crate) fn post(path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Sends the load from a thread of its own and waits for the end.
pub(crate) fn run(load: &Load, until: Until) -> Measured {
    let load = load.clone();
    let clients = std::thread::spawn(move || super::block_on(run_clients(load, until)));
    clients.join().expect("the load failed, and has said why")
}

/// An answer whose length is nearest to the mean, among those to at most `n_sample` of the requests.
pub(crate) fn typical_body(load: &Load, n_sample: usize) -> String {
    let mut bodies: Vec<String> = super::block_on(async {
        let mut connection = Connection::open(&load.address).await;
        let mut bodies = Vec::new();
        let step = (load.requests.len() / n_sample).max(1);
        for request in load.requests.iter().step_by(step) {
            assert_eq!(connection.exchange(request).await, 200);
            bodies.push(String::from_utf8(connection.body().to_vec()).unwrap());
        }
        bodies
    });
    let mean = bodies.iter().map(String::len).sum::<usize>() / bodies.len();
    bodies.sort_by_key(|body| body.len().abs_diff(mean));
    bodies.swap_remove(0)
}

async fn run_clients(load: Load, until: Until) -> Measured {
    let mut connections = Vec::new();
    for _ in 0..load.n_connections {
        connections.push(Connection::open(&load.address).await);
    }
    let (sent, mut clients, begun) =
        (Arc::new(AtomicUsize::new(0)), JoinSet::new(), Instant::now());
    for connection in connections {
        clients.spawn(client(connection, load.clone(), until, sent.clone(), begun));
    }
    let mut all = Measured::default();
    while let Some(one) = clients.join_next().await {
        all.add(&one.expect("a client failed, and has said why"));
    }
    all.seconds = begun.elapsed().as_secs_f64();
    all
}

async fn client(
    mut connection: Connection,
    load: Load,
    until: Until,
    sent: Arc<AtomicUsize>,
    begun: Instant,
) -> Measured {
    let mut measured = Measured::default();
    loop {
        let n = sent.fetch_add(1, Ordering::Relaxed);
        let from = match load.pace {
            Pace::Closed => Instant::now(),
            Pace::PerSecond(rate) => due(begun + Duration::from_secs_f64(n as f64 / rate)).await,
        };
        let is_over = match until {
            // By the clock, not by when it was due: a server that falls behind ends no later.
            Until::Elapsed(time) => begun.elapsed() >= time,
            Until::Sent(total) => n >= total,
        };
        if is_over {
            return measured;
        }
        let status = connection.exchange(&load.requests[n % load.requests.len()]).await;
        let now = Instant::now();
        measured.record(now - from, now - begun);
        if !(200..300).contains(&status) {
            *measured.failed.entry(status).or_default() += 1;
        }
    }
}

/// Waits until a request is due, and says from when its latency counts: from when it was due, if no
/// connection was free then (Tene, "How NOT to measure latency", 2013: coordinated omission), else
/// from now, for a timer that rings late is not the server's delay.
async fn due(at: Instant) -> Instant {
    if Instant::now() >= at {
        return at;
    }
    tokio::time::sleep_until(at.into()).await;
    Instant::now()
}

/// A connection that is kept alive.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    body: std::ops::Range<usize>,
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: vec![0; 1 << 16], body: 0..0 }
    }

    /// The body of the last answer.
    pub(crate) fn body(&self) -> &[u8] {
        &self.buffer[self.body.clone()]
    }

    /// Sends a request, reads its whole answer, and tells its status.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> u16 {
        let exchange = self.exchange_patiently(request);
        tokio::time::timeout(PATIENCE, exchange).await.expect("an answer within a minute")
    }

    /// Sends a request and reads its answer, which must be 2xx, as JSON.
    pub(crate) async fn exchange_json(&mut self, request: &[u8]) -> serde_json::Value {
        let status = self.exchange(request).await;
        assert!((200..300).contains(&status), "{status}: {}", self.body().escape_ascii());
        serde_json::from_slice(self.body()).expect("an answer in JSON")
    }

    async fn exchange_patiently(&mut self, request: &[u8]) -> u16 {
        let mut rest = request;
        while !rest.is_empty() {
            let stream = &mut self.stream;
            let n = poll_fn(|context| Pin::new(&mut *stream).poll_write(context, rest)).await;
            rest = &rest[n.unwrap()..];
        }
        let mut filled = 0;
        let mut head: Option<Head> = None;
        loop {
            if head.is_none() {
                head = Head::parse(&self.buffer[..filled]);
            }
            if let Some(head) = &head
                && filled >= head.body_at + head.n_body
            {
                self.body = head.body_at..head.body_at + head.n_body;
                return head.status;
            }
            if filled == self.buffer.len() {
                self.buffer.resize(filled * 2, 0);
            }
            let (stream, space) = (&mut self.stream, &mut self.buffer[filled..]);
            let mut space = ReadBuf::new(space);
            poll_fn(|context| Pin::new(&mut *stream).poll_read(context, &mut space)).await.unwrap();
            assert!(!space.filled().is_empty(), "the server closed the connection");
            filled += space.filled().len();
        }
    }
}

struct Head {
    status: u16,
    body_at: usize,
    n_body: usize,
}

impl Head {
    /// The head of an answer; `None` while it is not there whole.
    fn parse(bytes: &[u8]) -> Option<Self> {
        const LENGTH: &[u8] = b"content-length:";
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let number = |text: &[u8]| std::str::from_utf8(text).ok()?.trim().parse().ok();
        let mut lines = bytes[..end].split(|&byte| byte == b'\n');
        let status: usize = number(lines.next()?.get(9..12)?)?;
        let is_length = |line: &[u8]| {
            line.get(..LENGTH.len()).is_some_and(|name| name.eq_ignore_ascii_case(LENGTH))
        };
        let length = lines.find(|line| is_length(line)).expect("an answer names its length");
        let n_body = number(&length[LENGTH.len()..]).expect("a length is a number");
        Some(Self { status: status as u16, body_at: end + 4, n_body })
    }
}
