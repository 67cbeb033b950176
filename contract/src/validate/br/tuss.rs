//! TUSS, the procedure codes of private health care.
//!
//! Owns the look of a code and its check digit. Never refuses: nine of the 5,851 codes in force or retired do not fit
//! their digit, clinics keep codes of their own, and most aesthetic procedures have none. Invariant: every text
//! gets a verdict.

use super::{accept_digit, mod_11_digit, read_symbols, weighted_sum};

const SEPARATORS: &[char] = &['.', '-', '/', ' '];

/// What a procedure code looks like (ANS, Padrão TISS, table 22).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TussCheck {
    /// Eight digits, and the last fits the others.
    Fits,
    /// Eight digits, and the last does not fit: probably mistyped, possibly one of the few real exceptions.
    DigitDiffers,
    /// Not eight digits: perhaps a code of the clinic's own.
    NotTuss,
}

impl TussCheck {
    /// Looks at a code as people type it, with or without dots and dash.
    #[must_use]
    pub fn of(typed: &str) -> Self {
        let Ok(digits) = read_symbols::<8>(typed, SEPARATORS, accept_digit) else {
            return Self::NotTuss;
        };
        let [base @ .., last] = digits;
        if check_digit(base) == last { Self::Fits } else { Self::DigitDiffers }
    }

    /// The stable code of the warning to show, if any. A warning never keeps the record from being saved.
    #[must_use]
    pub fn warning_code(self) -> Option<&'static str> {
        match self {
            Self::Fits => None,
            Self::DigitDiffers => Some("tuss_check_digit"),
            Self::NotTuss => Some("tuss_form"),
        }
    }
}

/// The eighth digit, in ASCII, of seven ASCII digits: weights 8…2, eleven minus the rest, ten and eleven become zero.
///
/// The rule was found in the codes of table 22 (it fits 5,842 of 5,851), not in a text of ANS.
#[must_use]
pub fn check_digit(base: [u8; 7]) -> u8 {
    mod_11_digit(weighted_sum(&base, (2..=8).rev()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_codes_fit_and_real_exceptions_only_warn() {
        // A consultation, and one of the nine real codes whose digit does not fit.
        assert_eq!(TussCheck::of("10101012"), TussCheck::Fits);
        assert_eq!(TussCheck::of("1.01.01.01-2"), TussCheck::Fits);
        assert_eq!(TussCheck::of("20102111"), TussCheck::DigitDiffers);
        assert_eq!(TussCheck::of("20102111").warning_code(), Some("tuss_check_digit"));
        assert_eq!(TussCheck::of("10101012").warning_code(), None);
    }

    #[test]
    fn anything_else_is_not_tuss_and_still_no_error() {
        for typed in ["", "1010101", "101010122", "TOXINA-01", "１0101012"] {
            assert_eq!(TussCheck::of(typed), TussCheck::NotTuss, "{typed:?}");
        }
        assert_eq!(TussCheck::NotTuss.warning_code(), Some("tuss_form"));
    }

    #[test]
    fn rests_of_zero_and_one_give_zero() {
        assert_eq!(check_digit(*b"0000000"), b'0');
        // 6 · 2 = 12, rest 1.
        assert_eq!(check_digit(*b"0000006"), b'0');
        assert_eq!(check_digit(*b"1010101"), b'2');
    }
}
