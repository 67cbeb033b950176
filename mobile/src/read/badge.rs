//! Where a record stands, as the small label beside it.

use crate::text;
use askama::Template;
use neonpro_client_core::{RecordState, Replica, ReplicaError};

/// A label with a tone.
#[derive(Clone, Copy, Template)]
#[template(path = "badge.html")]
pub struct Badge {
    tone: &'static str,
    label: &'static str,
    confirmed: bool,
}

impl Badge {
    /// The state of a record.
    ///
    /// # Errors
    /// What the replica reports.
    pub fn of(replica: &Replica, table: &str, id: &str) -> Result<Self, ReplicaError> {
        let state = match id.parse() {
            Ok(id) => replica.record_state(table, id)?,
            Err(_) => None,
        };
        Ok(Self::new(state.unwrap_or(RecordState::Confirmed)))
    }

    /// Whether the server has the record as it is shown.
    #[must_use]
    pub const fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    /// A state in words.
    #[must_use]
    pub const fn new(state: RecordState) -> Self {
        let (tone, label) = match state {
            RecordState::OnThisTablet => ("grey", text::status::ON_THIS_TABLET),
            RecordState::Sending => ("accent", text::status::SENDING),
            RecordState::Confirmed => ("ok", text::status::RECORD_CONFIRMED),
            RecordState::Unknown => ("amber", text::status::UNKNOWN),
            RecordState::SetAside => ("red", text::status::SET_ASIDE),
        };
        Self { tone, label, confirmed: matches!(state, RecordState::Confirmed) }
    }
}
