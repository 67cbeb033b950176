//! Opening a session: what the tablet says about itself, and what the welcome changes here.

use crate::error::ReplicaError;
use crate::lease::Lease;
use crate::project::table_of;
use crate::replica::Replica;
use crate::store::intents::State;
use crate::store::meta::Bootstrap;
use crate::store::{Tx, blobs, checkpoints, intents, outbox, reads, receipts, records, schema};
use crate::watch::STATUS;
use neonpro_contract::catalogue::{CATALOGUE_VERSION, Kind, Scope, TABLES};
use neonpro_contract::digest::Digest;
use neonpro_contract::row::default_value;
use neonpro_contract::time::{ServerInstant, US_PER_DAY, US_PER_MS, US_PER_SECOND};
use neonpro_contract::wire::{Hello, PROTOCOL, Welcome, hello_bytes};

/// Bytes of pages the server may send before the first ack.
const CREDIT_BYTES: u64 = 4 * 1024 * 1024;
/// How long accepted edits are kept to heal a server restored from a backup, days.
const ACCEPTED_KEPT_DAYS: i64 = 30;

/// How a session begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opened {
    pub cursor: i64,
    pub head: i64,
    /// The server's digest at its head.
    pub server_digest: Digest,
    /// Documents differ, as far as can be told yet.
    pub differs: bool,
    /// Everything must be fetched again: the session starts over.
    pub start_over: bool,
    pub push_bytes: usize,
    pub waiting: u64,
    /// Reads wait to be told.
    pub reads: bool,
    /// Purge receipts wait for the server's word.
    pub receipts: bool,
    /// Questions and decisions about set-aside edits the server has not answered.
    pub unanswered: u64,
}

impl Replica {
    /// The answer to a challenge.
    pub(crate) fn hello(&self, nonce: &[u8; 32], app: &str) -> Result<Hello, ReplicaError> {
        let (store, meta) = (&self.inner.store, self.inner.store.meta()?);
        let (waiting, checkpoint) = store.read(|conn| {
            Ok::<_, ReplicaError>((
                outbox::count_waiting(conn)?,
                checkpoints::find_last(conn, meta.server_epoch)?,
            ))
        })?;
        let identity = &store.identity;
        Ok(Hello {
            protocol: PROTOCOL,
            app: app.to_owned(),
            catalogue: CATALOGUE_VERSION,
            device: identity.device,
            generation: meta.generation,
            signature: identity.signing_key.sign(&hello_bytes(nonce, identity.device)).into(),
            cursor: meta.cursor,
            bootstrap: meta.bootstrap.and_then(|state| state.position),
            reference_seq: meta.reference_seq,
            digest: meta.digest,
            epoch: meta.server_epoch.map(Into::into),
            credit: CREDIT_BYTES,
            waiting: u32::try_from(waiting).unwrap_or(u32::MAX),
            checkpoint: checkpoint.map(Box::new),
        })
    }

    /// Takes the welcome in. `round_trip_us` is the time between hello and welcome.
    pub(crate) fn open_session(&self, welcome: &Welcome, round_trip_us: i64) -> Result<Opened, ReplicaError> {
        let now_us = self.inner.clock.now_us();
        self.inner.store.write(|tx| open(tx, welcome, round_trip_us, now_us))
    }

    /// Takes a welcome in without a session, for measuring a first sync on its own.
    ///
    /// # Errors
    /// Another clinic's welcome, or a storage failure.
    pub fn begin_first_sync(&self, welcome: &Welcome) -> Result<(), ReplicaError> {
        self.open_session(welcome, 0).map(drop)
    }

    /// The server no longer holds the feed after this tablet's cursor: fetch everything again, keep unsent work.
    pub(crate) fn reseed(&self) -> Result<(), ReplicaError> {
        self.inner.store.write(|tx| start_over(tx, false))
    }

    /// Notes that everything is settled, if it is.
    pub(crate) fn confirm(&self) -> Result<(), ReplicaError> {
        let now_us = self.inner.clock.now_us();
        self.inner.store.lease.observe(now_us, true);
        self.inner.store.write_refetchable(|tx| {
            if tx.meta.cursor >= tx.meta.head && outbox::count_waiting(&tx.sql)? == 0 {
                tx.meta.last_confirmed_at = Some(ServerInstant(tx.meta.server_time(now_us)));
                tx.touch(STATUS);
            }
            Ok(())
        })
    }

    /// Notes why the server does not want this device; `None` to try again.
    pub(crate) fn mark_stopped(&self, reason: Option<&str>) -> Result<(), ReplicaError> {
        self.inner.store.write(|tx| {
            tx.meta.stopped = reason.map(str::to_owned);
            tx.touch(STATUS);
            Ok(())
        })
    }
}

