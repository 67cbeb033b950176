//! The sending half of a session: one task owns the socket, everyone else queues frames.

use axum::extract::ws::{Message, WebSocket};
use futures_util::SinkExt;
use futures_util::stream::SplitSink;
use neonpro_contract::wire::{Bye, ByeCode, Frame};
use tokio::sync::mpsc;

/// Frames waiting for a slow socket. Behind it, the server keeps one cursor per tablet, not a queue.
const FRAMES: usize = 8;

/// Queues frames for one socket.
#[derive(Debug, Clone)]
pub(super) struct Outbox(mpsc::Sender<Vec<u8>>);

/// The socket is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closed;

impl Outbox {
    /// Starts the task that owns the socket's sending half.
    pub fn open(mut sink: SplitSink<WebSocket, Message>) -> (Self, tokio::task::JoinHandle<()>) {
        let (queue, mut frames) = mpsc::channel::<Vec<u8>>(FRAMES);
        let task = tokio::spawn(async move {
            while let Some(bytes) = frames.recv().await {
                if sink.send(Message::Binary(bytes.into())).await.is_err() {
                    return;
                }
            }
            // The peer may be gone already.
            let _ = sink.close().await;
        });
        (Self(queue), task)
    }

    /// Queues a frame and says how many bytes it has.
    pub async fn send(&self, frame: &Frame) -> Result<usize, Closed> {
        let bytes = frame.encode();
        let length = bytes.len();
        self.0.send(bytes).await.map_err(|_| Closed)?;
        Ok(length)
    }

    /// Says goodbye.
    pub async fn bye(&self, code: ByeCode, retry_after_ms: u32) {
        // A peer that left needs no goodbye.
        let _ = self.send(&Frame::Bye(Bye { code, retry_after_ms })).await;
    }
}
