//! Messages on their way: sent, delayed, spoilt, lost, delivered. Order within a connection is kept, as TCP keeps it.

use super::super::faults::{Fault, Hazard};
use super::super::{line, witness};
use super::{Event, World};
use axum::extract::ws::Message;
use neonpro_client_core::Happening;
use neonpro_contract::wire::Frame;

impl World {
    /// What the sessions have sent goes on its way to the tablets.
    fn put_on_the_way(&mut self) {
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

    fn send_up(&mut self, id: u64, message: Option<Message>) {
        let Some(connection) = self.connections.get(&id).filter(|connection| !connection.is_gone()) else {
            return;
        };
        let tablet = connection.tablet;
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

    fn arrive_up(&mut self, id: u64, message: Option<Message>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let tablet = connection.tablet;
        match message {
            None => {
                connection.hang_up();
            }
            Some(Message::Ping(_)) => {
                connection.deliver(Message::Ping(Vec::new().into()));
                self.send_down(id, Some(Message::Pong(Vec::new().into())));
            }
            Some(message) => {
                if let Message::Binary(bytes) = &message
                    && let Ok(Frame::Push(push)) = Frame::decode(bytes)
                {
                    connection.pushes += 1;
                    let what = format!("{} pushes {}", self.tablets[tablet].name, push.edits.len());
                    connection.deliver(message);
                    return self.note(&what);
                }
                connection.deliver(message);
            }
        }
    }

    fn arrive_down(&mut self, id: u64, message: Option<Message>) {
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

    fn opened(&mut self, tablet: usize) {
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
