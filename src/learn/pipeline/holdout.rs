//! The latest slice of time, held out to choose and to measure on.

use super::PipelineParams;
use crate::domain::{EventKind, Timestamp, time::DAY_MS};
use crate::learn::{
    dataset::{EventLog, InteractionMatrix, TradingDays, UserIdx, log::Act},
    evaluation::HeldOutCase,
};
use rustc_hash::FxHashSet;

/// What came before the slice, and the shoppers who came back in it.
pub(super) struct HeldOut<'a> {
    /// Where the slice begins.
    pub(super) cut: Timestamp,
    /// What came before.
    pub(super) before: &'a [Act],
    /// The same as a matrix, weights decayed to the cut.
    pub(super) matrix: InteractionMatrix,
    /// Half of the shoppers: everything is chosen on them.
    pub(super) choosing: Vec<HeldOutCase>,
    /// The other half: nothing is chosen on them but the last word between the blend and its parts.
    pub(super) measuring: Vec<HeldOutCase>,
}

impl<'a> HeldOut<'a> {
    /// Splits `acts`, which are in order of time.
    pub(super) fn of(
        log: &EventLog,
        days: &TradingDays,
        acts: &'a [Act],
        params: &PipelineParams,
    ) -> Self {
        let cut = begin(days, acts, params);
        let (before, after) = acts.split_at(acts.partition_point(|act| act.at < cut));
        let matrix = log.matrix(before, &params.weighting, (days, cut));
        let cases = cases(&matrix, (before, after), cut, params);
        let (choosing, measuring): (Vec<_>, Vec<_>) =
            cases.into_iter().enumerate().partition(|(at, _)| at % 2 == 0);
        let without_place =
            |cases: Vec<(usize, HeldOutCase)>| cases.into_iter().map(|(_, case)| case).collect();
        Self {
            cut,
            before,
            matrix,
            choosing: without_place(choosing),
            measuring: without_place(measuring),
        }
    }

    /// Number of shoppers.
    pub(super) fn n_shoppers(&self) -> usize {
        self.choosing.len() + self.measuring.len()
    }
}

/// Where the slice begins: the last so many days of the shop's own time.
fn begin(days: &TradingDays, acts: &[Act], params: &PipelineParams) -> Timestamp {
    let (Some(first), Some(last)) = (acts.first(), acts.last()) else {
        return Timestamp::default();
    };
    let (first, last) = (days.position(first.at), days.position(last.at));
    let share = (last - first) * params.holdout_share;
    days.at_position(last - share.min(f64::from(params.holdout_days_max)))
}

/// Shoppers known before the cut who came to like something after it, as the service would have
/// met them: what they had bought within `hide_purchased_days` is not shown to them.
fn cases(
    matrix: &InteractionMatrix,
    (before, after): (&[Act], &[Act]),
    cut: Timestamp,
    params: &PipelineParams,
) -> Vec<HeldOutCase> {
    let hidden_from = cut.plus_ms(-i64::from(params.hide_purchased_days) * DAY_MS);
    let recent = |act: &&Act| act.kind == EventKind::Purchase && act.at >= hidden_from;
    let hidden: FxHashSet<(u32, u32)> =
        before.iter().filter(recent).map(|act| (act.user.0, act.item.0)).collect();
    let known: FxHashSet<u32> = before.iter().map(|act| act.item.0).collect();
    let mut liked: Vec<(u32, u32)> = after
        .iter()
        .filter(|act| act.weight > 0.0 && known.contains(&act.item.0))
        .map(|act| (act.user.0, act.item.0))
        .filter(|pair| !hidden.contains(pair))
        .collect();
    liked.sort_unstable();
    liked.dedup();
    let mut excluded: Vec<(u32, u32)> = hidden.into_iter().collect();
    excluded.sort_unstable();
    let mut cases: Vec<HeldOutCase> = liked
        .chunk_by(|a, b| a.0 == b.0)
        .filter_map(|pairs| {
            let user = UserIdx(pairs[0].0);
            let history: Vec<(u32, f32)> = matrix.row_cells(user).collect();
            let from = excluded.partition_point(|pair| pair.0 < user.0);
            let to = excluded.partition_point(|pair| pair.0 <= user.0);
            (!history.is_empty()).then(|| HeldOutCase {
                user: Some(user),
                history,
                excluded: excluded[from..to].iter().map(|pair| pair.1).collect(),
                relevant: pairs.iter().map(|pair| pair.1).collect(),
            })
        })
        .collect();
    // Every so-manyth shopper, so that the sample spreads over all of them and is the same each time.
    let step = cases.len().div_ceil(params.holdout_shoppers_max.max(1)).max(1);
    let mut at = 0;
    cases.retain(|_| {
        at += 1;
        (at - 1) % step == 0
    });
    cases
}
