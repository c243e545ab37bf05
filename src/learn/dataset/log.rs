//! The trainer's memory: every event it has read, as numbers, in columns.

use super::{InteractionMatrix, ItemIdx, TradingDays, UserIdx};
use crate::domain::{
    Event, EventKind, ItemId, Merge, RecordedEvent, Sequence, SessionId, ShopperId, Timestamp,
    time::DAY_MS,
};
use rustc_hash::FxHashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What events of each kind are worth, and how fast that fades.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighting {
    /// Weight by kind, in the order of [`EventKind::ALL`]; a rating's is a factor.
    pub by_kind: [f32; 12],
    /// The rating that says nothing.
    pub rating_neutral: f32,
    /// Time after which a weight has halved, in days.
    pub half_life_days: f64,
    /// Most that all events of one shopper about one item count together, for or against it: a machine
    /// that clicks a million times makes no best seller.
    pub cell_max: f32,
}

impl Weighting {
    /// What one event says, before decay.
    pub fn weight(&self, kind: EventKind, value: Option<f64>) -> f32 {
        let weight = self.by_kind[kind as usize - 1];
        match (kind, value) {
            (EventKind::Rating, Some(value)) => weight * (value as f32 - self.rating_neutral),
            _ => weight,
        }
    }

    /// What all events of one shopper about one item count together.
    pub fn joined(&self, sum: f32) -> f32 {
        sum.clamp(-self.cell_max, self.cell_max)
    }

    /// What is left of a weight after so many days.
    pub fn decay(&self, age_days: f64) -> f32 {
        (-age_days.max(0.0) / self.half_life_days).exp2() as f32
    }
}

/// One event as numbers, in `ACT_BYTES`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Act {
    /// When.
    pub at: Timestamp,
    /// Order among equal times.
    pub sequence: Sequence,
    /// Who.
    pub user: UserIdx,
    /// What.
    pub item: ItemIdx,
    /// How many.
    pub quantity: f32,
    /// What it says, before decay.
    pub weight: f32,
    /// What else it happened with, hashed; says something beside the shopper only.
    pub visit: u32,
    /// Which kind, as [`EventKind::code`].
    pub kind: EventKind,
}

/// Bytes of an [`Act`]; `config/default.toml` and the README tell it. 33 are used without the visit and 37
/// with it: it lies where the alignment of `i64` left room.
pub const ACT_BYTES: usize = 40;
const _: () = assert!(size_of::<Act>() == ACT_BYTES);

/// Events read so far, by time, with the positions of their shoppers and items.
#[derive(Clone, Debug, Default)]
pub struct EventLog {
    shoppers: Vec<ShopperId>,
    shopper_positions: FxHashMap<ShopperId, u32>,
    items: Vec<ItemId>,
    item_positions: FxHashMap<ItemId, u32>,
    acts: Vec<Act>,
    sorted: bool,
}

impl EventLog {
    /// Adds events; those without an item say nothing to a model and are left out.
    pub fn extend(&mut self, events: &[RecordedEvent], weighting: &Weighting) {
        for RecordedEvent { sequence, event } in events {
            let (Some(shopper), Some(item)) = (event.shopper(), &event.item) else { continue };
            let user = position(&mut self.shoppers, &mut self.shopper_positions, &shopper);
            let item = position(&mut self.items, &mut self.item_positions, item);
            self.acts.push(Act {
                at: event.occurred_at,
                sequence: *sequence,
                user: UserIdx(user),
                item: ItemIdx(item),
                quantity: event.quantity as f32,
                weight: weighting.weight(event.kind, event.value),
                visit: visit(event),
                kind: event.kind,
            });
        }
        self.sorted = false;
    }

    /// Brings the events into order and drops those more than `window_days` of the shop's own time
    /// older than the newest, the oldest of each shopper beyond `max_per_shopper`, and the oldest of all
    /// beyond `max`.
    pub fn settle(&mut self, window_days: f64, max: usize, max_per_shopper: usize) {
        if !self.sorted {
            self.acts.sort_by_key(|act| (act.at, act.sequence));
            self.sorted = true;
        }
        let Some(last) = self.acts.last().map(|act| act.at) else { return };
        let days = self.trading_days();
        let old = self.acts.partition_point(|act| days.age_days(act.at, last) > window_days);
        self.acts.drain(..old);
        let mut surplus_of = vec![0_usize; self.shoppers.len()];
        for act in &self.acts {
            surplus_of[act.user.0 as usize] += 1;
        }
        for n in &mut surplus_of {
            *n = n.saturating_sub(max_per_shopper);
        }
        self.acts.retain(|act| {
            let surplus = &mut surplus_of[act.user.0 as usize];
            let stays = *surplus == 0;
            *surplus = surplus.saturating_sub(1);
            stays
        });
        let surplus = self.acts.len().saturating_sub(max);
        self.acts.drain(..surplus);
        self.compact();
    }

