//! The prices that a label may show: endings, as arithmetic progressions, within bounds. Nothing is ever listed: a grid
//! of a million prices costs as much as one of ten.

use crate::{decide::price::Bounds, domain::Cents};

/// Prices with the right last digits.
#[derive(Clone, Debug)]
pub(super) struct Endings(Vec<Ending>);

#[derive(Clone, Copy, Debug)]
struct Ending {
    digits: i64,
    /// The power of ten that cuts off as many digits as the ending has.
    modulus: i64,
}

impl Endings {
    /// As in the policy: 99 stands for two digits, 5 for one, 0 for one; none = every whole minor unit.
    pub(super) fn new(endings: &[u32]) -> Self {
        let ending = |&digits: &u32| {
            let n_digits = digits.checked_ilog10().unwrap_or(0) + 1;
            Ending { digits: i64::from(digits), modulus: 10_i64.pow(n_digits) }
        };
        Self(endings.iter().map(ending).collect())
    }

    /// Every whole minor unit.
    pub(super) fn any() -> Self {
        Self(Vec::new())
    }

    /// The lowest price of at least `price` and of at least one minor unit.
    pub(super) fn at_or_above(&self, price: Cents) -> Cents {
        let price = price.0.max(1);
        let next = |ending: &Ending| {
            price.saturating_add((ending.digits - price).rem_euclid(ending.modulus))
        };
        Cents(self.0.iter().map(next).min().unwrap_or(price))
    }

    /// The highest price of at most `price`; `None` if it would be less than one minor unit.
    pub(super) fn at_or_below(&self, price: Cents) -> Option<Cents> {
        let price = price.0;
        let last = |ending: &Ending| price - (price - ending.digits).rem_euclid(ending.modulus);
        let last = if self.0.is_empty() { price } else { self.0.iter().map(last).max()? };
        (last >= 1).then_some(Cents(last))
    }
}

/// A finite set of prices: those with the right endings within bounds, and some others beside them.
#[derive(Clone, Debug)]
pub(super) struct Grid<'a> {
    endings: &'a Endings,
    bounds: Bounds,
    others: Vec<Cents>,
}

impl<'a> Grid<'a> {
    /// `others` are legal whatever their ending and wherever they lie.
    pub(super) fn new(endings: &'a Endings, bounds: Bounds, others: &[Cents]) -> Self {
        let mut others = others.to_vec();
        others.sort_unstable();
        Self { endings, bounds, others }
    }

    /// Whether it holds no price of a right ending; others do not count.
    pub(super) fn is_empty_of_endings(&self) -> bool {
        self.endings.at_or_above(self.bounds.low) > self.bounds.high
    }

    /// The lowest price of at least `price`.
    pub(super) fn at_or_above(&self, price: Cents) -> Option<Cents> {
        let ending = self.endings.at_or_above(price.max(self.bounds.low));
        let ending = Some(ending).filter(|&ending| ending <= self.bounds.high);
        let other = self.others.iter().copied().find(|&other| other >= price);
        ending.into_iter().chain(other).min()
    }

    /// The highest price of at most `price`.
    pub(super) fn at_or_below(&self, price: Cents) -> Option<Cents> {
        let ending = self.endings.at_or_below(price.min(self.bounds.high));
        let ending = ending.filter(|&ending| ending >= self.bounds.low);
        let other = self.others.iter().copied().rfind(|&other| other <= price);
        ending.into_iter().chain(other).max()
    }

    /// The lowest price; `None` if there is none.
    pub(super) fn first(&self) -> Option<Cents> {
        self.at_or_above(Cents(i64::MIN))
    }

    /// The highest price.
    pub(super) fn last(&self) -> Option<Cents> {
        self.at_or_below(Cents(i64::MAX))
    }

    /// The price nearest to `price`, by ratio; the lower of two equally near.
    pub(super) fn nearest(&self, price: f64) -> Option<Cents> {
        let at = Cents(price as i64);
        let (below, above) = (self.at_or_below(at), self.at_or_above(Cents(price.ceil() as i64)));
        let (Some(low), Some(high)) = (below, above) else { return below.or(above) };
        let is_low = price * price <= low.0 as f64 * high.0 as f64;
        Some(if is_low { low } else { high })
    }

    /// A price between two others, near the middle; `None` if there is none.
    pub(super) fn between(&self, low: Cents, high: Cents) -> Option<Cents> {
        let middle = Cents(low.0 + (high.0 - low.0) / 2);
        let below = self.at_or_below(middle).filter(|&price| price > low);
        let above = || self.at_or_above(Cents(middle.0 + 1)).filter(|&price| price < high);
        below.or_else(above)
    }

