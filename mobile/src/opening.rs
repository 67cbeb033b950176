//! Opening a replica with the keys of its key file, and giving it another key.
//!
//! Owns the order in which key file and replica change: the key file holds both keys before the replica gets the new one,
//! and the old one goes when the replica was opened with the new one. Invariant: at every instant the key file holds a key
//! that opens the replica.

use crate::key_file::{KeyFileError, Keys, load_keys, put_keys, random};
use crate::pin::Pin;
use crate::vault::{Vault, VaultError};
use neonpro_client_core::{Clock, Replica, ReplicaError, ReplicaKey};
use neonpro_contract::ids::AuthorId;
use std::path::Path;

/// A replica that was opened.
pub(crate) struct Opening {
    pub replica: Replica,
    /// It has the newest key: what the key file holds of an older one can go.
    pub settled: bool,
}

/// Why a place does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no key.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The PIN was not taken, or the key file failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The PIN is right, and its holder no longer uses this tablet.
    #[error("this person no longer uses this tablet; somebody of the clinic must do it")]
    NotOfClinic,
    /// The replica does not open.
    #[error("the replica does not open")]
    Replica(#[from] ReplicaError),
}

/// Opens a replica, ending a change of its key that was cut off.
pub(crate) fn open(path: &Path, keys: &Keys, clock: Clock) -> Result<Opening, ReplicaError> {
    let newest = ReplicaKey::new(*keys.key);
    match (Replica::open(path, newest.clone(), clock.clone()), &keys.previous) {
        (Ok(replica), _) => Ok(Opening { replica, settled: true }),
        (Err(ReplicaError::WrongKey), Some(previous)) => {
            let previous = ReplicaKey::new(**previous);
            let replica = Replica::open(path, previous.clone(), clock)?;
            let settled = change(&replica, &previous, &newest);
            Ok(Opening { replica, settled })
        }
        (Err(error), _) => Err(error),
    }
}

/// Gives an open replica its new key. `false` when it still has the old one: a full storage must keep nobody from working,
/// so that is told in the log and tried again at the next opening.
pub(crate) fn change(replica: &Replica, old: &ReplicaKey, new: &ReplicaKey) -> bool {
    match replica.rekey(old, new) {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(
                code = error.code(),
                "the replica keeps its old key; the next opening tries again"
            );
            false
        }
    }
}

/// Opens a replica whose key lies in the clear. The keys keep the previous one only while that is the replica's.
///
/// # Errors
/// No key, one under PINs, or a replica that does not open.
pub fn open_plain(path: &Path, key_file: &Path, clock: Clock) -> Result<(Replica, Keys), OpenError> {
    let mut keys = load_keys(key_file)?;
    let opening = open(path, &keys, clock)?;
    if opening.settled && keys.previous.take().is_some() {
        put_keys(key_file, &keys)?;
    }
    Ok((opening.replica, keys))
}

/// Gives a replica another key, whether its key file lies in the clear or under PINs; then `opener` is who enters. `false`
/// when it still has the old one, which the log tells why.
///
/// # Errors
/// What does not open, a wrong PIN, or somebody whose PIN is of an older app. Replica and key file fit together in any case.
pub fn rekey(
    path: &Path,
    key_file: &Path,
    opener: Option<(AuthorId, Pin)>,
    clock: Clock,
) -> Result<bool, OpenError> {
    match (Vault::read(key_file)?, opener) {
        (None, _) => rekey_plain(path, key_file, clock),
        (Some(vault), Some((person, pin))) => rekey_vault(path, vault, person, &pin, clock),
        (Some(_), None) => Err(KeyFileError::UnderPins.into()),
    }
}

fn rekey_plain(path: &Path, key_file: &Path, clock: Clock) -> Result<bool, OpenError> {
    let (replica, old) = open_plain(path, key_file, clock)?;
    if old.previous.is_some() {
        replica.close()?;
        return Ok(false);
    }
    let new = random()?;
    put_keys(key_file, &Keys { key: new.clone(), previous: Some(old.key.clone()) })?;
    let changed = change(&replica, &ReplicaKey::new(*old.key), &ReplicaKey::new(*new));
    if changed {
        put_keys(key_file, &Keys { key: new, previous: None })?;
    }
    replica.close()?;
    Ok(changed)
}

fn rekey_vault(
    path: &Path,
    mut vault: Vault,
    person: AuthorId,
    pin: &Pin,
    clock: Clock,
) -> Result<bool, OpenError> {
    let keys = vault.open(person, pin, clock.now_us())?;
    let Opening { replica, settled } = open(path, &keys, clock)?;
    let known = replica.users()?.iter().any(|user| user.is_active && user.author == person);
    if !settled || !known {
        replica.close()?;
        return if known { Ok(false) } else { Err(OpenError::NotOfClinic) };
    }
    let new = random()?;
    vault.change(&keys.key, &new)?;
    let changed = change(&replica, &ReplicaKey::new(*keys.key), &ReplicaKey::new(*new));
    if changed {
        vault.forget_previous()?;
    }
    replica.close()?;
    Ok(changed)
}
