//! From what two small shops took to what a large one will take.
//!
//! Each part of a run grows with something that is known: events, items, pairs of items in one history. Its seconds
//! and bytes are those of a line through both pilots, over that. Most is needed by the part that needs most, which may
//! be another one in a large shop than in a small one.

use crate::learn::{dataset::log::ACT_BYTES, recommenders::ModelKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A shop's size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shape {
    /// Customers.
    pub(super) users: f64,
    /// Items.
    pub(super) items: f64,
    /// Events.
    pub(super) events: f64,
}

/// One part of a run.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Stage {
    /// Which.
    #[serde(rename = "stage")]
    pub(super) name: String,
    /// The model that it is spent on, if on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<String>,
    /// How long it takes.
    pub(super) seconds: f64,
    /// Most bytes resident meanwhile; 0 if the system does not say.
    #[serde(default)]
    pub(super) peak_bytes: f64,
}

/// A model that was measured.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Candidate {
    /// Its name; `blend` for all together.
    #[serde(rename = "model")]
    pub(super) name: String,
    /// NDCG@10 over held-out shoppers.
    pub(super) ndcg: f64,
    /// Bytes.
    pub(super) bytes: f64,
    /// Weight in what is served, 0 = not served.
    pub(super) weight: f64,
}

impl Candidate {
    /// Whether it is a model of its own, and not the same for everybody.
    fn is_personal(&self) -> bool {
        ![ModelKind::Popularity.name(), "blend"].contains(&self.name.as_str())
    }
}

/// What a pilot took.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Observed {
    /// Customers made up.
    pub(super) users: f64,
    /// Items.
    pub(super) items: f64,
    /// Customers and guests.
    pub(super) shoppers: f64,
    /// Events.
    pub(super) events: f64,
    /// Shoppers that were measured on.
    pub(super) held_out: f64,
    /// Moments of visits that were chosen and measured on.
    pub(super) moments: f64,
    /// What was measured.
    pub(super) models: Vec<Candidate>,
    /// Seconds in all.
    pub(super) seconds: f64,
    /// Bytes resident before the run, with the catalogue; absent if the system does not say.
    pub(super) before_bytes: Option<f64>,
    /// Most bytes resident.
    pub(super) peak_bytes: Option<f64>,
    /// Of the snapshot, by part.
    pub(super) snapshot_bytes: BTreeMap<String, f64>,
    /// Where the time went.
    pub(super) stages: Vec<Stage>,
}

/// What settings bound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Items that are solved for at once.
    pub(super) dense_items_max: f64,
    /// Shoppers that are measured on.
    pub(super) held_out_max: f64,
    /// Moments of visits that are.
    pub(super) moments_max: f64,
    /// Bytes of ready lists and kept answers.
    pub(super) caches: f64,
}

/// What the shop will take.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Forecast {
    /// Seconds of a training run.
    pub(super) seconds: f64,
    /// Most bytes resident in a training run of its own process.
    pub(super) peak_bytes: f64,
    /// Bytes of a service at rest whose caches are full, with the events that it goes on learning from.
    pub(super) serving_bytes: f64,
    /// The same while a new snapshot takes over.
    pub(super) swap_bytes: f64,
    /// The same while it trains.
    pub(super) training_bytes: f64,
    /// Bytes of a snapshot, by part.
    pub(super) snapshot_bytes: BTreeMap<String, f64>,
    /// Seconds by part of the run.
    pub(super) stages: Vec<Stage>,
    /// Personal models that are reckoned to be served: those that were in the larger pilot, else the best of those that
    /// were measured. Which will be, only the shop's own shoppers can tell.
    pub(super) served_models: Vec<String>,
    /// Whether none of them was served in the pilot.
    pub(super) is_assumed: bool,
    /// What it takes to serve a personal model beside measuring it, be it reckoned with or not.
    pub(super) models: BTreeMap<String, Served>,
}

