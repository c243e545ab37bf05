//! The next page of an answer.

use super::{
    answers::Given,
    deadline::Deadline,
    error::ApiError,
    recommendations::{ListAnswer, invalid, n_of, told},
    rendered::page_of,
    shelves::n_needed,
    state::ApiState,
};
use crate::decide::recommend::Ask;

/// The next page of an answer.
pub(super) struct Page<'a> {
    /// What the storefront got with the page before.
    pub(super) cursor: &'a str,
    /// The customer, who must be the same.
    pub(super) user: Option<&'a str>,
    /// How many items, if not as many as before.
    pub(super) n: Option<usize>,
    /// Whether to say why, if not as before.
    pub(super) explain: Option<bool>,
}

impl Page<'_> {
    /// The page: from the same models and the same history as the answer before, if its snapshot is still
    /// served, and in any case without what the pages before it showed.
    pub(super) async fn answer(
        &self,
        state: &ApiState,
        (price, deadline): (Option<bool>, Deadline),
        steered: &[(&str, bool)],
    ) -> Result<ListAnswer, ApiError> {
        if let Some((field, _)) = steered.iter().find(|field| field.1) {
            let detail = "the cursor goes on with what was asked first; leave this out";
            return Err(invalid(&format!("/{field}"), detail.into()));
        }
        let now = state.clock.now();
        let before = uuid::Uuid::try_parse(self.cursor).ok();
        let before = before.and_then(|id| state.answers.get(id, now)).ok_or_else(|| {
            let detail = "this cursor is not known or has expired; ask again without it";
            invalid("/cursor", detail.into())
        })?;
        if self.user != before.user.as_deref() {
            let detail = "this cursor belongs to the answer for somebody else";
            return Err(invalid("/cursor", detail.into()));
        }
        let snapshot = state.snapshots.current();
        let shown = before.shown();
        let n = match self.n {
            Some(n) => n_of(state, Some(n))?,
            None => before.ask.n,
        };
        let explain = self.explain.unwrap_or(before.ask.explain);
        let ask = Ask { n, explain, ..before.ask.clone() };
        let exclude = [&ask.exclude[..], &shown[..]].concat();
        let rest = Ask { exclude, ..ask.clone() };
        let shelf = before.shelf.served_by(&snapshot);
        let n = n_needed(state, &rest, &before.chosen.policy);
        let make = {
            let (state, snapshot, shelf) = (state.clone(), snapshot.clone(), shelf.clone());
            let (before, first_rank) = (before.clone(), shown.len() + 1);
            move |deadline| {
                let wanted = (&shelf, &rest, price.unwrap_or(true), before.scenario.as_str());
                page_of(&state, &snapshot, wanted, (first_rank, &before.chosen, deadline), now)
            }
        };
        let list = state.make((&shelf, n), deadline, make).await?;
        let given = Given {
            user: before.user.clone(),
            scenario: before.scenario.clone(),
            chosen: before.chosen.clone(),
            shelf,
            ask,
            source: list.source,
            version: snapshot.version,
            at: now,
            items: list.picks.clone(),
            explored: list.explored.clone(),
            before: shown,
        };
        Ok(told(state, &snapshot, given, &list))
    }
}
