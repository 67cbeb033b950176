//! Dates and instants within the years that the product keeps, 1900–2200.
//!
//! Owns the range and the one written form of a date. Never reads a clock and never applies a time zone. Invariant:
//! every date and instant accepted here is held by Postgres, SQLite and chrono alike, with room for arithmetic.

use chrono::{Datelike, NaiveDate};

/// The first year kept: nobody alive was born before it.
pub const YEAR_MIN: i32 = 1900;

/// The last year kept: beyond any retention period, and short of the typing errors (`20244`) it is there to catch.
pub const YEAR_MAX: i32 = 2200;

/// 1900-01-01T00:00:00Z in microseconds since the epoch.
pub const INSTANT_US_MIN: i64 = -2_208_988_800_000_000;

/// 2200-12-31T23:59:59.999999Z in microseconds since the epoch.
pub const INSTANT_US_MAX: i64 = 7_289_654_399_999_999;

/// Why a date or an instant cannot be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DateError {
    /// Not `YYYY-MM-DD` (ISO 8601 calendar date, extended form).
    #[error("a date is written YYYY-MM-DD")]
    Form,
    /// Well written, but the calendar has no such day.
    #[error("the calendar has no such day")]
    NoSuchDay,
    /// Outside 1900–2200.
    #[error("outside the years 1900 to 2200")]
    OutOfRange,
}

impl DateError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Form => "date_form",
            Self::NoSuchDay => "date_no_such_day",
            Self::OutOfRange => "date_out_of_range",
        }
    }
}

/// Reads a date written `YYYY-MM-DD`, the only form that is stored.
///
/// # Errors
/// [`DateError`] names the rule that the text does not keep.
pub fn parse(written: &str) -> Result<NaiveDate, DateError> {
    let [a, b, c, d, b'-', e, f, b'-', g, h] = *written.as_bytes() else {
        return Err(DateError::Form);
    };
    let year = number(&[a, b, c, d])?;
    let month = number(&[e, f])?;
    let day = number(&[g, h])?;
    let year = i32::try_from(year).map_err(|_| DateError::Form)?;
    let date = NaiveDate::from_ymd_opt(year, month, day).ok_or(DateError::NoSuchDay)?;
    check(date)?;
    Ok(date)
}

/// Checks that a date is within 1900–2200.
///
/// # Errors
/// [`DateError::OutOfRange`].
pub fn check(date: NaiveDate) -> Result<(), DateError> {
    if (YEAR_MIN..=YEAR_MAX).contains(&date.year()) { Ok(()) } else { Err(DateError::OutOfRange) }
}

/// Checks that an instant, in microseconds since the epoch, is within the same years in UTC.
///
/// # Errors
/// [`DateError::OutOfRange`].
pub fn check_instant_us(instant_us: i64) -> Result<(), DateError> {
    if (INSTANT_US_MIN..=INSTANT_US_MAX).contains(&instant_us) { Ok(()) } else { Err(DateError::OutOfRange) }
}

fn number(digits: &[u8]) -> Result<u32, DateError> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(DateError::Form);
    }
    Ok(digits.iter().fold(0, |number, digit| number * 10 + super::value_of(*digit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_the_calendar_are_read() {
        for written in ["1900-01-01", "2200-12-31", "2024-02-29", "2000-02-29"] {
            assert_eq!(parse(written).unwrap().to_string(), written);
        }
    }

    #[test]
    fn each_rule_has_its_own_refusal() {
        let cases = [
            ("", DateError::Form),
            ("2024-2-9", DateError::Form),
            ("29/02/2024", DateError::Form),
            ("2024-02-29T00:00:00Z", DateError::Form),
            ("+024-02-29", DateError::Form),
            ("20244-02-09", DateError::Form),
            ("２024-01-1", DateError::Form),
            ("2023-02-29", DateError::NoSuchDay),
            ("1900-02-29", DateError::NoSuchDay),
            ("2024-13-01", DateError::NoSuchDay),
            ("2024-00-10", DateError::NoSuchDay),
            ("1899-12-31", DateError::OutOfRange),
            ("2201-01-01", DateError::OutOfRange),
            ("0000-01-01", DateError::OutOfRange),
        ];
        for (written, expected) in cases {
            assert_eq!(parse(written), Err(expected), "{written:?}");
        }
        assert_eq!(check(NaiveDate::MAX), Err(DateError::OutOfRange));
        assert_eq!(DateError::OutOfRange.code(), "date_out_of_range");
    }

    #[test]
    fn instants_have_the_range_of_dates() {
        let first = NaiveDate::from_ymd_opt(YEAR_MIN, 1, 1).unwrap().and_hms_opt(0, 0, 0).unwrap();
        let beyond = NaiveDate::from_ymd_opt(YEAR_MAX + 1, 1, 1).unwrap().and_hms_opt(0, 0, 0).unwrap();
        assert_eq!(first.and_utc().timestamp_micros(), INSTANT_US_MIN);
        assert_eq!(beyond.and_utc().timestamp_micros() - 1, INSTANT_US_MAX);
        assert_eq!(check_instant_us(0), Ok(()));
        assert_eq!(check_instant_us(INSTANT_US_MIN), Ok(()));
        assert_eq!(check_instant_us(INSTANT_US_MAX), Ok(()));
        for outside in [INSTANT_US_MIN - 1, INSTANT_US_MAX + 1, i64::MIN, i64::MAX] {
            assert_eq!(check_instant_us(outside), Err(DateError::OutOfRange));
        }
    }
}
