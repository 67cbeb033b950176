//! Programs the demo starts: found beside its own, tied to its life, their words kept in a file.

use super::{Outcome, Problem};
use serde_json::Value as Json;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};

const SUPERVISE: &str = include_str!("supervise.sh");
/// Longest wait for a program that was told to end.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// Lines of a log that are shown when its program failed.
const TAIL_LINES: usize = 12;
/// Settings of the person's own installation, which the demo must not touch.
const FOREIGN: [&str; 8] = [
    "DATABASE_URL",
    "MIGRATION_DATABASE_URL",
    "NEONPRO_DATA",
    "NEONPRO_MASTER_KEY",
    "NEONPRO_KEY_COMMAND",
    "NEONPRO_LISTEN",
    "NEONPRO_TLS_CERTIFICATE",
    "NEONPRO_TLS_KEY",
];

/// A program of this build.
///
/// # Errors
/// It was not built.
pub fn program(name: &str) -> Outcome<PathBuf> {
    let own = std::env::current_exe()?;
    // Tests run one directory below the programs.
    let dirs = own.ancestors().skip(1).take(2);
    let found = dirs.map(|dir| dir.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| format!("{name} is not built: run `cargo build --workspace --bins` first").into())
}

/// A command without the settings of another installation, whose complaints go to a file.
///
/// # Errors
/// The file cannot be written.
pub fn command(program: impl AsRef<OsStr>, log: &Path) -> Outcome<Command> {
    let mut command = Command::new(program);
    for name in FOREIGN {
        command.env_remove(name);
    }
    command.stderr(log_file(log)?).kill_on_drop(true);
    Ok(command)
}

fn log_file(log: &Path) -> Outcome<File> {
    let failed = |error| -> Problem { format!("{} cannot be written: {error}", log.display()).into() };
    OpenOptions::new().create(true).append(true).open(log).map_err(failed)
}

/// The end of a log, for a message about a program that failed.
#[must_use]
pub fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// Runs a program to its end and returns what it printed.
///
/// # Errors
/// It cannot be started, or reports a failure.
pub async fn output(mut command: Command, log: &Path) -> Outcome<String> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let output = child.wait_with_output().await?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    Err(format!("a command of the demo failed ({}):\n{}", output.status, tail(log)).into())
}

/// A program that runs until it is told to end.
#[derive(Debug)]
pub struct Child {
    name: String,
    process: tokio::process::Child,
    lifeline: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
}

impl Child {
    /// Starts a program under the supervising shell.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(
        name: &str,
        program: &Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        log: &Path,
    ) -> Outcome<Self> {
        let mut process = command("/bin/sh", log)?
            .args(["-c", SUPERVISE, "neonpro-demo"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Out of the terminal's reach: Ctrl-C is for the demo, which ends its programs in order.
            .process_group(0)
            .spawn()?;
        let lifeline = process.stdin.take();
        let stdout = process.stdout.take().ok_or("a program without an output")?;
        let output = BufReader::new(stdout).lines();
        Ok(Self { name: name.to_owned(), process, lifeline, output, log: log.to_owned() })
    }

    /// Waits for its line `{"listening": …}`.
    ///
    /// # Errors
    /// It ended, or did not say so within the limit.
    pub async fn listening(&mut self, limit: Duration) -> Outcome<Json> {
        match tokio::time::timeout(limit, self.output.next_line()).await {
            Ok(Ok(Some(line))) => {
                listening(&line).map_err(|problem| format!("{}: {problem}", self.name).into())
            }
            Ok(_) => Err(self.ended().into()),
            Err(_) => Err(format!("{} did not start within {} s", self.name, limit.as_secs()).into()),
        }
    }

    /// Resolves when the program ends by itself, with what it said last.
    ///
    /// # Cancel safety
    /// Cancelling loses nothing.
    pub async fn crashed(&mut self) -> Problem {
        let _ = self.process.wait().await;
        self.ended().into()
    }

    fn ended(&self) -> String {
        format!("{} ended; the last words in {}:\n{}", self.name, self.log.display(), tail(&self.log))
    }

    /// Tells it to end and waits until it has.
    ///
    /// # Errors
    /// It does not end.
    pub async fn stop(mut self) -> Outcome<()> {
        drop(self.lifeline.take());
        match tokio::time::timeout(STOP_LIMIT, self.process.wait()).await {
            Ok(ended) => {
                ended?;
                Ok(())
            }
            Err(_) => {
                self.process.kill().await?;
                Err(format!("{} did not end within {} s", self.name, STOP_LIMIT.as_secs()).into())
            }
        }
    }
}

/// Reads the line with which a program says that it listens.
///
/// # Errors
/// Another line.
pub fn listening(line: &str) -> Outcome<Json> {
    let said: Json = serde_json::from_str(line).map_err(|_| format!("an unexpected line: {line}"))?;
    if said.get("listening").is_some_and(Json::is_string) {
        return Ok(said);
    }
    Err(format!("an unexpected line: {line}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_listening_line_is_taken() {
        let said = listening(r#"{"listening":"https://127.0.0.1:1","fingerprint":"ab"}"#).unwrap();
        assert_eq!(said["listening"], "https://127.0.0.1:1");
        for line in ["", "listening", "{}", r#"{"listening":7}"#, r#"["listening"]"#] {
            assert!(listening(line).is_err(), "{line}");
        }
    }

    #[tokio::test]
    async fn a_command_that_fails_is_told_with_its_last_words() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let shell = |script: &str| {
            let mut shell = command("/bin/sh", &log).unwrap();
            shell.args(["-c", script]);
            shell
        };
        assert_eq!(output(shell("echo said"), &log).await.unwrap(), "said\n");
        let problem = output(shell("echo 'no disk' >&2; exit 3"), &log).await.unwrap_err().to_string();
        assert!(problem.contains("no disk"), "{problem}");
    }

    #[tokio::test]
    async fn a_program_ends_when_its_lifeline_does() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let script = r#"echo '{"listening":"x"}'; exec sleep 600"#;
        let mut child = Child::start("sleeper", Path::new("/bin/sh"), ["-c", script], &log).unwrap();
        child.listening(Duration::from_secs(10)).await.unwrap();
        tokio::time::timeout(Duration::from_secs(10), child.stop()).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_program_that_fails_is_told_with_its_last_words() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let script = "echo 'no disk' >&2; exit 3";
        let mut child = Child::start("failing", Path::new("/bin/sh"), ["-c", script], &log).unwrap();
        let problem = child.listening(Duration::from_secs(10)).await.unwrap_err().to_string();
        assert!(problem.contains("failing") && problem.contains("no disk"), "{problem}");
    }
}
