//! The running visit: what comes next in it, and how much that counts beside long-term taste.

use super::{
    K, Run,
    holdout::HeldOut,
    report::{JoinReport, Report, VisitReport},
};
use crate::domain::{EventKind, time::DAY_MS};
use crate::learn::{
    dataset::{UserIdx, log::Act},
    evaluation::HeldOutCase,
    recommenders::{Blend, FitError, FittedModel},
    sessions::{
        self, IndexLimits, JoinWeights, SessionIndex, SessionModel, SessionParams, Visits, VmisKnn,
        join::{JoinTable, VisitCase, measure_weights},
        visits::Visit,
    },
};
use rustc_hash::{FxHashMap, FxHashSet};
use std::{sync::Arc, time::Instant};

/// Most moments of held-out visits that weights are chosen on, and as many that they are measured on.
pub const MOMENTS_MAX: usize = 2_000;

/// How it is learned what comes next in a visit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VisitParams {
    /// Longest pause within a visit, in milliseconds.
    pub gap_ms: i64,
    /// How many visits are remembered.
    pub limits: IndexLimits,
    /// How neighbours are chosen and what they say.
    pub vmis: SessionParams,
}

impl Run<'_> {
    /// What comes next in a visit, from all acts; none if there is no visit of two items.
    pub(super) fn session_model(
        &self,
        acts: &[Act],
        weights: JoinWeights,
    ) -> Result<Option<SessionModel>, FitError> {
        let Some(params) = &self.params.visits else { return Ok(None) };
        let fitted = self.fit_vmis(&Visits::of(acts, params.gap_ms), params)?;
        Ok(fitted.map(|vmis| SessionModel { vmis, weights }))
    }

    fn fit_vmis(&self, visits: &Visits, params: &VisitParams) -> Result<Option<VmisKnn>, FitError> {
        if (self.stop)() {
            return Err(FitError::Stopped);
        }
        let timed = visits.iter().map(|visit| (visit.items, visit.ended_at.0));
        let index = SessionIndex::new(self.log.items().len(), timed, &params.limits)?;
        match sessions::fit(Arc::new(index), &params.vmis) {
            Ok(vmis) => Ok(Some(vmis)),
            Err(FitError::NoData { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Chooses on half of the held-out visits how much they count beside the blend, and measures on the other
    /// half.
    pub(super) fn weigh_visits(
        &self,
        (models, blend): (&[FittedModel], &Blend),
        held: &HeldOut<'_>,
        report: &mut Report,
    ) -> Result<JoinWeights, FitError> {
        let default = JoinWeights::default();
        let Some(params) = &self.params.visits else { return Ok(default) };
        let begun = Instant::now();
        let visits = Visits::of(held.before, params.gap_ms);
        let Some(vmis) = self.fit_vmis(&visits, params)? else { return Ok(default) };
        let (choosing, measuring) = self.moments(held, params);
        let model = (models, blend);
        let chosen = measure_weights(&vmis, model, &choosing, K, self.stop)?;
        let measured = measure_weights(&vmis, model, &measuring, K, self.stop)?;
        let join = |chosen: &JoinTable, measured: &JoinTable, default: f32| {
            let n_min = self.params.shoppers_min();
            let weight = chosen.best().filter(|_| chosen.n_cases >= n_min);
            let verdict = match weight {
                None => format!(
                    "not measured: {} moments of held-out visits are there to choose on, {n_min} are needed",
                    chosen.n_cases
                ),
                Some(0.0) => "not used: lists of held-out visits are no better with it".into(),
                Some(_) => "used: chosen on held-out visits".into(),
            };
            let weight = weight.unwrap_or(default);
            let as_served = measured.with(weight);
            JoinReport {
                weight,
                moments: measured.n_cases,
                ndcg_without: measured.with(0.0).map(|row| row.0),
                ndcg: as_served.map(|row| row.0),
                ndcg_standard_error: as_served.map(|row| row.1),
                verdict,
            }
        };
        let known = join(&chosen.0, &measured.0, default.known);
        let strangers = join(&chosen.1, &measured.1, default.stranger);
        let weights = JoinWeights { known: known.weight, stranger: strangers.weight };
        report.visits = Some(VisitReport {
            model: SessionModel::NAME,
            visits: visits.len(),
            seconds: begun.elapsed().as_secs_f64(),
            bytes: vmis.n_bytes(),
            known,
            strangers,
        });
        Ok(weights)
    }

    /// One moment of each held-out visit with two items or more, evenly spread; of every other visit to choose
    /// on, of the rest to measure on.
    fn moments(
        &self,
        held: &HeldOut<'_>,
        params: &VisitParams,
    ) -> (Vec<VisitCase>, Vec<VisitCase>) {
        let after = &self.log.acts()[held.before.len()..];
        let visits = Visits::of(after, params.gap_ms);
        let long: Vec<(usize, Visit<'_>)> =
            visits.iter().enumerate().filter(|(_, visit)| visit.items.len() > 1).collect();
        let n = long.len().min(2 * MOMENTS_MAX);
        let sample: Vec<(usize, Visit<'_>)> = (0..n).map(|at| long[at * long.len() / n]).collect();
        let users: FxHashSet<UserIdx> = sample.iter().map(|(_, visit)| visit.user).collect();
        let hidden_from = held.cut.plus_ms(-i64::from(self.params.hide_purchased_days) * DAY_MS);
        let is_lately = |act: &&Act| act.kind == EventKind::Purchase && act.at >= hidden_from;
        let bought = by_user(held.before.iter().filter(is_lately), &users);
        let since = by_user(after.iter(), &users);
        let mut cases = (Vec::new(), Vec::new());
        for (at, (place, visit)) in sample.into_iter().enumerate() {
            // Somewhere in the visit, elsewhere in each.
            let known = 1 + place % (visit.items.len() - 1);
            let moment = (&after[visit.acts[0] as usize], &after[visit.acts[known] as usize]);
            let past = (acts_of(&bought, visit.user), acts_of(&since, visit.user));
            let Some(case) = self.case(held, (visit, known), moment, past) else { continue };
            let half = if at % 2 == 0 { &mut cases.0 } else { &mut cases.1 };
            half.push(case);
        }
        cases
    }

    /// The moment `now`, after `known` items of a visit that began with the act `begin`, if there is anything to
    /// come that may be shown; the shopper's late purchases before the cut, and all since, are at hand.
    fn case(
        &self,
        held: &HeldOut<'_>,
        (visit, known): (Visit<'_>, usize),
        (begin, now): (&Act, &Act),
        (bought, since): (&[&Act], &[&Act]),
    ) -> Option<VisitCase> {
        let (session, to_come) = visit.items.split_at(known);
        let is_before = |act: &Act, than: &Act| (act.at, act.sequence) < (than.at, than.sequence);
        let since: Vec<&Act> = since.iter().copied().filter(|act| is_before(act, now)).collect();
        let mut history: Vec<(u32, f32)> = held.matrix.row_cells(visit.user).collect();
        let user = (!history.is_empty()).then_some(visit.user);
        let is_known = user.is_some() || since.iter().any(|act| is_before(act, begin));

        let bought_since = since.iter().filter(|act| act.kind == EventKind::Purchase);
        let bought = bought.iter().chain(bought_since).map(|act| act.item.0);
        let mut excluded: Vec<u32> = session.iter().copied().chain(bought).collect();
        excluded.sort_unstable();
        excluded.dedup();
        let may_be_shown = |item: &u32| excluded.binary_search(item).is_err();
        let mut relevant: Vec<u32> = to_come.iter().copied().filter(may_be_shown).collect();
        relevant.sort_unstable();
        relevant.dedup();

        history.extend(since.iter().map(|act| (act.item.0, act.weight)));
        history.sort_by_key(|cell| cell.0);
        history.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        for cell in &mut history {
            cell.1 = self.params.weighting.joined(cell.1);
        }
        let case = HeldOutCase { user, history, excluded, relevant };
        let session = session.to_vec();
        (!case.relevant.is_empty()).then_some(VisitCase { case, session, is_known })
    }
}

type ByUser<'a> = FxHashMap<UserIdx, Vec<&'a Act>>;

fn acts_of<'m, 'a>(by_user: &'m ByUser<'a>, user: UserIdx) -> &'m [&'a Act] {
    by_user.get(&user).map_or(&[], Vec::as_slice)
}

/// The acts of some users, in their order.
fn by_user<'a>(acts: impl Iterator<Item = &'a Act>, users: &FxHashSet<UserIdx>) -> ByUser<'a> {
    let mut by_user = ByUser::default();
    for act in acts.filter(|act| users.contains(&act.user)) {
        by_user.entry(act.user).or_default().push(act);
    }
    by_user
}
