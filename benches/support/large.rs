//! A shop of any size, ready to be served without having been trained on events.
//!
//! How long an answer takes depends on how many items are scored with how many factors, and not on how
//! good they are: so one model is fitted in one epoch on made-up shelves, each with customers of its own who
//! like about half of it, and everything else that a snapshot holds follows from that.

use super::block_on;
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use shopkeeper::{
    domain::{
        Clock, ItemChange, ItemFields, ItemId, Sequence, ShopperId, SystemClock, Timestamp, UserId,
        time::DAY_MS,
    },
    learn::{
        dataset::{InteractionMatrix, ItemIdx, TradingDays, UserIdx},
        demand::response::{self, DemandResponse, PanelBuilder, PanelRow, ResponseParams},
        recommenders::{AlsParams, Blend, FittedModel, ModelKind, NEVER_STOP, als},
        related::{self, RelatedParams, SimilarParams},
        sessions::{
            self, IndexLimits, JoinWeights, SessionIndex, SessionModel, SessionParams, VmisKnn,
        },
    },
    record::store::{ChangeTerms, Store, sqlite::SqliteStore},
    simulate::{SimulationParams, simulate},
    snapshot::{Contents, Snapshot, file::SnapshotFolder},
};
use std::{path::Path, sync::Arc};

/// Factors of an item, as `config/default.toml` has them.
const N_FACTORS: usize = 64;
/// Items of a shelf, and its customers.
const SHELF_ITEMS: usize = 50;
const SHELF_SHOPPERS: usize = 10;
/// Related items kept of an item: twice as many as are asked for.
const N_RELATED: usize = 20;
/// Different goods, made up once and offered under many ids.
const N_GOODS: usize = 1_200;
/// Days of history.
const DAYS: i64 = 56;
/// Weeks in which prices were tried.
const WEEKS: u32 = 12;
/// Items beyond which the weeks of all of them would take gigabytes.
const PRICED_MAX: usize = 100_000;
/// Items written in one transaction.
const BATCH: usize = 10_000;

/// The name of an item.
pub(crate) fn item(at: usize) -> String {
    format!("sku-{at}")
}

/// The name of a shopper.
pub(crate) fn user(at: usize) -> String {
    format!("u{at}")
}

/// How many shoppers have a history in a shop of so many items.
pub(crate) fn n_users(n_items: usize) -> usize {
    n_items / SHELF_ITEMS * SHELF_SHOPPERS
}

/// Puts the items of such a shop into the database in `dir`.
pub(crate) fn stock(dir: &Path, n_items: usize) {
    let (now, goods) = (SystemClock.now(), goods());
    block_on(async {
        let store = SqliteStore::open(&dir.join("shopkeeper.db"), 1).await.unwrap();
        let mut changes = (0..n_items).zip(goods.iter().cycle()).map(|(at, (_, fields))| {
            (ItemId::new(item(at)).unwrap(), ItemChange::Replace(Box::new(fields.clone())))
        });
        loop {
            let batch: Vec<_> = changes.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                return;
            }
            store.change_items(&batch, ChangeTerms::ANY, now).await.unwrap();
        }
    });
}

/// The different goods.
fn goods() -> Vec<(ItemId, ItemFields)> {
    let params = SimulationParams {
        n_items: N_GOODS,
        n_shoppers: 1,
        days: 1,
        ..SimulationParams::new(7, SystemClock.now())
    };
    simulate(&params).unwrap().items
}

/// What is learned of items whose demand falls with some power of the price, tried at three prices around the list price.
fn price_response(n_items: usize) -> DemandResponse {
    let lists: Vec<f64> = goods().iter().map(|good| good.1.price.unwrap().0 as f64).collect();
    let mut builder = PanelBuilder::new(n_items, WEEKS as usize);
    for item in 0..n_items {
        let list = lists[item % lists.len()];
        let (level, elasticity) = (1.0 + (item % 7) as f64, -1.5 - (item % 20) as f64 / 10.0);
        for period in 0..WEEKS {
            let ratio = [0.9, 1.0, 1.1][(item + period as usize) % 3];
            let units = (level * f64::powf(ratio, elasticity)).round();
            builder.push(&PanelRow {
                item: item as u32,
                period,
                units,
                price: list * ratio,
                competitor: None,
                promotion: 0.0,
                exposure: 1.0,
                randomised: None,
                is_decided: false,
            });
        }
    }
    let category_of: Vec<Option<u32>> = (0..n_items as u32).map(|item| Some(item % 40)).collect();
    let panel = builder.build(&category_of);
    response::fit(&panel, &ResponseParams::default(), NEVER_STOP).unwrap()
}

