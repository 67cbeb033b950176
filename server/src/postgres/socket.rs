//! The directory of the Unix socket: private to the server's user, with a path short enough for the system.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};

use super::account::{self, Account};
use super::cluster::hex;
use super::error::PostgresError;
use super::layout::{Layout, make_private_dir};
use super::settings::PORT;

/// Longest directory path, bytes. The whole socket path has 107 on Linux and 103 on macOS; the file's name takes 14 of
/// them and `.lock` is not a socket.
const DIRECTORY_BYTES_MAX: usize = 89;

/// Names to try below a shared directory, where somebody else may hold one.
const NAME_ATTEMPTS_MAX: u32 = 8;

/// A private directory for the socket.
#[derive(Debug)]
pub(super) struct SocketDir {
    path: PathBuf,
    /// Made below a shared directory, to be removed again.
    temporary: bool,
}

impl SocketDir {
    /// Makes the directory: in the data directory where its path allows, else under a short name below the temporary
    /// directory.
    pub(super) fn prepare(layout: &Layout, account: &Account) -> Result<Self, PostgresError> {
        let own = layout.socket_dir();
        if fits(&own) && is_plain(&own) {
            make_private_dir(&own, account)?;
            return Ok(Self { path: own, temporary: false });
        }
        let base = Some(std::env::temp_dir())
            .filter(|base| fits(&base.join("neonpro-0123456789abcdef-0")) && is_plain(base))
            .unwrap_or_else(|| PathBuf::from("/tmp"));
        let digest = digest(&SHA256, layout.root().as_os_str().as_encoded_bytes());
        let short: String = hex(digest.as_ref()).chars().take(16).collect();
        for attempt in 0..NAME_ATTEMPTS_MAX {
            let path = base.join(format!("neonpro-{short}-{attempt}"));
            if claim_shared(&path, account)? && account.can_enter(&path)? {
                return Ok(Self { path, temporary: true });
            }
        }
        Err(PostgresError::SocketDirectory { base })
    }

    /// The directory.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes what a killed server left: a stale lock whose process number now belongs to another process would keep
    /// the next server from starting. Only for the holder of the data directory's lock, with no server running.
    pub(super) fn clear(&self) -> Result<(), PostgresError> {
        for name in [format!(".s.PGSQL.{PORT}"), format!(".s.PGSQL.{PORT}.lock")] {
            let path = self.path.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(PostgresError::Io { action: "remove", path, source: error });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Drop for SocketDir {
    fn drop(&mut self) {
        if self.temporary
            && let Err(error) = fs::remove_dir(&self.path)
        {
            // The next start uses the directory again.
            tracing::debug!(%error, path = %self.path.display(), "socket directory stays");
        }
    }
}

fn fits(path: &Path) -> bool {
    path.as_os_str().len() <= DIRECTORY_BYTES_MAX
}

/// Whether PostgreSQL takes the path as one entry: its setting is a comma-separated list with quotes and `@` names.
fn is_plain(path: &Path) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '+');
    path.to_str().is_some_and(|path| path.chars().all(plain))
}

/// Makes `path` in a directory others can write to; false when somebody else holds the name.
fn claim_shared(path: &Path, account: &Account) -> Result<bool, PostgresError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => account.give(path).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let found = fs::symlink_metadata(path).map_err(PostgresError::io("look at", path))?;
            let owner = account.uid().map_or_else(account::own_uid, |uid| Ok(Some(uid)))?;
            Ok(found.is_dir() && Some(found.uid()) == owner && found.mode() & 0o777 == 0o700)
        }
        Err(source) => Err(PostgresError::Io { action: "create", path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::{fits, is_plain};
    use std::path::Path;

    #[test]
    fn path_with_a_meaning_in_the_setting_is_not_used() {
        assert!(is_plain(Path::new("/var/lib/neonpro/postgres/socket")));
        assert!(!is_plain(Path::new("/home/ana,bia/socket")));
        assert!(!is_plain(Path::new("/home/ana bia/socket")));
    }

    #[test]
    fn path_too_long_for_a_socket_is_not_used() {
        assert!(fits(Path::new("/tmp/neonpro-0123456789abcdef-0")));
        assert!(!fits(Path::new(&format!("/{}", "a".repeat(89)))));
    }
}
