//! Registration of a professional with a council (CRM-SP 123456, COREN-RJ 12.345-ENF, CREFITO-3/1234-F).
//!
//! Owns the shape of the four parts. Never refuses by pattern: councils write numbers each in their own way, and an
//! admin verifies them. Invariant: council, region and number are present, bounded and in the stored form of text.

use std::fmt;

use super::text::{TextError, TextKind, normalise};

/// Characters of a number, at most.
pub const NUMBER_CHARS_MAX: usize = 15;

/// Bytes of a council, a region or a category, at most: they are short labels from a registry.
pub const LABEL_BYTES_MAX: usize = 40;

/// Bytes of a number that has at most [`NUMBER_CHARS_MAX`] characters.
const NUMBER_BYTES_MAX: usize = NUMBER_CHARS_MAX * 4;

/// The 27 federative units (IBGE).
const FEDERATIVE_UNITS: [&str; 27] = [
    "AC", "AL", "AM", "AP", "BA", "CE", "DF", "ES", "GO", "MA", "MG", "MS", "MT", "PA", "PB", "PE", "PI",
    "PR", "RJ", "RN", "RO", "RR", "RS", "SC", "SE", "SP", "TO",
];

/// A registration as declared by the professional, not yet verified.
///
/// The councils are autonomous regulators (Lei 3.268/1957 for CFM, Lei 5.905/1973 for COFEN, Lei 3.820/1960 for CFF,
/// Lei 6.316/1975 for COFFITO, Lei 6.684/1979 for CFBM and CFBio); some are organised by state, others by region.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CouncilRegistration {
    council: String,
    region: String,
    number: String,
    category: Option<String>,
}

/// Why four texts are not a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CouncilError {
    /// The council is empty or is not a short label.
    #[error("the council is missing or is not a short label")]
    Council,
    /// The state or region is empty or is not a short label.
    #[error("the council's state or region is missing or is not a short label")]
    Region,
    /// The number is empty, has over fifteen characters, or has a character that text may not have.
    #[error("a council number has one to fifteen characters")]
    NumberLength,
    /// The number has no digit.
    #[error("a council number has at least one digit")]
    NumberDigit,
    /// The category is not a short label.
    #[error("the category is not a short label")]
    Category,
}

impl CouncilError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Council => "council_name",
            Self::Region => "council_region",
            Self::NumberLength => "council_number_length",
            Self::NumberDigit => "council_number_digit",
            Self::Category => "council_category",
        }
    }
}

impl CouncilRegistration {
    /// Takes the four parts as typed. An empty category is none; a region that is a state is written in capitals.
    ///
    /// # Errors
    /// [`CouncilError`] names the part that is missing or too long.
    pub fn new(
        council: &str,
        region: &str,
        number: &str,
        category: Option<&str>,
    ) -> Result<Self, CouncilError> {
        let council = label(council).map_err(|_| CouncilError::Council)?.ok_or(CouncilError::Council)?;
        let region = label(region).map_err(|_| CouncilError::Region)?.ok_or(CouncilError::Region)?;
        let number = normalise(number.trim(), TextKind::Line, NUMBER_BYTES_MAX);
        let number = number.map_err(|_| CouncilError::NumberLength)?;
        if number.is_empty() || number.chars().count() > NUMBER_CHARS_MAX {
            return Err(CouncilError::NumberLength);
        }
        if !number.contains(|character: char| character.is_ascii_digit()) {
            return Err(CouncilError::NumberDigit);
        }
        let category = label(category.unwrap_or_default()).map_err(|_| CouncilError::Category)?;
        let region = federative_unit(&region).map_or(region, str::to_owned);
        Ok(Self { council, region, number, category })
    }

    /// The council's acronym, as the registry of councils writes it.
    #[must_use]
    pub fn council(&self) -> &str {
        &self.council
    }

    /// The state or the region of the council.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The state, when the region is one.
    #[must_use]
    pub fn state(&self) -> Option<&'static str> {
        federative_unit(&self.region)
    }

    /// The number as the council writes it, 1–15 characters.
    #[must_use]
    pub fn number(&self) -> &str {
        &self.number
    }

    /// The category (`ENF`, `TEC`, `F`), where the council has them.
    #[must_use]
    pub fn category(&self) -> Option<&str> {
        self.category.as_deref()
    }
}

impl fmt::Debug for CouncilRegistration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CouncilRegistration(redacted)")
    }
}

/// A short label in stored form; none when it is empty.
fn label(typed: &str) -> Result<Option<String>, TextError> {
    let stored = normalise(typed.trim(), TextKind::Line, LABEL_BYTES_MAX)?;
    Ok((!stored.is_empty()).then_some(stored))
}

fn federative_unit(region: &str) -> Option<&'static str> {
    FEDERATIVE_UNITS.into_iter().find(|unit| unit.eq_ignore_ascii_case(region))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_writing_a_number_is_kept_as_written() {
        for number in ["1", "123456", "12.345-ENF", "52-123456/7", "3/12345-F", "123456789012345", "ñ1"] {
            let registration = CouncilRegistration::new("COREN", "SP", number, Some("ENF")).unwrap();
            assert_eq!(registration.number(), number);
        }
        let typed = CouncilRegistration::new(" CFBio ", "sp", " 123 ", Some("  ")).unwrap();
        assert_eq!((typed.council(), typed.region(), typed.number()), ("CFBio", "SP", "123"));
        assert_eq!((typed.state(), typed.category()), (Some("SP"), None));
    }

    #[test]
    fn a_region_need_not_be_a_state() {
        let registration = CouncilRegistration::new("COFFITO", "3ª Região", "1234-F", None).unwrap();
        assert_eq!((registration.region(), registration.state()), ("3ª Região", None));
        // A council nobody has heard of is the admin's question, not the form's.
        assert!(CouncilRegistration::new("CRX", "XX", "1", None).is_ok());
    }

    #[test]
    fn each_rule_has_its_own_refusal() {
        let long = "x".repeat(LABEL_BYTES_MAX + 1);
        let cases = [
            ("", "SP", "1", None, CouncilError::Council),
            (&long, "SP", "1", None, CouncilError::Council),
            ("CRM", " ", "1", None, CouncilError::Region),
            ("CRM", "S\0P", "1", None, CouncilError::Region),
            ("CRM", "SP", " ", None, CouncilError::NumberLength),
            ("CRM", "SP", "1234567890123456", None, CouncilError::NumberLength),
            ("CRM", "SP", "ABC", None, CouncilError::NumberDigit),
            ("CRM", "SP", "1", Some(long.as_str()), CouncilError::Category),
        ];
        for (council, region, number, category, expected) in cases {
            assert_eq!(CouncilRegistration::new(council, region, number, category), Err(expected));
        }
        assert_eq!(CouncilError::NumberDigit.code(), "council_number_digit");
    }

    #[test]
    fn debug_shows_no_number() {
        let registration = CouncilRegistration::new("CRM", "SP", "123456", None);
        assert_eq!(format!("{registration:?}"), "Ok(CouncilRegistration(redacted))");
    }
}
