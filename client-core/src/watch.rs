//! Telling screens which tables changed: coalescing, never a queue.
//!
//! Owns one counter per watched name. A slow reader misses nothing and costs nothing: it sees the union of what
//! changed since it last looked.

use neonpro_contract::catalogue::TABLES;
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::watch;

/// Name under which changes of [`crate::Status`] are told.
pub const STATUS: &str = "status";
/// Name under which changes of what needs attention are told.
pub const ATTENTION: &str = "attention";
/// Name under which changes of disputed fields are told.
pub const CONFLICTS: &str = "conflicts";

type Counters = BTreeMap<&'static str, u64>;

#[derive(Debug)]
pub(crate) struct Publisher(watch::Sender<Counters>);

impl Publisher {
    pub fn new() -> Self {
        let names = TABLES.iter().map(|table| table.name).chain([STATUS, ATTENTION, CONFLICTS]);
        Self(watch::channel(names.map(|name| (name, 0)).collect()).0)
    }

    pub fn publish(&self, names: &BTreeSet<&'static str>) {
        if names.is_empty() {
            return;
        }
        self.0.send_modify(|counters| {
            for name in names {
                if let Some(counter) = counters.get_mut(name) {
                    *counter = counter.wrapping_add(1);
                }
            }
        });
    }

    pub fn watch(&self, names: &[&str]) -> Watch {
        let mut receiver = self.0.subscribe();
        let seen = receiver
            .borrow_and_update()
            .iter()
            .filter(|(name, _)| names.is_empty() || names.contains(name))
            .map(|(name, counter)| (*name, *counter))
            .collect();
        Watch { receiver, seen }
    }
}

/// Changes of some tables since it was last asked.
#[derive(Debug)]
pub struct Watch {
    receiver: watch::Receiver<Counters>,
    seen: Counters,
}

impl Watch {
    /// Waits until something watched has changed and returns the names of all that did. Empty only once the replica
    /// is gone.
    ///
    /// # Cancel safety
    /// Cancelling loses nothing: the next call returns what this one would have.
    pub async fn changed(&mut self) -> BTreeSet<&'static str> {
        loop {
            let changed = self.take();
            if !changed.is_empty() || self.receiver.changed().await.is_err() {
                return changed;
            }
        }
    }

    /// What has changed since the last call, without waiting.
    pub fn take(&mut self) -> BTreeSet<&'static str> {
        let counters = self.receiver.borrow_and_update();
        let mut changed = BTreeSet::new();
        for (name, seen) in &mut self.seen {
            let now = counters.get(name).copied().unwrap_or(*seen);
            if now != *seen {
                *seen = now;
                changed.insert(*name);
            }
        }
        changed
    }
}
