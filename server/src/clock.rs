//! The server's one clock and its one source of randomness for ids.
//!
//! A running server reads the time through the [`Clock`] it was given; commands that run once read [`now`].

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use neonpro_contract::ids;
use neonpro_contract::time::ServerInstant;
use ring::rand::{SecureRandom, SystemRandom};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Where a server reads the time and waits for it to pass. Cheap to clone.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> ServerInstant + Send + Sync>,
    sleep: Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>,
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::new(now, tokio::time::sleep)
    }

    /// A clock that says what one function says and waits as long as the other's future takes.
    pub fn new<Sleep: Future<Output = ()> + Send + 'static>(
        now: impl Fn() -> ServerInstant + Send + Sync + 'static,
        sleep: impl Fn(Duration) -> Sleep + Send + Sync + 'static,
    ) -> Self {
        Self { now: Arc::new(now), sleep: Arc::new(move |span| sleep(span).boxed()) }
    }

    /// Now, in µs since the epoch.
    #[must_use]
    pub fn now(&self) -> ServerInstant {
        (self.now)()
    }

    /// Waits.
    ///
    /// # Cancel safety
    /// Cancelling ends the wait.
    pub async fn sleep(&self, span: Duration) {
        (self.sleep)(span).await;
    }

    /// What the future gives within a span of time, or `None`.
    ///
    /// # Cancel safety
    /// That of the future.
    pub async fn within<T>(&self, span: Duration, future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            value = future => Some(value),
            () = self.sleep(span) => None,
        }
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

/// The system's time, in µs since the epoch.
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