    /// Takes away shoppers and items without acts, once they are more than half: every session leaves a
    /// name behind. The others move up in their order, so positions hold until the next
    /// [`settle`](Self::settle) only.
    fn compact(&mut self) {
        let (mut acted, mut touched) =
            (vec![false; self.shoppers.len()], vec![false; self.items.len()]);
        for act in &self.acts {
            acted[act.user.0 as usize] = true;
            touched[act.item.0 as usize] = true;
        }
        if let Some(moved) = keep(&mut self.shoppers, &mut self.shopper_positions, &acted) {
            self.acts.iter_mut().for_each(|act| act.user.0 = moved[act.user.0 as usize]);
        }
        if let Some(moved) = keep(&mut self.items, &mut self.item_positions, &touched) {
            self.acts.iter_mut().for_each(|act| act.item.0 = moved[act.item.0 as usize]);
        }
    }

    /// The same events with other weights.
    #[must_use]
    pub fn reweighted(&self, weight: impl Fn(&Act) -> f32) -> Self {
        let mut log = self.clone();
        for act in &mut log.acts {
            act.weight = weight(act);
        }
        log
    }

    /// The days on which anything happened; [`settle`](Self::settle) first.
    pub fn trading_days(&self) -> TradingDays {
        TradingDays::of(self.acts.iter().map(|act| act.at))
    }

    /// Forgets the shopper that `is_named` finds; their position stays, without events or name.
    pub fn forget(&mut self, is_named: impl Fn(&ShopperId) -> bool) {
        let found: Vec<u32> =
            (0..).zip(&self.shoppers).filter(|(_, s)| is_named(s)).map(|(at, _)| at).collect();
        for at in found {
            if let Ok(nobody) = SessionId::new(format!("erased-{at}")) {
                let name = &mut self.shoppers[at as usize];
                self.shopper_positions.remove(name);
                *name = ShopperId::Session(nobody);
            }
            self.acts.retain(|act| act.user.0 != at);
        }
    }

    /// Makes a guest's events those of the customer they have become; the guest's position stays, without events
    /// but those that came later.
    pub fn merge(&mut self, merge: &Merge) {
        let from: Vec<u32> = ShopperId::named(&merge.from)
            .filter_map(|guest| self.shopper_positions.get(&guest).copied())
            .collect();
        if from.is_empty() {
            return;
        }
        let customer = ShopperId::User(merge.into.clone());
        let into = position(&mut self.shoppers, &mut self.shopper_positions, &customer);
        for act in &mut self.acts {
            if from.contains(&act.user.0) && act.sequence <= merge.moved_until {
                act.user.0 = into;
            }
        }
    }

    /// Events in order of (time, sequence); [`settle`](Self::settle) first.
    pub fn acts(&self) -> &[Act] {
        &self.acts
    }

    /// Shoppers by position.
    pub fn shoppers(&self) -> &[ShopperId] {
        &self.shoppers
    }

    /// Items by position.
    pub fn items(&self) -> &[ItemId] {
        &self.items
    }

    /// The matrix of `acts`, each weight decayed to `now` in the shop's own time, joined by
    /// [`Weighting::joined`].
    pub fn matrix(
        &self,
        acts: &[Act],
        weighting: &Weighting,
        (days, now): (&TradingDays, Timestamp),
    ) -> InteractionMatrix {
        let decay = |act: &Act| weighting.decay(days.age_days(act.at, now));
        let cells = acts
            .iter()
            .filter(|act| act.weight != 0.0)
            .map(|act| (act.user, act.item, act.weight * decay(act)));
        let matrix = InteractionMatrix::from_cells(self.shoppers.len(), self.items.len(), cells);
        matrix.map_values(|sum| weighting.joined(sum))
    }
}

/// What the event happened together with: its order if it names one, else its session on that day (UTC),
/// else all that the shopper did on that day.
///
/// The day is there because some shops let a session live for months. It is a 32-bit mark instead of a
/// running number, so that nothing need be remembered between two batches, or forgotten with a shopper: two
/// of one shopper's `k` visits are taken for one with a chance of about `k² / 2³³`, a thousand orders with
/// one in 8,000. Marks of different shoppers say nothing about each other.
fn visit(event: &Event) -> u32 {
    let day = event.occurred_at.0.div_euclid(DAY_MS);
    // SipHash with fixed keys: the same mark in every run.
    let mut hasher = DefaultHasher::new();
    match (&event.order, &event.session) {
        (Some(order), _) => (0_u8, order).hash(&mut hasher),
        (None, Some(session)) => (1_u8, session, day).hash(&mut hasher),
        (None, None) => (2_u8, day).hash(&mut hasher),
    }
    hasher.finish() as u32
}

