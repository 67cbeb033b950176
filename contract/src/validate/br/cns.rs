//! CNS, the number of the national health card (Cartão Nacional de Saúde).
//!
//! Owns its form and check digits. Never says whether the card was issued, or to whom. Invariant: a `Cns` holds
//! fifteen ASCII digits that the DATASUS routine for its first digit accepts.

use std::fmt;

use super::{Unread, accept_digit, ascii_digit, punctuated, read_symbols, to_text, weighted_sum};

const SEPARATORS: &[char] = &['.', '-', '/', ' ', '\u{a0}'];

/// A valid CNS: definitive (first digit 1 or 2) or provisional (7, 8 or 9), by the routines of DATASUS as published
/// in the e-SUS APS integration guide (LEDI, "Algoritmo CNS").
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cns(String);

/// Why a text is not a CNS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CnsError {
    /// Something other than digits and the usual punctuation.
    #[error("a CNS has only digits and the usual punctuation")]
    Character,
    /// Not fifteen digits.
    #[error("a CNS has fifteen digits")]
    Length,
    /// The first digit belongs to no kind of card.
    #[error("the first digit of the CNS belongs to no kind of card")]
    FirstDigit,
    /// A definitive number has 000 or 001 before its check digit, and 001 only where 000 leaves no digit.
    #[error("the digits before the check digit are not those of a definitive CNS")]
    Sequence,
    /// The weighted sum is not a multiple of eleven, or no digit can make it one.
    #[error("the check digit of the CNS does not fit")]
    CheckDigit,
}

impl CnsError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Character => "cns_character",
            Self::Length => "cns_length",
            Self::FirstDigit => "cns_first_digit",
            Self::Sequence => "cns_sequence",
            Self::CheckDigit => "cns_check_digit",
        }
    }
}

impl From<Unread> for CnsError {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Character => Self::Character,
            Unread::Length => Self::Length,
        }
    }
}

impl Cns {
    /// Reads a CNS as people type it: spaces, dots, dashes and slashes do not matter.
    ///
    /// # Errors
    /// [`CnsError`] names the rule that the text does not keep.
    pub fn parse(typed: &str) -> Result<Self, CnsError> {
        let digits: [u8; 15] = read_symbols(typed, SEPARATORS, accept_digit)?;
        let [first, ..] = digits;
        let expected = match first {
            b'1' | b'2' => {
                let [base @ .., _, _, _, _] = digits;
                Self::from_base(base)?
            }
            _ => {
                let [base @ .., _] = digits;
                Self::from_provisional_base(base)?
            }
        };
        if expected.0.as_bytes() == digits {
            Ok(expected)
        } else if weighted_sum(&digits, (1..=15).rev()).is_multiple_of(11) {
            Err(CnsError::Sequence)
        } else {
            Err(CnsError::CheckDigit)
        }
    }

    /// Completes the eleven ASCII digits of a definitive number (as in `*b"12345678901"`, first 1 or 2).
    ///
    /// When `000` would need a check digit of ten, DATASUS writes `001`, which adds two to the sum.
    ///
    /// # Errors
    /// [`CnsError::Character`] when a byte is not an ASCII digit, [`CnsError::FirstDigit`] when the first is not 1 or 2.
    pub fn from_base(base: [u8; 11]) -> Result<Self, CnsError> {
        require_digits(&base, b"12")?;
        let sum = weighted_sum(&base, (5..=15).rev());
        let (sequence, check) = match missing_to_11(sum) {
            10 => (b"001", missing_to_11(sum + 2)),
            check => (b"000", check),
        };
        let mut digits = base.to_vec();
        digits.extend(sequence);
        digits.push(ascii_digit(check));
        Ok(Self(to_text(&digits)))
    }

    /// Completes the fourteen ASCII digits of a provisional number (first 7, 8 or 9).
    ///
    /// # Errors
    /// [`CnsError::Character`] and [`CnsError::FirstDigit`] as above; [`CnsError::CheckDigit`] for the one base in
    /// eleven that no digit completes.
    pub fn from_provisional_base(base: [u8; 14]) -> Result<Self, CnsError> {
        require_digits(&base, b"789")?;
        let check = missing_to_11(weighted_sum(&base, (2..=15).rev()));
        if check == 10 {
            return Err(CnsError::CheckDigit);
        }
        let mut digits = base.to_vec();
        digits.push(ascii_digit(check));
        Ok(Self(to_text(&digits)))
    }

