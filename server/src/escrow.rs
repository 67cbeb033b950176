//! Unsent work of tablets: the clinic's key pair it is sealed to, and merging what is recovered from it.
//!
//! Owns making and using the private keys; in the database they are sealed like everything else. Judges nothing: what is
//! recovered goes through the merge like any push, and what that refuses is kept for an administrator like any handover.
//! Invariant: recovering the same file again changes nothing.

mod files;
mod recover;

pub use files::{FileFate, recover_files};
pub use recover::{RecoverError, Recovered, Report, recover};

use crate::store::escrow::EscrowKeyRow;
use crate::store::{Scoped, StoreError, StoreResult};
use hpke::aead::ExportOnlyAead;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, Serializable, setup_receiver};
use neonpro_contract::catalogue::Role;
use neonpro_contract::escrow::Header;
use neonpro_contract::ids::AuthorId;
use neonpro_contract::time::ServerInstant;
use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use zeroize::Zeroizing;

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

/// Only an administrator of the clinic recovers.
async fn require_admin(scoped: &mut Scoped, by: AuthorId) -> Result<(), RecoverError> {
    let memberships = scoped.list_memberships(&[by.0]).await?;
    let is_admin = memberships.get(&by.0).is_some_and(|list| list.iter().any(|one| one.role == Role::Admin));
    if is_admin { Ok(()) } else { Err(RecoverError::NotAnAdministrator) }
}

/// The key a tablet sealed with, out of what it left for the clinic.
fn open_with(
    header: &Header,
    key: &PrivateKey,
    encapsulated: &[u8; 32],
    label: &[u8],
) -> Option<LessSafeKey> {
    let encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated).ok()?;
    let context = setup_receiver::<ExportOnlyAead, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        key,
        &encapsulated,
        &header.info(),
    )
    .ok()?;
    let mut bytes = Zeroizing::new([0; 32]);
    context.export(label, &mut *bytes).ok()?;
    UnboundKey::new(&AES_256_GCM, &*bytes).ok().map(LessSafeKey::new)
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
