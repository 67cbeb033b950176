//! The façade: one replica, shared by screens and the sync engine.
//!
//! Every method is a short blocking call on the local file; nothing here touches the network.

pub(crate) mod access;
pub(crate) mod attention;
pub(crate) mod consent;
pub(crate) mod people;
pub(crate) mod query;
pub(crate) mod read;
pub(crate) mod salvage;
pub(crate) mod scope;
pub(crate) mod status;

use crate::clock::Clock;
use crate::crash;
use crate::device::{Identity, ReplicaKey};
use crate::draft::Draft;
use crate::edit::{self, Edited, Given};
use crate::error::{EditRejected, ReplicaError};
use crate::store::Store;
use crate::sync::state::SyncState;
use crate::watch::Watch;
use neonpro_contract::digest::Digest;
use neonpro_contract::ids::{AuthorId, EditId, RecordId, fresh};
use neonpro_contract::row::Row;
use neonpro_contract::time::Capture;
use serde_json::Value as Json;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, watch};

/// A clinic on this tablet. Cheap to clone; all clones are the same replica.
#[derive(Clone)]
pub struct Replica {
    pub(crate) inner: Arc<Inner>,
    /// In whose name reads are logged.
    reader: Option<AuthorId>,
    /// Reads what it needs to take an edit, also when the lease is over.
    capturing: bool,
}

pub(crate) struct Inner {
    pub store: Store,
    pub clock: Clock,
    /// Told when something was put into the outbox.
    pub outbox: Notify,
    /// What the sync engine is doing.
    pub sync: watch::Sender<SyncState>,
    /// Scope bundles whose signature was looked at.
    pub verified: Mutex<scope::Verified>,
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Replica({})", self.inner.store.identity.device)
    }
}

impl Replica {
    /// Makes a new, empty replica.
    ///
    /// # Errors
    /// A file at this path, or a storage failure.
    pub fn create(
        path: impl AsRef<Path>,
        key: ReplicaKey,
        identity: Identity,
        clock: Clock,
    ) -> Result<Self, ReplicaError> {
        let store = Store::create(path.as_ref(), &key, &identity, clock.random())?;
        Ok(Self::assemble(store, clock))
    }

    /// Opens a replica. A damaged file is set aside whole and its new place is told; a copied or restored one takes a
    /// new generation and [`Replica::status`] says so.
    ///
    /// # Errors
    /// No file, a key that does not fit, a file that is open elsewhere, damaged or of a newer app.
    pub fn open(path: impl AsRef<Path>, key: ReplicaKey, clock: Clock) -> Result<Self, ReplicaError> {
        let store = Store::open(path.as_ref(), &key, clock.random(), clock.now_us())?;
        let replica = Self::assemble(store, clock);
        if let Err(error) = replica.remove_unknown_files() {
            tracing::warn!(code = error.code(), "files that a kill left behind were not removed");
        }
        Ok(replica)
    }

    fn assemble(store: Store, clock: Clock) -> Self {
        // The first look of this life: what passes from here on counts, whatever the clock showed before.
        store.lease.observe(clock.now_us(), false);
        let (sync, _) = watch::channel(SyncState::default());
        let inner = Arc::new(Inner { store, clock, outbox: Notify::new(), sync, verified: Mutex::default() });
        Self { inner, reader: None, capturing: false }
    }