/// Saves a snapshot of such a shop, to be served by whoever starts in `dir`.
pub(crate) fn learn(dir: &Path, n_items: usize) {
    let folder = SnapshotFolder::open(dir.join("snapshots")).unwrap();
    let snapshot = Snapshot::from(contents(n_items));
    folder.save(&snapshot).unwrap();
    folder.point_to(snapshot.version).unwrap();
}

fn contents(n_items: usize) -> Contents {
    let (now, n_users) = (SystemClock.now(), n_users(n_items));
    let matrix = InteractionMatrix::from_cells(n_users, n_items, likings(n_items));
    let params =
        AlsParams { n_factors: N_FACTORS, n_epochs: 1, n_steps: 1, ..AlsParams::default() };
    let model = als::fit(&matrix, &params, NEVER_STOP).unwrap();
    let params = RelatedParams {
        similar: SimilarParams { n_related: N_RELATED, ..SimilarParams::default() },
        ..RelatedParams::default()
    };
    let related = related::fit(&[], &matrix, &[], &params, NEVER_STOP).unwrap();
    let rows = || (0..n_users as u32).map(|user| matrix.row_cells(UserIdx(user)));
    let starts = rows().scan(0, |end, row| {
        *end += row.count() as u32;
        Some(*end)
    });
    let popular = popular(&matrix);
    Contents {
        version: 1,
        trained_at: now,
        as_of: now,
        trading_days: TradingDays::of((0..DAYS).rev().map(|age| ago(now, age))),
        watermark: Sequence(0),
        merges: 0,
        items: (0..n_items).map(|at| ItemId::new(item(at)).unwrap()).collect(),
        shoppers: (0..n_users).map(|at| ShopperId::User(UserId::new(user(at)).unwrap())).collect(),
        history_starts: [0].into_iter().chain(starts).collect(),
        history: rows().flatten().collect(),
        purchase_starts: vec![0; n_users + 1],
        purchases: Vec::new(),
        models: vec![FittedModel::Als(Box::new(model))],
        blend: Blend::single(ModelKind::Als),
        session: Some(SessionModel { vmis: visits(&matrix), weights: JoinWeights::default() }),
        trending: popular.clone(),
        popular,
        price_response: (n_items <= PRICED_MAX).then(|| price_response(n_items)),
        priced_anew: None,
        related,
        report: "{}".into(),
        settings: String::new(),
    }
}

/// Each customer has gone through the first of what they like in one visit.
fn visits(matrix: &InteractionMatrix) -> VmisKnn {
    let visits: Vec<Vec<u32>> = (0..matrix.n_users() as u32)
        .map(|user| matrix.row_cells(UserIdx(user)).map(|cell| cell.0).take(8).collect())
        .collect();
    let timed = (0..).zip(&visits).map(|(time, items)| (&items[..], time));
    let index = SessionIndex::new(matrix.n_items(), timed, &IndexLimits::default()).unwrap();
    sessions::fit(Arc::new(index), &SessionParams::default()).unwrap()
}

/// What the customers of each shelf like of it.
fn likings(n_items: usize) -> impl Iterator<Item = (UserIdx, ItemIdx, f32)> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    (0..n_users(n_items)).flat_map(move |user| {
        let first = user / SHELF_SHOPPERS * SHELF_ITEMS;
        let liked = (first..first + SHELF_ITEMS).filter(|_| rng.random_bool(0.5));
        let liked: Vec<usize> = liked.collect();
        liked.into_iter().map(move |item| {
            (UserIdx(user as u32), ItemIdx(item as u32), 1.0 + ((user + item) % 10) as f32)
        })
    })
}

/// Every item with its whole weight, best first.
fn popular(matrix: &InteractionMatrix) -> Vec<(u32, f32)> {
    let weight = |item| matrix.column_cells(ItemIdx(item)).map(|cell| cell.1).sum();
    let mut popular: Vec<(u32, f32)> =
        (0..matrix.n_items() as u32).map(|item| (item, weight(item))).collect();
    popular.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    popular
}

fn ago(now: Timestamp, days: i64) -> Timestamp {
    now.plus_ms(-days * DAY_MS)
}
