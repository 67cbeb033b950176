//! The user the server runs as: the one who runs this process, or an ordinary user when that is root.
//!
//! PostgreSQL refuses to run as root. Its tools get no environment beyond what they need: the variables of this process
//! hold secrets, and `PG…` variables would redirect them.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::error::PostgresError;
use super::layout::Layout;

/// Users that may run the server, best first. The second is the name on macOS.
const ORDINARY_USERS: [&str; 3] = ["postgres", "_postgres", "nobody"];

/// Variables that PostgreSQL's programs may need to be found and loaded.
const KEPT_VARIABLES: [&str; 3] = ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"];

/// The user the server and its tools run as.
#[derive(Debug, Clone)]
pub(super) struct Account {
    /// User and group to change to; none when this process is an ordinary user already.
    change_to: Option<(u32, u32)>,
    name: String,
}

impl Account {
    /// Chooses the user: this process's own, or for root the owner of the cluster, or the first of `postgres`, `nobody`.
    pub(super) fn resolve(layout: &Layout) -> Result<Self, PostgresError> {
        if !runs_as_root()? {
            return Ok(Self { change_to: None, name: "this user".to_owned() });
        }
        match fs::metadata(layout.cluster()) {
            Ok(owner) if owner.uid() != 0 => {
                return Ok(Self {
                    change_to: Some((owner.uid(), owner.gid())),
                    name: format!("number {}", owner.uid()),
                });
            }
            _ => {}
        }
        for name in ORDINARY_USERS {
            if let (Some(uid), Some(gid)) = (id(&["-u", name])?, id(&["-g", name])?)
                && uid != 0
            {
                return Ok(Self { change_to: Some((uid, gid)), name: name.to_owned() });
            }
        }
        Err(PostgresError::NoOrdinaryUser)
    }

    /// The user's name, for messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the server runs as another user than `uid`.
    pub(super) fn is_other_than(&self, uid: u32) -> bool {
        self.change_to.is_some_and(|(own, _)| own != uid)
    }

    /// A command that runs `program` as this user, in `/`, with a minimal environment and nothing on its input.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("LC_ALL", "C").env("TZ", "UTC").current_dir("/").stdin(Stdio::null());
        for name in KEPT_VARIABLES {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        // std drops root's supplementary groups along with the user.
        if let Some((uid, gid)) = self.change_to {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Runs a tool to its end.
    pub(super) fn run(&self, program: &Path, args: &[&std::ffi::OsStr]) -> Result<(), PostgresError> {
        let output = self.command(program).args(args).output().map_err(PostgresError::io("run", program))?;
        if output.status.success() {
            return Ok(());
        }
        let name = program.file_name().unwrap_or(program.as_os_str());
        let said = [output.stderr, output.stdout].concat();
        Err(PostgresError::Tool {
            program: name.to_string_lossy().into_owned(),
            status: output.status.to_string(),
            output: String::from_utf8_lossy(&said).trim().to_owned(),
        })
    }

    /// Makes this user the owner of `path`, which must lie in a directory this user cannot write to.
    pub(super) fn give(&self, path: &Path) -> Result<(), PostgresError> {
        let Some((uid, gid)) = self.change_to else { return Ok(()) };
        std::os::unix::fs::lchown(path, Some(uid), Some(gid))
            .map_err(PostgresError::io("change the owner of", path))
    }

    /// Whether this user gets into `dir`, through every directory above it.
    pub(super) fn can_enter(&self, dir: &Path) -> Result<bool, PostgresError> {
        let shell = Path::new("/bin/sh");
        let status = self
            .command(shell)
            .args(["-c", "test -x \"$1\"", "sh"])
            .arg(dir)
            .status()
            .map_err(PostgresError::io("run", shell))?;
        Ok(status.success())
    }

    /// User id of the server; none when it is this process's own.
    pub(super) fn uid(&self) -> Option<u32> {
        self.change_to.map(|(uid, _)| uid)
    }
}

/// Whether this process runs as root.
pub(super) fn runs_as_root() -> Result<bool, PostgresError> {
    Ok(own_uid()? == Some(0))
}

/// The user id of this process.
pub(super) fn own_uid() -> Result<Option<u32>, PostgresError> {
    id(&["-u"])
}

/// Asks `id`, which knows every source of users; none when the user does not exist.
fn id(args: &[&str]) -> Result<Option<u32>, PostgresError> {
    let output = Command::new("id").args(args).output().map_err(PostgresError::io("run", Path::new("id")))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse().ok().filter(|_| output.status.success()))
}
