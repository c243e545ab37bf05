//! What lists were worth: the part of `GET /status` about recommendations.

use super::state::{ApiState, Money};
use crate::domain::{Cents, Credit, EventKind, time::DAY_MS};
use serde::Serialize;
use utoipa::ToSchema;

/// Days that `GET /status` looks back.
const STATUS_DAYS: i64 = 30;
/// Most lines: events may name any scenario.
const LINES_MAX: usize = 1_000;

/// Events that follow from lists of one kind.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttributionStatus {
    /// The place in the storefront.
    scenario: String,
    /// Where the lists came from; null where it was no longer known.
    source: Option<String>,
    /// The experiment, if they were part of one.
    experiment: Option<String>,
    /// Its variant.
    variant: Option<String>,
    /// Items shown.
    impressions: u64,
    /// Items looked at.
    views: u64,
    /// Items clicked.
    clicks: u64,
    /// Items put into the cart.
    carts: u64,
    /// Purchases of an item.
    purchases: u64,
    /// What was paid for them.
    revenue: Money,
}

/// What lists of the last 30 days were worth, by where and how they were made; `None` if the store does not say.
pub(super) async fn attributed(state: &ApiState) -> Option<Vec<AttributionStatus>> {
    let since = state.clock.now().plus_ms(-STATUS_DAYS * DAY_MS);
    let rows = state.store.credited(since).await.ok()?;
    let same =
        |a: &'_ crate::domain::Credited, b: &'_ crate::domain::Credited| a.credit == b.credit;
    let lines = rows.chunk_by(same).map(|rows| {
        let n = |kind: EventKind| -> u64 {
            rows.iter().filter(|row| row.kind == kind).map(|row| row.events).sum()
        };
        let Credit { scenario, source, experiment, variant, .. } = rows[0].credit.clone();
        AttributionStatus {
            scenario,
            source,
            experiment,
            variant,
            impressions: n(EventKind::Impression),
            views: n(EventKind::View),
            clicks: n(EventKind::Click),
            carts: n(EventKind::AddToCart),
            purchases: n(EventKind::Purchase),
            revenue: state.money(Cents(rows.iter().map(|row| row.revenue_minor).sum())),
        }
    });
    Some(lines.take(LINES_MAX).collect())
}
