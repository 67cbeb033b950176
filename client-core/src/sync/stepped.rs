//! The sync engine driven one event at a time, for a simulated world: time, line and order of things are the world's.
//!
//! The same machine and the same work on the same file as in the driver. Never waits and never opens a socket. Work on
//! the file is done when the world says so, so that frames, edits and work meet in every order they may meet in.

use super::machine::{Action, Event, Machine, Retry};
use super::state::SyncState;
use super::work;
use crate::error::ReplicaError;
use crate::replica::Replica;
use crate::store::records::{self, StoredRow};
use neonpro_contract::ids::RecordId;
use neonpro_contract::time::US_PER_MS;
use neonpro_contract::wire::Frame;
use std::collections::VecDeque;

/// What the world tells the engine.
#[derive(Debug)]
pub enum Happening {
    /// A deadline passed.
    Tick,
    /// Somebody switched the network on.
    GoOnline,
    /// Somebody switched it off.
    GoOffline,
    /// The line could not be opened.
    ConnectFailed,
    /// The line broke.
    Disconnected,
    /// Bytes came.
    Message(Vec<u8>),
    /// A pong came.
    Pong,
    /// Something was put into the outbox.
    Edited,
    /// A read was logged.
    ReadLogged,
}

/// What the engine asks of the world.
#[derive(Debug, PartialEq, Eq)]
pub enum Wish {
    /// Open a line.
    Connect,
    /// Close it.
    Disconnect,
    /// Send bytes.
    Send(Vec<u8>),
    /// Send a ping.
    Ping,
}

impl Replica {
    /// A record as a world's checks look at it: it is shown to nobody, so no read is noted and no lease asked for.
    ///
    /// # Errors
    /// No such table, or a storage failure.
    pub fn look_at(&self, table: &str, id: RecordId) -> Result<Option<StoredRow>, ReplicaError> {
        let table = records::table_named(table)?;
        self.inner.store.read(|conn| records::find(conn, table, id))
    }
}

/// A sync engine without a driver.
#[derive(Debug)]
pub struct Stepped {
    replica: Replica,
    app: String,
    machine: Machine,
    work: VecDeque<Action>,
    greeted_ms: Option<u64>,
    round_trip_us: i64,
}

impl Stepped {
    /// An engine over a replica, offline.
    #[must_use]
    pub fn new(replica: &Replica, app: &str) -> Self {
        Self {
            replica: replica.clone(),
            app: app.to_owned(),
            machine: Machine::new(false, Retry::Forever),
            work: VecDeque::new(),
            greeted_ms: None,
            round_trip_us: 0,
        }
    }

    /// When [`Happening::Tick`] is due, ms.
    #[must_use]
    pub fn deadline_ms(&self) -> Option<u64> {
        self.machine.deadline_ms()
    }

    /// What it is doing.
    #[must_use]
    pub fn state(&self) -> SyncState {
        self.machine.state()
    }

    /// Pieces of work that wait to be done on the file.
    #[must_use]
    pub fn waiting_work(&self) -> usize {
        self.work.len()
    }

    /// Takes what happened and says what it wants.
    pub fn happens(&mut self, happening: Happening, now_ms: u64) -> Vec<Wish> {
        let event = match happening {
            Happening::Tick => Event::Tick,
            Happening::GoOnline => Event::GoOnline,
            Happening::GoOffline => Event::GoOffline,
            Happening::ConnectFailed => Event::ConnectFailed("unreachable".to_owned()),
            Happening::Disconnected => Event::Disconnected,
            Happening::Message(bytes) => self.message(&bytes, now_ms),
            Happening::Pong => Event::Heard,
            Happening::Edited => Event::Edited,
            Happening::ReadLogged => Event::ReadLogged,
        };
        self.take(event, now_ms)
    }

    /// Does a piece of the waiting work, by its place, and takes what came of it.
    pub fn work(&mut self, place: usize, now_ms: u64) -> Vec<Wish> {
        let Some(action) = self.work.remove(place) else { return Vec::new() };
        let event = match work::perform(&self.replica, action, self.round_trip_us) {
            Ok(event) => event,
            Err(error) => Event::Failed(error.code().to_owned()),
        };
        self.take(event, now_ms)
    }

    fn message(&mut self, bytes: &[u8], now_ms: u64) -> Event {
        let Ok(frame) = Frame::decode(bytes) else { return Event::Garbled };
        if matches!(frame, Frame::Welcome(_)) {
            let elapsed_ms = self.greeted_ms.take().map_or(0, |at| now_ms.saturating_sub(at));
            self.round_trip_us = i64::try_from(elapsed_ms).unwrap_or(i64::MAX).saturating_mul(US_PER_MS);
        }
        Event::Frame { frame, bytes: bytes.len() as u64 }
    }

    fn take(&mut self, event: Event, now_ms: u64) -> Vec<Wish> {
        let mut wishes = Vec::new();
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let random = self.replica.inner.clock.random_u64();
            for action in self.machine.on(event, now_ms, random) {
                match action {
                    Action::Connect => wishes.push(Wish::Connect),
                    Action::Disconnect => {
                        self.greeted_ms = None;
                        wishes.push(Wish::Disconnect);
                    }
                    Action::Send(frame) => wishes.push(Wish::Send(frame.encode())),
                    Action::Ping => wishes.push(Wish::Ping),
                    Action::Greet { nonce } => events.push_back(match self.greet(&nonce, now_ms) {
                        Ok(hello) => {
                            wishes.push(Wish::Send(hello));
                            Event::Greeted
                        }
                        Err(error) => Event::Failed(error.code().to_owned()),
                    }),
                    work => self.work.push_back(work),
                }
            }
        }
        self.replica.inner.sync.send_replace(self.machine.state());
        wishes
    }

    fn greet(&mut self, nonce: &[u8; 32], now_ms: u64) -> Result<Vec<u8>, ReplicaError> {
        let hello = self.replica.hello(nonce, &self.app)?;
        self.greeted_ms = Some(now_ms);
        Ok(Frame::Hello(hello).encode())
    }
}
