//! What the world remembers of every edit a tablet acknowledged: the reference for "nothing is lost".
//!
//! Knows nothing of documents or rules. An edit may be missing only if the last place that held it was taken away by a
//! fault no software can undo: the file was replaced by an older one before the server heard of the edit.

use neonpro_client_core::Edited;
use neonpro_contract::edit::DocumentId;
use neonpro_contract::fate::Fate;
use neonpro_contract::ids::EditId;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// What is known of one edit.
#[derive(Debug, Clone, Default)]
pub struct Known {
    pub tablet: usize,
    pub documents: Vec<DocumentId>,
    pub held: bool,
    pub quarantined: bool,
    pub accepted: bool,
    /// The file it was made in does not hold it any more.
    pub file_gone: bool,
}

/// Every edit.
#[derive(Debug, Default)]
pub struct Ledger {
    pub edits: BTreeMap<EditId, Known>,
    /// Edits no place had any more after a fault.
    pub excused: BTreeSet<EditId>,
    /// Accepted before a restore of the server and not in the backup.
    pub missing_after_restore: BTreeSet<EditId>,
    pub restores: u64,
    /// Reads that were in some tablet's log.
    pub reads: BTreeSet<Uuid>,
}

impl Ledger {
    /// A tablet said that it has it.
    pub fn acknowledged(&mut self, tablet: usize, edited: &Edited) {
        let known = Known { tablet, documents: edited.documents.clone(), ..Known::default() };
        self.edits.insert(edited.edit, known);
    }

    /// The server said what became of it.
    pub fn told(&mut self, edit: EditId, fate: &Fate) {
        let Some(known) = self.edits.get_mut(&edit) else { return };
        match fate {
            Fate::Accepted { .. } | Fate::Duplicate { .. } => known.accepted = true,
            Fate::Held { .. } => known.held = true,
            Fate::Quarantined { .. } => known.quarantined = true,
            Fate::Refused { .. } | Fate::Rebase { .. } => {}
        }
    }

    /// Reads noted on a tablet; whether any is new.
    pub fn read(&mut self, noted: Vec<Uuid>) -> bool {
        let mut any = false;
        for read in noted {
            any |= self.reads.insert(read);
        }
        any
    }

    /// Reads that nobody can have any more.
    pub fn forget_reads<'a>(&mut self, gone: impl IntoIterator<Item = &'a Uuid>) {
        for read in gone {
            self.reads.remove(read);
        }
    }

    /// A tablet's file was replaced by an older one.
    pub fn file_went_back(&mut self, before: &BTreeMap<EditId, i64>, after: &BTreeMap<EditId, i64>) {
        for edit in before.keys().filter(|edit| !after.contains_key(edit)) {
            if let Some(known) = self.edits.get_mut(edit) {
                known.file_gone = true;
            }
        }
    }

    /// The server went back to a backup: these were accepted before, these are still.
    pub fn restored(&mut self, before: &BTreeSet<EditId>, after: &BTreeSet<EditId>) {
        self.restores += 1;
        self.missing_after_restore = before.difference(after).copied().collect();
    }
}
