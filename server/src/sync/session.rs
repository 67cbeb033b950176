//! One session: reads frames, queues pushes, lets the puller send pages. Push and pull run independently.
//!
//! Invariant: the session owns no work. Edits belong to the merger, pages can be read again; a socket may die
//! between any two bytes.

use super::handshake::{self, Caller};
use super::live::Seat;
use super::outbox::Outbox;
use super::puller::{Puller, Signals};
use super::purges;
use super::reads;
use crate::merge::{Incoming, MergeError};
use crate::set_aside;
use crate::state::AppState;
use axum::extract::ws::Message;
use futures_util::{Sink, Stream, StreamExt};
use neonpro_contract::limits::{
    HANDOVER_EDITS_MAX, PUSH_BYTES_MAX, PUSH_EDITS_MAX, READS_MAX, RECEIPTS_MAX, SOCKET_IDLE_SECONDS,
};
use neonpro_contract::wire::{ByeCode, EditFate, Fates, Frame, Handover, Push, Receipts};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Time for the tablet to answer the challenge.
const HELLO_LIMIT: Duration = Duration::from_secs(10);
/// Pushes whose fates are not yet known. Beyond it the session stops reading: the tablet's own window is smaller.
const PUSHES_UNANSWERED: usize = 32;
/// When a shed tablet should come back, ms.
const BUSY_RETRY_MS: u32 = 500;

type Pending = oneshot::Receiver<Result<Vec<EditFate>, MergeError>>;

/// Serves one socket until it closes: axum's, or any other line of the same messages.
pub async fn run<Socket, Failed>(socket: Socket, state: AppState)
where
    Socket: Stream<Item = Result<Message, Failed>> + Sink<Message> + Send + 'static,
{
    let metrics = Arc::clone(&state.metrics);
    metrics.sessions.inc();
    let (sink, mut stream) = socket.split();
    let (outbox, writer) = Outbox::open(sink);
    let code = match open(&mut stream, &outbox, &state).await {
        // The seat is kept until the session is over.
        Ok((caller, _seat)) => serve(caller, stream, &outbox, &state).await,
        Err(code) => code,
    };
    if let Some(code) = code {
        outbox.bye(code, BUSY_RETRY_MS).await;
    }
    drop(outbox);
    // The writer ends when the queue is drained or the peer is gone.
    let _ = writer.await;
    metrics.sessions.dec();
}

/// Challenge, hello, welcome. `Err(None)` when the peer simply left.
async fn open<Failed>(
    stream: &mut (impl Stream<Item = Result<Message, Failed>> + Unpin),
    outbox: &Outbox,
    state: &AppState,
) -> Result<(Caller, Seat), Option<ByeCode>> {
    let challenge = handshake::challenge().ok_or(Some(ByeCode::Internal))?;
    outbox.send(&Frame::Challenge(challenge.clone())).await.map_err(|_| None)?;
    let hello = match state.clock.within(HELLO_LIMIT, next_frame(stream, state)).await {
        Some(Some(Ok(Frame::Hello(hello)))) => hello,
        Some(None) => return Err(None),
        Some(Some(_)) | None => return Err(Some(ByeCode::Protocol)),
    };
    let seat = state.live.enter(hello.device, outbox.cut.clone());
    let task_state = state.clone();
    let opened = tokio::spawn(async move {
        let mut caller = match handshake::authenticate(&task_state, &challenge, hello).await? {
            Ok(caller) => caller,
            Err(code) => return Ok(Err(code)),
        };
        let welcome = handshake::welcome(&task_state, &caller).await?;
        if let Ok(welcome) = &welcome {
            caller.first_sync_records = welcome.bootstrap_records;
        }
        Ok::<_, crate::store::StoreError>(welcome.map(|welcome| (caller, welcome)))
    });
    match opened.await {
        Ok(Ok(Ok((caller, welcome)))) => {
            outbox.send(&Frame::Welcome(welcome)).await.map_err(|_| None)?;
            Ok((caller, seat))
        }
        Ok(Ok(Err(code))) => Err(Some(code)),
        Ok(Err(error)) => {
            tracing::error!(%error, source = ?std::error::Error::source(&error), "handshake failed");
            Err(Some(ByeCode::Internal))
        }
        Err(_) => Err(Some(ByeCode::Internal)),
    }
}

async fn serve<Failed>(
    caller: Caller,
    mut stream: impl Stream<Item = Result<Message, Failed>> + Unpin,
    outbox: &Outbox,
    state: &AppState,
) -> Option<ByeCode> {
    let caller = Arc::new(caller);
    let signals = Arc::new(Signals::new(caller.hello.credit, caller.hello.cursor));
    let puller = tokio::spawn(Puller::new(&caller, state, outbox, &signals).run());
    let (unanswered, fates) = mpsc::channel(PUSHES_UNANSWERED);
    let answers = tokio::spawn(answer(fates, outbox.clone()));
    let (told, queue) = mpsc::channel(reads::READS_UNANSWERED);
    let keeping = tokio::spawn(reads::keep(queue, Arc::clone(&caller), state.clone(), outbox.clone()));
    let code = loop {
        let frame = tokio::select! {
            biased;
            // The writer has said goodbye.
            _ = outbox.cut.ended() => break None,
            () = signals.closing() => break signals.reason(),
            () = state.stopping() => break Some(ByeCode::Restarting),
            frame = next_frame(&mut stream, state) => frame,
        };
        match frame {
            None => break None,
            Some(Ok(Frame::Push(push))) => match take(push, &caller, state) {
                Ok(pending) => tokio::select! {
                    biased;
                    _ = outbox.cut.ended() => break None,
                    sent = unanswered.send(pending) => if sent.is_err() { break None },
                },
                Err(code) => break Some(code),
            },
            Some(Ok(Frame::Reads(reads))) => {
                if reads.reads.len() > READS_MAX || told.try_send(reads).is_err() {
                    break Some(ByeCode::Protocol);
                }
            }
            Some(Ok(Frame::Ack(ack))) => signals.acknowledge(ack.cursor, ack.credit),
            Some(Ok(Frame::Receipts(receipts))) => match keep(receipts, &caller, outbox, state).await {
                Ok(()) => {}
                Err(code) => break code,
            },
            Some(Ok(Frame::Handover(handover))) => match hand_over(handover, &caller, state).await {
                Ok(()) => {}
                Err(code) => break Some(code),
            },
            Some(Ok(Frame::Buckets(buckets))) => signals.ask_repair(buckets),
            Some(Ok(Frame::Bye(_))) => break None,
            Some(Ok(_) | Err(())) => break Some(ByeCode::Protocol),
        }
    };
    signals.stop();
    drop(unanswered);
    drop(told);
    // Nothing is read any more while what was begun is finished.
    drop(stream);
    // They end by themselves: database work is never cut in the middle.
    let _ = answers.await;
    let _ = keeping.await;
    let _ = puller.await;
    code
}

