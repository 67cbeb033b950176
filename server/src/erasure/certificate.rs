//! The certificate of an erasure: what was erased, what stays and why, which devices have confirmed. Signed with the key
//! that signs the audit's checkpoints, so it can be checked without us.

mod paper;

pub use paper::paper;

use super::{ErasureError, ErasureResult};
use crate::actor::Actor;
use crate::audit::Notary;
use crate::store::Store;
use crate::store::erasures::{DeviceReceipts, Erasure};
use chrono::NaiveDate;
use neonpro_contract::catalogue::Purpose;
use neonpro_contract::ids::ClinicId;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::instant_text;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// Domain separation of the signature.
const CONTEXT: &[u8] = b"neonpro erasure certificate v1\0";
/// What it rests on.
const LAW: &str = "LGPD (Lei 13.709/2018), arts. 16 e 18, VI";

/// A certificate.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The erasure.
    pub erasure: Erasure,
    /// What stays.
    pub kept: Vec<Kept>,
    /// Which devices have answered.
    pub devices: Vec<DeviceReceipts>,
    /// When it was issued.
    pub issued_at: ServerInstant,
    /// What is signed.
    pub statement: Json,
    /// Ed25519, hexadecimal.
    pub signature: String,
    /// Hexadecimal.
    pub public_key: String,
}

/// A purpose that stays.
#[derive(Debug, Clone, Deserialize)]
pub struct Kept {
    /// The purpose.
    pub purpose: Purpose,
    /// Why, in the patient's language.
    pub reason: String,
    /// From when a person may decide anew.
    pub review_on: Option<NaiveDate>,
}

impl DeviceReceipts {
    /// Whether something it was asked to purge is unanswered.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.confirmed < self.asked
    }
}

impl Certificate {
    /// How many devices have not answered.
    #[must_use]
    pub fn devices_open(&self) -> usize {
        self.devices.iter().filter(|device| device.is_open()).count()
    }

    /// The certificate as programs read it.
    #[must_use]
    pub fn to_json(&self) -> Json {
        json!({
            "statement": self.statement,
            "signature": self.signature,
            "public_key": self.public_key,
            "algorithm": "Ed25519",
        })
    }
}

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
) -> ErasureResult<Certificate> {
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    let found = scoped.find_erasure(erasure).await?.filter(|found| found.done_at.is_some());
    let erasure = found.ok_or(ErasureError::NotDone)?;
    let devices = scoped.list_erasure_receipts(erasure.id).await?;
    scoped.rollback().await?;
    let kept = Vec::deserialize(&erasure.kept).map_err(|_| ErasureError::NotDone)?;
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
        "devices_open": devices.iter().filter(|device| device.is_open()).count(),
        "issued_at": instant_text(now.0),
        "law": format!("{LAW}; needs a named legal reviewer"),
    });
    let signature = hex(&notary.sign(&signing_bytes(&statement)));
    let public_key = hex(&notary.public_key());
    Ok(Certificate { erasure, kept, devices, issued_at: now, statement, signature, public_key })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