    /// Whether the card is a definitive one.
    #[must_use]
    pub fn is_definitive(&self) -> bool {
        self.0.starts_with(['1', '2'])
    }

    /// The fifteen digits, without punctuation: the stored form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form printed on the card, `000 0000 0000 0000`.
    #[must_use]
    pub fn formatted(&self) -> String {
        punctuated(&self.0, &[(3, ' '), (4, ' '), (4, ' ')])
    }
}

impl fmt::Debug for Cns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cns(redacted)")
    }
}

/// What must be added to `sum` to make it a multiple of eleven, 0–10.
fn missing_to_11(sum: u32) -> u32 {
    (11 - sum % 11) % 11
}

fn require_digits(base: &[u8], first_digits: &[u8]) -> Result<(), CnsError> {
    if !base.iter().all(u8::is_ascii_digit) {
        return Err(CnsError::Character);
    }
    let known = base.first().is_some_and(|first| first_digits.contains(first));
    if known { Ok(()) } else { Err(CnsError::FirstDigit) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provisional_and_definitive_cards_are_read() {
        let provisional = Cns::parse("898 0000 0004 3208").unwrap();
        assert_eq!(provisional.as_str(), "898000000043208");
        assert_eq!(provisional.formatted(), "898 0000 0004 3208");
        assert!(!provisional.is_definitive());
        let definitive = Cns::from_base(*b"12345678901").unwrap();
        assert!(definitive.is_definitive());
        assert_eq!(Cns::parse(&definitive.formatted()).unwrap(), definitive);
    }

    #[test]
    fn a_check_digit_of_ten_becomes_the_sequence_001_and_8() {
        // 2·15 + 3·6 + 6·5 = 78 leaves 1, so 000 would need a ten; 78 + 2 leaves 3, so 001 needs an 8.
        let cns = Cns::from_base(*b"20000000036").unwrap();
        assert_eq!(cns.as_str(), "200000000360018");
        assert_eq!(Cns::parse(cns.as_str()).unwrap(), cns);
    }

    #[test]
    fn each_rule_has_its_own_refusal() {
        let cases = [
            ("", CnsError::Length),
            ("89800000004320", CnsError::Length),
            ("8980000000432088", CnsError::Length),
            ("89800000004320x", CnsError::Character),
            ("456789012345678", CnsError::FirstDigit),
            ("898000000043209", CnsError::CheckDigit),
            ("123456789010001", CnsError::CheckDigit),
            // Divisible by eleven, but no definitive number ends so.
            ("250563764860256", CnsError::Sequence),
            ("000000000000000", CnsError::FirstDigit),
        ];
        for (typed, expected) in cases {
            assert_eq!(Cns::parse(typed), Err(expected), "{typed:?}");
        }
    }

    #[test]
    fn every_base_that_can_be_completed_gives_a_cns_that_parses() {
        let (mut completed, mut impossible) = (0, 0);
        for number in (0..10_000_000_000_000_u64).step_by(9_876_543_211) {
            let base: [u8; 14] = format!("7{number:013}").into_bytes().try_into().unwrap();
            match Cns::from_provisional_base(base) {
                Ok(cns) => {
                    assert_eq!(Cns::parse(cns.as_str()).unwrap(), cns);
                    completed += 1;
                }
                Err(error) => {
                    assert_eq!(error, CnsError::CheckDigit);
                    impossible += 1;
                }
            }
        }
        assert!(completed > 8 * impossible && impossible > 0);
        assert_eq!(Cns::from_base(*b"72345678901"), Err(CnsError::FirstDigit));
        assert_eq!(Cns::from_provisional_base([1; 14]), Err(CnsError::Character));
    }

    #[test]
    fn debug_shows_no_digit() {
        assert_eq!(format!("{:?}", Cns::parse("898000000043208")), "Ok(Cns(redacted))");
        assert_eq!(CnsError::Sequence.code(), "cns_sequence");
    }
}
