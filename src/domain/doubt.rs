//! Amounts that look like a slip of the pen beside others: minor units taken for whole ones, or tax mixed up.

use super::{Cents, Currency, ItemFields};

/// Minor units in a whole one, in most currencies.
pub const HUNDRED: f64 = 100.0;

/// How near to the minor units of a whole one a ratio must be to look like these taken for whole ones: from 100 / 1.5 to
/// 100 · 1.5. Our choice: wide enough for a price that moved by half at the same time, or a seller who asks half as much
/// again.
const UNIT_SPREAD: f64 = 1.5;

/// How near to a rate of tax a ratio must be to look like tax added or left out; relative. Our choice.
const TAX_SPREAD: f64 = 0.005;

/// Whether one of two amounts is about `units` times the other, which are the minor units of a whole one. Nothing is said
/// beside an amount of 0.
pub fn mixes_units(amount: Cents, other: Cents, units: f64) -> bool {
    let near = units / UNIT_SPREAD..=units * UNIT_SPREAD;
    ratio(amount, other).is_some_and(|ratio| near.contains(&ratio) || near.contains(&ratio.recip()))
}

/// The rate of tax, of those given, by which one of two amounts exceeds the other.
pub fn mixes_tax(amount: Cents, other: Cents, rates: &[f64]) -> Option<f64> {
    let ratio = ratio(amount, other)?;
    let is_near = |to: f64| (ratio / to - 1.0).abs() <= TAX_SPREAD;
    rates.iter().copied().find(|rate| is_near(1.0 + rate) || is_near((1.0 + rate).recip()))
}

/// How many times the other amount it is, if both are above 0.
pub fn ratio(amount: Cents, other: Cents) -> Option<f64> {
    (amount.0 > 0 && other.0 > 0).then(|| amount.0 as f64 / other.0 as f64)
}

/// Whether one of two amounts is more than so many times the other. Nothing is said beside an amount of 0.
pub fn is_far(amount: Cents, other: Cents, times: f64) -> bool {
    ratio(amount, other).is_some_and(|ratio| ratio.max(ratio.recip()) > times)
}

/// An amount of an item that is about as many times another one as a whole unit has minor ones, or that part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitMixUp {
    /// The field that was changed.
    pub field: &'static str,
    /// What it was to be.
    pub amount: Cents,
    /// What it is compared with, as the words of a sentence.
    pub beside: &'static str,
    /// How much that is.
    pub other: Cents,
}

impl UnitMixUp {
    /// The end of a sentence that begins with the field's name.
    pub fn detail(&self, currency: Currency) -> String {
        let units = currency.minor_units_of_one().unwrap_or(HUNDRED);
        let part = if self.amount > self.other { "" } else { "1/" };
        let times = if self.amount > self.other { "times" } else { "of" };
        let (other, beside) = (currency.format(self.other), self.beside);
        format!("is about {part}{units} {times} {beside} ({other}): is one of them in minor units?")
    }
}

