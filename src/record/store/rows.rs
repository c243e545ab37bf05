//! Rows as both databases hand them out, and what they mean.

use super::{StoreError, Totals, draft::Standing, shared::OfItem};
use crate::domain::{
    Cents, CompetitorOffer, CompetitorPrice, Condition, Credit, Credited, ErasureReceipt, Event,
    EventContext, EventKind, IdError, Item, ItemId, Lottery, Merge, ModelRun, PriceDecision,
    PriceEntry, PriceReason, PriceRun, RecordedEvent, RunOutcome, RunState, Sequence, SessionId,
    StoredDirective, Timestamp, User, UserId, VariantTally,
};
use serde::de::DeserializeOwned;

fn corrupt(what: &'static str, detail: impl ToString) -> StoreError {
    StoreError::Corrupt { what, detail: detail.to_string() }
}

fn json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| corrupt(what, error))
}

/// The JSON of something whose serialisation cannot fail: plain fields and JSON values.
pub(super) fn to_json<T: serde::Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("plain fields, string keys: nothing to fail at")
}

/// What is stored of an event's context.
pub(super) fn context_json(event: &Event) -> Option<String> {
    (!event.context.is_empty()).then(|| to_json(&event.context))
}

/// The meaning of every row, in the order of the rows.
pub(super) fn all<R, T>(rows: Vec<R>) -> Result<Vec<T>, StoreError>
where
    T: TryFrom<R, Error = StoreError>,
{
    rows.into_iter().map(T::try_from).collect()
}

#[derive(sqlx::FromRow)]
pub(super) struct EventRow {
    sequence: i64,
    event_id: Option<String>,
    kind: i16,
    user_id: Option<String>,
    session_id: Option<String>,
    item_id: Option<String>,
    occurred_at_ms: i64,
    quantity: i64,
    price_minor: Option<i64>,
    order_id: Option<String>,
    value: Option<f64>,
    context: Option<String>,
}

