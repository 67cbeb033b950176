//! What can go wrong with the embedded cluster, each with what the operator needs to act. Never carries a password.

use std::io;
use std::path::{Path, PathBuf};

/// Why the embedded cluster cannot be started or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// No usable PostgreSQL on this machine.
    #[error(
        "PostgreSQL 15 or newer is needed and was not found ({looked_at}).\n\
         Debian or Ubuntu: apt-get install postgresql\n\
         Fedora: dnf install postgresql-server\n\
         macOS: brew install postgresql@16\n\
         Installed elsewhere: set NEONPRO_PG_BIN to the directory that holds `postgres` and `initdb`.\n\
         To use a server of your own instead, set DATABASE_URL."
    )]
    NotInstalled {
        /// What was found instead, or where was looked.
        looked_at: String,
    },
    /// The cluster was made by a major version that is not installed.
    #[error(
        "the cluster was made by PostgreSQL {cluster}, which is not installed (found: {found}); install PostgreSQL \
         {cluster}, or move the cluster to a newer version with pg_upgrade"
    )]
    VersionMismatch {
        /// Major version that made the cluster.
        cluster: u32,
        /// Versions on this machine.
        found: String,
    },
    /// Another process holds the data directory.
    #[error("{} is in use by another NeonPro server; stop that one, or choose another data directory", .data_dir.display())]
    InUse {
        /// The data directory.
        data_dir: PathBuf,
    },
    /// The directory holds files of someone else.
    #[error("{} holds other files; choose an empty or new directory for the database", .data_dir.display())]
    Occupied {
        /// The data directory.
        data_dir: PathBuf,
    },
    /// The user the server must run as cannot get to the data directory.
    #[error(
        "started by root, the database runs as user {user}, who cannot reach {}; choose a directory such as {}, or \
         make every directory above it accessible (chmod a+x)",
        .data_dir.display(),
        .proposal.display()
    )]
    Unreachable {
        /// The data directory.
        data_dir: PathBuf,
        /// The user's name or number.
        user: String,
        /// A directory that works.
        proposal: PathBuf,
    },
    /// Started by root, and there is no ordinary user to run the server as.
    #[error(
        "PostgreSQL does not run as root, and neither user `postgres` nor `nobody` exists; create user `postgres`"
    )]
    NoOrdinaryUser,
    /// The user has no home directory and named no data directory.
    #[error("HOME is not set; name a data directory for the database")]
    NoHome,
    /// The cluster is there and its password is not.
    #[error("the cluster's password file {} is missing; put it back from a backup", .path.display())]
    PasswordMissing {
        /// Where it belongs.
        path: PathBuf,
    },
    /// No short private directory could be made for the socket.
    #[error("no private directory for the database socket could be made below {}", .base.display())]
    SocketDirectory {
        /// Directory that was tried.
        base: PathBuf,
    },
    /// A PostgreSQL tool failed.
    #[error("{program} failed ({status}): {output}")]
    Tool {
        /// Its name.
        program: String,
        /// How it ended.
        status: String,
        /// What it wrote.
        output: String,
    },
    /// A postmaster of an earlier run does not stop.
    #[error("process {pid} of an earlier run still uses {} and does not stop", .data_dir.display())]
    LeftoverRuns {
        /// Its process id.
        pid: u32,
        /// The data directory.
        data_dir: PathBuf,
    },
    /// The server ended without being asked to.
    #[error("PostgreSQL ended ({status}); its log ends with:\n{log_tail}")]
    Exited {
        /// How it ended.
        status: String,
        /// End of the log.
        log_tail: String,
    },
    /// The server was not ready in time.
    #[error("PostgreSQL was not ready within {limit_s} s; its log ends with:\n{log_tail}")]
    NotReady {
        /// The limit, seconds.
        limit_s: u64,
        /// End of the log.
        log_tail: String,
    },
    /// The server did not stop in time.
    #[error("PostgreSQL did not stop within {limit_s} s; its log ends with:\n{log_tail}")]
    NotStopped {
        /// The limit, seconds.
        limit_s: u64,
        /// End of the log.
        log_tail: String,
    },
    /// A file or process operation failed.
    #[error("could not {action} {}", .path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The system gave no randomness for a password.
    #[error("the system gave no randomness")]
    Randomness,
    /// The runtime went away during the operation.
    #[error("the operation was interrupted")]
    Interrupted(#[source] tokio::task::JoinError),
}

impl PostgresError {
    /// For `map_err`: an [`PostgresError::Io`] that says what was being done to which path.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
