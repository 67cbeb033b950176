//! CPF, the taxpayer number of a natural person.
//!
//! Owns its form and check digits. Never says whether the number was issued, or to whom. Invariant: a `Cpf` holds
//! eleven ASCII digits whose check digits fit and which are not all the same.

use std::fmt;

use super::{Unread, accept_digit, all_equal, mod_11_digit, punctuated, read_symbols, to_text, weighted_sum};

const SEPARATORS: &[char] = &['.', '-', '/', ' ', '\u{a0}'];

/// A valid CPF (Receita Federal, IN RFB 2.172/2024; the primary health identifier since 2026).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cpf(String);

/// Why a text is not a CPF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CpfError {
    /// Something other than digits and the usual punctuation.
    #[error("a CPF has only digits and the usual punctuation")]
    Character,
    /// Not eleven digits; a lost leading zero is not restored.
    #[error("a CPF has eleven digits")]
    Length,
    /// One digit eleven times: fits the arithmetic, is never issued.
    #[error("a CPF is never one digit repeated")]
    Repeated,
    /// The last two digits do not follow from the first nine.
    #[error("the check digits of the CPF do not fit")]
    CheckDigits,
}

impl CpfError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Character => "cpf_character",
            Self::Length => "cpf_length",
            Self::Repeated => "cpf_repeated",
            Self::CheckDigits => "cpf_check_digits",
        }
    }
}

impl From<Unread> for CpfError {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Character => Self::Character,
            Unread::Length => Self::Length,
        }
    }
}

impl Cpf {
    /// Reads a CPF as people type it: dots, dash, slash and spaces do not matter.
    ///
    /// # Errors
    /// [`CpfError`] names the rule that the text does not keep.
    pub fn parse(typed: &str) -> Result<Self, CpfError> {
        let digits: [u8; 11] = read_symbols(typed, SEPARATORS, accept_digit)?;
        let [base @ .., _, _] = digits;
        let cpf = Self::from_base(base)?;
        if cpf.0.as_bytes() == digits { Ok(cpf) } else { Err(CpfError::CheckDigits) }
    }

    /// Completes nine ASCII digits (as in `*b"529982247"`) with their check digits.
    ///
    /// # Errors
    /// [`CpfError::Character`] when a byte is not an ASCII digit, [`CpfError::Repeated`] when all are the same.
    pub fn from_base(base: [u8; 9]) -> Result<Self, CpfError> {
        if !base.iter().all(u8::is_ascii_digit) {
            return Err(CpfError::Character);
        }
        let mut digits = base.to_vec();
        digits.extend(Self::check_digits(base));
        if all_equal(&digits) { Err(CpfError::Repeated) } else { Ok(Self(to_text(&digits))) }
    }

    /// The two check digits of nine ASCII digits: weights 10…2, then 11…2 over the first check digit too.
    #[must_use]
    pub fn check_digits(base: [u8; 9]) -> [u8; 2] {
        let first = mod_11_digit(weighted_sum(&base, (2..=10).rev()));
        let second = weighted_sum(&base, (3..=11).rev()) + weighted_sum(&[first], [2]);
        [first, mod_11_digit(second)]
    }

    /// The eleven digits, without punctuation: the stored form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form people read, `000.000.000-00`.
    #[must_use]
    pub fn formatted(&self) -> String {
        punctuated(&self.0, &[(3, '.'), (3, '.'), (3, '-')])
    }
}

impl fmt::Debug for Cpf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cpf(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valid_cpf_is_read_with_and_without_punctuation() {
        for typed in ["52998224725", "529.982.247-25", "  529 982 247 25 ", "529.982.247/25"] {
            assert_eq!(Cpf::parse(typed).unwrap().as_str(), "52998224725");
        }
        assert_eq!(Cpf::parse("52998224725").unwrap().formatted(), "529.982.247-25");
    }

    #[test]
    fn each_rule_has_its_own_refusal() {
        let cases = [
            ("", CpfError::Length),
            ("9380826044", CpfError::Length),
            ("529982247255", CpfError::Length),
            ("5299822472x", CpfError::Character),
            ("٣٩٠٥٣٣٤٤٧٠٥", CpfError::Character),
            ("５2998224725", CpfError::Character),
            ("52998224725\0", CpfError::Character),
            ("52998224724", CpfError::CheckDigits),
            ("52998224735", CpfError::CheckDigits),
        ];
        for (typed, expected) in cases {
            assert_eq!(Cpf::parse(typed), Err(expected), "{typed:?}");
        }
        for digit in '0'..='9' {
            assert_eq!(Cpf::parse(&digit.to_string().repeat(11)), Err(CpfError::Repeated));
        }
    }

    #[test]
    fn a_base_gives_a_cpf_that_parses() {
        assert_eq!(Cpf::from_base(*b"529982247").unwrap().as_str(), "52998224725");
        // Both sums leave a rest below 2 in some of these: the branch that gives zero.
        for number in (0..1_000_000_000_u32).step_by(1_234_567) {
            let base: [u8; 9] = format!("{number:09}").into_bytes().try_into().unwrap();
            if number != 0 {
                let cpf = Cpf::from_base(base).unwrap();
                assert_eq!(Cpf::parse(&cpf.formatted()).unwrap(), cpf);
            }
        }
        assert_eq!(Cpf::from_base([5, 2, 9, 9, 8, 2, 2, 4, 7]), Err(CpfError::Character));
        assert_eq!(Cpf::from_base(*b"111111111"), Err(CpfError::Repeated));
    }

    #[test]
    fn debug_and_errors_show_no_digit() {
        assert_eq!(format!("{:?}", Cpf::parse("52998224725")), "Ok(Cpf(redacted))");
        assert_eq!(CpfError::CheckDigits.code(), "cpf_check_digits");
        assert!(!CpfError::CheckDigits.to_string().contains(|c: char| c.is_ascii_digit()));
    }
}