    /// About `n` of its prices, evenly spread by ratio, the first and the last included; sorted.
    pub(super) fn spread(&self, n: usize) -> Vec<Cents> {
        let (Some(first), Some(last)) = (self.first(), self.last()) else { return vec![] };
        let ratio = last.0 as f64 / first.0 as f64;
        let steps = n.saturating_sub(1).max(1);
        let wanted = (0..=steps).map(|step| {
            let share = step as f64 / steps as f64;
            if step == steps { last.0 as f64 } else { first.0 as f64 * ratio.powf(share) }
        });
        let mut prices: Vec<Cents> = wanted.filter_map(|price| self.nearest(price)).collect();
        prices.dedup();
        prices
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bounds(low: i64, high: i64) -> Bounds {
        Bounds { low: Cents(low), high: Cents(high) }
    }

    #[test]
    fn endings_are_read_as_a_label_shows_them() {
        let endings = Endings::new(&[99, 95]);
        assert_eq!(endings.at_or_above(Cents(1200)), Cents(1295));
        assert_eq!(endings.at_or_above(Cents(1296)), Cents(1299));
        assert_eq!(endings.at_or_below(Cents(1294)), Some(Cents(1199)));
        assert_eq!(endings.at_or_below(Cents(94)), None);
        assert_eq!(Endings::new(&[9]).at_or_above(Cents(1200)), Cents(1209));
        assert_eq!(Endings::new(&[0]).at_or_above(Cents(1)), Cents(10));
        assert_eq!(Endings::new(&[u32::MAX]).at_or_above(Cents(1)), Cents(i64::from(u32::MAX)));
        assert_eq!(Endings::any().at_or_above(Cents(-7)), Cents(1));
    }

    #[test]
    fn a_price_beside_the_grid_is_part_of_it() {
        let endings = Endings::new(&[99]);
        let grid = Grid::new(&endings, bounds(1000, 1250), &[Cents(1240), Cents(900)]);
        assert_eq!((grid.first(), grid.last()), (Some(Cents(900)), Some(Cents(1240))));
        assert_eq!(grid.at_or_above(Cents(901)), Some(Cents(1099)));
        assert_eq!(grid.nearest(1230.0), Some(Cents(1240)));
        assert_eq!(grid.nearest(5000.0), Some(Cents(1240)));
        assert!(Grid::new(&endings, bounds(1000, 1050), &[]).is_empty_of_endings());
        assert_eq!(Grid::new(&endings, bounds(1000, 1050), &[]).first(), None);
    }

    #[test]
    fn a_spread_holds_the_ends_and_only_legal_prices() {
        let endings = Endings::new(&[99]);
        let grid = Grid::new(&endings, bounds(500, 2100), &[]);
        let prices = grid.spread(40);
        assert_eq!((prices[0], prices[prices.len() - 1]), (Cents(599), Cents(2099)));
        assert!(prices.len() == 16 && prices.is_sorted());
        assert!(grid.spread(8).len() <= 8);
        assert!(prices.iter().all(|price| price.0 % 100 == 99));
        let narrow = Grid::new(&endings, bounds(500, 700), &[]);
        assert_eq!(narrow.spread(40), [Cents(599), Cents(699)]);
    }

    proptest! {
        #[test]
        fn neighbours_are_those_of_the_listed_grid(
            endings in prop::collection::vec(0_u32..1200, 0..4), low in 1_i64..3000,
            width in 0_i64..3000, others in prop::collection::vec(1_i64..7000, 0..3),
            price in -5_i64..7000,
        ) {
            let lattice = Endings::new(&endings);
            let others: Vec<Cents> = others.into_iter().map(Cents).collect();
            let grid = Grid::new(&lattice, bounds(low, low + width), &others);
            let has_ending = |price: i64| endings.is_empty() || endings.iter().any(|ending| {
                price.to_string().ends_with(&ending.to_string())
            });
            let mut listed: Vec<Cents> = (low..=low + width).filter(|&p| has_ending(p)).map(Cents).collect();
            listed.extend(&others);
            listed.sort_unstable();
            let above = listed.iter().copied().find(|&p| p >= Cents(price));
            let below = listed.iter().copied().rfind(|&p| p <= Cents(price));
            prop_assert_eq!(grid.at_or_above(Cents(price)), above);
            prop_assert_eq!(grid.at_or_below(Cents(price)), below);
            let between = grid.between(Cents(price), Cents(price + width));
            let has_any = listed.iter().any(|p| p.0 > price && p.0 < price + width);
            prop_assert_eq!(between.is_some(), has_any);
            prop_assert!(between.is_none_or(|p| p.0 > price && p.0 < price + width && listed.contains(&p)));
        }
    }
}
