//! The escrow file beside the replica: every edit the server has not settled, sealed to the clinic's public key.
//!
//! Owns that file. It is written after the commit of an edit, so it may lack what was committed last when the app was
//! killed in between, and it may still hold what was settled last; both are put right at the next opening, by comparing.
//! Nothing here can read what is sealed, and no failure here fails an edit. Invariants: while [`Escrow::is_complete`],
//! everything owed is in the file; a file of another device is set aside, never written over.

mod compact;
mod seal;
mod touched;

pub(crate) use touched::Touched;

use seal::Sealing;
pub(crate) use seal::seal_file_key;

use super::files::{beside, sync_folder};
use crate::crash;
use crate::device::Identity;
use crate::error::ReplicaError;
use neonpro_contract::escrow::{HEADER_BYTES, Header, Record, Records, mark, read_header};
use neonpro_contract::ids::EditId;
use neonpro_contract::limits::HANDOVER_BYTES_MAX;
use rusqlite::{Connection, Row};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// What the server has not settled: on its way, set aside, or decided about without the server having heard.
const OWED: &str = "(state < 6 OR (state = 6 AND told IN (1, 2)))";
/// Settled records are left in the file until they are this many bytes, and more than what is owed.
const DEAD_BYTES_MAX: u64 = 64 * 1024;

/// Where an edit stands in the file.
#[derive(Debug, Clone)]
struct Kept {
    mark: [u8; 16],
    place: Range<u64>,
}

/// The file, and what of it counts.
pub(crate) struct Escrow {
    path: PathBuf,
    identity: (neonpro_contract::ids::ClinicId, neonpro_contract::ids::DeviceId),
    /// `None` until the clinic's key is known and the file is there.
    open: Option<(File, Header)>,
    kept: BTreeMap<EditId, Kept>,
    end: u64,
    sequence: u64,
    /// Seals what this opening of the file appends.
    sealing: Option<Sealing>,
    /// Everything owed is in the file.
    complete: bool,
}

/// An edit as it lies in the replica.
struct Owed {
    edit: EditId,
    intent: String,
    envelope: Vec<u8>,
    signature: Vec<u8>,
}

impl Escrow {
    /// The file beside a replica, as it was left. Whatever cannot be read of it is written anew.
    pub fn beside(replica: &Path, identity: &Identity) -> Self {
        Self {
            path: beside(replica, ".escrow"),
            identity: (identity.clinic, identity.device),
            open: None,
            kept: BTreeMap::new(),
            end: 0,
            sequence: 0,
            sealing: None,
            complete: false,
        }
    }

    /// Whether everything owed is in the file.
    pub const fn is_complete(&self) -> bool {
        self.complete
    }

    /// Edits in the file that are owed.
    pub fn edits(&self) -> usize {
        self.kept.len()
    }

    /// Brings the file up to the replica: of the edits that were touched, or of all where more than them may be missing.
    pub fn follow(&mut self, conn: &Connection, key: Option<[u8; 32]>, touched: &BTreeSet<i64>) {
        let Some(key) = key else { return };
        let fits = self.open.as_ref().is_some_and(|(_, header)| header.public_key == key);
        if self.complete && fits && touched.is_empty() {
            return;
        }
        let followed =
            if self.complete && fits { self.apply(conn, touched) } else { self.compare(conn, key) };
        self.complete = followed.is_ok();
        if let Err(error) = followed {
            tracing::warn!(code = error.code(), "unsent work is not in escrow; the next write tries again");
        }
    }

    /// Of the edits that were touched.
    fn apply(&mut self, conn: &Connection, touched: &BTreeSet<i64>) -> Result<(), ReplicaError> {
        let sql = format!("SELECT edit, intent, envelope, signature, {OWED} FROM sync_intent WHERE n = ?1");
        let mut statement = conn.prepare_cached(&sql)?;
        let mut missing = Vec::new();
        for n in touched {
            let mut rows = statement.query([n])?;
            // One that is gone was settled before.
            let Some(row) = rows.next()? else { continue };
            let edit = edit_of(row)?;
            if row.get::<_, bool>(4)? {
                missing.extend(self.lacks(row)?);
            } else {
                self.kept.remove(&edit);
            }
        }
        self.append(&missing)?;
        self.prune()
    }

    /// Compares the whole file with the replica. One that cannot be used as it is, is written anew.
    fn compare(&mut self, conn: &Connection, key: [u8; 32]) -> Result<(), ReplicaError> {
        let (clinic, device) = self.identity;
        self.reopen(Header { clinic, device, public_key: key })?;
        let sql =
            format!("SELECT edit, intent, envelope, signature FROM sync_intent WHERE {OWED} ORDER BY n");
        let mut statement = conn.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let (mut owed, mut missing) = (BTreeSet::new(), Vec::new());
        while let Some(row) = rows.next()? {
            owed.insert(edit_of(row)?);
            missing.extend(self.lacks(row)?);
        }
        self.kept.retain(|edit, _| owed.contains(edit));
        self.append(&missing)?;
        self.prune()
    }

