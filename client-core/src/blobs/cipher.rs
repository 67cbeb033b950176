//! AES-256-GCM over the chunks of a file: `nonce 12 | ciphertext | tag 16`, bound to the file and the chunk's number.

use crate::error::ReplicaError;
use neonpro_contract::blob::Address;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

/// Bytes a chunk is longer than what it holds.
pub(super) const OVERHEAD_BYTES: usize = NONCE_LEN + 16;

fn failed<E>(_: E) -> ReplicaError {
    ReplicaError::Bookkeeping("blob")
}

/// A key by chance.
pub(super) fn fresh_key() -> Result<Zeroizing<[u8; 32]>, ReplicaError> {
    let mut key = Zeroizing::new([0; 32]);
    SystemRandom::new().fill(&mut *key).map_err(failed)?;
    Ok(key)
}

fn cipher(key: &[u8; 32]) -> Result<LessSafeKey, ReplicaError> {
    Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).map_err(failed)?))
}

fn bound(address: &Address, chunk: u32) -> Vec<u8> {
    [b"neonpro blob chunk v1\0".as_slice(), &address.0, &chunk.to_be_bytes()].concat()
}

/// Seals a chunk.
pub(super) fn seal(
    key: &[u8; 32],
    address: &Address,
    chunk: u32,
    plain: &[u8],
) -> Result<Vec<u8>, ReplicaError> {
    let mut nonce = [0; NONCE_LEN];
    SystemRandom::new().fill(&mut nonce).map_err(failed)?;
    let mut bytes = plain.to_vec();
    let once = Nonce::assume_unique_for_key(nonce);
    cipher(key)?
        .seal_in_place_append_tag(once, Aad::from(bound(address, chunk)), &mut bytes)
        .map_err(failed)?;
    Ok([nonce.as_slice(), &bytes].concat())
}

/// Opens a chunk; `None` for anything that was not sealed at this place under this key.
pub(super) fn open(
    key: &[u8; 32],
    address: &Address,
    chunk: u32,
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let mut bytes = Zeroizing::new(rest.to_vec());
    let once = Nonce::assume_unique_for_key(*nonce);
    let plain =
        cipher(key).ok()?.open_in_place(once, Aad::from(bound(address, chunk)), &mut bytes).ok()?.len();
    bytes.truncate(plain);
    Some(bytes)
}
