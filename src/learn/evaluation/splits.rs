//! Which rows are for learning and which for asking.
//!
//! A *row* is an event or a rating: the user's position, and where it matters its time. Every function
//! answers in the order of the rows. All random choices follow from the seed alone.
//!
//! | you may call it | function | leaks |
//! | --- | --- | --- |
//! | global temporal split | [`by_time`] | nothing: the one to trust |
//! | leave-one-out, leave-last-out | [`leave_last_out`] | what other users did later |
//! | k-fold cross validation | [`k_folds`], [`fold_numbers`] | the future |
//! | random hold-out by user | [`per_user_share`] | the future |
//! | strong generalisation | [`whole_users`] | the future, of other users only |
//!
//! On leaks: Ji, Sun, Zhang, Li, "A critical study on data leakage in recommender system offline
//! evaluation", TOIS 2023.

use rand::{SeedableRng, rngs::ChaCha8Rng, seq::SliceRandom};

/// What a row is for when whole users are held out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The model is fitted on it.
    Train,
    /// The model is asked with it, by a user it has not met.
    FoldIn,
    /// The model should find it.
    Test,
}

/// Holds out the last `n` rows of every user, by time and then by order; by order alone if `times` is
/// `None`. Who would be left with no row keeps all.
///
/// # Panics
///
/// If `times` are not as many as `users`.
pub fn leave_last_out(users: &[u32], times: Option<&[i64]>, n: usize) -> Vec<bool> {
    assert!(times.is_none_or(|times| times.len() == users.len()), "every row has a time");
    let mut held_out = vec![false; users.len()];
    for mut rows in rows_by_user(users) {
        if let Some(times) = times {
            rows.sort_by_key(|&row| times[row as usize]);
        }
        if n < rows.len() {
            for &row in &rows[rows.len() - n..] {
                held_out[row as usize] = true;
            }
        }
    }
    held_out
}

/// Holds out what is later than the first `1 − share` of all rows: one cut in time for everybody. Rows at
/// the same time as the last one learned from are learned from too, so less than `share` may be held out.
///
/// Source: the "global timeline" of Ji et al. above.
pub fn by_time(times: &[i64], share: f64) -> Vec<bool> {
    let mut rising = times.to_vec();
    rising.sort_unstable();
    let n_held_out = share_of(times.len(), share);
    let cut = rising.len().checked_sub(n_held_out + 1).map(|last| rising[last]);
    times.iter().map(|&time| cut.is_none_or(|cut| cut < time)).collect()
}

/// Shares `n_rows` out over `n_folds` folds, numbered from 0, at random; their sizes differ by one at most,
/// the first being larger.
///
/// Source: Stone, "Cross-validatory choice and assessment of statistical predictions", JRSS B 1974; the
/// shuffled order is cut into consecutive blocks.
pub fn k_folds(n_rows: usize, n_folds: usize, seed: u64) -> Vec<u32> {
    let n_folds = n_folds.clamp(1, n_rows.max(1));
    let mut order: Vec<u32> = (0..n_rows as u32).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let mut folds = vec![0; n_rows];
    let (size, n_larger) = (n_rows / n_folds, n_rows % n_folds);
    let mut rest = order.as_slice();
    for fold in 0..n_folds {
        let (block, others) = rest.split_at(size + usize::from(fold < n_larger));
        for &row in block {
            folds[row as usize] = fold as u32;
        }
        rest = others;
    }
    folds
}

