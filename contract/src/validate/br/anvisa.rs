//! ANVISA registration numbers of the products a clinic keeps.
//!
//! Owns the telling apart of their kinds. Never refuses: numbers repeat between makers, have no fixed length, and
//! notified products have only a process number. Invariant: every text gets a kind.

/// What an ANVISA number looks like; a hint for the screen, never a proof that the product is registered.
///
/// Source: ANVISA's guidance on recognising registration numbers (registration under Lei 6.360/1976, notification
/// under the RDCs of each product class) and its open data of medical devices (2020).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnvisaKind {
    /// Medicine: thirteen digits, the first is 1.
    Medicine,
    /// Medical device: ten or more digits from 8, or eleven from 1 (a fourth of the 2020 devices begin with 10).
    Device,
    /// Cosmetic with registration: thirteen digits, the first is 2.
    Cosmetic,
    /// Process number (25xxx.xxxxxx/yyyy-dd) of a notified product: thirteen, fifteen or seventeen digits.
    Process,
    /// None of these: the person is asked to look again.
    Unrecognised,
}

impl AnvisaKind {
    /// Tells the kind of a number as people type it, with or without punctuation and a leading `MS` or `Reg.`.
    #[must_use]
    pub fn of(typed: &str) -> Self {
        let number = typed
            .trim()
            .trim_start_matches(|typed: char| typed.is_ascii_alphabetic() || ". :-".contains(typed));
        let has_year = number.contains('/');
        let digits: String = number.chars().filter(|typed| !". -/".contains(*typed)).collect();
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Self::Unrecognised;
        }
        match (digits.as_bytes(), digits.len()) {
            ([b'2', b'5', ..], 15 | 17) => Self::Process,
            ([b'2', b'5', ..], 13) if has_year => Self::Process,
            ([b'1', ..], 13) => Self::Medicine,
            ([b'2', ..], 13) => Self::Cosmetic,
            ([b'8', ..], 10..=13) | ([b'1', ..], 11) => Self::Device,
            _ => Self::Unrecognised,
        }
    }

    /// The stable code of the warning to show, if any. A warning never keeps the record from being saved.
    #[must_use]
    pub fn warning_code(self) -> Option<&'static str> {
        match self {
            Self::Medicine | Self::Device | Self::Cosmetic | Self::Process => None,
            Self::Unrecognised => Some("anvisa_unrecognised"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_forms_are_told_apart() {
        let cases = [
            ("1023511070101", AnvisaKind::Medicine),
            ("1.0235.1107.010-1", AnvisaKind::Medicine),
            ("MS 1.0235.1107.010-1", AnvisaKind::Medicine),
            ("80034001101", AnvisaKind::Device),
            ("8003400110", AnvisaKind::Device),
            ("Reg. ANVISA: 81234567890", AnvisaKind::Device),
            ("10332340123", AnvisaKind::Device),
            ("2.1234.5678.001-9", AnvisaKind::Cosmetic),
            ("25351.711507/2019-51", AnvisaKind::Process),
            ("25351711507201951", AnvisaKind::Process),
            ("25992.001849/49", AnvisaKind::Process),
        ];
        for (typed, expected) in cases {
            assert_eq!(AnvisaKind::of(typed), expected, "{typed}");
            assert_eq!(expected.warning_code(), None);
        }
    }

    #[test]
    fn anything_else_only_warns() {
        for typed in ["", "isento", "123", "1.0235.1107.010-X", "９0034001101", "99999999999999999999"] {
            assert_eq!(AnvisaKind::of(typed), AnvisaKind::Unrecognised, "{typed}");
        }
        assert_eq!(AnvisaKind::Unrecognised.warning_code(), Some("anvisa_unrecognised"));
    }
}