/// What it takes to serve a model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Served {
    /// Seconds of a training run.
    pub(super) seconds: f64,
    /// Bytes of a snapshot.
    pub(super) bytes: f64,
}

/// All that parts grow with.
#[derive(Clone, Copy, Debug)]
struct Size {
    shoppers: f64,
    items: f64,
    events: f64,
    held_out: f64,
    moments: f64,
}

impl Size {
    fn of(pilot: &Observed) -> Self {
        let Observed { shoppers, items, events, held_out, moments, .. } = *pilot;
        Self { shoppers, items, events, held_out, moments }
    }

    /// Pairs of items in histories, up to a constant.
    fn pairs(&self) -> f64 {
        self.events * self.events / self.shoppers
    }
}

/// Factors of an item: what one row costs beside one interaction.
const N_FACTORS: f64 = 64.0;
/// Steps of a dense solution for one item and two others, against one pair of a history.
const DENSE_STEP: f64 = 1.0 / 150.0;
/// Steps of a sparse solution for one item: 300 candidates cubed, in the same unit.
const SPARSE_STEPS: f64 = 60_000.0;

fn work(stage: &Stage, size: &Size, limits: &Limits) -> f64 {
    let factors = 4.0 * size.events + N_FACTORS * (size.shoppers + size.items);
    match (stage.name.as_str(), stage.model.as_deref()) {
        ("fit" | "held_out_fit", Some("item_knn" | "rp3beta")) | ("related", _) => size.pairs(),
        ("fit" | "held_out_fit", Some("svd" | "als" | "nmf")) => factors,
        ("fit" | "held_out_fit", Some("ease")) => {
            let solved = if size.items <= limits.dense_items_max {
                size.items.powi(3) * DENSE_STEP
            } else {
                size.items * SPARSE_STEPS
            };
            size.pairs() + solved
        }
        // Every item is scored for every shopper, and for every moment of a visit, that is measured on.
        ("measuring" | "blend", _) => size.items * size.held_out,
        ("held_out_visits", _) => size.items * size.moments,
        ("price_response" | "reading_prices", _) => size.items,
        _ => size.events,
    }
}

/// How far apart two pilots must be for a line.
const APART: f64 = 1.5;

/// The line through two points, or from nothing through the larger one if that would begin below nothing or fall.
fn along([x0, x1]: [f64; 2], [y0, y1]: [f64; 2], x: f64) -> f64 {
    let slope = (y1 - y0) / (x1 - x0);
    let start = y1 - slope * x1;
    // Two that are nearly alike differ by chance.
    if x1 >= APART * x0 && slope >= 0.0 && start >= 0.0 {
        return start + slope * x;
    }
    if x1 > 0.0 { y1 * (x / x1).max(0.0) } else { y1 }
}

