//! What operators changed in a clinic beside the edits, and after which number of its feed: the model does it there, too.

use neonpro_contract::catalogue::Role;
use neonpro_contract::ids::AuthorId;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// One change.
#[derive(Debug, Clone)]
pub struct Change {
    pub clinic: usize,
    /// The clinic's head just before.
    pub after: i64,
    pub what: What,
}

/// What was changed.
#[derive(Debug, Clone)]
pub enum What {
    /// Who may write on a device; nobody named: every member.
    People { device: Uuid, named: Option<BTreeSet<Uuid>> },
    /// Somebody's role; none: the membership ended. And the role the clinic began with.
    Membership { person: Uuid, role: Option<Role>, was: Role },
}

/// Everything operators did, in order.
#[derive(Debug, Default)]
pub struct Operator {
    changes: Vec<Change>,
    /// How much of it is in the backup.
    backed_up: usize,
}

impl Operator {
    pub fn note(&mut self, change: Change) {
        self.changes.push(change);
    }

    pub fn backed_up(&mut self) {
        self.backed_up = self.changes.len();
    }

    /// The server went back to its backup: what was changed since is undone.
    pub fn restored(&mut self) {
        self.changes.truncate(self.backed_up);
    }

    /// What was changed in a clinic.
    pub fn of(&self, clinic: usize) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(move |change| change.clinic == clinic)
    }

    /// Somebody whose membership ended, and the role it had.
    #[must_use]
    pub fn ended(&self, clinic: usize) -> Option<(AuthorId, Role)> {
        let mut standing = BTreeMap::new();
        for change in self.of(clinic) {
            if let What::Membership { person, role, was } = change.what {
                standing.insert(person, (role, was));
            }
        }
        standing
            .into_iter()
            .find(|(_, (role, _))| role.is_none())
            .map(|(person, (_, was))| (AuthorId(person), was))
    }

    /// Whether a device is for named people.
    #[must_use]
    pub fn is_named(&self, device: Uuid) -> bool {
        let last = self.changes.iter().rev().find_map(|change| match &change.what {
            What::People { device: of, named } if *of == device => Some(named.is_some()),
            _ => None,
        });
        last.unwrap_or(false)
    }
}
