//! An open session: what is being applied, what is in flight, whether everything is settled.

use super::Action;
use crate::store::outbox::{Outgoing, Taken};
use crate::sync::apply::Applied;
use crate::sync::session::Opened;
use neonpro_contract::digest::Digest;
use neonpro_contract::ids::EditId;
use neonpro_contract::limits::{PUSH_BYTES_MAX, PUSH_EDITS_MAX};
use neonpro_contract::wire::{Ack, Frame, Handover, Push, Read, Reads, Receipt, Receipts};
use std::collections::VecDeque;

/// Repairs asked for in one session. A disagreement they do not cure is reported, not fought.
const REPAIRS_MAX: u32 = 3;

#[derive(Debug)]
struct Flight {
    edits: Vec<EditId>,
    bytes: usize,
}

/// What is being applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Applying {
    Pull { bytes: u64 },
    Fates,
}

/// Noting that everything is confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Confirm {
    Due,
    Asked,
    Done,
}

/// Telling the server what was purged, one frame at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Receipting {
    /// Nothing to tell, as far as is known.
    Idle,
    /// There are receipts to send.
    Due,
    /// Being read, or sent and not confirmed.
    Asked,
}

#[derive(Debug)]
pub(super) struct Live {
    inbox: VecDeque<(Frame, u64)>,
    applying: Option<Applying>,
    flights: VecDeque<Flight>,
    unanswered_bytes: usize,
    push_bytes: usize,
    /// There may be edits to send.
    dirty: bool,
    taking: bool,
    edited_while_taking: bool,
    cursor: i64,
    head: i64,
    /// No page has told of more to come.
    at_head: bool,
    waiting: u64,
    held: u64,
    /// Questions and decisions the server has not answered.
    unanswered: u64,
    differs: bool,
    server_digest: Option<(i64, Digest)>,
    summing: bool,
    repairs: u32,
    receipts: Receipting,
    confirm: Confirm,
    /// There may be reads to tell.
    reads_due: bool,
    /// Reads are being taken, or the server has not answered the last ones.
    telling: bool,
}

impl Live {
    pub fn new(opened: &Opened) -> Self {
        Self {
            inbox: VecDeque::new(),
            applying: None,
            flights: VecDeque::new(),
            unanswered_bytes: 0,
            push_bytes: opened.push_bytes,
            dirty: true,
            taking: false,
            edited_while_taking: false,
            cursor: opened.cursor,
            head: opened.head,
            at_head: true,
            waiting: opened.waiting,
            held: 0,
            unanswered: opened.unanswered,
            differs: opened.differs,
            // Rows of a first sync are read after that head was told, and may be newer: a page tells what they compare with.
            server_digest: (opened.cursor >= 0).then_some((opened.head, opened.server_digest)),
            summing: false,
            repairs: 0,
            receipts: if opened.receipts { Receipting::Due } else { Receipting::Idle },
            confirm: Confirm::Due,
            reads_due: opened.reads,
            telling: false,
        }
    }

    /// Everything from the server is here, and the same.
    pub fn caught_up(&self) -> bool {
        self.at_end() && !self.differs
    }

    /// Everything from the server was applied.
    fn at_end(&self) -> bool {
        self.cursor >= 0 && self.cursor >= self.head && self.at_head
    }

    /// Nothing is under way in either direction, nothing is left to be done, and that was noted.
    pub fn is_quiet(&self) -> bool {
        self.is_settled() && (self.waiting > 0 || self.confirm == Confirm::Done)
    }

    fn is_settled(&self) -> bool {
        let repairing = self.differs && self.repairs < REPAIRS_MAX;
        self.is_idle() && self.at_end() && self.waiting == self.held && self.unanswered == 0 && !repairing
    }

    fn is_idle(&self) -> bool {
        let pulling = self.applying.is_some() || !self.inbox.is_empty() || self.summing;
        let pushing = self.dirty || self.taking || !self.flights.is_empty();
        !pulling && !pushing && self.receipts == Receipting::Idle
    }

    pub fn receive(&mut self, frame: Frame, bytes: u64) -> Vec<Action> {
        self.inbox.push_back((frame, bytes));
        self.next()
    }

    /// Everything that can be started now.
    pub fn next(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.applying.is_none()
            && let Some((frame, bytes)) = self.inbox.pop_front()
        {
            actions.push(self.start(frame, bytes));
        }
        actions.extend(self.push());
        let repairable = self.differs && self.at_end() && self.applying.is_none() && self.inbox.is_empty();
        if repairable && !self.summing && self.repairs < REPAIRS_MAX {
            self.summing = true;
            self.repairs = self.repairs.saturating_add(1);
            actions.push(Action::Sum);
        }
        // After what is being applied: it may withdraw more, and one frame tells of all.
        if self.receipts == Receipting::Due && self.applying.is_none() && self.inbox.is_empty() {
            self.receipts = Receipting::Asked;
            actions.push(Action::TakeReceipts);
        }
        if self.is_settled() && self.waiting == 0 && self.confirm == Confirm::Due {
            self.confirm = Confirm::Asked;
            actions.push(Action::Confirm);
        }
        if self.reads_due && !self.telling {
            (self.reads_due, self.telling) = (false, true);
            actions.push(Action::TakeReads);
        }
        actions
    }

