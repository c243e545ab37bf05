//! The real program as a child process, and a small HTTP client for it.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_mins(1);

/// The program with settings from the environment alone.
pub(crate) fn program(dir: &Path, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shopkeeper"));
    command
        .env_clear()
        .env("SHOPKEEPER__STORAGE__DIR", dir)
        .env("SHOPKEEPER__SERVER__LISTEN", "127.0.0.1:0")
        .current_dir(dir)
        .stdin(Stdio::null());
    for (key, value) in settings {
        command.env(format!("SHOPKEEPER__{key}"), value);
    }
    command
}

/// Runs a command to its end.
pub(crate) fn run(dir: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> Output {
    program(dir, settings).args(arguments).output().unwrap()
}

/// A service that listens; killed when dropped.
pub(crate) struct Service {
    child: Child,
    address: String,
}

impl Service {
    /// Starts `serve`, or whatever `arguments` say, and waits for the ready line.
    pub(crate) fn start(dir: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> Self {
        let log = std::fs::File::options().create(true).append(true).open(dir.join("log")).unwrap();
        let mut command = program(dir, settings);
        let mut child = command.args(arguments).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit_once("http://").map(|(_, address)| address.to_owned());
        let log = || std::fs::read_to_string(dir.join("log")).unwrap_or_default();
        let address = address.unwrap_or_else(|| panic!("no ready line, but {line:?}: {}", log()));
        Self { child, address }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Its number among the processes.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// SIGKILL: no chance to clean up.
    pub(crate) fn kill(mut self) {
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
    }

    /// SIGTERM, then waits for the end.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not stop");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// GET, as JSON.
    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        request(&self.address, "GET", path, "").unwrap()
    }

    /// POST of JSON, as JSON.
    pub(crate) fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        request(&self.address, "POST", path, &body.to_string()).unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// One request on a connection of its own; the body as JSON, or as a string if it is none.
pub(crate) fn request(
    address: &str,
    method: &str,
    path: &str,
    body: &str,
) -> std::io::Result<(u16, Value)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let broken = || std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "a broken answer");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(broken)?;
    let status =
        head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(broken)?;
    Ok((status, serde_json::from_str(body).unwrap_or_else(|_| body.into())))
}

/// Tries until `done` says so.
pub(crate) fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
