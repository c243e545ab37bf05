//! Measuring models on files: what comes of it, and what is refused.

mod command;
mod protocols;
mod ratings;

use clap::Parser;
use serde_json::Value;
use shopkeeper::cli::evaluate::{Protocol, Report, evaluate};
use std::{fs, path::PathBuf};
use tempfile::TempDir;

#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    protocol: Protocol,
}

/// Runs one command line; an error as its whole chain.
fn run(arguments: &[&str]) -> Result<Report, String> {
    let parsed = Arguments::try_parse_from([&["evaluate"], arguments].concat());
    let parsed = parsed.map_err(|error| error.to_string())?;
    evaluate(&parsed.protocol, false).map_err(|error| format!("{error:#}"))
}

fn json(report: &Report) -> Value {
    serde_json::to_value(report).unwrap()
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Users like the items of their own parity; the one with their own number is to be found.
    fn checkerboard(&self) -> (String, String) {
        let items = |user: u32| {
            let others = (0..20).filter(move |&item| item != user && item % 2 == user % 2);
            others.map(|item| format!(" i{item}")).collect::<Vec<_>>().concat()
        };
        let line = |user| format!("u{user}{}\n", items(user));
        let train = (0..20).map(line).collect::<Vec<_>>().concat();
        let line = |user: u32| format!("u{user} i{user}\n");
        let test = (0..20).map(line).collect::<Vec<_>>().concat();
        let train = zstd::encode_all(train.as_bytes(), 1).unwrap();
        (self.file("train.zst", train), self.file("test", test))
    }
}
