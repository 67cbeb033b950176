//! `sync_meta`: where the replica stands. One row, mirrored in memory by the writer.

use crate::error::ReplicaError;
use crate::lease::Lease;
use minicbor::{Decode, Encode};
use neonpro_contract::digest::Digest;
use neonpro_contract::ids::AuthorId;
use neonpro_contract::time::{Capture, DeviceInstant, ServerInstant};
use neonpro_contract::wire::Position;
use rusqlite::{Connection, params};

/// How far an unmeasured clock may be off, ms.
const CLOCK_UNMEASURED_MS: u32 = 60_000;
/// How fast a tablet's clock drifts, in ms per day (50 ppm).
const CLOCK_DRIFT_MS_PER_DAY: i64 = 4_320;
const US_PER_DAY: i64 = neonpro_contract::time::US_PER_DAY;

/// An unfinished first sync.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Bootstrap {
    /// Where it stands; `None` before the first page.
    #[n(0)]
    pub position: Option<Position>,
    /// The clinic's head when it began: the feed is read from there afterwards.
    #[n(1)]
    pub start_head: i64,
    /// Records received.
    #[n(2)]
    pub done: u64,
    /// Records announced.
    #[n(3)]
    pub total: u64,
    /// Rows existed before it began, so rows that are not met again must go at its end.
    #[n(4)]
    pub again: bool,
    /// Whether the server has said where its head is.
    #[n(5)]
    pub begun: bool,
    /// Feed number applied before everything was fetched again: what people had seen by then.
    #[n(6)]
    pub seen: i64,
}

impl Bootstrap {
    /// One that has not begun.
    pub const fn new(again: bool, seen: i64) -> Self {
        Self { position: None, start_head: -1, done: 0, total: 0, again, begun: false, seen }
    }
}

/// Where the replica stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Meta {
    pub nonce: [u8; 16],
    pub generation: u32,
    pub cursor: i64,
    pub reference_seq: i64,
    pub digest: Digest,
    pub server_epoch: Option<[u8; 16]>,
    pub head: i64,
    pub bootstrap: Option<Bootstrap>,
    pub last_confirmed_at: Option<ServerInstant>,
    pub clock_offset_us: i64,
    pub clock_uncertainty_ms: Option<u32>,
    pub clock_measured_at: Option<i64>,
    pub lease: Lease,
    pub repair: bool,
    pub copied_at: Option<i64>,
    pub stopped: Option<String>,
    /// Who may be an author here; every member when absent.
    pub people: Option<Vec<AuthorId>>,
    /// Whose checkpoints of the server's audit are believed.
    pub audit_key: Option<[u8; 32]>,
    /// Why the server's audit is not believed.
    pub audit_doubt: Option<String>,
    /// The clinic's public key unsent work is sealed to.
    pub escrow_key: Option<[u8; 32]>,
}

const UPDATE: &str =
    "UPDATE sync_meta SET nonce = ?1, generation = ?2, cursor = ?3, reference_seq = ?4, digest = ?5,
    server_epoch = ?6, head = ?7, bootstrap = ?8, last_confirmed_at = ?9, clock_offset_us = ?10,
    clock_uncertainty_ms = ?11, clock_measured_at = ?12, lease_us = ?13, repair = ?14, copied_at = ?15,
    stopped = ?16, people = ?17, lease_used_us = ?18, lease_seen_us = ?19,
    audit_key = ?20, audit_doubt = ?21, escrow_key = ?22 WHERE one = 1";

const SELECT: &str = "SELECT nonce, generation, cursor, reference_seq, digest, server_epoch, head, bootstrap,
    last_confirmed_at, clock_offset_us, clock_uncertainty_ms, clock_measured_at, lease_us, repair, copied_at,
    stopped, people, lease_used_us, lease_seen_us, audit_key, audit_doubt, escrow_key FROM sync_meta WHERE one = 1";

impl Meta {
    /// A replica that has never synced.
    pub fn first(nonce: [u8; 16]) -> Self {
        Self {
            nonce,
            generation: 1,
            cursor: -1,
            reference_seq: 0,
            digest: Digest::default(),
            server_epoch: None,
            head: -1,
            bootstrap: None,
            last_confirmed_at: None,
            clock_offset_us: 0,
            clock_uncertainty_ms: None,
            clock_measured_at: None,
            lease: Lease::default(),
            repair: false,
            copied_at: None,
            stopped: None,
            people: None,
            audit_key: None,
            audit_doubt: None,
            escrow_key: None,
        }
    }

