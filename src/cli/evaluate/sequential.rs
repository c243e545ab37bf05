//! What comes next: the last item of every user's sequence, from all that came before it.
//!
//! Models of sets are asked too: the history is what came before, every time with weight 1, in no order.

use super::{
    Common, ListArguments,
    cases::{PartRow, task},
    files::{Lists, People, read_lists},
    ranked::measure_ranked,
    report::Report,
};
use crate::learn::evaluation::splits::Part;
use serde_json::json;
use std::path::PathBuf;

/// One file of sequences.
#[derive(Clone, Debug, clap::Args)]
pub struct SequentialArguments {
    /// Lines `user item item …`, oldest first, plain, .zst or .gz.
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Learn from the last but one item too, which is otherwise kept for choosing parameters.
    #[arg(long)]
    refit: bool,
    #[command(flatten)]
    pub(super) lists: ListArguments,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Measures lists for the next item.
pub(super) fn evaluate_sequential(
    arguments: &SequentialArguments,
    progress: bool,
) -> anyhow::Result<Report> {
    let mut people = People::default();
    let lists = read_lists(&arguments.data, &mut people)?;
    let n_users = people.users.len();
    let rows = parts(&lists, n_users, arguments.refit);
    let task = task(n_users, people.items.len(), rows);
    let learned_from = if arguments.refit {
        "all but the last item of every user"
    } else {
        "all but the last two items of every user, the last but one being for choosing"
    };
    let protocol = json!({
        "name": "sequential",
        "split": { "kind": "leave one out", "refit": arguments.refit },
        "learned_from": learned_from,
        "asked_with": "all but the last item",
        "users_on_several_lines": lists.rows.len() - n_users,
        "files": [{ "role": "data", "file": lists.facts }],
    });
    let how = (&arguments.lists, &arguments.common);
    measure_ranked(&task, &people, how, protocol, progress)
}

/// The last item of every sequence is to be found, the one before it is known but, unless `refit`, not
/// learned from. A sequence of one item is learned from.
fn parts(lists: &Lists, n_users: usize, refit: bool) -> Vec<PartRow> {
    let mut sequences = vec![Vec::new(); n_users];
    for (user, items) in &lists.rows {
        sequences[*user as usize].extend_from_slice(items);
    }
    let mut rows = Vec::new();
    for (user, items) in (0..).zip(&sequences) {
        let n = items.len();
        for (at, &item) in items.iter().enumerate() {
            let part = match n - at {
                _ if n == 1 => Part::Train,
                1 => Part::Test,
                2 if !refit => Part::FoldIn,
                _ => Part::Train,
            };
            rows.push((user, item, 1.0, part));
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::evaluate::text_file::FileFacts;

    #[test]
    fn the_last_item_is_to_be_found_and_the_one_before_it_only_known() {
        use Part::{FoldIn, Test, Train};
        let facts = FileFacts { path: "made up".into(), blake3: String::new(), rows: 4 };
        let rows = vec![(0, vec![5, 6]), (1, vec![7]), (0, vec![8, 9]), (2, vec![5, 6])];
        let lists = Lists { rows, facts };
        let of = |refit| -> Vec<(u32, u32, Part)> {
            let rows = parts(&lists, 3, refit);
            rows.into_iter().map(|(user, item, _, part)| (user, item, part)).collect()
        };
        let strict = [
            (0, 5, Train),
            (0, 6, Train),
            (0, 8, FoldIn),
            (0, 9, Test),
            (1, 7, Train),
            (2, 5, FoldIn),
            (2, 6, Test),
        ];
        assert_eq!(of(false), strict);
        let refit = strict
            .map(|(user, item, part)| (user, item, if part == FoldIn { Train } else { part }));
        assert_eq!(of(true), refit);
    }
}
