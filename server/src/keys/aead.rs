//! AES-256-GCM (NIST SP 800-38D) through ring: one key, one way to seal, one to open.
//!
//! Nonces are 96 random bits. SP 800-38D, 8.3 allows 2^32 of them under one key; a key here belongs to one patient and
//! purpose, or wraps keys, and stays far below it.

use super::KeyError;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// Bytes a sealed text is longer than what it seals: nonce and tag.
pub const OVERHEAD_BYTES: usize = NONCE_LEN + 16;

/// A key. Wiped from memory when dropped; never printed.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; KEY_BYTES]>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    /// A new random key.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn random() -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        SystemRandom::new().fill(&mut *bytes).map_err(|_| KeyError::Random)?;
        Ok(Self(bytes))
    }

    /// A key of these bytes; `None` for another length.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// Seals: a fresh nonce, the ciphertext, the tag. What is sealed opens only together with the same `bound`.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn seal(&self, bound: &[u8], plain: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| KeyError::Random)?;
        let mut sealed = Vec::with_capacity(plain.len().saturating_add(OVERHEAD_BYTES));
        sealed.extend_from_slice(&nonce);
        sealed.extend(self.encrypt(nonce, bound, plain.to_vec())?);
        Ok(sealed)
    }

    /// Opens what [`Key::seal`] made; `None` for anything else.
    #[must_use]
    pub fn open(&self, bound: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut bytes = Zeroizing::new(sealed.to_vec());
        let plain = self.unsealer()?.open(bound, &mut bytes)?.len();
        let (start, end) = (NONCE_LEN, NONCE_LEN.saturating_add(plain));
        bytes.copy_within(start..end, 0);
        bytes.truncate(plain);
        Some(bytes)
    }

    /// The key made ready to open many texts: expanding it costs more than opening a short one.
    #[must_use]
    pub fn unsealer(&self) -> Option<Unsealer> {
        self.cipher().map(Unsealer)
    }

    fn encrypt(&self, nonce: [u8; NONCE_LEN], bound: &[u8], mut bytes: Vec<u8>) -> Result<Vec<u8>, KeyError> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let cipher = self.cipher().ok_or(KeyError::Random)?;
        cipher.seal_in_place_append_tag(nonce, Aad::from(bound), &mut bytes).map_err(|_| KeyError::Random)?;
        Ok(bytes)
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM, &*self.0).ok().map(LessSafeKey::new)
    }
}

/// A key made ready to open. Never printed; lives as long as what is read.
pub struct Unsealer(LessSafeKey);

impl std::fmt::Debug for Unsealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unsealer")
    }
}

impl Unsealer {
    /// Opens in place what [`Key::seal`] made; `None` for anything else, and then the bytes are worth nothing.
    #[must_use]
    pub fn open<'b>(&self, bound: &[u8], sealed: &'b mut [u8]) -> Option<&'b [u8]> {
        let (nonce, rest) = sealed.split_first_chunk_mut::<NONCE_LEN>()?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        self.0.open_in_place(nonce, Aad::from(bound), rest).ok().map(|plain| &*plain)
    }
}

#[cfg(test)]
mod tests;
