//! Messages on their way: sent, delayed, spoilt, lost, delivered. Order within a connection is kept, as TCP keeps it.

use super::super::faults::{Fault, Hazard};
use super::super::{line, witness};
use super::{Event, World};
use axum::extract::ws::Message;
use neonpro_client_core::Happening;
use neonpro_contract::wire::{Frame, Hello, PROTOCOL};
use std::collections::{BTreeSet, VecDeque};

impl World {
    /// What the sessions have sent goes on its way to the tablets.
    pub(super) fn put_on_the_way(&mut self) {
        let ids: Vec<u64> = self.connections.keys().copied().collect();
        for id in ids {
            if let Some(connection) = self.connections.get_mut(&id)
                && connection.is_gone()
            {
                connection.out.clear();
                if connection.ended {
                    self.connections.remove(&id);
                }
                continue;
            }
            while let Some(connection) = self.connections.get_mut(&id) {
                let tablet = connection.tablet;
                let Some(message) = connection.out.pop_front() else { break };
                if let Message::Binary(bytes) = &message {
                    witness::sent(self, "down", tablet, bytes);
                    witness::frame(self, tablet, bytes);
                }
                self.send_down(id, Some(message));
            }
            let Some(connection) = self.connections.get_mut(&id) else { continue };
            if connection.ended && !connection.closing {
                connection.closing = true;
                self.send_down(id, None);
            }
        }
    }

