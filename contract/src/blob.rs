//! Files of patients (photographs, documents): how a record names one, how it is cut, what a device signs to move it.
//!
//! A file is named by the SHA-256 of its bytes, so whoever has it can check it and nobody can put another in its place. It
//! travels after records, in chunks, over requests of its own (docs/photos.md). Never reads or writes a file itself.

pub mod cipher;

use crate::catalogue::{FacetId, Table};
use crate::edit::DocumentId;
use crate::ids::DeviceId;
use crate::limits::{BLOB_BYTES_MAX, BLOB_CHUNK_BYTES};
use crate::row::Row;
use crate::value::Value;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

const PREFIX: &str = "sha256:";
/// Domain separation of a request's signature.
const CONTEXT: &[u8] = b"neonpro blob request v1\0";
/// Where blobs are on the server.
pub const BLOBS_PATH: &str = "/blobs";
/// Header with the number of bytes of the whole file, decimal: on the first chunk of an upload and on every download.
pub const SIZE_HEADER: &str = "neonpro-size";
/// Header with the requesting device, and the instant it signed at.
pub const DEVICE_HEADER: &str = "neonpro-device";
/// Header with the server time at which it signed, µs, decimal.
pub const AT_HEADER: &str = "neonpro-at";
/// Header with the Ed25519 signature over [`request_bytes`], hexadecimal.
pub const SIGNATURE_HEADER: &str = "neonpro-signature";

/// The content address of a file: SHA-256 of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub [u8; 32]);

impl Address {
    /// The address of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut address = [0; 32];
        for (to, from) in address.iter_mut().zip(digest(&SHA256, bytes).as_ref()) {
            *to = *from;
        }
        Self(address)
    }

    /// Reads `sha256:` and 64 hexadecimal digits in lower case; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_hex(text.strip_prefix(PREFIX)?)
    }

    /// Reads 64 hexadecimal digits in lower case.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => byte.checked_sub(b'0'),
            b'a'..=b'f' => byte.checked_sub(b'a').map(|digit| digit.saturating_add(10)),
            _ => None,
        };
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != 32 || !rest.is_empty() {
            return None;
        }
        let mut address = [0; 32];
        for (to, [high, low]) in address.iter_mut().zip(pairs) {
            *to = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self(address))
    }

    /// 64 hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.hex())
    }
}

/// The files a facet of a record names. Texts that are no address name none.
#[must_use]
pub fn addresses(table: &'static Table, facet: FacetId, row: &Row) -> BTreeSet<Address> {
    let fields = table.columns().enumerate().filter(|(_, field)| field.blob && field.facet == facet);
    fields
        .flat_map(|(index, _)| match row.at(index) {
            Value::Text(text) => std::slice::from_ref(text),
            Value::Texts(members) => members.as_slice(),
            _ => &[],
        })
        .filter_map(|text| Address::parse(text))
        .collect()
}

/// How many chunks a file of so many bytes has; `None` for none at all or too many bytes.
#[must_use]
pub fn chunk_count(size: u64) -> Option<u32> {
    let whole = u64::try_from(BLOB_CHUNK_BYTES).ok()?;
    let max = u64::try_from(BLOB_BYTES_MAX).ok()?;
    (1..=max).contains(&size).then(|| u32::try_from(size.div_ceil(whole)).ok()).flatten()
}

/// Bytes of a chunk of a file; `None` for one it does not have.
#[must_use]
pub fn chunk_bytes(size: u64, chunk: u32) -> Option<usize> {
    let count = chunk_count(size)?;
    let last = count.checked_sub(1)?;
    let whole = u64::try_from(BLOB_CHUNK_BYTES).ok()?;
    match chunk.cmp(&last) {
        std::cmp::Ordering::Less => Some(BLOB_CHUNK_BYTES),
        std::cmp::Ordering::Equal => {
            usize::try_from(size.checked_sub(whole.checked_mul(u64::from(last))?)?).ok()
        }
        std::cmp::Ordering::Greater => None,
    }
}

/// The path of a file as a document names it, or of one of its chunks.
#[must_use]
pub fn path(document: &DocumentId, address: &Address, chunk: Option<u32>) -> String {
    let DocumentId { table, record, facet } = document;
    let file = format!("{BLOBS_PATH}/{}/{record}/{}/{}", table.0, facet.0, address.hex());
    chunk.map_or_else(|| file.clone(), |chunk| format!("{file}/{chunk}"))
}

/// What a device signs to make a request: nothing of it can be another's, or used for another path, body or time.
#[must_use]
pub fn request_bytes(device: DeviceId, at_us: i64, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = CONTEXT.to_vec();
    bytes.extend_from_slice(device.0.as_bytes());
    bytes.extend_from_slice(&at_us.to_be_bytes());
    bytes.extend_from_slice(method.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(path.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(digest(&SHA256, body).as_ref());
    bytes
}

/// How far the server has a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Custody {
    /// Chunks it has, from the first.
    pub chunks: u32,
    /// It has all of them, and they are what the address says.
    pub stored: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::table;

    #[test]
    fn an_address_is_read_as_it_is_written_and_in_no_other_way() {
        let address = Address::of(b"abc");
        let text = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(address.to_string(), text);
        assert_eq!(Address::parse(text), Some(address));
        for wrong in ["", "sha256:", &text[7..], &text[..70], &format!("{text}0"), &text.to_uppercase()] {
            assert_eq!(Address::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn chunks_cover_a_file_and_nothing_beyond() {
        for size in [1, 262_143, 262_144, 262_145, 1_000_000] {
            let count = chunk_count(size).unwrap();
            let sum: usize = (0..count).map(|chunk| chunk_bytes(size, chunk).unwrap()).sum();
            assert_eq!(sum as u64, size);
            assert_eq!(chunk_bytes(size, count), None);
        }
        assert_eq!(chunk_count(0), None);
        assert_eq!(chunk_count(BLOB_BYTES_MAX as u64 + 1), None);
    }

    #[test]
    fn a_row_names_the_files_of_each_facet_apart() {
        let sessions = table("treatment_sessions").unwrap();
        let address = Address::of(b"foto");
        let mut row = Row::empty(sessions);
        row.set("photos_before", Value::Texts(vec!["blob:0".into(), address.to_string()]));
        assert_eq!(addresses(sessions, FacetId(1), &row), BTreeSet::from([address]));
        assert_eq!(addresses(sessions, FacetId(0), &row), BTreeSet::new());
    }

    #[test]
    fn the_path_names_the_document_the_file_and_the_chunk() {
        let record = crate::ids::RecordId(uuid::Uuid::nil());
        let document = DocumentId { table: crate::catalogue::TableId(10), record, facet: FacetId(0) };
        let path = path(&document, &Address([0xab; 32]), Some(3));
        let hex = "ab".repeat(32);
        assert_eq!(path, format!("/blobs/10/00000000-0000-0000-0000-000000000000/0/{hex}/3"));
    }
}
