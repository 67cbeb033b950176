//! Fields of an EMV QR code: two digits of identifier, two of length, the value; and the checksum over them.
//!
//! Owns the framing only. Never knows what a field means. Invariant: lengths count ASCII characters, which are bytes.

use super::PixError;

/// Writes one field. Values are at most 99 characters by the limits of their makers.
pub(super) fn write(id: u8, value: &str) -> String {
    format!("{id:02}{:02}{value}", value.len())
}

/// Closes a payload with its checksum field, 63.
pub(super) fn seal(mut payload: String) -> String {
    payload.push_str("6304");
    let checksum = crc16(payload.as_bytes());
    payload + &format!("{checksum:04X}")
}

/// Whether a payload ends with the checksum field that fits it.
pub(super) fn is_sealed(payload: &str) -> bool {
    let Some((covered, checksum)) = payload.len().checked_sub(4).and_then(|at| payload.split_at_checked(at))
    else {
        return false;
    };
    covered.ends_with("6304") && checksum.eq_ignore_ascii_case(&format!("{:04X}", crc16(covered.as_bytes())))
}

/// The fields of one level, in their order.
pub(super) struct Fields<'a>(Vec<(u8, &'a str)>);

impl<'a> Fields<'a> {
    /// Divides a text into fields.
    pub(super) fn read(text: &'a str) -> Result<Self, PixError> {
        let mut fields: Vec<(u8, &str)> = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (id, after_id) = two_digits(rest)?;
            let (length, after_length) = two_digits(after_id)?;
            let (value, after_value) =
                after_length.split_at_checked(usize::from(length)).ok_or(PixError::Structure)?;
            if value.is_empty() || fields.iter().any(|(known, _)| *known == id) {
                return Err(PixError::Structure);
            }
            fields.push((id, value));
            rest = after_value;
        }
        Ok(Self(fields))
    }

    /// The value of a field, if present.
    pub(super) fn find(&self, id: u8) -> Option<&'a str> {
        self.iter().find(|(known, _)| *known == id).map(|(_, value)| value)
    }

    /// The value of a field that PIX requires.
    pub(super) fn require(&self, id: u8) -> Result<&'a str, PixError> {
        self.find(id).ok_or(PixError::Missing { id })
    }

    /// All fields.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (u8, &'a str)> + '_ {
        self.0.iter().copied()
    }
}

fn two_digits(text: &str) -> Result<(u8, &str), PixError> {
    let (digits, rest) = text.split_at_checked(2).ok_or(PixError::Structure)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PixError::Structure);
    }
    Ok((digits.parse().map_err(|_| PixError::Structure)?, rest))
}

/// CRC-16/CCITT-FALSE: polynomial 0x1021, initial 0xFFFF, not reflected, no final change (ISO/IEC 13239 as EMV uses it).
#[must_use]
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            let shifted = crc << 1;
            if crc & 0x8000 == 0 { shifted } else { shifted ^ 0x1021 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_catalogued_one() {
        assert_eq!(crc16(b"123456789"), 0x29B1);
        assert_eq!(crc16(b""), 0xFFFF);
        assert!(is_sealed(&seal("000201".to_owned())));
        assert!(!is_sealed("0002016304"));
        assert!(!is_sealed("x"));
    }

    #[test]
    fn fields_that_do_not_divide_the_text_are_refused() {
        for text in ["0", "00", "000", "0002", "00020", "0x0201", "00+101", "0000", "000201000201"] {
            assert_eq!(Fields::read(text).err(), Some(PixError::Structure), "{text}");
        }
        let fields = Fields::read("0002015802BR").unwrap();
        assert_eq!((fields.find(0), fields.find(58), fields.find(1)), (Some("01"), Some("BR"), None));
        assert_eq!(fields.require(62), Err(PixError::Missing { id: 62 }));
        assert_eq!(fields.iter().count(), 2);
    }
}
