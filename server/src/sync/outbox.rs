//! The sending half of a session: one task owns the socket, everyone else queues frames.
//!
//! Invariant: once a session was cut, nothing but its goodbye is sent, however slow the peer is.

use super::live::Cut;
use axum::extract::ws::Message;
use futures_util::{Sink, SinkExt};
use neonpro_contract::wire::{Bye, ByeCode, Frame};
use std::time::Duration;
use tokio::sync::mpsc;

/// Frames waiting for a slow socket. Behind it, the server keeps one cursor per tablet, not a queue.
const FRAMES: usize = 8;
/// How long a session that was cut may take to say goodbye to a peer that does not read.
const GOODBYE: Duration = Duration::from_millis(500);

/// Queues frames for one socket.
#[derive(Debug, Clone)]
pub(super) struct Outbox {
    queue: mpsc::Sender<Vec<u8>>,
    /// Ends the session from outside.
    pub cut: Cut,
}

/// The socket is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closed;

impl Outbox {
    /// Starts the task that owns the socket's sending half.
    pub fn open(sink: impl Sink<Message> + Send + Unpin + 'static) -> (Self, tokio::task::JoinHandle<()>) {
        let (queue, frames) = mpsc::channel::<Vec<u8>>(FRAMES);
        let cut = Cut::new();
        let task = tokio::spawn(write(sink, frames, cut.clone()));
        (Self { queue, cut }, task)
    }

    /// Queues a frame and says how many bytes it has.
    pub async fn send(&self, frame: &Frame) -> Result<usize, Closed> {
        let bytes = frame.encode();
        let length = bytes.len();
        self.queue.send(bytes).await.map_err(|_| Closed)?;
        Ok(length)
    }

    /// Says goodbye.
    pub async fn bye(&self, code: ByeCode, retry_after_ms: u32) {
        // A peer that left needs no goodbye.
        let _ = self.send(&Frame::Bye(Bye { code, retry_after_ms })).await;
    }
}

async fn write(
    mut sink: impl Sink<Message> + Send + Unpin + 'static,
    mut frames: mpsc::Receiver<Vec<u8>>,
    cut: Cut,
) {
    let bye = loop {
        let frame = tokio::select! {
            biased;
            bye = cut.ended() => break bye,
            frame = frames.recv() => frame,
        };
        let Some(bytes) = frame else {
            // The peer may be gone already.
            let _ = sink.close().await;
            return;
        };
        tokio::select! {
            biased;
            bye = cut.ended() => break bye,
            sent = sink.send(Message::Binary(bytes.into())) => if sent.is_err() { return },
        }
    };
    frames.close();
    let goodbye = async {
        sink.send(Message::Binary(Frame::Bye(bye).encode().into())).await?;
        sink.close().await
    };
    // A peer that does not read is left without one.
    let _ = tokio::time::timeout(GOODBYE, goodbye).await;
}
