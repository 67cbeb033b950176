//! The sessions of this node, by device, so that one can be cut from outside.
//!
//! Never decides who is cut. Invariant: a session is listed before its device's state is read, so a revocation that
//! commits in between still finds it.

use neonpro_contract::ids::DeviceId;
use neonpro_contract::wire::Bye;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Ends one session at once: what is queued for the tablet is dropped.
#[derive(Debug, Clone)]
pub struct Cut(watch::Sender<Option<Bye>>);

impl Cut {
    /// A session that goes on.
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    /// Ends it with this goodbye. The first one counts.
    pub fn end(&self, bye: Bye) {
        self.0.send_if_modified(|cut| {
            let first = cut.is_none();
            cut.get_or_insert(bye);
            first
        });
    }

    /// Resolves when it was ended.
    pub(super) async fn ended(&self) -> Bye {
        let mut cut = self.0.subscribe();
        loop {
            if let Some(bye) = *cut.borrow_and_update() {
                return bye;
            }
            if cut.changed().await.is_err() {
                // The sender lives in `self`.
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Sessions by device, each with a number of its own.
type Seats = HashMap<DeviceId, Vec<(u64, Cut)>>;

/// Every session of this node.
#[derive(Debug, Clone, Default)]
pub struct LiveSessions {
    seats: Arc<Mutex<Seats>>,
    numbers: Arc<AtomicU64>,
}

/// A place in the list; leaves it when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    sessions: LiveSessions,
    device: DeviceId,
    number: u64,
}

impl LiveSessions {
    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(&self, device: DeviceId, cut: Cut) -> Seat {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        self.seats().entry(device).or_default().push((number, cut));
        Seat { sessions: self.clone(), device, number }
    }

    /// Devices that have a session here.
    #[must_use]
    pub fn devices(&self) -> Vec<DeviceId> {
        self.seats().keys().copied().collect()
    }

    /// Whether a device has a session here.
    #[must_use]
    pub fn has(&self, device: DeviceId) -> bool {
        self.seats().contains_key(&device)
    }

    /// Ends every session of a device.
    pub fn cut(&self, device: DeviceId, bye: Bye) {
        for (_, cut) in self.seats().get(&device).into_iter().flatten() {
            cut.end(bye);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.sessions.seats();
        if let Some(of_device) = seats.get_mut(&self.device) {
            of_device.retain(|(number, _)| *number != self.number);
            if of_device.is_empty() {
                seats.remove(&self.device);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neonpro_contract::wire::ByeCode;
    use uuid::Uuid;

    #[tokio::test]
    async fn a_cut_reaches_every_session_of_the_device_and_no_other() {
        let (sessions, bye) = (LiveSessions::default(), Bye { code: ByeCode::Revoked, retry_after_ms: 0 });
        let (one, other) = (DeviceId(Uuid::from_u128(1)), DeviceId(Uuid::from_u128(2)));
        let cuts = [Cut::new(), Cut::new(), Cut::new()];
        let seats =
            [(one, 0), (one, 1), (other, 2)].map(|(device, at)| sessions.enter(device, cuts[at].clone()));
        sessions.cut(one, bye);
        sessions.cut(one, Bye { code: ByeCode::Finished, ..bye });
        assert_eq!((cuts[0].ended().await, cuts[1].ended().await), (bye, bye), "the first goodbye counts");
        assert!(cuts[2].0.borrow().is_none());
        drop(seats);
        assert!(sessions.devices().is_empty());
    }
}
