//! What a tablet does when its server says that it is to destroy what it holds.
//!
//! Owns the order: unsent work into escrow, a note of what is being done, the key file, the replica, the server's receipt.
//! The note lies beside the replica, holds no secret, and lets another life of the program go on where this one ended.
//! Invariants: the key is destroyed only after the note is on the storage; the escrow file is never touched.

use crate::key_file;
use neonpro_client_core::{EnrolError, Replica, ReplicaError, TakenAway, WipeReceipt, take_away, tell_wiped};
use neonpro_contract::ids::DeviceId;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Why a wipe is not done yet.
#[derive(Debug, thiserror::Error)]
pub enum WipeError {
    /// The note or the key file.
    #[error("the key file or the note beside the replica failed")]
    Io(#[from] std::io::Error),
    /// The replica.
    #[error("the replica failed")]
    Replica(#[from] ReplicaError),
}

/// What was done, and what is left to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Note {
    device: DeviceId,
    clinic_name: String,
    server_url: String,
    pin: String,
    signature: String,
    /// When it began, µs.
    pub began_at_us: i64,
    /// Unsent work lies in the escrow file.
    pub escrowed: bool,
    /// Key and replica are gone.
    pub done: bool,
    /// The server has been told.
    pub told: bool,
}

impl Note {
    /// The clinic the tablet belonged to.
    #[must_use]
    pub fn clinic_name(&self) -> &str {
        &self.clinic_name
    }
}

fn path_of(replica: &Path) -> PathBuf {
    let mut name = replica.as_os_str().to_owned();
    name.push(".wiped");
    PathBuf::from(name)
}

/// The note beside a replica, if it was told to wipe.
#[must_use]
pub fn find(replica: &Path) -> Option<Note> {
    serde_json::from_slice(&std::fs::read(path_of(replica)).ok()?).ok()
}

/// Forgets a wipe that is over: the tablet is enrolled anew.
///
/// # Errors
/// A storage failure.
pub fn forget(replica: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path_of(replica)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn write(replica: &Path, note: &Note) -> Result<(), WipeError> {
    let bytes = serde_json::to_vec_pretty(note).map_err(std::io::Error::other)?;
    Ok(key_file::replace_beside(&path_of(replica), &bytes)?)
}

/// Wipes an open replica, whose engine has been stopped.
///
/// # Errors
/// What failed; the next life of the program goes on from there.
pub fn wipe(replica: &Replica, path: &Path, key_file: &Path) -> Result<Note, WipeError> {
    let receipt = replica.prepare_wipe()?;
    let note = Note {
        device: receipt.device,
        clinic_name: replica.identity().clinic_name,
        server_url: receipt.server_url,
        pin: receipt.pin,
        signature: receipt.signature,
        began_at_us: replica.clock().now_us(),
        escrowed: receipt.escrowed,
        done: false,
        told: false,
    };
    write(path, &note)?;
    if let Err(error) = replica.close() {
        tracing::warn!(code = error.code(), "the replica did not close cleanly before it was wiped");
    }
    finish(note, path, key_file)
}

/// Goes on with a wipe: keys first, then the replica. Safe to repeat.
///
/// # Errors
/// What failed; the next try goes on from there.
pub fn finish(mut note: Note, path: &Path, key_file: &Path) -> Result<Note, WipeError> {
    if note.done {
        return Ok(note);
    }
    key_file::destroy(key_file)?;
    if let TakenAway::SetAside(aside) = take_away(path, note.escrowed, note.began_at_us)? {
        tracing::error!(path = %aside.display(), "a replica whose unsent work is not in escrow was set aside");
    }
    note.done = true;
    write(path, &note)?;
    Ok(note)
}

/// Tells the server, once.
///
/// # Errors
/// The server is out of reach or does not know of it, or the note could not be written: tell it again.
///
/// # Cancel safety
/// Telling it twice is telling it once.
pub async fn tell(note: &mut Note, path: &Path) -> Result<(), EnrolError> {
    if note.told {
        return Ok(());
    }
    tell_wiped(&WipeReceipt {
        device: note.device,
        server_url: note.server_url.clone(),
        pin: note.pin.clone(),
        signature: note.signature.clone(),
        escrowed: note.escrowed,
    })
    .await?;
    note.told = true;
    if let Err(error) = write(path, note) {
        tracing::warn!(%error, "the server knows of the wipe; the next start tells it again");
    }
    Ok(())
}
