//! One document on this tablet: what the server has, and what is pending on top of it.
//!
//! Owns no storage. Invariant: the confirmed document only ever holds changes the server has merged; what the screen
//! shows is the confirmed document with the pending changes applied in the order they were made.

use crate::error::ReplicaError;
use crate::store::changes::PendingChange;
use crate::store::documents::{Standing, StoredDocument};
use neonpro_contract::catalogue::Table;
use neonpro_contract::digest::fingerprint;
use neonpro_contract::document::{
    Actor, Clamps, Dispute, Document, DocumentError, EditError, Header, ParsedChange,
};
use neonpro_contract::edit::FieldOp;
use neonpro_contract::edit::{DocumentChange, DocumentId};
use neonpro_contract::row::Row;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::wire::LiveDocument;

/// One document in memory.
pub(crate) struct Working {
    pub id: DocumentId,
    pub table: &'static Table,
    pub epoch: u32,
    pub standing: Standing,
    pub clamps: Clamps,
    /// It has changes beyond its row.
    live: bool,
    confirmed: Document,
    pending: Vec<PendingChange>,
    /// Confirmed and pending together; `None` when it would equal `confirmed` or is not built yet.
    current: Option<Document>,
    /// Pending edits whose change does not fit the confirmed document.
    misfits: Vec<i64>,
    /// Its term in the digest as stored.
    pub fingerprint_before: Option<u128>,
    was_stored: bool,
    was_pending: bool,
}

/// What is to be written about a document.
pub(crate) struct Finished {
    /// Its values; other facets' are null.
    pub row: Row,
    pub disputes: Vec<Dispute>,
    /// Its term in the digest.
    pub fingerprint: Option<u128>,
    /// What must be stored beside the row.
    pub store: Option<StoredDocument>,
}

impl Working {
    /// A document from what is stored about it. `row` holds the confirmed values of a document without pending
    /// changes; `born` says whether the server has the record.
    pub fn new(
        id: DocumentId,
        row: &Row,
        born: bool,
        stored: Option<StoredDocument>,
        pending: Vec<PendingChange>,
    ) -> Result<Self, ReplicaError> {
        let table = row.table();
        let (was_stored, was_pending) = (stored.is_some(), !pending.is_empty());
        let (epoch, standing, clamps, heads, confirmed) = match stored {
            None => {
                let standing = if born { Standing::Server } else { Standing::Here };
                (1, standing, Clamps::new(), Vec::new(), Document::genesis(id, 1, row)?)
            }
            Some(stored) => {
                let confirmed = match &stored.confirmed {
                    Some(bytes) => Document::load(id, bytes)?,
                    None if stored.standing == Standing::Server => Document::genesis(id, stored.epoch, row)?,
                    None => Document::genesis(id, stored.epoch, &Row::empty(table))?,
                };
                (stored.epoch, stored.standing, stored.clamps, stored.heads, confirmed)
            }
        };
        Ok(Self {
            id,
            table,
            epoch,
            standing,
            clamps,
            live: !heads.is_empty(),
            confirmed,
            pending,
            current: None,
            misfits: Vec::new(),
            fingerprint_before: (standing == Standing::Server).then(|| fingerprint(&id, epoch, &heads)),
            was_stored,
            was_pending,
        })
    }

    /// Whether it counts in the digest.
    pub fn is_counted(&self) -> bool {
        self.standing == Standing::Server
    }

    /// Whether changes wait on it.
    pub fn is_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Pending edits whose change does not fit the confirmed document.
    pub fn misfits(&mut self) -> &[i64] {
        self.current();
        &self.misfits
    }

    fn current(&mut self) -> &mut Document {
        if self.pending.is_empty() && self.current.is_none() {
            return &mut self.confirmed;
        }
        let (confirmed, pending, epoch, misfits) =
            (&self.confirmed, &self.pending, self.epoch, &mut self.misfits);
        self.current.get_or_insert_with(|| {
            let mut document = confirmed.clone();
            *misfits = apply_in_order(&mut document, pending, epoch);
            document
        })
    }

    /// Expresses operations on top of what the screen shows.
    pub fn edit(
        &mut self,
        actor: Actor,
        header: &Header,
        create: bool,
        ops: &[FieldOp],
    ) -> Result<DocumentChange, EditError> {
        self.current();
        let document = match &mut self.current {
            Some(current) => current,
            none => none.insert(self.confirmed.clone()),
        };
        let (bytes, _) = document.edit(actor, header, create, ops)?;
        Ok(DocumentChange { document: self.id, epoch: self.epoch, change: bytes.into() })
    }

    /// Counts a change just expressed as pending.
    pub fn push_pending(&mut self, n: i64, change: &DocumentChange) {
        self.pending.push(PendingChange { n, epoch: change.epoch, bytes: change.change.to_vec() });
    }

    /// Forgets the pending changes of an edit; what is shown is built anew.
    pub fn drop_pending(&mut self, n: i64) {
        self.pending.retain(|change| change.n != n);
        self.current = None;
    }

    /// Forgets what was expressed since the pending changes were last counted.
    pub fn discard_uncounted(&mut self) {
        self.current = None;
    }

    /// The server merged a pending edit: its change becomes part of the confirmed document.
    pub fn accept(&mut self, n: i64, merged_at: ServerInstant) -> Result<(), DocumentError> {
        let (accepted, rest) =
            std::mem::take(&mut self.pending).into_iter().partition(|change| change.n == n);
        self.pending = rest;
        let accepted: Vec<PendingChange> = accepted;
        let mut result = if accepted.is_empty() { Err(DocumentError::MissingDependency) } else { Ok(()) };
        for change in accepted {
            let applied = if change.epoch == self.epoch {
                ParsedChange::parse(&change.bytes)
                    .map_err(|_| DocumentError::Unreadable)
                    .and_then(|parsed| self.confirmed.apply(&parsed).map(|()| parsed))
            } else {
                Err(DocumentError::MissingDependency)
            };
            match applied {
                Ok(parsed) => self.note_merged(&parsed, merged_at),
                Err(error) => {
                    self.current = None;
                    result = Err(error);
                }
            }
        }
        if self.pending.is_empty() {
            self.current = None;
        }
        result
    }

