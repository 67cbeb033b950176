//! The pulling half of a session: sends what lies after the tablet's cursor, as far as its credit goes.
//!
//! A slow tablet costs the server one cursor. Waking up is a hint (in-process, LISTEN or the slow poll); what to send
//! is always read from the database, as the receiving device.

use super::bootstrap::{self, Section};
use super::handshake::Caller;
use super::outbox::Outbox;
use super::{page, purges, repair};
use crate::actor::Actor;
use crate::state::AppState;
use crate::store::{Scoped, StoreError, StoreResult};
use neonpro_contract::ids::DeviceId;
use neonpro_contract::limits::FEED_POLL_SECONDS;
use neonpro_contract::wire::{Buckets, ByeCode, Frame, Position};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// What the reading half tells the pulling half.
#[derive(Debug)]
pub(super) struct Signals {
    credit: AtomicI64,
    cursor: AtomicI64,
    stopped: AtomicBool,
    wake: Notify,
    close: Notify,
    reason: Mutex<Option<ByeCode>>,
    repair: Mutex<Option<Buckets>>,
}

impl Signals {
    pub fn new(credit: u64, cursor: i64) -> Self {
        Self {
            credit: AtomicI64::new(i64::try_from(credit).unwrap_or(i64::MAX)),
            cursor: AtomicI64::new(cursor),
            stopped: AtomicBool::new(false),
            wake: Notify::new(),
            close: Notify::new(),
            reason: Mutex::new(None),
            repair: Mutex::new(None),
        }
    }

    /// Wakes the pulling half only if it could not go on before: without credit, or before a first sync was applied.
    pub fn acknowledge(&self, cursor: i64, credit: u64) {
        let was_at = self.cursor.fetch_max(cursor, Ordering::AcqRel);
        let had = self.credit.fetch_add(i64::try_from(credit).unwrap_or(0), Ordering::AcqRel);
        if had <= 0 || (was_at < 0 && cursor >= 0) {
            self.wake.notify_one();
        }
    }

    pub fn ask_repair(&self, buckets: Buckets) {
        *self.repair.lock().unwrap_or_else(PoisonError::into_inner) = Some(buckets);
        self.wake.notify_one();
    }

    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Resolves when the puller wants the session closed.
    pub async fn closing(&self) {
        self.close.notified().await;
    }

    pub fn reason(&self) -> Option<ByeCode> {
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self, code: Option<ByeCode>) {
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = code;
        self.close.notify_one();
    }

