//! Edits as they are kept: the signed outline in the clear, every change sealed for whom it is about.
//!
//! So the signature verifies without any key, what remains of an edit after an erasure is still provably its author's,
//! and what was erased is not there.

use crate::keys::{Opener, Place, Sealer, Subject, key_of};
use crate::store::{Scoped, StoreError, StoreResult};
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use neonpro_contract::edit::{DocumentId, Envelope, Outline, decode_envelope};
use std::collections::BTreeSet;
use uuid::Uuid;

/// An edit's envelope in the database. A part that was erased is empty.
#[derive(Debug, Clone, Encode, Decode)]
#[cbor(array)]
pub(crate) struct KeptEnvelope {
    #[n(0)]
    pub outline: Outline,
    #[n(1)]
    pub parts: Vec<ByteVec>,
}

/// Which of an edit's two envelopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Signed,
    Reissued,
}

impl Which {
    fn place(self, edit: Uuid, position: usize) -> Place<'static> {
        match self {
            Self::Signed => Place::Change(edit, position),
            Self::Reissued => Place::Reissued(edit, position),
        }
    }
}

/// Seals an envelope, each change for the subject of its document.
pub(crate) fn seal(
    sealer: &Sealer,
    which: Which,
    envelope: &[u8],
    subject: impl Fn(DocumentId) -> Option<Subject>,
) -> StoreResult<Vec<u8>> {
    let unreadable = || StoreError::Unreadable("sync.edits");
    let read = decode_envelope(envelope).ok_or_else(unreadable)?;
    let mut parts = Vec::with_capacity(read.changes.len());
    for (position, change) in read.changes.iter().enumerate() {
        let subject = subject(change.document).ok_or_else(unreadable)?;
        parts.push(sealer.seal(subject, which.place(read.edit.0, position), &change.change)?.into());
    }
    minicbor::to_vec(KeptEnvelope { outline: Outline::of(&read), parts }).map_err(|_| unreadable())
}

impl KeptEnvelope {
    /// Reads what is kept.
    pub fn read(bytes: &[u8]) -> StoreResult<Self> {
        minicbor::decode(bytes).map_err(|_| StoreError::Unreadable("sync.edits"))
    }

    /// The key a part takes.
    pub fn number(&self, position: usize) -> Option<i64> {
        self.parts.get(position).and_then(|part| key_of(part))
    }

    /// Keys its parts take.
    pub fn numbers(&self) -> impl Iterator<Item = i64> + '_ {
        self.parts.iter().filter_map(|part| key_of(part))
    }

    /// The change at a position; `None` if it was erased.
    pub fn change(&self, opener: &Opener, which: Which, position: usize) -> StoreResult<Option<Vec<u8>>> {
        let unreadable = || StoreError::Unreadable("sync.edits");
        let part = self.parts.get(position).ok_or_else(unreadable)?;
        if part.is_empty() {
            return Ok(None);
        }
        let edit = self.outline.envelope().edit.0;
        let Some(plain) = opener.open(which.place(edit, position), part)? else { return Ok(None) };
        if self.outline.covers(position, &plain) { Ok(Some(plain.to_vec())) } else { Err(unreadable()) }
    }

    /// The whole envelope; `None` if a part of it was erased.
    pub fn whole(&self, opener: &Opener, which: Which) -> StoreResult<Option<Envelope>> {
        let changes = (0..self.parts.len()).map(|position| self.change(opener, which, position));
        let changes: Option<Vec<Vec<u8>>> = changes.collect::<StoreResult<_>>()?;
        Ok(changes.and_then(|changes| self.outline.complete(changes)))
    }
}

impl Scoped {
    /// Opens envelopes as they were read, into the bytes a tablet sent; empty where a part was erased.
    pub(crate) async fn open_envelopes(
        &mut self,
        which: Which,
        kept: &mut [&mut Vec<u8>],
    ) -> StoreResult<()> {
        let mut read = Vec::with_capacity(kept.len());
        let mut numbers = BTreeSet::new();
        for bytes in kept.iter() {
            let envelope = if bytes.is_empty() { None } else { Some(KeptEnvelope::read(bytes)?) };
            numbers.extend(envelope.iter().flat_map(KeptEnvelope::numbers));
            read.push(envelope);
        }
        let opener = self.opener(numbers).await?;
        for (bytes, envelope) in kept.iter_mut().zip(read) {
            let whole = envelope.map(|envelope| envelope.whole(&opener, which)).transpose()?.flatten();
            let written = whole.map(minicbor::to_vec).transpose();
            **bytes = written.map_err(|_| StoreError::Unreadable("sync.edits"))?.unwrap_or_default();
        }
        Ok(())
    }
}
