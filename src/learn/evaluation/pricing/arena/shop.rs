//! The shop that is made up: what its items cost, how their demand answers to price, and what moves it besides.

use super::luck::stream;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Mean elasticity of the categories; the published mean of 1,851 estimates is -2.62.
pub(super) const ELASTICITY_MEAN: f64 = -2.5;
/// Deviation of categories' mean elasticities.
pub(super) const CATEGORY_SD: f64 = 0.45;
/// Deviation of items' elasticities within a category.
pub(super) const ITEM_SD: f64 = 0.55;
/// Elasticities are drawn again until they lie between these.
pub(super) const ELASTICITIES: [f64; 2] = [-6.0, -1.2];
/// Mean and deviation of elasticities to the competitors' price, cut at 0.
const CROSS: [f64; 2] = [0.15, 0.15];
/// Median cost of an item in minor units, and deviation of its logarithm.
const COST: [f64; 2] = [1_000.0, 0.5];
/// Median of the merchant's price over cost, and deviation of its logarithm.
const MARKUP: [f64; 2] = [1.5, 0.13];
/// Least price over cost that the merchant asks.
const MARKUP_MIN: f64 = 1.05;
/// Deviation of the logarithm of a category's demand from week to week, and how much of it lasts for another week.
const SHOCK: [f64; 2] = [0.2, 0.5];
/// By how much the merchant lowers the logarithm of a price for each unit by which that of demand rises.
const CUT: f64 = 0.2;
/// Deviation of the logarithm of price that is the merchant's whim.
const WHIM_SD: f64 = 0.07;
/// Deviation of the logarithm of the competitors' price over the merchant's usual one: for good, and within the year.
const COMPETITOR: [f64; 2] = [0.05, 0.04];
/// How much of the latter lasts for another week.
const COMPETITOR_LASTS: f64 = 0.8;

/// How large the shop is and for how long it is watched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ArenaParams {
    /// Items.
    pub n_items: usize,
    /// Categories, of as many items each as can be.
    pub n_categories: usize,
    /// Weeks in which the merchant sets prices, from which policies learn.
    pub history_weeks: usize,
    /// Weeks in which policies do.
    pub decision_weeks: usize,
    /// Largest change of a price from week to week, as a share of it.
    pub step_max: f64,
    /// Weeks between two fits of policies that learn.
    pub refit_weeks: usize,
    /// Deviation of the logarithm of items' demand around the median: how much more than others some sell.
    pub spread: f64,
}

impl Default for ArenaParams {
    /// 300 items in 10 categories, a quarter of a year to learn from and a year of decisions of at most 10 %.
    ///
    /// The spread of demand is that of a real shop: 1.32 in Online Retail (logarithm of an item's order lines in a
    /// week, from its first to its last); 2.04 among the 811 products of the UCI set of weekly sales transactions.
    fn default() -> Self {
        Self {
            n_items: 300,
            n_categories: 10,
            history_weeks: 12,
            decision_weeks: 52,
            step_max: 0.1,
            refit_weeks: 2,
            spread: 1.3,
        }
    }
}

impl ArenaParams {
    /// Weeks in all.
    pub fn n_weeks(&self) -> usize {
        self.history_weeks + self.decision_weeks
    }
}

/// The truth about one item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShopItem {
    /// Position of its category.
    pub category: u32,
    /// What a unit costs the shop; minor units.
    pub cost: f64,
    /// The merchant's usual price; minor units.
    pub usual_price: f64,
    /// Units in a week at the usual prices, but for shocks.
    pub usual_units: f64,
    /// Elasticity of demand to the own price.
    pub elasticity: f64,
    /// To the competitors'.
    pub cross_elasticity: f64,
}

impl ShopItem {
    /// The price of most profit; minor units.
    pub fn best_price(&self) -> f64 {
        self.cost * self.elasticity / (1.0 + self.elasticity)
    }
}

/// A shop and all that will happen to it but for its prices.
#[derive(Clone, Debug)]
pub struct Shop {
    params: ArenaParams,
    units_per_week: f64,
    seed: u64,
    items: Vec<ShopItem>,
    /// Categories' demand by week and category: additions to its logarithm.
    shocks: Vec<Vec<f64>>,
    /// By week and item; minor units.
    competitors: Vec<Vec<f64>>,
    /// The merchant's prices by week of the history and item; whole minor units.
    history: Vec<Vec<f64>>,
}