/// What a shop of this shape will take; the smaller pilot comes first.
pub(super) fn forecast(pilots: &[Observed; 2], target: &Shape, limits: &Limits) -> Forecast {
    let [small, large] = pilots;
    let sizes = [Size::of(small), Size::of(large)];
    // Guests are shoppers too: as many for each event as in the pilot.
    let guests = (large.shoppers - large.users).max(0.0) / large.events;
    let size = Size {
        shoppers: target.users + guests * target.events,
        items: target.items,
        events: target.events,
        held_out: (large.held_out * target.users / large.users).min(limits.held_out_max),
        moments: (large.moments * target.events / large.events).min(limits.moments_max),
    };
    let (before, peaks) = memory([small, large], sizes, (&size, limits));
    let mut stages: Vec<Stage> = both([small, large])
        .into_iter()
        .zip(peaks)
        .map(|([before, stage], peak_bytes)| {
            let x = sizes.map(|size| work(&stage, &size, limits));
            let seconds = along(x, [before.seconds, stage.seconds], work(&stage, &size, limits));
            Stage { seconds, peak_bytes, ..stage }
        })
        .collect();
    let (served, is_assumed) = served(large);
    let costs: BTreeMap<String, ServedStages> = large
        .models
        .iter()
        .filter(|model| model.is_personal())
        .map(|model| (model.name.clone(), ServedStages::of(model, &stages, &size)))
        .collect();
    if is_assumed {
        for model in &served {
            costs[&model.name].add_to(&model.name, &mut stages);
        }
    }
    let rows = |size: &Size| size.shoppers + size.items;
    let of_part = |part: &str, size: &Size| match part {
        "item_knn" | "rp3beta" | "ease" | "related" | "price_response" | "svd" | "als" => {
            size.items
        }
        "names" => rows(size),
        _ => size.events,
    };
    let mut snapshot_bytes: BTreeMap<String, f64> = large
        .snapshot_bytes
        .iter()
        .map(|(part, &bytes)| {
            let before = small.snapshot_bytes.get(part).copied().unwrap_or_default();
            let x = sizes.map(|size| of_part(part, &size));
            (part.clone(), along(x, [before, bytes], of_part(part, &size)))
        })
        .collect();
    let model_bytes = |model: &Candidate| {
        let before = small.models.iter().find(|other| other.name == model.name);
        let bytes = [before.map_or(0.0, |before| before.bytes), model.bytes];
        let x = sizes.map(|size| of_part(&model.name, &size));
        along(x, bytes, of_part(&model.name, &size))
    };
    if is_assumed {
        let assumed = served.iter().map(|model| (model.name.clone(), model_bytes(model)));
        snapshot_bytes.extend(assumed);
    }
    let snapshot: f64 = snapshot_bytes.values().sum();
    // What the pilot did not hold at its end.
    let assumed: f64 =
        if is_assumed { served.iter().map(|model| model_bytes(model)).sum() } else { 0.0 };
    // A shop no smaller needs no less, whatever its stages were.
    let is_larger = size.items >= large.items && size.events >= large.events;
    let least = large.peak_bytes.filter(|_| is_larger).unwrap_or(0.0);
    let most = stages.iter().map(|stage| stage.peak_bytes).fold(least, f64::max);
    let peak = most + assumed;
    let log = ACT_BYTES as f64 * size.events;
    let serving_bytes = before + log + snapshot + limits.caches;
    Forecast {
        seconds: stages.iter().map(|stage| stage.seconds).sum(),
        peak_bytes: peak,
        serving_bytes,
        swap_bytes: serving_bytes + snapshot,
        // The run holds the events once, and ends with the new snapshot.
        training_bytes: serving_bytes + (peak - before - log).max(snapshot),
        snapshot_bytes,
        stages,
        served_models: served.iter().map(|model| model.name.clone()).collect(),
        is_assumed,
        models: large
            .models
            .iter()
            .filter(|model| model.is_personal())
            .map(|model| {
                let seconds = costs[&model.name].seconds();
                (model.name.clone(), Served { seconds, bytes: model_bytes(model) })
            })
            .collect(),
    }
}

/// The personal models that a pilot is served by; of one that is served by popularity alone the best that was measured,
/// and that it was assumed: a shop with more shoppers tells with more certainty that it is better than popularity, and
/// whoever plans for it must not be told too little.
fn served(pilot: &Observed) -> (Vec<&Candidate>, bool) {
    let personal = || pilot.models.iter().filter(|model| model.is_personal());
    let served: Vec<&Candidate> = personal().filter(|model| model.weight > 0.0).collect();
    if !served.is_empty() {
        return (served, false);
    }
    let best = personal().map(|model| model.ndcg).fold(0.0, f64::max);
    let best = personal().find(|model| best > 0.0 && model.ndcg >= best);
    (best.into_iter().collect(), best.is_some())
}

/// What it takes to serve a model that is measured: it is fitted once more, and every item is scored by it for all that
/// the blend and the visits are chosen and measured on.
struct ServedStages {
    fit: f64,
    blend: f64,
    visits: f64,
}

