//! The replica's key in a file: 32 random bytes that only their owner may read, sealed by the platform's keystore where the
//! device has one ([`crate::keystore`]).
//!
//! Owns creating, reading, replacing and destroying that file. Without a keystore, whoever holds the file can open the replica. While the key is changed the file holds two, the new one first.
//! Invariants: a file is replaced whole or not at all, and what is not a key is never overwritten.

use crate::keystore;
use ring::rand::{SecureRandom, SystemRandom};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use zeroize::Zeroizing;

/// Bytes of the key: AES-256.
pub const KEY_BYTES: usize = 32;
/// Bytes of a file while the key is changed.
const TWO_KEYS_BYTES: usize = 2 * KEY_BYTES;
/// More than any file without PINs has.
const FILE_BYTES_MAX: usize = 4 * KEY_BYTES;

/// A replica's key in memory. Wiped when dropped.
pub type Key = Zeroizing<[u8; KEY_BYTES]>;

/// The keys a file may hold.
#[derive(Clone)]
pub struct Keys {
    /// The replica's key, or the one it is being given.
    pub key: Key,
    /// The one it had, until it is known to open with the new one.
    pub previous: Option<Key>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(…)")
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file could not be read or created.
    #[error("the key file cannot be read or created; check the folder and its permissions")]
    Io(#[source] std::io::Error),
    /// It exists with another content.
    #[error("the key file must hold exactly 32 bytes, or 64 while the key is changed; it was left as it is")]
    Length,
    /// The key is under PINs.
    #[error("the key is under PINs; only the tablet's page opens it, for whoever knows one")]
    UnderPins,
    /// This device's keystore does not open it.
    #[error(
        "the key lies under a device keystore that is not here or was emptied; enrol the tablet anew and recover its unsent work from the escrow file"
    )]
    Keystore,
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
    load_keys(path).map(|keys| *keys.key)
}

/// Reads the keys, creating one if there is no file yet.
///
/// # Errors
/// The file cannot be read or made, is not a key, or others may read it.
pub fn load_keys(path: &Path) -> Result<Keys, KeyFileError> {
    match File::open(path) {
        Ok(file) => {
            let (keys, sealed) = read(file)?;
            if !sealed && keystore::held().is_some() {
                put_keys(path, &keys)?;
            }
            Ok(keys)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            create(path).map(|key| Keys { key, previous: None })
        }
        Err(error) => Err(KeyFileError::Io(error)),
    }
}

/// A new key.
///
/// # Errors
/// The system gave no randomness.
pub fn random() -> Result<Key, KeyFileError> {
    let mut key: Key = Zeroizing::new([0u8; KEY_BYTES]);
    SystemRandom::new().fill(key.as_mut_slice()).map_err(|_| KeyFileError::Random)?;
    Ok(key)
}

/// Writes plain keys in place of what the file holds.
///
/// # Errors
/// A storage failure; the file is as it was.
pub fn put_keys(path: &Path, keys: &Keys) -> Result<(), KeyFileError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * KEY_BYTES));
    bytes.extend_from_slice(keys.key.as_slice());
    bytes.extend_from_slice(keys.previous.as_ref().map_or(&[][..], |key| key.as_slice()));
    replace(path, &kept(&bytes)?).map_err(KeyFileError::Io)
}

/// Keys as they lie in the file: under the keystore, where there is one.
fn kept(plain: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    match keystore::held() {
        Some(secret) => secret.seal(plain).map(Zeroizing::new).ok_or(KeyFileError::Random),
        None => Ok(Zeroizing::new(plain.to_vec())),
    }
}

/// Whether a key file of these bytes holds keys without a PIN.
pub(crate) fn is_plain(bytes: &[u8]) -> bool {
    matches!(bytes.len(), KEY_BYTES | TWO_KEYS_BYTES) || keystore::is_sealed(bytes)
}

/// The keys, and whether they lay under the keystore.
fn read(file: File) -> Result<(Keys, bool), KeyFileError> {
    refuse_exposed(&file)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX));
    file.take(FILE_BYTES_MAX as u64).read_to_end(&mut bytes).map_err(KeyFileError::Io)?;
    let sealed = keystore::is_sealed(&bytes);
    if sealed {
        bytes = keystore::held().and_then(|secret| secret.open(&bytes)).ok_or(KeyFileError::Keystore)?;
    }
    if bytes.first() == Some(&b'{') && bytes.len() > 2 * KEY_BYTES {
        return Err(KeyFileError::UnderPins);
    }
    if !matches!(bytes.len(), KEY_BYTES | TWO_KEYS_BYTES) {
        return Err(KeyFileError::Length);
    }
    let key = |bytes: &[u8]| bytes.try_into().map(Zeroizing::new).map_err(|_| KeyFileError::Length);
    let (first, second) = bytes.split_at(KEY_BYTES);
    let previous = if second.is_empty() { None } else { Some(key(second)?) };
    Ok((Keys { key: key(first)?, previous }, sealed))
}

/// Writes a file whole or not at all: one beside it takes its place once it is on the storage. What the old one held is
/// overwritten afterwards; storage that writes elsewhere may keep it, so nothing may depend on it being gone.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    replace_by(&path.with_extension("fresh"), path, bytes)
}

/// The same for a file that is not a key file and may lie beside one of its name.
pub(crate) fn replace_beside(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".fresh");
    replace_by(Path::new(&fresh), path, bytes)
}

fn replace_by(fresh: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    let old = OpenOptions::new().write(true).open(path);
    std::fs::rename(fresh, path)?;
    sync_folder(path)?;
    match old {
        Ok(old) => overwrite(old),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Overwrites and removes a key file, and what an interrupted change of it may have left beside it.
///
/// # Errors
/// A storage failure; what could be destroyed is.
pub fn destroy(path: &Path) -> std::io::Result<()> {
    for path in [path.with_extension("fresh"), path.to_owned()] {
        match OpenOptions::new().write(true).open(&path) {
            Ok(file) => {
                overwrite(file)?;
                std::fs::remove_file(&path)?;
                sync_folder(&path)?;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn overwrite(mut file: File) -> std::io::Result<()> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(0))?;
    std::io::copy(&mut std::io::repeat(0).take(length), &mut file)?;
    file.sync_all()
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn create(path: &Path) -> Result<Key, KeyFileError> {
    let key = random()?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(KeyFileError::Io)?;
    file.write_all(&kept(key.as_slice())?).and_then(|()| file.sync_all()).map_err(KeyFileError::Io)?;
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
    fn two_keys_are_read_back_and_a_destroyed_file_is_gone_with_what_lay_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tablet.key");
        let first = load_keys(&path).unwrap();
        assert!(first.previous.is_none());
        let second = random().unwrap();
        put_keys(&path, &Keys { key: second.clone(), previous: Some(first.key.clone()) }).unwrap();
        let both = load_keys(&path).unwrap();
        assert_eq!((both.key, both.previous), (second, Some(first.key)));
        std::fs::write(path.with_extension("fresh"), [1; 40]).unwrap();
        destroy(&path).unwrap();
        destroy(&path).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
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
