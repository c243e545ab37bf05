//! Finding the past sessions that are most like the running one.
//!
//! Source: Kersbergen, Sprangers, Schelter, SIGMOD 2022, algorithm 2: of the sessions that share an item with
//! the running one, the
//! `m` latest are candidates, and of these the `k` most similar are neighbours; a list of sessions is left as soon
//! as all that follows in it is older than the oldest candidate.
//!
//! Departure: the lists of the running session's items, each from the latest session on, are merged, which
//! meets every session once, with all that it shares, and stops at the `m`-th. The paper goes through list
//! after list with a hash map and a heap; the candidates and their similarities are the same, since a session
//! that left the heap is older than all that are in it and never comes back.

use super::params::SESSION_ITEMS_LIMIT;

/// A past session that shares something with the running one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Neighbour {
    /// Its number.
    pub(super) session: u32,
    /// Which of the items asked with it holds: bit 0 is the first of them.
    pub(super) shared: u32,
    /// Sum of the weights of those, times the session's own.
    pub(super) similarity: f32,
}

/// No session.
const NONE: u32 = u32::MAX;

/// Overwrites `candidates` with the `m` latest sessions of `lists`, which rise, the latest first; `weights` are
/// those of the lists, `session_weights` those of all sessions.
///
/// Costs at most `m · lists.len()` steps, however long the lists are.
pub(super) fn find_candidates(
    lists: &[&[u32]],
    weights: &[f32],
    session_weights: &[f32],
    m: usize,
    candidates: &mut Vec<Neighbour>,
) {
    let n_lists = lists.len();
    assert!(n_lists == weights.len() && n_lists <= SESSION_ITEMS_LIMIT, "a weight for each list");
    candidates.clear();
    let mut rests = [&[][..]; SESSION_ITEMS_LIMIT];
    let mut heads = [NONE; SESSION_ITEMS_LIMIT];
    let (rests, heads) = (&mut rests[..n_lists], &mut heads[..n_lists]);
    for ((rest, head), list) in rests.iter_mut().zip(&mut *heads).zip(lists) {
        (*head, *rest) = behead(list);
    }
    while candidates.len() < m {
        let session = heads.iter().copied().min().unwrap_or(NONE);
        if session == NONE {
            break;
        }
        let (mut shared, mut similarity) = (0, 0.0);
        for (at, (head, rest)) in heads.iter_mut().zip(&mut *rests).enumerate() {
            if *head == session {
                shared |= 1 << at;
                similarity += weights[at];
                (*head, *rest) = behead(rest);
            }
        }
        similarity *= session_weights[session as usize];
        candidates.push(Neighbour { session, shared, similarity });
    }
}

fn behead(list: &[u32]) -> (u32, &[u32]) {
    list.split_first().map_or((NONE, &[]), |(head, rest)| (*head, rest))
}

/// Leaves the `k` most similar, of equals the latest, in their order. `keys` is room to work in.
pub(super) fn keep_most_similar(candidates: &mut Vec<Neighbour>, k: usize, keys: &mut Vec<u64>) {
    if candidates.len() <= k {
        return;
    }
    keys.clear();
    keys.extend(candidates.iter().map(key));
    let (_, worst_kept, _) = keys.select_nth_unstable(k - 1);
    let worst_kept = *worst_kept;
    candidates.retain(|candidate| key(candidate) <= worst_kept);
}

/// Less is better, and no two sessions have the same: the bits of a float that is not below 0 are in its order
/// (IEEE 754-2008, 5.10).
fn key(candidate: &Neighbour) -> u64 {
    u64::from(!candidate.similarity.to_bits()) << 32 | u64::from(candidate.session)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Algorithm 2 of the paper as it is written, but for its early stop: list after list, the oldest
    /// candidate making room for a later one.
    fn list_after_list(lists: &[&[u32]], weights: &[f32], m: usize) -> Vec<(u32, f32)> {
        let mut candidates: Vec<(u32, f32)> = Vec::new();
        for (list, weight) in lists.iter().zip(weights) {
            for &session in *list {
                if let Some(known) = candidates.iter_mut().find(|known| known.0 == session) {
                    known.1 += weight;
                } else if candidates.len() < m {
                    candidates.push((session, *weight));
                } else {
                    let oldest = candidates.iter_mut().max_by_key(|known| known.0).unwrap();
                    if session < oldest.0 {
                        *oldest = (session, *weight);
                    }
                }
            }
        }
        candidates.sort_unstable_by_key(|candidate| candidate.0);
        candidates
    }

    prop_compose! {
        fn any_lists()(
            sets in prop::collection::vec(prop::collection::btree_set(0..60_u32, 0..40), 0..6),
        ) -> Vec<Vec<u32>> {
            sets.into_iter().map(|set| set.into_iter().collect()).collect()
        }
    }

    proptest! {
        #[test]
        fn stopping_early_finds_the_same_candidates(lists in any_lists(), m in 1..50_usize) {
            let lists: Vec<&[u32]> = lists.iter().map(Vec::as_slice).collect();
            // Powers of two, whose sums are exact in any order.
            let weights: Vec<f32> = (0..lists.len()).map(|at| f32::from(1_u8 << at)).collect();
            let mut found = Vec::new();
            find_candidates(&lists, &weights, &[1.0; 60], m, &mut found);
            for neighbour in &found {
                let holds = |at: &usize| lists[*at].contains(&neighbour.session);
                let shared = (0..lists.len()).filter(holds).fold(0, |set, at| set | 1 << at);
                prop_assert_eq!(neighbour.shared, shared);
            }
            let found: Vec<_> = found.iter().map(|found| (found.session, found.similarity)).collect();
            prop_assert_eq!(found, list_after_list(&lists, &weights, m));
        }

        #[test]
        fn the_most_similar_are_kept_and_of_equals_the_latest(
            similarities in prop::collection::vec(0..5_u8, 0..40),
            k in 1..20_usize,
        ) {
            let neighbour = |(session, of): (u32, &u8)| {
                let similarity = f32::from(*of) / 4.0;
                Neighbour { session, shared: 1, similarity }
            };
            let mut kept: Vec<Neighbour> = (0..).zip(&similarities).map(neighbour).collect();
            let mut sorted = kept.clone();
            sorted.sort_by(|a, b| b.similarity.total_cmp(&a.similarity).then(a.session.cmp(&b.session)));
            sorted.truncate(k);
            sorted.sort_unstable_by_key(|neighbour| neighbour.session);
            keep_most_similar(&mut kept, k, &mut Vec::new());
            prop_assert_eq!(kept, sorted);
        }
    }

    #[test]
    fn work_ends_with_the_last_candidate_however_long_the_lists_are() {
        let long: Vec<u32> = (0..1_000_000).collect();
        let mut found = Vec::new();
        // Weights of the sessions that may be looked at: any further one would be out of bounds.
        find_candidates(&[&long, &long[5..]], &[1.0, 2.0], &[1.0; 10], 10, &mut found);
        let similarities: Vec<f32> = found.iter().map(|found| found.similarity).collect();
        assert_eq!(similarities, [1.0, 1.0, 1.0, 1.0, 1.0, 3.0, 3.0, 3.0, 3.0, 3.0]);
    }
}