    fn take_repair(&self) -> Option<Buckets> {
        self.repair.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// State of one tablet's pull.
pub(super) struct Puller {
    actor: Actor,
    device: DeviceId,
    state: AppState,
    outbox: Outbox,
    signals: Arc<Signals>,
    head: watch::Receiver<i64>,
    cursor: i64,
    /// A first sync was begun by this tablet and is not known to be complete.
    first_sync: bool,
    /// Where the first sync goes on, if it is not complete.
    bootstrap: Option<Position>,
    /// Records a first sync has behind it; `None` until they were counted.
    done: Option<u64>,
    /// Records it was announced to have.
    total: u64,
    reference_seq: i64,
    /// Where newer reference data goes on.
    reference: Option<Position>,
    saved_cursor: i64,
}

/// What one step found.
enum Step {
    /// Bytes went out; there may be more.
    Sent(usize),
    /// Bytes went out, and with them everything there was.
    SentLast(usize),
    Nothing,
    Close(ByeCode),
}

impl Puller {
    pub fn new(caller: &Arc<Caller>, state: &AppState, outbox: &Outbox, signals: &Arc<Signals>) -> Self {
        let hello = &caller.hello;
        let first = hello.cursor < 0;
        Self {
            actor: caller.actor,
            device: hello.device,
            state: state.clone(),
            outbox: outbox.clone(),
            signals: Arc::clone(signals),
            head: state.merger.watch_head(caller.actor.clinic()),
            cursor: hello.cursor,
            first_sync: first,
            bootstrap: first.then(|| hello.bootstrap.unwrap_or(Section::START)),
            done: None,
            total: caller.first_sync_records,
            reference: None,
            reference_seq: if first { 0 } else { hello.reference_seq },
            saved_cursor: hello.cursor,
        }
    }

    /// Sends until the session ends.
    pub async fn run(mut self) {
        loop {
            if self.signals.stopped.load(Ordering::Acquire) {
                break;
            }
            let step = if self.signals.credit.load(Ordering::Acquire) > 0 {
                self.step_or_flatten().await
            } else {
                Ok(Step::Nothing)
            };
            match step {
                Ok(Step::Sent(bytes)) => self.spend(bytes),
                Ok(Step::SentLast(bytes)) => {
                    self.spend(bytes);
                    // What came meanwhile has woken this half already.
                    self.wait().await;
                }
                Ok(Step::Nothing) => self.wait().await,
                Ok(Step::Close(code)) => {
                    self.signals.close(Some(code));
                    break;
                }
                Err(error) => {
                    tracing::error!(%error, source = ?std::error::Error::source(&error), "reading a page failed");
                    self.signals.close(Some(ByeCode::Internal));
                    break;
                }
            }
        }
        self.save_cursor().await;
    }

    fn spend(&self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.signals.credit.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// Waits for news, credit or the slow poll that covers a lost notification.
    async fn wait(&mut self) {
        let poll = Duration::from_secs(FEED_POLL_SECONDS);
        let changed = tokio::select! {
            biased;
            changed = self.head.changed() => changed.is_ok(),
            () = self.signals.wake.notified() => true,
            () = self.state.clock.sleep(poll) => {
                self.save_cursor().await;
                true
            }
        };
        if !changed {
            self.signals.close(Some(ByeCode::Restarting));
            self.signals.wake.notified().await;
        }
    }

    /// One step. What is too large to travel is flattened, and the next step sends it.
    async fn step_or_flatten(&mut self) -> StoreResult<Step> {
        match self.step().await {
            Err(StoreError::TooLarge(id)) => {
                let clinic = self.actor.clinic();
                let flattened =
                    crate::jobs::flatten(&self.state.store, clinic, id, self.state.clock.now()).await?;
                self.state.merger.wake(clinic);
                if flattened > 0 { Ok(Step::Sent(0)) } else { Err(StoreError::TooLarge(id)) }
            }
            step => step,
        }
    }

    async fn step(&mut self) -> StoreResult<Step> {
        if let Some(buckets) = self.signals.take_repair() {
            let sent = self.send_repair(&buckets).await;
            if matches!(sent, Err(StoreError::TooLarge(_))) {
                self.signals.ask_repair(buckets);
            }
            return sent;
        }
        if let Some(position) = self.bootstrap {
            return self.send_rows(position).await;
        }
        if self.cursor < 0 {
            // The feed goes on from where the first sync began, which the tablet knows: it may be an earlier session's.
            match self.signals.cursor.load(Ordering::Acquire) {
                reached @ 0.. => self.cursor = reached,
                _ => return Ok(Step::Nothing),
            }
        }
        self.send_news().await
    }

    /// Opens what one frame is read in, unless the device was revoked by then. Whatever is sent, its state was read in
    /// the same transaction.
    async fn begin(&self) -> StoreResult<Option<Scoped>> {
        let mut scoped = self.state.store.begin_read(&self.actor).await?;
        let active = scoped.find_pull_standing(self.device).await?.active;
        Ok(active.then_some(scoped))
    }

    async fn send_rows(&mut self, position: Position) -> StoreResult<Step> {
        let Some(mut scoped) = self.begin().await? else { return Ok(Step::Close(ByeCode::Revoked)) };
        let done = match self.done {
            Some(done) => done,
            None => bootstrap::count_before(&mut scoped, position).await?,
        };
        let mut built = bootstrap::next_page(&mut scoped, position, done, self.state.clock.now()).await?;
        scoped.commit().await?;
        self.bootstrap = built.next;
        self.done = Some(built.done);
        // Records made since the announcement are sent, and not counted above it.
        built.done = built.done.min(self.total);
        if built.next.is_none() {
            self.reference_seq = built.reference_seq.unwrap_or(self.reference_seq);
        }
        self.send(&Frame::Rows(built)).await
    }

    /// Reference rows newer than the tablet's, then the page after its cursor.
    async fn send_news(&mut self) -> StoreResult<Step> {
        self.head.mark_unchanged();
        self.note_first_sync().await?;
        let mut scoped = self.state.store.begin_read(&self.actor).await?;
        let standing = scoped.find_pull_standing(self.device).await?;
        if !standing.active {
            return Ok(Step::Close(ByeCode::Revoked));
        }
        let position = self.reference.unwrap_or(Section::REFERENCE);
        let numbers = (self.reference_seq, standing.reference_seq);
        if let Some((rows, next)) = bootstrap::next_reference(&mut scoped, numbers, position).await? {
            scoped.commit().await?;
            self.reference = next;
            self.reference_seq = rows.reference_seq.unwrap_or(self.reference_seq);
            return self.send(&Frame::Rows(rows)).await;
        }
        let built = page::next(&mut scoped, &standing.head, self.cursor).await?;
        scoped.commit().await?;
        let page = match built {
            page::Next::Page(page) => page,
            page::Next::AtHead => return Ok(Step::Nothing),
            page::Next::Pruned => return Ok(Step::Close(ByeCode::Reseed)),
        };
        self.cursor = page.to;
        self.state.metrics.pages.inc();
        let at_head = page.digest.is_some();
        Ok(match self.send(&Frame::Page(page)).await? {
            Step::Sent(bytes) if at_head => Step::SentLast(bytes),
            step => step,
        })
    }

    /// The first number a tablet commits after a first sync is the head that sync began at: it was given nothing that was
    /// withdrawn up to there.
    async fn note_first_sync(&mut self) -> StoreResult<()> {
        let began_at = self.signals.cursor.load(Ordering::Relaxed);
        if !self.first_sync || began_at < 0 {
            return Ok(());
        }
        self.first_sync = false;
        let now = self.state.clock.now();
        purges::note_first_sync(&self.state.store, &self.actor, self.device, began_at, now).await
    }

    async fn send_repair(&mut self, buckets: &Buckets) -> StoreResult<Step> {
        self.state.metrics.digest_mismatches.inc();
        tracing::warn!(device = %self.device, "digests differ; repairing");
        let Some(mut scoped) = self.begin().await? else { return Ok(Step::Close(ByeCode::Revoked)) };
        let frames = repair::answer(&mut scoped, buckets).await?;
        scoped.commit().await?;
        let mut bytes = 0usize;
        for frame in frames {
            if let Step::Sent(sent) = self.send(&Frame::Repair(frame)).await? {
                bytes = bytes.saturating_add(sent);
            }
        }
        Ok(Step::Sent(bytes))
    }

    async fn send(&mut self, frame: &Frame) -> StoreResult<Step> {
        if let Ok(bytes) = self.outbox.send(frame).await {
            self.state.metrics.bytes_sent.inc_by(bytes as u64);
            return Ok(Step::Sent(bytes));
        }
        // The socket is gone: the reading half notices and stops us.
        Ok(Step::Nothing)
    }

    /// Keeps what the tablet acknowledged; the fleet view and the feed's horizon read it.
    async fn save_cursor(&mut self) {
        let cursor = self.signals.cursor.load(Ordering::Relaxed);
        if cursor <= self.saved_cursor {
            return;
        }
        let saved = async {
            // Before its number is kept: from then on nothing tells that it came from a first sync.
            self.note_first_sync().await?;
            let mut scoped = self.state.store.begin(&self.actor).await?;
            scoped.mark_device_cursor(self.device, cursor, self.state.clock.now()).await?;
            scoped.commit().await
        };
        match saved.await {
            Ok(()) => self.saved_cursor = cursor,
            Err(error) => tracing::warn!(%error, "keeping a cursor failed; the next ack tries again"),
        }
    }
}