    /// Who this tablet is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity::clone(&self.inner.store.identity)
    }

    /// The clock the replica was given.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.inner.clock.clone()
    }

    /// An id for a record about to be created.
    #[must_use]
    pub fn new_record_id(&self) -> RecordId {
        RecordId(fresh(self.inner.clock.now_us(), self.inner.clock.random()))
    }

    /// Takes one thing a person did, in one transaction: durable, shown and queued when this returns.
    ///
    /// # Errors
    /// What does not fit; nothing was written then.
    pub fn edit(&self, draft: Draft) -> Result<Edited, EditRejected> {
        self.edit_captured(&draft, None)
    }

    pub(crate) fn edit_captured(
        &self,
        draft: &Draft,
        capture: Option<Capture>,
    ) -> Result<Edited, EditRejected> {
        let edited = self.inner.store.write(|tx| {
            let mut fresh = || self.new_record_id();
            edit::perform(tx, draft, self.given(&mut fresh, capture))
        })?;
        crash::point("edit.after_commit");
        self.inner.outbox.notify_one();
        Ok(self.shown(edited))
    }

    /// An edit as it may be shown: while the lease is over it is taken, and nothing of the record is told.
    fn shown(&self, mut edited: Edited) -> Edited {
        if self.readable().is_err() {
            for changed in &mut edited.records {
                changed.row = Row::empty(changed.row.table());
            }
        }
        edited
    }

    pub(crate) fn given<'a>(
        &self,
        fresh_record: &'a mut dyn FnMut() -> RecordId,
        capture: Option<Capture>,
    ) -> Given<'a> {
        let (clock, now_us) = (&self.inner.clock, self.inner.clock.now_us());
        let edit = EditId(fresh(now_us, clock.random()));
        Given { now_us, edit, fresh: fresh_record, capture, again: None }
    }

    /// Creates a record whose fields may serve several purposes: one edit per purpose, all or none.
    ///
    /// # Errors
    /// What does not fit; nothing was written then.
    pub fn create_record<'a>(
        &self,
        author: AuthorId,
        table: &str,
        values: impl IntoIterator<Item = (&'a str, Json)>,
    ) -> Result<Vec<Edited>, EditRejected> {
        let record = self.new_record_id();
        self.edit_each(&Draft::new(author).create_as(table, record, values))
    }

    /// Changes fields of a record: one edit per purpose, all or none. Sets gain members, objects merge.
    ///
    /// # Errors
    /// What does not fit; nothing was written then.
    pub fn update_record<'a>(
        &self,
        author: AuthorId,
        table: &str,
        record: RecordId,
        values: impl IntoIterator<Item = (&'a str, Json)>,
    ) -> Result<Vec<Edited>, EditRejected> {
        let draft = values
            .into_iter()
            .fold(Draft::new(author), |draft, (field, value)| draft.put(table, record, field, value));
        self.edit_each(&draft)
    }

    /// Takes a draft as one edit per facet it touches.
    fn edit_each(&self, draft: &Draft) -> Result<Vec<Edited>, EditRejected> {
        let edited = self.inner.store.write(|tx| {
            let mut edited = Vec::new();
            for part in edit::plan::per_facet(draft)? {
                let mut fresh = || self.new_record_id();
                match edit::perform(tx, &part, self.given(&mut fresh, None)) {
                    Ok(done) => edited.push(done),
                    Err(EditRejected::NothingToDo) => {}
                    Err(error) => return Err(error),
                }
            }
            if edited.is_empty() { Err(EditRejected::NothingToDo) } else { Ok(edited) }
        })?;
        crash::point("edit.after_commit");
        self.inner.outbox.notify_one();
        Ok(edited.into_iter().map(|edited| self.shown(edited)).collect())
    }

    /// Tells when any of these tables change; all of them for an empty list. Also [`crate::STATUS`],
    /// [`crate::ATTENTION`] and [`crate::CONFLICTS`].
    #[must_use]
    pub fn watch(&self, tables: &[&str]) -> Watch {
        self.inner.store.publisher.watch(tables)
    }

    /// Sum over the documents the server has confirmed.
    ///
    /// # Errors
    /// A closed replica.
    pub fn digest(&self) -> Result<Digest, ReplicaError> {
        Ok(self.inner.store.meta()?.digest)
    }

    /// Checks the whole file. Slow; for maintenance.
    ///
    /// # Errors
    /// A damaged file.
    pub fn check(&self) -> Result<(), ReplicaError> {
        self.inner.store.check()
    }

    /// Moves the write-ahead log into the file, as when the app goes to the background.
    ///
    /// # Errors
    /// A storage failure.
    pub fn checkpoint(&self) -> Result<(), ReplicaError> {
        self.inner.store.checkpoint().map(drop)
    }

    /// Gives the file another key, for all clones. Until this returned, keep both: after a crash one of them opens it. When it
    /// fails the file has its old key. Takes as long as writing the whole file twice, and as much room again.
    ///
    /// # Errors
    /// Somebody reads for too long, or a storage failure.
    pub fn rekey(&self, old: &ReplicaKey, new: &ReplicaKey) -> Result<(), ReplicaError> {
        self.inner.store.rekey(old, new)
    }

    /// Closes the file, for all clones. Later calls fail with `closed`.
    ///
    /// # Errors
    /// A storage failure while closing.
    pub fn close(&self) -> Result<(), ReplicaError> {
        self.inner.store.close()
    }
}

#[cfg(test)]
mod tests;
