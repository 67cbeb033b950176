//! What the sync status says: three separate facts, never one light (5-experience 5.1).

use super::Replica;
use crate::error::ReplicaError;
use crate::store::records::{self, table_named};
use crate::store::{blobs, documents, outbox};
use crate::sync::state::Connection;
use neonpro_contract::ids::RecordId;
use neonpro_contract::limits::CLOCK_AHEAD_WARN_MS;
use neonpro_contract::time::{ServerInstant, US_PER_MS};
use rusqlite::params;
use std::sync::PoisonError;

/// What waits to be confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    /// Edits without a settled fate.
    pub edits: u64,
    /// Records they touch.
    pub records: u64,
    /// Photographs and documents the server does not have.
    pub files: u64,
    /// Their bytes.
    pub file_bytes: u64,
}

/// How far a first sync is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Records received; never more than `total`.
    pub done: u64,
    /// Records announced.
    pub total: u64,
}

/// Something people should know about the tablet itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// The file was copied or restored; the tablet took a new generation at this instant (µs).
    CopiedReplica {
        /// When it was noticed, µs.
        at_us: i64,
    },
    /// The tablet's clock is off by so much, ms.
    ClockOff {
        /// Tablet minus server, ms.
        by_ms: i64,
    },
    /// The time it may work offline has passed: nothing is shown until it syncs.
    LeaseExpired {
        /// Since when, µs.
        since_us: i64,
    },
    /// The server's audit is not what it was: cut, rewritten, or signed by somebody else.
    AuditDoubted {
        /// `unsigned`, `shrank` or `forked`.
        why: &'static str,
    },
    /// Rules on the scope of practice that no pinned publisher signed: they do not count here.
    ScopeBundleIgnored {
        /// How many bundles.
        count: u64,
    },
}

/// The sync status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The last instant when every edit then existing was settled and everything from the server was here.
    pub last_confirmed_at: Option<ServerInstant>,
    /// What waits.
    pub waiting: Waiting,
    /// Edits that need a person.
    pub needs_attention: u64,
    /// What the engine is doing.
    pub connection: Connection,
    /// An unfinished first sync.
    pub first_sync: Option<Progress>,
    /// The first sync has been completed at least once.
    pub synced_once: bool,
    /// Last feed number applied.
    pub cursor: i64,
    /// Newest feed number heard of.
    pub head: i64,
    /// Generation of the device's actor.
    pub generation: u32,
    /// About the tablet itself.
    pub notes: Vec<Note>,
}

/// Where a record's last edit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordState {
    /// Saved here, not sent yet.
    OnThisTablet,
    /// On its way.
    Sending,
    /// The server has everything.
    Confirmed,
    /// Sent, and the answer was lost: it will be asked again.
    Unknown,
    /// An edit was set aside: see what needs attention.
    SetAside,
}

impl RecordState {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OnThisTablet => "on_this_tablet",
            Self::Sending => "sending",
            Self::Confirmed => "confirmed",
            Self::Unknown => "unknown",
            Self::SetAside => "set_aside",
        }
    }
}

impl Replica {
    /// How well the tablet's clock is known: server time minus tablet time (µs), half of the round trip it was measured over (ms),
    /// when (tablet time, µs). `None` before the first sync.
    ///
    /// # Errors
    /// A closed replica.
    pub fn clock_measured(&self) -> Result<Option<(i64, u32, i64)>, ReplicaError> {
        let meta = self.inner.store.meta()?;
        Ok(meta
            .clock_uncertainty_ms
            .zip(meta.clock_measured_at)
            .map(|(ms, at)| (meta.clock_offset_us, ms, at)))
    }

