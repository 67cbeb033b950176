//! The escrow file: unsent edits of a tablet, sealed to its clinic's public key.
//!
//! Owns the bytes of the file and what is sealed in them, for the tablet that writes it and the server that opens it. Seals
//! and opens nothing itself. Invariants: a record that was cut or changed is noticed without any key, and ends the file;
//! a record means nothing in another file, at another place or under another edit's id.
//!
//! A header (magic, clinic, device, public key, check), then records, one behind the other:
//! `length u32 · sequence u64 · edit 16 · mark 16 · encapsulated 32 · sealed … · check 8`. Numbers are big-endian, `length`
//! counts what follows it, `check` is the beginning of SHA-256 over everything before it in its header or record.

mod file_key;

pub use file_key::{FILE_KEY_LABEL, FILE_KEY_SUFFIX, FileKey, SealedFileKey, file_key_bound};

use crate::edit::SignedEdit;
use crate::ids::{ClinicId, DeviceId, EditId};
use crate::limits::{ENVELOPE_BYTES_MAX, HANDOVER_BYTES_MAX};
use minicbor::{Decode, Encode, bytes::ByteVec};
use ring::digest::{SHA256, digest};
use uuid::Uuid;

const MAGIC: &[u8; 8] = b"NPESCRW2";
const CHECK_BYTES: usize = 8;
/// Bytes of a header.
pub const HEADER_BYTES: usize = 8 + 16 + 16 + 32 + CHECK_BYTES;
/// Bytes of a record before what is sealed, its length included.
const RECORD_HEAD_BYTES: usize = 4 + 8 + 16 + 16 + 32;
/// Bytes of a whole record: an envelope, its words, and what is around them.
pub const RECORD_BYTES_MAX: usize = ENVELOPE_BYTES_MAX + HANDOVER_BYTES_MAX + 1024;

/// What HPKE exports the key of records under (RFC 9180, 5.3).
pub const KEY_LABEL: &[u8] = b"neonpro escrow records";

/// Whose file it is, and who can open it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The clinic.
    pub clinic: ClinicId,
    /// The tablet.
    pub device: DeviceId,
    /// The clinic's public key (X25519) everything in the file is sealed to.
    pub public_key: [u8; 32],
}

/// One sealed edit, where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Rises from record to record.
    pub sequence: u64,
    /// The edit.
    pub edit: EditId,
    /// Tells one expression of the edit from another. Says nothing about either.
    pub mark: [u8; 16],
    /// HPKE's encapsulated key; the same for what one opening of the file wrote.
    pub encapsulated: [u8; 32],
    /// [`Content`], sealed.
    pub sealed: &'a [u8],
}

/// What is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Content {
    /// The edit as it would be pushed.
    #[n(0)]
    pub signed: SignedEdit,
    /// The intent (JSON), for a person who must decide about it.
    #[n(1)]
    pub intent: ByteVec,
}

impl Header {
    /// The header's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(self.clinic.0.as_bytes());
        bytes.extend_from_slice(self.device.0.as_bytes());
        bytes.extend_from_slice(&self.public_key);
        push_check(&mut bytes, 0);
        bytes
    }

    /// What HPKE binds a file's records to as a whole.
    #[must_use]
    pub fn info(&self) -> Vec<u8> {
        [b"neonpro escrow v2\0".as_slice(), self.clinic.0.as_bytes(), self.device.0.as_bytes()].concat()
    }
}

/// Reads a file's header; `None` for anything else.
#[must_use]
pub fn read_header(file: &[u8]) -> Option<Header> {
    let bytes = file.get(..HEADER_BYTES)?;
    let mut reader = Reader(checked(bytes)?);
    if reader.take::<8>()? != *MAGIC {
        return None;
    }
    Some(Header {
        clinic: ClinicId(Uuid::from_bytes(reader.take()?)),
        device: DeviceId(Uuid::from_bytes(reader.take()?)),
        public_key: reader.take()?,
    })
}

/// What a record is bound to: its place and its edit.
#[must_use]
pub fn associated_data(sequence: u64, edit: EditId, mark: &[u8; 16]) -> Vec<u8> {
    [sequence.to_be_bytes().as_slice(), edit.0.as_bytes(), mark].concat()
}

/// The nonce of a record. Its key is of one opening of the file, in which no sequence number comes twice.
#[must_use]
pub fn nonce(sequence: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    for (to, from) in nonce.iter_mut().skip(4).zip(sequence.to_be_bytes()) {
        *to = from;
    }
    nonce
}

/// The mark of an edit that travels with this signature.
#[must_use]
pub fn mark(signature: &[u8]) -> [u8; 16] {
    let mut bytes = b"neonpro escrow mark v1\0".to_vec();
    bytes.extend_from_slice(signature);
    beginning(&bytes)
}

