//! A peer in another language: a process that runs one fit for each line it is sent.

use serde_json::Value;
use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// Where the interpreter is named that has the packages of `benches/peers/requirements.txt`.
pub(crate) const PYTHON: &str = "SHOPKEEPER_BENCH_PYTHON";

/// A running script; ended when dropped.
pub(crate) struct Peer {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts `benches/peers/<script>` and waits until it has read its files; `None`, said aloud, if no
    /// interpreter is named.
    pub(crate) fn start(script: &str, arguments: &[&OsStr]) -> Option<Self> {
        let Some(python) = std::env::var_os(PYTHON) else {
            super::report::say(format!("no peer: {PYTHON} names no interpreter"));
            return None;
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers").join(script);
        let mut child = Command::new(python)
            .arg(script)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the interpreter starts");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("it was asked for"));
        let mut peer = Self { child, input, output };
        super::report::say(format!("the peer has read {}", peer.answer()));
        Some(peer)
    }

    /// Runs one fit.
    pub(crate) fn run(&mut self, fit: &str) -> Value {
        let input = self.input.as_mut().expect("it is open until the end");
        writeln!(input, "{fit}").expect("the peer listens");
        self.answer()
    }

    fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the peer answers");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("the peer died: {line:?}"))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.input = None;
        // It ends when its input does; if not, it is ended.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// A file of `../shared/data`, unpacked into `folder`; `None`, said aloud, if it is not there.
pub(crate) fn data_file(name: &str, folder: &Path) -> Option<PathBuf> {
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    let Ok(bytes) = std::fs::read(&packed) else {
        super::report::say(format!("left out: {} is not there", packed.display()));
        return None;
    };
    let path = folder.join(name.replace('/', "-").trim_end_matches(".zst"));
    let bytes = zstd::decode_all(&bytes[..]).expect("the file is packed by zstd");
    std::fs::write(&path, bytes).expect("the folder can be written to");
    Some(path)
}
