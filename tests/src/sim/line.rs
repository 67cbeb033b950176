//! A line between a tablet and the server's session: messages in memory, in order per connection, as TCP keeps them.
//!
//! The session gets its end as a stream and sink of the same messages a WebSocket has. The world holds the other.

use axum::extract::ws::Message;
use futures_util::{Sink, Stream, StreamExt, sink, stream};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, error::TryRecvError, unbounded_channel};

type Incoming = Pin<Box<dyn Stream<Item = Result<Message, Infallible>> + Send>>;
type Outgoing = Pin<Box<dyn Sink<Message, Error = ()> + Send>>;

/// The session's end.
pub struct Socket {
    incoming: Incoming,
    outgoing: Outgoing,
}

/// The world's end.
pub struct Connection {
    /// Whose.
    pub tablet: usize,
    to_server: Option<UnboundedSender<Message>>,
    from_server: UnboundedReceiver<Message>,
    /// Sent by the server, not yet put on the way.
    pub out: VecDeque<Message>,
    /// The session ended.
    pub ended: bool,
    /// Pushes handed to the session, and answers it gave.
    pub pushes: u64,
    pub answers: u64,
    /// Nothing reaches the session, or the tablet, any more, and neither knows.
    pub deaf_server: bool,
    pub deaf_tablet: bool,
    /// The tablet is being told that it is closed.
    pub closing: bool,
    /// When the last message in each direction arrives: the next one cannot be earlier.
    pub last_up_us: i64,
    pub last_down_us: i64,
}

/// Both ends.
#[must_use]
pub fn open(tablet: usize) -> (Connection, Socket) {
    let (to_server, received) = unbounded_channel::<Message>();
    let (sent, from_server) = unbounded_channel();
    let incoming = stream::unfold(received, |mut received| async move {
        received.recv().await.map(|message| (Ok(message), received))
    });
    let outgoing = sink::unfold(sent, |sent: UnboundedSender<Message>, message| async move {
        sent.send(message).map_err(drop)?;
        Ok(sent)
    });
    let connection = Connection {
        tablet,
        to_server: Some(to_server),
        from_server,
        out: VecDeque::new(),
        ended: false,
        pushes: 0,
        answers: 0,
        deaf_server: false,
        deaf_tablet: false,
        closing: false,
        last_up_us: 0,
        last_down_us: 0,
    };
    (connection, Socket { incoming: incoming.boxed(), outgoing: Box::pin(outgoing) })
}

impl Connection {
    /// Hands a message to the session.
    pub fn deliver(&self, message: Message) {
        // A session that ended takes nothing.
        let _ = self.to_server.as_ref().map(|line| line.send(message));
    }

    /// Tells the session that the tablet is gone.
    pub fn hang_up(&mut self) {
        self.to_server = None;
    }

    /// Whether the tablet left; the session may still be finishing.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.to_server.is_none()
    }

    /// Takes what the session has sent.
    pub fn collect(&mut self) {
        loop {
            match self.from_server.try_recv() {
                Ok(message) => self.out.push_back(message),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.ended = true;
                    return;
                }
            }
        }
    }
}

impl Stream for Socket {
    type Item = Result<Message, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.incoming.as_mut().poll_next(cx)
    }
}

impl Sink<Message> for Socket {
    type Error = ();

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), ()>> {
        self.outgoing.as_mut().poll_ready(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), ()> {
        self.outgoing.as_mut().start_send(message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), ()>> {
        self.outgoing.as_mut().poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), ()>> {
        self.outgoing.as_mut().poll_close(cx)
    }
}
