//! Ready shelves of shoppers who come again, and what is popular now: bounded, and never stale, since
//! all that a shelf depends on is in its key.

use super::{
    deadline::{Deadline, UsualTime},
    error::ApiError,
    policies::Chosen,
    related::{SharedAnswer, SharedBytes, SharedKey},
    rendered::{RenderKey, Rendered, RenderedBytes},
    state::ApiState,
};
use crate::{
    decide::recommend::{Ask, Policy, Popular, Recent, Shelf, TrendingNow, taste},
    domain::{EventKind, ItemId, Sequence, ShopperId, Timestamp},
    learn::{dataset::Weighting, sessions::visits::is_interest},
    live::shoppers::LiveEvent,
    snapshot::Snapshot,
};
use arc_swap::ArcSwapOption;
use quick_cache::{Weighter, sync::Cache};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How old the popular list may be while events keep coming; a list as short as a new shop's is made
/// anew for every event.
const POPULAR_AGE_MAX: Duration = Duration::from_millis(250);
const POPULAR_SHORT: usize = 200;
/// Filling a shelf may take so long where requests are answered; beyond it, other threads do it.
const QUICK: Duration = Duration::from_micros(500);

/// Whose shelf, and as of when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ShelfKey {
    version: u64,
    shopper: Option<ShopperId>,
    /// Erased, or become somebody else, since the snapshot was trained, which therefore must not be asked about
    /// them.
    is_gone: bool,
    /// The last merge since the snapshot that made guests this shopper.
    merge: i64,
    session: Option<ShopperId>,
    /// How many live events, and the last of them.
    stamp: (usize, Sequence),
    /// The policy that says which models are asked; 0 = those of the learned blend.
    mix: u32,
    /// Whether the last of them is so late that the visit goes on.
    is_visiting: bool,
    visited: Vec<ItemId>,
    context: Vec<ItemId>,
}

impl ShelfKey {
    /// The one key of all about whom nothing is known.
    pub fn of_strangers(snapshot: &Snapshot, context: &[ItemId]) -> Self {
        Self { version: snapshot.version, context: context.to_vec(), ..Self::default() }
    }

    /// The same as asked of the served snapshot.
    #[must_use]
    pub fn served_by(&self, snapshot: &Snapshot) -> Self {
        Self { version: snapshot.version, ..self.clone() }
    }

    /// What the storefront said was looked at.
    pub fn visited(&self) -> &[ItemId] {
        &self.visited
    }

    /// Bytes held; ids are shared and not counted.
    pub fn n_bytes(&self) -> u64 {
        let ids = size_of::<ItemId>() * (self.visited.len() + self.context.len());
        (size_of::<Self>() + ids) as u64
    }
}

#[derive(Clone)]
struct Bytes;

impl Weighter<ShelfKey, Arc<Shelf>> for Bytes {
    fn weight(&self, key: &ShelfKey, shelf: &Arc<Shelf>) -> u64 {
        key.n_bytes() + shelf.n_bytes() as u64
    }
}

struct PopularNow {
    version: u64,
    last: Sequence,
    made: Instant,
    popular: Arc<Popular>,
}

struct TrendingOf {
    version: u64,
    last: Sequence,
    made: Instant,
    trending: Arc<TrendingNow>,
}

/// The caches behind lists.
pub struct Shelves {
    filled: Cache<ShelfKey, Arc<Shelf>, Bytes>,
    /// Lists as they go over the wire.
    pub(super) rendered: Cache<RenderKey, Arc<Rendered>, RenderedBytes>,
    /// Answers that are the same for everybody, as they go over the wire.
    pub(super) shared: Cache<SharedKey, Arc<SharedAnswer>, SharedBytes>,
    /// How long it takes to fill a shelf.
    fill_time: UsualTime,
    popular: ArcSwapOption<PopularNow>,
    trending: ArcSwapOption<TrendingOf>,
}

