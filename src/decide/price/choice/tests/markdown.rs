//! A stock that is sold by a date, against the reference and the definition.

use super::*;
use crate::decide::price::choice::stock::highest;
use proptest::prelude::*;

/// A stock whose demand has a constant elasticity.
#[derive(Clone, Copy, Debug)]
pub(super) struct Markdown {
    pub(super) left: LeftOver,
    /// Units in a week at the reference price.
    pub(super) base: f64,
    pub(super) reference_price: f64,
    pub(super) elasticity: f64,
}

impl Markdown {
    fn offer(&self, price: f64) -> Offer {
        let demand = self.base * (price / self.reference_price).powf(self.elasticity);
        Offer { price, money: price, demand }
    }

    /// What one price throughout is expected to bring, salvage included.
    pub(super) fn value_at(&self, price: f64) -> f64 {
        self.left.value_of(&self.offer(price))
    }

    /// The best price that stays throughout, between two prices, and its value.
    pub(super) fn best_single_price(&self, [low, high]: [f64; 2]) -> (f64, f64) {
        let price = highest(|price| self.value_at(price), low, high);
        (price, self.value_at(price))
    }

    fn path(&self, prices: &[f64]) -> Result<PricePath, MarkdownError> {
        let offers: Vec<Offer> = prices.iter().map(|&price| self.offer(price)).collect();
        self.left.path(&offers)
    }
}

/// The case of MERCHANDISING.
const CASE: Markdown = Markdown {
    left: LeftOver { units: 40, weeks: 8, salvage: 5.0 },
    base: 3.0,
    reference_price: 50.0,
    elasticity: -2.5,
};

#[test]
fn the_best_single_price_is_that_of_the_reference() {
    let (price, value) = CASE.best_single_price([20.0, 80.0]);
    // Printed to two decimals.
    assert!((price - 40.40).abs() < 0.01, "{price}");
    assert!((value - 1541.18).abs() < 0.005, "{value}");
    assert!((CASE.value_at(50.0) - 1279.90).abs() < 0.005);
    assert!((CASE.value_at(40.76) - 1540.35).abs() < 0.1, "{}", CASE.value_at(40.76));
}

#[test]
fn a_path_is_no_worse_than_its_best_price_and_follows_the_stock() {
    let prices: Vec<f64> = (0..=240).map(|step| 20.0 + 0.25 * f64::from(step)).collect();
    let path = CASE.path(&prices).unwrap();
    let single = prices.iter().map(|&price| CASE.value_at(price)).fold(0.0, f64::max);
    let value = path.value(8, 40).unwrap();
    assert!(value >= 1541.18 && value >= single, "{value} {single}");
    // More stock, a lower price; the last unit is worth less than it sells for, and its salvage at least.
    for units in 2..=40 {
        assert!(path.price(8, units).unwrap() <= path.price(8, units - 1).unwrap());
        let last = path.marginal_value(8, units).unwrap();
        assert!(
            (CASE.left.salvage..path.price(8, units).unwrap()).contains(&last),
            "{units}: {last}"
        );
    }
    assert_eq!((path.price(0, 1), path.price(1, 41), path.value(9, 1)), (None, None, None));
    assert_eq!(path.value(0, 40), Some(200.0));
}

#[test]
fn one_week_of_one_price_is_the_single_price() {
    let case = Markdown { left: LeftOver { weeks: 1, ..CASE.left }, ..CASE };
    for price in [30.0, 50.0, 75.0] {
        let path = case.path(&[price]).unwrap();
        assert!((path.value(1, 40).unwrap() - case.value_at(price)).abs() < 1e-9);
    }
}

#[test]
fn what_cannot_be_reckoned_is_refused() {
    let not_a_number = Err(MarkdownError::NotANumber);
    let with = |left| Markdown { left, ..CASE };
    assert_eq!(CASE.path(&[]), not_a_number);
    assert_eq!(CASE.path(&[10.0, f64::NAN]), not_a_number);
    assert_eq!(Markdown { base: f64::INFINITY, ..CASE }.path(&[10.0]), not_a_number);
    assert_eq!(with(LeftOver { salvage: -1.0, ..CASE.left }).path(&[10.0]), not_a_number);
    let too_many = with(LeftOver { units: 2_001, ..CASE.left }).path(&[10.0]);
    assert!(matches!(too_many, Err(MarkdownError::TooMuch { .. })));
}

proptest! {
    #[test]
    fn to_change_the_price_by_the_week_is_never_worse(
        units in 0_u64..30, weeks in 0_u32..6, base in 0.0..9.0_f64, elasticity in -5.0..-0.2_f64,
        salvage in 0.0..40.0_f64,
    ) {
        let left = LeftOver { units, weeks, salvage };
        let case = Markdown { left, base, elasticity, ..CASE };
        let prices: Vec<f64> = (0..25).map(|step| 20.0 + 4.0 * f64::from(step)).collect();
        let value = case.path(&prices).unwrap().value(weeks, units).unwrap();
        for price in prices {
            prop_assert!(value >= case.value_at(price) - 1e-6, "{} at {}", value, price);
        }
    }
}
