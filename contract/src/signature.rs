//! Ed25519 (RFC 8032), verified the same way everywhere.

use ring::signature::{ED25519, UnparsedPublicKey};

/// Whether a signature of these bytes was made with this key. Keys and signatures of other lengths verify nothing.
#[must_use]
pub fn verifies(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public_key).verify(message, signature).is_ok()
}
