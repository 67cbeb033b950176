//! The world: one queue of events in virtual time, the server's real code over a real Postgres, tablets on real files.
//!
//! Everything runs on one thread. An event is finished before the next begins: after each, the world waits until the
//! server has nothing left to do, so that the same seed gives the same trace. The server waits by the world's clock, too.

mod healing;

use super::counts::Counts;
use super::faults::{Fault, Hazard};
use super::ledger::Ledger;
use super::line::{self, Connection};
use super::model::{self, Rows};
use super::node::Node;
use super::rng::Rng;
use super::tablet::Tablet;
use super::trace::Trace;
use super::{Settings, witness};
use axum::extract::ws::Message;
use neonpro_client_core::{Happening, Wish};
use neonpro_contract::permissions::Audience;
use neonpro_contract::wire::Frame;
use std::collections::BTreeMap;
use tempfile::TempDir;

/// Idle looks in a row after which the server has nothing left to do. One task hands over to the next within a few.
const IDLE_LOOKS: u32 = 30;
/// How long an attempt over a broken line takes to fail, µs.
const CONNECT_FAILS_US: i64 = 12_000_000;

/// Something that will happen.
pub enum Event {
    /// A deadline of a tablet's engine.
    Tick { tablet: usize, life: u64 },
    /// A piece of work on a tablet's file.
    Work { tablet: usize, life: u64 },
    /// An attempt to connect is over.
    Opened { tablet: usize, life: u64, attempt: u64 },
    /// A message reaches the session; none: the tablet hung up.
    Up { connection: u64, message: Option<Message> },
    /// A message reaches the tablet; none: the line is closed.
    Down { connection: u64, message: Option<Message> },
    /// People and chance do something.
    Act,
    /// The server starts again.
    ServerUp,
    /// A tablet goes online.
    Online { tablet: usize },
    /// A tablet's line breaks for a moment.
    Flap { tablet: usize },
}

/// The world of one seed.
pub struct World {
    pub rng: Rng,
    /// µs since the world began.
    pub now_us: i64,
    queue: BTreeMap<(i64, u64), Event>,
    order: u64,
    pub node: Node,
    pub tablets: Vec<Tablet>,
    pub connections: BTreeMap<u64, Connection>,
    next_connection: u64,
    pub trace: Trace,
    pub reached: Counts,
    pub faults: Counts,
    pub transitions: Counts,
    pub ledger: Ledger,
    /// Faults happen.
    pub chaos: bool,
    /// What was found wrong.
    pub wrong: Option<String>,
    /// Rows every clinic began with.
    pub beginning: Vec<Rows>,
    pub canaries: Vec<String>,
    /// Where the tablets' files are, until the world ends.
    _dir: TempDir,
}

impl World {
    /// A world with its server and its tablets, nobody connected.
    pub async fn new(settings: &Settings) -> Self {
        let mut rng = Rng::new(settings.seed);
        let dir = match &settings.place {
            Some(place) => TempDir::new_in(place).unwrap(),
            None => TempDir::new().unwrap(),
        };
        let node = Node::start(dir.path()).await;
        let mut tablets = Vec::new();
        let mut canaries = Vec::new();
        for (clinic, count) in [(0usize, 4usize), (1, 2)] {
            canaries.push(format!("CANARIO-{}", ["AZUL", "VERDE"][clinic]));
            for number in 0..count {
                let audience = if number == 3 { Audience::FrontDesk } else { Audience::Clinical };
                let name = format!("{}{}", ["a", "b"][clinic], number + 1);
                let id = node.clinics()[clinic].id;
                let seed = rng.number();
                let tablet = Tablet::new(&name, dir.path(), (clinic, id), audience, seed, node.at_us(0));
                node.enrol(id, &tablet).await;
                tablets.push(tablet);
            }
        }
        let mut beginning = Vec::new();
        for clinic in 0..canaries.len() {
            beginning.push(model::rows(&node.database.store, node.clinics()[clinic].id).await);
        }
        let mut world = Self {
            rng,
            now_us: 0,
            queue: BTreeMap::new(),
            order: 0,
            node,
            tablets,
            connections: BTreeMap::new(),
            next_connection: 0,
            trace: Trace::default(),
            reached: Counts::default(),
            faults: Counts::default(),
            transitions: Counts::default(),
            ledger: Ledger::default(),
            chaos: false,
            wrong: None,
            beginning,
            canaries,
            _dir: dir,
        };
        world.trace.echo = settings.echo;
        for tablet in 0..world.tablets.len() {
            world.go_online(tablet);
        }
        world
    }

    /// Puts an event into the queue.
    pub fn schedule(&mut self, in_us: i64, event: Event) {
        self.order += 1;
        self.queue.insert((self.now_us + in_us.max(0), self.order), event);
    }

    pub fn note(&mut self, what: &str) {
        self.trace.note(self.now_us, what);
    }

    pub fn violated(&mut self, what: String) {
        self.trace.note(self.now_us, &format!("VIOLATION {what}"));
        self.wrong.get_or_insert(what);
    }

    /// Lets everything happen up to an instant (µs since the world began), or until something is wrong.
    pub async fn run_until(&mut self, until_us: i64) {
        while self.wrong.is_none() {
            let Some((&(at_us, _), _)) = self.queue.first_key_value() else { break };
            if at_us > until_us {
                break;
            }
            let Some((_, event)) = self.queue.pop_first() else { break };
            self.pass(at_us).await;
            self.happen(event).await;
            self.settle().await;
            self.put_on_the_way();
        }
        self.pass(until_us.max(self.now_us)).await;
        self.settle().await;
        self.put_on_the_way();
    }

