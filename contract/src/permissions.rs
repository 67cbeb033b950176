//! Who may write what, and what a device may see (4-rules 4.2).
//!
//! Pure decisions on facts the caller has read. Invariant: authority is judged by the server at receive time;
//! the tablet's preview can only be stricter or late, never decisive.

use crate::catalogue::{Facet, FacetId, Lifecycle, Purpose, PurposeRule, Role, Scope, Table};
use crate::row::Row;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// What a device may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// A tablet used by professionals: every purpose the clinic has.
    #[n(0)]
    Clinical,
    /// A front-desk tablet: never `treatment` or `photography`.
    #[n(1)]
    FrontDesk,
}

impl Audience {
    /// Whether documents of this purpose reach the device.
    #[must_use]
    pub const fn sees(self, purpose: Purpose) -> bool {
        match self {
            Self::Clinical => true,
            Self::FrontDesk => !matches!(purpose, Purpose::Treatment | Purpose::Photography),
        }
    }

    /// The purposes it sees.
    pub fn purposes(self) -> impl Iterator<Item = Purpose> {
        Purpose::ALL.into_iter().filter(move |purpose| self.sees(*purpose))
    }

    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clinical => "clinical",
            Self::FrontDesk => "front_desk",
        }
    }

    /// The audience of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Clinical, Self::FrontDesk].into_iter().find(|audience| audience.name() == name)
    }

    /// The widest audience a role needs.
    #[must_use]
    pub const fn of_role(role: Role) -> Self {
        match role {
            Role::Assistant => Self::FrontDesk,
            Role::Admin | Role::Manager | Role::Professional => Self::Clinical,
        }
    }
}

/// Whether a role may write a facet from a device.
#[must_use]
pub fn may_write(table: &Table, facet: FacetId, role: Role) -> bool {
    let from_devices = table.scope == Scope::Clinic && table.lifecycle != Lifecycle::Server;
    from_devices && table.facet(facet).is_some_and(|facet| facet.writers.contains(role))
}

/// Whether a role may read a facet of this purpose on a device.
#[must_use]
pub const fn may_read(role: Role, purpose: Purpose) -> bool {
    Audience::of_role(role).sees(purpose)
}

/// The purpose of a facet of this record, fixed at creation.
#[must_use]
pub fn purpose(facet: &Facet, row: &Row) -> Purpose {
    match facet.purpose {
        PurposeRule::Fixed(purpose) => purpose,
        PurposeRule::ByValue { field, values, default } => row
            .get(field)
            .as_text()
            .and_then(|text| values.iter().find(|(value, _)| *value == text))
            .map_or(default, |(_, purpose)| *purpose),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::table;

    #[test]
    fn an_assistant_books_and_registers_but_never_writes_health() {
        let (patients, appointments) = (table("patients").unwrap(), table("appointments").unwrap());
        assert!(may_write(patients, FacetId(0), Role::Assistant));
        assert!(may_write(appointments, FacetId(0), Role::Assistant));
        assert!(!may_write(patients, FacetId(1), Role::Assistant));
        assert!(!may_read(Role::Assistant, Purpose::Treatment));
    }

    #[test]
    fn nobody_writes_reference_data_or_server_rows_from_a_device() {
        for name in ["service_types", "system_settings", "appointment_history"] {
            for role in [Role::Admin, Role::Manager, Role::Professional, Role::Assistant] {
                assert!(!may_write(table(name).unwrap(), FacetId(0), role), "{name} {role:?}");
            }
        }
    }
}
