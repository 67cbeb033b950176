//! The replica's key in a file: 32 random bytes that only their owner may read.
//!
//! Owns creating and reading that file. It stands where the platform keystore will stand on a real tablet; whoever
//! holds the file can open the replica. Invariant: an existing file is never overwritten.

use ring::rand::{SecureRandom, SystemRandom};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

/// Bytes of the key: AES-256.
pub const KEY_BYTES: usize = 32;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file could not be read or created.
    #[error("the key file cannot be read or created; check the folder and its permissions")]
    Io(#[source] std::io::Error),
    /// It exists with another content.
    #[error("the key file must hold exactly 32 bytes; it was left as it is")]
    Length,
    /// The key is under PINs.
    #[error("the key is under PINs; only the tablet's page opens it, for whoever knows one")]
    UnderPins,
    /// Others may read it.
    #[error("the key file may be read by other accounts; run `chmod 600` on it")]
    Exposed,
    /// The system gave no randomness.
    #[error("the system gave no randomness for a new key; try again")]
    Random,
}

/// Reads the key, creating it if there is no file yet.
///
/// # Errors
/// The file cannot be read or made, is not a key, or others may read it.
pub fn load_or_create(path: &Path) -> Result<[u8; KEY_BYTES], KeyFileError> {
    match File::open(path) {
        Ok(file) => read(file),
        Err(error) if error.kind() == ErrorKind::NotFound => create(path),
        Err(error) => Err(KeyFileError::Io(error)),
    }
}

fn read(file: File) -> Result<[u8; KEY_BYTES], KeyFileError> {
    refuse_exposed(&file)?;
    let mut bytes = Vec::with_capacity(KEY_BYTES + 1);
    file.take(KEY_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(KeyFileError::Io)?;
    if bytes.first() == Some(&b'{') && bytes.len() > KEY_BYTES {
        return Err(KeyFileError::UnderPins);
    }
    bytes.try_into().map_err(|_| KeyFileError::Length)
}

fn create(path: &Path) -> Result<[u8; KEY_BYTES], KeyFileError> {
    let mut key = [0u8; KEY_BYTES];
    SystemRandom::new().fill(&mut key).map_err(|_| KeyFileError::Random)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(KeyFileError::Io)?;
    file.write_all(&key).and_then(|()| file.sync_all()).map_err(KeyFileError::Io)?;
    Ok(key)
}

#[cfg(unix)]
fn refuse_exposed(file: &File) -> Result<(), KeyFileError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata().map_err(KeyFileError::Io)?.permissions().mode();
    if mode & 0o077 == 0 { Ok(()) } else { Err(KeyFileError::Exposed) }
}

#[cfg(not(unix))]
fn refuse_exposed(_: &File) -> Result<(), KeyFileError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_only_its_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tablet.key");
        let first = load_or_create(&path).unwrap();
        assert_eq!(load_or_create(&path).unwrap(), first);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(load_or_create(&path), Err(KeyFileError::Exposed)));
    }

    #[test]
    fn a_file_that_is_not_a_key_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path).unwrap();
        file.write_all(b"not a key").unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        assert!(matches!(load_or_create(&path), Err(KeyFileError::Length)));
        assert_eq!(std::fs::read(&path).unwrap(), b"not a key");
    }
}
