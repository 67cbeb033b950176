//! Does what the machine asks for: the socket, the timers, the database on blocking threads.
//!
//! Decides nothing. Invariant: work on the database is never cancelled half-way; a session that ends waits for it.

use super::connect::{Address, Line};
use super::machine::{Action, Event, Machine};
use super::state::SyncState;
use crate::error::ReplicaError;
use crate::replica::Replica;
use crate::store::outbox;
use crate::watch::STATUS;
use futures_util::{SinkExt, StreamExt};
use neonpro_contract::limits::FRAME_BYTES_MAX;
use neonpro_contract::wire::{Frame, SYNC_PATH};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

/// How long opening a line may take.
const CONNECT_MAX: Duration = Duration::from_secs(12);
/// How long a closing socket may take to say goodbye.
const CLOSE_MAX: Duration = Duration::from_millis(500);

/// What the handle asks for.
#[derive(Debug)]
pub(crate) enum Command {
    GoOnline,
    GoOffline,
    Stop,
}

type WebSocket = WebSocketStream<Box<dyn Line>>;

/// What comes back from work done elsewhere.
enum Report {
    Event(Event),
    Connected { session: u64, socket: Box<WebSocket> },
    ConnectFailed { session: u64, code: &'static str },
}

struct Socket {
    outgoing: mpsc::UnboundedSender<Message>,
    incoming: futures_util::stream::SplitStream<WebSocket>,
}

pub(crate) struct Driver {
    replica: Replica,
    app: String,
    commands: mpsc::UnboundedReceiver<Command>,
    publish: watch::Sender<SyncState>,
    reports: (mpsc::UnboundedSender<Report>, mpsc::UnboundedReceiver<Report>),
    socket: Option<Socket>,
    /// Numbers attempts, so that a late connection of an abandoned one is dropped.
    session: u64,
    started: Instant,
    greeted: Option<Instant>,
    round_trip_us: i64,
    jobs: u32,
}

impl Driver {
    pub fn new(
        replica: Replica,
        app: String,
        commands: mpsc::UnboundedReceiver<Command>,
        publish: watch::Sender<SyncState>,
    ) -> Self {
        Self {
            replica,
            app,
            commands,
            publish,
            reports: mpsc::unbounded_channel(),
            socket: None,
            session: 0,
            started: Instant::now(),
            greeted: None,
            round_trip_us: 0,
            jobs: 0,
        }
    }

