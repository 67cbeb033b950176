//! What every request shares: the replica, the clock, the door, the sync switch.
//!
//! Owns no data of its own. Never lets SQLite run on the threads that answer requests. Invariant: the sync engine
//! starts and stops here alone.

use crate::failure::Failure;
use crate::guard::Guard;
use crate::handed::Handed;
use neonpro_client_core::{Replica, SyncHandle};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// What a page offers to protect the tablet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockControl {
    /// Nothing: the page is not served behind a lock.
    None,
    /// To choose the first PIN.
    Offer,
    /// To lock.
    Lock,
}

/// The shared state of the tablet's page.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    replica: Replica,
    path: PathBuf,
    guard: Guard,
    sync: Mutex<Option<SyncHandle>>,
    closing: watch::Sender<bool>,
    lock: Mutex<LockControl>,
    handed: Mutex<Option<Handed>>,
}

impl App {
    /// State over an open replica. Without a sync handle the switch does nothing.
    #[must_use]
    pub fn new(replica: Replica, path: PathBuf, guard: Guard, sync: Option<SyncHandle>) -> Self {
        let (sync, closing) = (Mutex::new(sync), watch::Sender::new(false));
        let lock = Mutex::new(LockControl::None);
        let handed = Mutex::new(None);
        Self(Arc::new(Inner { replica, path, guard, sync, closing, lock, handed }))
    }

    /// What pages offer to protect the tablet.
    #[must_use]
    pub fn lock(&self) -> LockControl {
        *self.0.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what pages offer from now on.
    pub fn set_lock(&self, control: LockControl) {
        *self.0.lock.lock().unwrap_or_else(PoisonError::into_inner) = control;
    }

    /// What a patient holds the tablet for, if one does.
    #[must_use]
    pub fn handed(&self) -> Option<Handed> {
        self.0.handed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Hands the tablet to a patient, or takes it back.
    pub fn hand_over(&self, handed: Option<Handed>) {
        *self.0.handed.lock().unwrap_or_else(PoisonError::into_inner) = handed;
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
        self.0.replica.clock().now_us()
    }

    /// Bytes of the replica file and its write-ahead log.
    #[must_use]
    pub fn storage_bytes(&self) -> Option<u64> {
        let bytes = |path: &Path| std::fs::metadata(path).map(|file| file.len());
        let mut log = self.0.path.clone().into_os_string();
        log.push("-wal");
        Some(bytes(&self.0.path).ok()?.saturating_add(bytes(Path::new(&log)).unwrap_or(0)))
    }

    /// Switches sending on or off. Without an engine nothing happens: the page says it is offline.
    pub fn go_online(&self, online: bool) {
        let sync = self.0.sync.lock().unwrap_or_else(PoisonError::into_inner);
        match (sync.as_ref(), online) {
            (Some(sync), true) => sync.go_online(),
            (Some(sync), false) => sync.go_offline(),
            (None, _) => {}
        }
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
        let replica = crate::access::replica(&self.0.replica);
        match tokio::task::spawn_blocking(move || work(&replica)).await {
            Ok(result) => result,
            Err(_) => Err(Failure::Interrupted),
        }
    }

    /// Tells open event streams that the program is closing.
    pub fn close(&self) {
        self.0.closing.send_replace(true);
    }

    /// Ends the sync engine. What it was writing is committed first.
    ///
    /// # Cancel safety
    /// Cancelling leaves the engine ending on its own.
    pub async fn stop_sync(&self) {
        let sync = self.0.sync.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sync) = sync {
            sync.stop().await;
        }
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
