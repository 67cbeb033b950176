//! The lease: how long the tablet has worked without its server, as far as its clock can tell.
//!
//! What counts is time that passed on the tablet's own clock since the server was last there, summed up between looks. A
//! clock that is set back adds nothing and takes nothing away; one that runs on adds. Invariant: no setting of the clock
//! makes the time spent smaller, only the server does.

use std::sync::{Mutex, PoisonError};

/// Time spent that may be lost when the app ends unexpectedly, µs.
pub(crate) const SAVE_EVERY_US: i64 = 60_000_000;

/// Where the lease stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Lease {
    /// What may be spent, µs; `None` before the first session.
    pub granted_us: Option<i64>,
    /// What was spent, µs.
    pub used_us: i64,
    /// The tablet's clock when it was last looked at, µs.
    pub seen_us: i64,
}

impl Lease {
    /// A lease of so long, beginning now.
    pub const fn begin(granted_us: i64, now_us: i64) -> Self {
        Self { granted_us: Some(granted_us), used_us: 0, seen_us: now_us }
    }

    /// Looks at the clock.
    pub fn observe(&mut self, now_us: i64) {
        self.used_us = self.used_us.saturating_add(now_us.saturating_sub(self.seen_us).max(0));
        self.seen_us = now_us;
    }

    /// By how much it is over, µs.
    pub fn over_us(&self) -> Option<i64> {
        let over = self.used_us.saturating_sub(self.granted_us?);
        (over > 0).then_some(over)
    }
}

/// The lease of an open replica, looked at without waiting for the writer.
#[derive(Debug, Default)]
pub(crate) struct LeaseClock(Mutex<Lease>);

impl LeaseClock {
    pub fn new(lease: Lease) -> Self {
        Self(Mutex::new(lease))
    }

    /// Looks at the clock; while the server is there, nothing is spent.
    pub fn observe(&self, now_us: i64, server_is_there: bool) -> Lease {
        let mut lease = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lease.observe(now_us);
        if server_is_there {
            lease.used_us = 0;
        }
        *lease
    }

    pub fn get(&self) -> Lease {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set(&self, lease: Lease) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = lease;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    #[test]
    fn a_lease_is_over_once_its_time_was_spent() {
        let mut lease = Lease::begin(14 * DAY, 100);
        lease.observe(100 + 14 * DAY);
        assert_eq!(lease.over_us(), None);
        lease.observe(101 + 14 * DAY);
        assert_eq!(lease.over_us(), Some(1));
        assert_eq!(Lease::default().over_us(), None, "nothing was granted yet: nothing is here to read");
    }

    #[test]
    fn a_clock_set_back_extends_nothing() {
        let mut lease = Lease::begin(14 * DAY, 0);
        let mut clock = 0;
        // Every evening somebody sets the clock back by the day that passed.
        for _ in 0..14 {
            lease.observe(clock + DAY);
            clock = 0;
            lease.observe(clock);
        }
        assert_eq!(lease.over_us(), None);
        lease.observe(1);
        assert_eq!(lease.over_us(), Some(1), "fourteen days and an instant were worked");
        lease.observe(-400 * DAY);
        assert_eq!(lease.over_us(), Some(1), "and a year back changes nothing");
    }

    #[test]
    fn only_the_server_gives_time_back() {
        let clock = LeaseClock::new(Lease::begin(DAY, 0));
        assert!(clock.observe(2 * DAY, false).over_us().is_some());
        assert!(clock.observe(3 * DAY, true).over_us().is_none());
        assert!(clock.observe(4 * DAY + 1, false).over_us().is_some());
    }
}