/// Queues a push. The merger keeps it whatever becomes of this socket.
fn take(push: Push, caller: &Caller, state: &AppState) -> Result<Pending, ByeCode> {
    let bytes: usize = push.edits.iter().map(|edit| edit.envelope.len()).sum();
    if push.edits.len() > PUSH_EDITS_MAX || bytes > PUSH_BYTES_MAX.saturating_mul(2) {
        return Err(ByeCode::Protocol);
    }
    let incoming = push
        .edits
        .into_iter()
        .map(|signed| Incoming {
            device: caller.hello.device,
            public_key: Arc::clone(&caller.public_key),
            signed,
        })
        .collect();
    state.merger.enqueue(caller.actor.clinic(), incoming).map_err(|_| ByeCode::Busy)
}

/// Keeps purge receipts and says so, in a task that a dropped socket does not cancel. `Err(None)` when the peer left.
async fn keep(
    receipts: Receipts,
    caller: &Arc<Caller>,
    outbox: &Outbox,
    state: &AppState,
) -> Result<(), Option<ByeCode>> {
    if receipts.receipts.len() > RECEIPTS_MAX {
        return Err(Some(ByeCode::Protocol));
    }
    let (state, caller) = (state.clone(), Arc::clone(caller));
    let kept =
        tokio::spawn(async move { purges::keep(&state.store, &caller, &receipts, state.clock.now()).await });
    match kept.await {
        Ok(Ok(received)) => outbox.send(&Frame::Received(received)).await.map(drop).map_err(|_| None),
        Ok(Err(error)) => {
            tracing::error!(%error, source = ?std::error::Error::source(&error), "keeping purge receipts failed");
            Err(Some(ByeCode::Internal))
        }
        Err(_) => Err(Some(ByeCode::Internal)),
    }
}

/// Keeps what people decided on the tablet. The answer comes by the feed.
async fn hand_over(handover: Handover, caller: &Caller, state: &AppState) -> Result<(), ByeCode> {
    if handover.decided.len() > HANDOVER_EDITS_MAX {
        return Err(ByeCode::Protocol);
    }
    let (store, clinic, device) = (state.store.clone(), caller.actor.clinic(), caller.hello.device);
    let (key, now) = (Arc::clone(&caller.public_key), state.clock.now());
    // A task of its own: a dropped socket must not cut database work in the middle.
    let taken =
        tokio::spawn(
            async move { set_aside::take(&store, clinic, device, &key, &handover.decided, now).await },
        );
    match taken.await {
        Ok(Ok(())) => {
            state.merger.wake(clinic);
            Ok(())
        }
        Ok(Err(error)) => {
            tracing::error!(%error, source = ?std::error::Error::source(&error), "keeping a handover failed");
            Err(ByeCode::Internal)
        }
        Err(_) => Err(ByeCode::Internal),
    }
}

/// Sends fates in the order of the pushes.
async fn answer(mut fates: mpsc::Receiver<Pending>, outbox: Outbox) {
    while let Some(pending) = fates.recv().await {
        match pending.await {
            Ok(Ok(fates)) => {
                if outbox.send(&Frame::Fates(Fates { fates })).await.is_err() {
                    return;
                }
            }
            // Nothing was taken, or it is not known: the tablet pushes again and is told `Duplicate` if it was.
            failed => {
                let busy = matches!(failed, Ok(Err(MergeError::Busy)));
                outbox.bye(if busy { ByeCode::Busy } else { ByeCode::Internal }, BUSY_RETRY_MS).await;
                return;
            }
        }
    }
}

/// The next frame. `None` when the peer left or fell silent, `Err` for bytes that are no frame.
async fn next_frame<Failed>(
    stream: &mut (impl Stream<Item = Result<Message, Failed>> + Unpin),
    state: &AppState,
) -> Option<Result<Frame, ()>> {
    let idle = Duration::from_secs(SOCKET_IDLE_SECONDS.saturating_mul(2));
    loop {
        let message = state.clock.within(idle, stream.next()).await??;
        match message.ok()? {
            Message::Binary(bytes) => {
                state.metrics.bytes_received.inc_by(bytes.len() as u64);
                return Some(Frame::decode(&bytes).map_err(|_| ()));
            }
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Close(_) => return None,
            Message::Text(_) => return Some(Err(())),
        }
    }
}
