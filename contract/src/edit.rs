//! An edit: one thing a person did, what it changes, and how it is signed.
//!
//! Owns the intent (what the person meant, kept on the tablet until its fate is settled) and the signed
//! envelope that travels. Invariant: an edit is atomic, and its signature covers the clinic, so bytes
//! signed for one clinic mean nothing in another.

use crate::catalogue::{FacetId, Table, TableId, table_by_id};
use crate::ids::{AuthorId, ClinicId, DeviceId, EditId, RecordId};
use crate::time::{Capture, DeviceInstant};
use minicbor::{Decode, Encode, bytes::ByteVec};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// One facet of one record: the unit of consent, row security, fan-out and erasure.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(array)]
pub struct DocumentId {
    /// Its table.
    #[n(0)]
    pub table: TableId,
    /// Its record.
    #[n(1)]
    pub record: RecordId,
    /// Its facet.
    #[n(2)]
    pub facet: FacetId,
}

impl DocumentId {
    /// The table in the catalogue, if there is one of this number.
    #[must_use]
    pub fn table(&self) -> Option<&'static Table> {
        table_by_id(self.table)
    }

    /// Whether the facet is the one that makes the record exist.
    #[must_use]
    pub fn is_primary(&self) -> bool {
        self.facet.0 == 0
    }
}

/// `patients/0190…/health`, for logs and messages.
impl std::fmt::Display for DocumentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let table = self.table();
        let facet = table.and_then(|table| table.facet(self.facet));
        write!(
            f,
            "{}/{}/{}",
            table.map_or("?", |table| table.name),
            self.record,
            facet.map_or("?", |facet| facet.name)
        )
    }
}

/// One operation on one field, as a person meant it. Serialised into the tablet's intent log.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum FieldOp {
    /// Replace a scalar.
    Put {
        /// Field name.
        field: String,
        /// New value as JSON (null clears).
        value: Json,
    },
    /// Replace a long text; the difference is what merges.
    Text {
        /// Field name.
        field: String,
        /// The whole new text.
        value: String,
    },
    /// Add a member to a set.
    Add {
        /// Field name.
        field: String,
        /// The member.
        member: String,
    },
    /// Remove a member from a set, saying why.
    Remove {
        /// Field name.
        field: String,
        /// The member.
        member: String,
        /// Why.
        reason: String,
    },
    /// Merge keys into a JSON object (RFC 7396 merge patch: null removes).
    Merge {
        /// Field name.
        field: String,
        /// The patch.
        patch: Json,
    },
}

impl FieldOp {
    /// The field it changes.
    #[must_use]
    pub fn field(&self) -> &str {
        match self {
            Self::Put { field, .. }
            | Self::Text { field, .. }
            | Self::Add { field, .. }
            | Self::Remove { field, .. }
            | Self::Merge { field, .. } => field,
        }
    }
}

/// Operations carry patient data: only the field is printed.
impl std::fmt::Debug for FieldOp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FieldOp({}, …)", self.field())
    }
}

/// What an edit does to one document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DocumentIntent {
    /// The document.
    pub document: DocumentId,
    /// Whether the edit creates the record (primary facet only).
    pub create: bool,
    /// The operations, in order.
    pub ops: Vec<FieldOp>,
}

/// One thing a person did, before it is expressed as changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// Idempotency key.
    pub edit: EditId,
    /// Who did it.
    pub author: AuthorId,
    /// When, by the device.
    pub captured_at: DeviceInstant,
    /// How far the clock may have been off, ms.
    pub uncertainty_ms: u32,
    /// Feed cursor of the device: what it could have known, consents included.
    pub seen_seq: i64,
    /// The documents it touches.
    pub documents: Vec<DocumentIntent>,
}

impl Intent {
    /// The capture interval.
    #[must_use]
    pub fn capture(&self) -> Capture {
        Capture { at: self.captured_at, uncertainty_ms: self.uncertainty_ms }
    }
}

/// One Automerge change to one document.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct DocumentChange {
    /// The document.
    #[n(0)]
    pub document: DocumentId,
    /// The document's epoch the change builds on.
    #[n(1)]
    pub epoch: u32,
    /// One raw, uncompressed Automerge change chunk.
    #[n(2)]
    pub change: ByteVec,
}

