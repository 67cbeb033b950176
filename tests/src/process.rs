//! The programs themselves as child processes, for tests that kill them.

use crate::cluster::TestDatabase;
use neonpro_server::admission::{AdmissionConfig, LOCKED_WAIT_MAX};
use serde_json::Value as Json;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A program of the workspace. `cargo test --workspace` builds it beside the tests.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    // Test programs lie in `deps` below the directory of programs.
    let dir = tests.parent().unwrap();
    let path = if dir.ends_with("deps") { dir.parent().unwrap() } else { dir }.join(name);
    assert!(
        path.exists(),
        "{} is missing: run `cargo test --workspace` or `cargo build --workspace --bins`",
        path.display()
    );
    path
}

/// Admission workers for a server inside this process, which is not the server's program.
#[must_use]
pub fn admission_workers() -> AdmissionConfig {
    AdmissionConfig {
        program: program("neonpro-admission-worker"),
        arguments: Vec::new(),
        workers: 2,
        locked_wait: LOCKED_WAIT_MAX,
    }
}

/// A server process that can be killed and started again at the same address.
pub struct ServerProcess {
    child: Child,
    log: PathBuf,
    pub fingerprint: String,
    pub url: String,
}

/// A loopback port that was free a moment ago.
#[must_use]
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl ServerProcess {
    /// Starts a server over a test's database. `crash_at` names where it stops as `kill -9` would.
    pub fn start(database: &TestDatabase, dir: &Path, port: u16, crash_at: Option<&str>) -> Self {
        let log = dir.join("server.log");
        let mut command = Self::command(database, dir, port, &log);
        if let Some(point) = crash_at {
            command.env("NEONPRO_CRASH_AT", point);
        }
        Self::spawn(&mut command, log)
    }

    /// Starts a server that logs to a file, at a level.
    pub fn start_told(database: &TestDatabase, dir: &Path, port: u16, log: &Path, level: &str) -> Self {
        let mut command = Self::command(database, dir, port, log);
        command.env("NEONPRO_LOG", level);
        Self::spawn(&mut command, log.to_owned())
    }

    /// Starts a server over a cluster of its own in its directory.
    pub fn start_alone(dir: &Path, port: u16, log: &Path) -> Self {
        let mut command = Self::serve(dir, port, log);
        command.env_remove("DATABASE_URL").env("NEONPRO_LOG", "info");
        Self::spawn(&mut command, log.to_owned())
    }

    fn command(database: &TestDatabase, dir: &Path, port: u16, log: &Path) -> Command {
        let mut command = Self::serve(dir, port, log);
        command.envs(database.urls());
        command
    }

    fn serve(dir: &Path, port: u16, log: &Path) -> Command {
        let mut command = Command::new(program("neonpro-server"));
        command
            .args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--data"])
            .arg(dir)
            .stdout(Stdio::piped())
            .stderr(File::options().create(true).append(true).open(log).unwrap());
        command
    }

    fn spawn(command: &mut Command, log: PathBuf) -> Self {
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Json =
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("the server did not start: {line:?}"));
        Self {
            child,
            log,
            fingerprint: told["fingerprint"].as_str().unwrap().to_owned(),
            url: told["listening"].as_str().unwrap().to_owned(),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.url.trim_start_matches("https://").parse().unwrap()
    }

    /// Everything it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Most memory it ever held, KiB.
    #[must_use]
    pub fn peak_memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(&mut self) {
        let asked = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        assert!(asked.unwrap().success());
        self.child.wait().unwrap();
    }

    /// Kills it.
    pub fn kill(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// `neonpro-tablet script`: a request a line, an answer a line.
pub struct ScriptProcess {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl ScriptProcess {
    pub fn start(replica: &Path, crash_at: Option<&str>) -> Self {
        let mut command = Command::new(program("neonpro-tablet"));
        command
            .arg("script")
            .arg("--replica")
            .arg(replica)
            .arg("--key-file")
            .arg(replica.with_extension("key"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if let Some(point) = crash_at {
            command.env("NEONPRO_CRASH_AT", point);
        }
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    /// Asks; `None` when the process ended instead of answering.
    pub fn ask(&mut self, request: &Json) -> Option<Json> {
        writeln!(self.input, "{request}").ok()?;
        self.input.flush().ok()?;
        let mut line = String::new();
        self.output.read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok()
    }
}

impl Drop for ScriptProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
