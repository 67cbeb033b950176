//! The data directory: what lies where in it, the lock that makes it one process's own, and who may enter.
//!
//! The lock, the password and the start-up log stay with the user who runs this process; only the directories
//! PostgreSQL writes to belong to the user PostgreSQL runs as. So that user can never make this process, possibly root,
//! follow a link it planted.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::account::{self, Account};
use super::error::PostgresError;

/// Name of the lock file; its presence also marks a directory as ours.
const LOCK_NAME: &str = "neonpro-postgres.lock";

/// Where root keeps the cluster when no other place is named.
const SYSTEM_DATA_DIR: &str = "/var/lib/neonpro/postgres";

/// Paths below one data directory.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    root: PathBuf,
}

/// The hold on a data directory. It ends with the value, and with the process however that ends.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file is not enough: a child that another thread is just starting has a copy until it has started.
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, "the lock of the data directory could not be released");
        }
    }
}

impl Layout {
    /// The layout of a directory another process may own. Changes nothing.
    pub(super) fn at(data_dir: &Path) -> Self {
        Self { root: data_dir.to_owned() }
    }

    /// Makes the directory if it is missing and locks it for this process.
    pub(super) fn claim(data_dir: &Path) -> Result<(Self, Lock), PostgresError> {
        fs::create_dir_all(data_dir).map_err(PostgresError::io("create", data_dir))?;
        let root = data_dir.canonicalize().map_err(PostgresError::io("resolve", data_dir))?;
        let layout = Self { root };
        layout.refuse_foreign_files()?;
        let path = layout.root.join(LOCK_NAME);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(PostgresError::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok((layout, Lock { file })),
            Err(TryLockError::WouldBlock) => Err(PostgresError::InUse { data_dir: layout.root }),
            Err(TryLockError::Error(source)) => Err(PostgresError::Io { action: "lock", path, source }),
        }
    }

    /// Closes the directory to others and makes sure the server's user gets in.
    pub(super) fn protect(&self, account: &Account) -> Result<(), PostgresError> {
        let owner = fs::metadata(&self.root).map_err(PostgresError::io("look at", &self.root))?.uid();
        // Passing through is enough: the server's user knows the names of its own directories.
        let mode = if account.is_other_than(owner) { 0o711 } else { 0o700 };
        fs::set_permissions(&self.root, Permissions::from_mode(mode))
            .map_err(PostgresError::io("set permissions of", &self.root))?;
        if !account.can_enter(&self.root)? {
            return Err(PostgresError::Unreachable {
                data_dir: self.root.clone(),
                user: account.name().to_owned(),
                proposal: SYSTEM_DATA_DIR.into(),
            });
        }
        make_private_dir(&self.log_dir(), account)
    }

    /// The data directory itself.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The cluster (`PGDATA`).
    pub(super) fn cluster(&self) -> PathBuf {
        self.root.join("cluster")
    }

    /// Where a cluster is made, before it gets its name.
    pub(super) fn unfinished_cluster(&self) -> PathBuf {
        self.root.join("cluster.unfinished")
    }

    /// The superuser's password.
    pub(super) fn password(&self) -> PathBuf {
        self.root.join("superuser-password")
    }

    /// The copy of the password that `initdb` reads, there only while it runs.
    pub(super) fn initdb_password(&self) -> PathBuf {
        self.root.join("superuser-password.initdb")
    }

    /// What the server says before its own log is open; overwritten by each start.
    pub(super) fn startup_log(&self) -> PathBuf {
        self.root.join("startup.log")
    }

    /// The server's own log files.
    pub(super) fn log_dir(&self) -> PathBuf {
        self.root.join("log")
    }

    /// The socket's directory, where the path is short enough.
    pub(super) fn socket_dir(&self) -> PathBuf {
        self.root.join("socket")
    }

    /// A directory with content and without our lock belongs to someone else and is not touched.
    fn refuse_foreign_files(&self) -> Result<(), PostgresError> {
        let entries = fs::read_dir(&self.root).map_err(PostgresError::io("read", &self.root))?;
        let mut foreign = false;
        for entry in entries {
            let name = entry.map_err(PostgresError::io("read", &self.root))?.file_name();
            if name == OsStr::new(LOCK_NAME) {
                return Ok(());
            }
            foreign |= name != OsStr::new("lost+found");
        }
        if foreign { Err(PostgresError::Occupied { data_dir: self.root.clone() }) } else { Ok(()) }
    }
}

/// The data directory when none is named.
pub(super) fn default_data_dir() -> Result<PathBuf, PostgresError> {
    if account::runs_as_root()? {
        return Ok(SYSTEM_DATA_DIR.into());
    }
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .map(|base| base.join("neonpro/postgres"))
        .ok_or(PostgresError::NoHome)
}

/// Makes `path` a directory of the server's user, closed to everybody else. A link is not followed.
pub(super) fn make_private_dir(path: &Path, account: &Account) -> Result<(), PostgresError> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(PostgresError::Io { action: "create", path: path.to_owned(), source: error });
        }
        _ => {}
    }
    let made = fs::symlink_metadata(path).map_err(PostgresError::io("look at", path))?;
    if !made.is_dir() {
        let source = ErrorKind::NotADirectory.into();
        return Err(PostgresError::Io { action: "use as a directory", path: path.to_owned(), source });
    }
    account.give(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o700))
        .map_err(PostgresError::io("set permissions of", path))
}
