//! Measures the models on files, by protocols that others publish numbers for.
//!
//! | protocol | question | file |
//! | --- | --- | --- |
//! | `top-n` | what will this user want? | `top_n` |
//! | `sequential` | what comes next? | `sequential` |
//! | `session` | what comes next, right now? | `session` |
//! | `rating` | what would this user give that item? | `rating` |
//! | `shop` | what is each model, and each kind of event, worth on the stored events? | `shop` |
//! | `pricing` | how does demand answer to price, and what does choosing prices by it earn? | `pricing` |
//!
//! `files` reads, `cases` turns rows into a matrix and questions, `contender` fits and measures one model
//! after another, `report` says what came of it, `tables` prints it, `picture` draws it. A model is known by its name and a
//! closure that fits it, so that a new kind of model needs no change here; `parameters` are theirs by name.
//! What is measured, and how, is [`crate::learn::evaluation`]'s.

mod aligned;
mod cases;
mod contender;
mod fields;
mod files;
mod parameters;
mod picture;
pub(crate) mod pricing;
mod ranked;
mod rating;
mod report;
mod search;
mod sequential;
mod session;
mod session_file;
pub(crate) mod shop;
mod tables;
mod text_file;
mod top_n;

pub use rating::RatingArguments;
pub use report::{Comparison, Headline, ModelResult, Report, Spread};
pub use sequential::SequentialArguments;
pub use session::SessionArguments;
pub use text_file::FileError;
pub use top_n::TopNArguments;

use crate::learn::recommenders::ModelKind;
use anyhow::Context;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};

/// What is asked of the models.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Protocol {
    /// Lists of items that users will want.
    TopN(TopNArguments),
    /// Ratings that users would give.
    Rating(RatingArguments),
    /// The next item of a sequence.
    Sequential(SequentialArguments),
    /// The next item of a running session.
    Session(SessionArguments),
}

/// Of every protocol.
#[derive(Clone, Debug, clap::Args)]
pub struct Common {
    /// Runs of each model that depends on a seed; more than one give means and standard errors over them.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    seeds: u32,
    /// Another value for a parameter, like `svd.n_factors=128`.
    #[arg(long = "set", value_name = "MODEL.KEY=VALUE")]
    changes: Vec<String>,
    /// Threads to use; all there are, if not given.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1_024))]
    threads: Option<u16>,
    /// Draw accuracy against training time into this file.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Of every protocol about lists.
#[derive(Clone, Debug, clap::Args)]
pub struct ListArguments {
    /// Models to measure; all if none is named. Popularity is always measured beside them.
    #[arg(long = "model", value_name = "NAME", value_parser = named(ModelKind::ALL, ModelKind::name))]
    models: Vec<ModelKind>,
    /// Cut-offs.
    #[arg(long, value_delimiter = ',', default_value = "10,20", value_parser = parse_cut_off)]
    k: Vec<usize>,
    /// First search for the best parameters of each model, and for the best blend of them, on a tenth of
    /// every user's items in what is learned from; what is to be found is read once, at the end.
    #[arg(long)]
    search: bool,
    /// Most candidates of the search.
    #[arg(long, default_value_t = 128, requires = "search", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    trials: u32,
    /// Most seconds of the search.
    #[arg(long, default_value_t = 600.0, requires = "search", value_parser = parse_seconds)]
    search_seconds: f64,
    /// Rank items to be found below others with the same score.
    #[arg(long)]
    conservative: bool,
    /// Let only so many random other items compete; for comparing with tables made this way alone.
    #[arg(long, value_name = "N")]
    sampled: Option<usize>,
    /// Start of their random numbers.
    #[arg(long, default_value_t = 0, requires = "sampled")]
    sample_seed: u64,
    /// Categories of items, lines `item category …`: for calibration and diversity.
    #[arg(long, value_name = "FILE")]
    categories: Option<PathBuf>,
}

/// Takes one of `kinds` by its name.
fn named<K: Copy + Send + Sync + 'static>(
    kinds: &'static [K],
    name: fn(K) -> &'static str,
) -> impl TypedValueParser<Value = K> {
    let of_name = move |given: String| {
        let found = kinds.iter().find(|&&kind| name(kind) == given);
        *found.expect("clap admits the names of the list alone")
    };
    PossibleValuesParser::new(kinds.iter().map(|&kind| name(kind))).map(of_name)
}

fn parse_cut_off(text: &str) -> Result<usize, String> {
    in_range(text, 1, 1_000)
}

fn parse_seconds(text: &str) -> Result<f64, String> {
    let seconds = text.trim().parse().ok().filter(|&seconds: &f64| seconds > 0.0);
    seconds.ok_or_else(|| "must be a number above 0".into())
}

fn in_range(text: &str, least: usize, most: usize) -> Result<usize, String> {
    let number = text.trim().parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("must be a whole number between {least} and {most}"))
}

impl Common {
    /// Adds to a protocol what is the same for all.
    fn describe(&self, protocol: &mut Value) {
        protocol["seeds"] = json!(self.seeds);
        protocol["threads"] = json!(rayon::current_num_threads());
        protocol["version"] = json!(env!("CARGO_PKG_VERSION"));
        let peak = if super::memory::PeakMemory::begin().n_bytes().is_some() {
            "greatest resident set of the process while the model was fitted and asked"
        } else {
            "the fitted model alone"
        };
        protocol["peak_bytes"] = json!(peak);
    }
}

impl Protocol {
    fn common(&self) -> &Common {
        match self {
            Self::TopN(arguments) => &arguments.common,
            Self::Rating(arguments) => &arguments.common,
            Self::Sequential(arguments) => &arguments.common,
            Self::Session(arguments) => &arguments.common,
        }
    }
}

/// Measures, and draws if asked to. `progress` draws a bar on standard error.
///
/// # Errors
///
/// [`FileError`] for a file that cannot be used; otherwise why parameters are refused, the data does not do,
/// a model cannot be fitted, or the picture cannot be written.
pub fn evaluate(protocol: &Protocol, progress: bool) -> anyhow::Result<Report> {
    let common = protocol.common();
    let n_threads = common.threads.map_or(0, usize::from);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build()?;
    let report = pool.install(|| match protocol {
        Protocol::TopN(arguments) => top_n::evaluate_top_n(arguments, progress),
        Protocol::Rating(arguments) => rating::evaluate_rating(arguments, progress),
        Protocol::Sequential(arguments) => sequential::evaluate_sequential(arguments, progress),
        Protocol::Session(arguments) => session::evaluate_session(arguments, progress),
    })?;
    if let Some(path) = &common.svg {
        let picture = picture::draw(&report)?;
        fs::write(path, picture).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(report)
}
