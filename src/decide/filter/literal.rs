//! The values that a filter compares with.

use std::{cmp::Ordering, fmt};

/// Most digits of a number, before and after the point together. 10^18 fits an `i64`, and a product
/// of two such numbers fits an `i128`, so every comparison is exact.
pub(super) const DIGITS_MAX: usize = 18;

/// A decimal number, exactly as written: `mantissa` / 10^`scale`, with the smallest scale there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Decimal {
    mantissa: i64,
    scale: u32,
}

impl Decimal {
    /// Reads `-12.50`; `None` if it has more than [`DIGITS_MAX`] digits that count.
    ///
    /// `text` is what the grammar calls a number.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (is_negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let whole = whole.trim_start_matches('0');
        let fraction = fraction.trim_end_matches('0');
        if whole.len() + fraction.len() > DIGITS_MAX {
            return None;
        }
        let mut mantissa = 0_i64;
        for digit in whole.bytes().chain(fraction.bytes()) {
            mantissa = mantissa * 10 + i64::from(digit - b'0');
        }
        let mantissa = if is_negative { -mantissa } else { mantissa };
        Some(Self { mantissa, scale: fraction.len() as u32 })
    }

    /// Digits after the point.
    pub(super) fn scale(self) -> u32 {
        self.scale
    }

    /// The nearest float.
    pub(super) fn to_f64(self) -> f64 {
        // Exact for up to 15 digits; beyond, the text is read again so that it is rounded once.
        self.to_string().parse().unwrap_or(self.mantissa as f64)
    }

    /// This number times 10^`digits` if that is whole and fits.
    pub(super) fn minor_units(self, digits: u32) -> Option<i64> {
        let factor = 10_i64.checked_pow(digits.checked_sub(self.scale)?)?;
        self.mantissa.checked_mul(factor)
    }

    /// The largest whole number that is not above this one, and the smallest not below it, after
    /// moving the point `digits` to the right; saturating.
    pub(super) fn whole_around(self, digits: u32) -> (i64, i64) {
        let saturated = |value: i128| value.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        let mantissa = i128::from(self.mantissa);
        if digits >= self.scale {
            // 10^18 × 10^20 is below the largest i128; above it every whole number saturates anyway.
            let value = mantissa * 10_i128.pow((digits - self.scale).min(20));
            return (saturated(value), saturated(value));
        }
        let divisor = 10_i128.pow(self.scale - digits);
        let floor = mantissa.div_euclid(divisor);
        let is_whole = mantissa.rem_euclid(divisor) == 0;
        (saturated(floor), saturated(if is_whole { floor } else { floor + 1 }))
    }

    /// How `numerator` / `denominator` compares with this number, exactly; `denominator` is positive
    /// and both are below 2^65 in size.
    pub(super) fn compare_ratio(self, numerator: i128, denominator: i128) -> Ordering {
        let power = 10_i128.pow(self.scale);
        (numerator * power).cmp(&(i128::from(self.mantissa) * denominator))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let (left, right) = (i128::from(self.mantissa), i128::from(other.mantissa));
        (left * 10_i128.pow(other.scale)).cmp(&(right * 10_i128.pow(self.scale)))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scale == 0 {
            return self.mantissa.fmt(f);
        }
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let power = 10_u64.pow(self.scale);
        let (whole, fraction) =
            (self.mantissa.unsigned_abs() / power, self.mantissa.unsigned_abs() % power);
        write!(f, "{sign}{whole}.{fraction:0width$}", width = self.scale as usize)
    }
}

/// A value of the language.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Literal {
    /// `true` or `false`.
    Flag(bool),
    /// `12.5`.
    Number(Decimal),
    /// `"mugs"`, without quotes and escapes.
    Text(Box<str>),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn numbers_are_read_exactly_and_written_shortest() {
        for (written, shortest) in
            [("0012.500", "12.5"), ("-0.05", "-0.05"), ("-0", "0"), ("3.", "3"), ("7", "7")]
        {
            assert_eq!(number(written).to_string(), shortest);
        }
        for (written, nearest) in [("999999999999999999", 1e18), ("0.000000000000000001", 1e-18)] {
            assert_eq!(number(written).to_f64().to_bits(), f64::to_bits(nearest));
        }
        assert_eq!(Decimal::parse("1234567890123456789"), None);
        assert_eq!(Decimal::parse("0.0000000000000000001"), None);
        assert!(number("-1.5") < number("-1.25") && number("2") < number("10"));
    }

    #[test]
    fn money_is_whole_minor_units_or_refused() {
        assert_eq!(number("12.9").minor_units(2), Some(1290));
        assert_eq!(number("12.905").minor_units(2), None);
        assert_eq!(number("1200").minor_units(0), Some(1200));
        assert_eq!(number("999999999999999999").minor_units(2), None);
    }

    #[test]
    fn a_number_between_whole_ones_is_bracketed() {
        assert_eq!(number("2.5").whole_around(0), (2, 3));
        assert_eq!(number("-2.5").whole_around(0), (-3, -2));
        assert_eq!(number("2.5").whole_around(1), (25, 25));
        assert_eq!(number("999999999999999999").whole_around(25), (i64::MAX, i64::MAX));
    }

    #[test]
    fn ratios_are_compared_without_rounding() {
        assert_eq!(number("0.3").compare_ratio(3, 10), Ordering::Equal);
        assert_eq!(
            number("0.333333333333333333").compare_ratio(1, 3),
            Ordering::Greater,
            "a third is above its first eighteen decimals",
        );
        let widest = number("-999999999999999999");
        assert_eq!(widest.compare_ratio(i128::from(u64::MAX), i64::MAX.into()), Ordering::Greater);
    }
}
