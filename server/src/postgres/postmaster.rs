//! The postmaster as a child: started, watched, stopped.
//!
//! It runs under a small shell script that holds a pipe to this process, the lifeline (`supervise.sh`). The kernel closes
//! the pipe however this process ends, and the script then shuts the postmaster down; so the tie needs no system call
//! that is particular to one system, and does not depend on which thread started it.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::account::Account;
use super::binaries::Binaries;
use super::error::PostgresError;
use super::layout::Layout;
use super::leftover::PidFile;
use super::{START_LIMIT, log, settings};

/// Pause between two looks at a server that starts or stops.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Longest wait for a fast stop, which writes a checkpoint.
const FAST_STOP_LIMIT: Duration = Duration::from_secs(60);

/// The same when dropped, where a thread of the runtime may be waiting.
const DROP_STOP_LIMIT: Duration = Duration::from_secs(10);

/// Longest wait for an immediate stop, which writes nothing.
const IMMEDIATE_STOP_LIMIT: Duration = Duration::from_secs(15);

/// What the server says when processes of a killed postmaster still hold its memory; they end within moments.
const MEMORY_IN_USE: &str = "pre-existing shared memory block";

const SHELL: &str = "/bin/sh";
const SUPERVISE: &str = include_str!("supervise.sh");

/// How a start went.
pub(super) enum Startup {
    Ready,
    MemoryStillInUse,
}

/// A child postmaster.
#[derive(Debug)]
pub(super) struct Postmaster {
    supervisor: Child,
    lifeline: Option<ChildStdin>,
}

impl Postmaster {
    /// Starts the server; it is not ready yet.
    pub(super) fn launch(
        layout: &Layout,
        binaries: &Binaries,
        account: &Account,
        socket_dir: &Path,
    ) -> Result<Self, PostgresError> {
        let path = layout.startup_log();
        let log = open_log(&path).map_err(PostgresError::io("open", &path))?;
        let copy = log.try_clone().map_err(PostgresError::io("open", &path))?;
        let mut supervisor = account
            .command(Path::new(SHELL))
            .args(["-c", SUPERVISE, "neonpro-postgres"])
            .arg(binaries.program("postgres"))
            .args(settings::arguments(layout, socket_dir))
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(copy)
            // Out of the terminal's reach: Ctrl-C is for this process, which still needs the server to finish.
            .process_group(0)
            .spawn()
            .map_err(PostgresError::io("run", Path::new(SHELL)))?;
        let lifeline = supervisor.stdin.take();
        Ok(Self { supervisor, lifeline })
    }

    /// Waits until the server accepts connections. `stale` is what a killed server left in its file.
    pub(super) fn wait_until_ready(
        &mut self,
        layout: &Layout,
        stale: Option<&PidFile>,
        deadline: Instant,
    ) -> Result<Startup, PostgresError> {
        loop {
            let file = PidFile::read(layout)?;
            if file.as_ref() != stale && file.is_some_and(|file| file.is_ready()) {
                return Ok(Startup::Ready);
            }
            let late = Instant::now() >= deadline;
            match self.exit_status()? {
                None if late => {
                    let limit_s = START_LIMIT.as_secs();
                    return Err(PostgresError::NotReady { limit_s, log_tail: log::tail(layout) });
                }
                None => std::thread::sleep(POLL_INTERVAL),
                Some(status) => {
                    let log_tail = log::tail(layout);
                    if log_tail.contains(MEMORY_IN_USE) && !late {
                        return Ok(Startup::MemoryStillInUse);
                    }
                    return Err(PostgresError::Exited { status: status.to_string(), log_tail });
                }
            }
        }
    }

    /// How the server ended; none while it runs.
    pub(super) fn exit_status(&mut self) -> Result<Option<ExitStatus>, PostgresError> {
        self.supervisor.try_wait().map_err(PostgresError::io("wait for", Path::new(SHELL)))
    }

    /// Stops the server and waits until it is gone.
    pub(super) fn stop(&mut self, layout: &Layout) -> Result<(), PostgresError> {
        match self.stop_within(FAST_STOP_LIMIT)? {
            Some(status) if status.success() => Ok(()),
            Some(status) => {
                Err(PostgresError::Exited { status: status.to_string(), log_tail: log::tail(layout) })
            }
            None => Err(PostgresError::NotStopped {
                limit_s: FAST_STOP_LIMIT.as_secs(),
                log_tail: log::tail(layout),
            }),
        }
    }

    /// Asks for a fast stop, then for an immediate one.
    fn stop_within(&mut self, fast_limit: Duration) -> Result<Option<ExitStatus>, PostgresError> {
        for (signal, limit) in [("INT", fast_limit), ("QUIT", IMMEDIATE_STOP_LIMIT)] {
            let deadline = Instant::now() + limit;
            self.send(signal);
            while Instant::now() < deadline {
                if let Some(status) = self.exit_status()? {
                    return Ok(Some(status));
                }
                std::thread::sleep(POLL_INTERVAL);
            }
        }
        Ok(None)
    }

    /// Sends a signal's name down the lifeline; nobody is there to read it once the server has ended.
    fn send(&mut self, signal: &str) {
        if let Some(lifeline) = &mut self.lifeline
            && let Err(error) = writeln!(lifeline, "{signal}")
        {
            tracing::debug!(%error, signal, "the database server has already ended");
        }
    }
}

impl Drop for Postmaster {
    fn drop(&mut self) {
        if matches!(self.exit_status(), Ok(Some(_))) {
            return;
        }
        match self.stop_within(DROP_STOP_LIMIT) {
            Ok(Some(_)) => {}
            Ok(None) => tracing::error!("the database server does not stop"),
            Err(error) => tracing::error!(%error, "the database server could not be stopped"),
        }
    }
}

fn open_log(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path)
}
