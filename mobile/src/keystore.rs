//! The secret of the platform's keystore, under which key files lie on a device that has one.
//!
//! The shell asks the platform for it once, before anything is opened, and this program holds it until it ends: there is one
//! keystore on a device, as there is one screen. Without it key files lie as they always did: plain, or under PINs. Never writes a
//! file. Invariant: what is sealed here opens with this device's keystore and nowhere else.

use crate::key_file::{KEY_BYTES, Key};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use std::sync::OnceLock;
use zeroize::Zeroizing;

/// Begins a file that is sealed here.
const MAGIC: &[u8; 6] = b"NPKST1";
/// Bytes a sealed file is longer than what it holds.
const OVERHEAD_BYTES: usize = MAGIC.len() + NONCE_LEN + 16;

static SECRET: OnceLock<Secret> = OnceLock::new();

/// The keystore's secret.
pub struct Secret(Key);

impl Secret {
    /// A secret the platform gave.
    #[must_use]
    pub const fn new(key: Key) -> Self {
        Self(key)
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM, self.0.as_slice()).ok().map(LessSafeKey::new)
    }

    /// Seals keys; `None` where the system gives no randomness.
    #[must_use]
    pub fn seal(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let mut bytes = plain.to_vec();
        let once = Nonce::assume_unique_for_key(nonce);
        self.cipher()?.seal_in_place_append_tag(once, Aad::from(MAGIC), &mut bytes).ok()?;
        Some([MAGIC.as_slice(), &nonce, &bytes].concat())
    }

    /// Opens what was sealed; `None` for anything else.
    #[must_use]
    pub fn open(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, rest) = sealed.strip_prefix(MAGIC.as_slice())?.split_first_chunk::<NONCE_LEN>()?;
        let mut bytes = Zeroizing::new(rest.to_vec());
        let once = Nonce::assume_unique_for_key(*nonce);
        let length = self.cipher()?.open_in_place(once, Aad::from(MAGIC), &mut bytes).ok()?.len();
        bytes.truncate(length);
        Some(bytes)
    }
}

/// Holds the platform's secret from here on. `false` when one is held already.
pub fn hold(secret: Secret) -> bool {
    SECRET.set(secret).is_ok()
}

/// Whether one is held.
#[must_use]
pub fn is_held() -> bool {
    SECRET.get().is_some()
}

/// The secret, where the platform has a keystore.
pub(crate) fn held() -> Option<&'static Secret> {
    SECRET.get()
}

/// Whether bytes of a file are sealed by a keystore.
pub(crate) fn is_sealed(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC) && matches!(bytes.len().checked_sub(OVERHEAD_BYTES), Some(KEY_BYTES | 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_keystore_sealed_opens_with_it_alone_and_no_changed_byte_opens() {
        let (one, other) = (Secret::new(Zeroizing::new([1; 32])), Secret::new(Zeroizing::new([2; 32])));
        for plain in [vec![7; 32], vec![7; 64]] {
            let sealed = one.seal(&plain).unwrap();
            assert!(is_sealed(&sealed) && !sealed.windows(8).any(|window| window == [7; 8]));
            assert_eq!(one.open(&sealed).unwrap().as_slice(), plain);
            assert!(other.open(&sealed).is_none());
            for at in 0..sealed.len() {
                let mut changed = sealed.clone();
                changed[at] ^= 1;
                assert!(one.open(&changed).is_none(), "byte {at}");
            }
        }
        assert!(!is_sealed(&[7; 32]) && !is_sealed(b"{\"version\":2}") && !is_sealed(MAGIC));
    }
}
