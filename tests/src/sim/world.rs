//! The world: one queue of events in virtual time, the server's real code over a real Postgres, tablets on real files.
//!
//! Everything runs on one thread. An event is finished before the next begins: after each, the world waits until the
//! server has nothing left to do, so that the same seed gives the same trace. The server waits by the world's clock, too.

mod engine;
mod healing;
mod traffic;

use super::Settings;
use super::acts::Stall;
use super::apart::{self, Crossed};
use super::counts::Counts;
use super::ledger::Ledger;
use super::line::Connection;
use super::model::{self, Rows};
use super::node::Node;
use super::operator::Operator;
use super::rng::Rng;
use super::tablet::Tablet;
use super::trace::Trace;
use axum::extract::ws::Message;
use neonpro_client_core::Happening;
use neonpro_contract::permissions::Audience;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::wire::Frame;
use neonpro_server::jobs::settle_shares;
use std::collections::{BTreeMap, BTreeSet};
use tempfile::TempDir;
use uuid::Uuid;

/// Idle looks in a row after which the server has nothing left to do. One task hands over to the next within a few.
const IDLE_LOOKS: u32 = 30;

/// Pause between rounds of upkeep (`server/src/jobs.rs`), µs.
const UPKEEP_US: i64 = 300_000_000;
/// How long a notification takes, µs.
const NOTIFIED_US: i64 = 50_000;

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
    /// The server reads again.
    StallOver,
    /// A round of the server's upkeep is due.
    Upkeep { life: u64 },
    /// A clinic moved: what it shares is looked at.
    Shares { clinic: usize },
    /// A tablet gets the right version of the app.
    Updated { tablet: usize },
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
    pub operator: Operator,
    pub stall: Stall,
    /// Records that reached a clinic with the other one's word in them, to be looked up.
    pub crossed: BTreeSet<Crossed>,
    /// Clinics that moved and have not been looked at.
    moving: BTreeSet<usize>,
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
        let node = Node::start(dir.path(), Uuid::from_u128(u128::from(rng.number()))).await;
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
            operator: Operator::default(),
            stall: Stall::default(),
            crossed: BTreeSet::new(),
            moving: BTreeSet::new(),
            chaos: false,
            wrong: None,
            beginning,
            canaries,
            _dir: dir,
        };
        world.trace.echo = settings.echo;
        let life = world.node.life;
        world.schedule(0, Event::Upkeep { life });
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
            let event_us = self.queue.first_key_value().map(|(&(at_us, _), _)| at_us);
            let due_us = self.node.time.next_us().map(|at_us| at_us.max(self.now_us));
            let next_us = event_us.into_iter().chain(due_us).min();
            let Some(at_us) = next_us.filter(|at_us| *at_us <= until_us) else { break };
            self.pass(at_us).await;
            if event_us == Some(at_us)
                && let Some((_, event)) = self.queue.pop_first()
            {
                self.happen(event).await;
                self.settled_and_sent().await;
            }
        }
        self.pass(until_us.max(self.now_us)).await;
    }

    /// Moves time; what the server waits for by time becomes due: everything of one instant together.
    async fn pass(&mut self, at_us: i64) {
        self.now_us = self.now_us.max(at_us);
        if self.node.pass(self.now_us).await > 0 {
            self.settled_and_sent().await;
        }
    }

    pub(super) async fn settled_and_sent(&mut self) {
        self.settle().await;
        self.put_on_the_way();
        if !self.crossed.is_empty() {
            apart::looked_up(self).await;
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
                self.server_up();
                self.note("server is up");
            }
            Event::StallOver => self.stall_over().await,
            Event::Upkeep { life } if self.node.life == life && self.node.state().is_some() => {
                self.node.keep_up().await;
                self.schedule(UPKEEP_US, Event::Upkeep { life });
                for clinic in 0..self.canaries.len() {
                    self.moved(clinic);
                }
            }
            Event::Shares { clinic } => self.settle_shares(clinic).await,
            Event::Updated { tablet } => super::acts::updated(self, tablet),
            Event::Online { tablet } => self.go_online(tablet),
            Event::Flap { tablet } => {
                if let Some(id) = self.tablets[tablet].connection {
                    self.cut(id);
                }
            }
            Event::Tick { .. } | Event::Work { .. } | Event::ServerUp | Event::Upkeep { .. } => {}
        }
    }

    /// The server starts, and its upkeep with it.
    pub fn server_up(&mut self) {
        self.node.up();
        self.moving.clear();
        let life = self.node.life;
        self.schedule(0, Event::Upkeep { life });
    }

    /// A clinic moved: the server's nodes are told a moment later.
    pub fn moved(&mut self, clinic: usize) {
        if self.moving.insert(clinic) {
            self.schedule(NOTIFIED_US, Event::Shares { clinic });
        }
    }

    async fn settle_shares(&mut self, clinic: usize) {
        self.moving.remove(&clinic);
        let Some(state) = self.node.state() else { return };
        let (from, now) = (self.node.clinics()[clinic].id, ServerInstant(self.node.at_us(self.now_us)));
        let told = settle_shares(&state.store, from, now).await.unwrap();
        for clinic in told {
            self.reached.add("share told to another clinic");
            self.note("a share was told");
            state.merger.wake(clinic);
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
}

fn is_fates(message: &Message) -> bool {
    matches!(message, Message::Binary(bytes) if matches!(Frame::decode(bytes), Ok(Frame::Fates(_))))
}
