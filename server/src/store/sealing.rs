//! Sealing what rows, documents and edits hold, and opening it again. The plain form never leaves this module's callers
//! towards the database.

pub(super) mod envelopes;
pub(super) mod intents;
pub(super) mod records;

use super::documents::DocumentState;
use super::{Scoped, StoreError, StoreResult};
use crate::keys::{Place, Sealer, Subject, key_of};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use zstd::bulk::{Compressor, Decompressor};

impl DocumentState {
    /// Whose data it is.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject::of(self.patient, self.purpose)
    }
}

/// Fastest of zstd's levels that count: a history repeats itself, and PostgreSQL cannot compress what is sealed.
const ZSTD_LEVEL: i32 = 1;
/// How a compressed history begins, before its length in four bytes. Automerge's own begin with 0x85.
const COMPRESSED: u8 = 1;

thread_local! {
    /// Making these costs more than what they do to a history of some kilobytes.
    static ZSTD: RefCell<Option<(Compressor<'static>, Decompressor<'static>)>> = const { RefCell::new(None) };
}

fn zstd<T>(
    work: impl FnOnce(&mut Compressor<'static>, &mut Decompressor<'static>) -> io::Result<T>,
) -> Option<T> {
    ZSTD.with_borrow_mut(|made| {
        if made.is_none() {
            *made = Some((Compressor::new(ZSTD_LEVEL).ok()?, Decompressor::new().ok()?));
        }
        let (compressor, decompressor) = made.as_mut()?;
        work(compressor, decompressor).ok()
    })
}

/// The saved histories of documents, sealed.
pub(super) fn snapshots(sealer: &Sealer, documents: &[&DocumentState]) -> StoreResult<Vec<Option<Vec<u8>>>> {
    let seal = |document: &&DocumentState| {
        let Some(plain) = &document.snapshot else { return Ok(None) };
        let packed = pack(plain).ok_or(StoreError::Unreadable("document"))?;
        sealer.seal(document.subject(), Place::Snapshot(document.id), &packed).map(Some)
    };
    documents.iter().map(seal).collect()
}

fn pack(plain: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(plain.len()).ok()?;
    let mut packed = vec![COMPRESSED];
    packed.extend_from_slice(&length.to_be_bytes());
    packed.extend(zstd(|compressor, _| compressor.compress(plain))?);
    Some(packed)
}

fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let Some((&COMPRESSED, rest)) = packed.split_first() else { return Some(packed.to_vec()) };
    let (length, rest) = rest.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    zstd(|_, decompressor| decompressor.decompress(rest, length))
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
            document.snapshot = Some(unpack(&plain).ok_or(StoreError::Unreadable("document"))?);
        }
        Ok(())
    }
}
