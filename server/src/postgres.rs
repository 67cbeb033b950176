//! The embedded PostgreSQL cluster: a private server for one data directory, started and stopped with this process.
//!
//! Owns the directory it is given, the postmaster that runs in it and the superuser's password. It listens on a Unix
//! socket only, never on the network, and it never touches another cluster of the machine. Invariant: at most one
//! process uses a data directory, and no postmaster outlives the process that started it; whatever a killed process
//! left behind is put in order by the next start.

mod account;
mod binaries;
mod cluster;
mod error;
mod layout;
mod leftover;
mod log;
mod postmaster;
mod settings;
mod socket;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use self::error::PostgresError;

use self::account::Account;
use self::binaries::Binaries;
use self::layout::{Layout, Lock};
use self::leftover::PidFile;
use self::postmaster::{Postmaster, Startup};
use self::socket::SocketDir;

/// Longest wait for a start, crash recovery included: recovery replays at most `max_wal_size` of log.
const START_LIMIT: Duration = Duration::from_secs(120);

/// Pause between two looks at a postmaster that runs as it should.
const WATCH_INTERVAL: Duration = Duration::from_millis(250);

/// What a client needs to connect as the superuser. `Debug` hides the password.
#[derive(Clone)]
pub struct ConnectionSettings {
    /// Directory of the Unix socket; there is no TCP listener.
    pub socket_dir: PathBuf,
    /// Number that names the socket file (`.s.PGSQL.<port>`); no TCP port is opened.
    pub port: u16,
    /// The superuser's name.
    pub user: String,
    /// The superuser's password, random for each cluster.
    pub password: String,
    /// The maintenance database, always there.
    pub database: String,
}

impl fmt::Debug for ConnectionSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionSettings")
            .field("socket_dir", &self.socket_dir)
            .field("port", &self.port)
            .field("user", &self.user)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

/// A running private PostgreSQL server. Dropping it stops the server and waits for that (the calling thread blocks,
/// commonly well under a second); prefer [`EmbeddedPostgres::stop`] where the outcome matters.
#[derive(Debug)]
pub struct EmbeddedPostgres {
    // Fields are dropped in this order: the server stops before its socket directory and its lock go.
    postmaster: Postmaster,
    _socket: SocketDir,
    layout: Layout,
    superuser: ConnectionSettings,
    major: u32,
    _lock: Lock,
}

impl EmbeddedPostgres {
    /// Starts the cluster kept in `data_dir`, creating it the first time, and returns once it accepts connections.
    ///
    /// The directory is this module's alone: it must be missing, empty, or made by an earlier start. Started by root,
    /// the server runs as the `postgres` user (or `nobody`) and `data_dir` must be reachable by that user.
    ///
    /// # Errors
    /// PostgreSQL 15 or newer is not installed, another process uses `data_dir`, the directory holds other files or
    /// cannot be reached, the cluster needs another major version, or the server does not come up (the error carries
    /// the end of its log).
    ///
    /// # Cancel safety
    /// Dropping the future does not interrupt a start under way; the server is stopped as soon as it has come up.
    pub async fn start(data_dir: &Path) -> Result<Self, PostgresError> {
        let data_dir = data_dir.to_owned();
        blocking(move || Self::start_blocking(&data_dir)).await
    }

    /// What a client needs to connect to the cluster that another process of this user runs in `data_dir`: how
    /// commands reach the database of a server that is up. `None` when none runs there.
    #[must_use]
    pub fn running(data_dir: &Path) -> Option<ConnectionSettings> {
        let layout = Layout::at(data_dir);
        // postmaster.pid: pid, data directory, start time, port, socket directory, …
        let text = std::fs::read_to_string(layout.cluster().join("postmaster.pid")).ok()?;
        let mut lines = text.lines().skip(3);
        let port = lines.next()?.trim().parse().ok()?;
        let socket_dir = PathBuf::from(lines.next()?.trim());
        let password = std::fs::read_to_string(layout.password()).ok()?.trim().to_owned();
        Some(ConnectionSettings {
            socket_dir,
            port,
            user: cluster::SUPERUSER.to_owned(),
            password,
            database: cluster::MAINTENANCE_DATABASE.to_owned(),
        })
    }

