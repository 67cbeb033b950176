//! Several worlds together: what they did, what befell them, which situations they reached, and which none did.

use super::{Counts, Outcome};
use std::fmt::Write;

/// Situations a set of runs must have reached: where one is missing, the worlds have become too tame to prove anything.
pub const SITUATIONS: &[&str] = &[
    "actor rotation",
    "bye protocol",
    "bye restarting",
    "canary seen by its own clinic",
    "compaction under pending edits",
    "digests differed, repaired",
    "edit sent again to a restored server",
    "fate duplicate",
    "fate held",
    "fate rebase (pending edit on a flattened document)",
    "held, then released",
    "item agenda/double_booking",
    "item duplicates/same_identifier",
    "item fields/concurrent_values",
    "item stock/negative_lot",
    "older file put back and noticed",
    "quarantined actor_forked",
    "quarantined consent_missing",
    "quarantined consent_withdrawn",
    "quarantined depends_on_set_aside",
    "quarantined, then released",
    "rebase with three or more edits after the one set aside",
    "refused role_not_allowed",
    "reseed",
    "revoked with work pending",
];

/// The sum.
#[derive(Debug, Clone, Default)]
pub struct Sum {
    pub seeds: u64,
    pub simulated_us: i64,
    pub edits: usize,
    pub transitions: Counts,
    pub faults: Counts,
    pub reached: Counts,
}

impl Sum {
    /// Adds a world.
    pub fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.simulated_us += outcome.simulated_us;
        self.edits += outcome.edits;
        self.transitions.merge(&outcome.transitions);
        self.faults.merge(&outcome.faults);
        self.reached.merge(&outcome.reached);
    }

    /// Situations nobody has reached.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        SITUATIONS.iter().copied().filter(|name| !self.reached.0.contains_key(*name)).collect()
    }

    /// For a person.
    #[must_use]
    pub fn table(&self) -> String {
        let hours = self.simulated_us as f64 / 3.6e9;
        let mut text = format!(
            "{} seeds, {hours:.1} simulated hours, {} transitions, {} acknowledged edits, {} faults\n",
            self.seeds,
            self.transitions.total(),
            self.edits,
            self.faults.total()
        );
        for (title, counts) in
            [("faults", &self.faults), ("transitions", &self.transitions), ("situations", &self.reached)]
        {
            let _ = writeln!(text, "\n{title}");
            for (name, count) in &counts.0 {
                let _ = writeln!(text, "{count:>9}  {name}");
            }
        }
        text
    }
}
