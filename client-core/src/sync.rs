//! The sync engine: push and pull over one WebSocket, without ever holding up a screen.
//!
//! `machine` decides and does no I/O; `driver` does I/O and decides nothing. Invariant: what is told as confirmed was
//! committed here and by the server.

pub(crate) mod apply;
pub(crate) mod audit;
pub(crate) mod backoff;
pub(crate) mod blobs;
pub(crate) mod connect;
pub(crate) mod driver;
pub(crate) mod enrol;
pub(crate) mod fates;
pub(crate) mod http;
pub(crate) mod machine;
pub(crate) mod pull;
pub(crate) mod session;
pub(crate) mod state;
#[cfg(feature = "simulation")]
pub(crate) mod stepped;
pub(crate) mod work;

use crate::replica::Replica;
use driver::{Command, Driver};
use machine::{Machine, Retry};
use state::{SyncReport, SyncState};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// How a sync runs.
#[derive(Debug, Clone)]
pub struct SyncOptions {
    /// Begin connected (or begin by waiting for [`SyncHandle::go_online`]).
    pub online: bool,
    /// How long [`sync_once`] may take.
    pub limit: Duration,
    /// Version of the app, for the fleet view.
    pub app: String,
}

impl Default for SyncOptions {
    fn default() -> Self {
        Self { online: true, limit: Duration::from_secs(300), app: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// A running sync.
#[derive(Debug)]
pub struct SyncHandle {
    commands: mpsc::UnboundedSender<Command>,
    state: watch::Receiver<SyncState>,
    task: JoinHandle<()>,
}

impl SyncHandle {
    /// Disconnects and stays offline. Nothing is lost.
    pub fn go_offline(&self) {
        let _ = self.commands.send(Command::GoOffline);
    }

    /// Connects again, at once.
    pub fn go_online(&self) {
        let _ = self.commands.send(Command::GoOnline);
    }

    /// What the engine is doing.
    #[must_use]
    pub fn state(&self) -> SyncState {
        self.state.borrow().clone()
    }

    /// Waits until the state meets a condition; `None` if the engine ends first.
    ///
    /// # Cancel safety
    /// Cancelling loses nothing.
    pub async fn wait_for(&mut self, condition: impl FnMut(&SyncState) -> bool) -> Option<SyncState> {
        self.state.wait_for(condition).await.ok().map(|state| state.clone())
    }

    /// Ends the sync. What it was writing is committed first.
    ///
    /// # Cancel safety
    /// Cancelling leaves the engine ending on its own.
    pub async fn stop(self) {
        let _ = self.commands.send(Command::Stop);
        let _ = self.task.await;
    }
}

impl Replica {
    /// Starts to sync in the background, on the current Tokio runtime. One engine per replica.
    #[must_use]
    pub fn start_sync(&self, options: SyncOptions) -> SyncHandle {
        self.spawn_sync(&options, Retry::Forever)
    }

    fn spawn_sync(&self, options: &SyncOptions, retry: Retry) -> SyncHandle {
        let (commands, received) = mpsc::unbounded_channel();
        let (publish, state) = watch::channel(SyncState::default());
        let driver = Driver::new(self.clone(), options.app.clone(), received, publish);
        let moving = tokio::spawn(blobs::run(self.clone(), state.clone()));
        let machine = Machine::new(options.online, retry);
        let task = tokio::spawn(async move {
            driver.run(machine).await;
            // It ends by itself: the sender of the state is gone.
            let _ = moving.await;
        });
        SyncHandle { commands, state, task }
    }
}

/// Syncs until everything here is settled and everything there has arrived, or until it fails. For scripts and tests.
///
/// # Cancel safety
/// Cancelling stops the sync; what was committed stays.
pub async fn sync_once(replica: &Replica, options: SyncOptions) -> SyncReport {
    let mut handle = replica.spawn_sync(&SyncOptions { online: true, ..options.clone() }, Retry::Never);
    let done = tokio::time::timeout(options.limit, handle.wait_for(|state| state.quiet || state.ended)).await;
    let state = handle.state();
    handle.stop().await;
    SyncReport {
        settled: state.quiet,
        accepted: state.accepted,
        set_aside: state.set_aside,
        entries: state.entries,
        records: state.records,
        cursor: state.cursor,
        problem: match done {
            Err(_) => Some("timed_out".to_owned()),
            Ok(_) if state.quiet => None,
            Ok(_) => Some(state.problem.unwrap_or_else(|| "disconnected".to_owned())),
        },
    }
}

#[cfg(test)]
mod tests;