impl Record<'_> {
    /// Appends the record to a file's bytes.
    pub fn append_to(&self, file: &mut Vec<u8>) {
        let start = file.len();
        let length =
            RECORD_HEAD_BYTES.saturating_sub(4).saturating_add(self.sealed.len()).saturating_add(CHECK_BYTES);
        file.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        file.extend_from_slice(&self.sequence.to_be_bytes());
        file.extend_from_slice(self.edit.0.as_bytes());
        file.extend_from_slice(&self.mark);
        file.extend_from_slice(&self.encapsulated);
        file.extend_from_slice(self.sealed);
        push_check(file, start);
    }
}

/// The records of a file, each with the place it begins at and the one behind it, up to its end or the first that is cut,
/// changed or out of order.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    file: &'a [u8],
    at: usize,
    last: u64,
}

impl<'a> Records<'a> {
    /// The records behind a header.
    #[must_use]
    pub const fn of(file: &'a [u8]) -> Self {
        Self { file, at: HEADER_BYTES, last: 0 }
    }

    /// Where the next one begins. At the end: how many bytes of the file are whole.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.at
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = (std::ops::Range<usize>, Record<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.file.get(self.at..)?;
        let length = usize::try_from(u32::from_be_bytes(rest.get(..4)?.try_into().ok()?)).ok()?;
        let whole = length.checked_add(4)?;
        if whole > RECORD_BYTES_MAX {
            return None;
        }
        let mut reader = Reader(checked(rest.get(..whole)?)?);
        reader.take::<4>()?;
        let sequence = u64::from_be_bytes(reader.take()?);
        let (edit, mark, encapsulated) =
            (EditId(Uuid::from_bytes(reader.take()?)), reader.take()?, reader.take()?);
        if sequence <= self.last {
            return None;
        }
        let range = self.at..self.at.checked_add(whole)?;
        (self.at, self.last) = (range.end, sequence);
        Some((range, Record { sequence, edit, mark, encapsulated, sealed: reader.0 }))
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }
}

fn push_check(bytes: &mut Vec<u8>, start: usize) {
    let check: [u8; CHECK_BYTES] = beginning(bytes.get(start..).unwrap_or_default());
    bytes.extend_from_slice(&check);
}

/// What stands before its check, if that fits.
fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let (content, check) = bytes.split_last_chunk::<CHECK_BYTES>()?;
    (beginning::<CHECK_BYTES>(content) == *check).then_some(content)
}

fn beginning<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let hash = digest(&SHA256, bytes);
    let mut first = [0u8; N];
    for (to, from) in first.iter_mut().zip(hash.as_ref()) {
        *to = *from;
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            clinic: ClinicId(Uuid::from_u128(1)),
            device: DeviceId(Uuid::from_u128(2)),
            public_key: [3; 32],
        }
    }

    fn record(sequence: u64, sealed: &[u8]) -> Record<'_> {
        let edit = EditId(Uuid::from_u128(u128::from(sequence)));
        Record { sequence, edit, mark: mark(sealed), encapsulated: [4; 32], sealed }
    }

    fn file() -> Vec<u8> {
        let mut file = header().encode();
        for (sequence, sealed) in [(1, &b"um"[..]), (2, b"dois"), (5, b"cinco")] {
            record(sequence, sealed).append_to(&mut file);
        }
        file
    }

    #[test]
    fn what_was_written_reads_back_and_keeps_its_bytes() {
        let file = file();
        assert_eq!(read_header(&file), Some(header()));
        let read: Vec<_> = Records::of(&file).map(|(_, record)| record).collect();
        assert_eq!(read, [record(1, b"um"), record(2, b"dois"), record(5, b"cinco")]);
        let hex: String = file.iter().map(|byte| format!("{byte:02x}")).collect();
        insta::assert_snapshot!(hex);
    }

    #[test]
    fn a_cut_or_a_changed_byte_ends_the_file_before_it() {
        let file = file();
        for end in 0..file.len() {
            let whole = Records::of(&file[..end]).filter(|(range, _)| range.end > end).count();
            assert_eq!(whole, 0, "cut at {end}");
            assert!(Records::of(&file[..end]).count() < 3, "cut at {end}");
            assert_eq!(read_header(&file[..end]).is_some(), end >= HEADER_BYTES, "cut at {end}");
        }
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1;
            let read: Vec<_> = Records::of(&changed).map(|(range, _)| range).collect();
            assert!(read.iter().all(|range| !range.contains(&at)), "changed at {at}");
            assert!(at >= HEADER_BYTES || read_header(&changed).is_none(), "changed at {at}");
        }
    }

    #[test]
    fn a_record_out_of_order_ends_the_file() {
        let mut file = file();
        record(5, b"outro").append_to(&mut file);
        assert_eq!(Records::of(&file).count(), 3);
    }
}
