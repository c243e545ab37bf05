//! The goods: what the merchant says about them, and what is true of them.

use super::assortment::{BRANDS, CATEGORIES, Category, N_STYLES, STYLES};
use super::{SimulationParams, prices};
use crate::domain::time::DAY_MS;
use crate::domain::{Cents, ItemFields, ItemId, PriceEntry, Timestamp};
use rand::{Rng, RngExt, SeedableRng, rngs::ChaCha8Rng, seq::SliceRandom};
use rand_distr::{Distribution, StandardNormal};
use std::ops::Range;

/// Sets the shop's random numbers apart from the shoppers'.
const STREAM: u64 = 0x5109;

/// A good, as the shopper's nature meets it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Good {
    pub(super) category_idx: usize,
    pub(super) style: [f64; N_STYLES],
    /// What everybody likes about it.
    pub(super) quality: f64,
    /// Logarithm of the list price relative to its category's median.
    pub(super) price_level: f64,
    /// How often it comes before a shopper's eyes, relative to others.
    pub(super) exposure: f64,
    /// Per cent of sales per per cent of price; negative.
    pub(super) elasticity: f64,
    /// Where in the shop its companion stands.
    pub(super) companion_idx: usize,
    /// From the first to the last moment when it is shown.
    pub(super) on_sale: Range<Timestamp>,
    /// When the last unit went.
    pub(super) sold_out_from: Timestamp,
}

impl Good {
    pub(super) fn category(&self) -> &'static Category {
        &CATEGORIES[self.category_idx]
    }
}

/// Goods among which a companion is looked for: all of a category, or as many by chance, so that a shop of a million is
/// made up in minutes, too.
const COMPANIONS_MAX: usize = 2_000;

/// A draw in proportion to weights.
#[derive(Debug, Default)]
pub(super) struct Draw {
    entries: Vec<(f64, usize)>,
}

impl Draw {
    pub(super) fn push(&mut self, weight: f64, idx: usize) {
        let before = self.entries.last().map_or(0.0, |&(sum, _)| sum);
        self.entries.push((before + weight, idx));
    }

    /// One of the indices; there must be one.
    pub(super) fn pick(&self, rng: &mut impl Rng) -> usize {
        let total = self.entries.last().map_or(0.0, |&(sum, _)| sum);
        let at = rng.random::<f64>() * total;
        let place = self.entries.partition_point(|&(sum, _)| sum <= at);
        self.entries[place.min(self.entries.len() - 1)].1
    }
}

/// Everything on the shelves. Positions are item indices.
#[derive(Debug)]
pub(super) struct Shop {
    pub(super) goods: Vec<Good>,
    pub(super) items: Vec<(ItemId, ItemFields)>,
    pub(super) ledger: Vec<Vec<PriceEntry>>,
    /// One draw per category, by exposure.
    pub(super) shelves: Vec<Draw>,
    /// A draw from all goods, by exposure.
    pub(super) window: Draw,
}

impl Shop {
    /// The price in force at a time when the item is on sale.
    pub(super) fn price_at(&self, item_idx: usize, time: Timestamp) -> Cents {
        let entries = &self.ledger[item_idx];
        let place = entries.partition_point(|entry| entry.from <= time);
        entries[place.saturating_sub(1)].price
    }
}

/// Makes up the goods, category by category.
pub(super) fn stock_up(params: &SimulationParams) -> Shop {
    let mut rng = ChaCha8Rng::seed_from_u64(params.seed ^ STREAM);
    let brand_styles: Vec<[f64; N_STYLES]> = BRANDS.iter().map(|_| style(&mut rng)).collect();
    let mut shop = Shop {
        goods: vec![],
        items: vec![],
        ledger: vec![],
        shelves: vec![],
        window: Draw::default(),
    };
    for (category_idx, category) in CATEGORIES.iter().enumerate() {
        let (each, more) = (params.n_items / CATEGORIES.len(), params.n_items % CATEGORIES.len());
        let titles = titles(category, each + usize::from(category_idx < more), &mut rng);
        let mut shelf = Draw::default();
        for (number, title) in titles.into_iter().enumerate() {
            let item_idx = shop.goods.len();
            let brand = rng.random_range(0..BRANDS.len());
            let (good, list) = good(category_idx, &brand_styles[brand], params, &mut rng);
            let id = format!("{}-{:03}", category.slug, number + 1);
            let id = ItemId::new(id).expect("a slug and a number are an id");
            let fields = fields(&good, list, title, BRANDS[brand], &mut rng);
            shop.ledger.push(prices::history(&id, list, params.start(), params, &mut rng));
            shelf.push(good.exposure, item_idx);
            shop.window.push(good.exposure, item_idx);
            shop.goods.push(good);
            shop.items.push((id, fields));
        }
        shop.shelves.push(shelf);
    }
    pair_up(&mut shop.goods, &mut rng);
    run_out(&mut shop, params, &mut rng);
    shop
}

fn style(rng: &mut impl Rng) -> [f64; N_STYLES] {
    std::array::from_fn(|_| StandardNormal.sample(rng))
}

/// Titles in random order, none twice.
fn titles(category: &Category, count: usize, rng: &mut impl Rng) -> Vec<String> {
    let [firsts, seconds, lasts] = category.words;
    let mut titles = vec![];
    for first in firsts {
        for second in seconds {
            titles.extend(lasts.iter().map(|last| format!("{first} {second} {last}")));
        }
    }
    titles.shuffle(rng);
    let n_distinct = titles.len();
    for repeat in n_distinct..count {
        let (title, round) = (&titles[repeat % n_distinct], repeat / n_distinct + 1);
        titles.push(format!("{title} No. {round}"));
    }
    titles.truncate(count);
    titles
}