    /// The edit of a row, unless it is in the file as it stands.
    fn lacks(&self, row: &Row<'_>) -> Result<Option<Owed>, ReplicaError> {
        let (edit, signature) = (edit_of(row)?, row.get::<_, Vec<u8>>(3)?);
        if self.kept.get(&edit).is_some_and(|kept| kept.mark == mark(&signature)) {
            return Ok(None);
        }
        Ok(Some(Owed { edit, intent: row.get(1)?, envelope: row.get(2)?, signature }))
    }

    /// Opens the file, or makes it; cuts a torn end off.
    fn reopen(&mut self, header: Header) -> Result<(), ReplicaError> {
        self.open = None;
        self.sealing = None;
        self.kept.clear();
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        match read_header(&bytes) {
            Some(found) if found == header => {
                let mut records = Records::of(&bytes);
                for (place, record) in records.by_ref() {
                    let place = place.start as u64..place.end as u64;
                    self.sequence = record.sequence;
                    self.kept.insert(record.edit, Kept { mark: record.mark, place });
                }
                let file = OpenOptions::new().read(true).write(true).open(&self.path)?;
                self.end = records.position() as u64;
                file.set_len(self.end)?;
                self.open = Some((file, header));
                Ok(())
            }
            // Sealed to an earlier key of this clinic: everything owed is in the replica, and is sealed anew.
            Some(found) if (found.clinic, found.device) == (header.clinic, header.device) => {
                self.write_anew(header)
            }
            None if bytes.is_empty() => self.write_anew(header),
            Some(_) | None => {
                set_aside(&self.path)?;
                self.write_anew(header)
            }
        }
    }

    /// Seals edits and puts them behind the others, in one write.
    fn append(&mut self, missing: &[Owed]) -> Result<(), ReplicaError> {
        if missing.is_empty() {
            return Ok(());
        }
        let Some((file, header)) = &mut self.open else { return Err(ReplicaError::Bookkeeping("escrow")) };
        let sealing = match self.sealing.take() {
            Some(sealing) => sealing,
            None => Sealing::begin(header)?,
        };
        let (mut bytes, mut kept) = (Vec::new(), Vec::with_capacity(missing.len()));
        for owed in missing {
            let start = bytes.len() as u64;
            self.sequence = self.sequence.saturating_add(1);
            let mark = mark(&owed.signature);
            let intent = if owed.intent.len() <= HANDOVER_BYTES_MAX { owed.intent.as_bytes() } else { b"" };
            let sealed =
                sealing.seal((self.sequence, owed.edit, &mark), &owed.envelope, &owed.signature, intent)?;
            let (sequence, encapsulated) = (self.sequence, sealing.encapsulated);
            let record = Record { sequence, edit: owed.edit, mark, encapsulated, sealed: &sealed };
            record.append_to(&mut bytes);
            let place = self.end.saturating_add(start)..self.end.saturating_add(bytes.len() as u64);
            kept.push((owed.edit, Kept { mark, place }));
        }
        crash::point("escrow.before_append");
        file.seek(SeekFrom::Start(self.end))?;
        file.write_all(&bytes)?;
        crash::point("escrow.after_append");
        self.end = self.end.saturating_add(bytes.len() as u64);
        self.kept.extend(kept);
        self.sealing = Some(sealing);
        Ok(())
    }

    /// What was written survives a power loss.
    pub fn sync(&self) -> Result<(), ReplicaError> {
        match &self.open {
            Some((file, _)) => Ok(file.sync_data()?),
            None => Ok(()),
        }
    }

    /// Makes sure that everything owed is in the file and on the storage: compares all, flushes, and reads it again.
    pub fn ensure(&mut self, conn: &Connection, key: Option<[u8; 32]>) -> Result<(), ReplicaError> {
        let owed: i64 =
            conn.query_row(&format!("SELECT count(*) FROM sync_intent WHERE {OWED}"), [], |row| row.get(0))?;
        let Some(key) = key else {
            return if owed == 0 { Ok(()) } else { Err(ReplicaError::Bookkeeping("escrow")) };
        };
        self.complete = false;
        self.compare(conn, key)?;
        self.sync()?;
        sync_folder(&self.path)?;
        self.compare(conn, key)?;
        self.complete = i64::try_from(self.kept.len()).is_ok_and(|kept| kept == owed);
        if self.complete { Ok(()) } else { Err(ReplicaError::Bookkeeping("escrow")) }
    }

    fn bytes_owed(&self) -> u64 {
        self.kept.values().map(|kept| kept.place.end.saturating_sub(kept.place.start)).sum()
    }

    fn bytes_dead(&self) -> u64 {
        self.end.saturating_sub(HEADER_BYTES as u64).saturating_sub(self.bytes_owed())
    }
}

fn edit_of(row: &Row<'_>) -> Result<EditId, ReplicaError> {
    Ok(EditId(Uuid::from_bytes(row.get(0)?)))
}

/// A file that is not this device's goes out of the way, whole.
fn set_aside(path: &Path) -> Result<(), ReplicaError> {
    let free = (1u32..).map(|n| beside(path, &format!(".kept-{n}"))).find(|aside| !aside.exists());
    let aside = free.ok_or(ReplicaError::Exists)?;
    Ok(std::fs::rename(path, aside)?)
}

#[cfg(test)]
mod tests;
