//! Brings what a shop already knows into the store: its events and items, or one of two public data
//! sets.
//!
//! One blocking thread opens and parses the files and hands batches through a bounded queue to the
//! async side, which writes them; so memory does not grow with the file. Every row ends as stored,
//! as a duplicate, or in the rejects file with its line and the reason. Every event gets an id that
//! follows from its content, so that a repeated import stores nothing new, also after one that was
//! cut off.
//!
//! Not here: what a valid event or item is ([`crate::record::forms`]), and what becomes of them
//! ([`crate::record::store`]). Start with [`import`], then `online_retail`.

mod cells;
mod csv_rows;
mod feed;
mod movielens;
mod movielens_layout;
mod ndjson;
mod online_retail;
mod rejects;
mod report;
mod retail_catalogue;
mod source;
mod writer;

#[cfg(test)]
mod tests;

pub use report::{ImportError, ImportReport};
pub(in crate::cli) use retail_catalogue::is_goods;

use crate::record::{
    forms::FormRules,
    store::{ChangeTerms, Store},
};
use feed::Feed;
use rejects::Rejects;
use source::Sources;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};
use tokio::sync::mpsc;
use writer::Writer;

/// Batches that wait between the reader and the store: enough that neither stands still.
const QUEUE_BATCHES: usize = 4;

/// What the files hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Invoices of the UCI data set Online Retail, as CSV.
    OnlineRetail,
    /// Ratings and titles of a MovieLens data set, in any of its layouts.
    Movielens,
    /// Events as the API takes them, NDJSON or CSV.
    Events,
    /// Items as the API takes them, NDJSON or CSV.
    Items,
}

/// How to import.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// Where rows go that cannot be stored, with their reasons; the file is there afterwards only if there are any.
    pub rejects: PathBuf,
    /// Whether amounts of items are meant that look like minor units taken for whole ones.
    pub is_confirmed: bool,
    /// Whether a bar is drawn on standard error.
    pub progress: bool,
}

/// Reads `paths`, plain or compressed with gzip or zstd, into `store`.
///
/// # Errors
///
/// If a file cannot be read at all, or the store fails. What was stored before stays; the import can
/// be run again.
pub async fn import(
    store: &dyn Store,
    rules: &FormRules,
    format: Format,
    paths: &[PathBuf],
    options: &ImportOptions,
) -> Result<ImportReport, ImportError> {
    let begun = Instant::now();
    check_rejects_path(&options.rejects, paths)?;
    let (sender, mut batches) = mpsc::channel(QUEUE_BATCHES);
    let rejects = Rejects::new(options.rejects.clone())?;
    let feed = Feed::new(sender, rejects.clone(), *rules);
    let (paths, progress) = (paths.to_vec(), options.progress);
    let reader = tokio::task::spawn_blocking(move || read_files(feed, format, &paths, progress));
    let checked_in = (!options.is_confirmed).then_some(rules.currency);
    let terms = ChangeTerms { checked_in, ..ChangeTerms::ANY };
    let mut writer = Writer::new(store, rules, (terms, rejects.clone()));
    let mut written = Ok(());
    while let Some(batch) = batches.recv().await {
        written = writer.write(batch).await;
        if written.is_err() {
            break;
        }
    }
    // Closes the queue, which is how the reader learns that the store has failed.
    drop(batches);
    let read = reader.await.map_err(ImportError::Reader)?;
    written?;
    let rows = read?;
    let (rejected, rejects_file) = rejects.finish()?;
    Ok(ImportReport {
        rows,
        stored: writer.stored,
        duplicates: writer.duplicates,
        rejected,
        items: writer.items,
        prices: writer.prices,
        seconds: begun.elapsed().as_secs_f64(),
        rejects_file,
    })
}

/// The rejects file of an import of `paths` if none is named: beside nothing but in the current
/// directory, since the data may lie where one cannot write.
pub fn default_rejects_path(paths: &[PathBuf]) -> PathBuf {
    let name = paths.first().and_then(|path| path.file_name());
    let name = name.map_or_else(|| "import".into(), |name| name.to_string_lossy());
    PathBuf::from(format!("{name}.rejects.csv"))
}

/// Refuses to overwrite what is to be read.
fn check_rejects_path(rejects: &Path, paths: &[PathBuf]) -> Result<(), ImportError> {
    let real = |path: &Path| fs::canonicalize(path).ok();
    let is_input = |path: &PathBuf| path == rejects || real(path) == real(rejects);
    if real(rejects).is_some() && paths.iter().any(is_input) {
        return Err(ImportError::RejectsAreInput { path: rejects.to_owned() });
    }
    Ok(())
}

/// The blocking half: reads every file into the feed.
fn read_files(
    mut feed: Feed,
    format: Format,
    paths: &[PathBuf],
    progress: bool,
) -> Result<u64, ImportError> {
    let sources = Sources::new(paths, progress)?;
    let mut retail = retail_catalogue::Catalogue::default();
    for path in paths {
        let source = sources.open(path)?;
        feed.begin_file(path);
        match format {
            Format::OnlineRetail => online_retail::read(&mut feed, source, &mut retail)?,
            Format::Movielens => movielens::read(&mut feed, source)?,
            Format::Events => ndjson::read_events(&mut feed, source)?,
            Format::Items => ndjson::read_items(&mut feed, source)?,
        }
        feed.flush()?;
    }
    retail.send(&mut feed)?;
    feed.finish()
}
