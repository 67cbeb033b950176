//! The walk over a clinic's log: every hash is computed again, the end is compared with the head row, and every
//! checkpoint with the entry it speaks of.
//!
//! Reads only. Invariant: a log without findings has exactly the entries its writers wrote up to the newest checkpoint
//! it was compared with; what came after it could still have been rewritten as a whole.

use crate::actor::Actor;
use crate::store::audit::{AuditRow, Place};
use crate::store::{Store, StoreResult};
use neonpro_contract::audit::{ChainHash, Checkpoint, genesis};
use neonpro_contract::ids::ClinicId;
use serde::Serialize;
use std::collections::BTreeMap;

/// Entries read at a time: a few MB.
const PAGE: usize = 5_000;
/// Findings after which nothing more is listed: by then the log as a whole is in doubt.
const FINDINGS_MAX: usize = 100;

/// What is wrong at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tamper {
    /// The entry is not what was written: its text, time, clinic or place changed, or the entry before it did.
    EntryChanged,
    /// The entry is gone; others follow.
    EntryMissing,
    /// The log ends before the place its head row names.
    Truncated,
    /// The head row does not name the log's last entry.
    HeadChanged,
    /// A checkpoint speaks of more entries than the log has: it was cut, or an older copy was put back.
    RolledBack,
    /// A checkpoint speaks of another entry at its place: what came before it was rewritten.
    Rewritten,
    /// The checkpoint itself was not signed by this server's key.
    CheckpointForged,
}

/// A place where the log is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What is wrong.
    pub what: Tamper,
    /// The entry, by number.
    pub seq: i64,
}

/// What the walk found in one clinic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whose log.
    pub clinic: ClinicId,
    /// Entries it has.
    pub entries: i64,
    /// Checkpoints it was compared with.
    pub checkpoints: usize,
    /// Entries up to here were compared with a checkpoint.
    pub proven: i64,
    /// What is wrong, in order of place.
    pub findings: Vec<Finding>,
}

/// Walks a clinic's whole log. `checkpoints` of other clinics are passed over.
///
/// # Errors
/// A database failure.
pub async fn verify_clinic(
    store: &Store,
    clinic: ClinicId,
    checkpoints: &[Checkpoint],
    key: &[u8; 32],
) -> StoreResult<Report> {
    let mut scoped = store.begin_read(&Actor::system(clinic)).await?;
    let head = scoped.find_audit_place().await?;
    let kept = scoped.list_checkpoints(i64::MAX).await?;
    let mut walk = Walk::from(clinic, (0, genesis(clinic)), checkpoints.iter().chain(&kept), key);
    loop {
        let page = scoped.list_audit(walk.last.0, PAGE).await?;
        let read = page.len();
        page.iter().for_each(|row| walk.step(row));
        if read < PAGE {
            break;
        }
    }
    scoped.rollback().await?;
    Ok(walk.finish(head))
}

/// The walk itself, without the database.
#[derive(Debug)]
pub(super) struct Walk {
    clinic: ClinicId,
    /// Last entry read: its number and the hash it is stored with.
    last: Place,
    entries: i64,
    due: BTreeMap<i64, Vec<ChainHash>>,
    checkpoints: usize,
    proven: i64,
    findings: Vec<Finding>,
}

impl Walk {
    /// A walk that begins after a place.
    pub fn from<'a>(
        clinic: ClinicId,
        start: Place,
        checkpoints: impl Iterator<Item = &'a Checkpoint>,
        key: &[u8; 32],
    ) -> Self {
        let mut walk = Self {
            clinic,
            last: start,
            entries: start.0,
            due: BTreeMap::new(),
            checkpoints: 0,
            proven: 0,
            findings: Vec::new(),
        };
        for checkpoint in checkpoints.filter(|checkpoint| checkpoint.clinic == clinic) {
            if checkpoint.is_signed_by(key) {
                walk.due.entry(checkpoint.size).or_default().push(*checkpoint.hash);
                walk.checkpoints = walk.checkpoints.saturating_add(1);
            } else {
                walk.note(Tamper::CheckpointForged, checkpoint.size);
            }
        }
        walk
    }

    /// Takes the next entry.
    pub fn step(&mut self, row: &AuditRow) {
        let expected = self.last.0.saturating_add(1);
        if row.seq != expected {
            self.note(Tamper::EntryMissing, expected);
        }
        if row.entry(self.clinic).hash(&self.last.1) != row.hash {
            // After a gap the chain cannot fit; the gap was told already.
            if row.seq == expected {
                self.note(Tamper::EntryChanged, row.seq);
            }
        }
        // The walk goes on from what is stored, so one changed entry is told once.
        self.last = (row.seq, row.hash);
        self.entries = self.entries.saturating_add(1);
        for hash in self.due.remove(&row.seq).into_iter().flatten() {
            if hash == row.hash {
                self.proven = self.proven.max(row.seq);
            } else {
                self.note(Tamper::Rewritten, row.seq);
            }
        }
    }

    /// Compares the end.
    pub fn finish(mut self, head: Place) -> Report {
        if head.0 > self.last.0 {
            self.note(Tamper::Truncated, self.last.0.saturating_add(1));
        } else if head != self.last {
            self.note(Tamper::HeadChanged, self.last.0);
        }
        for size in std::mem::take(&mut self.due).into_keys() {
            let what = if size > self.last.0 { Tamper::RolledBack } else { Tamper::EntryMissing };
            self.note(what, size);
        }
        self.findings.sort_by_key(|finding| finding.seq);
        self.findings.dedup();
        Report {
            clinic: self.clinic,
            entries: self.entries,
            checkpoints: self.checkpoints,
            proven: self.proven,
            findings: self.findings,
        }
    }

    fn note(&mut self, what: Tamper, seq: i64) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding { what, seq });
        }
    }
}
