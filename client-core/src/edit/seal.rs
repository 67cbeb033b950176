//! The signed envelope of an edit.

use crate::device::Identity;
use crate::error::EditRejected;
use neonpro_contract::catalogue::CATALOGUE_VERSION;
use neonpro_contract::edit::{DocumentChange, Envelope, Intent, signing_bytes};
use neonpro_contract::limits::{CHANGE_BYTES_MAX, CHANGE_OPS_MAX, ENVELOPE_BYTES_MAX};

/// An envelope with its signature.
pub(crate) struct Sealed {
    pub envelope: Vec<u8>,
    pub signature: Vec<u8>,
}

/// Encodes and signs an edit.
pub(crate) fn seal(
    identity: &Identity,
    intent: &Intent,
    changes: &[DocumentChange],
) -> Result<Sealed, EditRejected> {
    let envelope = Envelope {
        edit: intent.edit,
        device: identity.device,
        author: intent.author,
        captured_at: intent.captured_at,
        uncertainty_ms: intent.uncertainty_ms,
        catalogue: CATALOGUE_VERSION,
        seen_seq: intent.seen_seq,
        changes: changes.to_vec(),
    };
    let ops: usize = intent.documents.iter().map(|document| document.ops.len()).sum();
    let fits = ops <= CHANGE_OPS_MAX && changes.iter().all(|change| change.change.len() <= CHANGE_BYTES_MAX);
    // Writing to memory cannot fail.
    let envelope = minicbor::to_vec(&envelope).unwrap_or_default();
    if !fits || envelope.len() > ENVELOPE_BYTES_MAX || envelope.is_empty() {
        return Err(EditRejected::TooLarge);
    }
    let signature = identity.signing_key.sign(&signing_bytes(identity.clinic, &envelope));
    Ok(Sealed { envelope, signature })
}