    pub async fn run(mut self, mut machine: Machine) {
        let mut event = Event::Tick;
        loop {
            let random = self.replica.inner.clock.random_u64();
            let actions = machine.on(event, self.now_ms(), random);
            for action in actions {
                self.perform(action);
            }
            self.tell(machine.state());
            if machine.has_ended() && self.jobs == 0 {
                return;
            }
            event = self.next_event(machine.deadline_ms()).await;
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn tell(&self, state: SyncState) {
        let changed = self.publish.send_if_modified(|known| {
            let differs = *known != state;
            known.clone_from(&state);
            differs
        });
        if changed {
            self.replica.inner.sync.send_replace(state);
            self.replica.inner.store.publisher.publish(&BTreeSet::from([STATUS]));
        }
    }

    async fn next_event(&mut self, deadline_ms: Option<u64>) -> Event {
        loop {
            let due = deadline_ms.map(|at| self.started + Duration::from_millis(at));
            let event = tokio::select! {
                biased;
                command = self.commands.recv() => Some(match command {
                    Some(Command::GoOnline) => Event::GoOnline,
                    Some(Command::GoOffline) => Event::GoOffline,
                    Some(Command::Stop) | None => Event::Stop,
                }),
                Some(report) = self.reports.1.recv() => self.reported(report),
                message = next_message(&mut self.socket) => self.received(message),
                () = self.replica.inner.outbox.notified() => Some(Event::Edited),
                () = self.replica.inner.store.reads.written.notified() => Some(Event::ReadLogged),
                () = sleep_until(due) => Some(Event::Tick),
            };
            if let Some(event) = event {
                return event;
            }
        }
    }

    fn reported(&mut self, report: Report) -> Option<Event> {
        match report {
            Report::Event(event) => {
                if event.ends_job() {
                    self.jobs = self.jobs.saturating_sub(1);
                }
                Some(event)
            }
            Report::Connected { session, socket } => {
                if session == self.session {
                    self.adopt(*socket);
                }
                None
            }
            Report::ConnectFailed { session, code } => {
                (session == self.session).then(|| Event::ConnectFailed(code.to_owned()))
            }
        }
    }

    fn adopt(&mut self, socket: WebSocket) {
        let (mut sink, incoming) = socket.split();
        let (outgoing, mut queue) = mpsc::unbounded_channel::<Message>();
        tokio::spawn(async move {
            while let Some(message) = queue.recv().await {
                if sink.send(message).await.is_err() {
                    return;
                }
            }
            let _ = tokio::time::timeout(CLOSE_MAX, sink.close()).await;
        });
        self.socket = Some(Socket { outgoing, incoming });
    }

    fn received(&mut self, message: Option<Message>) -> Option<Event> {
        let bytes = match message {
            Some(Message::Binary(bytes)) => bytes,
            Some(Message::Ping(_) | Message::Pong(_)) => return Some(Event::Heard),
            Some(Message::Close(_)) | None => {
                self.hang_up();
                return Some(Event::Disconnected);
            }
            Some(Message::Text(_) | Message::Frame(_)) => return Some(Event::Garbled),
        };
        let Ok(frame) = Frame::decode(&bytes) else { return Some(Event::Garbled) };
        tracing::trace!(frame = frame.name(), bytes = bytes.len(), "received");
        if matches!(frame, Frame::Welcome(_)) {
            let elapsed = self.greeted.take().map(|at| at.elapsed().as_micros()).unwrap_or_default();
            self.round_trip_us = i64::try_from(elapsed).unwrap_or(i64::MAX);
        }
        Some(Event::Frame { frame, bytes: bytes.len() as u64 })
    }

    fn hang_up(&mut self) {
        self.socket = None;
        self.greeted = None;
        self.session = self.session.wrapping_add(1);
    }

    fn send(&mut self, message: Message) {
        // A closed queue is a closed socket, which the reading side reports.
        let _ = self.socket.as_ref().map(|socket| socket.outgoing.send(message));
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Connect => self.connect(),
            Action::Disconnect => self.hang_up(),
            Action::Send(frame) => {
                tracing::trace!(frame = frame.name(), "sent");
                self.send(Message::Binary(frame.encode().into()));
            }
            Action::Ping => self.send(Message::Ping(Vec::new().into())),
            Action::Greet { nonce } => self.greet(&nonce),
            Action::Open(welcome) => {
                let round_trip_us = self.round_trip_us;
                self.job(move |replica| replica.open_session(&welcome, round_trip_us).map(Event::Opened));
            }
            Action::Take { edits_max, bytes_max } => {
                self.job(move |replica| replica.take_outbox(edits_max, bytes_max).map(Event::Taken));
            }
            Action::Apply(frame) => self.job(move |replica| replica.receive(&frame).map(Event::Applied)),
            Action::Settle { sent, fates } => {
                self.job(move |replica| replica.receive_fates(&sent, &fates).map(Event::Applied));
            }
            Action::Sum => self.job(|replica| replica.sum_buckets().map(Event::Summed)),
            Action::TakeReads => self.job(|replica| replica.take_reads().map(Event::ReadsTaken)),
            Action::NoteAudit(audited) => self
                .job(move |replica| replica.receive_audited(&audited).map(|more| Event::AuditNoted { more })),
            Action::TakeReceipts => self.job(|replica| replica.take_receipts().map(Event::Purged)),
            Action::ForgetReceipts(received) => {
                self.job(move |replica| replica.forget_receipts(&received).map(Event::Forgotten));
            }
            Action::Confirm => self.job(|replica| replica.confirm().map(|()| Event::Noted)),
            Action::Reseed => self.job(|replica| replica.reseed().map(|()| Event::Noted)),
            Action::MarkStopped(reason) => {
                self.job(move |replica| replica.mark_stopped(Some(&reason)).map(|()| Event::Noted));
            }
        }
    }

    /// The hello is one read and a signature: done here, so that nothing can come between.
    fn greet(&mut self, nonce: &[u8; 32]) {
        let hello = self.replica.hello(nonce, &self.app);
        self.jobs = self.jobs.saturating_add(1);
        let event = match hello {
            Ok(hello) => {
                self.greeted = Some(Instant::now());
                self.send(Message::Binary(Frame::Hello(hello).encode().into()));
                Event::Greeted
            }
            Err(error) => Event::Failed(error.code().to_owned()),
        };
        let _ = self.reports.0.send(Report::Event(event));
    }

    fn job(&mut self, work: impl FnOnce(&Replica) -> Result<Event, ReplicaError> + Send + 'static) {
        self.jobs = self.jobs.saturating_add(1);
        let (replica, reports) = (self.replica.clone(), self.reports.0.clone());
        tokio::spawn(async move {
            let done = tokio::task::spawn_blocking(move || work(&replica)).await;
            let event = match done {
                Ok(Ok(event)) => event,
                Ok(Err(error)) => {
                    tracing::warn!(code = error.code(), "work on the replica failed");
                    Event::Failed(error.code().to_owned())
                }
                Err(_) => Event::Failed("panicked".to_owned()),
            };
            let _ = reports.send(Report::Event(event));
        });
    }

    fn connect(&mut self) {
        self.hang_up();
        let (session, reports) = (self.session, self.reports.0.clone());
        let identity = std::sync::Arc::clone(&self.replica.inner.store.identity);
        tokio::spawn(async move {
            let opened = tokio::time::timeout(CONNECT_MAX, open(&identity.server_url, identity.pin)).await;
            let report = match opened {
                Ok(Ok(socket)) => Report::Connected { session, socket: Box::new(socket) },
                Ok(Err(code)) => Report::ConnectFailed { session, code },
                Err(_) => Report::ConnectFailed { session, code: "timed_out" },
            };
            let _ = reports.send(report);
        });
    }
}

async fn open(url: &str, pin: [u8; 32]) -> Result<WebSocket, &'static str> {
    let address = Address::parse(url).map_err(super::connect::ConnectError::code)?;
    let line = address.connect(pin).await.map_err(super::connect::ConnectError::code)?;
    let request = format!("ws://{}{SYNC_PATH}", address.authority())
        .into_client_request()
        .map_err(|_| "address_unreadable")?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX));
    let (socket, _) = tokio_tungstenite::client_async_with_config(request, line, Some(config))
        .await
        .map_err(|_| "handshake")?;
    Ok(socket)
}

/// The next message; `None` at the end of the socket. Waits forever without one.
async fn next_message(socket: &mut Option<Socket>) -> Option<Message> {
    match socket {
        Some(socket) => socket.incoming.next().await.and_then(Result::ok),
        None => std::future::pending().await,
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

impl Replica {
    /// Marks the next edits as sent and hands them out.
    pub(crate) fn take_outbox(
        &self,
        edits_max: usize,
        bytes_max: usize,
    ) -> Result<outbox::Taken, ReplicaError> {
        let taken = self.inner.store.write(|tx| {
            let mut taken = outbox::Taken::from(outbox::mark_next_sent(&tx.sql, edits_max, bytes_max)?);
            if taken.edits.is_empty() {
                taken.edits = outbox::mark_next_asked(&tx.sql, edits_max, bytes_max)?;
                taken.decided = outbox::mark_next_told(&tx.sql, bytes_max)?;
            }
            crate::crash::point("outbox.before_commit");
            Ok::<_, ReplicaError>(taken)
        })?;
        crate::crash::point("outbox.after_commit");
        Ok(taken)
    }
}
