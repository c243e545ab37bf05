//! What is looked at instead.
//!
//! `McAuley`, Pandey, Leskovec, "Inferring networks of substitutable and complementary products", KDD 2015: items
//! viewed by the same people are substitutes, items bought by them complements. They learn both from texts;
//! here what shoppers do decides alone. The score is
//! `cos_ij · (1 − b_ij) · exp(−|ln(price_i / price_j)| / price_scale)`:
//!
//! - `cos_ij = v_ij / √(v_i v_j)` over short visits: views without a pause above `pause_minutes`;
//! - `b_ij = n_ij / (min(n_i, n_j) + shrinkage)`, the part of the rarer item's orders that have both; the
//!   shrinkage keeps one order from deciding;
//! - a price that is not known counts like one that is `e^price_scale` times as high.
//!
//! The pair must be viewed together more than [`chance`](super::chance) would bring, and share a category
//! where both have any. All but the cosine is our departure.

use super::baskets::{Baskets, Meetings};
use super::chance::{Chance, discovery_threshold};
use super::of_every_item;
use crate::learn::linalg::Csr;
use crate::learn::recommenders::{FitError, Stop, check, similarity::keep_most_similar};
use serde::{Deserialize, Serialize};

/// What the catalogue says of an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemFacts {
    /// Its categories, by any numbers.
    pub categories: Vec<u32>,
    /// Its price in minor units; none or not above 0 is unknown.
    pub price: Option<i64>,
}

impl ItemFacts {
    fn log_price(&self) -> Option<f64> {
        self.price.filter(|&price| 0 < price).map(|price| (price as f64).ln())
    }

    /// Whether the two share a category, or one has none.
    fn may_replace(&self, other: &Self) -> bool {
        self.categories.is_empty()
            || other.categories.is_empty()
            || self.categories.iter().any(|category| other.categories.contains(category))
    }
}

/// How substitutes are found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SubstituteParams {
    /// Most items kept for an item, 1 to 1,000.
    pub n_related: usize,
    /// Longest pause within a short visit, in minutes, 1 to 1,440.
    pub pause_minutes: u32,
    /// Most different items of one visit that are looked at, 2 to 10,000; of more, a part.
    pub visit_items_max: usize,
    /// Fewest visits that a pair must share, at least 1.
    pub visits_min: u32,
    /// Fewest shoppers who must have viewed both, at least 1.
    pub shoppers_min: u32,
    /// Most of an item's list that may be there by accident, as a share above 0 and below 1.
    pub false_discovery_rate: f64,
    /// Orders with only one of the two that are added before the share of common orders is taken; above 0.
    pub shrinkage: f64,
    /// At which distance of logarithms the price has cost all but `1/e` of the score; above 0.
    pub price_scale: f64,
}

impl Default for SubstituteParams {
    fn default() -> Self {
        Self {
            n_related: 50,
            pause_minutes: 30,
            visit_items_max: 50,
            visits_min: 3,
            shoppers_min: 2,
            false_discovery_rate: 0.05,
            shrinkage: 2.0,
            price_scale: 0.7,
        }
    }
}

impl SubstituteParams {
    /// Refuses parameters out of range.
    pub fn check(&self) -> Result<(), FitError> {
        let n = self.n_related;
        check((1..=1_000).contains(&n), "n_related", "between 1 and 1000", n)?;
        let pause = self.pause_minutes;
        check((1..=1_440).contains(&pause), "pause_minutes", "between 1 and 1440", pause)?;
        let most = self.visit_items_max;
        check((2..=10_000).contains(&most), "visit_items_max", "between 2 and 10000", most)?;
        check(1 <= self.visits_min, "visits_min", "at least 1", self.visits_min)?;
        check(1 <= self.shoppers_min, "shoppers_min", "at least 1", self.shoppers_min)?;
        let rate = self.false_discovery_rate;
        let fits = 0.0 < rate && rate < 1.0;
        check(fits, "false_discovery_rate", "above 0 and below 1", rate)?;
        let above_0 = |x: f64| x.is_finite() && 0.0 < x;
        let rule = "finite and above 0";
        check(above_0(self.shrinkage), "shrinkage", rule, self.shrinkage)?;
        check(above_0(self.price_scale), "price_scale", rule, self.price_scale)
    }
}

