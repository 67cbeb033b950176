//! The worker process: confines itself, then tries batches until its input ends. Its life is worth nothing.
//!
//! Never opens a file or a socket, never prints what it reads: a panic's message could quote a patient.

use super::message::{self, Batch, GREETING, Verdict};
use super::scratch::Scratch;
use super::{
    BATCH_BYTES_MAX, EDIT_CPU_MAX, EDIT_CPU_SECONDS_MAX, VERDICT_BYTES_MAX, WORKER_MEMORY_BYTES_MAX,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use std::io::{BufWriter, Error, ErrorKind, Read, Result, Write};
use std::process::ExitCode;
use std::time::Duration;

/// Runs until the server closes the input.
#[must_use]
pub fn run() -> ExitCode {
    std::panic::set_hook(Box::new(|_| {}));
    let served = confine().and_then(|()| {
        let (input, output) = (std::io::stdin().lock(), std::io::stdout().lock());
        serve(input, &mut BufWriter::with_capacity(VERDICT_BYTES_MAX, output))
    });
    if served.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Memory is capped, nothing may be written to a file, and a death leaves no core with patients in it.
fn confine() -> Result<()> {
    let exactly = |limit| Rlimit { current: Some(limit), maximum: Some(limit) };
    setrlimit(Resource::As, exactly(WORKER_MEMORY_BYTES_MAX))?;
    setrlimit(Resource::Fsize, exactly(0))?;
    setrlimit(Resource::Core, exactly(0))?;
    Ok(())
}

fn serve(mut input: impl Read, output: &mut impl Write) -> Result<()> {
    message::write(output, &GREETING)?;
    output.flush()?;
    while let Some(body) = message::read(&mut input, BATCH_BYTES_MAX)? {
        let batch: Batch = minicbor::decode(&body).map_err(|_| Error::from(ErrorKind::InvalidData))?;
        drop(body);
        let mut scratch = Scratch::new(batch.bases);
        for edit in &batch.edits {
            let began = cpu_time();
            allow_cpu(began)?;
            let mut verdict = scratch.admit(edit);
            if cpu_time().saturating_sub(began) > EDIT_CPU_MAX {
                verdict = Verdict::Harms;
            }
            message::write(output, &verdict)?;
        }
        output.flush()?;
    }
    Ok(())
}

/// CPU time this process has used.
fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or(Duration::ZERO)
}

/// Moves the system's limit ahead by one edit's worth. The system ends the process at it.
fn allow_cpu(used: Duration) -> Result<()> {
    let limit = used.as_secs().saturating_add(EDIT_CPU_SECONDS_MAX);
    Ok(setrlimit(Resource::Cpu, Rlimit { current: Some(limit), maximum: None })?)
}
