//! From a line to its fields, and which field is what.

use super::files::Third;
use std::borrow::Cow;

/// What stands between fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Separator {
    DoubleColon,
    Tab,
    Comma,
    Space,
}

impl Separator {
    /// The first of `::`, tab, comma that occurs in a file's first line; white space otherwise.
    pub(super) fn of(line: &str) -> Self {
        let found = [("::", Self::DoubleColon), ("\t", Self::Tab), (",", Self::Comma)];
        found.into_iter().find(|(text, _)| line.contains(text)).map_or(Self::Space, |found| found.1)
    }

    /// The fields of a line, white space around them taken off. A line of a comma-separated file may
    /// have fields in quotes (RFC 4180).
    pub(super) fn split(self, line: &str) -> Vec<Cow<'_, str>> {
        let trimmed = |field: &str| -> String { field.trim().to_owned() };
        match self {
            Self::DoubleColon => line.split("::").map(|field| Cow::from(field.trim())).collect(),
            Self::Tab => line.split('\t').map(|field| Cow::from(field.trim())).collect(),
            Self::Space => line.split_whitespace().map(Cow::from).collect(),
            Self::Comma if line.contains('"') => {
                let mut reader =
                    csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
                let record = reader.records().next().and_then(Result::ok).unwrap_or_default();
                record.iter().map(|field| Cow::from(trimmed(field))).collect()
            }
            Self::Comma => line.split(',').map(|field| Cow::from(field.trim())).collect(),
        }
    }
}

const SESSION: &[&str] = &["session", "sessionid", "s"];
const USER: &[&str] = &["user", "userid", "visitorid", "customerid", "u"];
const ITEM: &[&str] = &["item", "itemid", "movieid", "productid", "sku", "i"];
const VALUE: &[&str] = &["rating", "value", "weight", "score", "r"];
const TIME: &[&str] = &["time", "timestamp", "date", "t"];

/// A field as a column's name: lower case, letters only.
fn name(field: &str) -> String {
    field.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether a first line names columns instead of holding data.
pub(super) fn is_header(fields: &[Cow<'_, str>]) -> bool {
    let is = |names: &[&str]| fields.iter().any(|field| names.contains(&name(field).as_str()));
    is(USER) && is(ITEM)
}

/// Where the fields of a row are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) user: usize,
    pub(super) item: usize,
    pub(super) value: Option<usize>,
    pub(super) time: Option<usize>,
}

impl Columns {
    /// As a header says; a reason if it lacks what is needed.
    pub(super) fn named(fields: &[Cow<'_, str>], third: Third) -> Result<Self, String> {
        let find =
            |names: &[&str]| fields.iter().position(|field| names.contains(&name(field).as_str()));
        let (Some(user), Some(item)) = (find(USER), find(ITEM)) else {
            return Err("a header must name the columns `user` and `item`".into());
        };
        let value = find(VALUE);
        if value.is_none() && third == Third::Rating {
            return Err("the header names no column `rating`".into());
        }
        Ok(Self { user, item, value, time: find(TIME) })
    }

    /// `user item value time`, as far as a file without a header goes.
    pub(super) fn in_order(n_fields: usize, third: Third) -> Self {
        let has_value = third == Third::Rating || n_fields > 2;
        Self { user: 0, item: 1, value: has_value.then_some(2), time: (n_fields > 3).then_some(3) }
    }
}

/// Where the fields of a session's event are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SessionColumns {
    pub(super) session: usize,
    pub(super) item: usize,
    pub(super) time: usize,
}

impl SessionColumns {
    /// As a header says, a reason if it lacks a time; `None` if the line is no header.
    pub(super) fn named(fields: &[Cow<'_, str>]) -> Option<Result<Self, String>> {
        let find =
            |names: &[&str]| fields.iter().position(|field| names.contains(&name(field).as_str()));
        let (session, item) = (find(SESSION)?, find(ITEM)?);
        let no_time = || "the header names no column `time`".to_owned();
        Some(find(TIME).map(|time| Self { session, item, time }).ok_or_else(no_time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_falls_apart_at_what_its_file_separates_with() {
        let fields = |line: &str| -> Vec<String> {
            Separator::of(line).split(line).into_iter().map(Cow::into_owned).collect()
        };
        assert_eq!(fields("1::2::3.5::978"), ["1", "2", "3.5", "978"]);
        assert_eq!(fields("anna b\t2 \t 3"), ["anna b", "2", "3"]);
        assert_eq!(fields("a, b ,3"), ["a", "b", "3"]);
        assert_eq!(fields("\"a, or \"\"b\"\"\",2,"), ["a, or \"b\"", "2", ""]);
        assert_eq!(fields("  1  2 3"), ["1", "2", "3"]);
    }

    #[test]
    fn a_header_is_told_by_its_names_in_any_spelling_and_order() {
        let fields = |line: &'static str| Separator::of(line).split(line);
        let header = fields("timestamp,ItemId,user_id,rating");
        assert!(is_header(&header));
        let columns = Columns::named(&header, Third::Rating).unwrap();
        assert_eq!(columns, Columns { user: 2, item: 1, value: Some(3), time: Some(0) });
        assert!(!is_header(&fields("1,2,3")));
        assert!(Columns::named(&fields("user,item"), Third::Rating).is_err());
        assert_eq!(Columns::named(&fields("user,item"), Third::Weight).unwrap().value, None);
        let sessions = SessionColumns::named(&fields("Time\tItemId\tSessionId"));
        assert_eq!(sessions, Some(Ok(SessionColumns { session: 2, item: 1, time: 0 })));
        assert_eq!(SessionColumns::named(&fields("9 8 7")), None);
        assert!(SessionColumns::named(&fields("session,item")).unwrap().is_err());
        let in_order = Columns::in_order(4, Third::Weight);
        assert_eq!(in_order, Columns { user: 0, item: 1, value: Some(2), time: Some(3) });
        assert_eq!(Columns::in_order(2, Third::Rating).value, Some(2));
    }
}
