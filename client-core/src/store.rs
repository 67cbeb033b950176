//! The one door to the replica's file: exactly one writer, a few read-only readers.
//!
//! Owns the connections; nothing else can reach them. Invariant: one connection writes and checkpoints (two would
//! meet SQLite's WAL-reset defect and SQLCipher's own), and what watchers are told has been committed.

pub(crate) mod blobs;
pub(crate) mod changes;
pub(crate) mod checkpoints;
pub(crate) mod conflicts;
pub(crate) mod documents;
pub(crate) mod escrow;
pub(crate) mod files;
pub(crate) mod identity;
pub(crate) mod intents;
pub(crate) mod meta;
pub(crate) mod migrate;
pub(crate) mod outbox;
pub(crate) mod readers;
pub(crate) mod reads;
pub(crate) mod receipts;
pub(crate) mod records;
pub(crate) mod rekey;
pub(crate) mod schema;
pub(crate) mod search;
pub(crate) mod value;

use crate::device::{Identity, ReplicaKey};
use crate::error::ReplicaError;
use crate::lease::{Lease, LeaseClock, SAVE_EVERY_US};
use crate::watch::Publisher;
use escrow::{Escrow, Touched};
use files::{Files, KeyCheck};
use meta::Meta;
use readers::Readers;
use reads::ReadQueue;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

/// Statements kept prepared on a connection: a page touches most tables with four statements each.
const STATEMENTS_CACHED: usize = 256;
/// Readers kept open. A screen runs few queries at once.
const READERS_MAX: usize = 4;

pub(crate) struct Store {
    writer: Mutex<Option<Writer>>,
    readers: Readers,
    pub publisher: Publisher,
    pub identity: Arc<Identity>,
    pub(crate) path: PathBuf,
    /// How long the tablet has worked without its server.
    pub lease: LeaseClock,
    /// Reads on their way to the file.
    pub reads: ReadQueue,
    /// Server time minus this clock, µs, as last committed.
    offset_us: AtomicI64,
}

/// What a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Durability {
    /// A power loss: the log is flushed to the storage before the commit returns.
    Durable,
    /// The end of the app. After a power loss the log ends earlier, at a commit.
    Refetchable,
}

struct Writer {
    conn: Connection,
    meta: Meta,
    durability: Durability,
    /// Unsent work, sealed to the clinic.
    escrow: Escrow,
    touched: Touched,
    // Held until the connections are gone.
    files: Files,
}

/// One write transaction.
pub(crate) struct Tx<'a> {
    pub sql: rusqlite::Transaction<'a>,
    pub meta: Meta,
    pub touched: BTreeSet<&'static str>,
    pub identity: Arc<Identity>,
}

impl Store {
    /// Makes a new file.
    pub fn create(
        path: &Path,
        key: &ReplicaKey,
        identity: &Identity,
        nonce: [u8; 16],
    ) -> Result<Self, ReplicaError> {
        let mut files = Files::claim_new(path)?;
        files.write_sidecar(key, &[nonce])?;
        let mut conn = open_writer(path, key, true)?;
        migrate::run(&mut conn)?;
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        identity::append(&tx, identity)?;
        let meta = Meta::first(nonce);
        meta.append(&tx)?;
        tx.commit()?;
        Self::assemble(path, key, conn, meta, files)
    }

    /// Opens an existing file. `fresh_nonce` replaces the one that ties the file to its sidecar.
    pub fn open(
        path: &Path,
        key: &ReplicaKey,
        fresh_nonce: [u8; 16],
        now_us: i64,
    ) -> Result<Self, ReplicaError> {
        let mut files = Files::claim_existing(path)?;
        let key_check = files.key_check(key);
        if key_check == KeyCheck::Wrong {
            return Err(ReplicaError::WrongKey);
        }
        let opened = open_writer(path, key, false).and_then(|mut conn| {
            migrate::run(&mut conn)?;
            let meta = Meta::load(&conn)?;
            identity::load(&conn)?;
            Ok((conn, meta))
        });
        let (mut conn, mut meta) = match opened {
            Ok(opened) => opened,
            // Where the sidecar does not say, a wrong key and a damaged first page look alike: nothing is touched.
            Err(ReplicaError::Damaged) if key_check != KeyCheck::Right => return Err(ReplicaError::WrongKey),
            Err(ReplicaError::Damaged) => {
                return Err(ReplicaError::SetAside { path: files.set_aside(path, now_us)? });
            }
            Err(error) => return Err(error),
        };
        if !files.nonces().contains(&meta.nonce) {
            meta.generation = meta.generation.saturating_add(1);
            meta.copied_at = Some(now_us);
        }
        files.write_sidecar(key, &[fresh_nonce, meta.nonce])?;
        meta.nonce = fresh_nonce;
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        meta.update(&tx)?;
        tx.commit()?;
        files.write_sidecar(key, &[fresh_nonce])?;
        Self::assemble(path, key, conn, meta, files)
    }

