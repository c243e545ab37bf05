//! Events and items as the API takes them: one JSON object per line, or CSV with the fields' names
//! as its header. Every row passes the form that a request passes.

use super::{
    ImportError, cells,
    csv_rows::CsvRows,
    feed::{Feed, Merge, listed},
    source::Source,
};
use crate::{
    domain::{Event, ItemChange, ItemId, item::ItemPatch},
    record::forms::{FormRules, event_from_json, item_row_from_json},
};
use serde_json::Value;
use std::collections::HashMap;

/// Reads a file of events.
pub(super) fn read_events(feed: &mut Feed, source: Source) -> Result<(), ImportError> {
    let rules = feed.rules;
    let mut namer = Namer::default();
    let take = |feed: &mut Feed, event, _: (u64, &str)| feed.event(event);
    read(feed, source, |value| event(&value, &rules, &mut namer), take)
}

/// Reads a file of items.
pub(super) fn read_items(feed: &mut Feed, source: Source) -> Result<(), ImportError> {
    let rules = feed.rules;
    let take = |feed: &mut Feed, item, row: (u64, &str)| feed.item(item, Merge::Overwrite, row);
    read(feed, source, |value| item(&value, &rules), take)
}

fn event(value: &Value, rules: &FormRules, namer: &mut Namer) -> Result<Event, String> {
    let mut event = event_from_json(value, rules, None).map_err(|problems| listed(&problems))?;
    event.event_id = Some(event.event_id.take().unwrap_or_else(|| namer.name(value)));
    Ok(event)
}

fn item(value: &Value, rules: &FormRules) -> Result<(ItemId, ItemPatch), String> {
    match item_row_from_json(value, rules).map_err(|problems| listed(&problems))? {
        (item, ItemChange::Merge(patch)) => Ok((item, *patch)),
        (_, ItemChange::Replace(_) | ItemChange::Remove) => {
            Err("a row of items can only change fields".to_owned())
        }
    }
}

/// Gives events without an id one that is the same whenever the file is read again.
///
/// Two equal rows of a file are two events, so a row's id follows from its content and from how
/// many equal rows stand before it. Takes about 20 bytes of memory for each such row.
#[derive(Default)]
struct Namer {
    /// By the first half of the content's hash: if two contents shared it, their ids would still
    /// differ, and still be the same the next time.
    n_seen: HashMap<u64, u32>,
}

impl Namer {
    fn name(&mut self, value: &Value) -> String {
        let content = value.to_string();
        let hash = blake3::hash(content.as_bytes());
        let mut key = [0; 8];
        key.copy_from_slice(&hash.as_bytes()[..8]);
        let n_before = self.n_seen.entry(u64::from_le_bytes(key)).or_insert(0);
        let id = hashed_id("import", &[&content, &n_before.to_string()]);
        *n_before += 1;
        id
    }
}

/// An event id that follows from `parts`: 128 bits of BLAKE3, so that no two rows share one.
pub(super) fn hashed_id(prefix: &str, parts: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        // The length first, so that no two lists of parts run into the same bytes.
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    format!("{prefix}-{}", &hasher.finalize().to_hex()[..32])
}

fn read<T>(
    feed: &mut Feed,
    mut source: Source,
    mut parse: impl FnMut(Value) -> Result<T, String>,
    take: impl Fn(&mut Feed, T, (u64, &str)) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    let failed = Source::read_error(&source.path);
    let is_csv = is_csv(&mut source).map_err(&failed)?;
    if is_csv {
        let mut rows = CsvRows::new(source.lines).map_err(&failed)?;
        while let Some(row) = rows.next().map_err(&failed)? {
            match row {
                Err(bad) => feed.reject_bad(&bad)?,
                Ok(row) => match parse(cells::object(rows.columns(), &row.cells)) {
                    Ok(parsed) => take(feed, parsed, (row.line, &row.text))?,
                    Err(reason) => feed.reject(row.line, &reason, &row.text)?,
                },
            }
        }
        return Ok(());
    }
    while let Some(line) = source.lines.next().map_err(&failed)? {
        if line.text.trim().is_empty() {
            continue;
        }
        let value = match line.problem {
            Some(problem) => Err(problem.to_owned()),
            None => serde_json::from_str(&line.text).map_err(|error| not_json(&error)),
        };
        match value.and_then(&mut parse) {
            Ok(parsed) => take(feed, parsed, (line.number, &line.text))?,
            Err(reason) => feed.reject(line.number, &reason, &line.text)?,
        }
    }
    Ok(())
}

/// By the file's name if it tells, else by its first line: a header does not begin with a brace.
fn is_csv(source: &mut Source) -> std::io::Result<bool> {
    let named = |ending: &str| source.name.to_ascii_lowercase().contains(ending);
    if named(".csv") {
        return Ok(true);
    }
    if [".ndjson", ".jsonl", ".json"].into_iter().any(named) {
        return Ok(false);
    }
    Ok(source.lines.peek()?.is_some_and(|line| !line.text.trim_start().starts_with(['{', '['])))
}

/// The line is told apart, so only the column stays.
fn not_json(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let detail = text.rfind(" at line ").map_or(text.as_str(), |at| &text[..at]);
    format!("not valid JSON at column {}: {detail}", error.column())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn equal_rows_have_different_ids_that_are_the_same_in_the_next_run() {
        let names = || {
            let mut namer = Namer::default();
            let rows = [json!({"a": 1, "b": 2}), json!({"b": 2, "a": 1}), json!({"a": 2})];
            rows.map(|row| namer.name(&row))
        };
        let [first, second, other] = names();
        assert!(first != second && second != other && first != other);
        assert_eq!(names(), [first.clone(), second, other]);
        assert!(first.starts_with("import-") && first.len() == 7 + 32);
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(hashed_id("x", &["ab", "c"]), hashed_id("x", &["a", "bc"]));
    }
}
