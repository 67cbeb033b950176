//! The key that signs checkpoints. It never is in the database: whoever rewrites the log there cannot sign for it.

use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file.
    #[error("reading or writing {path} failed")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Others may read it.
    #[error("{0} may be read by others than its owner: chmod 600 it")]
    Exposed(PathBuf),
    /// It holds no Ed25519 key.
    #[error("{0} holds no Ed25519 key (PKCS#8)")]
    Unreadable(PathBuf),
    /// The system has no randomness.
    #[error("making a key failed")]
    Make,
}

/// A signing key.
pub struct AuditKey(Ed25519KeyPair);

impl std::fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuditKey")
    }
}

impl AuditKey {
    /// Reads the key of this file, or makes one and keeps it there with mode 0600.
    ///
    /// # Errors
    /// A file that cannot be read or written, that others may read, or that holds no key.
    pub fn load_or_make(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File { path: path.to_owned(), source };
        match std::fs::metadata(path) {
            Ok(found) if found.permissions().mode() & 0o077 != 0 => {
                return Err(KeyError::Exposed(path.to_owned()));
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => make(path)?,
            Err(error) => return Err(failed(error)),
        }
        let bytes = std::fs::read(path).map_err(failed)?;
        Ed25519KeyPair::from_pkcs8(&bytes).map(Self).map_err(|_| KeyError::Unreadable(path.to_owned()))
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        let mut key = [0; 32];
        for (to, from) in key.iter_mut().zip(self.0.public_key().as_ref()) {
            *to = *from;
        }
        key
    }

    /// Signs.
    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.0.sign(bytes).as_ref().to_vec()
    }
}

/// Another server starting at the same moment makes the same file: the one that is there first counts.
fn make(path: &Path) -> Result<(), KeyError> {
    let failed = |source| KeyError::File { path: path.to_owned(), source };
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).map_err(failed)?;
    }
    let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| KeyError::Make)?;
    let fresh = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)
        .map_err(failed)?;
    file.write_all(made.as_ref()).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    let linked = std::fs::hard_link(&fresh, path);
    std::fs::remove_file(&fresh).map_err(failed)?;
    match linked {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(failed(error)),
        _ => Ok(()),
    }
}

/// Reads a public key of 64 hexadecimal digits.
#[must_use]
pub fn public_key_of(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut key = [0; 32];
    for (at, byte) in key.iter_mut().enumerate() {
        let start = at.saturating_mul(2);
        *byte = u8::from_str_radix(text.get(start..start.saturating_add(2))?, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone_and_refused_when_others_may_read_it() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("deep").join("audit-key");
        let made = AuditKey::load_or_make(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(AuditKey::load_or_make(&path).unwrap().public_key(), made.public_key());
        let text: String = made.public_key().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(public_key_of(&text), Some(made.public_key()));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(AuditKey::load_or_make(&path), Err(KeyError::Exposed(_))));
        std::fs::write(&path, b"no key").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(AuditKey::load_or_make(&path), Err(KeyError::Unreadable(_))));
    }
}