impl Shop {
    /// Makes up a shop whose median item sells `units_per_week`. The same seed gives the same shop; volumes differ
    /// in the level of demand alone.
    pub fn new(params: &ArenaParams, units_per_week: f64, seed: u64) -> Self {
        let items = items(params, units_per_week, &mut stream(seed, 0));
        let shocks = walks(params.n_categories, params.n_weeks(), SHOCK, &mut stream(seed, 1));
        let competitors = competitors(&items, params.n_weeks(), &mut stream(seed, 2));
        let history = history(&items, &shocks, params, &mut stream(seed, 3));
        Self { params: *params, units_per_week, seed, items, shocks, competitors, history }
    }

    /// How large it is.
    pub fn params(&self) -> &ArenaParams {
        &self.params
    }

    /// Units that the median item sells in a week at its usual price.
    pub fn units_per_week(&self) -> f64 {
        self.units_per_week
    }

    /// What it was made up from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The truth about every item.
    pub fn items(&self) -> &[ShopItem] {
        &self.items
    }

    /// What competitors ask in a week, by item.
    pub fn competitors(&self, week: usize) -> &[f64] {
        &self.competitors[week]
    }

    /// The merchant's prices in a week of the history, by item.
    pub fn history(&self, week: usize) -> &[f64] {
        &self.history[week]
    }

    /// Units that the item is expected to sell in a week at a price.
    pub fn expected_units(&self, item: usize, week: usize, price: f64) -> f64 {
        let truth = &self.items[item];
        let usual = truth.usual_price;
        let own = truth.elasticity * (price / usual).ln();
        let cross = truth.cross_elasticity * (self.competitors[week][item] / usual).ln();
        truth.usual_units * (own + cross + self.shocks[week][truth.category as usize]).exp()
    }

    /// Profit that the shop is expected to make in a week at these prices; minor units.
    pub fn expected_profit(&self, week: usize, prices: &[f64]) -> f64 {
        let of = |(item, &price): (usize, &f64)| {
            (price - self.items[item].cost) * self.expected_units(item, week, price)
        };
        prices.iter().enumerate().map(of).sum()
    }

    /// Lowest and highest price that may follow on `price`; whole minor units.
    pub fn step_bounds(&self, price: f64) -> [f64; 2] {
        let step = self.params.step_max;
        // A price of a few minor units may at least stay.
        [(price * (1.0 - step)).ceil().min(price), (price * (1.0 + step)).floor().max(price)]
    }
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(rng)
}

fn items(params: &ArenaParams, units_per_week: f64, rng: &mut ChaCha8Rng) -> Vec<ShopItem> {
    let n_categories = params.n_categories.max(1);
    let means: Vec<f64> =
        (0..n_categories).map(|_| ELASTICITY_MEAN + CATEGORY_SD * normal(rng)).collect();
    let means = means.into_iter().map(|mean| mean.clamp(ELASTICITIES[0] + 1.0, ELASTICITIES[1]));
    let means: Vec<f64> = means.collect();
    let item = |at: usize| {
        let category = at * n_categories / params.n_items.max(1);
        let elasticity = loop {
            let drawn = means[category] + ITEM_SD * normal(rng);
            if (ELASTICITIES[0]..=ELASTICITIES[1]).contains(&drawn) {
                break drawn;
            }
        };
        let cost = (COST[0] * (COST[1] * normal(rng)).exp()).round().max(1.0);
        let markup = (MARKUP[0] * (MARKUP[1] * normal(rng)).exp()).max(MARKUP_MIN);
        ShopItem {
            category: category as u32,
            cost,
            usual_price: (cost * markup).round(),
            usual_units: units_per_week * (params.spread * normal(rng)).exp(),
            elasticity,
            cross_elasticity: (CROSS[0] + CROSS[1] * normal(rng)).max(0.0),
        }
    };
    (0..params.n_items).map(item).collect()
}

/// By week, `n` values that wander around 0: `spread` is their deviation and how much of them lasts for a week.
fn walks(n: usize, n_weeks: usize, spread: [f64; 2], rng: &mut ChaCha8Rng) -> Vec<Vec<f64>> {
    let [sd, lasts] = spread;
    let mut now: Vec<f64> = (0..n).map(|_| sd * normal(rng)).collect();
    let mut weeks = Vec::with_capacity(n_weeks);
    for _ in 0..n_weeks {
        weeks.push(now.clone());
        for value in &mut now {
            *value = lasts * *value + (1.0 - lasts * lasts).sqrt() * sd * normal(rng);
        }
    }
    weeks
}