    /// Something was read here.
    pub fn read_logged(&mut self) -> Vec<Action> {
        self.reads_due = true;
        self.next()
    }

    pub fn reads_taken(&mut self, reads: Vec<Read>) -> Vec<Action> {
        if reads.is_empty() {
            self.telling = false;
            return self.next();
        }
        vec![Action::Send(Frame::Reads(Reads { reads }))]
    }

    /// The server's word about its audit was taken in.
    pub fn audit_noted(&mut self, more: bool) -> Vec<Action> {
        self.telling = false;
        self.reads_due |= more;
        self.next()
    }

    fn start(&mut self, frame: Frame, bytes: u64) -> Action {
        if let Frame::Fates(fates) = frame {
            self.applying = Some(Applying::Fates);
            let sent = self.flights.pop_front().map_or_else(Vec::new, |flight| {
                self.unanswered_bytes = self.unanswered_bytes.saturating_sub(flight.bytes);
                flight.edits
            });
            return Action::Settle { sent, fates };
        }
        if let Frame::Page(page) = &frame {
            self.at_head = page.digest.is_some();
            self.server_digest = page.digest.map(|digest| (page.to, digest));
        }
        self.applying = Some(Applying::Pull { bytes });
        Action::Apply(frame)
    }

    fn push(&mut self) -> Option<Action> {
        // Half the budget at a time, so a second push travels while the first is merged.
        let bytes_max = PUSH_BYTES_MAX.min(self.push_bytes / 2);
        let room = self.push_bytes.saturating_sub(self.unanswered_bytes).min(bytes_max);
        if !self.dirty || self.taking || (room < bytes_max && !self.flights.is_empty()) {
            return None;
        }
        self.taking = true;
        self.edited_while_taking = false;
        Some(Action::Take { edits_max: PUSH_EDITS_MAX, bytes_max: room })
    }

    pub fn taken(&mut self, taken: Taken) -> Vec<Action> {
        self.taking = false;
        let Taken { edits: batch, decided } = taken;
        let mut actions = Vec::new();
        if !decided.is_empty() {
            self.unanswered = self.unanswered.max(1);
            actions.push(Action::Send(Frame::Handover(Handover { decided })));
        }
        if batch.is_empty() {
            self.dirty = self.edited_while_taking || !actions.is_empty();
            actions.extend(self.next());
            return actions;
        }
        let bytes = batch.iter().map(Outgoing::bytes).sum();
        self.unanswered_bytes = self.unanswered_bytes.saturating_add(bytes);
        self.flights.push_back(Flight { edits: batch.iter().map(|outgoing| outgoing.edit).collect(), bytes });
        let edits = batch.into_iter().map(|outgoing| outgoing.signed).collect();
        actions.push(Action::Send(Frame::Push(Push { edits })));
        actions.extend(self.next());
        actions
    }

    /// Receipts were read. None are there while a reader holds on to the log: the next session tries again.
    pub fn purged(&mut self, receipts: Vec<Receipt>) -> Vec<Action> {
        if receipts.is_empty() {
            return self.receipted(false);
        }
        vec![Action::Send(Frame::Receipts(Receipts { receipts }))]
    }

    /// The server's word was noted.
    pub fn receipted(&mut self, more: bool) -> Vec<Action> {
        self.receipts = if more { Receipting::Due } else { Receipting::Idle };
        self.next()
    }

    pub fn edited(&mut self) -> Vec<Action> {
        self.dirty = true;
        self.confirm = Confirm::Due;
        self.edited_while_taking = true;
        self.next()
    }

    pub fn applied(&mut self, applied: &Applied) -> Vec<Action> {
        let mut actions = Vec::new();
        self.cursor = applied.cursor;
        self.head = self.head.max(applied.head);
        self.waiting = applied.waiting;
        self.held = applied.held;
        self.unanswered = applied.unanswered;
        self.dirty |= applied.requeued;
        self.confirm = Confirm::Due;
        if applied.receipts && self.receipts == Receipting::Idle {
            self.receipts = Receipting::Due;
        }
        // An edit merged after that page is in this tablet's sum already: then the two cannot be compared yet.
        let server = self.server_digest.filter(|(at, _)| *at == applied.cursor && *at >= self.head);
        self.differs = applied.differs || server.is_some_and(|(_, digest)| digest != applied.digest);
        if !self.differs && server.is_some() {
            // Repairs that cure are not counted: only a disagreement that stays is given up.
            self.repairs = 0;
        }
        if let Some(Applying::Pull { bytes }) = self.applying.take() {
            // A repair was answered; another may follow.
            self.summing = false;
            actions.push(Action::Send(Frame::Ack(Ack { cursor: applied.cursor, credit: bytes })));
        }
        actions.extend(self.next());
        actions
    }

    /// The note was written.
    pub fn noted(&mut self) {
        if self.confirm == Confirm::Asked {
            self.confirm = Confirm::Done;
        }
    }

    /// The server is there; if everything is still settled, that is worth noting again.
    pub fn heard(&self) -> Vec<Action> {
        if self.is_quiet() && self.waiting == 0 { vec![Action::Confirm] } else { Vec::new() }
    }
}
