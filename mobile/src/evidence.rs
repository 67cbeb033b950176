//! The document a signed consent leaves behind: what was read, what was chosen, who signed, drawn how, when, by which clock.
//!
//! A JSON file kept like a photograph and named by its SHA-256, which the consent record carries; the record's edit is signed with
//! the device's key, so text, signature and choices cannot be exchanged later. Never decides what a consent means.

use serde::{Deserialize, Serialize};

/// Form of the document.
pub const FORMAT: &str = "neonpro consent v1";
/// Width and height of the box a signature is drawn in, units of its path.
pub const BOX: (u32, u32) = (600, 200);
/// Characters of a signature's path: minutes of drawing.
const PATH_CHARS_MAX: usize = 40_000;
/// Points of a signature: a dot or a slip of the finger is none.
const POINTS_MIN: usize = 12;

/// How well the tablet's clock was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockQuality {
    /// Server time minus tablet time, µs.
    pub offset_us: i64,
    /// Half of the round trip it was measured over, ms.
    pub uncertainty_ms: u32,
    /// When it was measured, tablet time, µs.
    pub measured_at_us: i64,
}

/// The document.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// [`FORMAT`].
    pub format: String,
    /// Clinic.
    pub clinic: String,
    /// Patient: id and name.
    pub patient: (String, String),
    /// Purpose.
    pub purpose: String,
    /// Title of the text.
    pub title: String,
    /// The text, as it was shown.
    pub text: String,
    /// Version of the text.
    pub version: i64,
    /// What was chosen besides: words and whether they were ticked.
    pub options: Vec<(String, bool)>,
    /// Who signed.
    pub signer: String,
    /// Whether that is the patient.
    pub by_patient: bool,
    /// The signature: an SVG path within [`BOX`].
    pub signature: String,
    /// When, tablet time, µs.
    pub at_us: i64,
    /// How well the clock was known; none where it was never measured.
    pub clock: Option<ClockQuality>,
    /// Device.
    pub device: String,
    /// In whose presence: professional id.
    pub witness: String,
}

impl Evidence {
    /// The file's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // Texts, numbers and lists always are JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a file; `None` for anything else.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let read: Self = serde_json::from_slice(bytes).ok()?;
        (read.format == FORMAT && is_signature(&read.signature)).then_some(read)
    }
}

/// Whether a path is a drawn signature and nothing else: moves and lines between whole numbers.
#[must_use]
pub fn is_signature(path: &str) -> bool {
    let plain = path.bytes().all(|byte| matches!(byte, b'M' | b'L' | b' ' | b'0'..=b'9'));
    let points = path.bytes().filter(|byte| matches!(byte, b'M' | b'L')).count();
    plain && path.starts_with('M') && path.len() <= PATH_CHARS_MAX && points >= POINTS_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path() -> String {
        let lines: Vec<String> = (0..20).map(|n| format!("L{n} {n}")).collect();
        format!("M0 0{}", lines.concat())
    }

    #[test]
    fn only_a_drawn_path_is_a_signature() {
        assert!(is_signature(&path()));
        for wrong in [
            "",
            "M1 1L2 2",
            &format!("{}\"/><script>", path()),
            &format!("L{}", path()),
            &path().repeat(2_000),
        ] {
            assert!(!is_signature(wrong), "{}", &wrong[..wrong.len().min(40)]);
        }
    }

    #[test]
    fn a_document_reads_back_and_another_file_is_none() {
        let part = str::to_owned;
        let evidence = Evidence {
            format: part(FORMAT),
            clinic: part("Clínica"),
            patient: (part("1"), part("Ana")),
            purpose: part("photography"),
            title: part("Termo"),
            text: part("Texto"),
            version: 1,
            options: vec![(part("ensino"), true)],
            signer: part("Ana"),
            by_patient: true,
            signature: path(),
            at_us: 5,
            clock: Some(ClockQuality { offset_us: 1, uncertainty_ms: 2, measured_at_us: 3 }),
            device: part("d"),
            witness: part("w"),
        };
        assert!(Evidence::decode(&evidence.encode()) == Some(evidence));
        assert!(Evidence::decode(b"{}").is_none());
        assert!(Evidence::decode(&[0xff, 0xd8]).is_none());
    }
}
