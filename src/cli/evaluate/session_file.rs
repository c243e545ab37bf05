//! Reads sessions: events with a session, an item and a time, or whole sessions line by line.

use super::{
    fields::{Separator, SessionColumns},
    files::{Ids, time},
    text_file::{FileError, FileFacts, TextFile},
};
use std::path::Path;

/// How a file says what came next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Whole sessions.
    Sessions,
    /// Each line the beginning of a session and the item that came next, which is the last of its list here.
    Labelled,
}

/// A file of sessions.
#[derive(Clone, Debug)]
pub(super) struct SessionFile {
    /// Items by position, oldest first.
    pub(super) sessions: Vec<Vec<u32>>,
    /// When the last item of each was looked at, only to be compared; the number of the line where lines are all
    /// there is.
    pub(super) times: Vec<i64>,
    /// What the lists are.
    pub(super) form: Form,
    /// What was read.
    pub(super) facts: FileFacts,
}

/// Reads events under a header `SessionId ItemId Time`, in any order; otherwise a session on each line, its
/// items separated by white space or commas, oldest first. If `may_be_labelled`, and there is one tab in the
/// first line, all lines are `item item … TAB next`.
pub(super) fn read_sessions(
    path: &Path,
    items: &mut Ids,
    may_be_labelled: bool,
) -> Result<SessionFile, FileError> {
    let mut file = TextFile::open(path)?;
    let Some((number, first)) = file.next()? else {
        return Err(file.finish(0).expect_err("a file without a row is an error"));
    };
    let separator = Separator::of(&first);
    let header = SessionColumns::named(&separator.split(&first));
    if let Some(columns) = header {
        let columns = columns.map_err(|detail| file.line_error(number, detail))?;
        return read_events(file, (separator, columns), items);
    }
    let is_labelled = may_be_labelled && first.matches('\t').count() == 1;
    let (mut sessions, mut times) = (Vec::new(), Vec::new());
    let mut line = Some((number, first));
    while let Some((number, text)) = line {
        let mut names = |text: &str| -> Vec<u32> {
            let names = text.split(|c: char| c.is_whitespace() || c == ',');
            names.filter(|name| !name.is_empty()).map(|name| items.position(name)).collect()
        };
        let session = if is_labelled { labelled(&text, names) } else { Some(names(&text)) };
        let detail = || "a line is `item item … TAB next`, like the first one".to_owned();
        sessions.push(session.ok_or_else(|| file.line_error(number, detail()))?);
        times.push(number.cast_signed());
        line = file.next()?;
    }
    let form = if is_labelled { Form::Labelled } else { Form::Sessions };
    Ok(SessionFile { facts: file.finish(sessions.len())?, sessions, times, form })
}

/// The beginning and what came next; `None` if the line is not of this form.
fn labelled(text: &str, mut names: impl FnMut(&str) -> Vec<u32>) -> Option<Vec<u32>> {
    let (known, next) = text.split_once('\t')?;
    let (mut session, next) = (names(known), names(next));
    let is_pair = !session.is_empty() && next.len() == 1;
    session.extend(next);
    is_pair.then_some(session)
}

/// Reads what follows a header. Events of the same time stay in the order of their lines.
fn read_events(
    mut file: TextFile,
    (separator, columns): (Separator, SessionColumns),
    items: &mut Ids,
) -> Result<SessionFile, FileError> {
    let mut ids = Ids::default();
    let mut events: Vec<Vec<(i64, u32)>> = Vec::new();
    let mut n_rows = 0;
    while let Some((number, line)) = file.next()? {
        let fields = separator.split(&line);
        let field = |at: usize, name: &str| {
            let field = fields.get(at).map(|field| &**field).filter(|field| !field.is_empty());
            let detail = || format!("there is no {name} in column {}", at + 1);
            field.ok_or_else(|| file.line_error(number, detail()))
        };
        let session = ids.position(field(columns.session, "session")?) as usize;
        let item = items.position(field(columns.item, "item")?);
        let text = field(columns.time, "time")?;
        let when = time(text).ok_or_else(|| {
            let detail = format!("the time `{text}` is neither a number nor RFC 3339");
            file.line_error(number, detail)
        })?;
        if session == events.len() {
            events.push(Vec::new());
        }
        events[session].push((when, item));
        n_rows += 1;
    }
    let facts = file.finish(n_rows)?;
    for events in &mut events {
        events.sort_by_key(|event| event.0);
    }
    let sessions = events.iter().map(|events| events.iter().map(|event| event.1).collect());
    let times = events.iter().map(|events| events.last().map_or(0, |event| event.0));
    let (sessions, times) = (sessions.collect(), times.collect());
    Ok(SessionFile { sessions, times, form: Form::Sessions, facts })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn read(content: &str, may_be_labelled: bool) -> Result<SessionFile, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions");
        fs::write(&path, content).unwrap();
        let read = read_sessions(&path, &mut Ids::default(), may_be_labelled);
        read.map_err(|error| {
            error.to_string().replace(&format!("{}/", folder.path().display()), "")
        })
    }

    #[test]
    fn events_are_put_in_order_by_session_and_time() {
        for separator in ["\t", ","] {
            let text = "SessionId,ItemId,Time\n7,a,30.5\n8,b,10\n7,b,20\n7,c,30.5\n8,a,9\n";
            let file = read(&text.replace(',', separator), true).unwrap();
            assert_eq!(file.sessions, [vec![1, 0, 2], vec![0, 1]]);
            assert!(file.times[1] < file.times[0]);
            assert_eq!((file.form, file.facts.rows), (Form::Sessions, 5));
        }
    }

    #[test]
    fn lines_are_sessions_or_what_is_known_and_what_came_next() {
        let file = read("a b\n\nc\nb,a c\n", true).unwrap();
        assert_eq!(file.sessions, [vec![0, 1], vec![2], vec![1, 0, 2]]);
        assert!(file.times.is_sorted_by(|a, b| a < b));
        let labelled = read("a b\tc\na\tb\n", true).unwrap();
        assert_eq!(
            (labelled.sessions, labelled.form),
            (vec![vec![0, 1, 2], vec![0, 1]], Form::Labelled)
        );
        let plain = read("a\tb\na\tb\tc\n", false).unwrap();
        assert_eq!((plain.sessions, plain.form), (vec![vec![0, 1], vec![0, 1, 2]], Form::Sessions));
    }

    #[test]
    fn a_bad_line_is_named_with_what_to_change() {
        let error = |text: &str| read(text, true).unwrap_err();
        let header = "session item time\n";
        assert_eq!(
            error(&format!("{header}1 2 noon\n")),
            "sessions, line 2: the time `noon` is neither a number nor RFC 3339"
        );
        assert_eq!(
            error(&format!("{header}1 2 3\n1 2\n")),
            "sessions, line 3: there is no time in column 3"
        );
        assert_eq!(
            error("session,item\n1,2\n"),
            "sessions, line 1: the header names no column `time`"
        );
        assert_eq!(
            error("a b\tc\na b\n"),
            "sessions, line 2: a line is `item item … TAB next`, like the first one"
        );
        assert_eq!(error("\n"), "sessions: there is nothing in the file");
        assert_eq!(error(header), "sessions: there is nothing in the file");
    }
}
