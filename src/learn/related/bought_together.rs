//! What is bought in the same order.
//!
//! Support, and lift over chance: Agrawal, Imieliński, Swami, "Mining association rules between sets of items in
//! large databases", SIGMOD 1993; Brin, Motwani, Ullman, Tsur, "Dynamic itemset counting and implication rules
//! for market basket data", SIGMOD 1997 (interest, now called lift). What chance would bring follows from the sizes
//! of orders ([`chance`](super::chance)), which is our departure.
//!
//! A pair is listed if enough orders of enough shoppers have it and chance would not bring it, with at
//! most a share `false_discovery_rate` of an item's list by accident. The list of `i` is ordered by
//! `L(n_ij) / n_i / P(j)^discount`, where `L` is a lower confidence bound of the number of common orders, so that
//! three lucky orders do not lead: how likely `j` is where `i` is, at least, less what `j` owes to being
//! everywhere. A list may be short or empty: nothing is filled in.

use super::baskets::{Baskets, Meetings};
use super::chance::{Chance, count_at_least, discovery_threshold};
use super::of_every_item;
use crate::learn::recommenders::{FitError, Stop, check};
use serde::{Deserialize, Serialize};

/// How companions are found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BoughtTogetherParams {
    /// Most items kept for an item, 1 to 1,000.
    pub n_related: usize,
    /// Most different items of one order that are looked at, 2 to 10,000; of more, a part.
    pub order_items_max: usize,
    /// Fewest orders that a pair must share, at least 1.
    pub orders_min: u32,
    /// Fewest shoppers who must have bought it together, at least 1: one person's habit is nobody else's.
    pub shoppers_min: u32,
    /// Least lift over chance, at least 1.
    pub lift_min: f64,
    /// Most of an item's companions that may be there by accident, as a share above 0 and below 1.
    pub false_discovery_rate: f64,
    /// How many standard errors the ranking keeps below what was counted, 0 to 10; 1.645 leaves a bound
    /// that holds 95 times in 100.
    pub caution: f64,
    /// How much of an item's popularity is held against it, 0 (ranks by how likely) to 1 (by lift). On the
    /// orders of a gift shop, the rest of an order is met nearly as often at 0.2 as at 0 and less often from 0.5 on.
    pub popularity_discount: f64,
}

impl Default for BoughtTogetherParams {
    fn default() -> Self {
        Self {
            n_related: 50,
            order_items_max: 100,
            orders_min: 3,
            shoppers_min: 2,
            lift_min: 1.2,
            false_discovery_rate: 0.05,
            caution: 1.645,
            popularity_discount: 0.2,
        }
    }
}

impl BoughtTogetherParams {
    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), FitError> {
        let n = self.n_related;
        check((1..=1_000).contains(&n), "n_related", "between 1 and 1000", n)?;
        let most = self.order_items_max;
        check((2..=10_000).contains(&most), "order_items_max", "between 2 and 10000", most)?;
        check(1 <= self.orders_min, "orders_min", "at least 1", self.orders_min)?;
        check(1 <= self.shoppers_min, "shoppers_min", "at least 1", self.shoppers_min)?;
        let lift = self.lift_min;
        check(lift.is_finite() && 1.0 <= lift, "lift_min", "finite and at least 1", lift)?;
        let rate = self.false_discovery_rate;
        let fits = 0.0 < rate && rate < 1.0;
        check(fits, "false_discovery_rate", "above 0 and below 1", rate)?;
        let caution = self.caution;
        check((0.0..=10.0).contains(&caution), "caution", "between 0 and 10", caution)?;
        let discount = self.popularity_discount;
        check((0.0..=1.0).contains(&discount), "popularity_discount", "between 0 and 1", discount)
    }
}

/// An item that is bought with another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Companion {
    /// Its position.
    pub item: u32,
    /// What the list is ordered by, above 0; compares within one list only.
    pub score: f32,
    /// How many times as often as by chance the two are bought together.
    pub lift: f32,
    /// In how many orders.
    pub support: u32,
}

/// Companions of every item, best first; 16 bytes each and 4 an item.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BoughtTogether {
    starts: Vec<u32>,
    companions: Vec<Companion>,
}

