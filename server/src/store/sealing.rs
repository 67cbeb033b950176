//! Sealing what rows, documents and edits hold, and opening it again. The plain form never leaves this module's callers
//! towards the database.

pub(super) mod envelopes;
pub(super) mod intents;
pub(super) mod records;

use super::documents::DocumentState;
use super::{Scoped, StoreError, StoreResult};
use crate::keys::{Place, Sealer, Subject, key_of};
use std::collections::BTreeSet;

impl DocumentState {
    /// Whose data it is.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject::of(self.patient, self.purpose)
    }
}

/// The saved histories of documents, sealed.
pub(super) fn snapshots(sealer: &Sealer, documents: &[&DocumentState]) -> StoreResult<Vec<Option<Vec<u8>>>> {
    let seal = |document: &&DocumentState| {
        let plain = document.snapshot.as_ref();
        plain.map(|plain| sealer.seal(document.subject(), Place::Snapshot(document.id), plain)).transpose()
    };
    documents.iter().map(seal).collect()
}

impl Scoped {
    /// Opens the saved histories of documents as they were read.
    pub(super) async fn open_snapshots(&mut self, documents: &mut [DocumentState]) -> StoreResult<()> {
        let numbers: BTreeSet<i64> =
            documents.iter().filter_map(|document| document.snapshot.as_deref().and_then(key_of)).collect();
        if numbers.is_empty() {
            return Ok(());
        }
        let opener = self.opener(numbers).await?;
        for document in documents {
            let Some(sealed) = &document.snapshot else { continue };
            let opened = opener.open(Place::Snapshot(document.id), sealed)?;
            // Rows of a destroyed key are deleted with it.
            let plain = opened.ok_or(StoreError::Missing("key of a document"))?;
            document.snapshot = Some(plain.to_vec());
        }
        Ok(())
    }
}
