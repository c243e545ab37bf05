//! How far a price may follow what others ask: down, never up.

use crate::{decide::price::choice::CompetitorIndex, domain::Cents};

/// Where prices may follow the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// Not at all: there is no index, or it is of sellers who only answer us.
    Nowhere,
    /// To lower prices. That it rose is never a reason to ask more.
    DownOnly,
}

/// The prices that lie beside the index as the merchant wants it; `low` is never above `high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corridor {
    /// Lowest.
    pub low: Cents,
    /// Highest.
    pub high: Cents,
}

/// Largest amount of minor units that a float holds to the unit.
const AMOUNT_MAX: f64 = 9_007_199_254_740_992.0;

/// The prices between two shares of the index, rounded inwards; `None` if it may not be followed, or the shares are
/// none.
///
/// The lower end never lies above `current`, the price in force: the corridor may push a price down to its upper end,
/// but where rivals asked more, it pushes nothing up. Without a price in force there is nothing to be pushed.
pub fn corridor(
    index: &CompetitorIndex,
    shares: [f64; 2],
    current: Option<Cents>,
) -> Option<Corridor> {
    let [low, high] = shares.map(|share| share * index.price);
    let is_corridor = 0.0 <= low && low <= high && high <= AMOUNT_MAX;
    if !(index.may_follow && is_corridor) {
        return None;
    }
    let high = Cents(high.floor() as i64);
    let low = Cents(low.ceil() as i64).min(high);
    let low = current.map_or(low, |current| low.min(current));
    Some(Corridor { low, high })
}

/// The index without what it rose since `before`, the index when the present price was set: what a decision may be
/// based on that must not raise a price for the sole reason that others did.
///
/// Demand foreseen with it is that of a market that asks no more than it did; falls pass through as they are.
#[must_use]
pub fn without_raise(index: CompetitorIndex, before: Option<f64>) -> CompetitorIndex {
    let before = before.filter(|before| before.is_finite() && *before > 0.0);
    CompetitorIndex { price: before.map_or(index.price, |before| index.price.min(before)), ..index }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(price: f64) -> CompetitorIndex {
        CompetitorIndex { price, n_offers: 2, age_hours: 1.0, may_follow: true }
    }

    fn ends(index: f64, current: i64) -> Option<(i64, i64)> {
        let corridor = corridor(&at(index), [0.95, 1.05], Some(Cents(current)));
        corridor.map(|corridor| (corridor.low.0, corridor.high.0))
    }

    #[test]
    fn a_corridor_pushes_down_and_never_up() {
        assert_eq!(ends(1_000.0, 1_000), Some((950, 1_050)));
        // They fell: our 1,000 must come down to 840.
        assert_eq!(ends(800.0, 1_000), Some((760, 840)));
        // They rose: our 1,000 may stay where it is.
        assert_eq!(ends(1_500.0, 1_000), Some((1_000, 1_575)));
        assert_eq!(
            corridor(&at(1_500.0), [0.95, 1.05], None),
            Some(Corridor { low: Cents(1_425), high: Cents(1_575) }),
        );
    }

    #[test]
    fn nobody_is_followed_in_a_duel_or_by_shares_that_are_none() {
        let duel = CompetitorIndex { may_follow: false, ..at(1_000.0) };
        assert_eq!(corridor(&duel, [0.95, 1.05], Some(Cents(1_000))), None);
        for shares in [[1.1, 0.9], [f64::NAN, 1.0], [0.9, f64::INFINITY], [-0.5, 1.0]] {
            assert_eq!(corridor(&at(1_000.0), shares, None), None);
        }
    }

    #[test]
    fn a_rise_of_the_index_is_taken_out_and_a_fall_is_not() {
        let price = |now, before| without_raise(at(now), before).price.to_bits();
        assert_eq!(price(1_200.0, Some(1_000.0)), 1_000.0_f64.to_bits());
        assert_eq!(price(800.0, Some(1_000.0)), 800.0_f64.to_bits());
        assert_eq!(price(800.0, None), 800.0_f64.to_bits());
        assert_eq!(price(800.0, Some(f64::NAN)), 800.0_f64.to_bits());
        assert_eq!(price(800.0, Some(0.0)), 800.0_f64.to_bits());
    }

    proptest! {
        #[test]
        fn a_higher_index_never_pushes_a_price_up(
            index in 0.0_f64..1e9,
            rise in 0.0_f64..1e9,
            current in 0_i64..1_000_000_000,
            shares in (0.0_f64..2.0, 0.0_f64..2.0),
        ) {
            let shares = [shares.0.min(shares.1), shares.0.max(shares.1)];
            let held = |index| {
                let corridor = corridor(&at(index), shares, Some(Cents(current))).unwrap();
                assert!(corridor.low <= corridor.high);
                current.clamp(corridor.low.0, corridor.high.0)
            };
            prop_assert!(held(index) <= current);
            prop_assert!(held(index + rise) <= current);
        }

        #[test]
        fn no_numbers_panic(
            (price, low, high) in any::<(f64, f64, f64)>(),
            (before, current) in any::<(Option<f64>, Option<i64>)>(),
        ) {
            let index = without_raise(at(price), before);
            if let Some(corridor) = corridor(&index, [low, high], current.map(Cents)) {
                prop_assert!(corridor.low <= corridor.high);
            }
        }
    }
}
