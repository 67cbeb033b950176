//! What every handler and session shares.

use crate::admission::Admission;
use crate::audit::Notary;
use crate::blobs::Blobs;
use crate::clock::Clock;
use crate::erasure::ledger::Ledger;
use crate::merge::Merger;
use crate::moved::Moved;
use crate::store::Store;
use crate::sync::live::LiveSessions;
use crate::telemetry::Metrics;
use std::sync::Arc;
use tokio::sync::watch;

/// What the server keeps outside of PostgreSQL. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outside {
    /// Signs checkpoints of the audits.
    pub notary: Arc<Notary>,
    /// What was erased, for every database that is ever restored.
    pub ledger: Arc<Ledger>,
    /// Files of patients.
    pub blobs: Blobs,
}

/// Shared state. Cheap to clone; holds nothing another node would miss.
#[derive(Debug, Clone)]
pub struct AppState {
    /// The database.
    pub store: Store,
    /// The merge.
    pub merger: Merger,
    /// Clinics whose shares are to be looked at.
    pub moved: Arc<Moved>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// The sessions of this node.
    pub live: LiveSessions,
    /// Files of patients.
    pub blobs: Blobs,
    /// Signs checkpoints of the audits.
    pub notary: Arc<Notary>,
    /// What was erased.
    pub ledger: Arc<Ledger>,
    /// The time.
    pub clock: Clock,
    stop: watch::Receiver<bool>,
}

impl AppState {
    /// Builds the state. `stop` becomes true when the server is stopping.
    #[must_use]
    pub fn new(
        store: Store,
        metrics: Arc<Metrics>,
        Outside { notary, ledger, blobs }: Outside,
        admission: Admission,
        clock: Clock,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let merger = Merger::new(store.clone(), Arc::clone(&metrics), admission, clock.clone());
        let live = LiveSessions::default();
        Self { store, merger, moved: Arc::default(), metrics, live, blobs, notary, ledger, clock, stop }
    }

    /// Resolves when the server is stopping.
    pub async fn stopping(&self) {
        let mut stop = self.stop.clone();
        // The sender lives as long as the server; without it there is nothing left to serve.
        let _ = stop.wait_for(|stopping| *stopping).await;
    }
}
