//! A signed statement about a clinic's log: so many entries, this hash, at this time.
//!
//! Invariant: one signature speaks of one clinic and one place in its log.

use super::ChainHash;
use crate::ids::ClinicId;
use crate::time::ServerInstant;
use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::{Value as Json, json};

/// A checkpoint, as it travels and as it is kept outside the database.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Checkpoint {
    /// Whose log.
    #[n(0)]
    pub clinic: ClinicId,
    /// Entries in it.
    #[n(1)]
    pub size: i64,
    /// Hash of the last of them.
    #[n(2)]
    pub hash: ByteArray<32>,
    /// When it was made.
    #[n(3)]
    pub at: ServerInstant,
    /// Public key of the server that signed it.
    #[n(4)]
    pub key: ByteArray<32>,
    /// Ed25519 over [`Checkpoint::signing_bytes`].
    #[n(5)]
    pub signature: ByteVec,
}

impl Checkpoint {
    /// Makes a checkpoint; `sign` signs with the key whose public half is given.
    pub fn sign(
        clinic: ClinicId,
        (size, hash): (i64, ChainHash),
        at: ServerInstant,
        key: [u8; 32],
        sign: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Self {
        let mut made =
            Self { clinic, size, hash: hash.into(), at, key: key.into(), signature: Vec::new().into() };
        made.signature = sign(&made.signing_bytes()).into();
        made
    }

    /// What is signed: a context, clinic, size, hash and time, the numbers as eight big-endian bytes.
    #[must_use]
    pub fn signing_bytes(&self) -> Vec<u8> {
        let mut bytes = b"neonpro audit checkpoint v1\0".to_vec();
        bytes.extend_from_slice(self.clinic.0.as_bytes());
        bytes.extend_from_slice(&self.size.to_be_bytes());
        bytes.extend_from_slice(&*self.hash);
        bytes.extend_from_slice(&self.at.0.to_be_bytes());
        bytes
    }

    /// Whether this key signed it.
    #[must_use]
    pub fn is_signed_by(&self, key: &[u8; 32]) -> bool {
        *self.key == *key
            && UnparsedPublicKey::new(&ED25519, key).verify(&self.signing_bytes(), &self.signature).is_ok()
    }

    /// One line of a file of checkpoints.
    #[must_use]
    pub fn to_line(&self) -> String {
        json!({
            "clinic": self.clinic,
            "size": self.size,
            "hash": hex(&*self.hash),
            "at_us": self.at.0,
            "key": hex(&*self.key),
            "signature": hex(&self.signature),
        })
        .to_string()
    }

    /// Reads a line of a file of checkpoints.
    #[must_use]
    pub fn from_line(line: &str) -> Option<Self> {
        let json: Json = serde_json::from_str(line).ok()?;
        let text = |name: &str| json.get(name)?.as_str();
        let fixed = |name: &str| -> Option<[u8; 32]> { unhex(text(name)?)?.try_into().ok() };
        Some(Self {
            clinic: text("clinic")?.parse().ok()?,
            size: json.get("size")?.as_i64()?,
            hash: fixed("hash")?.into(),
            at: ServerInstant(json.get("at_us")?.as_i64()?),
            key: fixed("key")?.into(),
            signature: unhex(text("signature")?)?.into(),
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len() / 2)
        .map(|at| {
            u8::from_str_radix(text.get(at.checked_mul(2)?..at.checked_mul(2)?.checked_add(2)?)?, 16).ok()
        })
        .collect()
}