impl BoughtTogether {
    fn from_lists(lists: impl IntoIterator<Item = Vec<Companion>>) -> Self {
        let mut all = Self { starts: vec![0], companions: Vec::new() };
        for list in lists {
            all.companions.extend(list);
            let end = u32::try_from(all.companions.len());
            all.starts.push(end.expect("lists of at most 1,000 for fewer than 2²² items"));
        }
        all.companions.shrink_to_fit();
        all
    }

    /// Number of items that have a list, if only an empty one.
    pub fn n_items(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// What is bought with an item, best first; nothing for an item that came later.
    pub fn of(&self, item: u32) -> &[Companion] {
        let at = item as usize;
        match self.starts.get(at..).unwrap_or_default() {
            [start, end, ..] => &self.companions[*start as usize..*end as usize],
            _ => &[],
        }
    }

    /// Number of companions in all lists.
    pub fn n_pairs(&self) -> usize {
        self.companions.len()
    }

    /// Bytes held on the heap.
    pub fn n_bytes(&self) -> usize {
        size_of::<Companion>() * self.companions.len() + 4 * self.starts.len()
    }
}

/// Finds what goes with every item, in parallel on the pool it is called in.
///
/// Cost: `Σ_b s_b²` additions over orders of at most `order_items_max` items; 16 bytes an item for each thread.
pub fn fit(
    orders: &Baskets,
    n_items: usize,
    params: &BoughtTogetherParams,
    stop: Stop<'_>,
) -> Result<BoughtTogether, FitError> {
    params.check()?;
    let counts: Vec<u32> = (0..n_items as u32).map(|item| orders.n_with(item)).collect();
    let search = Search {
        orders,
        chance: Chance::of(orders.sizes(), &counts),
        n_places: counts.iter().copied().map(f64::from).sum(),
        n_others: counts.iter().filter(|&&n| n > 0).count().saturating_sub(1),
        counts: &counts,
        params,
    };
    let room = || (Meetings::new(n_items), Vec::new());
    let lists = of_every_item(n_items, stop, room, |room, item| search.list(item, room))?;
    let lists = BoughtTogether::from_lists(lists);
    let finite = |companion: &Companion| companion.score.is_finite() && companion.lift.is_finite();
    if !lists.companions.iter().all(finite) {
        return Err(FitError::NotFinite { model: "bought_together" });
    }
    Ok(lists)
}

/// What the lists are made from.
struct Search<'a> {
    orders: &'a Baskets,
    chance: Chance,
    /// Orders of each item, and their sum.
    counts: &'a [u32],
    n_places: f64,
    /// Items that were bought at all, less one.
    n_others: usize,
    params: &'a BoughtTogetherParams,
}

/// A pair that may be listed.
struct Candidate {
    item: u32,
    support: u32,
    expected: f64,
    p_value: f64,
}

impl Search<'_> {
    fn list(
        &self,
        item: u32,
        (meetings, candidates): &mut (Meetings, Vec<Candidate>),
    ) -> Vec<Companion> {
        let params = self.params;
        let own = self.counts[item as usize];
        candidates.clear();
        if own < params.orders_min {
            return Vec::new();
        }
        meetings.count(item, self.orders);
        for (other, meeting) in meetings.met() {
            let support = meeting.baskets;
            if support < params.orders_min || meeting.shoppers < params.shoppers_min {
                continue;
            }
            let expected = self.chance.expected(item, other);
            if f64::from(support) < params.lift_min * expected {
                continue;
            }
            let p_value = self.chance.tail(support, expected);
            candidates.push(Candidate { item: other, support, expected, p_value });
        }
        // Pairs passed over are tests too; counted with p-value 1 they only make the procedure stricter.
        let mut p_values: Vec<f64> = candidates.iter().map(|pair| pair.p_value).collect();
        let rate = params.false_discovery_rate;
        let threshold = discovery_threshold(&mut p_values, self.n_others, rate);
        let found = candidates.iter().filter(|pair| threshold.is_some_and(|t| pair.p_value <= t));
        let companion = |pair: &Candidate| {
            let share = f64::from(self.counts[pair.item as usize]) / self.n_places;
            let likely = count_at_least(pair.support, params.caution) / f64::from(own);
            Companion {
                item: pair.item,
                score: (likely / share.powf(params.popularity_discount)) as f32,
                lift: (f64::from(pair.support) / pair.expected) as f32,
                support: pair.support,
            }
        };
        let mut list: Vec<Companion> = found.map(companion).filter(|c| c.score > 0.0).collect();
        let better =
            |a: &Companion, b: &Companion| b.score.total_cmp(&a.score).then(a.item.cmp(&b.item));
        if params.n_related < list.len() {
            list.select_nth_unstable_by(params.n_related, better);
            list.truncate(params.n_related);
        }
        list.sort_unstable_by(better);
        list
    }
}