/// Finds what may stand in for every item, in parallel on the pool it is called in; row `i` of the result is
/// best first. Items beyond the end of `facts` have none.
///
/// Cost: `Σ s²` additions over visits and over orders; 32 bytes an item for each thread.
pub fn fit(
    (visits, orders): (&Baskets, &Baskets),
    facts: &[ItemFacts],
    n_items: usize,
    params: &SubstituteParams,
    stop: Stop<'_>,
) -> Result<Csr, FitError> {
    params.check()?;
    let counts: Vec<u32> = (0..n_items as u32).map(|item| visits.n_with(item)).collect();
    let chance = Chance::of(visits.sizes(), &counts);
    let n_others = counts.iter().filter(|&&n| n > 0).count().saturating_sub(1);
    let nothing = ItemFacts::default();
    let facts_of = |item: u32| facts.get(item as usize).unwrap_or(&nothing);
    let log_prices: Vec<Option<f64>> =
        (0..n_items as u32).map(|item| facts_of(item).log_price()).collect();

    let list = |(viewed, bought): &mut (Meetings, Meetings), item: u32| {
        let own = counts[item as usize];
        if own < params.visits_min {
            return Vec::new();
        }
        viewed.count(item, visits);
        let enough: Vec<(u32, u32, f64)> = viewed
            .met()
            .filter(|(_, met)| {
                params.visits_min <= met.baskets && params.shoppers_min <= met.shoppers
            })
            .map(|(other, met)| {
                (other, met.baskets, chance.tail(met.baskets, chance.expected(item, other)))
            })
            .collect();
        let mut p_values: Vec<f64> = enough.iter().map(|pair| pair.2).collect();
        let rate = params.false_discovery_rate;
        let Some(threshold) = discovery_threshold(&mut p_values, n_others, rate) else {
            return Vec::new();
        };
        bought.count(item, orders);
        let mut list = Vec::new();
        for (other, n_visits, p_value) in enough {
            if threshold < p_value || !facts_of(item).may_replace(facts_of(other)) {
                continue;
            }
            let views = f64::from(own) * f64::from(counts[other as usize]);
            let rarer = f64::from(orders.n_with(item).min(orders.n_with(other)));
            let together = f64::from(bought.with(other).baskets) / (rarer + params.shrinkage);
            let distance = match (log_prices[item as usize], log_prices[other as usize]) {
                (Some(price), Some(other)) => (price - other).abs() / params.price_scale,
                _ => 1.0,
            };
            let score = f64::from(n_visits) / views.sqrt() * (1.0 - together) * (-distance).exp();
            if 0.0 < score as f32 {
                list.push((other, score as f32));
            }
        }
        keep_most_similar(&mut list, params.n_related);
        list.sort_unstable_by(|x, y| y.1.total_cmp(&x.1).then(x.0.cmp(&y.0)));
        list
    };
    let room = || (Meetings::new(n_items), Meetings::new(n_items));
    let lists = Csr::from_rows(of_every_item(n_items, stop, room, list)?);
    if !(0..n_items).flat_map(|item| lists.row(item).1).all(|x| x.is_finite()) {
        return Err(FitError::NotFinite { model: "substitute" });
    }
    Ok(lists)
}

#[cfg(test)]
mod tests {
    use super::super::baskets::{Grouping, tests::act};
    use super::*;
    use crate::domain::EventKind::{self, Purchase, View};
    use crate::learn::{dataset::log::Act, recommenders::NEVER_STOP};

