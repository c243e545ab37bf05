//! Spans of time, and records that are in force for one.

use super::Periods;
use crate::domain::Timestamp;
use std::ops::Range;

/// A span of time, in milliseconds.
pub(super) type Span = Range<i64>;

/// Spells, oldest first, with their times within the periods: each ends at the latest where the next one begins.
pub(super) fn spans<T: Copy>(
    spells: &[T],
    periods: &Periods,
    times: impl Fn(&T) -> (Timestamp, Option<Timestamp>),
) -> Vec<(Span, T)> {
    let whole = periods.whole();
    let mut timed = Vec::with_capacity(spells.len());
    for (at, spell) in spells.iter().enumerate() {
        let (from, to) = times(spell);
        let next = spells.get(at + 1).map_or(i64::MAX, |next| times(next).0.0);
        let span = overlap(&(from.0..to.map_or(next, |to| to.0.min(next))), &whole);
        if span.start < span.end {
            timed.push((span, *spell));
        }
    }
    timed
}

pub(super) fn overlap(a: &Span, b: &Span) -> Span {
    a.start.max(b.start)..a.end.min(b.end)
}

pub(super) fn length(span: &Span) -> f64 {
    span.end.saturating_sub(span.start).max(0) as f64
}
