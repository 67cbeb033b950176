//! Output of commands: results on standard output, failures on standard error with everything that led to them.

use std::error::Error;
use std::process::ExitCode;

/// Prints one line.
#[expect(clippy::print_stdout, reason = "results of commands belong on standard output")]
pub(crate) fn line(text: &str) {
    println!("{text}");
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