    fn assemble(
        path: &Path,
        key: &ReplicaKey,
        conn: Connection,
        meta: Meta,
        files: Files,
    ) -> Result<Self, ReplicaError> {
        let identity = Arc::new(identity::load(&conn)?);
        let (lease, offset_us) = (LeaseClock::new(meta.lease), AtomicI64::new(meta.clock_offset_us));
        let mut writer = Writer::new(conn, meta, Escrow::beside(path, &identity), files)?;
        // What a kill left out of escrow, or in it.
        writer.follow_escrow();
        Ok(Self {
            lease,
            reads: ReadQueue::default(),
            offset_us,
            writer: Mutex::new(Some(writer)),
            path: path.to_owned(),
            readers: Readers::new(path, key.clone(), READERS_MAX),
            publisher: Publisher::new(),
            identity,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Writer>> {
        // A panic inside a transaction rolled it back; the writer's own state is replaced only after a commit.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one write transaction: everything or nothing, then tells the watchers. Survives a power loss.
    pub fn write<T, E: From<ReplicaError>>(
        &self,
        body: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.write_as(Durability::Durable, body)
    }

    /// The same for what the server can send again: survives the end of the app, not a power loss.
    pub fn write_refetchable<T, E: From<ReplicaError>>(
        &self,
        body: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.write_as(Durability::Refetchable, body)
    }

    fn write_as<T, E: From<ReplicaError>>(
        &self,
        durability: Durability,
        body: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let (value, touched) = {
            let mut guard = self.lock();
            let writer = guard.as_mut().ok_or(ReplicaError::Closed)?;
            writer.set_durability(durability)?;
            let generation = writer.meta.generation;
            let done = self.transact(writer, body)?;
            if writer.meta.generation != generation {
                // A new actor must never be taken twice: it is on the storage before anything of it can be sent.
                writer.flush()?;
            }
            writer.follow_escrow();
            self.write_reads(writer);
            done
        };
        self.publisher.publish(&touched);
        Ok(value)
    }

    fn transact<T, E: From<ReplicaError>>(
        &self,
        writer: &mut Writer,
        body: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<(T, BTreeSet<&'static str>), E> {
        let lease = self.lease.get();
        let known = writer.meta.lease;
        let moved = lease.seen_us.abs_diff(known.seen_us).max(lease.used_us.abs_diff(known.used_us));
        let lease = if moved >= SAVE_EVERY_US.unsigned_abs() { lease } else { known };
        let done = writer.transact(&self.identity, lease, body)?;
        if writer.meta.lease != lease {
            self.lease.set(writer.meta.lease);
        }
        self.offset_us.store(writer.meta.clock_offset_us, Ordering::Relaxed);
        Ok(done)
    }

    /// Writes noted reads, unless somebody is writing: they write them then.
    pub fn flush_reads(&self) {
        let mut guard = match self.writer.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        if let Some(writer) = guard.as_mut() {
            self.write_reads(writer);
        }
    }

    fn write_reads(&self, writer: &mut Writer) {
        let waiting = self.reads.take();
        if waiting.is_empty() {
            return;
        }
        let written = writer
            .set_durability(Durability::Refetchable)
            .and_then(|()| self.transact(writer, |tx| reads::append(&tx.sql, &waiting)));
        match written {
            Ok(_) => self.reads.written.notify_one(),
            Err(error) => {
                tracing::warn!(code = error.code(), "reads could not be written; the next write tries again");
                self.reads.put_back(waiting);
            }
        }
    }

    /// Server time minus this clock, µs.
    pub fn clock_offset_us(&self) -> i64 {
        self.offset_us.load(Ordering::Relaxed)
    }

    /// Reads on a read-only connection: never waits for the writer.
    pub fn read<T, E: From<ReplicaError>>(
        &self,
        body: impl FnOnce(&mut Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        self.readers.with(body)
    }

    /// Where the replica stands, as last committed.
    pub fn meta(&self) -> Result<Meta, ReplicaError> {
        Ok(self.lock().as_ref().ok_or(ReplicaError::Closed)?.meta.clone())
    }

    /// Moves the write-ahead log into the file and empties it. Only the writer ever does. `false` when a reader held on to
    /// it for too long: the log is as it was, or longer than nothing.
    pub fn checkpoint(&self) -> Result<bool, ReplicaError> {
        let guard = self.lock();
        let writer = guard.as_ref().ok_or(ReplicaError::Closed)?;
        writer.escrow.sync()?;
        let busy: i64 = writer.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        Ok(busy == 0)
    }

    /// Makes sure that everything owed lies in escrow, on the storage.
    pub fn ensure_escrow(&self) -> Result<(), ReplicaError> {
        let mut guard = self.lock();
        let Writer { conn, meta, escrow, .. } = guard.as_mut().ok_or(ReplicaError::Closed)?;
        escrow.ensure(conn, meta.escrow_key)
    }

    /// How many edits lie in escrow, and whether nothing owed is missing there.
    pub fn escrowed(&self) -> Result<(usize, bool), ReplicaError> {
        let guard = self.lock();
        let escrow = &guard.as_ref().ok_or(ReplicaError::Closed)?.escrow;
        Ok((escrow.edits(), escrow.is_complete()))
    }

    /// Checks the whole file. Slow.
    pub fn check(&self) -> Result<(), ReplicaError> {
        self.read(|conn| {
            let answer: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            if answer == "ok" { Ok(()) } else { Err(ReplicaError::Damaged) }
        })
    }

    /// Closes every connection and lets go of the file.
    pub fn close(&self) -> Result<(), ReplicaError> {
        self.readers.close();
        let Some(mut writer) = self.lock().take() else { return Ok(()) };
        self.write_reads(&mut writer);
        // What was spent since it was last written, so that a restart forgets nothing.
        let lease = self.lease.get();
        if writer.meta.lease != lease {
            writer.transact(&self.identity, lease, |_| Ok::<_, ReplicaError>(()))?;
        }
        if let Err(error) = writer.escrow.sync() {
            tracing::warn!(code = error.code(), "what is in escrow may not survive a power loss yet");
        }
        writer.conn.close().map_err(|(_, error)| ReplicaError::from(error))
    }
}

impl Writer {
    fn new(mut conn: Connection, meta: Meta, escrow: Escrow, files: Files) -> Result<Self, ReplicaError> {
        let touched = Touched::watch(&mut conn)?;
        Ok(Self { conn, meta, durability: Durability::Durable, escrow, touched, files })
    }

    /// Brings the escrow file up to what was committed.
    fn follow_escrow(&mut self) {
        let touched = self.touched.take();
        self.escrow.follow(&self.conn, self.meta.escrow_key, &touched);
    }

    fn set_durability(&mut self, durability: Durability) -> Result<(), ReplicaError> {
        if self.durability != durability {
            self.conn.execute_batch(match durability {
                Durability::Durable => "PRAGMA synchronous = FULL",
                Durability::Refetchable => "PRAGMA synchronous = NORMAL",
            })?;
            self.durability = durability;
        }
        Ok(())
    }

    /// Whatever was committed so far survives a power loss.
    fn flush(&mut self) -> Result<(), ReplicaError> {
        if self.durability == Durability::Refetchable {
            self.set_durability(Durability::Durable)?;
            self.conn.execute("UPDATE sync_meta SET generation = generation", [])?;
        }
        Ok(())
    }

    fn transact<T, E: From<ReplicaError>>(
        &mut self,
        identity: &Arc<Identity>,
        lease: Lease,
        body: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<(T, BTreeSet<&'static str>), E> {
        let sql = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(ReplicaError::from)?;
        let mut tx =
            Tx { sql, meta: self.meta.clone(), touched: BTreeSet::new(), identity: Arc::clone(identity) };
        tx.meta.lease = lease;
        let value = body(&mut tx)?;
        if tx.meta != self.meta {
            tx.meta.update(&tx.sql)?;
        }
        let Tx { sql, meta, touched, .. } = tx;
        sql.commit().map_err(ReplicaError::from)?;
        self.meta = meta;
        Ok((value, touched))
    }
}

/// Opens the one connection that writes.
fn open_writer(path: &Path, key: &ReplicaKey, create: bool) -> Result<Connection, ReplicaError> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, create);
    let conn = Connection::open_with_flags(path, flags)?;
    unlock(&conn, key)?;
    // FULL: an edit that was acknowledged survives a power loss, not only a crash of the app.
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA foreign_keys = OFF;
         PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384; PRAGMA wal_autocheckpoint = 4000;",
    )?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    Ok(conn)
}

/// Gives a connection its key and checks that it fits.
fn unlock(conn: &Connection, key: &ReplicaKey) -> Result<(), ReplicaError> {
    // What fails is told by the error, not by SQLCipher on the standard error.
    conn.execute_batch("PRAGMA cipher_log_level = NONE;")?;
    conn.execute_batch(&key.pragma())?;
    conn.execute_batch("PRAGMA cipher_memory_security = OFF;")?;
    conn.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
    Ok(())
}

impl Tx<'_> {
    /// Notes that a table changed.
    pub fn touch(&mut self, name: &'static str) {
        self.touched.insert(name);
    }
}
