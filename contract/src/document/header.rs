//! The header of a change: who, when, what they had seen. It rides in the change's message and time, so the
//! change's hash covers it and every replica computes the same answers from it.

use crate::ids::{AuthorId, EditId};
use crate::time::{Capture, DeviceInstant};
use uuid::Uuid;

/// Header of one change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The edit the change belongs to.
    pub edit: EditId,
    /// Its author.
    pub author: AuthorId,
    /// When it was captured.
    pub capture: Capture,
    /// Feed cursor of the device at capture.
    pub seen_seq: i64,
}

impl Header {
    /// The message text: `edit.author.uncertainty.seen`, hexadecimal.
    #[must_use]
    pub fn message(&self) -> String {
        format!(
            "{}.{}.{:x}.{:x}",
            self.edit.0.simple(),
            self.author.0.simple(),
            self.capture.uncertainty_ms,
            self.seen_seq
        )
    }

    /// Reads a header from a change's message and time (µs).
    #[must_use]
    pub fn parse(message: &str, time_us: i64) -> Option<Self> {
        let mut parts = message.split('.');
        let edit = Uuid::try_parse(parts.next()?).ok()?;
        let author = Uuid::try_parse(parts.next()?).ok()?;
        let uncertainty_ms = u32::from_str_radix(parts.next()?, 16).ok()?;
        // Written as two's complement: -1 is a tablet that has not synced yet.
        let seen_seq = u64::from_str_radix(parts.next()?, 16).ok()?.cast_signed();
        let header = Self {
            edit: EditId(edit),
            author: AuthorId(author),
            capture: Capture { at: DeviceInstant(time_us), uncertainty_ms },
            seen_seq,
        };
        // One spelling only: a header that reads back differently is forged.
        (parts.next().is_none() && header.message() == message).then_some(header)
    }
}