    pub fn append(&self, conn: &Connection) -> Result<(), ReplicaError> {
        conn.execute(
            "INSERT INTO sync_meta (one, nonce, digest) VALUES (1, ?1, ?2)",
            params![self.nonce, self.digest.to_bytes()],
        )?;
        self.update(conn)
    }

    pub fn update(&self, conn: &Connection) -> Result<(), ReplicaError> {
        let bootstrap = self.bootstrap.as_ref().map(|state| minicbor::to_vec(state).unwrap_or_default());
        let people = self.people.as_ref().map(|people| minicbor::to_vec(people).unwrap_or_default());
        conn.prepare_cached(UPDATE)?.execute(params![
            self.nonce,
            self.generation,
            self.cursor,
            self.reference_seq,
            self.digest.to_bytes(),
            self.server_epoch,
            self.head,
            bootstrap,
            self.last_confirmed_at.map(|at| at.0),
            self.clock_offset_us,
            self.clock_uncertainty_ms,
            self.clock_measured_at,
            self.lease.granted_us,
            self.repair,
            self.copied_at,
            self.stopped,
            people,
            self.lease.used_us,
            self.lease.seen_us,
            self.audit_key,
            self.audit_doubt,
            self.escrow_key,
        ])?;
        Ok(())
    }

    pub fn load(conn: &Connection) -> Result<Self, ReplicaError> {
        let (mut meta, bootstrap, people) = conn.query_row(SELECT, [], |row| {
            let bootstrap: Option<Vec<u8>> = row.get(7)?;
            let meta = Self {
                nonce: row.get(0)?,
                generation: row.get(1)?,
                cursor: row.get(2)?,
                reference_seq: row.get(3)?,
                digest: Digest::from_bytes(row.get(4)?),
                server_epoch: row.get(5)?,
                head: row.get(6)?,
                bootstrap: None,
                last_confirmed_at: row.get::<_, Option<i64>>(8)?.map(ServerInstant),
                clock_offset_us: row.get(9)?,
                clock_uncertainty_ms: row.get(10)?,
                clock_measured_at: row.get(11)?,
                lease: Lease { granted_us: row.get(12)?, used_us: row.get(17)?, seen_us: row.get(18)? },
                repair: row.get(13)?,
                copied_at: row.get(14)?,
                stopped: row.get(15)?,
                people: None,
                audit_key: row.get(19)?,
                audit_doubt: row.get(20)?,
                escrow_key: row.get(21)?,
            };
            Ok((meta, bootstrap, row.get::<_, Option<Vec<u8>>>(16)?))
        })?;
        meta.bootstrap = bootstrap
            .map(|bytes| minicbor::decode(&bytes).map_err(|_| ReplicaError::Bookkeeping("bootstrap")))
            .transpose()?;
        meta.people = people
            .map(|bytes| minicbor::decode(&bytes).map_err(|_| ReplicaError::Bookkeeping("people")))
            .transpose()?;
        Ok(meta)
    }

    /// What the device could have seen: the last feed number applied. Never negative.
    pub fn seen_seq(&self) -> i64 {
        self.bootstrap.as_ref().map_or(self.cursor, |state| state.seen).max(0)
    }

    /// Whether the server lets this person write on this device.
    pub fn admits(&self, person: AuthorId) -> bool {
        self.people.as_ref().is_none_or(|people| people.contains(&person))
    }

    /// The capture of something that happens now.
    pub fn capture(&self, now_us: i64) -> Capture {
        Capture { at: DeviceInstant(self.server_time(now_us)), uncertainty_ms: self.uncertainty_ms(now_us) }
    }

    /// The server's time when this clock shows `now_us`, as last measured.
    pub fn server_time(&self, now_us: i64) -> i64 {
        now_us.saturating_add(self.clock_offset_us)
    }

    /// The measured uncertainty, widened by the drift since.
    fn uncertainty_ms(&self, now_us: i64) -> u32 {
        let (Some(measured), Some(at)) = (self.clock_uncertainty_ms, self.clock_measured_at) else {
            return CLOCK_UNMEASURED_MS;
        };
        let elapsed = now_us.saturating_sub(at).saturating_abs();
        let drift = elapsed.saturating_mul(CLOCK_DRIFT_MS_PER_DAY).checked_div(US_PER_DAY).unwrap_or(0);
        measured.saturating_add(u32::try_from(drift).unwrap_or(u32::MAX)).clamp(1, u32::MAX)
    }
}
