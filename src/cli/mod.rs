//! The command line: one file per command.
//!
//! Exit code 0 = done, 1 = failed, 2 = wrong use. Answers go to standard output, errors as one
//! readable line to standard error.

mod commands;
mod demo;
mod estimate;
pub mod evaluate;
pub mod import;
mod input;
mod memory;
mod stocking;

use crate::{config::Config, telemetry};
use clap::{Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};

/// Records what shoppers do, learns from it, and decides what to show and at what price.
#[derive(Debug, Parser)]
#[command(name = "shopkeeper", version)]
pub struct Arguments {
    /// A TOML file whose keys override the defaults.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    /// Answer with one JSON object on standard output.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one, for the time of a command")]
enum Command {
    /// Serve HTTP (the default).
    Serve,
    /// Make up a shop, learn from it, serve it, and say what to try.
    Demo(demo::DemoArguments),
    /// Train once and publish, if the result is good enough.
    Train {
        /// First search for better parameters, for at most `search.budget_seconds`.
        #[arg(long)]
        search: bool,
    },
    /// Read files into the store; safe to run twice.
    Import {
        /// What kind of files.
        format: import::Format,
        /// Files, plain, .zst or .gz.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// Where bad rows go, with their reasons.
        #[arg(long)]
        rejects: Option<PathBuf>,
        /// Take amounts of items that look like minor units taken for whole ones; without it such rows are rejected.
        #[arg(long)]
        confirm: bool,
    },
    /// Measure the models: on files by published protocols, or on the stored events.
    Evaluate {
        /// What is asked of the models.
        #[command(subcommand)]
        what: Evaluated,
    },
    /// Say how much memory and time a shop of some size will take on this machine; learns from two small made-up
    /// shops first, in a minute or so.
    Estimate(estimate::EstimateArguments),
    /// Print every key with its present value, secrets redacted.
    Config,
}

#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one, for the time of a command")]
enum Evaluated {
    /// The stored events, by time: models, the blend that would be served, and what each event is worth.
    Shop(evaluate::shop::ShopArguments),
    /// How demand answers to price: on public sales, or on sales that are made up and whose truth is known.
    Pricing(evaluate::pricing::PricingArguments),
    #[command(flatten)]
    Files(evaluate::Protocol),
}

/// Runs a command.
pub fn run(arguments: Arguments) -> ExitCode {
    match execute(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the one readable line of a failed command")]
            {
                eprintln!("shopkeeper: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

fn execute(arguments: Arguments) -> anyhow::Result<()> {
    let config = Config::load(arguments.config.as_deref(), std::env::vars())?;
    telemetry::init_log(&config.log);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => runtime.block_on(commands::serve(config, arguments.json)),
        Command::Demo(demo) => runtime.block_on(demo::demo(config, demo, arguments.json)),
        Command::Train { search } => {
            runtime.block_on(commands::train(config, search, arguments.json))
        }
        Command::Import { format, paths, rejects, confirm } => {
            let rejects = (rejects, confirm);
            runtime.block_on(commands::import(config, format, paths, rejects, arguments.json))
        }
        Command::Evaluate { what: Evaluated::Shop(shop) } => {
            runtime.block_on(evaluate::shop::shop(config, shop, arguments.json))
        }
        Command::Evaluate { what: Evaluated::Pricing(pricing) } => {
            evaluate::pricing::pricing(&pricing, arguments.json)
        }
        Command::Evaluate { what: Evaluated::Files(protocol) } => {
            commands::evaluate(&protocol, arguments.json)
        }
        Command::Estimate(size) => {
            runtime.block_on(estimate::estimate(config, arguments.config, size, arguments.json))
        }
        Command::Config => commands::show_config(&config, arguments.json),
    };
    // What still runs after the grace period is not waited for: a fit ends with the process.
    runtime.shutdown_background();
    done
}
