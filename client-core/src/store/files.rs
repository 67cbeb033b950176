//! The files around the database: its lock, its sidecar, and setting it aside.
//!
//! The sidecar ties a file to the place it lives in: a copy, or an older file put back, does not match it. Invariant:
//! a file that may hold unsent edits is renamed, never deleted.

use crate::device::{ReplicaKey, hex, unhex};
use crate::error::ReplicaError;
use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The claimed files of an open replica.
#[derive(Debug)]
pub(crate) struct Files {
    sidecar: PathBuf,
    content: Option<Sidecar>,
    // The lock goes when this is dropped.
    lock: File,
}

/// Closing the file is not enough: a process that another thread is just starting has a copy of it until it has started.
impl Drop for Files {
    fn drop(&mut self) {
        // The system releases the lock with the last copy in any case.
        let _ = self.lock.unlock();
    }
}

#[derive(Debug)]
struct Sidecar {
    /// Of the file's key; of the old and the new one while it is changed.
    key_checks: Vec<String>,
    nonces: Vec<[u8; 16]>,
}

/// What the sidecar says of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyCheck {
    /// It is the file's.
    Right,
    /// It is not the file's.
    Wrong,
    /// It is one of two: the key was being changed when the app ended.
    Either,
    /// There is no sidecar.
    Unknown,
}

/// `clinic.db` → `clinic.db.device`.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

impl Files {
    pub fn claim_new(path: &Path) -> Result<Self, ReplicaError> {
        if path.exists() {
            return Err(ReplicaError::Exists);
        }
        Self::claim(path)
    }

    pub fn claim_existing(path: &Path) -> Result<Self, ReplicaError> {
        if !path.exists() {
            return Err(ReplicaError::Missing);
        }
        Self::claim(path)
    }

    fn claim(path: &Path) -> Result<Self, ReplicaError> {
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(beside(path, ".lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ReplicaError::InUse),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let sidecar = beside(path, ".device");
        let content = match std::fs::read_to_string(&sidecar) {
            Ok(text) => read_sidecar(&text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        Ok(Self { sidecar, content, lock })
    }

    /// Whether the key is the file's.
    pub fn key_check(&self, key: &ReplicaKey) -> KeyCheck {
        let Some(content) = &self.content else { return KeyCheck::Unknown };
        match (content.key_checks.contains(&key.check_value()), content.key_checks.len()) {
            (false, _) => KeyCheck::Wrong,
            (true, 1) => KeyCheck::Right,
            (true, _) => KeyCheck::Either,
        }
    }

    /// Values the file's own nonce may have here.
    pub fn nonces(&self) -> &[[u8; 16]] {
        self.content.as_ref().map_or(&[], |content| &content.nonces)
    }

    /// Writes the sidecar anew, through a temporary file.
    pub fn write_sidecar(&mut self, key: &ReplicaKey, nonces: &[[u8; 16]]) -> Result<(), ReplicaError> {
        self.write(Sidecar { key_checks: vec![key.check_value()], nonces: nonces.to_vec() })
    }

    /// Says that the file opens with one of these keys, before it is known with which. On the storage when this returns.
    pub fn write_keys(&mut self, keys: &[&ReplicaKey], nonce: [u8; 16]) -> Result<(), ReplicaError> {
        let key_checks = keys.iter().map(|key| key.check_value()).collect();
        self.write(Sidecar { key_checks, nonces: vec![nonce] })?;
        sync_folder(&self.sidecar)
    }

    fn write(&mut self, content: Sidecar) -> Result<(), ReplicaError> {
        let mut text = format!("{}\n", content.key_checks.join(" "));
        for nonce in &content.nonces {
            text.push_str(&hex(nonce));
            text.push('\n');
        }
        let fresh = beside(&self.sidecar, ".new");
        let mut file = File::create(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, &self.sidecar)?;
        self.content = Some(content);
        Ok(())
    }

    /// Renames the database with its log and sidecar, and returns where it is now.
    pub fn set_aside(&self, path: &Path, now_us: i64) -> Result<PathBuf, ReplicaError> {
        let aside = beside(path, &format!(".set-aside-{now_us}"));
        for suffix in ["", "-wal", "-shm", ".device"] {
            match std::fs::rename(beside(path, suffix), beside(&aside, suffix)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(aside)
    }
}

fn read_sidecar(text: &str) -> Option<Sidecar> {
    let mut lines = text.lines();
    let key_checks = lines.next()?.split(' ').map(str::to_owned).collect();
    let nonces = lines.filter_map(unhex::<16>).collect();
    Some(Sidecar { key_checks, nonces })
}

/// A renamed or removed file is so on the storage.
pub(crate) fn sync_folder(path: &Path) -> Result<(), ReplicaError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    Ok(File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()?)
}
