//! CNPJ, the register number of a company, with letters since July 2026.
//!
//! Owns its form and check digits. Never says whether the company exists. Invariant: a `Cnpj` holds twelve of
//! `[0-9A-Z]` and two ASCII digits that fit them, and is not one symbol repeated.

use std::fmt;

use super::{Unread, all_equal, mod_11_digit, punctuated, read_symbols, to_text, weighted_sum};

const SEPARATORS: &[char] = &['.', '-', '/', ' ', '\u{a0}'];

/// A valid CNPJ, numeric or alphanumeric (IN RFB 2.119/2022 as changed by IN RFB 2.229/2024).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cnpj(String);

/// Why a text is not a CNPJ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CnpjError {
    /// Something other than ASCII digits, letters and the usual punctuation.
    #[error("a CNPJ has only digits, letters and the usual punctuation")]
    Character,
    /// Not fourteen symbols.
    #[error("a CNPJ has fourteen symbols")]
    Length,
    /// One digit fourteen times: zeros fit the arithmetic and are never issued.
    #[error("a CNPJ is never one digit repeated")]
    Repeated,
    /// The last two symbols are not the digits that follow from the first twelve.
    #[error("the check digits of the CNPJ do not fit")]
    CheckDigits,
}

impl CnpjError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Character => "cnpj_character",
            Self::Length => "cnpj_length",
            Self::Repeated => "cnpj_repeated",
            Self::CheckDigits => "cnpj_check_digits",
        }
    }
}

impl From<Unread> for CnpjError {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Character => Self::Character,
            Unread::Length => Self::Length,
        }
    }
}

/// Accepts an ASCII digit or letter; letters are stored as capitals, the only ones the register issues.
fn accept_alphanumeric(symbol: u8) -> Option<u8> {
    symbol.is_ascii_alphanumeric().then(|| symbol.to_ascii_uppercase())
}

impl Cnpj {
    /// Reads a CNPJ as people type it: dots, dash, slash, spaces and the case of letters do not matter.
    ///
    /// # Errors
    /// [`CnpjError`] names the rule that the text does not keep.
    pub fn parse(typed: &str) -> Result<Self, CnpjError> {
        let symbols: [u8; 14] = read_symbols(typed, SEPARATORS, accept_alphanumeric)?;
        if all_equal(&symbols) {
            return Err(CnpjError::Repeated);
        }
        let [base @ .., _, _] = symbols;
        let cnpj = Self::from_base(base)?;
        if cnpj.0.as_bytes() == symbols { Ok(cnpj) } else { Err(CnpjError::CheckDigits) }
    }

    /// Completes twelve ASCII digits or capitals (as in `*b"12ABC34501DE"`) with their check digits.
    ///
    /// # Errors
    /// [`CnpjError::Character`] when a byte is neither, [`CnpjError::Repeated`] when the result is one digit repeated.
    pub fn from_base(base: [u8; 12]) -> Result<Self, CnpjError> {
        if !base.iter().all(|symbol| symbol.is_ascii_digit() || symbol.is_ascii_uppercase()) {
            return Err(CnpjError::Character);
        }
        let mut symbols = base.to_vec();
        symbols.extend(Self::check_digits(base));
        if all_equal(&symbols) { Err(CnpjError::Repeated) } else { Ok(Self(to_text(&symbols))) }
    }

    /// The two check digits: a symbol counts as its ASCII code minus 48, weights 2…9 repeat from the right.
    #[must_use]
    pub fn check_digits(base: [u8; 12]) -> [u8; 2] {
        let first = mod_11_digit(weighted_sum(&base, [5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]));
        let second = weighted_sum(&base, [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3]) + weighted_sum(&[first], [2]);
        [first, mod_11_digit(second)]
    }

    /// The fourteen symbols, without punctuation: the stored form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form people read, `00.000.000/0000-00`.
    #[must_use]
    pub fn formatted(&self) -> String {
        punctuated(&self.0, &[(2, '.'), (3, '.'), (3, '/'), (4, '-')])
    }
}

impl fmt::Debug for Cnpj {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cnpj(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numeric_and_alphanumeric_numbers_are_read() {
        let cases = [
            ("11.222.333/0001-81", "11222333000181"),
            ("11222333000181", "11222333000181"),
            ("12.ABC.345/01DE-35", "12ABC34501DE35"),
            (" 12abc34501de35 ", "12ABC34501DE35"),
            // A dot where the slash belongs: only the mask is wrong.
            ("16.727.230.0001-97", "16727230000197"),
            // Banco do Brasil: a root of zeros is a real company.
            ("00.000.000/0001-91", "00000000000191"),
        ];
        for (typed, stored) in cases {
            assert_eq!(Cnpj::parse(typed).unwrap().as_str(), stored);
        }
        assert_eq!(Cnpj::parse("12ABC34501DE35").unwrap().formatted(), "12.ABC.345/01DE-35");
    }

    #[test]
    fn each_rule_has_its_own_refusal() {
        let cases = [
            ("", CnpjError::Length),
            ("1122233300018", CnpjError::Length),
            ("112223330001811", CnpjError::Length),
            ("11222333000181_", CnpjError::Character),
            ("１２ABC34501DE35", CnpjError::Character),
            ("12ÁBC34501DE35", CnpjError::Character),
            ("00000000000000", CnpjError::Repeated),
            ("12ABC34501DE34", CnpjError::CheckDigits),
            ("12ABC34501DE3A", CnpjError::CheckDigits),
            ("11222333000180", CnpjError::CheckDigits),
        ];
        for (typed, expected) in cases {
            assert_eq!(Cnpj::parse(typed), Err(expected), "{typed:?}");
        }
    }

    #[test]
    fn a_base_gives_a_cnpj_that_parses() {
        assert_eq!(Cnpj::from_base(*b"12ABC34501DE").unwrap().as_str(), "12ABC34501DE35");
        assert_eq!(Cnpj::from_base(*b"112223330001").unwrap().as_str(), "11222333000181");
        assert_eq!(Cnpj::from_base(*b"12abc34501de"), Err(CnpjError::Character));
        assert_eq!(Cnpj::from_base(*b"000000000000"), Err(CnpjError::Repeated));
    }

    #[test]
    fn debug_shows_no_symbol() {
        assert_eq!(format!("{:?}", Cnpj::parse("11222333000181")), "Ok(Cnpj(redacted))");
        assert_eq!(CnpjError::Repeated.code(), "cnpj_repeated");
    }
}
