//! Amounts of money: exact decimals, kept in the digits that they were given in.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::request::Invalid;

/// Most digits before the decimal point: a quintillion, less one.
const WHOLE_DIGITS: usize = 18;
/// Most digits after it; Python's floats print up to 17.
const PLACES: usize = 18;
/// One, in units of the last place.
const ONE: u128 = 1_000_000_000_000_000_000;

/// An amount that is more than nothing, without an exponent, such as `12.340`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amount(String);

/// A string, an object, a number that JSON does not allow, and so on.
const NOT_A_NUMBER: Invalid = Invalid("`amount` must be a JSON number");
/// Zero, or less.
const NOT_POSITIVE: Invalid = Invalid("`amount` must be more than 0");
/// More digits than money has.
const ABSURD: Invalid = Invalid("`amount` must be below 10^18 and have at most 18 decimal places");

impl Amount {
    /// Accepts a JSON number (RFC 8259 §6), exponent included: `1e+16` and `1e-07` are what Python prints for floats.
    /// Digits after the point are kept, also zeros.
    ///
    /// # Errors
    /// [`Invalid`], which says what is wrong.
    pub fn parse(json: &str) -> Result<Self, Invalid> {
        let number = Number::parse(json).ok_or(NOT_A_NUMBER)?;
        if number.digits().all(|digit| digit == b'0') || number.negative {
            return Err(NOT_POSITIVE);
        }
        let plain = number.plain().ok_or(ABSURD)?;
        let (whole, fraction) = parts(&plain);
        if whole.len() > WHOLE_DIGITS || fraction.len() > PLACES {
            return Err(ABSURD);
        }
        Ok(Self(plain))
    }

    /// The digits: valid JSON as they stand.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_digits(&self.0, serializer)
    }
}

/// A sum of amounts. It is exact, and too large for any number of rows that fits on a disk to overflow it.
#[derive(Clone, Debug, Default)]
pub struct Total {
    whole: u128,
    /// In units of the last place, below [`ONE`].
    fraction: u128,
    /// Decimal places of the amount that had most.
    places: usize,
}

impl Total {
    /// Adds `amount`.
    pub fn add(&mut self, amount: &Amount) {
        let (whole, fraction) = parts(amount.as_str());
        let units = whole.parse().unwrap_or(0_u128);
        let rest = format!("{fraction:0<PLACES$}").parse().unwrap_or(0_u128);
        // INVARIANT: an amount has at most 18 digits on either side, so neither text is too long for its number.
        self.fraction += rest;
        self.whole = self.whole.saturating_add(units).saturating_add(self.fraction / ONE);
        self.fraction %= ONE;
        self.places = self.places.max(fraction.len());
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:0PLACES$}", self.fraction);
        match fraction.get(..self.places) {
            Some(shown) if !shown.is_empty() => write!(f, "{}.{shown}", self.whole),
            _ => write!(f, "{}", self.whole),
        }
    }
}

impl Serialize for Total {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_digits(&self.to_string(), serializer)
    }
}

/// Writes a JSON number digit by digit, so that no float comes between.
pub fn serialize_digits<S: Serializer>(digits: &str, serializer: S) -> Result<S::Ok, S::Error> {
    let raw: &RawValue = serde_json::from_str(digits).map_err(serde::ser::Error::custom)?;
    raw.serialize(serializer)
}

/// The digits on both sides of the point.
fn parts(plain: &str) -> (&str, &str) {
    plain.split_once('.').unwrap_or((plain, ""))
}

/// A JSON number's parts, as written.
struct Number<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: i32,
}

impl<'a> Number<'a> {
    fn parse(json: &'a str) -> Option<Self> {
        let (negative, rest) = json.strip_prefix('-').map_or((false, json), |rest| (true, rest));
        let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
        let numeric = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if !numeric(whole) || !numeric(fraction) || !numeric(unsigned) || (whole.len() > 1 && whole.starts_with('0')) {
            return None;
        }
        let fraction = if mantissa.contains('.') { fraction } else { "" };
        // An exponent that does not fit is absurd in either direction; the largest one says so below.
        Some(Self { negative, whole, fraction, exponent: exponent.parse().unwrap_or(i32::MAX) })
    }

