//! Files of patients on the tablet: kept encrypted beside the replica, sent after records, gone with what names them.
//!
//! Owns the folder of files. Never looks into a file and never decides what may be one. Invariants: a file that counts is on
//! the storage before the replica says so; a row that is deleted took the key of its file with it; an original leaves the
//! tablet only after the server said that it has it.

mod escrow;

use crate::crash;
use crate::error::ReplicaError;
use crate::replica::Replica;
use crate::store::blobs::{self, BlobRow};
use crate::store::files::{beside, sync_folder};
use crate::watch::STATUS;
use neonpro_contract::blob::{Address, chunk_bytes, chunk_count, cipher};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::escrow::{FILE_KEY_SUFFIX, FileKey};
use neonpro_contract::limits::{BLOB_BYTES_MAX, BLOB_CHUNK_BYTES};
use neonpro_contract::time::US_PER_DAY;
use ring::rand::{SecureRandom, SystemRandom};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Bytes of files a tablet keeps before originals the server has make room, oldest first.
const STORE_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// A file of this tablet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobState {
    /// Bytes of the whole file.
    pub size: u64,
    /// All of it is here.
    pub here: bool,
    /// The server has it.
    pub custody: bool,
}

fn folder(replica: &Path) -> PathBuf {
    beside(replica, ".blobs")
}

fn file(replica: &Path, address: &Address) -> PathBuf {
    folder(replica).join(address.hex())
}

/// Removes a replica's files, except those whose keys lie sealed to the clinic beside them: the server lacks them.
pub(crate) fn take_away(replica: &Path) -> Result<(), ReplicaError> {
    let folder = folder(replica);
    let Ok(entries) = folder.read_dir() else { return Ok(()) };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let sealed = name.to_string_lossy().ends_with(FILE_KEY_SUFFIX);
        if !sealed && !beside(&path, FILE_KEY_SUFFIX).exists() {
            std::fs::remove_file(&path)?;
        }
    }
    match std::fs::remove_dir(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::DirectoryNotEmpty => Err(error.into()),
        _ => Ok(()),
    }
}

fn failed<E>(_: E) -> ReplicaError {
    ReplicaError::Bookkeeping("blob")
}

/// Bytes by chance: a key, a nonce.
fn fresh<const N: usize>() -> Result<Zeroizing<[u8; N]>, ReplicaError> {
    let mut bytes = Zeroizing::new([0; N]);
    SystemRandom::new().fill(&mut *bytes).map_err(failed)?;
    Ok(bytes)
}

fn seal(key: &[u8; 32], address: &Address, chunk: u32, plain: &[u8]) -> Result<Vec<u8>, ReplicaError> {
    cipher::seal(key, address, chunk, *fresh()?, plain).ok_or_else(|| failed(()))
}

impl Replica {
    /// Keeps a file, so that an edit may name it by its address. One that is here already stays.
    ///
    /// # Errors
    /// An empty file or one of more than [`BLOB_BYTES_MAX`] bytes, or a storage failure.
    pub fn put_blob(&self, bytes: &[u8], thumb: Option<&[u8]>) -> Result<Address, ReplicaError> {
        let size = bytes.len() as u64;
        let Some(chunks) = chunk_count(size) else {
            return Err(ReplicaError::BlobSize { max: BLOB_BYTES_MAX });
        };
        let address = Address::of(bytes);
        let store = &self.inner.store;
        if let Some(known) = store.read(|conn| blobs::find(conn, &address))?.filter(BlobRow::is_whole) {
            return Ok(known.address);
        }
        let key = fresh()?;
        self.write_file(&address, &key, bytes)?;
        // A file that cannot be sealed to the clinic is kept all the same; the next round tries again.
        if let Err(error) = self.escrow_file(&address, &FileKey { size, key: *key }) {
            tracing::warn!(code = error.code(), "the key of a file is not in escrow");
        }
        crash::point("blob.after_file");
        let (custody, pruned, named) = (false, false, false);
        let added_at = self.inner.clock.now_us();
        store.write(|tx| {
            tx.touch(STATUS);
            blobs::upsert(
                &tx.sql,
                &BlobRow { address, key, size, chunks, custody, pruned, named, added_at },
            )?;
            thumb.map_or(Ok(()), |thumb| blobs::put_thumb(&tx.sql, &address, thumb))
        })?;
        crash::point("blob.after_row");
        Ok(address)
    }

    /// Whole or not at all, and on the storage when it returns.
    fn write_file(&self, address: &Address, key: &[u8; 32], bytes: &[u8]) -> Result<(), ReplicaError> {
        let (folder, path) = (folder(&self.inner.store.path), file(&self.inner.store.path, address));
        make_folder(&folder)?;
        let fresh = beside(&path, ".new");
        let mut file = private().write(true).create(true).truncate(true).open(&fresh)?;
        for (number, chunk) in (0u32..).zip(bytes.chunks(BLOB_CHUNK_BYTES)) {
            file.write_all(&seal(key, address, number, chunk)?)?;
        }
        file.sync_all()?;
        std::fs::rename(&fresh, &path)?;
        sync_folder(&path)
    }

