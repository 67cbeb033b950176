//! Sealing edits: a key of this opening of the file by HPKE (RFC 9180, base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
//! export only), then AES-256-GCM by it, one record after the other.
//!
//! The key costs a tenth of a millisecond, so not every edit gets one. Invariant: a key seals each sequence number once;
//! whoever may number records again drops it first.

use crate::error::ReplicaError;
use hpke::aead::ExportOnlyAead;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeS, Serializable, setup_sender};
use neonpro_contract::blob::Address;
use neonpro_contract::edit::SignedEdit;
use neonpro_contract::escrow::{
    Content, FILE_KEY_LABEL, FileKey, Header, KEY_LABEL, SealedFileKey, associated_data, file_key_bound,
    nonce,
};
use neonpro_contract::ids::EditId;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

/// The key of one opening, and what the clinic needs to have it too.
pub(super) struct Sealing {
    /// Goes into every record.
    pub encapsulated: [u8; 32],
    key: LessSafeKey,
}

fn unsealed<E>(_: E) -> ReplicaError {
    ReplicaError::Bookkeeping("escrow")
}

impl Sealing {
    /// A fresh key for the clinic of a file.
    pub fn begin(header: &Header) -> Result<Self, ReplicaError> {
        let (encapsulated, key) = export(header, KEY_LABEL)?;
        Ok(Self { encapsulated, key })
    }

    /// Seals an edit for the clinic.
    pub fn seal(
        &self,
        (sequence, edit, mark): (u64, EditId, &[u8; 16]),
        envelope: &[u8],
        signature: &[u8],
        intent: &[u8],
    ) -> Result<Vec<u8>, ReplicaError> {
        let signed = SignedEdit { envelope: envelope.to_vec().into(), signature: signature.to_vec().into() };
        let content = Content { signed, intent: intent.to_vec().into() };
        // Writing to memory cannot fail. What is left in this memory afterwards is sealed.
        let mut bytes = minicbor::to_vec(&content).unwrap_or_default();
        let (nonce, bound) = (nonce(sequence), associated_data(sequence, edit, mark));
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.key.seal_in_place_append_tag(nonce, Aad::from(bound), &mut bytes).map_err(unsealed)?;
        Ok(bytes)
    }
}

/// A fresh key for the clinic of a file, and what the clinic needs to have it too.
fn export(header: &Header, label: &[u8]) -> Result<([u8; 32], LessSafeKey), ReplicaError> {
    let to = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(&header.public_key).map_err(unsealed)?;
    let (encapsulated, context) =
        setup_sender::<ExportOnlyAead, HkdfSha256, X25519HkdfSha256>(&OpModeS::Base, &to, &header.info())
            .map_err(unsealed)?;
    let mut key = Zeroizing::new([0; 32]);
    context.export(label, &mut *key).map_err(unsealed)?;
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &*key).map_err(unsealed)?);
    Ok((encapsulated.to_bytes().into(), key))
}

/// Seals the key of a file for the clinic: what lies beside the file.
pub(crate) fn seal_file_key(
    header: &Header,
    address: &Address,
    key: &FileKey,
) -> Result<Vec<u8>, ReplicaError> {
    let (encapsulated, sealing) = export(header, FILE_KEY_LABEL)?;
    let mut sealed = key.encode();
    let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
    sealing
        .seal_in_place_append_tag(nonce, Aad::from(file_key_bound(address)), &mut sealed)
        .map_err(unsealed)?;
    Ok(SealedFileKey { header: *header, encapsulated, sealed: &sealed }.encode())
}
