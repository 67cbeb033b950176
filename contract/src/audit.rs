//! The audit as a chain: every entry of a clinic's log has a number and a hash over the one before it.
//!
//! Pure. Whoever holds an exported log and a checkpoint can recompute everything with this file. Invariant: two entries
//! that differ in anything, their clinic, place and time included, have different hashes.

mod checkpoint;

pub use checkpoint::Checkpoint;

use crate::ids::ClinicId;
use crate::time::ServerInstant;
use minicbor::Encoder;
use ring::digest::{Context, SHA256};
use serde_json::Value as Json;
use uuid::Uuid;

/// A hash of the chain: SHA-256.
pub type ChainHash = [u8; 32];

/// One entry, as it is hashed.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Whose log.
    pub clinic: ClinicId,
    /// Its number in the clinic's log, from 1.
    pub seq: i64,
    /// When the server wrote it.
    pub at: ServerInstant,
    /// What happened.
    pub action: &'a str,
    /// The device, if one.
    pub device: Option<Uuid>,
    /// The person, if one.
    pub author: Option<Uuid>,
    /// The edit, if one.
    pub edit: Option<Uuid>,
    /// The read on a tablet, if one.
    pub read: Option<Uuid>,
    /// Reason code, if one.
    pub code: Option<&'a str>,
    /// Evidence.
    pub detail: &'a Json,
}

/// What the first entry of a clinic's log follows.
#[must_use]
pub fn genesis(clinic: ClinicId) -> ChainHash {
    hashed(&[b"neonpro audit v1\0", clinic.0.as_bytes()])
}

impl Entry<'_> {
    /// The hash of this entry after `previous`: SHA-256 over `previous` and the entry as a CBOR array of its fields in
    /// order, the evidence as JSON text with sorted keys.
    #[must_use]
    pub fn hash(&self, previous: &ChainHash) -> ChainHash {
        let mut bytes = Vec::with_capacity(256);
        // Writing to memory cannot fail.
        let _ = self.encode(&mut Encoder::new(&mut bytes));
        hashed(&[previous, &bytes])
    }

    fn encode(
        &self,
        e: &mut Encoder<&mut Vec<u8>>,
    ) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
        e.array(10)?.bytes(self.clinic.0.as_bytes())?.i64(self.seq)?.i64(self.at.0)?.str(self.action)?;
        for id in [self.device, self.author, self.edit, self.read] {
            match id {
                Some(id) => e.bytes(id.as_bytes())?,
                None => e.null()?,
            };
        }
        match self.code {
            Some(code) => e.str(code)?,
            None => e.null()?,
        };
        let mut detail = String::new();
        canonical(self.detail, &mut detail);
        e.str(&detail)?;
        Ok(())
    }
}

fn hashed(parts: &[&[u8]]) -> ChainHash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    hash
}

/// JSON with sorted keys and nothing between its tokens: the same whatever order a database gives keys back in.
fn canonical(value: &Json, out: &mut String) {
    match value {
        Json::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            members.sort_unstable_by_key(|(key, _)| key.as_str());
            out.push('{');
            for (at, (key, value)) in members.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                out.push_str(&Json::from(key.as_str()).to_string());
                out.push(':');
                canonical(value, out);
            }
            out.push('}');
        }
        Json::Array(values) => {
            out.push('[');
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                canonical(value, out);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests;
