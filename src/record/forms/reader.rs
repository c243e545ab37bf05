//! Reads the fields of one object and collects what is wrong with them.

use super::FieldProblem;
use serde_json::{Map, Value};

/// Reads one object field by field; complaints gather until [`Reader::finish`].
pub(super) struct Reader<'a> {
    object: &'a Map<String, Value>,
    problems: Vec<FieldProblem>,
}

/// What is known of a field after looking for it.
pub(super) enum Field<'a> {
    /// Not there.
    Absent,
    /// There, as `null`.
    Null,
    /// There under this name.
    Given(&'static str, &'a Value),
}

impl<'a> Reader<'a> {
    /// Begins to read `value`, which must be an object.
    pub(super) fn new(value: &'a Value) -> Result<Self, Vec<FieldProblem>> {
        match value {
            Value::Object(object) => Ok(Self { object, problems: Vec::new() }),
            other => Err(vec![FieldProblem {
                pointer: String::new(),
                detail: format!("must be an object, not {}", super::values::type_name(other)),
            }]),
        }
    }

    /// Adds a complaint about `name`.
    pub(super) fn refuse(&mut self, name: &str, detail: impl Into<String>) {
        let escaped = name.replace('~', "~0").replace('/', "~1");
        self.problems.push(FieldProblem { pointer: format!("/{escaped}"), detail: detail.into() });
    }

    /// The field under any of its `names`; two names with two values are a complaint.
    pub(super) fn find(&mut self, names: &[&'static str]) -> Field<'a> {
        let object = self.object;
        let mut given =
            names.iter().filter_map(|name| object.get(*name).map(|value| (*name, value)));
        let mut found = Field::Absent;
        for (name, value) in given.by_ref() {
            match (&found, value) {
                (Field::Absent, Value::Null) => found = Field::Null,
                (Field::Absent | Field::Null, value) => found = Field::Given(name, value),
                (Field::Given(..), Value::Null) => {}
                (Field::Given(first, first_value), value) if *first_value != value => {
                    let detail =
                        format!("says something else than `{first}`, which means the same");
                    self.refuse(name, detail);
                }
                (Field::Given(..), _) => {}
            }
        }
        found
    }

    /// The field's value as `parse` reads it; `None` if it is absent, `null` or refused.
    pub(super) fn read<T>(
        &mut self,
        names: &[&'static str],
        parse: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<T> {
        match self.find(names) {
            Field::Absent | Field::Null => None,
            Field::Given(name, value) => match parse(value) {
                Ok(read) => Some(read),
                Err(detail) => {
                    self.refuse(name, detail);
                    None
                }
            },
        }
    }

    /// As [`Self::read`], with a complaint if the field is absent.
    pub(super) fn require<T>(
        &mut self,
        names: &[&'static str],
        parse: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<T> {
        if !self.has(names) {
            self.refuse(names[0], "is required");
        }
        self.read(names, parse)
    }

    /// Whether the field is there under any name and not `null`.
    pub(super) fn has(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.object.get(*name).is_some_and(|value| !value.is_null()))
    }

    /// Complains about every field that is not one of `known`.
    pub(super) fn refuse_unknown(&mut self, known: &[&[&str]]) {
        let object = self.object;
        for name in object.keys() {
            if !known.iter().any(|names| names.contains(&name.as_str())) {
                let listed: Vec<&str> = known.iter().map(|names| names[0]).collect();
                self.refuse(name, format!("is not a known field; known are {}", listed.join(", ")));
            }
        }
    }

    /// What was built, unless there were complaints.
    pub(super) fn finish<T>(self, built: Option<T>) -> Result<T, Vec<FieldProblem>> {
        match built {
            Some(built) if self.problems.is_empty() => Ok(built),
            _ => Err(self.problems),
        }
    }
}
