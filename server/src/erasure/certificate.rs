//! The certificate of an erasure: what was erased, what stays and why, which devices have confirmed. Signed with the key
//! that signs the audit's checkpoints, so it can be checked without us.

use super::{ErasureError, ErasureResult};
use crate::actor::Actor;
use crate::audit::Notary;
use crate::store::Store;
use neonpro_contract::ids::ClinicId;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::instant_text;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// Domain separation of the signature.
const CONTEXT: &[u8] = b"neonpro erasure certificate v1\0";

/// What is signed: the context and the JSON text of `statement`, keys in alphabetical order, without spaces.
#[must_use]
pub fn signing_bytes(statement: &Json) -> Vec<u8> {
    [CONTEXT, statement.to_string().as_bytes()].concat()
}

/// Issues a certificate as of now: receipts that are open are listed as open, and a later certificate lists them anew.
///
/// # Errors
/// A database failure, or no such erasure that is done.
pub async fn issue(
    store: &Store,
    notary: &Notary,
    clinic: ClinicId,
    erasure: Uuid,
    now: ServerInstant,
) -> ErasureResult<Json> {
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    let found = scoped.find_erasure(erasure).await?.filter(|found| found.done_at.is_some());
    let erasure = found.ok_or(ErasureError::NotDone)?;
    let devices = scoped.list_erasure_receipts(erasure.id).await?;
    scoped.rollback().await?;
    let open = devices.iter().filter(|device| device.confirmed < device.asked).count();
    let statement = json!({
        "clinic": clinic,
        "erasure": erasure.id,
        "patient": erasure.patient,
        "asked": erasure.asked,
        "erased": erasure.erased,
        "kept": erasure.kept,
        "decided_by": erasure.by,
        "done_at": erasure.done_at.map(instant_text),
        "counts": erasure.counts,
        "devices": devices,
        "devices_open": open,
        "issued_at": instant_text(now.0),
        "law": "LGPD (Lei 13.709/2018), arts. 16 e 18, VI; needs a named legal reviewer",
    });
    let signature = hex(&notary.sign(&signing_bytes(&statement)));
    let key = hex(&notary.public_key());
    Ok(json!({ "statement": statement, "signature": signature, "public_key": key, "algorithm": "Ed25519" }))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
