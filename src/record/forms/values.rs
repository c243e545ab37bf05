//! How one JSON value becomes one word of the shop. Every function answers what is wrong as the end
//! of a sentence that begins with the field's name.

use super::{FormRules, OBJECT_BYTES_MAX};
use crate::domain::{Cents, Currency, Timestamp, id};
use serde_json::{Map, Value};

/// Most units in one event.
const QUANTITY_MAX: u64 = 1_000_000;
/// Largest size of a rating's value: far above any scale, and safe in single precision.
const RATING_SIZE_MAX: f64 = 1e9;

/// What JSON calls the value, with its article.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn must_be(what: &str, value: &Value) -> String {
    format!("must be {what}, not {}", type_name(value))
}

/// An id: a string, or a whole number, which stands for its decimal digits.
pub(super) fn id_text(value: &Value) -> Result<String, String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
        Value::Number(_) => return Err("must be a string or a whole number".to_owned()),
        other => return Err(must_be("a string", other)),
    };
    id::check_id(&text).map_err(|error| error.to_string())?;
    Ok(text)
}

/// An id of its own type.
pub(super) fn typed_id<T>(value: &Value) -> Result<T, String>
where
    T: TryFrom<String, Error = id::IdError>,
{
    T::try_from(id_text(value)?).map_err(|error| error.to_string())
}

/// An amount of the shop's currency, not negative: `"12.90"`, `12.9` or
/// `{"amount": "12.90", "currency": "EUR"}`.
pub(super) fn price(value: &Value, currency: Currency) -> Result<Cents, String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Object(object) => {
            if let Some(code) = object.get("currency").filter(|code| !code.is_null()) {
                check_currency(code, currency)?;
            }
            return match object.get("amount") {
                Some(amount @ (Value::String(_) | Value::Number(_))) => price(amount, currency),
                _ => Err("must have an `amount` such as \"12.90\"".to_owned()),
            };
        }
        other => return Err(must_be("an amount such as \"12.90\"", other)),
    };
    let cents = currency.parse_amount(&text).map_err(|error| error.to_string())?;
    if cents.0 < 0 { Err("must not be negative".to_owned()) } else { Ok(cents) }
}

/// An amount that stands on its own, in any of the forms that an item's price may have.
pub fn amount_from_json(value: &Value, currency: Currency) -> Result<Cents, String> {
    price(value, currency)
}

/// Whether `code` is the shop's currency.
pub(super) fn check_currency(code: &Value, currency: Currency) -> Result<(), String> {
    match code {
        Value::String(code) if code == currency.code() => Ok(()),
        Value::String(code) => {
            let code: String = code.chars().take(10).collect();
            Err(format!("is in `{code}`, but this shop's currency is {currency}"))
        }
        other => Err(must_be("a currency code", other)),
    }
}

/// A whole number from `min` to `max`; `2.0` is whole.
pub(super) fn whole(value: &Value, min: u64, max: u64) -> Result<u64, String> {
    let Value::Number(number) = value else {
        return Err(must_be("a whole number", value));
    };
    let float = number.as_f64().unwrap_or(f64::NAN);
    if !float.is_finite() || float.fract() != 0.0 {
        return Err(format!("must be a whole number, not {number}"));
    }
    // A float in range is far below 2^53, so the cast loses nothing.
    let read =
        number.as_u64().or_else(|| (0.0..=max as f64).contains(&float).then_some(float as u64));
    read.filter(|read| (min..=max).contains(read))
        .ok_or_else(|| format!("must be from {min} to {max}, not {number}"))
}

/// How many units an event is about.
pub(super) fn quantity(value: &Value) -> Result<u32, String> {
    whole(value, 1, QUANTITY_MAX).map(|quantity| quantity as u32)
}

/// A rating.
pub(super) fn rating(value: &Value) -> Result<f64, String> {
    let Value::Number(number) = value else {
        return Err(must_be("a number", value));
    };
    number
        .as_f64()
        .filter(|read| read.abs() <= RATING_SIZE_MAX)
        .ok_or_else(|| format!("is out of range: {number}"))
}

/// A time, RFC 3339 or epoch seconds or milliseconds, at most so far ahead as the rules allow.
pub(super) fn time(value: &Value, rules: &FormRules) -> Result<Timestamp, String> {
    const FORMS: &str = "a time such as 2026-01-31T12:00:00Z, or epoch seconds or milliseconds";
    let time = match value {
        Value::String(text) => Timestamp::parse(text.trim()),
        Value::Number(number) => number.as_f64().and_then(Timestamp::from_epoch_number),
        other => return Err(must_be(FORMS, other)),
    };
    let time = time.ok_or_else(|| format!("must be {FORMS}"))?;
    if time.since_ms(rules.now) > rules.future_skew_max_ms {
        return Err(format!("lies in the future: {time}, and it is now {}", rules.now));
    }
    Ok(time)
}

/// A text of at most `chars_max` characters, without NUL, which PostgreSQL cannot keep.
pub(super) fn text(value: &Value, chars_max: usize) -> Result<String, String> {
    let Value::String(text) = value else {
        return Err(must_be("a string", value));
    };
    check_text(text)?;
    let n_chars = text.chars().count();
    if n_chars > chars_max {
        return Err(format!("is {n_chars} characters long, at most {chars_max} are allowed"));
    }
    Ok(text.clone())
}

/// A text of at most `bytes_max` bytes, without NUL.
pub(super) fn long_text(value: &Value, bytes_max: usize) -> Result<String, String> {
    let Value::String(text) = value else {
        return Err(must_be("a string", value));
    };
    check_text(text)?;
    if text.len() > bytes_max {
        return Err(format!("is {} bytes long, at most {bytes_max} are allowed", text.len()));
    }
    Ok(text.clone())
}

fn check_text(text: &str) -> Result<(), String> {
    if text.contains('\0') { Err("contains the character NUL".to_owned()) } else { Ok(()) }
}

/// At most `n_max` texts of at most `chars_max` characters, none empty.
pub(super) fn texts(value: &Value, n_max: usize, chars_max: usize) -> Result<Vec<String>, String> {
    let Value::Array(values) = value else {
        return Err(must_be("an array of strings", value));
    };
    if values.len() > n_max {
        return Err(format!("has {} entries, at most {n_max} are allowed", values.len()));
    }
    let read = |(index, value): (usize, &Value)| match text(value, chars_max) {
        Ok(text) if text.is_empty() => Err(format!("has an empty entry at index {index}")),
        Ok(text) => Ok(text),
        Err(detail) => Err(format!("has a bad entry at index {index}: {detail}")),
    };
    values.iter().enumerate().map(read).collect()
}

/// Yes or no.
pub(super) fn boolean(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| must_be("true or false", value))
}

/// A free-form object of bounded size, without NUL.
pub(super) fn object(value: &Value) -> Result<Map<String, Value>, String> {
    let Value::Object(object) = value else {
        return Err(must_be("an object", value));
    };
    if has_nul(value) {
        return Err("contains the character NUL".to_owned());
    }
    let n_bytes = serde_json::to_vec(object).map_err(|error| error.to_string())?.len();
    if n_bytes > OBJECT_BYTES_MAX {
        return Err(format!(
            "takes {n_bytes} bytes of JSON, at most {OBJECT_BYTES_MAX} are allowed"
        ));
    }
    Ok(object.clone())
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(object) => {
            object.iter().any(|(name, value)| name.contains('\0') || has_nul(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
