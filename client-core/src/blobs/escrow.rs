//! Keys of files the server does not have, each sealed to the clinic beside its file.
//!
//! A tablet that loses its key loses no photograph: `neonpro-server recover-outbox --files` opens these. Nothing here fails
//! the keeping of a file. Invariant: what the server has, lies here without a sealed key.

use super::{file, make_folder, private, remove};
use crate::error::ReplicaError;
use crate::replica::Replica;
use crate::store::blobs::{self, BlobRow};
use crate::store::escrow::seal_file_key;
use crate::store::files::{beside, sync_folder};
use neonpro_contract::blob::Address;
use neonpro_contract::escrow::{FILE_KEY_SUFFIX, FileKey, Header, SealedFileKey};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Where the sealed key of a file lies.
pub(super) fn key_file(replica: &Path, address: &Address) -> PathBuf {
    beside(&file(replica, address), FILE_KEY_SUFFIX)
}

impl Replica {
    /// Whom this tablet seals to; `None` while the clinic's key is unknown.
    fn escrow_header(&self) -> Result<Option<Header>, ReplicaError> {
        let identity = &self.inner.store.identity;
        let key = self.inner.store.meta()?.escrow_key;
        Ok(key.map(|public_key| Header { clinic: identity.clinic, device: identity.device, public_key }))
    }

    /// Seals the key of a file that is about to be kept.
    pub(super) fn escrow_file(&self, address: &Address, key: &FileKey) -> Result<(), ReplicaError> {
        match self.escrow_header()? {
            Some(header) => self.write_key(&header, address, key),
            None => Ok(()),
        }
    }

    fn write_key(&self, header: &Header, address: &Address, key: &FileKey) -> Result<(), ReplicaError> {
        let path = key_file(&self.inner.store.path, address);
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        let fresh = beside(&path, ".new");
        let mut file = private().write(true).create(true).truncate(true).open(&fresh)?;
        file.write_all(&seal_file_key(header, address, key)?)?;
        file.sync_all()?;
        std::fs::rename(&fresh, &path)?;
        sync_folder(&path)
    }

    /// Seals what is not sealed to the clinic's key of now, and takes away what the server has.
    ///
    /// # Errors
    /// A storage failure, or files without a clinic's key to seal to.
    pub(crate) fn escrow_files(&self) -> Result<(), ReplicaError> {
        let store = &self.inner.store;
        let rows = store.read(|conn| blobs::list(conn))?;
        let header = self.escrow_header()?;
        for row in &rows {
            let path = key_file(&store.path, &row.address);
            if row.custody {
                remove(&path)?;
                continue;
            }
            if !row.is_whole() {
                continue;
            }
            let header = header.ok_or(ReplicaError::Bookkeeping("escrow"))?;
            let lies = std::fs::read(&path).unwrap_or_default();
            if SealedFileKey::read(&lies).is_none_or(|sealed| sealed.header != header) {
                self.write_key(&header, &row.address, &key_of(row))?;
            }
        }
        Ok(())
    }

    /// Whether a file nobody here knows is another device's, which a wipe left for the clinic.
    pub(super) fn is_of_another(&self, address: &Address) -> bool {
        let lies = std::fs::read(key_file(&self.inner.store.path, address)).unwrap_or_default();
        SealedFileKey::read(&lies)
            .is_some_and(|sealed| sealed.header.device != self.inner.store.identity.device)
    }
}

fn key_of(row: &BlobRow) -> FileKey {
    FileKey { size: row.size, key: *row.key }
}
