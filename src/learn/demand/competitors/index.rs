//! One price for many offers.

use super::UsedOffer;
use std::cmp::Ordering;

/// How far below the threshold a sum of weights may fall by rounding and still reach it, as a share of all weight.
const ROUNDING: f64 = 1e-12;

/// The index over offers that are believed, in minor units; `None` without any.
pub fn index_price(used: &[UsedOffer], quantile: f64) -> Option<f64> {
    let priced: Vec<(f64, f64)> =
        used.iter().map(|offer| (offer.delivered.0 as f64, offer.weight)).collect();
    weighted_low_quantile(&priced, quantile)
}

/// The lowest of the prices at or below which this share of the weight lies, of `(price, weight)`; `None` without any.
///
/// Weights are finite and not negative. One more price moves it towards that price and never beyond.
pub fn weighted_low_quantile(priced: &[(f64, f64)], quantile: f64) -> Option<f64> {
    let mut sorted = priced.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let total: f64 = sorted.iter().map(|&(_, weight)| weight).sum();
    let threshold = (quantile - ROUNDING) * total;
    let mut reached = 0.0;
    let found = sorted.iter().find(|&&(_, weight)| {
        reached += weight;
        // A sum that is not a number reaches everything.
        reached.partial_cmp(&threshold) != Some(Ordering::Less)
    });
    found.or(sorted.last()).map(|&(price, _)| price)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_quantile_is_the_lowest_of_few_and_passes_over_the_cheapest_of_many() {
        let equal = |prices: &[f64]| {
            let priced: Vec<(f64, f64)> = prices.iter().map(|&price| (price, 1.0)).collect();
            weighted_low_quantile(&priced, 0.25)
        };
        assert_eq!(equal(&[]), None);
        assert_eq!(equal(&[9.0]), Some(9.0));
        assert_eq!(equal(&[11.0, 10.0]), Some(10.0));
        assert_eq!(equal(&[13.0, 12.0, 11.0, 10.0]), Some(10.0));
        assert_eq!(equal(&[14.0, 13.0, 12.0, 11.0, 10.0]), Some(11.0));
        // A lowest price of little weight is passed over: 0.2 of 3.2 is less than a quarter.
        assert_eq!(
            weighted_low_quantile(&[(8.0, 0.2), (10.0, 1.0), (12.0, 2.0)], 0.25),
            Some(10.0),
        );
        assert_eq!(weighted_low_quantile(&[(8.0, 0.0), (9.0, 0.0)], 0.25), Some(8.0));
    }

    proptest! {
        #[test]
        fn one_more_price_moves_the_quantile_towards_it_and_never_beyond(
            priced in prop::collection::vec((1_u32..1000, 0.001_f64..1.0), 1..12),
            (price, weight) in (1_u32..1000, 0.001_f64..1.0),
            quantile in 0.05_f64..0.5,
        ) {
            let mut priced: Vec<(f64, f64)> =
                priced.into_iter().map(|(price, weight)| (f64::from(price), weight)).collect();
            let before = weighted_low_quantile(&priced, quantile).unwrap();
            let price = f64::from(price);
            priced.push((price, weight));
            let after = weighted_low_quantile(&priced, quantile).unwrap();
            prop_assert!(before.min(price) <= after && after <= before.max(price));
        }
    }
}