fn open(tx: &mut Tx<'_>, welcome: &Welcome, round_trip_us: i64, now_us: i64) -> Result<Opened, ReplicaError> {
    if welcome.clinic != tx.identity.clinic {
        return Err(ReplicaError::Protocol("another clinic"));
    }
    let half = round_trip_us.max(0) / 2;
    tx.meta.clock_offset_us = welcome.now.0.saturating_add(half).saturating_sub(now_us);
    tx.meta.clock_uncertainty_ms = Some(u32::try_from(half / US_PER_MS).unwrap_or(u32::MAX).max(1));
    tx.meta.clock_measured_at = Some(now_us);
    let lease_us = i64::from(welcome.lease_seconds).saturating_mul(US_PER_SECOND);
    tx.meta.lease = Lease::begin(lease_us, now_us);
    tx.meta.stopped = None;
    tx.meta.people.clone_from(&welcome.people);
    // A server that names none has forgotten how to, not what was sealed.
    tx.meta.escrow_key = welcome.escrow_key.map(Into::into).or(tx.meta.escrow_key);
    outbox::mark_unanswered_unknown(&tx.sql)?;
    let kept_since = welcome.now.0.saturating_sub(ACCEPTED_KEPT_DAYS.saturating_mul(US_PER_DAY));
    intents::purge_accepted_before(&tx.sql, kept_since)?;

    let epoch: [u8; 16] = *welcome.epoch;
    let restored = tx.meta.server_epoch.is_some_and(|known| known != epoch);
    tx.meta.server_epoch = Some(epoch);
    super::audit::welcome(tx, welcome.checkpoint.as_deref(), welcome.audit_agrees, restored)?;
    if restored {
        intents::requeue_accepted(&tx.sql, kept_since)?;
        forget_numbers(tx)?;
        forget_derived(tx)?;
        // A restored server may lack what came since its backup: it is asked about every file again.
        blobs::forget_custody(&tx.sql)?;
        start_over(tx, true)?;
    }
    if tx.meta.cursor < 0 {
        let again = any_rows(tx)?;
        let state = tx.meta.bootstrap.get_or_insert_with(|| Bootstrap::new(again, 0));
        if !state.begun {
            state.begun = true;
            state.start_head = welcome.head;
            state.seen = state.seen.min(welcome.head);
            if !state.again {
                schema::drop_indexes(&tx.sql)?;
            }
        }
        if welcome.bootstrap_records > 0 {
            state.total = welcome.bootstrap_records;
        }
    }
    tx.meta.head = if restored { welcome.head } else { tx.meta.head.max(welcome.head) };
    if tx.meta.cursor == welcome.head && welcome.digest != tx.meta.digest {
        tx.meta.repair = true;
    }
    tx.touch(STATUS);
    Ok(Opened {
        cursor: tx.meta.cursor,
        head: welcome.head,
        server_digest: welcome.digest,
        differs: tx.meta.repair,
        start_over: restored,
        push_bytes: usize::try_from(welcome.push_bytes).unwrap_or(usize::MAX),
        waiting: outbox::count_waiting(&tx.sql)?,
        reads: reads::any(&tx.sql)?,
        receipts: receipts::any(&tx.sql)?,
        unanswered: outbox::count_unanswered(&tx.sql)?,
    })
}

fn start_over(tx: &mut Tx<'_>, restored: bool) -> Result<(), ReplicaError> {
    intents::mark_to_ask(&tx.sql, restored)?;
    let (again, seen) = (any_rows(tx)?, tx.meta.seen_seq());
    tx.meta.cursor = -1;
    tx.meta.head = -1;
    tx.meta.reference_seq = 0;
    tx.meta.repair = false;
    tx.meta.bootstrap = Some(Bootstrap::new(again, seen));
    tx.sql.execute("DELETE FROM sync_seen", [])?;
    tx.touch(STATUS);
    Ok(())
}

/// Feed numbers of before a restore say nothing any more: what comes after it may have smaller ones.
fn forget_numbers(tx: &Tx<'_>) -> Result<(), ReplicaError> {
    for table in TABLES.iter().filter(|table| table.scope == Scope::Clinic) {
        tx.sql.execute(&format!("UPDATE {} SET feed_seq = 0 WHERE feed_seq > 0", table.name), [])?;
    }
    Ok(())
}

/// What the server said of records it may have to be given again (that somebody is a member no more, that a patient is
/// another's duplicate) is not true until it says so again. Of those it still has, it does at once.
fn forget_derived(tx: &mut Tx<'_>) -> Result<(), ReplicaError> {
    for stored in intents::list_in_state(&tx.sql, State::Queued)? {
        for part in stored.intent.documents.iter().filter(|part| part.create) {
            let table = table_of(&part.document)?;
            let Some(known) = records::find(&tx.sql, table, part.document.record)? else { continue };
            let mut row = known.row.clone();
            for (index, field) in table.columns().enumerate() {
                // When it was changed last was not said by the server.
                if field.kind == Kind::Derived && field.name != "updated_at" {
                    row.set_at(index, default_value(field));
                }
            }
            if row != known.row {
                records::update_changed(&tx.sql, known.id, (&known.row, &known.stamp), (&row, &known.stamp))?;
                tx.touch(table.name);
            }
        }
    }
    Ok(())
}

/// Whether the server's rows are here already.
fn any_rows(tx: &Tx<'_>) -> Result<bool, ReplicaError> {
    for table in TABLES.iter().filter(|table| table.scope == Scope::Clinic) {
        let sql = format!("SELECT 1 FROM {} WHERE merged_at IS NOT NULL LIMIT 1", table.name);
        if tx.sql.prepare(&sql)?.exists([])? {
            return Ok(true);
        }
    }
    Ok(false)
}
