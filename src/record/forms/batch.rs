//! From the bytes of a request to the JSON values in it.

use serde_json::Value;

/// Why a body as a whole cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Not JSON.
    #[error("not valid JSON at line {line}, column {column}: {detail}")]
    Malformed {
        /// Line of the first wrong byte, from 1.
        line: usize,
        /// Column of the first wrong byte, from 1.
        column: usize,
        /// What is wrong there.
        detail: String,
    },
    /// More entries than one request may carry.
    #[error("{n} entries are too many for one request; at most {max} are allowed")]
    TooMany {
        /// How many there are.
        n: usize,
        /// How many may be.
        max: usize,
    },
    /// No bytes but white space.
    #[error("the body is empty")]
    Empty,
    /// A string, a number or the like.
    #[error("the body must be an object or an array of objects")]
    NotAnObjectOrArray,
}

/// Reads the entries of a body: one object, an array, or one JSON value per line. A line that is not
/// JSON is an `Err` in its place, the others are not affected; blank lines do not count.
///
/// An empty array has no entries and is not an error: it is what a client with nothing to say sends.
pub fn decode_batch(
    body: &[u8],
    is_ndjson: bool,
    max: usize,
) -> Result<Vec<Result<Value, String>>, BatchError> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    if body.trim_ascii().is_empty() {
        return Err(BatchError::Empty);
    }
    if is_ndjson {
        let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let lines: Vec<&[u8]> = lines.filter(|line| !line.is_empty()).collect();
        check_count(lines.len(), max)?;
        return Ok(lines.into_iter().map(decode_line).collect());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Array(values)) => {
            check_count(values.len(), max)?;
            Ok(values.into_iter().map(Ok).collect())
        }
        Ok(value @ Value::Object(_)) => {
            check_count(1, max)?;
            Ok(vec![Ok(value)])
        }
        Ok(_) => Err(BatchError::NotAnObjectOrArray),
        Err(error) => Err(BatchError::Malformed {
            line: error.line(),
            column: error.column(),
            detail: without_place(&error),
        }),
    }
}

fn check_count(n: usize, max: usize) -> Result<(), BatchError> {
    if n > max { Err(BatchError::TooMany { n, max }) } else { Ok(()) }
}

fn decode_line(line: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(line).map_err(|error| {
        format!("not valid JSON at column {}: {}", error.column(), without_place(&error))
    })
}

/// The error's text without the place, which is told apart.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rfind(" at line ").map_or(text.as_str(), |at| &text[..at]).to_owned()
}
