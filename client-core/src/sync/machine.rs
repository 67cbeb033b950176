//! The sync engine's decisions: events in, actions out. No I/O, no clock, no randomness of its own.
//!
//! Push and pull run independently; frames are applied one at a time, in order. Invariant: nothing is acknowledged
//! before it was committed, and nothing is sent before it was marked sent.

mod event;
mod live;

pub(crate) use event::{Action, Event, Retry};

use super::backoff;
use super::state::{Connection, SyncState};
use live::Live;
use neonpro_contract::limits::SOCKET_IDLE_SECONDS;
use neonpro_contract::wire::{Bye, ByeCode, Frame, PROTOCOL};
use std::collections::VecDeque;

/// How long connecting and greeting may take, ms.
const HANDSHAKE_MS: u64 = 15_000;
/// Silence after which the tablet asks whether the server is still there, ms.
const PING_MS: u64 = SOCKET_IDLE_SECONDS * 1_000 / 3;
/// Silence after which the socket counts as dead, ms.
const IDLE_MS: u64 = SOCKET_IDLE_SECONDS * 1_000;

#[derive(Debug)]
enum Phase {
    Offline,
    Waiting {
        until_ms: u64,
    },
    /// Connecting and greeting, until a deadline.
    Greeting {
        until_ms: u64,
        /// What came behind the welcome while that is being written.
        early: Option<VecDeque<(Frame, u64)>>,
    },
    Live(Live),
    Stopped,
    Ended,
}

/// The engine's state.
#[derive(Debug)]
pub(crate) struct Machine {
    phase: Phase,
    retry: Retry,
    attempt: u32,
    /// Work on the database that has been asked for and not reported back.
    jobs: u32,
    heard_ms: u64,
    pinged: bool,
    state: SyncState,
}

impl Machine {
    pub fn new(online: bool, retry: Retry) -> Self {
        let phase = if online { Phase::Waiting { until_ms: 0 } } else { Phase::Offline };
        let state = SyncState { cursor: -1, ..SyncState::default() };
        Self { phase, retry, attempt: 0, jobs: 0, heard_ms: 0, pinged: false, state }
    }

    /// What to tell others.
    pub fn state(&self) -> SyncState {
        let mut state = self.state.clone();
        state.connection = match &self.phase {
            Phase::Offline | Phase::Ended => Connection::Offline,
            Phase::Waiting { .. } | Phase::Stopped => state.connection,
            Phase::Greeting { .. } => Connection::Connecting,
            Phase::Live(live) => Connection::Live { caught_up: live.caught_up() },
        };
        state.quiet = matches!(&self.phase, Phase::Live(live) if live.is_quiet());
        state.ended = matches!(self.phase, Phase::Ended | Phase::Stopped);
        state
    }

