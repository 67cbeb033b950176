//! Sealing one edit: HPKE (RFC 9180), base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, one shot each.
//!
//! Invariant: every record has an encapsulated key of its own, so no two share a key or a nonce.

use crate::error::ReplicaError;
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeS, Serializable, single_shot_seal};
use neonpro_contract::edit::SignedEdit;
use neonpro_contract::escrow::{Content, Header, associated_data};
use neonpro_contract::ids::EditId;
use zeroize::Zeroizing;

/// Seals an edit for the clinic; the encapsulated key and the sealed bytes.
pub(super) fn seal(
    header: &Header,
    (sequence, edit, mark): (u64, EditId, &[u8; 16]),
    envelope: &[u8],
    signature: &[u8],
    intent: &[u8],
) -> Result<([u8; 32], Vec<u8>), ReplicaError> {
    let unsealed = |_| ReplicaError::Bookkeeping("escrow");
    let signed = SignedEdit { envelope: envelope.to_vec().into(), signature: signature.to_vec().into() };
    let content = Content { signed, intent: intent.to_vec().into() };
    // Writing to memory cannot fail.
    let plain = Zeroizing::new(minicbor::to_vec(&content).unwrap_or_default());
    let key = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(&header.public_key).map_err(unsealed)?;
    let (encapsulated, sealed) = single_shot_seal::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &key,
        &header.info(),
        &plain,
        &associated_data(sequence, edit, mark),
    )
    .map_err(unsealed)?;
    Ok((encapsulated.to_bytes().into(), sealed))
}