    fn fitted(acts: &[Act], facts: &[ItemFacts], params: &SubstituteParams) -> Csr {
        let grouping =
            |kinds: &'static [EventKind], gap_ms| Grouping { kinds, gap_ms, items_max: 50 };
        let visits = Baskets::of(acts, 200, &grouping(&[View], Some(1_800_000)));
        let orders = Baskets::of(acts, 200, &grouping(&[Purchase], None));
        fit((&visits, &orders), facts, 200, params, NEVER_STOP).unwrap()
    }

    /// Twenty people view items 0 to 3, each buys one of 0 and 1, and 2 and 3 together; many view else.
    fn visits() -> Vec<Act> {
        let mut acts = Vec::new();
        for user in 0..20 {
            acts.extend((0..4).map(|item| act(View, user, 0, item, i64::from(item))));
            acts.extend([user % 2, 2, 3].map(|item| act(Purchase, user, 1, item, 9)));
        }
        for user in 20..500 {
            let others = [10 + user % 90, 100 + user % 91];
            acts.extend(others.map(|item| act(View, user, 0, item, 0)));
        }
        acts
    }

    fn facts() -> Vec<ItemFacts> {
        let fact =
            |price, category| ItemFacts { categories: vec![7, category], price: Some(price) };
        vec![fact(1_000, 1), fact(1_100, 1), fact(1_000, 2), fact(4_000, 2)]
    }

    #[test]
    fn what_is_viewed_instead_leads_and_what_is_bought_with_it_does_not() {
        let lists = fitted(&visits(), &facts(), &SubstituteParams::default());
        // Item 0 has 10 orders, none with 1; views are the same sets.
        let expected = (-(1.1_f32.ln()) / 0.7).exp();
        assert_eq!(lists.row(0).0[0], 1);
        assert!((lists.row(0).1[0] - expected).abs() < 1e-6);
        // 2 and 3 share 20 of 20 orders and cost 4 times as much.
        let expected = 2.0 / 22.0 * (-(4.0_f32.ln()) / 0.7).exp();
        let (items, scores) = lists.row(3);
        let of_2 = items.iter().position(|&item| item == 2).unwrap();
        assert!((scores[of_2] - expected).abs() < 1e-6);
        assert_ne!(of_2, 0);
    }

    #[test]
    fn another_category_is_no_substitute_and_an_unknown_one_may_be() {
        let mut facts = facts();
        facts[1].categories = vec![8];
        facts[2].categories.clear();
        let lists = fitted(&visits(), &facts, &SubstituteParams::default());
        assert!(!lists.row(0).0.contains(&1) && lists.row(0).0.contains(&2));
    }

    #[test]
    fn prices_that_are_not_known_or_not_prices_do_no_harm() {
        for price in [None, Some(0), Some(i64::MIN), Some(i64::MAX)] {
            let facts = vec![ItemFacts { categories: vec![], price }; 2];
            let lists = fitted(&visits(), &facts, &SubstituteParams::default());
            assert!(lists.row(0).0.contains(&1), "{price:?}");
        }
        let lists = fitted(&visits(), &[], &SubstituteParams::default());
        assert!((lists.row(0).1[0] - (-1.0_f32).exp()).abs() < 1e-6);
    }

    #[test]
    fn views_apart_make_no_pair() {
        let mut acts = visits();
        for act in acts.iter_mut().filter(|act| act.item.0 == 1) {
            act.at = act.at.plus_ms(3_600_000);
        }
        acts.sort_by_key(|act| act.at);
        let lists = fitted(&acts, &facts(), &SubstituteParams::default());
        assert!(!lists.row(0).0.contains(&1));
    }

    #[test]
    fn no_data_makes_empty_lists_and_parameters_are_checked() {
        assert_eq!(fitted(&[], &[], &SubstituteParams::default()).n_cells(), 0);
        let params = SubstituteParams::default();
        for params in [
            SubstituteParams { pause_minutes: 0, ..params },
            SubstituteParams { price_scale: 0.0, ..params },
            SubstituteParams { shrinkage: f64::NAN, ..params },
        ] {
            assert!(matches!(params.check(), Err(FitError::Parameter { .. })));
        }
    }
}
