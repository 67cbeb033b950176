//! The adapter to a key service (KMS, HSM, vault): a program that wraps and unwraps; its key never comes here.
//!
//! It is run as `PROGRAM id`, `PROGRAM wrap` or `PROGRAM unwrap`; the last two read one line of base64url on standard
//! input, write one on standard output, and exit with 0. `NEONPRO_KEY_CONTEXT` names what is wrapped: services that take
//! an encryption context should bind it.

use super::{KeyError, KeyResult};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use zeroize::Zeroizing;

/// Bytes of an answer: a wrapped key of 32 bytes with whatever a service adds.
const ANSWER_BYTES_MAX: u64 = 16_384;

/// Which key the program uses.
pub(super) fn id(program: &Path) -> KeyResult<String> {
    let answer = run(program, "id", "", b"")?;
    Ok(String::from_utf8_lossy(&answer).trim().to_owned())
}

/// Wraps or unwraps.
pub(super) fn turn(
    program: &Path,
    operation: &'static str,
    context: &str,
    bytes: &[u8],
) -> KeyResult<Zeroizing<Vec<u8>>> {
    let line = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes));
    let answer = run(program, operation, context, line.as_bytes())?;
    let broken = |_| failed(program, operation, "its answer is not base64url".to_owned());
    URL_SAFE_NO_PAD.decode(answer.trim_ascii()).map(Zeroizing::new).map_err(broken)
}

fn run(
    program: &Path,
    operation: &'static str,
    context: &str,
    input: &[u8],
) -> KeyResult<Zeroizing<Vec<u8>>> {
    let system = |error: std::io::Error| failed(program, operation, error.to_string());
    let mut child = Command::new(program)
        .arg(operation)
        .env("NEONPRO_KEY_CONTEXT", context)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(system)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that answers without reading is judged by its answer.
        let _ = stdin.write_all(input);
    }
    let mut answer = Zeroizing::new(Vec::new());
    if let Some(stdout) = child.stdout.take() {
        stdout.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).map_err(system)?;
    }
    let status = child.wait().map_err(system)?;
    if status.success() { Ok(answer) } else { Err(failed(program, operation, status.to_string())) }
}

fn failed(program: &Path, operation: &'static str, reason: String) -> KeyError {
    KeyError::Command { program: program.display().to_string(), operation, reason }
}
