//! Arguments to command, command to exit code.

use clap::Parser;
use mimalloc::MiMalloc;
use std::process::ExitCode;

/// An answer takes many small allocations, and whole snapshots come and go: this one is quicker than the system's at
/// the former, and gives the latter back.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    shopkeeper::cli::run(shopkeeper::cli::Arguments::parse())
}