    fn digits(&self) -> impl Iterator<Item = u8> {
        self.whole.bytes().chain(self.fraction.bytes())
    }

    /// The number without its exponent; `None` where that is absurdly long.
    fn plain(&self) -> Option<String> {
        let digits = format!("{}{}", self.whole, self.fraction);
        let exponent = isize::try_from(self.exponent).ok().filter(|exponent| exponent.unsigned_abs() <= 64)?;
        let point = self.whole.len().checked_add_signed(exponent);
        let (whole, fraction) = match point {
            Some(point) if point >= digits.len() => (format!("{digits:0<point$}"), String::new()),
            Some(point) => (digits.get(..point)?.to_owned(), digits.get(point..)?.to_owned()),
            None => {
                let zeros = exponent.unsigned_abs() - self.whole.len();
                (String::new(), format!("{}{digits}", "0".repeat(zeros)))
            }
        };
        let whole = match whole.trim_start_matches('0') {
            "" => "0",
            trimmed => trimmed,
        };
        Some(if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_keeps_its_digits_and_loses_its_exponent() {
        let cases = [
            ("5", "5"),
            ("1.0", "1.0"),
            ("12.340", "12.340"),
            ("0.30000000000000004", "0.30000000000000004"),
            ("1e+16", "10000000000000000"),
            ("1E16", "10000000000000000"),
            ("1e-07", "0.0000001"),
            ("1.5e-07", "0.00000015"),
            ("12.34e1", "123.4"),
            ("12.34e2", "1234"),
            ("12.34e3", "12340"),
            ("12.34e-2", "0.1234"),
            ("1234e-2", "12.34"),
            ("0.05e1", "0.5"),
            ("999999999999999999.999999999999999999", "999999999999999999.999999999999999999"),
        ];
        for (json, want) in cases {
            assert_eq!(Amount::parse(json).as_ref().map(Amount::as_str), Ok(want), "{json}");
        }
    }

    #[test]
    fn an_amount_that_is_not_positive_or_absurd_is_refused() {
        let cases = [
            ("0", NOT_POSITIVE),
            ("-0.0", NOT_POSITIVE),
            ("0e400", NOT_POSITIVE),
            ("-1", NOT_POSITIVE),
            ("1e18", ABSURD),
            ("1e400", ABSURD),
            ("1e-400", ABSURD),
            ("1e99999999999999999999", ABSURD),
            ("1e-99999999999999999999", ABSURD),
            ("0.0000000000000000001", ABSURD),
            ("\"5\"", NOT_A_NUMBER),
            ("null", NOT_A_NUMBER),
            ("true", NOT_A_NUMBER),
            ("05", NOT_A_NUMBER),
            (".5", NOT_A_NUMBER),
            ("5.", NOT_A_NUMBER),
            ("5e", NOT_A_NUMBER),
            ("+5", NOT_A_NUMBER),
            ("NaN", NOT_A_NUMBER),
            ("", NOT_A_NUMBER),
        ];
        for (json, want) in cases {
            assert_eq!(Amount::parse(json), Err(want), "{json}");
        }
    }

    #[test]
    fn a_sum_is_exact_and_shows_the_most_places() {
        let mut total = Total::default();
        assert_eq!(total.to_string(), "0");
        for amount in ["0.1", "0.2", "0.70", "1000000"] {
            total.add(&Amount::parse(amount).expect("an amount"));
        }
        assert_eq!(total.to_string(), "1000001.00");
        let mut total = Total::default();
        for _ in 0..1000 {
            total.add(&Amount::parse("999999999999999999.999999999999999999").expect("an amount"));
        }
        assert_eq!(total.to_string(), "999999999999999999999.999999999999999000");
    }

    #[test]
    fn an_amount_goes_into_json_digit_by_digit() {
        let amount = Amount::parse("100.10").expect("an amount");
        assert_eq!(serde_json::to_string(&amount).expect("JSON"), "100.10");
    }
}