/// The numbers that occur in folds given from outside, rising: each in turn is the test set, the rest is
/// learned from.
pub fn fold_numbers(folds: &[u32]) -> Vec<u32> {
    let mut numbers = folds.to_vec();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Holds out a random `share` of every user's rows, rounded to the nearest number but never all of them.
/// What is held out of one user does not depend on the others.
pub fn per_user_share(users: &[u32], share: f64, seed: u64) -> Vec<bool> {
    let mut held_out = vec![false; users.len()];
    for (user, mut rows) in (0..).zip(rows_by_user(users)) {
        let n = share_of(rows.len(), share).min(rows.len().saturating_sub(1));
        rows.shuffle(&mut stream(seed, user));
        for &row in &rows[..n] {
            held_out[row as usize] = true;
        }
    }
    held_out
}

/// Holds out a random `user_share` of the users with all their rows; a random `fold_in_share` of the rows of
/// each is there to ask with, the rest to be found. A held-out user with one row is asked with it; at
/// least one user is learned from.
///
/// Source: "strong generalization", Marlin, "Collaborative filtering: a machine learning perspective",
/// 2004; with 80 % to fold in, Liang, Krishnan, Hoffman, Jebara, WWW 2018.
pub fn whole_users(users: &[u32], user_share: f64, fold_in_share: f64, seed: u64) -> Vec<Part> {
    let mut parts = vec![Part::Train; users.len()];
    let rows_by_user = rows_by_user(users);
    let mut order: Vec<u32> = (0..rows_by_user.len() as u32)
        .filter(|&user| !rows_by_user[user as usize].is_empty())
        .collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let n_users = share_of(order.len(), user_share).min(order.len().saturating_sub(1));
    for &user in &order[..n_users] {
        let mut rows = rows_by_user[user as usize].clone();
        rows.shuffle(&mut stream(seed, u64::from(user)));
        let n_fold_in = share_of(rows.len(), fold_in_share).max(1);
        for (at, &row) in rows.iter().enumerate() {
            parts[row as usize] = if at < n_fold_in { Part::FoldIn } else { Part::Test };
        }
    }
    parts
}

/// `share` of `n`, rounded; a share that is not a number is none.
fn share_of(n: usize, share: f64) -> usize {
    (n as f64 * share.clamp(0.0, 1.0)).round() as usize
}

/// Random numbers of one user: stream 0 is left for choices over all.
fn stream(seed: u64, user: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(user + 1);
    rng
}

/// Each user's rows in their order, users by position.
fn rows_by_user(users: &[u32]) -> Vec<Vec<u32>> {
    let n_users = users.iter().max().map_or(0, |&last| last as usize + 1);
    let mut rows = vec![Vec::new(); n_users];
    for (row, &user) in (0..).zip(users) {
        rows[user as usize].push(row);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 40 users; user `u` has `u + 1` rows, mixed.
    fn users() -> Vec<u32> {
        let mut users: Vec<u32> = (0..40).flat_map(|user| (0..=user).map(move |_| user)).collect();
        users.shuffle(&mut ChaCha8Rng::seed_from_u64(5));
        users
    }

    fn count<T: PartialEq>(values: &[T], value: &T) -> usize {
        values.iter().filter(|x| *x == value).count()
    }

    fn held_out_of(users: &[u32], held_out: &[bool], user: u32) -> usize {
        users.iter().zip(held_out).filter(|&(&u, &out)| u == user && out).count()
    }

    #[test]
    fn the_last_row_of_everybody_is_held_out_and_nobody_is_emptied() {
        let users = [0, 1, 0, 2, 0, 1];
        assert_eq!(leave_last_out(&users, None, 1), [false, false, false, false, true, true]);
        let times = [9, 1, 3, 1, 9, 0];
        let held_out = leave_last_out(&users, Some(&times), 1);
        assert_eq!(held_out, [false, true, false, false, true, false], "equal times: by order");
        assert_eq!(count(&leave_last_out(&users, None, 2), &true), 2, "only user 0 has three");
        assert!(leave_last_out(&[], None, 1).is_empty());
    }

    #[test]
    fn nothing_held_out_is_earlier_than_what_is_learned_from() {
        let times = [5, 1, 3, 3, 2, 4];
        assert_eq!(by_time(&times, 0.5), [true, false, false, false, false, true]);
        assert_eq!(by_time(&times, 0.34), [true, false, false, false, false, true]);
        assert_eq!(by_time(&[7, 7, 7], 0.5), [false; 3], "nothing is later");
        assert_eq!(by_time(&times, 0.0), [false; 6]);
        assert_eq!(by_time(&times, 1.0), [true; 6]);
        assert_eq!(by_time(&times, f64::NAN), [false; 6]);
        assert!(by_time(&[], 0.5).is_empty());
    }

    #[test]
    fn folds_are_a_partition_into_equal_parts_that_follows_from_the_seed() {
        let folds = k_folds(103, 5, 1);
        assert_eq!(fold_numbers(&folds), [0, 1, 2, 3, 4]);
        let sizes: Vec<usize> = (0..5).map(|fold| count(&folds, &fold)).collect();
        assert_eq!(sizes, [21, 21, 21, 20, 20]);
        assert_eq!(folds, k_folds(103, 5, 1));
        assert_ne!(folds, k_folds(103, 5, 2));
        assert_ne!(folds[..21], [0; 21], "shuffled");
        assert_eq!(k_folds(2, 5, 1).len(), 2);
        assert!(k_folds(0, 5, 1).is_empty());
        assert_eq!(fold_numbers(&[7, 3, 7]), [3, 7]);
    }

    #[test]
    fn a_share_of_every_user_is_held_out_whoever_else_is_there() {
        let users = users();
        let held_out = per_user_share(&users, 0.2, 3);
        for user in 0..40 {
            let expected = (f64::from(user + 1) * 0.2).round() as usize;
            assert_eq!(held_out_of(&users, &held_out, user), expected);
        }
        assert_eq!(held_out, per_user_share(&users, 0.2, 3));
        assert_ne!(held_out, per_user_share(&users, 0.2, 4));
        let kept: Vec<usize> = (0..users.len()).filter(|&row| users[row] < 30).collect();
        let fewer: Vec<u32> = kept.iter().map(|&row| users[row]).collect();
        let expected: Vec<bool> = kept.iter().map(|&row| held_out[row]).collect();
        assert_eq!(per_user_share(&fewer, 0.2, 3), expected);
        assert_eq!(per_user_share(&[0], 1.0, 3), [false], "never all of them");
    }

    #[test]
    fn whole_users_are_held_out_with_most_of_their_rows_to_ask_with() {
        let users = users();
        let parts = whole_users(&users, 0.25, 0.8, 3);
        let of = |user: u32| -> Vec<Part> {
            users.iter().zip(&parts).filter(|row| *row.0 == user).map(|row| *row.1).collect()
        };
        let held_out: Vec<u32> = (0..40).filter(|&user| !of(user).contains(&Part::Train)).collect();
        assert_eq!(held_out.len(), 10);
        for user in 0..40 {
            let parts = of(user);
            let n_fold_in = count(&parts, &Part::FoldIn);
            let is_held_out = held_out.contains(&user);
            assert_eq!(count(&parts, &Part::Train), if is_held_out { 0 } else { parts.len() });
            let expected = ((parts.len() as f64 * 0.8).round() as usize).max(1);
            assert!(!is_held_out || n_fold_in == expected);
        }
        assert_eq!(parts, whole_users(&users, 0.25, 0.8, 3));
        assert_ne!(parts, whole_users(&users, 0.25, 0.8, 4));
        assert!(whole_users(&users, 1.0, 0.8, 3).contains(&Part::Train));
        assert!(whole_users(&[], 0.5, 0.8, 3).is_empty());
    }
}