fn competitors(items: &[ShopItem], n_weeks: usize, rng: &mut ChaCha8Rng) -> Vec<Vec<f64>> {
    let lasting: Vec<f64> = items.iter().map(|_| COMPETITOR[0] * normal(rng)).collect();
    let moves = walks(items.len(), n_weeks, [COMPETITOR[1], COMPETITOR_LASTS], rng);
    let week = |moves: Vec<f64>| {
        let of = |((item, lasting), moved): ((&ShopItem, &f64), f64)| {
            (item.usual_price * (lasting + moved).exp()).round().max(1.0)
        };
        items.iter().zip(&lasting).zip(moves).map(of).collect()
    };
    moves.into_iter().map(week).collect()
}

/// The merchant cuts prices in good weeks, by whim besides, and by no more than a step at once.
fn history(
    items: &[ShopItem],
    shocks: &[Vec<f64>],
    params: &ArenaParams,
    rng: &mut ChaCha8Rng,
) -> Vec<Vec<f64>> {
    let mut weeks: Vec<Vec<f64>> = Vec::with_capacity(params.history_weeks);
    for shocks in shocks.iter().take(params.history_weeks) {
        let prices = items.iter().enumerate().map(|(at, item)| {
            let log = WHIM_SD * normal(rng) - CUT * shocks[item.category as usize];
            let last = weeks.last().map_or(item.usual_price, |prices| prices[at]);
            let wanted = (item.usual_price * log.exp()).max(MARKUP_MIN * item.cost);
            let [low, high] = [1.0 - params.step_max, 1.0 + params.step_max].map(|s| s * last);
            wanted.clamp(low, high).round()
        });
        let prices = prices.collect();
        weeks.push(prices);
    }
    weeks
}

/// Positions of random streams below this are the shop's own; those of items' sales follow.
pub(super) const N_STREAMS: u64 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn shop(seed: u64) -> Shop {
        Shop::new(&ArenaParams::default(), 5.0, seed)
    }

    #[test]
    fn the_best_price_earns_more_than_its_neighbours() {
        let shop = shop(1);
        for (at, item) in shop.items().iter().enumerate() {
            let profit = |price: f64| (price - item.cost) * shop.expected_units(at, 20, price);
            let best = item.best_price();
            assert!(profit(best) > profit(0.99 * best) && profit(best) > profit(1.01 * best));
            assert!((ELASTICITIES[0]..=ELASTICITIES[1]).contains(&item.elasticity));
        }
    }

    #[test]
    fn good_weeks_are_cheap_weeks_in_the_history() {
        let shop = shop(2);
        let params = shop.params();
        let (mut xy, mut xx) = (0.0, 0.0);
        for week in 0..params.history_weeks {
            for (at, item) in shop.items().iter().enumerate() {
                let shock = shop.shocks[week][item.category as usize];
                xy += shock * (shop.history(week)[at] / item.usual_price).ln();
                xx += shock * shock;
            }
        }
        assert!((-0.4..-0.15).contains(&(xy / xx)), "{}", xy / xx);
        assert_eq!(shop.history(0).len(), 300);
    }

    #[test]
    fn shops_of_one_seed_are_alike_but_for_their_volume() {
        let few = Shop::new(&ArenaParams::default(), 1.0, 3);
        let many = Shop::new(&ArenaParams::default(), 30.0, 3);
        assert_eq!(few.history, many.history);
        let ratio =
            many.expected_profit(15, many.history(11)) / few.expected_profit(15, few.history(11));
        assert!((ratio - 30.0).abs() < 1e-9);
        assert_ne!(few.history, shop(4).history);
        let mut units: Vec<f64> = few.items().iter().map(|item| item.usual_units).collect();
        units.sort_unstable_by(f64::total_cmp);
        // The logarithm of a median of 300 has a deviation of 1.25·1.3/√300 = 0.09.
        assert!((0.75..1.33).contains(&units[150]), "{}", units[150]);
    }

    #[test]
    fn a_step_leaves_whole_units_and_no_more_than_its_share() {
        let bounds = |price: f64| shop(1).step_bounds(price).map(|bound| bound as i64);
        assert_eq!(bounds(1_005.0), [905, 1_105]);
        assert_eq!(bounds(3.0), [3, 3]);
    }
}
