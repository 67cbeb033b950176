//! The key of a file the server does not have yet, sealed to the clinic: it lies beside the encrypted file on the tablet.
//!
//! The escrow's header, then `encapsulated 32 · sealed (size 8, key 32) · tag 16`. What it is of stands in the name of the
//! file it lies beside and is bound by the seal. Seals and opens nothing itself.

use super::{HEADER_BYTES, Header, read_header};
use crate::blob::Address;

/// What HPKE exports the key that seals under (RFC 9180, 5.3). It seals once, so its nonce is zero.
pub const FILE_KEY_LABEL: &[u8] = b"neonpro escrow file key";
/// End of the name of the file it lies in.
pub const FILE_KEY_SUFFIX: &str = ".key";
const CONTENT_BYTES: usize = 8 + 32;

/// What opens a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FileKey {
    /// Bytes of the whole file.
    pub size: u64,
    /// AES-256 key of its chunks.
    pub key: [u8; 32],
}

/// A sealed [`FileKey`] as it lies beside its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedFileKey<'a> {
    /// Whose, and who can open it.
    pub header: Header,
    /// HPKE's encapsulated key.
    pub encapsulated: [u8; 32],
    /// What is sealed.
    pub sealed: &'a [u8],
}

impl FileKey {
    /// What is sealed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [self.size.to_be_bytes().as_slice(), &self.key].concat()
    }

    /// Reads what was sealed.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (size, key) = bytes.split_first_chunk::<8>()?;
        Some(Self { size: u64::from_be_bytes(*size), key: key.try_into().ok()? })
    }
}

impl<'a> SealedFileKey<'a> {
    /// The file's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [&self.header.encode(), self.encapsulated.as_slice(), self.sealed].concat()
    }

    /// Reads a file; `None` for anything else.
    #[must_use]
    pub fn read(file: &'a [u8]) -> Option<Self> {
        let header = read_header(file)?;
        let (encapsulated, sealed) = file.get(HEADER_BYTES..)?.split_first_chunk::<32>()?;
        let fits = sealed.len() == CONTENT_BYTES.saturating_add(16);
        fits.then_some(Self { header, encapsulated: *encapsulated, sealed })
    }
}

/// What the seal of a file's key is bound to.
#[must_use]
pub fn file_key_bound(address: &Address) -> Vec<u8> {
    [b"neonpro escrow file key v1\0".as_slice(), &address.0].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{ClinicId, DeviceId};
    use uuid::Uuid;

    #[test]
    fn what_was_written_reads_back_and_a_file_cut_anywhere_does_not() {
        let (clinic, device) = (ClinicId(Uuid::from_u128(1)), DeviceId(Uuid::from_u128(2)));
        let header = Header { clinic, device, public_key: [3; 32] };
        let sealed = SealedFileKey { header, encapsulated: [4; 32], sealed: &[5; CONTENT_BYTES + 16] };
        let file = sealed.encode();
        assert_eq!(SealedFileKey::read(&file), Some(sealed));
        assert!((0..file.len()).all(|end| SealedFileKey::read(&file[..end]).is_none()));
        let key = FileKey { size: 7, key: [8; 32] };
        assert!(FileKey::decode(&key.encode()) == Some(key));
        assert!(FileKey::decode(&[0; 39]).is_none());
    }
}
