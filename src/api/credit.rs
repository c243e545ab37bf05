//! Which recommendation an event follows from.
//!
//! An event that names a recommendation is credited to it. One that names none is credited to the latest
//! credited event of the same shopper about the same item within `attribution.window_hours`: who was shown an item,
//! clicked it, and buys it a day later has followed the list. What was credited is stored with the event, so that
//! nothing has to be guessed later.

use super::{answer_id, state::ApiState};
use crate::domain::{
    Credit, Event, EventKind, ItemId, ShopperId, Timestamp,
    time::{HOUR_MS, SECOND_MS},
};

/// Credits of the events at hand: who, what, when, and to which list.
type Fresh = Vec<(ShopperId, ItemId, Timestamp, Credit)>;

/// Fills in what events are credited to, and the scenario of those that name a recommendation but no scenario.
pub(super) fn credit(state: &ApiState, events: &mut [Event]) {
    let mut fresh = Fresh::new();
    for event in events {
        let Some(shopper) = event.shopper() else { continue };
        let credit = match &event.context.recommendation.clone() {
            Some(id) => Some(named(state, id, event, &shopper)),
            None if follows(event.kind) => latest(state, event, &fresh),
            None => None,
        };
        if let (Some(credit), Some(item)) = (&credit, &event.item) {
            fresh.push((shopper, item.clone(), event.occurred_at, credit.clone()));
        }
        event.context.credit = credit;
    }
}

/// What the latest credited event of the same shopper about the same item, within the window, was credited to.
fn latest(state: &ApiState, event: &Event, fresh: &Fresh) -> Option<Credit> {
    let window_ms = i64::from(state.config.attribution.window_hours) * HOUR_MS;
    let (shopper, item) = (event.shopper()?, event.item.as_ref()?);
    let is_near = |at: Timestamp| (0..=window_ms).contains(&event.occurred_at.since_ms(at));
    let mut latest = fresh
        .iter()
        .filter(|(who, what, at, _)| *who == shopper && what == item && is_near(*at))
        .max_by_key(|credited| credited.2)
        .map(|(_, _, at, credit)| (*at, credit.clone()));
    let session = event.session.clone().map(ShopperId::Session);
    for who in [Some(&shopper), session.as_ref()].into_iter().flatten() {
        for before in state.live.shoppers.recent(who).iter() {
            let Some(credit) = &before.credit else { continue };
            let at = before.occurred_at;
            let is_later = latest.as_ref().is_none_or(|latest| latest.0 < at);
            if is_later && before.item == *item && is_near(at) {
                latest = Some((at, (**credit).clone()));
            }
        }
    }
    latest.map(|credited| credited.1)
}

/// Whether an event may follow from a recommendation that it does not name.
fn follows(kind: EventKind) -> bool {
    matches!(kind, EventKind::Click | EventKind::AddToCart | EventKind::Purchase)
}

/// The credit of an event that names its recommendation: as it was given, while that is in memory, else as the id
/// says, else as the event itself says where it was.
fn named(state: &ApiState, id: &str, event: &mut Event, shopper: &ShopperId) -> Credit {
    let (id, written) = answer_id::read(id).unzip();
    let given = id.and_then(|id| state.answers.get(id, state.clock.now()));
    if let Some(given) = given {
        let scenario = event.context.scenario.get_or_insert_with(|| given.scenario.clone());
        let explored =
            given.explored.as_ref().filter(|explored| event.item.as_ref() == Some(&explored.0));
        let credit = given.chosen.credit(scenario, Some(given.source.name()));
        return Credit { chance_ppm: explored.map(|explored| explored.1), ..credit };
    }
    if let (Some(id), Some(read)) = (id, written.flatten()) {
        let chance_ppm = event.item.as_ref().and_then(|item| read.chance_ppm(item));
        let written = read.credit;
        let scenario = event.context.scenario.get_or_insert_with(|| written.scenario.clone());
        // Whoever sends events must not make up who saw what: the shopper was drawn for it when the id was made.
        let drawn =
            state.policies.of(&written.scenario, Some(shopper), made_at(id, event.occurred_at));
        let named = written
            .experiment
            .zip(written.variant)
            .filter(|named| drawn.variant.as_ref() == Some(named));
        let (experiment, variant) = named.unzip();
        let source = written.source;
        let scenario = scenario.clone();
        return Credit { scenario, source, experiment, variant, chance_ppm };
    }
    let scenario = event.context.scenario.clone().unwrap_or_else(|| "unknown".into());
    let chosen = state.policies.of(&scenario, Some(shopper), event.occurred_at);
    chosen.credit(&scenario, None)
}

/// When the answer of an id was given, as the id says; `otherwise` if it does not.
fn made_at(id: uuid::Uuid, otherwise: Timestamp) -> Timestamp {
    let Some(time) = id.get_timestamp() else { return otherwise };
    let (seconds, nanoseconds) = time.to_unix();
    let ms = i64::try_from(seconds).ok().and_then(|seconds| seconds.checked_mul(SECOND_MS));
    ms.map_or(otherwise, |ms| Timestamp(ms).plus_ms(i64::from(nanoseconds / 1_000_000)))
}
