//! Who this tablet is: its identity in the clinic, its signing key, the key of its file.
//!
//! Never prints a key. Invariant: the private key leaves this module only into the encrypted file.

use crate::error::ReplicaError;
use neonpro_contract::ids::{ClinicId, DeviceId, NetworkId};
use neonpro_contract::permissions::Audience;
use ring::signature::{Ed25519KeyPair, KeyPair};
use std::sync::Arc;
use zeroize::{Zeroize, Zeroizing};

/// The raw 256-bit key of a replica file. Wiped when dropped.
#[derive(Clone)]
pub struct ReplicaKey(Zeroizing<[u8; 32]>);

impl ReplicaKey {
    /// A key from its bytes, which the platform's keystore holds.
    #[must_use]
    pub fn new(mut bytes: [u8; 32]) -> Self {
        let key = Self(Zeroizing::new(bytes));
        bytes.zeroize();
        key
    }

    /// The statement that opens a file with it: a raw key, so SQLCipher derives nothing (84 ms per connection).
    pub(crate) fn pragma(&self) -> Zeroizing<String> {
        self.statement("PRAGMA key = \"x'")
    }

    /// The statement that gives an open file this key.
    pub(crate) fn rekey_pragma(&self) -> Zeroizing<String> {
        self.statement("PRAGMA rekey = \"x'")
    }

    fn statement(&self, beginning: &str) -> Zeroizing<String> {
        // Reserved whole: a text that grows leaves copies of the key behind.
        let mut text = Zeroizing::new(String::with_capacity(96));
        text.push_str(beginning);
        for byte in self.0.iter() {
            for digit in [byte >> 4, byte & 0x0f] {
                text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
            }
        }
        text.push_str("'\"");
        text
    }

    /// Tells the right key from a wrong one without the file. Reveals nothing about the key.
    pub(crate) fn check_value(&self) -> String {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, self.0.as_slice());
        hex(ring::hmac::sign(&key, b"neonpro replica key check v1").as_ref())
    }
}

impl std::fmt::Debug for ReplicaKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReplicaKey(…)")
    }
}

/// The device's Ed25519 key (RFC 8032), as PKCS#8.
#[derive(Clone)]
pub struct SigningKey {
    pkcs8: Zeroizing<Vec<u8>>,
    pair: Arc<Ed25519KeyPair>,
}

impl SigningKey {
    /// A new key from the system's randomness.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn generate() -> Result<Self, ReplicaError> {
        let document = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new())
            .map_err(|_| ReplicaError::DeviceKey)?;
        Self::from_pkcs8(document.as_ref())
    }

    /// Reads a key.
    ///
    /// # Errors
    /// Bytes that are not such a key.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, ReplicaError> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8)
            .or_else(|_| Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8))
            .map_err(|_| ReplicaError::DeviceKey)?;
        Ok(Self { pkcs8: Zeroizing::new(pkcs8.to_vec()), pair: Arc::new(pair) })
    }

    /// The 32 bytes the server knows the device by.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        let mut key = [0u8; 32];
        for (to, from) in key.iter_mut().zip(self.pair.public_key().as_ref()) {
            *to = *from;
        }
        key
    }

    /// Signs: 64 bytes.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }

    pub(crate) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

/// Who this tablet is. Fixed when it is enrolled.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The device.
    pub device: DeviceId,
    /// What people call it.
    pub name: String,
    /// The clinic whose data it holds.
    pub clinic: ClinicId,
    /// The clinic's name.
    pub clinic_name: String,
    /// The clinic's network.
    pub network: Option<NetworkId>,
    /// What it may hold.
    pub audience: Audience,
    /// The server, such as `https://sync.example:8443`.
    pub server_url: String,
    /// SHA-256 of the server's certificate (DER).
    pub pin: [u8; 32],
    /// Signs edits and sessions.
    pub signing_key: SigningKey,
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len().saturating_mul(2)), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads hexadecimal of exactly `N` bytes.
pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0u8; N];
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect::<Option<_>>()?;
    if digits.len() != N.saturating_mul(2) {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        if let [high, low] = pair {
            *byte = (high << 4) | low;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_do_not_print_themselves() {
        let key = ReplicaKey::new([7; 32]);
        assert!(!format!("{key:?}").contains('7'));
        assert!(format!("{:?}", SigningKey::generate().unwrap()).len() < 20);
    }

    #[test]
    fn hexadecimal_reads_back_and_other_lengths_do_not() {
        assert_eq!(unhex::<3>(&hex(&[1, 0xab, 255])), Some([1, 0xab, 255]));
        assert_eq!(unhex::<3>("01ab"), None);
        assert_eq!(unhex::<1>("zz"), None);
    }
}
