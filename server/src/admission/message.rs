//! What server and worker say to each other: CBOR behind a length, over the worker's standard input and output.

use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};
use neonpro_contract::edit::DocumentId;
use std::io::{Error, ErrorKind, Read, Result, Write};

/// What a worker says first: its protocol and its catalogue. Both ends are one program, so another answer means that
/// the program on disk was exchanged while the server runs.
pub(super) const GREETING: (u32, u32) = (2, neonpro_contract::catalogue::CATALOGUE_VERSION);

/// A document before the batch.
#[derive(Debug, Clone, Encode, Decode)]
#[cbor(array)]
pub struct Base {
    /// Which document.
    #[n(0)]
    pub document: DocumentId,
    /// Its epoch.
    #[n(1)]
    pub epoch: u32,
    /// Its saved history, if it has a live one.
    #[n(2)]
    pub saved: Option<ByteVec>,
    /// CBOR of its row, for a document that is its row.
    #[n(3)]
    pub row: Option<ByteVec>,
}

/// One change of an edit.
#[derive(Debug, Clone, Encode, Decode)]
#[cbor(array)]
pub struct Step {
    /// Index of its document's base.
    #[n(0)]
    pub base: u32,
    /// The change.
    #[n(1)]
    pub change: ByteVec,
}

/// Edits to try, in order, each on what the ones before it left.
#[derive(Debug, Clone, Encode, Decode)]
#[cbor(array)]
pub struct Batch {
    /// Their documents.
    #[n(0)]
    pub bases: Vec<Base>,
    /// Their changes.
    #[n(1)]
    pub edits: Vec<Vec<Step>>,
}

/// Heads of a document.
pub type Heads = Vec<ByteArray<32>>;

/// What the worker found.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Verdict {
    /// Merged, saved, loaded again, the same. The heads afterwards, one list per change.
    #[n(0)]
    Fits(#[n(0)] Vec<Heads>),
    /// It cannot be merged here, and merging refuses it before anything is changed: the judge says why.
    #[n(1)]
    Unmerged,
    /// It would harm the document, or cost more than an edit may.
    #[n(2)]
    Harms,
}

/// Writes one message.
///
/// # Errors
/// What the writer reports.
pub(super) fn write(to: &mut impl Write, message: &impl Encode<()>) -> Result<()> {
    to.write_all(&framed(message)?)
}

/// A message with its length in front.
///
/// # Errors
/// A message longer than its length field can say.
pub(super) fn framed(message: &impl Encode<()>) -> Result<Vec<u8>> {
    let body = minicbor::to_vec(message).map_err(|_| Error::from(ErrorKind::InvalidData))?;
    let length = u32::try_from(body.len()).map_err(|_| Error::from(ErrorKind::InvalidData))?;
    let mut frame = Vec::with_capacity(body.len().saturating_add(4));
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(&body);
    Ok(frame)
}

/// Reads one message's bytes; `None` at the end of the stream.
///
/// # Errors
/// A message over the limit, one cut off, or what the reader reports.
pub(super) fn read(from: &mut impl Read, bytes_max: usize) -> Result<Option<Vec<u8>>> {
    let mut length = [0u8; 4];
    match from.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut body = vec![0u8; checked(length, bytes_max)?];
    from.read_exact(&mut body)?;
    Ok(Some(body))
}

/// A length that is within the limit.
///
/// # Errors
/// One that is not.
pub(super) fn checked(length: [u8; 4], bytes_max: usize) -> Result<usize> {
    usize::try_from(u32::from_be_bytes(length))
        .ok()
        .filter(|length| *length <= bytes_max)
        .ok_or_else(|| Error::from(ErrorKind::InvalidData))
}