    /// Moves time; what the server waits for by time becomes due.
    async fn pass(&mut self, at_us: i64) {
        if at_us <= self.now_us {
            return;
        }
        self.now_us = at_us;
        if self.node.time.pass(at_us) > 0 {
            self.settle().await;
            self.put_on_the_way();
        }
    }

    async fn happen(&mut self, event: Event) {
        match event {
            Event::Tick { tablet, life } if self.tablets[tablet].life == life => {
                self.tablets[tablet].tick_us = None;
                self.tell(tablet, Happening::Tick);
            }
            Event::Work { tablet, life } if self.tablets[tablet].life == life => self.work(tablet),
            Event::Opened { tablet, life, attempt } => {
                let known = &self.tablets[tablet];
                if known.life == life && known.attempt == attempt {
                    self.opened(tablet);
                }
            }
            Event::Up { connection, message } => self.arrive_up(connection, message),
            Event::Down { connection, message } => self.arrive_down(connection, message),
            Event::Act => super::acts::act(self).await,
            Event::ServerUp if self.node.state().is_none() => {
                self.node.up();
                self.note("server is up");
            }
            Event::Online { tablet } => self.go_online(tablet),
            Event::Flap { tablet } => {
                if let Some(id) = self.tablets[tablet].connection {
                    self.cut(id);
                }
            }
            Event::Tick { .. } | Event::Work { .. } | Event::ServerUp => {}
        }
    }

    /// Waits until the server has done everything it can do now.
    pub async fn settle(&mut self) {
        let mut idle = 0;
        while idle < IDLE_LOOKS {
            tokio::task::yield_now().await;
            idle = if self.node.database.store.is_idle() && self.is_answered() { idle + 1 } else { 0 };
        }
    }

    fn is_answered(&mut self) -> bool {
        self.connections.values_mut().all(|connection| {
            let seen = connection.out.len();
            connection.collect();
            let answers = connection.out.iter().skip(seen).filter(|message| is_fates(message)).count();
            connection.answers += answers as u64;
            connection.ended || connection.answers >= connection.pushes
        })
    }

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

    /// Tells a tablet's engine something and does what it wants.
    pub fn tell(&mut self, tablet: usize, happening: Happening) {
        let (now_us, now_ms) = (self.node.at_us(self.now_us), self.now_ms());
        let known = &mut self.tablets[tablet];
        known.look_at_clock(now_us);
        let wishes = known.engine.happens(happening, now_ms);
        self.fulfil(tablet, wishes);
    }

    fn work(&mut self, tablet: usize) {
        let (now_us, now_ms) = (self.node.at_us(self.now_us), self.now_ms());
        let known = &mut self.tablets[tablet];
        known.work_due = known.work_due.saturating_sub(1);
        known.look_at_clock(now_us);
        let place = self.rng.below(known.engine.waiting_work());
        let wishes = known.engine.work(place, now_ms);
        witness::after_work(self, tablet);
        self.fulfil(tablet, wishes);
    }

    fn now_ms(&self) -> u64 {
        (self.now_us / 1_000).unsigned_abs()
    }

    fn fulfil(&mut self, tablet: usize, wishes: Vec<Wish>) {
        for wish in wishes {
            match wish {
                Wish::Connect => {
                    let known = &mut self.tablets[tablet];
                    known.attempt += 1;
                    let (life, attempt) = (known.life, known.attempt);
                    let broken = known.up_open_us.max(known.down_open_us) > self.now_us + known.latency_us;
                    let in_us = if broken { CONNECT_FAILS_US } else { known.latency_us * 3 };
                    self.schedule(in_us, Event::Opened { tablet, life, attempt });
                }
                Wish::Disconnect => {
                    let known = &mut self.tablets[tablet];
                    known.attempt += 1;
                    if let Some(id) = known.connection.take() {
                        self.send_up(id, None);
                    }
                }
                Wish::Send(bytes) => {
                    if let Some(id) = self.tablets[tablet].connection {
                        self.send_up(id, Some(Message::Binary(bytes.into())));
                    }
                }
                Wish::Ping => {
                    if let Some(id) = self.tablets[tablet].connection {
                        self.send_up(id, Some(Message::Ping(Vec::new().into())));
                    }
                }
            }
        }
        self.look_ahead(tablet);
    }

    /// Puts what the engine waits for into the queue.
    fn look_ahead(&mut self, tablet: usize) {
        let known = &self.tablets[tablet];
        let life = known.life;
        for _ in known.work_due..known.engine.waiting_work() {
            let slow = self.chaos && self.rng.chance(15);
            let in_us =
                if slow { self.rng.between(200_000, 3_000_000) } else { self.rng.between(200, 4_000) };
            if slow {
                self.faults.add("slow storage");
            }
            self.schedule(in_us, Event::Work { tablet, life });
        }
        let known = &mut self.tablets[tablet];
        known.work_due = known.engine.waiting_work();
        let due_us =
            known.engine.deadline_ms().map(|at| i64::try_from(at).unwrap_or(i64::MAX / 2_000) * 1_000);
        // An earlier tick does no harm: the engine looks at its deadline again.
        if let Some(due_us) = due_us
            && known.tick_us.is_none_or(|at| at > due_us)
        {
            known.tick_us = Some(due_us);
            self.schedule(due_us - self.now_us, Event::Tick { tablet, life });
        }
    }
}

fn is_fates(message: &Message) -> bool {
    matches!(message, Message::Binary(bytes) if matches!(Frame::decode(bytes), Ok(Frame::Fates(_))))
}