    /// The sync status.
    ///
    /// # Errors
    /// A storage failure.
    pub fn status(&self) -> Result<Status, ReplicaError> {
        let meta = self.inner.store.meta()?;
        let sync = self.inner.sync.borrow().clone();
        let (waiting, needs_attention, ignored) = self.inner.store.read(|conn| {
            let (files, file_bytes) = blobs::count_waiting(conn)?;
            let waiting = Waiting {
                files,
                file_bytes,
                edits: outbox::count_waiting(conn)?,
                records: outbox::count_waiting_records(conn)?,
            };
            let attention = outbox::count_attention(conn)?;
            let mut verified = self.inner.verified.lock().unwrap_or_else(PoisonError::into_inner);
            let ignored = super::scope::count_ignored(conn, &mut verified)?;
            Ok::<_, ReplicaError>((waiting, attention, ignored))
        })?;
        let first_sync = meta
            .bootstrap
            .as_ref()
            .map(|state| Progress { done: state.done.min(state.total), total: state.total });
        let now_us = self.inner.clock.now_us();
        let mut notes = Vec::new();
        if let Some(at_us) = meta.copied_at {
            notes.push(Note::CopiedReplica { at_us });
        }
        let by_ms = meta.clock_offset_us.checked_div(US_PER_MS).unwrap_or(0).saturating_neg();
        if by_ms.saturating_abs() > CLOCK_AHEAD_WARN_MS {
            notes.push(Note::ClockOff { by_ms });
        }
        if let Some(over_us) = self.lease_over_us() {
            notes.push(Note::LeaseExpired { since_us: now_us.saturating_sub(over_us) });
        }
        if let Some(why) = &meta.audit_doubt {
            notes.push(Note::AuditDoubted { why: crate::sync::audit::doubt(why) });
        }
        if ignored > 0 {
            notes.push(Note::ScopeBundleIgnored { count: ignored });
        }
        let connection = match meta.stopped {
            Some(reason) => Connection::Stopped { reason },
            None => sync.connection,
        };
        Ok(Status {
            last_confirmed_at: meta.last_confirmed_at,
            waiting,
            needs_attention,
            connection,
            first_sync,
            synced_once: meta.cursor >= 0,
            cursor: meta.cursor,
            head: meta.head,
            generation: meta.generation,
            notes,
        })
    }

    /// Where the last edits of a record stand; `None` for a record that is not here and has none.
    ///
    /// # Errors
    /// No such table, or a storage failure.
    pub fn record_state(&self, table: &str, id: RecordId) -> Result<Option<RecordState>, ReplicaError> {
        let table = table_named(table)?;
        self.inner.store.read(|conn| {
            let sql =
                "SELECT max(CASE i.state WHEN 4 THEN 9 WHEN 5 THEN 9 WHEN 2 THEN 8 WHEN 1 THEN 7 ELSE 6 END)
                FROM sync_change c JOIN sync_intent i ON i.n = c.n
                WHERE c.record = ?1 AND c.table_id = ?2 AND i.state < 6";
            let worst: Option<i64> = conn
                .prepare_cached(sql)?
                .query_row(params![id.0.as_bytes(), table.id.0], |row| row.get(0))?;
            let live = matches!(self.inner.sync.borrow().connection, Connection::Live { .. });
            Ok(match worst {
                Some(9) => Some(RecordState::SetAside),
                Some(8) => Some(RecordState::Unknown),
                Some(7) if live => Some(RecordState::Sending),
                Some(7) => Some(RecordState::Unknown),
                Some(_) => Some(RecordState::OnThisTablet),
                None => records::exists(conn, table, id)?.then_some(RecordState::Confirmed),
            })
        })
    }

    /// Sums the digest anew from everything stored, for maintenance and tests. Slow.
    ///
    /// # Errors
    /// A storage failure.
    pub fn recompute_digest(&self) -> Result<neonpro_contract::digest::Digest, ReplicaError> {
        let audience = self.inner.store.identity.audience;
        self.inner.store.read(|conn| documents::sums(conn, audience)).map(|sums| {
            let mut total = neonpro_contract::digest::Digest::default();
            for sum in sums {
                total.add(sum.0);
            }
            total
        })
    }
}