    fn send_down(&mut self, id: u64, message: Option<Message>) {
        let Some(connection) = self.connections.get(&id).filter(|connection| !connection.is_gone()) else {
            return;
        };
        let tablet = connection.tablet;
        let hazard = if message.is_some() { Hazard::draw(self) } else { Hazard::none() };
        if hazard.fault == Some(Fault::Cut) {
            return self.cut(id);
        }
        if hazard.fault == Some(Fault::Lost) {
            // Half-open: the server believes it sent it, and nothing after it arrives either.
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.deaf_tablet = true;
            }
        }
        let now_us = self.now_us;
        let (latency, open_us) = (self.tablets[tablet].latency_us, self.tablets[tablet].down_open_us);
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.deaf_tablet {
            return;
        }
        let at_us = (now_us + latency + hazard.delay_us).max(open_us).max(connection.last_down_us + 1);
        connection.last_down_us = at_us;
        let message = message.map(|message| hazard.spoil(message));
        if let (Some(again), Some(Fault::Twice)) = (&message, hazard.fault) {
            let again = again.clone();
            self.schedule(at_us - now_us, Event::Down { connection: id, message: Some(again) });
        }
        self.schedule(at_us - now_us, Event::Down { connection: id, message });
    }

    pub(super) fn send_up(&mut self, id: u64, message: Option<Message>) {
        let Some(connection) = self.connections.get(&id).filter(|connection| !connection.is_gone()) else {
            return;
        };
        let tablet = connection.tablet;
        let message = message.map(|message| self.as_its_version_says(tablet, message));
        if let Some(Message::Binary(bytes)) = &message {
            witness::sent(self, "up", tablet, bytes);
        }
        let hazard = if message.is_some() { Hazard::draw(self) } else { Hazard::none() };
        if hazard.fault == Some(Fault::Cut) {
            return self.cut(id);
        }
        let now_us = self.now_us;
        let (latency, open_us) = (self.tablets[tablet].latency_us, self.tablets[tablet].up_open_us);
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if hazard.fault == Some(Fault::Lost) {
            connection.deaf_server = true;
        }
        if connection.deaf_server {
            return;
        }
        let at_us = (now_us + latency + hazard.delay_us).max(open_us).max(connection.last_up_us + 1);
        connection.last_up_us = at_us;
        let message = message.map(|message| hazard.spoil(message));
        if let (Some(again), Some(Fault::Twice)) = (&message, hazard.fault) {
            let again = again.clone();
            self.schedule(at_us - now_us, Event::Up { connection: id, message: Some(again) });
        }
        self.schedule(at_us - now_us, Event::Up { connection: id, message });
    }

    /// What an app of another version would say in its place: a greeting in a protocol the server does not speak.
    fn as_its_version_says(&self, tablet: usize, message: Message) -> Message {
        match &message {
            Message::Binary(bytes) if self.tablets[tablet].other_version => match Frame::decode(bytes) {
                Ok(Frame::Hello(hello)) => {
                    let hello = Hello { protocol: PROTOCOL + 1, ..hello };
                    Message::Binary(Frame::Hello(hello).encode().into())
                }
                _ => message,
            },
            _ => message,
        }
    }

    /// The line breaks: both ends notice at once, and what was on the way is lost.
    pub fn cut(&mut self, id: u64) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let tablet = connection.tablet;
        connection.hang_up();
        if self.tablets[tablet].connection == Some(id) {
            self.tablets[tablet].connection = None;
            self.tell(tablet, Happening::Disconnected);
        }
    }

    pub(super) fn arrive_up(&mut self, id: u64, message: Option<Message>) {
        if self.stall.is_on {
            return self.stall.waiting.push_back((id, message));
        }
        self.deliver(id, message);
    }

    fn deliver(&mut self, id: u64, message: Option<Message>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let tablet = connection.tablet;
        match message {
            None => connection.hang_up(),
            Some(Message::Ping(_)) => {
                connection.deliver(Message::Ping(Vec::new().into()));
                self.send_down(id, Some(Message::Pong(Vec::new().into())));
            }
            Some(message) => {
                let edits = pushed(&message);
                connection.pushes += u64::from(edits.is_some());
                connection.deliver(message);
                if let Some(edits) = edits {
                    let known = &self.tablets[tablet];
                    let (what, clinic) = (format!("{} pushes {edits}", known.name), known.clinic);
                    self.note(&what);
                    self.moved(clinic);
                }
            }
        }
    }

    /// The server reads again: pushes to one clinic that waited are merged together, everything else is taken one by one.
    pub(super) async fn stall_over(&mut self) {
        self.stall.is_on = false;
        let mut waiting = std::mem::take(&mut self.stall.waiting);
        while !waiting.is_empty() {
            let mut left = VecDeque::new();
            let (mut met, mut together, mut clinic) = (BTreeSet::new(), 0u32, None);
            for (id, message) in waiting {
                let of = self.connections.get(&id).map(|line| self.tablets[line.tablet].clinic);
                // Of a line that is gone nothing is read.
                let is_push =
                    of.is_some() && message.as_ref().is_some_and(|message| pushed(message).is_some());
                let joins = is_push && (clinic.is_none() || clinic == of);
                // What a connection sent later comes after what it sent before.
                if met.contains(&id) || is_push && !joins {
                    met.insert(id);
                    left.push_back((id, message));
                } else if is_push {
                    met.insert(id);
                    (clinic, together) = (of, together + 1);
                    self.deliver(id, message);
                } else if together > 0 {
                    met.insert(id);
                    left.push_back((id, message));
                } else {
                    self.deliver(id, message);
                    self.settled_and_sent().await;
                }
            }
            if together > 1 {
                self.reached.add("pushes merged together");
                self.note(&format!("{together} pushes together"));
            }
            self.settled_and_sent().await;
            waiting = left;
        }
    }

    pub(super) fn arrive_down(&mut self, id: u64, message: Option<Message>) {
        let Some(connection) = self.connections.get_mut(&id).filter(|connection| !connection.is_gone())
        else {
            return;
        };
        let tablet = connection.tablet;
        if message.is_none() {
            connection.hang_up();
        }
        let current = self.tablets[tablet].connection == Some(id);
        match message {
            None => {
                if current {
                    self.tablets[tablet].connection = None;
                    self.tell(tablet, Happening::Disconnected);
                }
            }
            Some(_) if !current => {}
            Some(Message::Binary(bytes)) => self.tell(tablet, Happening::Message(bytes.to_vec())),
            Some(Message::Close(_)) => {}
            Some(_) => self.tell(tablet, Happening::Pong),
        }
    }

    pub(super) fn opened(&mut self, tablet: usize) {
        let known = &self.tablets[tablet];
        let blocked = known.up_open_us > self.now_us || known.down_open_us > self.now_us;
        let Some(state) = self.node.state().filter(|_| !blocked) else {
            return self.tell(tablet, Happening::ConnectFailed);
        };
        self.next_connection += 1;
        let id = self.next_connection;
        let (connection, socket) = line::open(tablet);
        self.connections.insert(id, connection);
        self.tablets[tablet].connection = Some(id);
        tokio::spawn(neonpro_server::sync::session::run(socket, state));
    }
}

/// How many edits a push has; `None` for anything else.
fn pushed(message: &Message) -> Option<usize> {
    match message {
        Message::Binary(bytes) => match Frame::decode(bytes) {
            Ok(Frame::Push(push)) => Some(push.edits.len()),
            _ => None,
        },
        _ => None,
    }
}
