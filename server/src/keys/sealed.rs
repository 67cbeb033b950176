//! What sealed bytes look like, and what each is bound to.
//!
//! `1 | number of the data key, 8 bytes | nonce, 12 | ciphertext | tag, 16`. In a column of text it is `sealed:` and
//! base64url. The key's number makes a reader independent of whom a row belongs to.

use super::aead::{Key, Unsealer};
use crate::store::{StoreError, StoreResult};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use neonpro_contract::catalogue::Purpose;
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::{ClinicId, PatientId};
use std::collections::HashMap;
use uuid::Uuid;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const HEADER_BYTES: usize = 9;
/// Characters of base64 the header takes: three for every four, so it ends between two of them.
const HEADER_CHARS: usize = HEADER_BYTES / 3 * 4;
const PREFIX: &str = "sealed:";

/// Whose data a key covers: a patient and a purpose, or what the clinic has without a patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// The patient.
    pub patient: Option<PatientId>,
    /// The purpose; without a patient always the clinic's operation.
    pub purpose: Purpose,
}

impl Subject {
    /// The subject of a document.
    #[must_use]
    pub fn of(patient: Option<PatientId>, purpose: Purpose) -> Self {
        Self { patient, purpose: patient.map_or(Purpose::Operation, |_| purpose) }
    }
}

/// Where sealed bytes lie. They open nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// A column of a row.
    Field(DocumentId, &'a str),
    /// The saved history of a document.
    Snapshot(DocumentId),
    /// A change of an edit, as signed, by its position.
    Change(Uuid, usize),
    /// A change of an edit as the server expressed it anew.
    Reissued(Uuid, usize),
    /// What a tablet handed over about an edit.
    Intent(Uuid),
    /// Both sides of an item, by its matter.
    Sides(&'a str),
    /// A copy another clinic shared.
    Copy(DocumentId),
    /// A chunk of a file, by the file's number here.
    Chunk(Uuid, u32),
    /// The private half of the key pair unsent work is sealed to, by its public half.
    EscrowKey(&'a [u8]),
}

/// About what a place takes, bytes.
const BOUND_BYTES: usize = 128;

impl Place<'_> {
    fn bound(&self, clinic: ClinicId) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(BOUND_BYTES);
        bytes.extend_from_slice(b"neonpro sealed v1\0");
        bytes.extend_from_slice(clinic.0.as_bytes());
        let (kind, document, id, position, name) = match self {
            Self::Field(document, name) => (0, Some(document), None, 0, *name),
            Self::Snapshot(document) => (1, Some(document), None, 0, ""),
            Self::Change(edit, at) => (2, None, Some(edit), *at, ""),
            Self::Reissued(edit, at) => (3, None, Some(edit), *at, ""),
            Self::Intent(edit) => (4, None, Some(edit), 0, ""),
            Self::Sides(matter) => (5, None, None, 0, *matter),
            Self::Copy(document) => (6, Some(document), None, 0, ""),
            Self::Chunk(file, at) => {
                bytes.push(8);
                bytes.extend_from_slice(file.as_bytes());
                bytes.extend_from_slice(&at.to_be_bytes());
                return bytes;
            }
            Self::EscrowKey(public) => {
                bytes.extend_from_slice(public);
                (7, None, None, 0, "")
            }
        };
        bytes.push(kind);
        if let Some(document) = document {
            bytes.extend_from_slice(&document.table.0.to_be_bytes());
            bytes.extend_from_slice(document.record.0.as_bytes());
            bytes.push(document.facet.0);
        }
        bytes.extend(id.iter().flat_map(|id| id.as_bytes()));
        bytes.extend_from_slice(&position.to_be_bytes());
        bytes.extend_from_slice(name.as_bytes());
        bytes
    }
}

/// Number of the key that sealed these bytes; `None` for what was not sealed.
#[must_use]
pub fn key_of(sealed: &[u8]) -> Option<i64> {
    let (header, _) = sealed.split_first_chunk::<HEADER_BYTES>()?;
    let (version, number) = header.split_first()?;
    (*version == VERSION).then(|| number.try_into().map(i64::from_be_bytes).ok()).flatten()
}

/// Sealed bytes as a text.
#[must_use]
pub fn text_of(sealed: &[u8]) -> String {
    let mut text = String::from(PREFIX);
    URL_SAFE_NO_PAD.encode_string(sealed, &mut text);
    text
}

/// The sealed bytes of a text; `None` for any other text.
#[must_use]
pub fn sealed_text(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    read_sealed_text(text, &mut bytes).then_some(bytes)
}

/// Puts the sealed bytes of a text in place of what a buffer holds; `false` for any other text.
pub fn read_sealed_text(text: &str, buffer: &mut Vec<u8>) -> bool {
    buffer.clear();
    text.strip_prefix(PREFIX).is_some_and(|text| URL_SAFE_NO_PAD.decode_vec(text, buffer).is_ok())
}

/// Number of the key that sealed a text; `None` for what was not sealed.
#[must_use]
pub fn key_of_text(text: &str) -> Option<i64> {
    let start = text.strip_prefix(PREFIX)?.get(..HEADER_CHARS)?;
    let mut header = [0; HEADER_BYTES];
    URL_SAFE_NO_PAD.decode_slice(start, &mut header).ok()?;
    key_of(&header)
}

/// Keys to seal with.
#[derive(Debug)]
pub struct Sealer {
    pub(crate) clinic: ClinicId,
    pub(crate) keys: HashMap<Subject, (i64, Key)>,
}

impl Sealer {
    /// Seals for a subject it was made for.
    ///
    /// # Errors
    /// No randomness, or another subject.
    pub fn seal(&self, subject: Subject, place: Place<'_>, plain: &[u8]) -> StoreResult<Vec<u8>> {
        let (number, key) = self.keys.get(&subject).ok_or(StoreError::Missing("data key"))?;
        let mut sealed = vec![VERSION];
        sealed.extend_from_slice(&number.to_be_bytes());
        sealed.extend(key.seal(&place.bound(self.clinic), plain)?);
        Ok(sealed)
    }
}

/// Keys to open with.
#[derive(Debug)]
pub struct Opener {
    pub(crate) clinic: ClinicId,
    pub(crate) keys: HashMap<i64, Unsealer>,
}

impl Opener {
    /// Opens sealed bytes; `None` if their key was destroyed.
    ///
    /// # Errors
    /// Bytes that are not what was sealed at this place.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> StoreResult<Option<Zeroizing<Vec<u8>>>> {
        let mut bytes = Zeroizing::new(sealed.to_vec());
        Ok(self.open_in_place(place, &mut bytes)?.map(|plain| Zeroizing::new(plain.to_vec())))
    }

    /// The same inside of the sealed bytes: many short texts are opened without a copy of each.
    ///
    /// # Errors
    /// Bytes that are not what was sealed at this place.
    pub fn open_in_place<'b>(&self, place: Place<'_>, sealed: &'b mut [u8]) -> StoreResult<Option<&'b [u8]>> {
        let broken = || StoreError::Unreadable("sealed bytes");
        let number = key_of(sealed).ok_or_else(broken)?;
        let Some(key) = self.keys.get(&number) else { return Ok(None) };
        let content = sealed.get_mut(HEADER_BYTES..).ok_or_else(broken)?;
        key.open(&place.bound(self.clinic), content).map(Some).ok_or_else(broken)
    }
}
