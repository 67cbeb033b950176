//! The pool of workers: started when needed, ended when they fail, never more than the server may have.
//!
//! Invariant: a worker is lent to one batch at a time, and one that did not answer as it should is never lent again.

use super::message::{self, Batch, GREETING, Verdict};
use super::{BATCH_WAIT_MAX, START_INTERVAL, STARTS_BURST, VERDICT_BYTES_MAX};
use crate::telemetry::Metrics;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

/// Why nothing can be admitted.
#[derive(Debug, thiserror::Error)]
pub enum AdmissionError {
    /// The worker's program does not start.
    #[error("the admission worker does not start")]
    Start(#[source] std::io::Error),
    /// It starts and says something else than a worker of this version.
    #[error("the admission worker is not one of this version")]
    Greeting,
    /// The server is stopping.
    #[error("admission has ended")]
    Ended,
}

/// Which program the workers are, and how many of them there are.
#[derive(Debug, Clone)]
pub struct AdmissionConfig {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Workers at a time.
    pub workers: usize,
}

/// The workers of a server. Cheap to clone.
#[derive(Clone)]
pub struct Admission(Arc<Pool>);

impl std::fmt::Debug for Admission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Admission")
    }
}

struct Pool {
    config: AdmissionConfig,
    permits: Semaphore,
    idle: Mutex<Vec<Worker>>,
    /// When the next start is due: the burst is taken off it.
    next_start: Mutex<Instant>,
    metrics: Arc<Metrics>,
}

struct Worker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// What became of a batch.
#[derive(Debug)]
pub struct Run {
    /// As many as the worker gave.
    pub verdicts: Vec<Verdict>,
    /// Whether it died, fell silent or answered nonsense before the last.
    pub died: bool,
}

impl Admission {
    /// A pool that starts its workers when they are needed.
    #[must_use]
    pub fn new(config: AdmissionConfig, metrics: Arc<Metrics>) -> Self {
        Self(Arc::new(Pool {
            permits: Semaphore::new(config.workers.max(1)),
            config,
            idle: Mutex::new(Vec::new()),
            next_start: Mutex::new(Instant::now()),
            metrics,
        }))
    }

    /// Workers at a time.
    #[must_use]
    pub(crate) fn workers(&self) -> usize {
        self.0.config.workers.max(1)
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Starts one worker and keeps it, so that a server that could not admit anything does not start.
    ///
    /// # Errors
    /// No worker can be started.
    pub async fn check(&self) -> Result<(), AdmissionError> {
        let worker = self.start().await?;
        self.keep(worker);
        Ok(())
    }

    /// Has a worker try a batch. With `fresh`, one that has tried nothing before.
    ///
    /// # Errors
    /// No worker can be started.
    pub async fn run(&self, batch: &Batch, fresh: bool) -> Result<Run, AdmissionError> {
        let _permit = self.0.permits.acquire().await.map_err(|_| AdmissionError::Ended)?;
        let kept = if fresh { None } else { self.idle().pop() };
        let mut worker = match kept {
            Some(worker) => worker,
            None => self.start().await?,
        };
        let mut verdicts = Vec::with_capacity(batch.edits.len());
        let asked = timeout(BATCH_WAIT_MAX, worker.ask(batch, &mut verdicts)).await;
        let died = !matches!(asked, Ok(Ok(())));
        if died {
            self.0.metrics.admission_deaths.inc();
            let ended = worker.end().await;
            tracing::warn!(edits = batch.edits.len(), answered = verdicts.len(), %ended, "an admission worker died");
        } else {
            self.keep(worker);
        }
        Ok(Run { verdicts, died })
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Worker>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a worker for the next batch; one too many ends with its input.
    fn keep(&self, worker: Worker) {
        let mut idle = self.idle();
        if idle.len() < self.workers() {
            idle.push(worker);
        }
    }

    async fn start(&self) -> Result<Worker, AdmissionError> {
        tokio::time::sleep(self.turn()).await;
        let config = &self.0.config;
        let mut child = Command::new(&config.program)
            .args(&config.arguments)
            // It inherits neither the database's address nor anything else.
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(AdmissionError::Start)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(AdmissionError::Greeting);
        };
        let mut worker = Worker { child, input, output: BufReader::new(output) };
        let greeting = timeout(BATCH_WAIT_MAX, worker.read()).await;
        let body = greeting.map_err(|_| AdmissionError::Greeting)?.map_err(|_| AdmissionError::Greeting)?;
        match minicbor::decode::<(u32, u32)>(&body) {
            Ok(greeting) if greeting == GREETING => Ok(worker),
            _ => Err(AdmissionError::Greeting),
        }
    }

    /// How long the next start has to wait, so that deaths do not become a storm of processes.
    fn turn(&self) -> Duration {
        let now = Instant::now();
        let burst = START_INTERVAL.saturating_mul(STARTS_BURST);
        let mut next = self.0.next_start.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = now.checked_sub(burst).unwrap_or(now);
        *next = (*next).max(earliest).checked_add(START_INTERVAL).unwrap_or(now);
        next.saturating_duration_since(now)
    }
}

impl Worker {
    async fn ask(&mut self, batch: &Batch, verdicts: &mut Vec<Verdict>) -> std::io::Result<()> {
        self.input.write_all(&message::framed(batch)?).await?;
        self.input.flush().await?;
        for _ in &batch.edits {
            let body = self.read().await?;
            let verdict = minicbor::decode(&body).map_err(|_| std::io::ErrorKind::InvalidData)?;
            verdicts.push(verdict);
        }
        Ok(())
    }

    async fn read(&mut self) -> std::io::Result<Vec<u8>> {
        let mut length = [0u8; 4];
        self.output.read_exact(&mut length).await?;
        let mut body = vec![0u8; message::checked(length, VERDICT_BYTES_MAX)?];
        self.output.read_exact(&mut body).await?;
        Ok(body)
    }

    /// Ends it and says how it ended.
    async fn end(mut self) -> String {
        // It may have ended by itself; then its own status is told.
        let _ = self.child.start_kill();
        match self.child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.kind().to_string(),
        }
    }
}
