//! What a person types to open a tablet: six to twelve digits that are not the first ones anybody would try.
//!
//! Pure. Never prints or keeps what was typed longer than the value lives.

use zeroize::Zeroizing;

/// Fewest digits. With Argon2id at the cost of [`crate::vault`] a million tries take a day and more on one machine.
pub const PIN_DIGITS_MIN: usize = 6;
/// Most digits.
pub const PIN_DIGITS_MAX: usize = 12;

/// A PIN that may protect a tablet. Wiped when dropped.
pub struct Pin(Zeroizing<String>);

/// Why it may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PinProblem {
    /// Not [`PIN_DIGITS_MIN`] to [`PIN_DIGITS_MAX`] digits.
    #[error("a PIN has 6 to 12 digits")]
    Digits,
    /// One digit repeated, or digits in a row: 000000, 123456, 987654.
    #[error("this PIN would be among the first anybody tries; choose another")]
    Simple,
}

impl Pin {
    /// A PIN for somebody who has none.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn choose(typed: &str) -> Result<Self, PinProblem> {
        let digits = typed.trim();
        let holds = (PIN_DIGITS_MIN..=PIN_DIGITS_MAX).contains(&digits.len());
        if !holds || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(PinProblem::Digits);
        }
        if is_simple(digits.as_bytes()) {
            return Err(PinProblem::Simple);
        }
        Ok(Self(Zeroizing::new(digits.to_owned())))
    }

    /// What somebody typed to come in. Whatever it is, it is tried.
    #[must_use]
    pub fn typed(typed: &str) -> Self {
        Self(Zeroizing::new(typed.trim().chars().take(PIN_DIGITS_MAX.saturating_add(1)).collect()))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::fmt::Debug for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pin(…)")
    }
}

/// Every step between neighbours is the same, and no more than one.
fn is_simple(digits: &[u8]) -> bool {
    let steps = || digits.iter().zip(digits.iter().skip(1)).map(|(a, b)| i16::from(*b) - i16::from(*a));
    let Some(first) = steps().next() else { return true };
    first.abs() <= 1 && steps().all(|step| step == first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_to_twelve_digits_that_are_no_sequence_are_a_pin() {
        for good in ["274916", " 274916 ", "112233", "135790", "274916274916"] {
            assert!(Pin::choose(good).is_ok(), "{good}");
        }
        for bad in ["", "27491", "2749162749162", "27491a", "２７４９１６", "-27491"] {
            assert_eq!(Pin::choose(bad).unwrap_err(), PinProblem::Digits, "{bad}");
        }
        for simple in ["000000", "123456", "987654321", "999999999999"] {
            assert_eq!(Pin::choose(simple).unwrap_err(), PinProblem::Simple, "{simple}");
        }
        assert_eq!(format!("{:?}", Pin::typed("274916")), "Pin(…)");
    }
}
