//! The signed envelope of an edit.

use crate::device::Identity;
use crate::error::EditRejected;
use neonpro_contract::catalogue::CATALOGUE_VERSION;
use neonpro_contract::document::{ChangeError, ParsedChange};
use neonpro_contract::edit::{DocumentChange, Envelope, Intent, signing_bytes};
use neonpro_contract::limits::ENVELOPE_BYTES_MAX;

/// An envelope with its signature.
pub(crate) struct Sealed {
    pub envelope: Vec<u8>,
    pub signature: Vec<u8>,
}

/// Encodes and signs an edit. What the server would refuse for its form is refused here, while the person is there.
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
    let fits =
        changes.iter().all(|change| !matches!(ParsedChange::parse(&change.change), Err(ChangeError::Shape)));
    let message = signing_bytes(identity.clinic, &envelope);
    // Writing to memory cannot fail.
    let envelope = minicbor::to_vec(&envelope).unwrap_or_default();
    if !fits || envelope.len() > ENVELOPE_BYTES_MAX || envelope.is_empty() {
        return Err(EditRejected::TooLarge);
    }
    let signature = identity.signing_key.sign(&message);
    Ok(Sealed { envelope, signature })
}
