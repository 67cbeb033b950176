//! The server's one clock and its one source of randomness for ids.

use neonpro_contract::ids;
use neonpro_contract::time::ServerInstant;
use ring::rand::{SecureRandom, SystemRandom};
use uuid::Uuid;

/// Now, in µs since the epoch.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one allowed site")]
pub fn now() -> ServerInstant {
    ServerInstant(chrono::Utc::now().timestamp_micros())
}

/// A fresh `UUIDv7`.
#[must_use]
pub fn fresh_id(at: ServerInstant) -> Uuid {
    ids::fresh(at.0, random())
}

/// Random bytes from the operating system. A system without randomness cannot run a server: zeroes then make ids
/// collide visibly instead of silently weakening keys, which use [`try_random`].
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    try_random().unwrap_or([0; N])
}

/// Random bytes for secrets.
///
/// # Errors
/// When the operating system has none.
pub fn try_random<const N: usize>() -> Result<[u8; N], ring::error::Unspecified> {
    let mut bytes = [0u8; N];
    SystemRandom::new().fill(&mut bytes)?;
    Ok(bytes)
}
