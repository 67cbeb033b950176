//! Taking a replica away: when the server says so, after its unsent work is known to be in escrow.
//!
//! Owns what happens to the replica's files, and the receipt. Never touches the key file: whoever owns that destroys it
//! between [`Replica::prepare_wipe`] and [`take_away`]. Invariants: a replica whose unsent work may not be in escrow is set
//! aside whole; the escrow file stays.

use crate::blobs;
use crate::device::hex;
use crate::error::ReplicaError;
use crate::replica::Replica;
use crate::store::files::{Files, beside, sync_folder};
use crate::sync::enrol::{EnrolError, post};
use neonpro_contract::ids::DeviceId;
use neonpro_contract::wire::{ByeCode, wiped_bytes};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long telling the server may take.
const TELL_MAX: Duration = Duration::from_secs(30);

/// What is said about a wipe, before the key that says it is gone.
#[derive(Debug, Clone)]
pub struct WipeReceipt {
    /// The device.
    pub device: DeviceId,
    /// The server, such as `https://sync.example:8443`.
    pub server_url: String,
    /// SHA-256 of the server's certificate (DER), hexadecimal.
    pub pin: String,
    /// Ed25519 over [`wiped_bytes`], hexadecimal.
    pub signature: String,
    /// All unsent work lies sealed in the escrow file, or there is none.
    pub escrowed: bool,
}

/// What became of the replica's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TakenAway {
    /// They are gone.
    Deleted,
    /// They are here, without a key: unsent work is not in escrow.
    SetAside(PathBuf),
    /// There were none.
    Nothing,
}

impl Replica {
    /// Whether the server has told this tablet to wipe.
    ///
    /// # Errors
    /// A closed replica.
    pub fn is_told_to_wipe(&self) -> Result<bool, ReplicaError> {
        Ok(self.inner.store.meta()?.stopped.as_deref() == Some(ByeCode::Wipe.as_str()))
    }

    /// Brings all unsent work into escrow and signs that what follows was done. Changes nothing else.
    ///
    /// # Errors
    /// A closed replica. Escrow that cannot be completed is no error: the receipt says so.
    pub fn prepare_wipe(&self) -> Result<WipeReceipt, ReplicaError> {
        let escrowed = match self.inner.store.ensure_escrow().and_then(|()| self.escrow_files()) {
            Ok(()) => true,
            Err(ReplicaError::Closed) => return Err(ReplicaError::Closed),
            Err(error) => {
                tracing::error!(
                    code = error.code(),
                    "unsent work is not in escrow; the replica will be set aside"
                );
                false
            }
        };
        let identity = &self.inner.store.identity;
        Ok(WipeReceipt {
            device: identity.device,
            server_url: identity.server_url.clone(),
            pin: hex(&identity.pin),
            signature: hex(&identity.signing_key.sign(&wiped_bytes(identity.device))),
            escrowed,
        })
    }

    /// Unsent edits in escrow, and whether none is missing there.
    ///
    /// # Errors
    /// A closed replica.
    pub fn escrowed(&self) -> Result<(usize, bool), ReplicaError> {
        self.inner.store.escrowed()
    }
}

/// Deletes the files of a closed replica, or sets them aside where unsent work is not in escrow. Safe to repeat.
///
/// # Errors
/// It is open, or a storage failure; what is left is taken away the next time.
pub fn take_away(path: &Path, escrowed: bool, now_us: i64) -> Result<TakenAway, ReplicaError> {
    let files = match Files::claim_existing(path) {
        Ok(files) => Some(files),
        Err(ReplicaError::Missing) => None,
        Err(error) => return Err(error),
    };
    let taken = match files {
        Some(files) if !escrowed => TakenAway::SetAside(files.set_aside(path, now_us)?),
        Some(_) => TakenAway::Deleted,
        None => TakenAway::Nothing,
    };
    // Without the database only the clinic can open what is left: files the server lacks.
    blobs::take_away(path)?;
    // The database last: as long as it is there, whoever repeats this knows that there is something left to do.
    for suffix in ["-wal", "-shm", ".device", ".device.new", ""] {
        match std::fs::remove_file(beside(path, suffix)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    sync_folder(path)?;
    let _ = std::fs::remove_file(beside(path, ".lock"));
    Ok(taken)
}

/// Tells the server that it was done.
///
/// # Errors
/// The server is out of reach, or does not know of it.
///
/// # Cancel safety
/// Telling it twice is telling it once.
pub async fn tell_wiped(receipt: &WipeReceipt) -> Result<(), EnrolError> {
    let pin = crate::device::unhex::<32>(&receipt.pin).ok_or(EnrolError::Ticket)?;
    let body = json!({ "device": receipt.device, "signature": receipt.signature }).to_string();
    let told = tokio::time::timeout(TELL_MAX, post(&receipt.server_url, pin, "/wiped", &body)).await;
    match told.map_err(|_| EnrolError::Unreachable("timed_out"))?? {
        (200..=299, _) => Ok(()),
        (status, _) => Err(EnrolError::Refused { code: format!("http_{status}"), detail: String::new() }),
    }
}