impl ServedStages {
    fn of(model: &Candidate, stages: &[Stage], size: &Size) -> Self {
        let of = |name: &str| -> f64 {
            let its_own =
                |stage: &&Stage| stage.name == name && stage.model.as_ref() == Some(&model.name);
            stages.iter().filter(its_own).map(|stage| stage.seconds).sum()
        };
        let measuring = of("measuring");
        Self {
            fit: of("held_out_fit"),
            blend: measuring,
            visits: measuring * size.moments / size.held_out.max(1.0),
        }
    }

    fn seconds(&self) -> f64 {
        self.fit + self.blend + self.visits
    }

    fn add_to(&self, model: &str, stages: &mut Vec<Stage>) {
        for (name, more) in [("blend", self.blend), ("held_out_visits", self.visits)] {
            if let Some(stage) = stages.iter_mut().find(|stage| stage.name == name) {
                stage.seconds += more;
            }
        }
        let after = stages.iter().rposition(|stage| stage.name == "fit").map_or(0, |at| at + 1);
        let (name, model) = ("fit".into(), Some(model.to_owned()));
        stages.insert(after, Stage { name, model, seconds: self.fit, peak_bytes: 0.0 });
    }
}

/// Every part of the larger pilot's run, and the same of the smaller one; nothing, where that did not do it.
fn both([small, large]: [&Observed; 2]) -> Vec<[Stage; 2]> {
    let mut seen: BTreeMap<(&str, Option<&str>), usize> = BTreeMap::new();
    let of = |stage: &'_ Stage, nth: usize| {
        let same = |other: &&Stage| (&other.name, &other.model) == (&stage.name, &stage.model);
        let before = small.stages.iter().filter(same).nth(nth).cloned();
        let nothing = || Stage { seconds: 0.0, peak_bytes: 0.0, ..stage.clone() };
        [before.unwrap_or_else(nothing), stage.clone()]
    };
    let stages = large.stages.iter().map(|stage| {
        // The same part may be done twice.
        let key = (stage.name.as_str(), stage.model.as_deref());
        let nth = *seen.entry(key).and_modify(|n| *n += 1).or_insert(0);
        of(stage, nth)
    });
    stages.collect()
}

/// Bytes before a run, and the most of each of its parts.
fn memory(
    pilots: [&Observed; 2],
    sizes: [Size; 2],
    (size, limits): (&Size, &Limits),
) -> (f64, Vec<f64>) {
    let before = pilots.map(|pilot| pilot.before_bytes.unwrap_or_default());
    // Between two looks there may have been more than was seen: what the system says of the whole run counts.
    let missed = pilots.map(|pilot| {
        let seen = pilot.stages.iter().map(|stage| stage.peak_bytes).fold(0.0, f64::max);
        (pilot.peak_bytes.unwrap_or_default() - seen).max(0.0)
    });
    let before_all = along(sizes.map(|size| size.items), before, size.items);
    let all = |size: &Size| size.events + size.shoppers + size.items;
    let peaks = both(pilots).into_iter().map(|stages| {
        // What is solved for at once, in place.
        let is_ease = stages[1].model.as_deref() == Some(ModelKind::Ease.name())
            && stages[1].name.ends_with("fit");
        let dense = |size: &Size| {
            let n = if is_ease { size.items.min(limits.dense_items_max) } else { 0.0 };
            4.0 * n.powi(2)
        };
        if stages[0].peak_bytes <= 0.0 {
            // Of a part that one pilot alone did, as of a model that one alone was served by, there is no line.
            return 0.0;
        }
        let rest = [0, 1].map(|at: usize| {
            (stages[at].peak_bytes + missed[at] - before[at] - dense(&sizes[at])).max(0.0)
        });
        before_all + dense(size) + along(sizes.map(|size| all(&size)), rest, all(size))
    });
    (before_all, peaks.collect())
}

#[cfg(test)]
mod tests;