    fn note_merged(&mut self, change: &ParsedChange, merged_at: ServerInstant) {
        self.live = true;
        if change.header().capture.at.0 > merged_at.0 {
            self.clamps.insert(change.hash(), merged_at);
        }
    }

    /// Somebody else's change arrived.
    pub fn apply_remote(
        &mut self,
        change: &ParsedChange,
        merged_at: ServerInstant,
    ) -> Result<(), DocumentError> {
        self.confirmed.apply(change)?;
        if let Some(current) = &mut self.current
            && current.apply(change).is_err()
        {
            self.current = None;
        }
        self.standing = Standing::Server;
        self.note_merged(change, merged_at);
        Ok(())
    }

    /// The server's whole document replaces the confirmed one.
    pub fn replace(
        &mut self,
        epoch: u32,
        base: &Row,
        live: Option<&LiveDocument>,
    ) -> Result<(), ReplicaError> {
        self.confirmed = match live {
            Some(live) => load_foreign(self.id, &live.saved)?,
            None => Document::genesis(self.id, epoch, base)?,
        };
        self.clamps = live
            .map(|live| live.clamps.iter().map(|(hash, at)| ((*hash).into(), *at)).collect())
            .unwrap_or_default();
        self.live = live.is_some();
        self.epoch = epoch;
        self.standing = Standing::Server;
        self.current = None;
        Ok(())
    }

    /// The server does not let this tablet have it any more.
    pub fn withdraw(&mut self) -> Result<(), ReplicaError> {
        self.confirmed = Document::genesis(self.id, self.epoch, &Row::empty(self.table))?;
        self.clamps.clear();
        self.live = false;
        self.standing = Standing::Withdrawn;
        self.current = None;
        Ok(())
    }

    /// The server has it no more. Edits that wait may bring it back; until then it is this tablet's alone, and goes with
    /// them when they are set aside.
    pub fn lose(&mut self) -> Result<(), ReplicaError> {
        self.withdraw()?;
        if self.is_pending() {
            self.standing = Standing::Here;
        }
        Ok(())
    }

    /// Writes what the screen shows into the row; returns what is disputed.
    pub fn project(&mut self, row: &mut Row) -> Result<Vec<Dispute>, ReplicaError> {
        self.current();
        let document = self.current.as_mut().unwrap_or(&mut self.confirmed);
        Ok(document.project(&self.clamps, row)?)
    }

    /// Everything there is to write about it. Needs no storage, so many documents are finished side by side.
    pub fn finish(&mut self, record_stays: bool) -> Result<Finished, ReplicaError> {
        let mut row = Row::empty(self.table);
        let disputes = self.project(&mut row)?;
        Ok(Finished { row, disputes, fingerprint: self.fingerprint(), store: self.storable(record_stays) })
    }

    fn live_heads(&mut self) -> Vec<[u8; 32]> {
        if self.live { self.confirmed.heads() } else { Vec::new() }
    }

    /// Its term in the digest now.
    fn fingerprint(&mut self) -> Option<u128> {
        let heads = self.live_heads();
        self.is_counted().then(|| fingerprint(&self.id, self.epoch, &heads))
    }

    /// What must be stored about it; `None` when its row says everything. `record_stays` tells whether the record has
    /// a row.
    fn storable(&mut self, record_stays: bool) -> Option<StoredDocument> {
        let needed = self.live || self.epoch > 1 || self.is_pending() || self.standing == Standing::Withdrawn;
        if !needed || !record_stays {
            return None;
        }
        let confirmed =
            (self.is_counted() && (self.live || self.is_pending())).then(|| self.confirmed.save());
        Some(StoredDocument {
            epoch: self.epoch,
            standing: self.standing,
            confirmed,
            heads: self.live_heads(),
            clamps: self.clamps.clone(),
        })
    }

    /// Whether changes waited on it that wait no more.
    pub fn is_left(&self) -> bool {
        self.was_pending && !self.is_pending()
    }

    /// Whether something is stored about it.
    pub fn was_stored(&self) -> bool {
        self.was_stored
    }
}

/// Applies changes until no more of them fit; returns the edits of those that do not. A change re-expressed after a
/// later one was made may build on it, hence more than one round.
fn apply_in_order(document: &mut Document, pending: &[PendingChange], epoch: u32) -> Vec<i64> {
    let mut left: Vec<&PendingChange> = pending.iter().collect();
    loop {
        let before = left.len();
        left.retain(|change| {
            let fits = change.epoch == epoch
                && ParsedChange::parse(&change.bytes).is_ok_and(|parsed| document.apply(&parsed).is_ok());
            !fits
        });
        if left.is_empty() || left.len() == before {
            return left.into_iter().map(|change| change.n).collect();
        }
    }
}

/// Loads a document the server sent. Its decoder trusts its input: a panic counts as unreadable.
fn load_foreign(id: DocumentId, bytes: &[u8]) -> Result<Document, DocumentError> {
    std::panic::catch_unwind(|| Document::load(id, bytes)).unwrap_or(Err(DocumentError::Unreadable))
}

/// Live heads of a document the server sent, for the digest.
pub(crate) fn foreign_heads(id: DocumentId, live: &LiveDocument) -> Result<Vec<[u8; 32]>, DocumentError> {
    load_foreign(id, &live.saved).map(|mut document| document.heads())
}
