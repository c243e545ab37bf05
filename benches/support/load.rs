//! A small closed-loop load generator: HTTP/1.1 on kept-alive connections, one thread, little else.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

/// What came of a load.
#[derive(Clone, Debug, Default)]
pub(crate) struct Load {
    /// Answers per second.
    pub(crate) per_second: f64,
    /// Seconds from sending to having the whole answer, rising.
    pub(crate) seconds: Vec<f64>,
    /// Answers that were not 200.
    pub(crate) n_failed: usize,
}

impl Load {
    /// The latency below which this share of the answers came, in milliseconds.
    pub(crate) fn quantile_ms(&self, share: f64) -> f64 {
        let at = (self.seconds.len() as f64 * share) as usize;
        self.seconds.get(at.min(self.seconds.len().saturating_sub(1))).map_or(0.0, |s| s * 1e3)
    }
}

/// A GET request as bytes.
pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n").into_bytes()
}

/// A POST request of JSON as bytes.
pub(crate) fn post(path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// How hard to load, and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pressure {
    /// Connections; each waits for its answer before it asks again.
    pub(crate) connections: usize,
    /// When to stop; every connection asks at least once.
    pub(crate) duration: Duration,
    /// Pause of a connection between two requests.
    pub(crate) pause: Duration,
}

impl Pressure {
    /// As hard as so many connections can.
    pub(crate) fn full(connections: usize, duration: Duration) -> Self {
        Self { connections, duration, pause: Duration::ZERO }
    }
}

/// Loads `address` with requests made by `next(connection, n)`.
pub(crate) fn load(
    address: SocketAddr,
    pressure: Pressure,
    next: impl Fn(usize, usize) -> Vec<u8> + Clone + Send + 'static,
) -> Load {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime needs nothing").block_on(async {
        let begun = Instant::now();
        let mut clients = JoinSet::new();
        for connection in 0..pressure.connections {
            clients.spawn(client(address, pressure, connection, next.clone()));
        }
        let mut all = Load::default();
        for mine in clients.join_all().await {
            let mine = mine.expect("the server keeps its connections");
            all.n_failed += mine.n_failed;
            all.seconds.extend(mine.seconds);
        }
        all.per_second = all.seconds.len() as f64 / begun.elapsed().as_secs_f64();
        all.seconds.sort_by(f64::total_cmp);
        all
    })
}

async fn client(
    address: SocketAddr,
    pressure: Pressure,
    connection: usize,
    next: impl Fn(usize, usize) -> Vec<u8>,
) -> std::io::Result<Load> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (begun, mut mine, mut buffer) = (Instant::now(), Load::default(), vec![0; 1 << 16]);
    for n in 0.. {
        let request = next(connection, n);
        let sent = Instant::now();
        stream.write_all(&request).await?;
        let is_ok = read_answer(&mut stream, &mut buffer).await?;
        mine.seconds.push(sent.elapsed().as_secs_f64());
        mine.n_failed += usize::from(!is_ok);
        if begun.elapsed() >= pressure.duration {
            break;
        }
        if !pressure.pause.is_zero() {
            tokio::time::sleep(pressure.pause).await;
        }
    }
    Ok(mine)
}

/// Reads one whole answer; whether its status is 200.
async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<bool> {
    let (mut filled, mut whole) = (0, usize::MAX);
    while filled < whole {
        if filled == buffer.len() {
            buffer.resize(2 * filled, 0);
        }
        let n = stream.read(&mut buffer[filled..]).await?;
        if n == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        filled += n;
        if whole == usize::MAX {
            whole = whole_length(&buffer[..filled]).unwrap_or(usize::MAX);
        }
    }
    Ok(buffer.starts_with(b"HTTP/1.1 200"))
}

/// Bytes of head and body, once the head is there.
fn whole_length(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).ok()?;
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    Some(head + length.and_then(|length| length.trim().parse().ok()).unwrap_or(0))
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
