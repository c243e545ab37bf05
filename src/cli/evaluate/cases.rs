//! From rows and what they are for to a matrix and the questions about it.

use crate::learn::{
    dataset::{InteractionMatrix, ItemIdx, UserIdx},
    evaluation::{HeldOutCase, splits::Part},
};
use rustc_hash::FxHashMap;
use serde::Serialize;

/// What models are fitted on and asked.
#[derive(Clone, Debug)]
pub(super) struct Task {
    /// Rows are the users with something to learn from, in the order of their positions.
    pub(super) matrix: InteractionMatrix,
    /// Everybody with something to be found.
    pub(super) cases: Vec<HeldOutCase>,
    /// How much there is of what.
    pub(super) counts: Counts,
}

/// How much there is of what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    /// Users, all in all.
    pub(super) users: usize,
    /// Items, all in all; every one competes.
    pub(super) items: usize,
    /// Users that are learned from.
    pub(super) users_trained: usize,
    /// Different pairs of user and item that are learned from.
    pub(super) interactions_trained: usize,
    /// Users that are asked about.
    pub(super) users_tested: usize,
    /// Those of them who have no history.
    pub(super) users_tested_without_history: usize,
    /// Different pairs that are to be found.
    pub(super) interactions_tested: usize,
    /// Items that only what is to be found has.
    pub(super) items_only_in_test: usize,
    /// Rows that repeat a pair for the same purpose; their weights are added up.
    pub(super) repeated_rows: usize,
    /// Pairs to be found that the user has in the history already; left out, as histories are masked.
    pub(super) tested_pairs_in_history: usize,
    /// Rows whose weight is no finite number; left out.
    pub(super) rows_not_finite: usize,
    /// Rows to be found whose weight is not above 0; left out.
    pub(super) tested_rows_not_wanted: usize,
}

/// One row: user, item, weight, purpose. What is folded in is known of its user when models are asked, but
/// not learned from, whether the user is or not.
pub(super) type PartRow = (u32, u32, f32, Part);

/// Builds the matrix and the cases; users and items lie below `n_users` and `n_items`.
pub(super) fn task(
    n_users: usize,
    n_items: usize,
    rows: impl IntoIterator<Item = PartRow>,
) -> Task {
    let mut counts = Counts { users: n_users, items: n_items, ..Counts::default() };
    let mut learned: Vec<(u32, u32, f32)> = Vec::new();
    let mut known: Vec<(u32, u32, f32)> = Vec::new();
    let mut wanted: Vec<(u32, u32)> = Vec::new();
    for (user, item, weight, part) in rows {
        if !weight.is_finite() {
            counts.rows_not_finite += 1;
        } else if part != Part::Test {
            known.push((user, item, weight));
            if part == Part::Train {
                learned.push((user, item, weight));
            }
        } else if weight > 0.0 {
            wanted.push((user, item));
        } else {
            counts.tested_rows_not_wanted += 1;
        }
    }
    known.sort_by_key(|&(user, item, _)| (user, item));
    wanted.sort_unstable();
    let (n_known, n_wanted) = (known.len(), wanted.len());
    known.dedup_by(|next, kept| {
        let is_same = (next.0, next.1) == (kept.0, kept.1);
        if is_same {
            kept.2 += next.2;
        }
        is_same
    });
    wanted.dedup();
    counts.repeated_rows = n_known - known.len() + n_wanted - wanted.len();

    let mut trained: Vec<u32> = learned.iter().map(|row| row.0).collect();
    trained.sort_unstable();
    trained.dedup();
    let row_of: FxHashMap<u32, UserIdx> = trained.iter().copied().zip((0..).map(UserIdx)).collect();
    let cell = |(user, item, weight): (u32, u32, f32)| (row_of[&user], ItemIdx(item), weight);
    let cells = learned.into_iter().map(cell);
    let matrix = InteractionMatrix::from_cells(trained.len(), n_items, cells);
    counts.users_trained = trained.len();
    counts.interactions_trained = matrix.n_interactions();

    let mut cases = Vec::new();
    for pairs in wanted.chunk_by(|a, b| a.0 == b.0) {
        let user = pairs[0].0;
        let from = known.partition_point(|row| row.0 < user);
        let to = known.partition_point(|row| row.0 <= user);
        let excluded: Vec<u32> = known[from..to].iter().map(|row| row.1).collect();
        let is_new = |item: &u32| excluded.binary_search(item).is_err();
        let relevant: Vec<u32> = pairs.iter().map(|pair| pair.1).filter(is_new).collect();
        counts.tested_pairs_in_history += pairs.len() - relevant.len();
        if relevant.is_empty() {
            continue;
        }
        let weighted = known[from..to].iter().map(|row| (row.1, row.2));
        let history: Vec<(u32, f32)> = weighted.filter(|&(_, weight)| weight != 0.0).collect();
        counts.users_tested += 1;
        counts.users_tested_without_history += usize::from(history.is_empty());
        counts.interactions_tested += relevant.len();
        cases.push(HeldOutCase { user: row_of.get(&user).copied(), history, excluded, relevant });
    }
    let mut is_only_tested = vec![false; n_items];
    for &(_, item) in &wanted {
        is_only_tested[item as usize] = matrix.column(ItemIdx(item)).0.is_empty();
    }
    counts.items_only_in_test = is_only_tested.iter().filter(|&&only| only).count();
    Task { matrix, cases, counts }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_what_is_known_and_what_is_to_be_found() {
        use Part::{FoldIn, Test, Train};
        let rows = [
            (0, 0, 1.0, Train),
            (0, 1, 2.0, Train),
            (0, 1, 1.0, Train),
            (0, 2, 1.0, Test),
            (0, 1, 1.0, Test),
            (1, 0, 1.0, FoldIn),
            (1, 3, 1.0, Test),
            (1, 3, 1.0, Test),
            (2, 2, f32::NAN, Train),
            (2, 2, 1.0, Test),
            (2, 0, -1.0, Test),
            (3, 2, 1.0, Train),
            (3, 0, 1.0, FoldIn),
            (3, 3, 1.0, Test),
        ];
        let task = task(4, 4, rows);
        assert_eq!((task.matrix.n_users(), task.matrix.n_items()), (2, 4));
        assert_eq!(task.matrix.row(UserIdx(0)), (&[0, 1][..], &[1.0, 3.0][..]));
        assert_eq!(task.matrix.row(UserIdx(1)), (&[2][..], &[1.0][..]));
        let case = |user: Option<u32>, history: &[(u32, f32)], relevant: &[u32]| HeldOutCase {
            user: user.map(UserIdx),
            history: history.to_vec(),
            excluded: history.iter().map(|cell| cell.0).collect(),
            relevant: relevant.to_vec(),
        };
        let expected = [
            case(Some(0), &[(0, 1.0), (1, 3.0)], &[2]),
            case(None, &[(0, 1.0)], &[3]),
            case(None, &[], &[2]),
            case(Some(1), &[(0, 1.0), (2, 1.0)], &[3]),
        ];
        assert_eq!(task.cases, expected);
        let counts = Counts {
            users: 4,
            items: 4,
            users_trained: 2,
            interactions_trained: 3,
            users_tested: 4,
            users_tested_without_history: 1,
            interactions_tested: 4,
            items_only_in_test: 1,
            repeated_rows: 2,
            tested_pairs_in_history: 1,
            rows_not_finite: 1,
            tested_rows_not_wanted: 1,
        };
        assert_eq!(task.counts, counts);
    }
}
