//! Money as whole minor units of the shop's one currency.

use rust_decimal::{Decimal, RoundingStrategy, prelude::ToPrimitive};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Largest amount taken from outside, in minor units: far above any price, far below overflow.
pub const CENTS_MAX: i64 = 1_000_000_000_000_000;

/// An amount in minor units of the shop's currency (cents, pence, yen).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Cents(pub i64);

impl Cents {
    /// This amount times `factor`, rounded half to even, saturating; a factor that is not a number
    /// leaves it as it is.
    #[must_use]
    pub fn scaled_by(self, factor: f64) -> Self {
        if factor.is_nan() { self } else { Self((self.0 as f64 * factor).round_ties_even() as i64) }
    }
}

/// Why an amount was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a decimal number.
    #[error("`{0}` is not a decimal amount such as \"12.90\"")]
    NotANumber(String),
    /// More decimals than the currency has.
    #[error("`{amount}` has more than the {digits} decimals of {currency}")]
    TooPrecise {
        /// The amount as given.
        amount: String,
        /// Decimals of the currency.
        digits: u32,
        /// Code of the currency.
        currency: String,
    },
    /// Beyond what the service takes.
    #[error("`{0}` is out of range")]
    OutOfRange(String),
    /// Not an ISO 4217 code.
    #[error("`{0}` is not an ISO 4217 currency code")]
    UnknownCurrency(String),
}

/// The shop's currency: its code and how many decimals it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// The ISO 4217 code.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Decimals of one major unit: 2 for EUR, 0 for JPY.
    pub fn digits(self) -> u32 {
        self.0.exponent().map_or(0, u32::from)
    }

    /// How many minor units make a whole one; `None` in a currency without.
    pub fn minor_units_of_one(self) -> Option<f64> {
        (self.digits() > 0).then(|| 10_f64.powi(self.digits() as i32))
    }

    /// Reads a decimal amount such as `12.90` without losing anything.
    pub fn parse_amount(self, text: &str) -> Result<Cents, MoneyError> {
        let decimal = parse_decimal(text)?.normalize();
        if decimal.scale() > self.digits() {
            return Err(MoneyError::TooPrecise {
                amount: text.to_owned(),
                digits: self.digits(),
                currency: self.code().to_owned(),
            });
        }
        self.minor_units(decimal, text)
    }

    /// Reads a decimal amount and rounds it half to even to the currency's decimals.
    pub fn parse_amount_rounded(self, text: &str) -> Result<Cents, MoneyError> {
        let decimal = parse_decimal(text)?;
        let rounded =
            decimal.round_dp_with_strategy(self.digits(), RoundingStrategy::MidpointNearestEven);
        self.minor_units(rounded, text)
    }

    fn minor_units(self, decimal: Decimal, text: &str) -> Result<Cents, MoneyError> {
        decimal
            .checked_mul(Decimal::from(10_u64.pow(self.digits())))
            .and_then(|minor| minor.to_i64())
            .filter(|minor| minor.abs() <= CENTS_MAX)
            .map(Cents)
            .ok_or_else(|| MoneyError::OutOfRange(text.to_owned()))
    }

    /// Writes an amount with exactly the currency's decimals.
    pub fn format(self, amount: Cents) -> String {
        Decimal::new(amount.0, self.digits()).to_string()
    }
}

fn parse_decimal(text: &str) -> Result<Decimal, MoneyError> {
    Decimal::from_str(text)
        .or_else(|_| Decimal::from_scientific(text))
        .map_err(|_| MoneyError::NotANumber(text.chars().take(40).collect()))
}

impl FromStr for Currency {
    type Err = MoneyError;
    fn from_str(code: &str) -> Result<Self, MoneyError> {
        iso_currency::Currency::from_code(code)
            .map(Self)
            .ok_or_else(|| MoneyError::UnknownCurrency(code.to_owned()))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eur() -> Currency {
        "EUR".parse().unwrap()
    }

    #[test]
    fn amounts_survive_reading_and_writing() {
        assert_eq!(eur().parse_amount("12.9"), Ok(Cents(1290)));
        assert_eq!(eur().parse_amount("12.900"), Ok(Cents(1290)));
        assert_eq!(eur().parse_amount("1e2"), Ok(Cents(10_000)));
        assert_eq!(eur().format(Cents(1290)), "12.90");
        assert_eq!(eur().format(Cents(-5)), "-0.05");
        let jpy: Currency = "JPY".parse().unwrap();
        assert_eq!(jpy.format(jpy.parse_amount("1200").unwrap()), "1200");
    }

    #[test]
    fn amounts_that_are_none_are_refused() {
        assert!(matches!(eur().parse_amount("abc"), Err(MoneyError::NotANumber(_))));
        assert!(matches!(eur().parse_amount("NaN"), Err(MoneyError::NotANumber(_))));
        assert!(matches!(eur().parse_amount("1.005"), Err(MoneyError::TooPrecise { .. })));
        assert!(matches!(eur().parse_amount("1e20"), Err(MoneyError::OutOfRange(_))));
        assert!(matches!("XXY".parse::<Currency>(), Err(MoneyError::UnknownCurrency(_))));
        assert_eq!(eur().parse_amount_rounded("0.001"), Ok(Cents(0)));
    }
}
