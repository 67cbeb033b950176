//! Reading as somebody: whether the lease allows it, and the note that it happened.
//!
//! Every façade call that shows content of patients passes through here. Invariant: nothing is shown on a tablet whose
//! lease is over, except to finish a form that was open.

use super::Replica;
use crate::error::ReplicaError;
use crate::project::holds;
use crate::store::reads;
use crate::sync::state::Connection;
use neonpro_contract::catalogue::{PatientLink, Table, table};
use neonpro_contract::ids::{AuthorId, RecordId, fresh};
use neonpro_contract::time::DeviceInstant;
use neonpro_contract::wire::Read;
use ring::digest::{SHA256, digest};

impl Replica {
    /// The same replica, read by this person: what is opened through it is logged in their name.
    #[must_use]
    pub fn read_by(&self, person: Option<AuthorId>) -> Self {
        Self { reader: person, ..self.clone() }
    }

    /// The same replica for finishing something a person began before the lease was over: it may read what it needs to
    /// take the edit. Whoever uses it must not show what it reads.
    #[must_use]
    pub fn capturing(&self) -> Self {
        Self { capturing: true, ..self.clone() }
    }

    /// Since how long the lease is over, µs; `None` while reading is allowed.
    #[must_use]
    pub fn lease_over_us(&self) -> Option<i64> {
        let live = matches!(self.inner.sync.borrow().connection, Connection::Live { .. });
        self.inner.store.lease.observe(self.inner.clock.now_us(), live).over_us()
    }

    /// Reads of patient content the server does not have in its audit yet.
    ///
    /// # Errors
    /// A storage failure.
    pub fn has_untold_reads(&self) -> Result<bool, ReplicaError> {
        self.inner.store.flush_reads();
        self.inner.store.read(|conn| reads::any(conn))
    }

    /// Notes that records were shown, in a list or on a screen of their own.
    pub fn note_reads(&self, table_name: &str, records: impl IntoIterator<Item = RecordId>) {
        if let Some(table) = table(table_name) {
            self.note(table, records);
        }
    }

    /// Notes a free query: its digest, neither its words nor its rows.
    pub fn note_query(&self, sql: &str) {
        let mut hash = [0; 32];
        for (to, from) in hash.iter_mut().zip(digest(&SHA256, sql.as_bytes()).as_ref()) {
            *to = *from;
        }
        self.keep([Read { query: Some(hash.into()), ..self.blank() }]);
    }

    pub(crate) fn readable(&self) -> Result<(), ReplicaError> {
        match self.lease_over_us() {
            Some(_) if !self.capturing => Err(ReplicaError::LeaseExpired),
            _ => Ok(()),
        }
    }

    pub(crate) fn note(&self, table: &'static Table, records: impl IntoIterator<Item = RecordId>) {
        if table.patient == PatientLink::None {
            return;
        }
        let audience = self.inner.store.identity.audience;
        let held = table.facet_ids().filter(|facet| holds(table, *facet, audience));
        let facets = held.fold(0, |bits, facet| bits | 1u8.checked_shl(u32::from(facet.0)).unwrap_or(0));
        self.keep(records.into_iter().map(|record| Read {
            table: Some(table.id),
            record: Some(record),
            facets,
            ..self.blank()
        }));
    }

    fn blank(&self) -> Read {
        let now_us = self.inner.clock.now_us();
        let offset_us = self.inner.store.clock_offset_us();
        Read {
            id: fresh(now_us, self.inner.clock.random()).into_bytes().into(),
            at: DeviceInstant(now_us.saturating_add(offset_us)),
            person: self.reader,
            table: None,
            record: None,
            facets: 0,
            query: None,
        }
    }

    /// Care comes first: a read that cannot be written down now is shown all the same and written as soon as it can be.
    fn keep(&self, reads: impl IntoIterator<Item = Read>) {
        let fresh = reads.into_iter().filter(|read| self.inner.store.reads.note(read)).count();
        if fresh > 0 {
            self.inner.store.flush_reads();
        }
    }
}