impl Shelves {
    /// Empty, for at most `bytes_max` bytes of shelves and lists.
    pub fn new(bytes_max: u64) -> Self {
        /// A guess at the size of either, from which the caches size their tables.
        const ENTRY_BYTES: u64 = 4_096;
        let part = (bytes_max / 3).max(1);
        let n = (part / ENTRY_BYTES).max(1) as usize;
        Self {
            filled: Cache::with_weighter(n, part, Bytes),
            rendered: Cache::with_weighter(n, part, RenderedBytes),
            shared: Cache::with_weighter(n, part, SharedBytes),
            fill_time: UsualTime::default(),
            popular: ArcSwapOption::empty(),
            trending: ArcSwapOption::empty(),
        }
    }

    /// Whether a shelf is ready, or takes so little that nobody notices.
    pub fn is_quick(&self, (key, n): (&ShelfKey, usize)) -> bool {
        let is_ready = || self.filled.peek(key).is_some_and(|shelf| shelf.holds(n));
        !self.fill_time.is_above(QUICK) || is_ready()
    }

    /// Bytes held.
    pub fn n_bytes(&self) -> u64 {
        self.filled.weight() + self.rendered.weight() + self.shared.weight()
    }
}

/// Who asks, and what they said about themselves.
#[derive(Clone, Debug, Default)]
pub struct Asker {
    /// The customer, if known.
    pub shopper: Option<ShopperId>,
    /// The running visit, if named.
    pub session: Option<ShopperId>,
    /// Items that the storefront says were looked at.
    pub visited: Vec<ItemId>,
}

/// Names the shelf of whoever asks, as of their last event.
pub fn shelf_key(
    state: &ApiState,
    snapshot: &Snapshot,
    (asker, chosen): (Asker, &Chosen),
    context: &[ItemId],
    now: Timestamp,
) -> ShelfKey {
    let shoppers = &state.live.shoppers;
    let (mut stamp, mut last_at) = ((0, Sequence(0)), Timestamp(i64::MIN));
    for shopper in [&asker.shopper, &asker.session].into_iter().flatten() {
        for event in shoppers.recent(shopper).iter() {
            stamp = (stamp.0 + 1, stamp.1.max(event.sequence));
            if is_step(event, &state.weighting) {
                last_at = last_at.max(event.occurred_at);
            }
        }
    }
    let is_gone = |shopper| {
        shoppers.is_erased(shopper, snapshot.trained_at)
            || shoppers.is_merged_since(shopper, snapshot.merges)
    };
    let guests = asker.shopper.as_ref().map(|who| shoppers.guests_since(who, snapshot.merges));
    ShelfKey {
        version: snapshot.version,
        mix: if chosen.policy.models.is_empty() { 0 } else { chosen.number },
        is_gone: asker.shopper.as_ref().is_some_and(is_gone),
        merge: guests.unwrap_or_default().iter().map(|guest| guest.merge).max().unwrap_or(0),
        shopper: asker.shopper,
        session: asker.session,
        stamp,
        is_visiting: now < last_at.plus_ms(state.config.sessions.gap_ms()),
        visited: asker.visited,
        context: context.to_vec(),
    }
}

/// How many items a request needs of a shelf, apart from those that the shopper's own past hides; as many as there are
/// if few of them may do.
pub fn n_needed(state: &ApiState, ask: &Ask, policy: &Policy) -> usize {
    let is_plain = state.rule_book().is_empty() && !policy.rearranges();
    let is_any = ask.category.is_none() && ask.filter.is_none();
    if is_plain && is_any { ask.n + ask.exclude.len() + ask.context.len() } else { usize::MAX }
}

