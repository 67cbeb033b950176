//! The pulling half of a session: sends what lies after the tablet's cursor, as far as its credit goes.
//!
//! A slow tablet costs the server one cursor. Waking up is a hint (in-process, LISTEN or the slow poll); what to send
//! is always read from the database, as the receiving device.

use super::bootstrap::{self, Section};
use super::handshake::Caller;
use super::outbox::Outbox;
use super::{page, purges, repair};
use crate::actor::Actor;
use crate::clock;
use crate::state::AppState;
use crate::store::{Scoped, StoreResult};
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

    pub fn acknowledge(&self, cursor: i64, credit: u64) {
        self.cursor.fetch_max(cursor, Ordering::Relaxed);
        self.credit.fetch_add(i64::try_from(credit).unwrap_or(0), Ordering::Relaxed);
        self.wake.notify_one();
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
    /// Records sent in the counted sections of a first sync.
    done: u64,
    reference_seq: i64,
    /// Where newer reference data goes on.
    reference: Option<Position>,
    saved_cursor: i64,
}

/// What one step found.
enum Step {
    Sent(usize),
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
            done: 0,
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
            let step = if self.signals.credit.load(Ordering::Relaxed) > 0 {
                self.step().await
            } else {
                Ok(Step::Nothing)
            };
            match step {
                Ok(Step::Sent(bytes)) => {
                    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
                    self.signals.credit.fetch_sub(bytes, Ordering::Relaxed);
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

    /// Waits for news, credit or the slow poll that covers a lost notification.
    async fn wait(&mut self) {
        let poll = Duration::from_secs(FEED_POLL_SECONDS);
        let changed = tokio::select! {
            changed = self.head.changed() => changed.is_ok(),
            () = self.signals.wake.notified() => true,
            () = tokio::time::sleep(poll) => {
                self.save_cursor().await;
                true
            }
        };
        if !changed {
            self.signals.close(Some(ByeCode::Restarting));
            self.signals.wake.notified().await;
        }
    }

    async fn step(&mut self) -> StoreResult<Step> {
        if let Some(buckets) = self.signals.take_repair() {
            return self.send_repair(buckets).await;
        }
        if let Some(position) = self.bootstrap {
            return self.send_rows(position).await;
        }
        if let Some(step) = self.send_reference().await? {
            return Ok(step);
        }
        self.send_page().await
    }

    /// Opens what one frame is read in, unless the device was revoked by then. Whatever is sent, its state was read in
    /// the same transaction.
    async fn begin(&self) -> StoreResult<Option<Scoped>> {
        let mut scoped = self.state.store.begin_read(&self.actor).await?;
        let active = scoped.find_device(self.device).await?.is_some_and(|device| device.active);
        Ok(active.then_some(scoped))
    }

    async fn send_rows(&mut self, position: Position) -> StoreResult<Step> {
        let Some(mut scoped) = self.begin().await? else { return Ok(Step::Close(ByeCode::Revoked)) };
        let built = bootstrap::next_page(&mut scoped, position, self.done).await?;
        scoped.commit().await?;
        self.bootstrap = built.next;
        self.done = built.done;
        if built.next.is_none() {
            self.reference_seq = built.reference_seq.unwrap_or(self.reference_seq);
        }
        self.send(&Frame::Rows(built)).await
    }

    /// Reference rows newer than the tablet's, if there are any.
    async fn send_reference(&mut self) -> StoreResult<Option<Step>> {
        let Some(mut scoped) = self.begin().await? else { return Ok(Some(Step::Close(ByeCode::Revoked))) };
        let position = self.reference.unwrap_or(Section::REFERENCE);
        let built = bootstrap::next_reference(&mut scoped, self.reference_seq, position).await?;
        scoped.commit().await?;
        let Some((rows, next)) = built else { return Ok(None) };
        self.reference = next;
        self.reference_seq = rows.reference_seq.unwrap_or(self.reference_seq);
        Ok(Some(self.send(&Frame::Rows(rows)).await?))
    }

    async fn send_page(&mut self) -> StoreResult<Step> {
        self.head.mark_unchanged();
        self.note_first_sync().await?;
        let Some(mut scoped) = self.begin().await? else { return Ok(Step::Close(ByeCode::Revoked)) };
        if self.cursor < 0 {
            // After a first sync the feed begins where the tablet says its rows stand.
            self.cursor = self.signals.cursor.load(Ordering::Relaxed);
            if self.cursor < 0 {
                scoped.commit().await?;
                return Ok(Step::Nothing);
            }
        }
        let built = page::next(&mut scoped, self.cursor).await?;
        scoped.commit().await?;
        let page = match built {
            page::Next::Page(page) => page,
            page::Next::AtHead => return Ok(Step::Nothing),
            page::Next::Pruned => return Ok(Step::Close(ByeCode::Reseed)),
        };
        self.cursor = page.to;
        self.state.metrics.pages.inc();
        self.send(&Frame::Page(page)).await
    }

    /// The first number a tablet commits after a first sync is the head that sync began at: it was given nothing that was
    /// withdrawn up to there.
    async fn note_first_sync(&mut self) -> StoreResult<()> {
        let began_at = self.signals.cursor.load(Ordering::Relaxed);
        if !self.first_sync || began_at < 0 {
            return Ok(());
        }
        self.first_sync = false;
        purges::note_first_sync(&self.state.store, &self.actor, self.device, began_at).await
    }

    async fn send_repair(&mut self, buckets: Buckets) -> StoreResult<Step> {
        self.state.metrics.digest_mismatches.inc();
        tracing::warn!(device = %self.device, "digests differ; repairing");
        let Some(mut scoped) = self.begin().await? else { return Ok(Step::Close(ByeCode::Revoked)) };
        let frames = repair::answer(&mut scoped, &buckets).await?;
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
            let mut scoped = self.state.store.begin(&self.actor).await?;
            scoped.mark_device_cursor(self.device, cursor, clock::now()).await?;
            scoped.commit().await
        };
        match saved.await {
            Ok(()) => self.saved_cursor = cursor,
            Err(error) => tracing::warn!(%error, "keeping a cursor failed; the next ack tries again"),
        }
    }
}
