//! Unsent work of tablets: the clinic's key pair it is sealed to, and merging what is recovered from it.
//!
//! Owns making and using the private keys; in the database they are sealed like everything else. Judges nothing: what is
//! recovered goes through the merge like any push, and what that refuses is kept for an administrator like any handover.
//! Invariant: recovering the same file again changes nothing.

mod recover;

pub use recover::{RecoverError, Recovered, Report, recover};

use crate::store::escrow::EscrowKeyRow;
use crate::store::{Scoped, StoreError, StoreResult};
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, Serializable};
use neonpro_contract::time::ServerInstant;

type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;

/// The public key a clinic's tablets seal to, made if there is none yet.
///
/// # Errors
/// A database failure.
pub async fn public_key(scoped: &mut Scoped, now: ServerInstant) -> StoreResult<[u8; 32]> {
    match scoped.find_escrow_public_key().await? {
        Some(key) => Ok(key),
        None => append_key(scoped, now).await,
    }
}

/// Makes a key pair and keeps it; the public half of the one that is there afterwards.
async fn append_key(scoped: &mut Scoped, now: ServerInstant) -> StoreResult<[u8; 32]> {
    let (private, public) = X25519HkdfSha256::gen_keypair();
    let row = EscrowKeyRow {
        public_key: public.to_bytes().into(),
        private_key: private.to_bytes().to_vec().into(),
    };
    scoped.append_escrow_key(&row, now).await?;
    // Another node may have been first.
    scoped.find_escrow_public_key().await?.ok_or(StoreError::Missing("escrow key"))
}

/// Every key pair of the clinic, ready to open with.
async fn load_keys(scoped: &mut Scoped) -> StoreResult<Vec<([u8; 32], PrivateKey)>> {
    let rows = scoped.list_escrow_keys().await?;
    rows.into_iter()
        .map(|row| {
            let private = PrivateKey::from_bytes(&row.private_key);
            Ok((row.public_key, private.map_err(|_| StoreError::Unreadable("sync.escrow_keys"))?))
        })
        .collect()
}