/// The shelf of this name with `n` items at least, from the cache or filled now; and whether there was no time for that,
/// so that it holds no scores.
pub fn shelf_of(
    state: &ApiState,
    snapshot: &Snapshot,
    (key, n): (&ShelfKey, usize),
    (chosen, deadline): (&Chosen, Deadline),
    now: Timestamp,
) -> (Arc<Shelf>, bool) {
    if let Some(shelf) = state.shelves.filled.get(key).filter(|shelf| shelf.holds(n)) {
        return (shelf, false);
    }
    let mut recent: Vec<Recent> = Vec::new();
    let mut steps: Vec<(Timestamp, Sequence, ItemId)> = Vec::new();
    let mut seen: Vec<(ItemId, Option<Timestamp>)> = Vec::new();
    let mut shown: Vec<(ItemId, Timestamp)> = Vec::new();
    for shopper in [&key.shopper, &key.session].into_iter().flatten() {
        let live = state.live.shoppers.recent(shopper);
        // What came after the key was made belongs to another shelf.
        let then = live.iter().filter(|event| event.sequence <= key.stamp.1);
        seen.extend(
            then.clone()
                .filter(|event| is_dealing(event.kind))
                .map(|event| (event.item.clone(), Some(event.occurred_at))),
        );
        let impressions = then.clone().filter(|event| event.kind == EventKind::Impression);
        shown.extend(impressions.map(|event| (event.item.clone(), event.occurred_at)));
        steps.extend(
            then.clone()
                .filter(|event| key.is_visiting && is_step(event, &state.weighting))
                .map(|event| (event.occurred_at, event.sequence, event.item.clone())),
        );
        let since = then.filter(|event| event.sequence > snapshot.watermark);
        recent.extend(since.map(|event| Recent {
            kind: event.kind,
            item: event.item.clone(),
            occurred_at: event.occurred_at,
            value: event.value,
        }));
    }
    recent.extend(key.visited.iter().map(|item| Recent {
        kind: EventKind::View,
        item: item.clone(),
        occurred_at: snapshot.as_of,
        value: None,
    }));
    seen.extend(key.visited.iter().map(|item| (item.clone(), None)));
    let shopper = key.shopper.as_ref().filter(|_| !key.is_gone);
    let guests = key.shopper.as_ref().filter(|_| 0 < key.merge);
    let guests = guests.map(|who| state.live.shoppers.guests_since(who, snapshot.merges));
    let guests: Vec<ShopperId> = guests
        .unwrap_or_default()
        .iter()
        // What came after the key was made belongs to another shelf.
        .filter(|guest| guest.merge <= key.merge)
        .flat_map(|guest| ShopperId::named(&guest.id))
        .collect();
    let mut taste = taste(snapshot, (shopper, &guests), &recent, &key.context, &state.weighting);
    taste.seen = latest_of_each(seen);
    // Latest first, so that of each item the latest stays; what was dealt with since was not passed over.
    shown.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
    shown.dedup_by(|next, kept| next.0 == kept.0);
    let is_dealt_with = |(item, at): &(ItemId, Timestamp)| {
        let found = taste.seen.binary_search_by(|seen| seen.0.cmp(item)).ok();
        found.is_some_and(|found| taste.seen[found].1.is_none_or(|seen_at| *at <= seen_at))
    };
    shown.retain(|shown| !is_dealt_with(shown));
    taste.shown = shown;
    let named = key.visited.iter().filter_map(|item| snapshot.item_position(item));
    taste.visit = named.collect();
    if key.visited.is_empty() {
        let gap_ms = state.config.sessions.gap_ms();
        steps.sort_unstable_by_key(|step| (step.0, step.1));
        taste.visit_ends = steps.last().map(|last| last.0.plus_ms(gap_ms));
        let last_visit = steps.chunk_by(|a, b| b.0.since_ms(a.0) <= gap_ms).next_back();
        let items = last_visit.unwrap_or_default().iter();
        taste.visit.extend(items.filter_map(|step| snapshot.item_position(&step.2)));
        taste.visit.dedup();
    }
    if !state.shelves.fill_time.fits(deadline.left()) {
        return (Arc::new(Shelf::without_scores(taste)), true);
    }
    let begun = Instant::now();
    let hide = chosen.policy.hide(state.hide_policy());
    let hidden = taste.purchase_times().filter(|&at| now < hide.purchase_ends(at)).count();
    let n_ranked = Shelf::n_ranked(snapshot.items.len(), n.max(hidden + taste.seen.len()));
    let shelf = Arc::new(Shelf::fill(snapshot, taste, chosen.policy.blend(), n_ranked));
    state.shelves.fill_time.took(begun.elapsed());
    // A stranger's shelf holds nothing that is worth a place.
    if shelf.ranked.is_some() {
        state.shelves.filled.insert(key.clone(), shelf.clone());
    }
    (shelf, false)
}

