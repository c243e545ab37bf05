//! What the reading thread hands to the store: batches of facts, and rejects to their file.

use super::{
    ImportError,
    csv_rows::BadRow,
    rejects::{Rejects, RowPlace},
};
use crate::{
    domain::{Event, ItemId, PriceEntry, Timestamp, item::ItemPatch},
    record::forms::{FieldProblem, FormRules},
};
use std::{mem, path::Path, sync::Arc};
use tokio::sync::mpsc;

/// Events in one transaction: large enough that a flush to the disk is cheap for each.
const EVENTS_PER_BATCH: usize = 5_000;
/// Items in one transaction.
const ITEMS_PER_BATCH: usize = 1_000;

/// How an item's row meets what the catalogue says already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Merge {
    /// The row wins.
    Overwrite,
    /// The catalogue wins; only what it leaves open is filled in.
    FillGaps,
}

/// What is written in one transaction.
#[derive(Debug)]
pub(super) enum Batch {
    /// Rows that are events.
    Events(Vec<Event>),
    /// Rows that are items.
    ItemRows(Vec<ItemRow>, Merge),
    /// Items that follow from rows counted otherwise.
    Catalogue(Vec<(ItemId, ItemPatch)>),
    /// Past prices, all of an item in one batch.
    Prices(Vec<PriceEntry>),
}

/// A row that is an item, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ItemRow {
    pub(super) item: ItemId,
    pub(super) patch: ItemPatch,
    pub(super) place: RowPlace,
}

/// Takes rows one by one.
pub(super) struct Feed {
    /// What rows must keep to.
    pub(super) rules: FormRules,
    sender: mpsc::Sender<Batch>,
    rejects: Rejects,
    file: Arc<str>,
    rows: u64,
    events: Vec<Event>,
    items: Vec<ItemRow>,
    merge: Merge,
}

impl Feed {
    /// A feed of nothing yet.
    pub(super) fn new(sender: mpsc::Sender<Batch>, rejects: Rejects, rules: FormRules) -> Self {
        Self {
            rules,
            sender,
            rejects,
            file: "".into(),
            rows: 0,
            events: vec![],
            items: vec![],
            merge: Merge::Overwrite,
        }
    }

    /// The rows that follow are from `path`.
    pub(super) fn begin_file(&mut self, path: &Path) {
        self.file = path.display().to_string().into();
    }

    /// Takes a row that is an event.
    pub(super) fn event(&mut self, event: Event) -> Result<(), ImportError> {
        self.rows += 1;
        self.events.push(event);
        if self.events.len() < EVENTS_PER_BATCH { Ok(()) } else { self.flush() }
    }

    /// Takes a row that is an item.
    pub(super) fn item(
        &mut self,
        (item, patch): (ItemId, ItemPatch),
        merge: Merge,
        (line, text): (u64, &str),
    ) -> Result<(), ImportError> {
        self.rows += 1;
        self.merge = merge;
        self.items.push(ItemRow { item, patch, place: RowPlace::new(&self.file, line, text) });
        if self.items.len() < ITEMS_PER_BATCH { Ok(()) } else { self.flush() }
    }

    /// Takes a row that cannot be stored.
    pub(super) fn reject(&mut self, line: u64, reason: &str, row: &str) -> Result<(), ImportError> {
        self.rows += 1;
        self.rejects.push(&RowPlace::new(&self.file, line, row), reason)
    }

    /// As [`Self::reject`].
    pub(super) fn reject_bad(&mut self, bad: &BadRow) -> Result<(), ImportError> {
        self.reject(bad.line, &bad.reason, &bad.text)
    }

    /// Sends what was gathered.
    pub(super) fn flush(&mut self) -> Result<(), ImportError> {
        if !self.events.is_empty() {
            let events = mem::take(&mut self.events);
            self.send(Batch::Events(events))?;
        }
        if !self.items.is_empty() {
            let items = mem::take(&mut self.items);
            self.send(Batch::ItemRows(items, self.merge))?;
        }
        Ok(())
    }

    /// Sends items that are not rows of their own.
    pub(super) fn catalogue(&self, items: Vec<(ItemId, ItemPatch)>) -> Result<(), ImportError> {
        let mut rest = items;
        while !rest.is_empty() {
            let further = rest.split_off(rest.len().min(ITEMS_PER_BATCH));
            self.send(Batch::Catalogue(mem::replace(&mut rest, further)))?;
        }
        Ok(())
    }

    /// Sends past prices; all of an item's must be in one call.
    pub(super) fn prices(&self, entries: Vec<PriceEntry>) -> Result<(), ImportError> {
        if entries.is_empty() { Ok(()) } else { self.send(Batch::Prices(entries)) }
    }

    /// Waits while the queue is full.
    fn send(&self, batch: Batch) -> Result<(), ImportError> {
        self.sender.blocking_send(batch).map_err(|_| ImportError::Stopped)
    }

    /// Sends what is left; answers how many rows there were.
    pub(super) fn finish(mut self) -> Result<u64, ImportError> {
        self.flush()?;
        Ok(self.rows)
    }
}

/// Whether a row's time is one that the forms would take.
pub(super) fn check_time(time: Timestamp, rules: &FormRules) -> Result<Timestamp, String> {
    if time.since_ms(rules.now) > rules.future_skew_max_ms {
        return Err(format!("the time lies in the future: {time}"));
    }
    Ok(time)
}

/// All complaints as one sentence.
pub(super) fn listed(problems: &[FieldProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
