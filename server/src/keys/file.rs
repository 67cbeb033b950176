//! The master key in a file of its own, mode 0600, outside of the database and its backups.

use super::aead::Key;
use super::{KeyError, KeyResult};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use zeroize::Zeroizing;

/// Reads the key of a file; `None` if there is no file.
pub(super) fn read(path: &Path) -> KeyResult<Option<Key>> {
    let failed = |source| KeyError::File { path: path.to_owned(), source };
    match std::fs::metadata(path) {
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            return Err(KeyError::Exposed(path.to_owned()));
        }
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    }
    let text = Zeroizing::new(std::fs::read(path).map_err(failed)?);
    let unreadable = || KeyError::Unreadable(path.to_owned());
    let bytes = URL_SAFE_NO_PAD.decode(text.trim_ascii()).map_err(|_| unreadable())?;
    Key::from_bytes(&Zeroizing::new(bytes)).ok_or_else(unreadable).map(Some)
}

/// Makes the file with a new key. Another server starting at the same moment makes the same file: the first counts.
pub(super) fn make(path: &Path) -> KeyResult<()> {
    let failed = |source| KeyError::File { path: path.to_owned(), source };
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).map_err(failed)?;
    }
    let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(Key::random()?.bytes()));
    let fresh = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    let linked = std::fs::hard_link(&fresh, path);
    std::fs::remove_file(&fresh).map_err(failed)?;
    match linked {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(failed(error)),
        _ => Ok(()),
    }
}
