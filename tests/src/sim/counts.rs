//! Named counts: faults, transitions, situations.

use std::collections::BTreeMap;

/// How often each was met.
#[derive(Debug, Clone, Default)]
pub struct Counts(pub BTreeMap<String, u64>);

impl Counts {
    /// Once more.
    pub fn add(&mut self, name: &str) {
        self.add_many(name, 1);
    }

    /// So many more.
    pub fn add_many(&mut self, name: &str, count: u64) {
        if count > 0 {
            *self.0.entry(name.to_owned()).or_default() += count;
        }
    }

    /// It was met so often in all.
    pub fn at_least(&mut self, name: &str, count: u64) {
        let known = self.0.get(name).copied().unwrap_or(0);
        self.add_many(name, count.saturating_sub(known));
    }

    /// All of them together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Takes another's counts over.
    pub fn merge(&mut self, other: &Self) {
        for (name, count) in &other.0 {
            self.add_many(name, *count);
        }
    }
}
