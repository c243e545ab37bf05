//! Arguments to command, command to exit code.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    shopkeeper::cli::run(shopkeeper::cli::Arguments::parse())
}