#[cfg(test)]
mod tests {
    use super::super::baskets::{Grouping, tests::act};
    use super::*;
    use crate::domain::EventKind;
    use crate::learn::{dataset::log::Act, recommenders::NEVER_STOP};
    use proptest::prelude::*;

    fn buy(user: u32, visit: u32, item: u32) -> Act {
        act(EventKind::Purchase, user, visit, item, 0)
    }

    fn lists(acts: &[Act], n_items: usize, params: &BoughtTogetherParams) -> BoughtTogether {
        let items_max = params.order_items_max;
        let grouping = Grouping { kinds: &[EventKind::Purchase], gap_ms: None, items_max };
        fit(&Baskets::of(acts, n_items, &grouping), n_items, params, NEVER_STOP).unwrap()
    }

    fn items(lists: &BoughtTogether, item: u32) -> Vec<u32> {
        lists.of(item).iter().map(|companion| companion.item).collect()
    }

    /// 100 shoppers; each buys one of ten pairs, and item 20 whatever else they buy.
    fn pairs_and_a_bag() -> Vec<Act> {
        (0..100)
            .flat_map(|user| {
                [0, 1, 20].map(|k| buy(user, 0, if k == 20 { 20 } else { user % 10 * 2 + k }))
            })
            .collect()
    }

    #[test]
    fn pairs_are_found_and_what_goes_with_everything_is_not() {
        let lists = lists(&pairs_and_a_bag(), 21, &BoughtTogetherParams::default());
        for pair in 0..10 {
            assert_eq!(items(&lists, 2 * pair), [2 * pair + 1]);
            assert_eq!(items(&lists, 2 * pair + 1), [2 * pair]);
        }
        assert!(items(&lists, 20).is_empty(), "the bag says nothing of what is in it");
        let companion = lists.of(0)[0];
        assert_eq!(companion.support, 10);
        // All baskets have 3 items: p = 0.1, λ = −ln 0.9 / 3, q = 1 − 0.9^(2/3); 10 / (100 p q).
        assert!((companion.lift - 14.7427).abs() < 0.001, "{}", companion.lift);
    }

    #[test]
    fn a_rare_fluke_does_not_lead() {
        // Of 60 orders with item 0, 40 have item 1 and 4 have item 2; both are nowhere else.
        let mut acts = Vec::new();
        for user in 0..4_000 {
            acts.extend([100 + user % 90, 200 + user % 91].map(|item| buy(user, 0, item)));
            let within = |n, item| if user < n { Some(buy(user, 0, item)) } else { None };
            acts.extend([within(60, 0), within(40, 1), within(4, 2)].into_iter().flatten());
        }
        for discount in [0.0, 0.3] {
            let params = BoughtTogetherParams {
                popularity_discount: discount,
                ..BoughtTogetherParams::default()
            };
            let lists = lists(&acts, 500, &params);
            assert_eq!(items(&lists, 0), [1, 2], "40 of 40 before 4 of 4");
            assert!((lists.of(0)[0].lift - lists.of(0)[1].lift).abs() < 0.5, "alike in lift");
        }
    }