/// Whether whoever did this need not be shown the item again at once.
fn is_dealing(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Impression | EventKind::Search | EventKind::Checkout)
}

/// Whether an event is a step of a visit, as it is for learning what comes next.
fn is_step(event: &LiveEvent, weighting: &Weighting) -> bool {
    is_interest(event.kind, weighting.weight(event.kind, event.value))
}

/// Each item once, with its latest time; no time is later than any.
fn latest_of_each(mut seen: Vec<(ItemId, Option<Timestamp>)>) -> Vec<(ItemId, Option<Timestamp>)> {
    seen.sort_by(|a, b| {
        let by_time = a.1.is_some().cmp(&b.1.is_some()).then(b.1.cmp(&a.1));
        a.0.cmp(&b.0).then(by_time)
    });
    seen.dedup_by(|next, kept| next.0 == kept.0);
    seen
}

/// What is wanted now: the snapshot's popularity and the weight of the latest events since.
pub fn popular_now(state: &ApiState, snapshot: &Snapshot) -> Arc<Popular> {
    let last = state.live.shoppers.last_sequence();
    let cached = state.shelves.popular.load();
    if let Some(now) = &*cached
        && now.version == snapshot.version
        && (now.last == last
            || (now.popular.n_boosted() > POPULAR_SHORT && now.made.elapsed() < POPULAR_AGE_MAX))
    {
        return now.popular.clone();
    }
    let latest = state.live.shoppers.latest_since(snapshot.watermark);
    let weighting = &state.weighting;
    let since = latest.into_iter().map(|event| {
        let decay = weighting.decay(snapshot.age_days(event.occurred_at));
        let weight = weighting.weight(event.kind, event.value) * decay;
        (event.item, weight)
    });
    let popular = Arc::new(Popular::new(snapshot, since));
    let now = PopularNow {
        version: snapshot.version,
        last,
        made: Instant::now(),
        popular: popular.clone(),
    };
    state.shelves.popular.store(Some(Arc::new(now)));
    popular
}

/// What is trending now: the snapshot's counts and the latest events since.
pub fn trending_now(
    state: &ApiState,
    snapshot: &Snapshot,
    now: Timestamp,
) -> Result<Arc<TrendingNow>, ApiError> {
    let last = state.live.shoppers.last_sequence();
    if let Some(known) = &*state.shelves.trending.load()
        && known.version == snapshot.version
        && (known.last == last
            || (snapshot.trending.len() > POPULAR_SHORT && known.made.elapsed() < POPULAR_AGE_MAX))
    {
        return Ok(known.trending.clone());
    }
    let latest = state.live.shoppers.latest_since(snapshot.watermark).into_iter();
    let since = latest.map(|event| (event.item, event.kind, event.occurred_at));
    let trending = TrendingNow::new(snapshot, since, now, &state.trending);
    let trending = trending.map_err(|error| ApiError::Internal(error.to_string()))?;
    let trending = Arc::new(trending);
    let made = TrendingOf {
        version: snapshot.version,
        last,
        made: Instant::now(),
        trending: trending.clone(),
    };
    state.shelves.trending.store(Some(Arc::new(made)));
    Ok(trending)
}
