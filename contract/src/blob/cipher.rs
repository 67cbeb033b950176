//! AES-256-GCM over the chunks of a file on a tablet: `nonce 12 | ciphertext | tag 16`, bound to the file and the chunk's
//! number.
//!
//! The tablet seals; the server opens what a lost tablet left behind. Never draws a nonce.

use super::{Address, chunk_bytes};
use crate::limits::BLOB_CHUNK_BYTES;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// Bytes a chunk is longer than what it holds.
pub const OVERHEAD_BYTES: usize = NONCE_LEN + 16;

fn cipher(key: &[u8; 32]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key).ok().map(LessSafeKey::new)
}

fn bound(address: &Address, chunk: u32) -> Vec<u8> {
    [b"neonpro blob chunk v1\0".as_slice(), &address.0, &chunk.to_be_bytes()].concat()
}

/// Where a chunk begins in the file of sealed chunks.
#[must_use]
pub fn offset(chunk: u32) -> u64 {
    u64::from(chunk).saturating_mul(BLOB_CHUNK_BYTES.saturating_add(OVERHEAD_BYTES) as u64)
}

/// Seals a chunk under a nonce that was never used with this key. `None` only where the cipher itself fails.
#[must_use]
pub fn seal(
    key: &[u8; 32],
    address: &Address,
    chunk: u32,
    nonce: [u8; NONCE_LEN],
    plain: &[u8],
) -> Option<Vec<u8>> {
    let mut bytes = plain.to_vec();
    cipher(key)?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(bound(address, chunk)),
            &mut bytes,
        )
        .ok()?;
    Some([nonce.as_slice(), &bytes].concat())
}

/// Opens a chunk in place and returns what it holds; `None` for anything that was not sealed at this place under this key.
#[must_use]
pub fn open<'a>(key: &[u8; 32], address: &Address, chunk: u32, sealed: &'a mut [u8]) -> Option<&'a mut [u8]> {
    let (nonce, rest) = sealed.split_first_chunk_mut::<NONCE_LEN>()?;
    cipher(key)?
        .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(bound(address, chunk)), rest)
        .ok()
}

/// The sealed bytes of a chunk in the file of sealed chunks; `None` where the file is too short.
#[must_use]
pub fn sealed_chunk(file: &[u8], size: u64, chunk: u32) -> Option<&[u8]> {
    let start = usize::try_from(offset(chunk)).ok()?;
    let end = start.checked_add(chunk_bytes(size, chunk)?)?.checked_add(OVERHEAD_BYTES)?;
    file.get(start..end)
}
