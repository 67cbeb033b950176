//! The merge: the server's heart. Signed edits go in, fates come out, after commit.
//!
//! A push goes to its clinic's queue; one task per clinic drains it as a group commit (many devices' edits, one
//! transaction). The task belongs to nobody's socket: a dropped connection cancels nothing. Invariant: an accepted
//! edit is committed and an ancestor of its documents' heads before anyone hears of it.

mod admit;
mod apart;
mod authority;
mod consents;
mod facts;
mod group;
mod intake;
mod judge;
mod lane;
mod persist;
mod reissue;
mod scope;
pub(crate) mod whose;
mod workspace;

pub use consents::settle_expired;
use group::GroupError;
pub use intake::Incoming;
use lane::{Drain, Job};
pub(crate) use scope::Judged;
pub(crate) use workspace::{OpenDocument, OpenRecord, Workspace};

use crate::actor::Actor;
use crate::admission::Admission;
use crate::clock::Clock;
use crate::store::Store;
use crate::telemetry::Metrics;
use neonpro_contract::ids::{ClinicId, EditId};
use neonpro_contract::limits::MERGE_QUEUE_EDITS_MAX;
use neonpro_contract::wire::EditFate;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot, watch};

/// Pushes waiting per clinic; edits are bounded by the pushes' own size.
const QUEUE_PUSHES: usize = MERGE_QUEUE_EDITS_MAX / neonpro_contract::limits::PUSH_EDITS_MAX;

/// Why a push was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// The clinic's queue is full, or nothing can be admitted: come back later. Nothing was taken.
    #[error("the merge queue is full")]
    Busy,
    /// The database failed. Nothing was taken, or it is not known: push again.
    #[error("the merge could not be committed")]
    Failed,
}

/// Where the fates of a push arrive.
pub type Fates = oneshot::Receiver<Result<Vec<EditFate>, MergeError>>;
type Answer = oneshot::Sender<Result<Vec<EditFate>, MergeError>>;

struct Lane {
    jobs: mpsc::Sender<Job>,
    head: watch::Sender<i64>,
}

/// The merger of every clinic this node serves.
#[derive(Clone)]
pub struct Merger {
    store: Store,
    metrics: Arc<Metrics>,
    admission: Admission,
    clock: Clock,
    lanes: Arc<Mutex<HashMap<ClinicId, Arc<Lane>>>>,
}

impl std::fmt::Debug for Merger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Merger")
    }
}

impl Merger {
    /// A merger over a store that counts what it does and merges what was admitted.
    #[must_use]
    pub fn new(store: Store, metrics: Arc<Metrics>, admission: Admission, clock: Clock) -> Self {
        Self { store, metrics, admission, clock, lanes: Arc::default() }
    }

    /// Queues a device's edits. The receiver gets their fates, in order, after commit; dropping it forgets the answer,
    /// never the work.
    ///
    /// # Errors
    /// [`MergeError::Busy`] when the queue is full: nothing was taken.
    pub fn enqueue(&self, clinic: ClinicId, edits: Vec<Incoming>) -> Result<Fates, MergeError> {
        let (answer, fates) = oneshot::channel();
        match self.lane(clinic).jobs.try_send(Job { edits, answer, suspect: false }) {
            Ok(()) => Ok(fates),
            Err(mpsc::error::TrySendError::Full(_)) => Err(MergeError::Busy),
            Err(mpsc::error::TrySendError::Closed(_)) => {
                // The lane's task died. The tablet pushes again, to a new one; sessions reconnect.
                tracing::error!(%clinic, "a merge lane ended; starting another");
                self.lanes.lock().unwrap_or_else(PoisonError::into_inner).remove(&clinic);
                Err(MergeError::Busy)
            }
        }
    }

    /// Judges one released edit again, and then what was set aside with it; `None` when it is not here or has no content.
    ///
    /// # Errors
    /// [`MergeError::Failed`]: nothing was decided, or it is not known.
    pub async fn look_again(&self, clinic: ClinicId, edit: EditId) -> Result<Option<EditFate>, MergeError> {
        let found = async {
            let mut scoped = self.store.begin(&Actor::system(clinic)).await?;
            let waiting = scoped.find_waiting_edit(edit).await?;
            scoped.rollback().await?;
            match waiting {
                Some(waiting) => {
                    group::release(&self.store, &self.admission, clinic, waiting, self.clock.now()).await
                }
                None => Ok(None),
            }
        };
        let done = found.await.map_err(|error: GroupError| {
            tracing::error!(%clinic, %error, "judging a released edit failed");
            MergeError::Failed
        })?;
        Ok(done.and_then(|done| done.fates.into_iter().next()))
    }

    /// The store it merges into.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Watches a clinic's head. The value is a hint: readers ask the database.
    #[must_use]
    pub fn watch_head(&self, clinic: ClinicId) -> watch::Receiver<i64> {
        self.lane(clinic).head.subscribe()
    }

    /// Wakes the sessions of a clinic, unless this node has already told them of this number: what it merged itself
    /// comes back to it as a notification.
    pub fn wake_at(&self, clinic: ClinicId, seq: i64) {
        let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get(&clinic) {
            tell(&lane.head, seq);
        }
    }

    /// Wakes the sessions of a clinic: something there is for them.
    pub fn wake(&self, clinic: ClinicId) {
        let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get(&clinic) {
            lane.head.send_modify(|_| {});
        }
    }

    /// Wakes every session: a notification may have been lost.
    pub fn wake_all(&self) {
        let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        for lane in lanes.values() {
            // Numbers start anew with a restored database.
            lane.head.send_modify(|seq| *seq = 0);
        }
    }

    fn lane(&self, clinic: ClinicId) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.entry(clinic).or_insert_with(|| {
            let (jobs, queue) = mpsc::channel(QUEUE_PUSHES);
            let lane = Arc::new(Lane { jobs, head: watch::Sender::new(0) });
            let drain = Drain {
                store: self.store.clone(),
                metrics: Arc::clone(&self.metrics),
                admission: self.admission.clone(),
                clock: self.clock.clone(),
                clinic,
                head: lane.head.clone(),
                apart: Mutex::default(),
            };
            tokio::spawn(Arc::new(drain).run(queue));
            lane
        });
        Arc::clone(lane)
    }
}

/// Wakes those who watch a head, if it is news to them: a merge of this node is heard of twice.
fn tell(head: &watch::Sender<i64>, seq: i64) {
    head.send_if_modified(|known| {
        let news = seq > *known;
        *known = seq.max(*known);
        news
    });
}