    /// What a client needs to connect as the superuser.
    #[must_use]
    pub fn superuser_options(&self) -> &ConnectionSettings {
        &self.superuser
    }

    /// Major version of the server that runs, 15 or higher.
    #[must_use]
    pub fn major_version(&self) -> u32 {
        self.major
    }

    /// Directory of the cluster itself (`PGDATA`), for backup tools.
    #[must_use]
    pub fn cluster_dir(&self) -> PathBuf {
        self.layout.cluster()
    }

    /// Directory of the server's log files, one per weekday, overwritten after a week.
    #[must_use]
    pub fn log_dir(&self) -> PathBuf {
        self.layout.log_dir()
    }

    /// Waits until the server ends on its own account and says how. A healthy server never lets this return: use it
    /// beside the work that needs the database, so that a crash ends the work.
    ///
    /// # Cancel safety
    /// Cancel safe: nothing is lost, call it again.
    pub async fn crashed(&mut self) -> PostgresError {
        loop {
            match self.postmaster.exit_status() {
                Ok(None) => tokio::time::sleep(WATCH_INTERVAL).await,
                Ok(Some(status)) => {
                    return PostgresError::Exited {
                        status: status.to_string(),
                        log_tail: log::tail(&self.layout),
                    };
                }
                Err(error) => return error,
            }
        }
    }

    /// Stops the server: open transactions are rolled back, everything committed is on disk when this returns.
    ///
    /// # Errors
    /// The server had already ended by itself, or does not stop within the limits even when told to at once. The
    /// data is safe in both cases: the next start recovers it.
    ///
    /// # Cancel safety
    /// Dropping the future does not interrupt the stop.
    pub async fn stop(mut self) -> Result<(), PostgresError> {
        blocking(move || self.postmaster.stop(&self.layout)).await
    }

    fn start_blocking(data_dir: &Path) -> Result<Self, PostgresError> {
        let deadline = Instant::now() + START_LIMIT;
        let (layout, lock) = Layout::claim(data_dir)?;
        let account = Account::resolve(&layout)?;
        layout.protect(&account)?;
        let binaries = Binaries::find(cluster::major_version(&layout)?)?;
        let password = cluster::ensure(&layout, &binaries, &account)?;
        let socket = SocketDir::prepare(&layout, &account)?;
        leftover::stop(&layout, &binaries, &account)?;
        socket.clear()?;
        let postmaster = launch(&layout, &binaries, &account, &socket, deadline)?;
        let superuser = ConnectionSettings {
            socket_dir: socket.path().to_owned(),
            port: settings::PORT,
            user: cluster::SUPERUSER.to_owned(),
            password,
            database: cluster::MAINTENANCE_DATABASE.to_owned(),
        };
        tracing::info!(version = binaries.major(), data_dir = %layout.root().display(), "embedded PostgreSQL is up");
        Ok(Self { postmaster, _socket: socket, layout, superuser, major: binaries.major(), _lock: lock })
    }
}

/// Where the cluster lives when the operator names no place: `/var/lib/neonpro/postgres` for root, the user's own data
/// directory (`XDG_DATA_HOME`, else `~/.local/share`) otherwise.
///
/// # Errors
/// The user cannot be determined, or has no home directory.
///
/// # Cancel safety
/// Cancel safe: it changes nothing.
pub async fn default_data_dir() -> Result<PathBuf, PostgresError> {
    blocking(layout::default_data_dir).await
}

/// Starts the postmaster; tries again while processes of one that was killed still hold its shared memory.
fn launch(
    layout: &Layout,
    binaries: &Binaries,
    account: &Account,
    socket: &SocketDir,
    deadline: Instant,
) -> Result<Postmaster, PostgresError> {
    loop {
        let stale = PidFile::read(layout)?;
        let mut postmaster = Postmaster::launch(layout, binaries, account, socket.path())?;
        match postmaster.wait_until_ready(layout, stale.as_ref(), deadline)? {
            Startup::Ready => return Ok(postmaster),
            Startup::MemoryStillInUse => std::thread::sleep(postmaster::POLL_INTERVAL),
        }
    }
}

/// Runs blocking work where it does not hold up the runtime; the work goes on when the caller is dropped.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PostgresError> + Send + 'static,
) -> Result<T, PostgresError> {
    tokio::task::spawn_blocking(work).await.map_err(PostgresError::Interrupted)?
}
