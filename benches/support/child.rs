//! The real program, and a bare axum handler beside it, each a process of its own.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Says that this process is to be the bare handler, with an answer of so many bytes.
const BARE: &str = "SHOPKEEPER_BENCH_BARE_BYTES";

/// A child that is killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts a command that says where it listens.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the program is there");
        let mut line = String::new();
        let output = child.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut line).expect("it says where it listens");
        let address = line.trim().rsplit_once("http://").and_then(|(_, at)| at.parse().ok());
        Self { child, address: address.expect("it says where it listens") }
    }

    /// `shopkeeper serve` on a folder.
    pub(crate) fn shopkeeper(dir: &Path, settings: &[(&str, &str)]) -> Self {
        Self::spawn(shopkeeper(dir, settings))
    }

    /// An axum handler that answers every GET and POST with as much JSON as asked.
    pub(crate) fn bare(answer_bytes: usize) -> Self {
        let own = std::env::current_exe().expect("this program is somewhere");
        let mut command = Command::new(own);
        command.env(BARE, answer_bytes.to_string());
        Self::spawn(command)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// The program with settings for a folder; `shopkeeper serve` if no command is added.
pub(crate) fn shopkeeper(dir: &Path, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shopkeeper"));
    command
        .env("SHOPKEEPER__STORAGE__DIR", dir)
        .env("SHOPKEEPER__SERVER__LISTEN", "127.0.0.1:0")
        .env("SHOPKEEPER__LOG__FILTER", "warn")
        .current_dir(dir);
    for (key, value) in settings {
        command.env(format!("SHOPKEEPER__{key}"), value);
    }
    command
}

/// Runs a command to its end; its output and its peak memory in MiB.
pub(crate) fn run_measured(mut command: Command) -> (String, f64) {
    let child = command.stdout(Stdio::piped()).spawn().expect("the program is there");
    let status = format!("/proc/{}/status", child.id());
    let watcher = std::thread::spawn(move || {
        let mut peak_kib = 0.0_f64;
        while let Ok(text) = std::fs::read_to_string(&status) {
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let Some(kib) = line.and_then(|l| l.trim().strip_suffix(" kB")?.parse().ok()) else {
                break;
            };
            peak_kib = peak_kib.max(kib);
            std::thread::sleep(Duration::from_millis(20));
        }
        peak_kib / 1024.0
    });
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
    let peak = watcher.join().expect("it only reads");
    (String::from_utf8_lossy(&output.stdout).into_owned(), peak)
}

/// Becomes the bare handler if this process is to be one; then it never comes back.
pub(crate) fn be_bare_if_asked() {
    let Some(bytes) = std::env::var(BARE).ok().and_then(|bytes| bytes.parse().ok()) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime needs nothing").block_on(serve_bare(bytes));
}

#[expect(clippy::print_stdout, reason = "the ready line")]
async fn serve_bare(bytes: usize) {
    /// What stands around the text in the answer.
    const FRAME_BYTES: usize = r#"{"text":""}"#.len();
    let text = "x".repeat(bytes.saturating_sub(FRAME_BYTES));
    let body = axum::body::Bytes::from(format!(r#"{{"text":"{text}"}}"#));
    let answer = move || {
        let json = [(axum::http::header::CONTENT_TYPE, "application/json")];
        (json, body.clone())
    };
    let on_post = answer.clone();
    let routes = axum::Router::new().route(
        "/{*path}",
        axum::routing::get(async move || answer())
            .post(async move |_body: axum::body::Bytes| on_post()),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    println!("http://{}", listener.local_addr().expect("it is bound"));
    axum::serve(listener, routes).await.expect("it serves for ever");
}
