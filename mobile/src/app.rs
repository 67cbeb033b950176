//! What every request shares: the replica, the clock, the door, the sync switch.
//!
//! Owns no data of its own. Never lets SQLite run on the threads that answer requests. Invariant: the sync engine
//! starts and stops here alone.

use crate::failure::Failure;
use crate::guard::Guard;
use neonpro_client_core::{Clock, Replica, SyncHandle};
use std::sync::Arc;
use tokio::sync::watch;

/// The shared state of the tablet's page.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    replica: Replica,
    clock: Clock,
    guard: Guard,
    sync: Option<SyncHandle>,
    closing: watch::Sender<bool>,
}

impl App {
    /// State over an open replica. Without a sync handle the switch does nothing.
    #[must_use]
    pub fn new(replica: Replica, clock: Clock, guard: Guard, sync: Option<SyncHandle>) -> Self {
        Self(Arc::new(Inner { replica, clock, guard, sync, closing: watch::Sender::new(false) }))
    }

    /// The door.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        &self.0.guard
    }

    /// The replica.
    #[must_use]
    pub fn replica(&self) -> &Replica {
        &self.0.replica
    }

    /// The time, µs.
    #[must_use]
    pub fn now_us(&self) -> i64 {
        self.0.clock.now_us()
    }

    /// The sync engine, if it was started.
    #[must_use]
    pub fn sync(&self) -> Option<&SyncHandle> {
        self.0.sync.as_ref()
    }

    /// Reads or writes the replica on a thread that may wait for it.
    ///
    /// # Errors
    /// What the work reports, or that its thread ended early.
    ///
    /// # Cancel safety
    /// Cancelling leaves the work running to its end: an edit is written whole or not at all.
    pub async fn work<T, F>(&self, work: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&Replica) -> Result<T, Failure> + Send + 'static,
    {
        let replica = self.0.replica.clone();
        match tokio::task::spawn_blocking(move || work(&replica)).await {
            Ok(result) => result,
            Err(_) => Err(Failure::Interrupted),
        }
    }

    /// Tells open event streams that the program is closing.
    pub fn close(&self) {
        self.0.closing.send_replace(true);
    }

    /// Resolves once [`App::close`] was called.
    ///
    /// # Cancel safety
    /// Cancelling loses nothing.
    pub async fn closed(&self) {
        let mut closing = self.0.closing.subscribe();
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = closing.wait_for(|closing| *closing).await;
    }
}
