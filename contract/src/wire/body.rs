//! Compressed bodies of pages (zstd, RFC 8878) with a hard limit on what they expand to.

use super::WireError;
use crate::limits::PAGE_BYTES_MAX;
use minicbor::bytes::ByteVec;

/// Compression level: fastest that still halves rows; pages are made while the database is read.
const ZSTD_LEVEL: i32 = 1;

/// Compresses a body.
#[must_use]
pub fn pack(raw: &[u8]) -> ByteVec {
    // Compressing from memory to memory cannot fail; an empty body would be refused by the reader.
    zstd::bulk::compress(raw, ZSTD_LEVEL).unwrap_or_default().into()
}

/// Expands a body, never beyond [`PAGE_BYTES_MAX`].
///
/// # Errors
/// Bytes that do not expand within the limit.
pub fn unpack(body: &[u8]) -> Result<Vec<u8>, WireError> {
    zstd::bulk::decompress(body, PAGE_BYTES_MAX).map_err(|_| WireError::Body)
}