/// Keeps the names that are `alive`, if they are less than half; answers where each went.
fn keep<K: Clone + Eq + std::hash::Hash>(
    names: &mut Vec<K>,
    positions: &mut FxHashMap<K, u32>,
    alive: &[bool],
) -> Option<Vec<u32>> {
    let n_alive = alive.iter().filter(|&&alive| alive).count();
    if n_alive * 2 >= names.len() {
        return None;
    }
    let mut next = 0;
    let moved = alive.iter().map(|&alive| {
        let at = next;
        next += u32::from(alive);
        at
    });
    let moved: Vec<u32> = moved.collect();
    let mut lives = alive.iter();
    names.retain(|_| lives.next().is_some_and(|&alive| alive));
    names.shrink_to_fit();
    *positions = names.iter().cloned().zip(0..).collect();
    Some(moved)
}

fn position<K: Clone + Eq + std::hash::Hash>(
    names: &mut Vec<K>,
    positions: &mut FxHashMap<K, u32>,
    name: &K,
) -> u32 {
    if let Some(&at) = positions.get(name) {
        return at;
    }
    let at = names.len() as u32;
    names.push(name.clone());
    positions.insert(name.clone(), at);
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(sequence: i64, session: &str, item: &str, day: i64) -> RecordedEvent {
        let event = Event {
            event_id: None,
            kind: EventKind::View,
            user: None,
            session: Some(crate::domain::SessionId::new(session).unwrap()),
            item: Some(ItemId::new(item).unwrap()),
            occurred_at: Timestamp(day * DAY_MS),
            quantity: 1,
            price: None,
            order: None,
            value: None,
            context: crate::domain::EventContext::default(),
        };
        RecordedEvent { sequence: Sequence(sequence), event }
    }

    #[test]
    fn an_order_is_a_visit_else_the_session_or_the_day_is() {
        let event = |order: Option<&str>, session: Option<&str>, day, hour: i64| {
            let mut event = seen(0, "s", "i", day).event;
            event.session = session.map(|name| crate::domain::SessionId::new(name).unwrap());
            event.order = order.map(str::to_owned);
            event.occurred_at = event.occurred_at.plus_ms(hour * 3_600_000);
            visit(&event)
        };
        assert_eq!(event(Some("o1"), Some("a"), 1, 1), event(Some("o1"), None, 2, 5));
        assert_ne!(event(Some("o1"), Some("a"), 1, 1), event(Some("o2"), Some("a"), 1, 1));
        assert_eq!(event(None, Some("a"), -1, 1), event(None, Some("a"), -1, 23));
        assert_ne!(event(None, Some("a"), 1, 1), event(None, Some("b"), 1, 1));
        assert_ne!(
            event(None, Some("a"), 1, 1),
            event(None, Some("a"), 2, 1),
            "a cookie of months"
        );
        assert_eq!(event(None, None, 1, 1), event(None, None, 1, 23));
        assert_ne!(event(None, None, 1, 23), event(None, None, 2, 0));
        assert_ne!(event(Some("a"), None, 1, 1), event(None, Some("a"), 1, 1));
    }

    #[test]
    fn shoppers_and_items_without_acts_do_not_pile_up() {
        let weighting = Weighting {
            by_kind: [1.0; 12],
            rating_neutral: 2.5,
            half_life_days: 90.0,
            cell_max: 100.0,
        };
        let mut log = EventLog::default();
        for n in 0..1_000 {
            let (session, item) = (format!("s{n}"), format!("i{}", n / 10));
            log.extend(&[seen(n, &session, &item, n)], &weighting);
            log.settle(1e9, 20, 20);
            assert!(log.shoppers().len() <= 41 && log.items().len() <= 41, "at {n}");
            for act in log.acts() {
                let n = act.sequence.0;
                let ShopperId::Session(shopper) = &log.shoppers()[act.user.0 as usize] else {
                    panic!()
                };
                assert_eq!(shopper.as_str(), format!("s{n}"));
                let item = log.items()[act.item.0 as usize].as_str();
                assert_eq!(item, format!("i{}", n / 10));
            }
        }
        assert_eq!(log.acts().len(), 20);
        // Somebody who was forgotten comes back as anybody else.
        log.extend(&[seen(5_000, "s0", "i0", 5_000)], &weighting);
        log.settle(1e9, 20, 20);
        let last = log.acts().last().unwrap();
        assert_eq!(log.items()[last.item.0 as usize].as_str(), "i0");
    }
}