    /// Whether it will never do anything again.
    pub fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }

    /// When [`Event::Tick`] is due, ms.
    pub fn deadline_ms(&self) -> Option<u64> {
        match &self.phase {
            Phase::Waiting { .. } if self.jobs > 0 => None,
            Phase::Waiting { until_ms } | Phase::Greeting { until_ms, .. } => Some(*until_ms),
            Phase::Live(_) if self.pinged => Some(self.heard_ms.saturating_add(IDLE_MS)),
            Phase::Live(_) => Some(self.heard_ms.saturating_add(PING_MS)),
            Phase::Offline | Phase::Stopped | Phase::Ended => None,
        }
    }

    /// Takes an event and says what to do. `random` is spent on jitter alone.
    pub fn on(&mut self, event: Event, now_ms: u64, random: u64) -> Vec<Action> {
        if event.ends_job() {
            self.jobs = self.jobs.saturating_sub(1);
        }
        if event.is_heard() {
            self.heard_ms = now_ms;
            self.pinged = false;
        }
        let actions = self.decide(event, now_ms, random);
        let jobs = actions.iter().filter(|action| action.is_job()).count();
        self.jobs = self.jobs.saturating_add(u32::try_from(jobs).unwrap_or(u32::MAX));
        actions
    }

    fn decide(&mut self, event: Event, now_ms: u64, random: u64) -> Vec<Action> {
        match event {
            Event::Stop => {
                self.phase = Phase::Ended;
                vec![Action::Disconnect]
            }
            Event::GoOffline => {
                self.phase = Phase::Offline;
                vec![Action::Disconnect]
            }
            Event::GoOnline => match self.phase {
                Phase::Offline | Phase::Waiting { .. } | Phase::Stopped => {
                    self.attempt = 0;
                    self.phase = Phase::Waiting { until_ms: now_ms };
                    self.try_to_connect(now_ms)
                }
                _ => Vec::new(),
            },
            Event::Tick => self.tick(now_ms, random),
            Event::ConnectFailed(problem) => match self.phase {
                Phase::Greeting { .. } => self.retry_later(&problem, None, now_ms, random),
                _ => Vec::new(),
            },
            Event::Disconnected => match self.phase {
                Phase::Greeting { .. } | Phase::Live(_) => {
                    self.retry_later("disconnected", None, now_ms, random)
                }
                _ => Vec::new(),
            },
            Event::Garbled => match self.phase {
                Phase::Greeting { .. } | Phase::Live(_) => self.retry_later("protocol", None, now_ms, random),
                _ => Vec::new(),
            },
            Event::Failed(problem) => match self.phase {
                Phase::Greeting { .. } | Phase::Live(_) => self.retry_later(&problem, None, now_ms, random),
                _ => self.tick(now_ms, random),
            },
            Event::Frame { frame, bytes } => self.frame(frame, bytes, now_ms, random),
            Event::Opened(opened) => self.opened(opened, now_ms),
            other => self.in_session(other, now_ms, random),
        }
    }

    fn tick(&mut self, now_ms: u64, random: u64) -> Vec<Action> {
        match self.phase {
            Phase::Waiting { until_ms } if now_ms >= until_ms => self.try_to_connect(now_ms),
            Phase::Greeting { until_ms, .. } if now_ms >= until_ms => {
                self.retry_later("timed_out", None, now_ms, random)
            }
            Phase::Live(_) if self.pinged && now_ms >= self.heard_ms.saturating_add(IDLE_MS) => {
                self.retry_later("silent", None, now_ms, random)
            }
            Phase::Live(_) if !self.pinged && now_ms >= self.heard_ms.saturating_add(PING_MS) => {
                self.pinged = true;
                vec![Action::Ping]
            }
            _ => Vec::new(),
        }
    }

    /// Connects unless work of the last session is still being written.
    fn try_to_connect(&mut self, now_ms: u64) -> Vec<Action> {
        if self.jobs > 0 {
            return Vec::new();
        }
        self.phase = Phase::Greeting { until_ms: now_ms.saturating_add(HANDSHAKE_MS), early: None };
        vec![Action::Connect]
    }

    fn retry_later(&mut self, problem: &str, asked_ms: Option<u32>, now_ms: u64, random: u64) -> Vec<Action> {
        self.state.problem = Some(problem.to_owned());
        if self.retry == Retry::Never {
            self.phase = Phase::Ended;
            return vec![Action::Disconnect];
        }
        let for_ms = match asked_ms {
            Some(asked) => backoff::asked_ms(asked, random),
            None => backoff::delay_ms(self.attempt, random),
        };
        self.attempt = self.attempt.saturating_add(1);
        self.state.connection = Connection::Waiting { for_ms };
        self.phase = Phase::Waiting { until_ms: now_ms.saturating_add(for_ms) };
        vec![Action::Disconnect]
    }

    fn frame(&mut self, frame: Frame, bytes: u64, now_ms: u64, random: u64) -> Vec<Action> {
        match (&mut self.phase, frame) {
            (Phase::Offline | Phase::Waiting { .. } | Phase::Stopped | Phase::Ended, _) => Vec::new(),
            (_, Frame::Bye(bye)) => self.bye(bye, now_ms, random),
            (Phase::Greeting { .. }, Frame::Challenge(challenge)) => {
                if (challenge.protocol_min..=challenge.protocol_max).contains(&PROTOCOL) {
                    vec![Action::Greet { nonce: *challenge.nonce }]
                } else {
                    self.stop("version")
                }
            }
            (Phase::Greeting { early: early @ None, .. }, Frame::Welcome(welcome)) => {
                *early = Some(VecDeque::new());
                vec![Action::Open(welcome)]
            }
            // The server does not wait until the welcome was written here. Its credit bounds what it sends.
            (
                Phase::Greeting { early: Some(early), .. },
                frame @ (Frame::Page(_)
                | Frame::Rows(_)
                | Frame::Repair(_)
                | Frame::Audited(_)
                | Frame::Received(_)),
            ) => {
                early.push_back((frame, bytes));
                Vec::new()
            }
            (
                Phase::Live(live),
                frame @ (Frame::Page(_) | Frame::Rows(_) | Frame::Repair(_) | Frame::Fates(_)),
            ) => live.receive(frame, bytes),
            (Phase::Live(_), Frame::Audited(audited)) => vec![Action::NoteAudit(audited)],
            (Phase::Live(_), Frame::Received(received)) => vec![Action::ForgetReceipts(received)],
            _ => self.retry_later("protocol", None, now_ms, random),
        }
    }

    fn bye(&mut self, bye: Bye, now_ms: u64, random: u64) -> Vec<Action> {
        match bye.code {
            ByeCode::Revoked | ByeCode::Unauthorised | ByeCode::Version | ByeCode::Wipe => {
                self.stop(bye.code.as_str())
            }
            ByeCode::Busy | ByeCode::Restarting | ByeCode::Internal | ByeCode::Finished => {
                self.retry_later(bye.code.as_str(), Some(bye.retry_after_ms), now_ms, random)
            }
            ByeCode::Protocol => self.retry_later(bye.code.as_str(), None, now_ms, random),
            ByeCode::Reseed => {
                self.state.problem = Some(bye.code.as_str().to_owned());
                self.phase = Phase::Waiting { until_ms: now_ms };
                vec![Action::Disconnect, Action::Reseed]
            }
        }
    }

    fn stop(&mut self, reason: &str) -> Vec<Action> {
        self.state.problem = Some(reason.to_owned());
        self.state.connection = Connection::Stopped { reason: reason.to_owned() };
        self.phase = Phase::Stopped;
        vec![Action::Disconnect, Action::MarkStopped(reason.to_owned())]
    }

    fn opened(&mut self, opened: super::session::Opened, now_ms: u64) -> Vec<Action> {
        let Phase::Greeting { early, .. } = &mut self.phase else { return self.tick(now_ms, 0) };
        let early = early.take().unwrap_or_default();
        self.state.sessions = self.state.sessions.saturating_add(1);
        self.state.cursor = opened.cursor;
        if opened.start_over {
            self.phase = Phase::Waiting { until_ms: now_ms };
            let mut actions = vec![Action::Disconnect];
            actions.extend(self.try_to_connect(now_ms));
            return actions;
        }
        self.state.problem = None;
        let mut live = Live::new(&opened);
        let mut actions = live.next();
        self.phase = Phase::Live(live);
        for (frame, bytes) in early {
            actions.extend(self.frame(frame, bytes, now_ms, 0));
        }
        actions
    }

    /// Events that only mean something in a session; outside one they may free the way to the next.
    fn in_session(&mut self, event: Event, now_ms: u64, random: u64) -> Vec<Action> {
        if let Event::Applied(applied) = &event {
            let state = &mut self.state;
            state.accepted = state.accepted.saturating_add(applied.accepted);
            state.set_aside = state.set_aside.saturating_add(applied.set_aside);
            state.entries = state.entries.saturating_add(applied.entries);
            state.records = state.records.saturating_add(applied.records);
            state.cursor = applied.cursor;
            // Only a session that got something done counts as a success: a flapping link keeps backing off.
            self.attempt = 0;
        }
        let Phase::Live(live) = &mut self.phase else { return self.tick(now_ms, random) };
        match event {
            Event::Applied(applied) => live.applied(&applied),
            Event::Taken(batch) => live.taken(batch),
            Event::Summed(buckets) => {
                self.state.repairs = self.state.repairs.saturating_add(1);
                vec![Action::Send(Frame::Buckets(buckets))]
            }
            Event::Purged(receipts) => live.purged(receipts),
            Event::Forgotten(more) => live.receipted(more),
            Event::Edited => live.edited(),
            Event::Heard => live.heard(),
            Event::ReadLogged => live.read_logged(),
            Event::ReadsTaken(reads) => live.reads_taken(reads),
            Event::AuditNoted { more } => live.audit_noted(more),
            Event::Noted => {
                live.noted();
                Vec::new()
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
