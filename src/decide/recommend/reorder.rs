//! The order of a list when it is not by score alone: what was just shown sinks, and neighbours differ.
//!
//! Maximal marginal relevance: Carbonell, Goldstein, "The use of MMR, diversity-based reranking for reordering
//! documents and producing summaries", SIGIR 1998, with `λ = 1 − diversity`. Relevance is the score mapped to
//! 0 … 1 over the candidates; likeness of two items is that of `similar` in the snapshot, 0 for items that are not
//! on each other's list, and at least 0.3 for those of one main category.

use super::{gate::Gate, list::Candidate};
use crate::domain::{ItemId, Timestamp, time::MINUTE_MS};
use rustc_hash::FxHashMap;

/// Candidates that are put into another order; what lies behind stays where it is.
pub(super) const REORDERED_MAX: usize = 300;

/// How alike two items of one main category are if nothing more is known.
const SAME_CATEGORY: f32 = 0.3;

/// Steps in which an item that was shown comes up again.
const ROTATION_STEPS: i64 = 8;

/// Puts candidates, best first, into the order that the policy wants. Which candidate comes first does not depend
/// on how many are asked for, as long as there are [`REORDERED_MAX`] or all of them.
pub(super) fn reorder(pool: &mut Vec<Candidate>, gate: &Gate<'_>) {
    let policy = gate.policy;
    if policy.diversity <= 0.0 && !policy.rotates() {
        return;
    }
    let behind = pool.split_off(pool.len().min(REORDERED_MAX));
    let mut relevance = relevance_of(pool);
    if policy.rotates() {
        for (candidate, relevance) in pool.iter().zip(&mut relevance) {
            let shown = gate.taste.shown.iter().find(|shown| shown.0 == candidate.item.item_id);
            if let Some(&(_, at)) = shown {
                *relevance -= policy.rotation * left(at, policy.rotation_minutes, gate.now());
            }
        }
    }
    let order = if policy.diversity > 0.0 {
        marginal_order(pool, &relevance, gate)
    } else {
        let mut order: Vec<usize> = (0..pool.len()).collect();
        // Stable, so that equals stay as they came.
        order.sort_by(|&a, &b| relevance[b].total_cmp(&relevance[a]));
        order
    };
    let mut places: Vec<Option<Candidate>> = std::mem::take(pool).into_iter().map(Some).collect();
    pool.extend(order.into_iter().filter_map(|at| places[at].take()));
    pool.extend(behind);
}

/// Scores mapped to 0 … 1; all 1 if they are equal.
fn relevance_of(pool: &[Candidate]) -> Vec<f32> {
    let scores = || pool.iter().map(|candidate| candidate.score);
    let (min, max) =
        (scores().fold(f32::INFINITY, f32::min), scores().fold(f32::NEG_INFINITY, f32::max));
    scores().map(|score| if min < max { (score - min) / (max - min) } else { 1.0 }).collect()
}

/// The order by marginal relevance.
fn marginal_order(pool: &[Candidate], relevance: &[f32], gate: &Gate<'_>) -> Vec<usize> {
    let diversity = gate.policy.diversity;
    let snapshot = gate.snapshot;
    let position = |candidate: &Candidate| snapshot.item_position(&candidate.item.item_id);
    let places: FxHashMap<u32, usize> = pool
        .iter()
        .enumerate()
        .filter_map(|(at, candidate)| Some((position(candidate)?, at)))
        .collect();
    let category = |at: usize| pool[at].item.fields.categories.first();
    // Likeness as the lists of both sides have it.
    let mut alike: Vec<Vec<(usize, f32)>> = vec![Vec::new(); pool.len()];
    for (&item, &at) in &places {
        for (other, likeness) in snapshot.related.similar(item) {
            if let Some(&other) = places.get(&other) {
                alike[at].push((other, likeness));
                alike[other].push((at, likeness));
            }
        }
    }
    let mut nearest = vec![0.0_f32; pool.len()];
    let mut is_taken = vec![false; pool.len()];
    let mut order = Vec::with_capacity(pool.len());
    let worth =
        |at: usize, nearest: &[f32]| (1.0 - diversity) * relevance[at] - diversity * nearest[at];
    for _ in 0..pool.len() {
        let free = (0..pool.len()).filter(|&at| !is_taken[at]);
        // Of equals the one that came first.
        let best = free.reduce(
            |best, at| {
                if worth(at, &nearest) > worth(best, &nearest) { at } else { best }
            },
        );
        let Some(best) = best else { break };
        is_taken[best] = true;
        order.push(best);
        for &(other, likeness) in &alike[best] {
            nearest[other] = nearest[other].max(likeness);
        }
        if category(best).is_some() {
            for other in (0..pool.len()).filter(|&other| category(other) == category(best)) {
                nearest[other] = nearest[other].max(SAME_CATEGORY);
            }
        }
    }
    order
}

/// How much an item that was shown still sinks: 1 at first, 0 after `minutes`, in steps.
fn left(shown_at: Timestamp, minutes: u32, now: Timestamp) -> f32 {
    let step = step_ms(minutes);
    let passed = now.since_ms(shown_at).max(0) / step;
    (ROTATION_STEPS - passed.min(ROTATION_STEPS)) as f32 / ROTATION_STEPS as f32
}

fn step_ms(minutes: u32) -> i64 {
    (i64::from(minutes) * MINUTE_MS / ROTATION_STEPS).max(1)
}

/// When what was shown next comes up a step.
pub fn next_rise(shown: &[(ItemId, Timestamp)], minutes: u32, now: Timestamp) -> Option<Timestamp> {
    let step = step_ms(minutes);
    let next = |&(_, at): &(ItemId, Timestamp)| {
        let passed = now.since_ms(at).max(0) / step;
        (passed < ROTATION_STEPS).then(|| at.plus_ms((passed + 1) * step))
    };
    shown.iter().filter_map(next).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_shown_comes_up_again_step_by_step() {
        let minute = |n: i64| Timestamp(n * MINUTE_MS);
        let sinks = |now| left(minute(10), 8, minute(now));
        let eighths = |now| (8.0 * sinks(now)).round() as u32;
        assert_eq!([10, 12, 17, 18, 99].map(eighths), [8, 6, 1, 0, 0]);
        let shown =
            [(ItemId::new("a").unwrap(), minute(10)), (ItemId::new("b").unwrap(), minute(3))];
        assert_eq!(next_rise(&shown, 8, minute(10)), Some(minute(11)));
        assert_eq!(next_rise(&shown, 8, minute(17)), Some(minute(18)));
        assert_eq!(next_rise(&shown, 8, minute(18)), None);
    }
}
