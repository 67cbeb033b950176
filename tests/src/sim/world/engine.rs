//! A tablet's engine: told what happened, given its work, its wishes fulfilled.

use super::super::witness;
use super::{Event, World};
use axum::extract::ws::Message;
use neonpro_client_core::{Happening, Wish};

/// How long an attempt over a broken line takes to fail, µs.
const CONNECT_FAILS_US: i64 = 12_000_000;

impl World {
    /// Tells a tablet's engine something and does what it wants.
    pub fn tell(&mut self, tablet: usize, happening: Happening) {
        let (now_us, now_ms) = (self.node.at_us(self.now_us), self.now_ms());
        let known = &mut self.tablets[tablet];
        known.look_at_clock(now_us);
        let wishes = known.engine.happens(happening, now_ms);
        self.fulfil(tablet, wishes);
    }

    pub(super) fn work(&mut self, tablet: usize) {
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
