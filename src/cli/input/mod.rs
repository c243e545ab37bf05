//! Reading text files, for every command that does: decompressed, line by line, within bounds.

mod compression;
mod lines;

pub(in crate::cli) use compression::decompressed;
pub(in crate::cli) use lines::{LINE_BYTES_MAX, Line, Lines};