/// A good's nature and its list price.
fn good(
    category_idx: usize,
    brand_style: &[f64; N_STYLES],
    params: &SimulationParams,
    rng: &mut impl Rng,
) -> (Good, Cents) {
    let category = &CATEGORIES[category_idx];
    let mut normal = || -> f64 { StandardNormal.sample(rng) };
    let list = prices::label(category.price_median * (category.price_spread * normal()).exp());
    let own: [f64; N_STYLES] = std::array::from_fn(|_| normal());
    let good = Good {
        category_idx,
        style: std::array::from_fn(|at| 0.6 * brand_style[at] + 0.8 * own[at]),
        quality: 0.5 * normal(),
        price_level: (list.0 as f64 / category.price_median).ln(),
        exposure: (1.1 * normal()).exp(),
        elasticity: (-1.8 + 0.5 * normal()).clamp(-3.0, -0.6),
        companion_idx: 0,
        on_sale: params.start()..params.end,
        sold_out_from: params.end,
    };
    (good, list)
}

/// What the merchant says about a good.
fn fields(good: &Good, list: Cents, title: String, brand: &str, rng: &mut impl Rng) -> ItemFields {
    let category = good.category();
    let marked = good.style.iter().zip(STYLES).filter(|(factor, _)| factor.abs() > 0.6);
    let tags: Vec<String> =
        marked.map(|(&factor, names)| names[usize::from(factor > 0.0)].to_owned()).collect();
    let manner = if tags.is_empty() { "for every day".to_owned() } else { tags.join(", ") };
    let cost = list.scaled_by(rng.random_range(0.45..0.65));
    let units = 20.0 * good.exposure.sqrt() * rng.random_range(0.5..2.0);
    ItemFields {
        description: Some(format!("{title} by {brand}: {manner}.")),
        title: Some(title),
        categories: vec![category.name.to_owned(), category.department.to_owned()],
        brand: Some(brand.to_owned()),
        tags,
        price: Some(list),
        cost: Some(cost),
        price_min: Some(prices::round_up(list, 0.7)),
        price_max: Some(prices::round_up(list, 1.3)),
        stock: Some(units as u64 + 1),
        lead_time_days: Some(rng.random_range(2..=21)),
        available: Some(true),
        ..ItemFields::default()
    }
}

/// Gives each good a companion of the category that goes with its own, of like style, much shown.
fn pair_up(goods: &mut [Good], rng: &mut impl Rng) {
    let alike = |left: &[f64], right: &[f64]| -> f64 {
        left.iter().zip(right).map(|(one, other)| one * other).sum()
    };
    let mut ranges: Vec<Range<usize>> = vec![];
    for category_idx in 0..CATEGORIES.len() {
        let from = goods.partition_point(|good| good.category_idx < category_idx);
        ranges.push(from..goods.partition_point(|good| good.category_idx <= category_idx));
    }
    for item_idx in 0..goods.len() {
        let good = &goods[item_idx];
        let slug = good.category().goes_with;
        let place = CATEGORIES.iter().position(|category| category.slug == slug);
        let mut draw = Draw::default();
        let shelf = ranges[place.expect("it goes with a category of the shop")].clone();
        for nth in 0..shelf.len().min(COMPANIONS_MAX) {
            let other_idx = if shelf.len() <= COMPANIONS_MAX {
                shelf.start + nth
            } else {
                rng.random_range(shelf.clone())
            };
            let other = &goods[other_idx];
            let likeness = alike(&good.style, &other.style);
            draw.push(other.exposure * likeness.clamp(-4.0, 4.0).exp(), other_idx);
        }
        goods[item_idx].companion_idx = draw.pick(rng);
    }
}

/// Sells out 2 % of the goods and withdraws 2 % within the last tenth of the time; another 3 % are new.
fn run_out(shop: &mut Shop, params: &SimulationParams, rng: &mut impl Rng) {
    let mut order: Vec<usize> = (0..shop.goods.len()).collect();
    order.shuffle(rng);
    let share = |percent: usize| (order.len() * percent / 100).max(1);
    let last_tenth_ms = i64::from(params.days) * DAY_MS / 10;
    let (sold_out, rest) = order.split_at(share(2));
    let (withdrawn, rest) = rest.split_at(share(2));
    for &item_idx in sold_out {
        shop.items[item_idx].1.stock = Some(0);
        shop.goods[item_idx].sold_out_from =
            params.end.plus_ms(-rng.random_range(0..last_tenth_ms));
    }
    for &item_idx in withdrawn {
        shop.items[item_idx].1.available = Some(false);
        shop.goods[item_idx].on_sale.end = params.end.plus_ms(-rng.random_range(0..last_tenth_ms));
    }
    for &item_idx in &rest[..share(3)] {
        let (id, fields) = &shop.items[item_idx];
        let from = params.end.plus_ms(-rng.random_range(1..=last_tenth_ms));
        shop.goods[item_idx].on_sale.start = from;
        let list = fields.price.expect("every good has a list price");
        shop.ledger[item_idx] = prices::history(id, list, from, params, rng);
    }
}
