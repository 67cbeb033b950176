//! The pool of workers: started when needed, ended when they fail, never more than the server may have.
//!
//! Invariant: a worker is lent to one batch at a time, and one that did not answer as it should is never lent again.

use super::message::{self, Batch, GREETING, Verdict};
use super::{BATCH_WAIT_MAX, GUILTY_REMEMBERED_MAX, START_INTERVAL, STARTS_BURST, VERDICT_BYTES_MAX};
use crate::telemetry::Metrics;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout, timeout_at};

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
    /// Workers at a time. As many again try what was set apart.
    pub workers: usize,
    /// How long the trials of one merge may keep its clinic's head locked ([`super::LOCKED_WAIT_MAX`]).
    pub locked_wait: Duration,
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
    /// For what is tried apart: who kills workers takes none from the others.
    apart: Semaphore,
    idle: Mutex<Vec<Worker>>,
    /// Digests of edits that killed their workers, the latest last.
    guilty: Mutex<VecDeque<Vec<u8>>>,
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
            apart: Semaphore::new(config.workers.max(1)),
            config,
            idle: Mutex::new(Vec::new()),
            guilty: Mutex::new(VecDeque::new()),
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

    /// Has a worker try a batch while a clinic's head is locked: by that instant it is over, or the worker as good as dead.
    ///
    /// # Errors
    /// No worker can be started.
    pub(crate) async fn run_locked(&self, batch: &Batch, until: Instant) -> Result<Run, AdmissionError> {
        let Ok(ready) = timeout_at(until, self.ready(&self.0.permits, false)).await else {
            return Ok(Run { verdicts: Vec::new(), died: true });
        };
        let (_permit, worker) = ready?;
        self.ask(worker, batch, until).await
    }

    /// Has a worker that has tried nothing before try a batch. Nobody else waits for it.
    ///
    /// # Errors
    /// No worker can be started.
    pub(crate) async fn run_apart(&self, batch: &Batch) -> Result<Run, AdmissionError> {
        let (_permit, worker) = self.ready(&self.0.apart, true).await?;
        let now = Instant::now();
        self.ask(worker, batch, now.checked_add(BATCH_WAIT_MAX).unwrap_or(now)).await
    }

    async fn ready<'a>(
        &self,
        permits: &'a Semaphore,
        fresh: bool,
    ) -> Result<(SemaphorePermit<'a>, Worker), AdmissionError> {
        let permit = permits.acquire().await.map_err(|_| AdmissionError::Ended)?;
        let kept = if fresh { None } else { self.idle().pop() };
        let worker = match kept {
            Some(worker) => worker,
            None => self.start().await?,
        };
        Ok((permit, worker))
    }

    async fn ask(&self, mut worker: Worker, batch: &Batch, until: Instant) -> Result<Run, AdmissionError> {
        let mut verdicts = Vec::with_capacity(batch.edits.len());
        let asked = timeout_at(until, worker.ask(batch, &mut verdicts)).await;
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

    /// How long the trials of one merge may keep its clinic's head locked.
    pub(crate) fn locked_wait(&self) -> Duration {
        self.0.config.locked_wait
    }

    /// Remembers an edit, by its digest, as one that must not be tried again.
    pub(crate) fn note_guilty(&self, digest: &[u8]) {
        let mut guilty = self.0.guilty.lock().unwrap_or_else(PoisonError::into_inner);
        if guilty.len() >= GUILTY_REMEMBERED_MAX {
            guilty.pop_front();
        }
        guilty.push_back(digest.to_vec());
    }

    /// Whether an edit is remembered as guilty.
    pub(crate) fn is_guilty(&self, digest: &[u8]) -> bool {
        let guilty = self.0.guilty.lock().unwrap_or_else(PoisonError::into_inner);
        guilty.iter().any(|known| known == digest)
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
