//! Instants. Device time and server time are different types and cannot be compared by accident.
//!
//! Every instant is microseconds since 1970-01-01T00:00:00Z, which is what Postgres keeps. Device time
//! never orders anything by itself: the server's sequence does.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// Microseconds in one millisecond.
pub const US_PER_MS: i64 = 1_000;
/// Microseconds in one second.
pub const US_PER_SECOND: i64 = 1_000_000;
/// Microseconds in one day.
pub const US_PER_DAY: i64 = 86_400 * US_PER_SECOND;

/// An instant read from a tablet's clock, in µs. Only as good as that clock: see [`Capture`].
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct DeviceInstant(#[n(0)] pub i64);

/// An instant read from the server's clock, in µs.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct ServerInstant(#[n(0)] pub i64);

/// When something was captured: a device instant and how far the clock may have been off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capture {
    /// The device's clock, corrected by the last measured offset.
    pub at: DeviceInstant,
    /// Half-width of the interval, in milliseconds.
    pub uncertainty_ms: u32,
}

impl Capture {
    /// The earliest instant (µs) the capture can have happened at.
    #[must_use]
    pub fn earliest_us(&self) -> i64 {
        self.at.0.saturating_sub(i64::from(self.uncertainty_ms).saturating_mul(US_PER_MS))
    }

    /// The latest instant (µs) the capture can have happened at.
    #[must_use]
    pub fn latest_us(&self) -> i64 {
        self.at.0.saturating_add(i64::from(self.uncertainty_ms).saturating_mul(US_PER_MS))
    }
}

impl DeviceInstant {
    /// The capture time used to rank concurrent values: never later than the server's receipt, so a
    /// tablet whose clock runs ahead cannot win every conflict until that time comes.
    #[must_use]
    pub fn clamped(self, merged_at: ServerInstant) -> i64 {
        self.0.min(merged_at.0)
    }
}
