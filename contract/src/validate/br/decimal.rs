//! Exact decimals: what `numeric(p,s)` of Postgres holds, and nothing that would be rounded into it.
//!
//! Owns the reading of decimal text and the fit to a column. Never rounds; there is no NaN and no infinity.
//! Invariant: a value returned here is stored by `numeric(p,s)` digit for digit, with the column's scale.

use rust_decimal::Decimal;

/// Digits that `rust_decimal` always holds exactly (96 bits).
const PRECISION_MAX: u32 = 28;

/// The type of a decimal column, `numeric(precision, scale)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numeric {
    /// Digits in all, 1–28.
    pub precision: u32,
    /// Digits after the point, 0 to `precision`.
    pub scale: u32,
}

/// Why a value does not fit a decimal column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not a plain decimal such as `-12.50`: no exponent, comma, plus sign, NaN or infinity.
    #[error("not a plain decimal number")]
    Form,
    /// More digits after the point than the column keeps.
    #[error("more than {scale} digits after the point")]
    Scale {
        /// Digits after the point the column keeps.
        scale: u32,
    },
    /// More digits before the point than the column keeps.
    #[error("more than {digits_max} digits before the point")]
    Overflow {
        /// Digits before the point the column keeps.
        digits_max: u32,
    },
    /// The column's own type is not one this module can keep exactly.
    #[error("not an exact column type")]
    Column,
}

impl DecimalError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Form => "decimal_form",
            Self::Scale { .. } => "decimal_scale",
            Self::Overflow { .. } => "decimal_overflow",
            Self::Column => "decimal_column",
        }
    }
}

impl Numeric {
    /// A column type, `numeric(precision, scale)`; checked when it is used.
    #[must_use]
    pub const fn new(precision: u32, scale: u32) -> Self {
        Self { precision, scale }
    }

    /// Reads a plain decimal (`0`, `-12.5`, `12.50`) and gives it the column's scale.
    ///
    /// Zeros written beyond the scale are refused too: what was written is stored whole or not at all.
    ///
    /// # Errors
    /// [`DecimalError`] names the rule that the text does not keep.
    pub fn parse(self, written: &str) -> Result<Decimal, DecimalError> {
        let unsigned = written.strip_prefix('-').unwrap_or(written);
        let (whole, fraction) = match unsigned.split_once('.') {
            Some((_, "")) => return Err(DecimalError::Form),
            Some(parts) => parts,
            None => (unsigned, ""),
        };
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) {
            return Err(DecimalError::Form);
        }
        let digits_max = self.whole_digits_max()?;
        if longer_than(fraction, self.scale) {
            return Err(DecimalError::Scale { scale: self.scale });
        }
        if longer_than(whole.trim_start_matches('0'), digits_max) {
            return Err(DecimalError::Overflow { digits_max });
        }
        self.fit(Decimal::from_str_exact(written).map_err(|_| DecimalError::Form)?)
    }

    /// Gives a computed value the column's scale, if no digit other than zero is lost.
    ///
    /// # Errors
    /// [`DecimalError::Scale`] or [`DecimalError::Overflow`] when the column would have to round or refuse.
    pub fn fit(self, value: Decimal) -> Result<Decimal, DecimalError> {
        let digits_max = self.whole_digits_max()?;
        // Also turns −0 into 0, as Postgres does.
        let mut value = value.normalize();
        if value.scale() > self.scale {
            return Err(DecimalError::Scale { scale: self.scale });
        }
        let whole = value.trunc().abs().mantissa();
        if whole != 0 && longer_than(&whole.to_string(), digits_max) {
            return Err(DecimalError::Overflow { digits_max });
        }
        value.rescale(self.scale);
        Ok(value)
    }

    /// Digits before the point.
    fn whole_digits_max(self) -> Result<u32, DecimalError> {
        if self.precision == 0 || self.precision > PRECISION_MAX {
            return Err(DecimalError::Column);
        }
        self.precision.checked_sub(self.scale).ok_or(DecimalError::Column)
    }
}

fn longer_than(digits: &str, count: u32) -> bool {
    u32::try_from(digits.len()).map_or(true, |length| length > count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(written: &str, precision: u32, scale: u32) -> Result<Decimal, DecimalError> {
        Numeric::new(precision, scale).parse(written)
    }

    fn fit(value: Decimal, precision: u32, scale: u32) -> Result<Decimal, DecimalError> {
        Numeric::new(precision, scale).fit(value)
    }

    fn price(written: &str) -> Result<Decimal, DecimalError> {
        parse(written, 10, 2)
    }

    #[test]
    fn a_value_takes_the_scale_of_its_column() {
        let cases =
            [("10.5", "10.50"), ("0", "0.00"), ("-0.00", "0.00"), ("00012", "12.00"), ("-3.07", "-3.07")];
        for (written, stored) in cases {
            assert_eq!(price(written).unwrap().to_string(), stored);
        }
        assert_eq!(price("99999999.99").unwrap().to_string(), "99999999.99");
        assert_eq!(parse("999", 3, 0).unwrap().to_string(), "999");
        assert_eq!(parse("0.99", 2, 2).unwrap().to_string(), "0.99");
    }

    #[test]
    fn nothing_is_rounded_into_the_column() {
        assert_eq!(price("10.505"), Err(DecimalError::Scale { scale: 2 }));
        assert_eq!(price("10.500"), Err(DecimalError::Scale { scale: 2 }));
        assert_eq!(price("100000000"), Err(DecimalError::Overflow { digits_max: 8 }));
        assert_eq!(price("-100000000.00"), Err(DecimalError::Overflow { digits_max: 8 }));
        assert_eq!(parse("1", 2, 2), Err(DecimalError::Overflow { digits_max: 0 }));
        // Thirty digits after the point: the library alone would round them away.
        let long = format!("0.{}1", "0".repeat(29));
        assert_eq!(price(&long), Err(DecimalError::Scale { scale: 2 }));
        assert_eq!(price(&"9".repeat(400)), Err(DecimalError::Overflow { digits_max: 8 }));
    }

    #[test]
    fn only_plain_decimals_are_numbers() {
        let forms = [
            "",
            "-",
            ".",
            ".5",
            "5.",
            "1.2.3",
            "+1",
            "1e3",
            "NaN",
            "inf",
            "-Infinity",
            "10,50",
            " 1",
            "1_000",
            "٣",
            "--1",
            "1.-2",
        ];
        for written in forms {
            assert_eq!(price(written), Err(DecimalError::Form), "{written:?}");
        }
    }

    #[test]
    fn a_computed_value_may_have_spare_zeros_but_no_spare_digits() {
        assert_eq!(fit(Decimal::new(5_000, 3), 10, 2).unwrap().to_string(), "5.00");
        assert_eq!(fit(Decimal::new(5_001, 3), 10, 2), Err(DecimalError::Scale { scale: 2 }));
        assert_eq!(fit(Decimal::MAX, 10, 2), Err(DecimalError::Overflow { digits_max: 8 }));
        assert_eq!(fit(Decimal::new(1, 1), 28, 28).unwrap().scale(), 28);
        assert_eq!(parse(&"9".repeat(28), 28, 0).unwrap().to_string(), "9".repeat(28));
    }

    #[test]
    fn a_column_that_cannot_be_exact_is_refused() {
        for (precision, scale) in [(0, 0), (29, 2), (2, 3)] {
            assert_eq!(parse("0", precision, scale), Err(DecimalError::Column));
            assert_eq!(fit(Decimal::ZERO, precision, scale), Err(DecimalError::Column));
        }
        assert_eq!(DecimalError::Column.code(), "decimal_column");
    }
}
