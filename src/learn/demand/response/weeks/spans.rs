//! Spans of time, and records that are in force for one.

use super::{Periods, Spell};
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

/// The times of spells, which are sorted, none of them twice.
pub(super) fn union(spells: &[Spell]) -> Vec<Span> {
    let mut spans: Vec<Span> = vec![];
    for spell in spells {
        let span = spell.from.0..spell.to.map_or(i64::MAX, |to| to.0);
        match spans.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => spans.push(span),
        }
    }
    spans
}

/// Those of the spans, which are sorted and do not overlap, that meet `span`.
fn meeting<'a>(spans: &'a [Span], span: &'a Span) -> impl Iterator<Item = &'a Span> {
    let first = spans.partition_point(|other| other.end <= span.start);
    spans[first..].iter().take_while(|other| other.start < span.end)
}

/// How much of `span` lies in spans that are sorted and do not overlap.
pub(super) fn covered(spans: &[Span], span: &Span) -> f64 {
    meeting(spans, span).map(|other| length(&overlap(other, span))).sum()
}

/// What is left of `span` outside of spans that are sorted and do not overlap.
pub(super) fn without(span: &Span, spans: &[Span]) -> Vec<Span> {
    let (mut left, mut from) = (vec![], span.start);
    for other in meeting(spans, span) {
        if from < other.start {
            left.push(from..other.start);
        }
        from = other.end;
    }
    if from < span.end {
        left.push(from..span.end);
    }
    left
}
