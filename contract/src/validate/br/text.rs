//! Text: one normal form, a limit in bytes, and no characters that hide.
//!
//! Owns what any text field may hold. Never trims, translates or judges the words. Invariant: a text returned here is
//! stored by SQLite, Automerge and Postgres as the same bytes, and comes out the same when it goes through again.

use unicode_normalization::UnicodeNormalization;

/// Whether a text field is one line or may break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextKind {
    /// One line (a name, a code): no control character, no line or paragraph separator.
    Line,
    /// Long text (a note): line feed and tab are allowed, other control characters are not.
    Long,
}

/// Why a text cannot be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// U+0000, which Postgres cannot store in `text`.
    #[error("the text has the character U+0000")]
    Nul,
    /// A control character that this kind of text does not allow.
    #[error("the text has a control character")]
    Control,
    /// More bytes of UTF-8 than the field holds.
    #[error("the text is longer than {bytes_max} bytes")]
    TooLong {
        /// The field's limit in bytes of UTF-8.
        bytes_max: usize,
    },
}

impl TextError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Nul => "text_nul",
            Self::Control => "text_control",
            Self::TooLong { .. } => "text_too_long",
        }
    }
}

/// Brings typed text to the stored form: Unicode normalization form C (UAX #15), so equal words become equal bytes, and
/// in long text `\n` for `\r\n` and `\r`, which HTML forms send.
///
/// `bytes_max` counts bytes of UTF-8 after normalization.
///
/// # Errors
/// [`TextError`]: a character that is not allowed is refused, not removed.
pub fn normalise(typed: &str, kind: TextKind, bytes_max: usize) -> Result<String, TextError> {
    let mut stored = String::with_capacity(typed.len().min(bytes_max));
    let mut after_return = false;
    for typed_char in typed.nfc() {
        let character = match (kind, typed_char) {
            (TextKind::Long, '\n') if after_return => {
                after_return = false;
                continue;
            }
            (TextKind::Long, '\r') => '\n',
            _ => typed_char,
        };
        after_return = typed_char == '\r';
        check_character(character, kind)?;
        stored.push(character);
        if stored.len() > bytes_max {
            return Err(TextError::TooLong { bytes_max });
        }
    }
    Ok(stored)
}

fn check_character(character: char, kind: TextKind) -> Result<(), TextError> {
    match (character, kind) {
        ('\0', _) => Err(TextError::Nul),
        ('\n' | '\t', TextKind::Long) => Ok(()),
        ('\u{2028}' | '\u{2029}', TextKind::Line) => Err(TextError::Control),
        _ if character.is_control() => Err(TextError::Control),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(typed: &str, bytes_max: usize) -> Result<String, TextError> {
        normalise(typed, TextKind::Line, bytes_max)
    }

    fn long(typed: &str, bytes_max: usize) -> Result<String, TextError> {
        normalise(typed, TextKind::Long, bytes_max)
    }

    #[test]
    fn the_same_word_typed_two_ways_is_stored_once() {
        let composed = short("Conceição", 64).unwrap();
        assert_eq!(short("Conceic\u{327}a\u{303}o", 64).unwrap(), composed);
        assert_eq!(short(&composed, 64).unwrap(), composed);
    }

    #[test]
    fn the_limit_counts_bytes_after_normalization() {
        assert_eq!(short("a\u{303}", 2).unwrap(), "ã");
        assert_eq!(long("ãã", 4).unwrap(), "ãã");
        assert_eq!(long("ãã", 3), Err(TextError::TooLong { bytes_max: 3 }));
        assert_eq!(long("a\r\nb", 3).unwrap(), "a\nb");
        assert_eq!(short("", 0).unwrap(), "");
    }

    #[test]
    fn control_characters_are_refused_except_breaks_and_tabs_of_long_text() {
        assert_eq!(short("a\0b", 9), Err(TextError::Nul));
        assert_eq!(long("a\0b", 9), Err(TextError::Nul));
        for typed in ["a\nb", "a\tb", "a\r\nb", "a\u{2028}b", "a\u{2029}b"] {
            assert_eq!(short(typed, 9), Err(TextError::Control), "{typed:?}");
        }
        for control in ['\u{1}', '\u{1b}', '\u{7f}', '\u{85}'] {
            assert_eq!(long(&format!("a{control}"), 9), Err(TextError::Control), "{control:?}");
        }
        assert_eq!(long("a\n\tb", 9).unwrap(), "a\n\tb");
        // A family of four, joined: the joiner is not a control character.
        assert!(short("👩‍👩‍👧‍👦", 32).is_ok());
    }

    #[test]
    fn line_breaks_of_forms_become_line_feeds() {
        let stored = long("a\r\nb\rc\n\r\n\nd\r", 99).unwrap();
        assert_eq!(stored, "a\nb\nc\n\n\nd\n");
        assert_eq!(long(&stored, 99).unwrap(), stored);
    }

    #[test]
    fn codes_are_stable() {
        assert_eq!(TextError::TooLong { bytes_max: 3 }.code(), "text_too_long");
        assert_eq!((TextError::Nul.code(), TextError::Control.code()), ("text_nul", "text_control"));
    }
}