    #[test]
    fn orders_drawn_by_chance_have_no_companions() {
        let mut state = 88_172_645_463_325_252_u64;
        let mut acts = Vec::new();
        for user in 0..3_000_u32 {
            // Sizes from 1 to 40: by the lift of textbooks most pairs here seem to belong together.
            for _ in 0..=(user % 8) * (user % 6) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let uniform = (state >> 11) as f64 / (1_u64 << 53) as f64;
                acts.push(buy(user, 0, (uniform * uniform * 300.0) as u32));
            }
        }
        let lenient = BoughtTogetherParams {
            lift_min: 1.0,
            orders_min: 1,
            ..BoughtTogetherParams::default()
        };
        let lists = lists(&acts, 300, &lenient);
        // At a rate of 0.05, about one item in 20 may have a list if nothing is true (Benjamini and
        // Hochberg: then every discovery is false); twice that for luck.
        let n_with = (0..300).filter(|&item| !lists.of(item).is_empty()).count();
        assert!(n_with <= 30, "{n_with} items have a list of accidents");
    }

    #[test]
    fn one_shopper_proves_nothing() {
        let acts: Vec<Act> =
            (0..50).flat_map(|visit| [buy(0, visit, 0), buy(0, visit, 1)]).collect();
        let mut others: Vec<Act> = (1..200).map(|user| buy(user, 0, 2 + user % 7)).collect();
        others.extend(acts);
        assert!(items(&lists(&others, 9, &BoughtTogetherParams::default()), 0).is_empty());
        let params = BoughtTogetherParams { shoppers_min: 1, ..BoughtTogetherParams::default() };
        assert_eq!(
            items(&lists(&others, 9, &params), 0),
            [1],
            "but for the rule it would be there"
        );
    }

    #[test]
    fn little_or_no_data_makes_empty_lists() {
        let params = BoughtTogetherParams { orders_min: 1, shoppers_min: 1, ..Default::default() };
        assert_eq!(lists(&[], 0, &params), BoughtTogether::from_lists([]));
        assert!(lists(&[], 3, &params).of(2).is_empty());
        assert!(lists(&[buy(0, 0, 1)], 3, &params).of(1).is_empty(), "an item bought alone");
        let one_order: Vec<Act> = (0..3).map(|item| buy(0, 0, item)).collect();
        assert!(lists(&one_order, 3, &params).of(1).is_empty(), "one order");
        assert!(BoughtTogether::default().of(7).is_empty());
        assert!(lists(&one_order, 3, &params).of(99).is_empty(), "an item that came later");
    }

    #[test]
    fn a_million_events_of_one_shopper_are_taken() {
        let acts: Vec<Act> = (0..1_000_000_u32).map(|n| buy(0, n / 1_000, n % 997)).collect();
        assert_eq!(lists(&acts, 997, &BoughtTogetherParams::default()).n_pairs(), 0);
    }

    #[test]
    fn threads_do_not_change_the_lists() {
        let acts = pairs_and_a_bag();
        let on = |n| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
            pool.install(|| lists(&acts, 400, &BoughtTogetherParams::default()))
        };
        assert_eq!(on(1), on(4));
    }

    #[test]
    fn a_stop_is_heard_and_parameters_are_checked() {
        let grouping = Grouping { kinds: &[EventKind::Purchase], gap_ms: None, items_max: 9 };
        let orders = Baskets::of(&pairs_and_a_bag(), 21, &grouping);
        let params = BoughtTogetherParams::default();
        assert_eq!(fit(&orders, 21, &params, &|| true), Err(FitError::Stopped));
        for params in [
            BoughtTogetherParams { n_related: 0, ..params },
            BoughtTogetherParams { order_items_max: 1, ..params },
            BoughtTogetherParams { orders_min: 0, ..params },
            BoughtTogetherParams { shoppers_min: 0, ..params },
            BoughtTogetherParams { lift_min: 0.5, ..params },
            BoughtTogetherParams { lift_min: f64::INFINITY, ..params },
            BoughtTogetherParams { false_discovery_rate: f64::NAN, ..params },
            BoughtTogetherParams { caution: -1.0, ..params },
            BoughtTogetherParams { popularity_discount: 2.0, ..params },
        ] {
            assert!(matches!(params.check(), Err(FitError::Parameter { .. })), "{params:?}");
        }
    }

    proptest! {
        #[test]
        fn every_list_keeps_its_promises(orders in proptest::collection::vec(proptest::collection::vec(0_u32..12, 1..8), 0..60)) {
            let acts: Vec<Act> = (0_u32..).zip(&orders).flat_map(|(at, items)| items.iter().map(move |&item| buy(at / 2, at, item))).collect();
            let params = BoughtTogetherParams { n_related: 3, lift_min: 1.0, orders_min: 2, false_discovery_rate: 0.9, ..BoughtTogetherParams::default() };
            let lists = lists(&acts, 12, &params);
            let has = |order: &Vec<u32>, item| order.contains(&item);
            for item in 0..12 {
                let list = lists.of(item);
                prop_assert!(list.len() <= 3 && list.is_sorted_by(|a, b| a.score >= b.score));
                for companion in list {
                    prop_assert!(companion.item != item && companion.lift >= 1.0 && companion.score > 0.0);
                    let common = orders.iter().filter(|o| has(o, item) && has(o, companion.item)).count();
                    prop_assert_eq!(companion.support as usize, common);
                }
            }
        }
    }
}