/// The first amount among those that a change touches that looks like minor units taken for whole ones.
///
/// Each is held against what it was, bounds only where they tighten; and cost and bounds against the price, in the one
/// direction in which nobody sells: at a hundredth of the cost, at least at a hundred times the price, at most at a
/// hundredth of it. In a currency without minor units there is nothing to mix up.
pub fn unit_mix_up(
    before: &ItemFields,
    after: &ItemFields,
    currency: Currency,
) -> Option<UnitMixUp> {
    let units = currency.minor_units_of_one()?;
    let over_time = [
        ("price", after.price, "the price before", before.price),
        ("cost", after.cost, "the cost before", before.cost),
        ("price_min", after.price_min, "the one before", before.price_min.min(after.price_min)),
        ("price_max", after.price_max, "the one before", before.price_max.max(after.price_max)),
    ];
    let over_time = over_time.into_iter().filter(|(_, now, _, then)| now != then);
    // The first amount of each must not be a hundred times the second.
    let [price, cost, min, max] = [
        ("price", "its price", before.price, after.price),
        ("cost", "its cost", before.cost, after.cost),
        ("price_min", "its price_min", before.price_min, after.price_min),
        ("price_max", "its price_max", before.price_max, after.price_max),
    ];
    let beside_each_other = [(cost, price), (min, price), (price, max)];
    let beside_each_other = beside_each_other
        .into_iter()
        .filter(|(high, low)| high.3.zip(low.3).is_some_and(|(high, low)| high > low))
        .flat_map(|(high, low)| [(high, low), (low, high)])
        .filter(|(touched, _)| touched.2 != touched.3)
        .map(|(touched, other)| (touched.0, touched.3, other.1, other.3));
    over_time.chain(beside_each_other).find_map(|(field, amount, beside, other)| {
        let (amount, other) = amount.zip(other)?;
        mixes_units(amount, other, units).then_some(UnitMixUp { field, amount, beside, other })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        code.parse().unwrap()
    }

    #[test]
    fn a_hundred_times_or_a_hundredth_is_a_mix_up_and_ten_times_is_none() {
        for (amount, other, is_one) in [
            (99_900, 999, true),
            (999, 99_900, true),
            (67, 1, true),
            (66, 1, false),
            (150, 1, true),
            (151, 1, false),
            (9_990, 999, false),
            (999_000, 999, false),
            (999, 0, false),
            (0, 999, false),
        ] {
            assert_eq!(mixes_units(Cents(amount), Cents(other), 100.0), is_one, "{amount} {other}");
        }
    }

    #[test]
    fn far_is_beyond_so_many_times_either_way() {
        let of = |amount, other| is_far(Cents(amount), Cents(other), 5.0);
        assert_eq!(
            [of(500, 100), of(501, 100), of(100, 501), of(0, 9)],
            [false, true, true, false]
        );
    }

    #[test]
    fn tax_is_seen_whether_it_was_added_or_left_out() {
        let of = |amount, other| mixes_tax(Cents(amount), Cents(other), &[0.1, 0.255]);
        assert_eq!([of(1_255, 1_000), of(1_000, 1_255)], [Some(0.255); 2]);
        assert_eq!([of(1_104, 1_000), of(1_000, 1_106)], [Some(0.1), None]);
        assert_eq!([of(1_000, 0), mixes_tax(Cents(5), Cents(4), &[])], [None; 2]);
    }

    #[test]
    fn an_item_is_held_against_what_it_was_and_its_amounts_against_each_other() {
        let fields = |amounts: [Option<i64>; 4]| {
            let [price, cost, price_min, price_max] = amounts.map(|amount| amount.map(Cents));
            ItemFields { price, cost, price_min, price_max, ..ItemFields::default() }
        };
        let was = [Some(1_000), Some(400), Some(800), Some(1_200)];
        let found = |before, after| {
            let found = unit_mix_up(&fields(before), &fields(after), currency("EUR"))?;
            Some((found.field, found.beside, found.other.0))
        };
        assert_eq!(found(was, [Some(2_000), Some(3_000), Some(1), Some(9_999)]), None);
        let price = [Some(100_000), Some(400), Some(800), Some(1_200)];
        assert_eq!(found(was, price), Some(("price", "the price before", 1_000)));
        // Of a price before there may be nothing to know, and then its cost tells.
        let cheap = [Some(10), Some(1_000), None, None];
        assert_eq!(found([None; 4], cheap), Some(("cost", "its price", 10)));
        assert_eq!(
            found([None, Some(1_000), None, None], cheap),
            Some(("price", "its cost", 1_000))
        );
        assert_eq!(
            found(was, [was[0], Some(4), was[2], was[3]]),
            Some(("cost", "the cost before", 400))
        );
        let unbounded = [was[0], was[1], None, None];
        let low = found(unbounded, [was[0], was[1], Some(100_000), None]);
        assert_eq!(low, Some(("price_min", "its price", 1_000)));
        let high = found(unbounded, [was[0], was[1], None, Some(10)]);
        assert_eq!(high, Some(("price_max", "its price", 1_000)));
        // A bound that tightens is held against what it was, one that gives way is not.
        let wide = [Some(5_000), None, Some(2_000), Some(7_000)];
        let slip = found(wide, [Some(5_000), None, Some(200_000), Some(700_000)]);
        assert_eq!(slip, Some(("price_min", "the one before", 2_000)));
        let slip = found(wide, [Some(5_000), None, None, Some(70)]);
        assert_eq!(slip, Some(("price_max", "the one before", 7_000)));
        assert_eq!(found(wide, [Some(5_000), None, Some(20), Some(700_000)]), None);
        // A margin of a hundred times is nobody's business, nor is a bound that bounds nothing.
        assert_eq!(found([None; 4], [Some(1_000), Some(10), Some(10), Some(100_000)]), None);
        // What was confirmed once is not asked again.
        assert_eq!(found(cheap, [cheap[0], cheap[1], Some(5), None]), None);
    }

    #[test]
    fn minor_units_are_those_of_the_currency() {
        let of = |code: &str, price: i64| {
            let fields = |price| ItemFields { price: Some(Cents(price)), ..ItemFields::default() };
            unit_mix_up(&fields(9_990), &fields(price), currency(code)).is_some()
        };
        assert_eq!(["EUR", "KWD", "JPY"].map(|code| of(code, 999_000)), [true, false, false]);
        assert_eq!(["EUR", "KWD", "JPY"].map(|code| of(code, 9_990_000)), [false, true, false]);
    }

    #[test]
    fn what_is_wrong_names_both_amounts() {
        let euro = currency("EUR");
        let mut mix_up = UnitMixUp {
            field: "price",
            amount: Cents(99_900),
            beside: "the price before",
            other: Cents(999),
        };
        assert_eq!(
            mix_up.detail(euro),
            "is about 100 times the price before (9.99): is one of them in minor units?"
        );
        std::mem::swap(&mut mix_up.amount, &mut mix_up.other);
        assert!(mix_up.detail(euro).starts_with("is about 1/100 of the price before (999.00)"));
    }
}
