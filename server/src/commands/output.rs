//! Output of commands: results on standard output, failures on standard error with everything that led to them.

use std::error::Error;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;

/// Prints one line.
#[expect(clippy::print_stdout, reason = "results of commands belong on standard output")]
pub(crate) fn line(text: &str) {
    println!("{text}");
}

/// Writes a file that is not there yet, readable by its owner alone.
pub(crate) fn file(path: &Path, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    let failed = |error| format!("{}: {error}", path.display());
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    Ok(())
}

/// Prints an error and its causes.
pub(crate) fn failed(error: &dyn Error) -> ExitCode {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    eprintln!("neonpro-server: {text}");
    ExitCode::FAILURE
}