/// What is signed: an edit expressed as changes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Envelope {
    /// Idempotency key.
    #[n(0)]
    pub edit: EditId,
    /// The device that signs.
    #[n(1)]
    pub device: DeviceId,
    /// Who did it.
    #[n(2)]
    pub author: AuthorId,
    /// When, by the device's clock.
    #[n(3)]
    pub captured_at: DeviceInstant,
    /// How far the clock may have been off, ms.
    #[n(4)]
    pub uncertainty_ms: u32,
    /// Catalogue version of the app.
    #[n(5)]
    pub catalogue: u32,
    /// Feed cursor of the device at capture.
    #[n(6)]
    pub seen_seq: i64,
    /// The changes.
    #[n(7)]
    pub changes: Vec<DocumentChange>,
}

impl Envelope {
    /// The capture interval.
    #[must_use]
    pub fn capture(&self) -> Capture {
        Capture { at: self.captured_at, uncertainty_ms: self.uncertainty_ms }
    }
}

/// An envelope without the content of its changes: each is replaced by its SHA-256. It is what a device signs, so the
/// signature still holds for what is left of an edit after a part of it was erased, and it says nothing of a patient
/// but ids and times.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Outline(#[n(0)] Envelope);

impl Outline {
    /// The outline of an envelope.
    #[must_use]
    pub fn of(envelope: &Envelope) -> Self {
        let outlined = |change: &DocumentChange| DocumentChange {
            change: digest(&change.change).to_vec().into(),
            ..change.clone()
        };
        Self(Envelope { changes: envelope.changes.iter().map(outlined).collect(), ..envelope.clone() })
    }

    /// The envelope with digests in place of its changes.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.0
    }

    /// Whether these are the bytes of the change at this position.
    #[must_use]
    pub fn covers(&self, position: usize, change: &[u8]) -> bool {
        self.0.changes.get(position).is_some_and(|signed| *signed.change.as_slice() == digest(change))
    }

    /// The bytes a device signs: a context, the clinic, the outline.
    #[must_use]
    pub fn signing_bytes(&self, clinic: ClinicId) -> Vec<u8> {
        let mut bytes = SIGNING_CONTEXT.to_vec();
        bytes.extend_from_slice(clinic.0.as_bytes());
        // Writing to memory cannot fail.
        bytes.extend(minicbor::to_vec(self).unwrap_or_default());
        bytes
    }

    /// The whole edit again. `None` if these are not the changes that were signed.
    #[must_use]
    pub fn complete(&self, changes: Vec<Vec<u8>>) -> Option<Envelope> {
        if changes.len() != self.0.changes.len() {
            return None;
        }
        let mut envelope = self.0.clone();
        for (position, change) in changes.into_iter().enumerate() {
            if !self.covers(position, &change) {
                return None;
            }
            envelope.changes.get_mut(position)?.change = change.into();
        }
        Some(envelope)
    }
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    let mut digest = [0; 32];
    let sum = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.iter_mut().zip(sum.as_ref()).for_each(|(to, from)| *to = *from);
    digest
}

/// An envelope and its Ed25519 signature (RFC 8032) over [`signing_bytes`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SignedEdit {
    /// CBOR of an [`Envelope`].
    #[n(0)]
    pub envelope: ByteVec,
    /// 64 bytes.
    #[n(1)]
    pub signature: ByteVec,
}

/// Domain separation of edit signatures.
const SIGNING_CONTEXT: &[u8] = b"neonpro edit v2\0";

/// The bytes a device signs for this edit: see [`Outline::signing_bytes`].
#[must_use]
pub fn signing_bytes(clinic: ClinicId, envelope: &Envelope) -> Vec<u8> {
    Outline::of(envelope).signing_bytes(clinic)
}

/// Reads an envelope after its size was checked.
///
/// # Errors
/// `None` for anything that is not exactly one envelope within the limits, written as a tablet writes it: other bytes
/// that read the same are not what anybody signed.
#[must_use]
pub fn decode_envelope(bytes: &[u8]) -> Option<Envelope> {
    use crate::limits::{CHANGE_BYTES_MAX, EDIT_DOCUMENTS_MAX, ENVELOPE_BYTES_MAX};
    if bytes.len() > ENVELOPE_BYTES_MAX {
        return None;
    }
    let mut decoder = minicbor::Decoder::new(bytes);
    let envelope: Envelope = decoder.decode().ok()?;
    let bounded = !envelope.changes.is_empty()
        && envelope.changes.len() <= EDIT_DOCUMENTS_MAX
        && envelope.changes.iter().all(|change| change.change.len() <= CHANGE_BYTES_MAX);
    let exact =
        decoder.position() == bytes.len() && minicbor::to_vec(&envelope).is_ok_and(|own| own == bytes);
    (exact && bounded).then_some(envelope)
}