    /// What is known of a file; `None` for one this tablet never heard of.
    ///
    /// # Errors
    /// A storage failure.
    pub fn blob_state(&self, address: &Address) -> Result<Option<BlobState>, ReplicaError> {
        let found = self.inner.store.read(|conn| blobs::find(conn, address))?;
        Ok(found.map(|row| BlobState { size: row.size, here: row.is_whole(), custody: row.custody }))
    }

    /// A file's bytes; `None` while not all of it is here.
    ///
    /// # Errors
    /// A storage failure, or a file somebody changed.
    pub fn read_blob(&self, address: &Address) -> Result<Option<Zeroizing<Vec<u8>>>, ReplicaError> {
        let found = self.inner.store.read(|conn| blobs::find(conn, address))?;
        let Some(row) = found.filter(BlobRow::is_whole) else { return Ok(None) };
        let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(row.size).unwrap_or_default()));
        for chunk in 0..row.chunks {
            bytes.extend_from_slice(&self.read_chunk(&row, chunk)?);
        }
        Ok(Some(bytes))
    }

    /// One chunk of a file that is here.
    pub(crate) fn read_chunk(&self, row: &BlobRow, chunk: u32) -> Result<Zeroizing<Vec<u8>>, ReplicaError> {
        let length = chunk_bytes(row.size, chunk).ok_or(ReplicaError::Damaged)?;
        let mut sealed = Zeroizing::new(vec![0; length.saturating_add(cipher::OVERHEAD_BYTES)]);
        let mut file = File::open(file(&self.inner.store.path, &row.address))?;
        file.seek(SeekFrom::Start(cipher::offset(chunk)))?;
        file.read_exact(&mut sealed)?;
        let plain = cipher::open(&row.key, &row.address, chunk, &mut sealed).ok_or(ReplicaError::Damaged)?;
        Ok(Zeroizing::new(plain.to_vec()))
    }

    /// A small picture of a file.
    ///
    /// # Errors
    /// A storage failure.
    pub fn find_thumb(&self, address: &Address) -> Result<Option<Vec<u8>>, ReplicaError> {
        self.inner.store.read(|conn| blobs::find_thumb(conn, address))
    }

    /// Keeps a small picture of a file that is here.
    ///
    /// # Errors
    /// A storage failure.
    pub fn put_thumb(&self, address: &Address, thumb: &[u8]) -> Result<(), ReplicaError> {
        self.inner.store.write_refetchable(|tx| blobs::put_thumb(&tx.sql, address, thumb))
    }

    /// Asks for a file that was taken off to make room; it comes with the next sync.
    ///
    /// # Errors
    /// A storage failure.
    pub fn ask_for_blob(&self, address: &Address) -> Result<(), ReplicaError> {
        self.inner.store.write(|tx| match blobs::find(&tx.sql, address)? {
            Some(row) if row.pruned => blobs::upsert(&tx.sql, &BlobRow { pruned: false, ..row }),
            _ => Ok(()),
        })
    }

    /// What is to be sent: files the server does not have, with a document that names each.
    pub(crate) fn list_uploads(&self) -> Result<Vec<(BlobRow, DocumentId)>, ReplicaError> {
        self.inner.store.read(|conn| {
            let named = blobs::list_named(conn)?;
            let waiting = blobs::list(conn)?.into_iter().filter(|row| !row.custody && row.is_whole());
            Ok(waiting
                .filter_map(|row| Some((named.get(&row.address).copied()?, row)))
                .map(|(d, r)| (r, d))
                .collect())
        })
    }

    /// What is to be fetched: files that records name and that are not all here, newest record first.
    pub(crate) fn list_downloads(&self) -> Result<Vec<(Address, DocumentId, u32)>, ReplicaError> {
        self.inner.store.read(|conn| {
            let known: BTreeMap<Address, BlobRow> =
                blobs::list(conn)?.into_iter().map(|row| (row.address, row)).collect();
            let mut wanted = Vec::new();
            for (address, document) in blobs::list_named(conn)? {
                match known.get(&address) {
                    Some(row) if row.is_whole() || row.pruned => {}
                    found => wanted.push((address, document, found.map_or(0, |row| row.chunks))),
                }
            }
            // Ids carry the time they were made at.
            wanted.sort_by_key(|(_, document, _)| std::cmp::Reverse(document.record));
            Ok(wanted)
        })
    }

    /// The server has a file.
    pub(crate) fn mark_custody(&self, address: &Address) -> Result<(), ReplicaError> {
        self.inner.store.write(|tx| match blobs::find(&tx.sql, address)? {
            Some(row) => {
                tx.touch(STATUS);
                blobs::upsert(&tx.sql, &BlobRow { custody: true, ..row })
            }
            None => Ok::<_, ReplicaError>(()),
        })?;
        remove(&escrow::key_file(&self.inner.store.path, address))
    }

    /// Keeps a fetched chunk, the next one of its file. A whole file that is not what its address says is thrown away.
    pub(crate) fn append_chunk(
        &self,
        address: &Address,
        (size, chunk): (u64, u32),
        bytes: &[u8],
    ) -> Result<(), ReplicaError> {
        let store = &self.inner.store;
        let row = match store.read(|conn| blobs::find(conn, address))? {
            Some(row) if row.size == size => row,
            _ => {
                let (custody, pruned, named) = (true, false, true);
                let (key, added_at) = (fresh()?, self.inner.clock.now_us());
                BlobRow { address: *address, key, size, chunks: 0, custody, pruned, named, added_at }
            }
        };
        if row.chunks != chunk || chunk_bytes(size, chunk) != Some(bytes.len()) {
            return Ok(());
        }
        let path = file(&store.path, address);
        make_folder(&folder(&store.path))?;
        let mut file = private().write(true).create(true).truncate(false).open(&path)?;
        file.seek(SeekFrom::Start(cipher::offset(chunk)))?;
        file.write_all(&seal(&row.key, address, chunk, bytes)?)?;
        file.sync_all()?;
        sync_folder(&path)?;
        let row = BlobRow { chunks: chunk.saturating_add(1), ..row };
        store.write_refetchable(|tx| {
            if row.is_whole() {
                tx.touch(STATUS);
            }
            blobs::upsert(&tx.sql, &row)
        })?;
        let genuine = match row.is_whole() {
            true => self.read_blob(address)?.is_some_and(|bytes| Address::of(&bytes) == *address),
            false => true,
        };
        if genuine { Ok(()) } else { self.throw_away(std::slice::from_ref(address)) }
    }

    /// Rows first, with the keys; then the files, which nobody can read any more.
    fn throw_away(&self, addresses: &[Address]) -> Result<(), ReplicaError> {
        if addresses.is_empty() {
            return Ok(());
        }
        self.inner
            .store
            .write(|tx| addresses.iter().try_for_each(|address| blobs::purge(&tx.sql, address)))?;
        self.remove_files(addresses)
    }

    fn remove_files(&self, addresses: &[Address]) -> Result<(), ReplicaError> {
        for address in addresses {
            remove(&file(&self.inner.store.path, address))?;
            remove(&escrow::key_file(&self.inner.store.path, address))?;
        }
        Ok(())
    }

    /// Removes files no row knows, which a kill left behind; nobody can read them. Only while nothing is kept.
    pub(crate) fn remove_unknown_files(&self) -> Result<(), ReplicaError> {
        let store = &self.inner.store;
        let Ok(entries) = folder(&store.path).read_dir() else { return Ok(()) };
        let rows = store.read(|conn| blobs::list(conn))?;
        let known: BTreeSet<Address> = rows.iter().map(|row| row.address).collect();
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            let address = Address::from_hex(name.strip_suffix(FILE_KEY_SUFFIX).unwrap_or(name));
            if !address.is_some_and(|address| known.contains(&address) || self.is_of_another(&address)) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Files no record and no edit names any more leave the tablet; those that were never named have a day.
    pub(crate) fn sweep_blobs(&self) -> Result<(), ReplicaError> {
        let store = &self.inner.store;
        let day_ago = self.inner.clock.now_us().saturating_sub(US_PER_DAY);
        let (mut gone, mut named_first) = (Vec::new(), Vec::new());
        store.read(|conn| {
            let rows = blobs::list(conn)?;
            if rows.is_empty() {
                return Ok(());
            }
            let named = blobs::list_named(conn)?;
            for row in rows {
                if named.contains_key(&row.address) {
                    named_first.extend((!row.named).then_some(row));
                } else if (row.named || row.added_at < day_ago) && !blobs::is_in_an_edit(conn, &row.address)?
                {
                    gone.push(row.address);
                }
            }
            Ok::<_, ReplicaError>(())
        })?;
        if !named_first.is_empty() {
            store.write_refetchable(|tx| {
                named_first
                    .iter()
                    .try_for_each(|row| blobs::upsert(&tx.sql, &BlobRow { named: true, ..row.clone() }))
            })?;
        }
        self.throw_away(&gone)?;
        self.escrow_files()?;
        self.make_room(STORE_BYTES_MAX)
    }

    /// Takes originals off that the server has, oldest first, until what is here fits. Small pictures stay.
    pub(crate) fn make_room(&self, bytes_max: u64) -> Result<(), ReplicaError> {
        let store = &self.inner.store;
        let rows = store.read(|conn| blobs::list(conn))?;
        let mut bytes: u64 = rows.iter().filter(|row| row.is_whole()).map(|row| row.size).sum();
        for row in rows.into_iter().filter(|row| row.is_whole() && row.custody) {
            if bytes <= bytes_max {
                break;
            }
            bytes = bytes.saturating_sub(row.size);
            let address = row.address;
            store.write(|tx| blobs::upsert(&tx.sql, &BlobRow { chunks: 0, pruned: true, ..row }))?;
            self.remove_files(&[address])?;
        }
        Ok(())
    }
}

/// One that is gone already is gone.
fn remove(path: &Path) -> Result<(), ReplicaError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn make_folder(folder: &Path) -> Result<(), ReplicaError> {
    if !folder.is_dir() {
        std::fs::create_dir_all(folder)?;
        sync_folder(folder)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
