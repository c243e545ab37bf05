//! A server with one bare axum handler, in a process of its own as the real one is.

use axum::{
    Router,
    body::Bytes,
    http::header::CONTENT_TYPE,
    routing::{get, post},
};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

/// The argument with which a bench starts itself as a bare server; the body follows.
const BARE: &str = "--bare";

/// A bare server that listens; killed when dropped.
pub(crate) struct Bare {
    child: Child,
    address: String,
}

impl Bare {
    /// Starts a server that answers `body` to whatever a bench asks of the real one.
    pub(crate) fn start(body: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([BARE, body]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, address: line.trim().into() }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Serves until killed, if this process was started for that; a bench calls it first.
pub(crate) fn serve_if_asked() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some(BARE) {
        return;
    }
    let body: &'static str = arguments.next().expect("a body follows").leak();
    let answer = move || ([(CONTENT_TYPE, "application/json")], body);
    let (got, posted) = (get(async move || answer()), post(async move |_whole: Bytes| answer()));
    let routes = Router::new()
        .route("/recommendations/{user}", got.clone())
        .route("/items/{item}/related", got.clone())
        .route("/prices/{item}", got)
        .route("/recommendations", posted.clone())
        .route("/events", posted);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        super::report::say(listener.local_addr().unwrap());
        axum::serve(listener, routes).await.unwrap();
    });
}
