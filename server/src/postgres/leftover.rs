//! What an earlier run left: a postmaster that still runs, or the file of one that is gone.
//!
//! Only a process that is certainly the postmaster of this very cluster is ever signalled, and only by `pg_ctl`.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::account::Account;
use super::binaries::Binaries;
use super::error::PostgresError;
use super::layout::Layout;
use super::postmaster::POLL_INTERVAL;

/// How a leftover is stopped, and how long each way may take, seconds. An immediate stop is safe: the next start recovers.
const STOP_MODES: [(&str, &str); 2] = [("fast", "60"), ("immediate", "15")];

/// Longest wait for the processes of a killed postmaster.
const ORPHANS_LIMIT: Duration = Duration::from_secs(60);

/// `postmaster.pid`, in which a server says who and how it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PidFile {
    pid: u32,
    text: String,
}

impl PidFile {
    /// Reads the file; none when there is none, or nothing in it yet.
    pub(super) fn read(layout: &Layout) -> Result<Option<Self>, PostgresError> {
        let path = pid_file(layout);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(PostgresError::Io { action: "read", path, source }),
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let pid = text.lines().next().and_then(|line| line.trim().parse().ok());
        Ok(pid.map(|pid| Self { pid, text }))
    }

    /// Whether the server says that it accepts connections (the eighth line, as `pg_ctl` reads it).
    pub(super) fn is_ready(&self) -> bool {
        self.text.lines().nth(7).is_some_and(|status| status.trim() == "ready")
    }
}

/// Stops a postmaster that still runs in the cluster, and removes a file that points to a stranger.
pub(super) fn stop(layout: &Layout, binaries: &Binaries, account: &Account) -> Result<(), PostgresError> {
    let Some(left) = PidFile::read(layout)? else { return Ok(()) };
    match occupant(left.pid, &layout.cluster()) {
        // The server itself replaces the file, after it has made sure that no old process holds its memory.
        Occupant::Nobody => Ok(()),
        // The number was given to another process, for instance after a reboot, or to one that has ended and that nobody
        // collects, as in a container without init. The server could not tell and would refuse to start.
        Occupant::Stranger | Occupant::Corpse => {
            wait_for_orphans(layout, left.pid)?;
            let path = pid_file(layout);
            fs::remove_file(&path).map_err(PostgresError::io("remove", &path))
        }
        Occupant::Postmaster => stop_postmaster(left.pid, layout, binaries, account),
    }
}

fn stop_postmaster(
    pid: u32,
    layout: &Layout,
    binaries: &Binaries,
    account: &Account,
) -> Result<(), PostgresError> {
    tracing::warn!(pid, "stopping the database server of an earlier run");
    let cluster = layout.cluster();
    for (mode, limit_s) in STOP_MODES {
        let args: [&OsStr; 8] = [
            "stop".as_ref(),
            "--wait".as_ref(),
            "--timeout".as_ref(),
            limit_s.as_ref(),
            "--mode".as_ref(),
            mode.as_ref(),
            "--pgdata".as_ref(),
            cluster.as_ref(),
        ];
        let asked = account.run(&binaries.program("pg_ctl"), &args);
        // It may end by itself before it is asked: whether it is gone counts, not the answer.
        if !matches!(occupant(pid, &cluster), Occupant::Postmaster) {
            return Ok(());
        }
        if let Err(error) = asked {
            tracing::warn!(%error, pid, mode, "the database server of an earlier run did not stop");
        }
    }
    Err(PostgresError::LeftoverRuns { pid, data_dir: layout.root().to_owned() })
}

fn pid_file(layout: &Layout) -> PathBuf {
    layout.cluster().join("postmaster.pid")
}

/// Waits until no process of a killed postmaster is left in the cluster: without its file the next server would not
/// notice them. They end by themselves once they see that it is gone.
fn wait_for_orphans(layout: &Layout, pid: u32) -> Result<(), PostgresError> {
    let cluster = layout.cluster();
    let deadline = Instant::now() + ORPHANS_LIMIT;
    while has_processes(&cluster) {
        if Instant::now() >= deadline {
            return Err(PostgresError::LeftoverRuns { pid, data_dir: layout.root().to_owned() });
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    Ok(())
}

/// Whether any process works in the cluster; without `/proc` this is not known.
fn has_processes(cluster: &Path) -> bool {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(|process| fs::read_link(process.path().join("cwd")).ok()).any(|cwd| cwd == cluster)
}

/// Who has a process number.
enum Occupant {
    Nobody,
    Stranger,
    /// A process that has ended and that its parent has not collected.
    Corpse,
    Postmaster,
}

/// Who has `pid`, as seen from `cluster`.
fn occupant(pid: u32, cluster: &Path) -> Occupant {
    if Path::new("/proc/self/cwd").exists() {
        occupant_by_proc(pid, cluster)
    } else {
        occupant_by_ps(pid, cluster)
    }
}

/// A postmaster's working directory is its cluster.
fn occupant_by_proc(pid: u32, cluster: &Path) -> Occupant {
    let process = PathBuf::from(format!("/proc/{pid}"));
    match fs::read_link(process.join("cwd")) {
        Ok(cwd) if cwd == cluster => Occupant::Postmaster,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if process.exists() {
                Occupant::Corpse
            } else {
                Occupant::Nobody
            }
        }
        _ => Occupant::Stranger,
    }
}

/// Where there is no `/proc`: a postmaster's command line names its cluster.
fn occupant_by_ps(pid: u32, cluster: &Path) -> Occupant {
    let answer = Command::new("ps").args(["-p", &pid.to_string(), "-o", "command="]).output();
    let command =
        answer.map(|answer| String::from_utf8_lossy(&answer.stdout).into_owned()).unwrap_or_default();
    if command.trim().is_empty() {
        Occupant::Nobody
    } else if command.contains("postgres") && command.contains(&*cluster.to_string_lossy()) {
        Occupant::Postmaster
    } else {
        Occupant::Stranger
    }
}