impl TryFrom<EventRow> for RecordedEvent {
    type Error = StoreError;
    fn try_from(row: EventRow) -> Result<Self, StoreError> {
        let bad_id = |error: IdError| corrupt("event", error);
        let event = Event {
            event_id: row.event_id,
            kind: EventKind::from_code(row.kind)
                .ok_or_else(|| corrupt("event", format_args!("there is no kind {}", row.kind)))?,
            user: row.user_id.map(UserId::new).transpose().map_err(bad_id)?,
            session: row.session_id.map(SessionId::new).transpose().map_err(bad_id)?,
            item: row.item_id.map(ItemId::new).transpose().map_err(bad_id)?,
            occurred_at: Timestamp(row.occurred_at_ms),
            quantity: u32::try_from(row.quantity).map_err(|error| corrupt("event", error))?,
            price: row.price_minor.map(Cents),
            order: row.order_id,
            value: row.value,
            context: match row.context {
                None => EventContext::default(),
                Some(text) => json("event", &text)?,
            },
        };
        Ok(Self { sequence: Sequence(row.sequence), event })
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct ItemRow {
    item_id: String,
    fields: String,
    price_in_force_minor: Option<i64>,
    first_seen_ms: i64,
    updated_ms: i64,
    removed: bool,
    back_on_sale_ms: Option<i64>,
    revision: i64,
}

impl TryFrom<ItemRow> for Item {
    type Error = StoreError;
    fn try_from(row: ItemRow) -> Result<Self, StoreError> {
        Ok(Self {
            item_id: ItemId::new(row.item_id).map_err(|error| corrupt("item", error))?,
            fields: json("item", &row.fields)?,
            price_in_force: row.price_in_force_minor.map(Cents),
            first_seen_at: Timestamp(row.first_seen_ms),
            updated_at: Timestamp(row.updated_ms),
            removed: row.removed,
            back_on_sale_at: row.back_on_sale_ms.map(Timestamp),
            revision: row.revision,
        })
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct StandingRow {
    #[sqlx(flatten)]
    item: ItemRow,
    ledger_from_ms: Option<i64>,
}

impl TryFrom<StandingRow> for Standing {
    type Error = StoreError;
    fn try_from(row: StandingRow) -> Result<Self, StoreError> {
        Ok(Self { item: row.item.try_into()?, ledger_from: row.ledger_from_ms.map(Timestamp) })
    }
}

/// The items of these rows by their ids.
pub(super) fn standing(
    rows: Vec<StandingRow>,
) -> Result<std::collections::HashMap<ItemId, Standing>, StoreError> {
    rows.into_iter()
        .map(|row| Standing::try_from(row).map(|known| (known.item.item_id.clone(), known)))
        .collect()
}

#[derive(sqlx::FromRow)]
pub(super) struct PriceRow {
    item_id: String,
    from_ms: i64,
    to_ms: Option<i64>,
    price_minor: i64,
    reason: String,
    expected_minor: Option<i64>,
    chance_ppm: Option<i32>,
}

/// The reason of a price as it is stored.
fn price_reason(
    name: &str,
    expected_minor: Option<i64>,
    chance_ppm: Option<i32>,
) -> Result<PriceReason, StoreError> {
    let lottery = expected_minor.zip(chance_ppm).map(|(expected, chance)| Lottery {
        expected: Cents(expected),
        chance_ppm: chance.unsigned_abs(),
    });
    PriceReason::from_name(name, lottery)
        .ok_or_else(|| corrupt("price", format_args!("no reason {name:?}")))
}

impl OfItem for PriceRow {
    fn item_id(&self) -> &str {
        &self.item_id
    }
}

impl TryFrom<PriceRow> for PriceEntry {
    type Error = StoreError;
    fn try_from(row: PriceRow) -> Result<Self, StoreError> {
        Ok(Self {
            item: ItemId::new(row.item_id).map_err(|error| corrupt("price", error))?,
            price: Cents(row.price_minor),
            from: Timestamp(row.from_ms),
            to: row.to_ms.map(Timestamp),
            reason: price_reason(&row.reason, row.expected_minor, row.chance_ppm)?,
        })
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct OfferRow {
    item_id: String,
    competitor: String,
    observed_at_ms: i64,
    price_minor: i64,
    shipping_minor: Option<i64>,
    in_stock: Option<bool>,
    condition: String,
    match_confidence: Option<f64>,
}

impl OfItem for OfferRow {
    fn item_id(&self) -> &str {
        &self.item_id
    }
}

impl TryFrom<OfferRow> for CompetitorPrice {
    type Error = StoreError;
    fn try_from(row: OfferRow) -> Result<Self, StoreError> {
        let condition = Condition::from_name(&row.condition);
        let unknown =
            || corrupt("competitor's price", format_args!("condition {:?}", row.condition));
        Ok(Self {
            item: ItemId::new(row.item_id).map_err(|error| corrupt("competitor's price", error))?,
            offer: CompetitorOffer {
                competitor: row.competitor,
                price: Cents(row.price_minor),
                shipping: row.shipping_minor.map(Cents),
                in_stock: row.in_stock,
                condition: condition.ok_or_else(unknown)?,
                match_confidence: row.match_confidence,
                observed_at: Timestamp(row.observed_at_ms),
            },
        })
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct PriceRunRow {
    run_id: String,
    created_ms: i64,
    state: String,
    changed_ms: i64,
    request_key: Option<String>,
    by_person: bool,
    summary: String,
}

impl TryFrom<PriceRunRow> for PriceRun {
    type Error = StoreError;
    fn try_from(row: PriceRunRow) -> Result<Self, StoreError> {
        let state = RunState::from_name(&row.state);
        Ok(Self {
            run_id: row.run_id,
            created_at: Timestamp(row.created_ms),
            state: state
                .ok_or_else(|| corrupt("pricing run", format_args!("state {:?}", row.state)))?,
            changed_at: Timestamp(row.changed_ms),
            request_key: row.request_key,
            is_approved_by_person: row.by_person,
            summary: json("pricing run", &row.summary)?,
        })
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct PriceDecisionRow {
    run_id: String,
    item_id: String,
    before_minor: Option<i64>,
    price_minor: i64,
    reason: String,
    expected_minor: Option<i64>,
    chance_ppm: Option<i32>,
    cost_minor: Option<i64>,
    decided_by: Vec<u8>,
}

impl TryFrom<PriceDecisionRow> for (String, PriceDecision) {
    type Error = StoreError;
    fn try_from(row: PriceDecisionRow) -> Result<Self, StoreError> {
        let decision = PriceDecision {
            item: ItemId::new(row.item_id).map_err(|error| corrupt("price decision", error))?,
            before: row.before_minor.map(Cents),
            price: Cents(row.price_minor),
            reason: price_reason(&row.reason, row.expected_minor, row.chance_ppm)?,
            cost: row.cost_minor.map(Cents),
            case: row.decided_by,
        };
        Ok((row.run_id, decision))
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct UserRow {
    user_id: String,
    attributes: String,
    first_seen_ms: i64,
    updated_ms: i64,
}

impl TryFrom<UserRow> for User {
    type Error = StoreError;
    fn try_from(row: UserRow) -> Result<Self, StoreError> {
        Ok(Self {
            user_id: UserId::new(row.user_id).map_err(|error| corrupt("user", error))?,
            attributes: json("user", &row.attributes)?,
            first_seen_at: Timestamp(row.first_seen_ms),
            updated_at: Timestamp(row.updated_ms),
        })
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct ErasureRow {
    sequence: i64,
    user_hash: String,
    erased_at_ms: i64,
    events_erased: i64,
}

impl From<ErasureRow> for ErasureReceipt {
    fn from(row: ErasureRow) -> Self {
        Self {
            sequence: row.sequence,
            user_hash: row.user_hash,
            erased_at: Timestamp(row.erased_at_ms),
            events_erased: row.events_erased as u64,
        }
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct MergeRow {
    sequence: i64,
    from_id: String,
    into_user_id: String,
    merged_at_ms: i64,
    moved_until: i64,
    events_moved: i64,
}

impl TryFrom<MergeRow> for Merge {
    type Error = StoreError;
    fn try_from(row: MergeRow) -> Result<Self, StoreError> {
        Ok(Self {
            sequence: row.sequence,
            from: row.from_id,
            into: UserId::new(row.into_user_id).map_err(|error| corrupt("merge", error))?,
            merged_at: Timestamp(row.merged_at_ms),
            moved_until: Sequence(row.moved_until),
            events_moved: row.events_moved as u64,
        })
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct CreditRow {
    scenario: String,
    source: Option<String>,
    experiment: Option<String>,
    variant: Option<String>,
    kind: i16,
    events: i64,
    units: i64,
    revenue_minor: i64,
}

impl TryFrom<CreditRow> for Credited {
    type Error = StoreError;
    fn try_from(row: CreditRow) -> Result<Self, StoreError> {
        let kind = EventKind::from_code(row.kind);
        Ok(Self {
            credit: Credit {
                scenario: row.scenario,
                source: row.source,
                experiment: row.experiment,
                variant: row.variant,
                chance_ppm: None,
            },
            kind: kind.ok_or_else(|| corrupt("event", format!("kind {}", row.kind)))?,
            events: row.events as u64,
            units: row.units as u64,
            revenue_minor: row.revenue_minor,
        })
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct TallyRow {
    variant: String,
    users: i64,
    converted: i64,
    impressions: i64,
    clicks: i64,
    carts: i64,
    purchases: i64,
    revenue_minor: f64,
    revenue_squares: f64,
}

impl From<TallyRow> for VariantTally {
    fn from(row: TallyRow) -> Self {
        Self {
            variant: row.variant,
            users: row.users as u64,
            converted: row.converted as u64,
            impressions: row.impressions as u64,
            clicks: row.clicks as u64,
            carts: row.carts as u64,
            purchases: row.purchases as u64,
            revenue_minor: row.revenue_minor,
            revenue_squares: row.revenue_squares,
        }
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct RunRow {
    started_at_ms: i64,
    finished_at_ms: i64,
    outcome: String,
    reason: String,
    version: Option<i64>,
    report: String,
}

impl TryFrom<RunRow> for ModelRun {
    type Error = StoreError;
    fn try_from(row: RunRow) -> Result<Self, StoreError> {
        Ok(Self {
            started_at: Timestamp(row.started_at_ms),
            finished_at: Timestamp(row.finished_at_ms),
            outcome: RunOutcome::from_name(&row.outcome)
                .ok_or_else(|| corrupt("run", format_args!("no outcome {:?}", row.outcome)))?,
            reason: row.reason,
            version: row.version.map(|version| version as u64),
            report: json("run", &row.report)?,
        })
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct DirectiveRow {
    name: String,
    body: String,
    updated_ms: i64,
}

impl TryFrom<DirectiveRow> for StoredDirective {
    type Error = StoreError;
    fn try_from(row: DirectiveRow) -> Result<Self, StoreError> {
        let body = json("directive", &row.body)?;
        Ok(Self { name: row.name, body, updated_at: Timestamp(row.updated_ms) })
    }
}

/// The attributes to be saved, one for each distinct user, in the order of first mention; the last
/// attributes for a user count.
pub(super) fn last_of_each<V>(pairs: &[(UserId, V)]) -> Vec<(&UserId, &V)> {
    let mut places = std::collections::HashMap::new();
    let mut last: Vec<(&UserId, &V)> = Vec::new();
    for (user, value) in pairs {
        let place = *places.entry(user).or_insert(last.len());
        match last.get_mut(place) {
            Some(pair) => pair.1 = value,
            None => last.push((user, value)),
        }
    }
    last
}

/// For each event, whether it is the first in `events` with its `event_id`.
pub(super) fn first_of_each(events: &[Event]) -> Vec<bool> {
    let mut seen = std::collections::HashSet::new();
    events
        .iter()
        .map(|event| event.event_id.as_deref().is_none_or(|event_id| seen.insert(event_id)))
        .collect()
}

/// The users and the items of `events` that are not known to exist, each sorted and once: everybody
/// locks rows in the same order, so that writers wait for each other but never in a circle.
pub(super) fn newcomers<'a>(
    events: &'a [Event],
    known: &dyn super::Known,
) -> (Vec<&'a str>, Vec<&'a str>) {
    let mut users: Vec<&str> = events
        .iter()
        .filter_map(|event| event.user.as_ref())
        .filter(|user| !known.user(user))
        .map(UserId::as_str)
        .collect();
    let mut items: Vec<&str> = events
        .iter()
        .filter_map(|event| event.item.as_ref())
        .filter(|item| !known.item(item))
        .map(ItemId::as_str)
        .collect();
    for ids in [&mut users, &mut items] {
        ids.sort_unstable();
        ids.dedup();
    }
    (users, items)
}

/// The totals of (kind, count) rows and of the counts of items, users, prices and competitors'
/// prices; a kind that this version does not know is left out.
pub(super) fn totals(events: &[(i16, i64)], counts: (i64, i64, i64, i64)) -> Totals {
    let (items, users, prices, competitor_prices) = counts;
    Totals {
        events: events
            .iter()
            .filter_map(|&(kind, n)| Some((EventKind::from_code(kind)?, n as u64)))
            .collect(),
        items: items as u64,
        users: users as u64,
        prices: prices as u64,
        competitor_prices: competitor_prices as u64,
    }
}
