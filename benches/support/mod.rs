//! What the benches share: load, a bare server to compare with, and the table at the end.
//!
//! A bench measures the real program as a child process beside something that does only the
//! indispensable part of the same work, in turns in the same run: a ratio of neighbours survives a
//! busy machine, a number alone does not.

pub(crate) mod bare;
mod histogram;
pub(crate) mod large;
pub(crate) mod load;
pub(crate) mod peer;
pub(crate) mod report;
pub(crate) mod shop;

#[expect(dead_code, reason = "the tests use all of it")]
#[path = "../../tests/it/support/service.rs"]
pub(crate) mod service;

use mimalloc::MiMalloc;
use std::time::Duration;

/// As the program has it: the bare server must not be slower than it needs to be.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Whether this is `cargo bench`; `cargo test --all-targets` starts benches too, and must not wait
/// for them.
pub(crate) fn is_bench() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// The middle value.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Runs one future to its end.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}

/// A time as milliseconds.
pub(crate) fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

/// What `/proc` says under `name` (`VmRSS` what is resident, `VmHWM` the most that was) of a process's memory;
/// `None` once it has ended.
pub(crate) fn memory_mib(pid: u32, name: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}
