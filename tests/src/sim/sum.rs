//! Several worlds together: what they did, what befell them, which situations they reached, and which none did.

use super::{Counts, Outcome};
use std::fmt::Write;

/// Simulated hours after which every situation must have been reached.
pub const ENOUGH_HOURS: f64 = 40.0;

/// Situations a set of runs must have reached: where one is missing, the worlds have become too tame to prove anything.
pub const SITUATIONS: &[&str] = &[
    "actor rotation",
    "bye finished",
    "bye protocol",
    "bye reseed",
    "bye restarting",
    "bye revoked",
    "bye version",
    "canary seen by its own clinic",
    "compaction under pending edits",
    "copy of another clinic's record received",
    "digests differed, repaired",
    "edit sent again to a restored server",
    "fate duplicate",
    "fate held",
    "fate rebase (pending edit on a flattened document)",
    "held, then released",
    "item agenda/double_booking",
    "item consent_photos/captured_after_withdrawal",
    "item consent_photos/consent_missing",
    "item consent_photos/processing_ended",
    "item devices/handed_over",
    "item duplicates/same_identifier",
    "item fields/concurrent_values",
    "item stock/negative_lot",
    "older file put back and noticed",
    "purge confirmed by first_sync",
    "purge confirmed by receipt",
    "pushes merged together",
    "quarantined actor_forked",
    "quarantined consent_missing",
    "quarantined consent_withdrawn",
    "quarantined depends_on_set_aside",
    "quarantined invalid_value",
    "quarantined scope_prohibited",
    "quarantined, then released",
    "read in the audit",
    "reading locked by the lease",
    "refused not_found",
    "reseed",
    "revoked with work pending",
    "share open at rest",
    "share told to another clinic",
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

    /// Simulated hours.
    #[must_use]
    pub fn hours(&self) -> f64 {
        self.simulated_us as f64 / 3.6e9
    }

    /// Situations nobody has reached, where there was time enough for all of them.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        if self.hours() < ENOUGH_HOURS {
            return Vec::new();
        }
        SITUATIONS.iter().copied().filter(|name| !self.reached.0.contains_key(*name)).collect()
    }

    /// For a person.
    #[must_use]
    pub fn table(&self) -> String {
        let hours = self.hours();
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
