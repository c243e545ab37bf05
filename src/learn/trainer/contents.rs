//! From what was fitted to what is served, and back.

use crate::{
    domain::{ItemId, Sequence, Timestamp, time::DAY_MS},
    learn::{
        dataset::{EventLog, UserIdx},
        pipeline::{Fitted, Report},
        related::ItemFacts,
    },
    live::Live,
    snapshot::{Contents, PricedAnew, Snapshot},
};
use rustc_hash::FxHashMap;

/// How long served lists are held against new ones at least, however short the time that is held out. Our choice.
const LISTS_STAND_MS: i64 = 7 * DAY_MS;

/// What the catalogue says of each item, by position; categories as numbers.
pub(super) fn item_facts(items: &[ItemId], live: &Live) -> Vec<ItemFacts> {
    let mut numbers: FxHashMap<String, u32> = FxHashMap::default();
    let mut facts_of = |item: &ItemId| {
        let Some(entry) = live.catalogue.get(item) else { return ItemFacts::default() };
        let names = entry.item.fields.categories.iter();
        let number_of = |name: &String| {
            let next = numbers.len() as u32;
            *numbers.entry(name.clone()).or_insert(next)
        };
        let price = entry.item.price_in_force.or(entry.item.fields.price);
        ItemFacts { categories: names.map(number_of).collect(), price: price.map(|price| price.0) }
    };
    items.iter().map(&mut facts_of).collect()
}

/// For each item of the log, its position in the served snapshot, so that a fit can set out from there.
pub(super) fn item_positions(items: &[ItemId], served: &Snapshot) -> Vec<Option<u32>> {
    items.iter().map(|item| served.item_position(item)).collect()
}

/// Why the new snapshot must not be served, if so: its lift over popularity on held-out shoppers is
/// below the served one's by more than the tolerance and what chance explains (two standard errors).
///
/// Lifts are compared, not scores: a season that is hard to foresee is hard for popularity too. Once the served lists are
/// a week old, and all that is held out came after them, their lift was measured in other times, and is no longer held
/// against new ones: else lucky ones would be served for ever.
pub(super) fn is_worse(
    served: &Snapshot,
    report: &Report,
    now: Timestamp,
    tolerance: f64,
) -> Option<String> {
    let before: serde_json::Value = serde_json::from_str(&served.report).ok()?;
    let (lift, served_lift) = (report.lift?, before.get("lift")?.as_f64()?);
    let held_out_from = report.holdout_from.as_deref().and_then(Timestamp::parse);
    let is_of_other_times = held_out_from.is_some_and(|from| served.as_of <= from);
    if is_of_other_times && LISTS_STAND_MS <= now.since_ms(served.trained_at) {
        return None;
    }
    let floor = served_lift * (1.0 - tolerance) - 2.0 * report.lift_standard_error.unwrap_or(0.0);
    (lift < floor).then(|| {
        format!("NDCG@10 is {lift:.3} times popularity's, the served snapshot's was {served_lift:.3} times; below the tolerance")
    })
}

pub(super) fn contents(
    log: &EventLog,
    (fitted, settings): (Fitted, String),
    version: u64,
    (trained_at, as_of): (Timestamp, Timestamp),
    (watermark, merges): (Sequence, i64),
) -> Contents {
    let n = log.shoppers().len() as u32;
    let mut history_starts = vec![0];
    let mut history = Vec::with_capacity(fitted.matrix.n_interactions());
    let mut purchase_starts = vec![0];
    let mut purchases = Vec::with_capacity(fitted.purchases.len());
    let mut bought = fitted.purchases.iter().peekable();
    for user in (0..n).map(UserIdx) {
        history.extend(fitted.matrix.row_cells(user));
        history_starts.push(history.len() as u32);
        while let Some(&(_, item, at)) = bought.next_if(|purchase| purchase.0 == user) {
            purchases.push((item, at));
        }
        purchase_starts.push(purchases.len() as u32);
    }
    Contents {
        version,
        trained_at,
        as_of,
        trading_days: fitted.trading_days,
        watermark,
        merges,
        items: log.items().to_vec(),
        shoppers: log.shoppers().to_vec(),
        history_starts,
        history,
        purchase_starts,
        purchases,
        models: fitted.models,
        blend: fitted.blend,
        session: fitted.session,
        popular: fitted.popular,
        price_response: fitted.price_response,
        priced_anew: None,
        related: fitted.related,
        trending: fitted.trending,
        report: serde_json::to_string(&fitted.report).unwrap_or_default(),
        settings,
    }
}

/// What is served with another price response, which was learned from more than the lists were.
pub(super) fn priced_anew(
    served: &Contents,
    fitted: Fitted,
    version: u64,
    learned: PricedAnew,
) -> Contents {
    let mut report: serde_json::Value =
        serde_json::from_str(&served.report).unwrap_or(serde_json::Value::Null);
    if let Some(fields) = report.as_object_mut() {
        let told = serde_json::to_value(&fitted.report.price_response).unwrap_or_default();
        fields.insert("price_response".into(), told);
        fields.remove("price_response_failure");
    }
    Contents {
        version,
        price_response: fitted.price_response,
        priced_anew: Some(learned),
        report: report.to_string(),
        ..served.clone()
    }
}
