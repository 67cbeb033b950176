//! Makes checkpoints: recomputes what was added, signs, and keeps the statement in a file beside the key, in the
//! database for tablets to be told, and in memory.
//!
//! Never signs what it did not recompute. The file is written first: it is the copy that a rewritten database cannot
//! reach.

use super::key::{AuditKey, KeyError};
use super::verify::Walk;
use crate::actor::Actor;
use crate::store::items::{ItemKind, NewItem, Severity};
use crate::store::{Store, StoreResult};
use neonpro_contract::audit::{Checkpoint, genesis};
use neonpro_contract::catalogue::TableId;
use neonpro_contract::ids::ClinicId;
use neonpro_contract::limits::{AUDIT_CHECKPOINT_ENTRIES, AUDIT_CHECKPOINT_SECONDS};
use neonpro_contract::time::{ServerInstant, US_PER_SECOND};
use serde_json::json;
use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Entries recomputed at a time.
const PAGE: usize = 5_000;
/// Name of the key's file in a data directory.
const KEY_FILE: &str = "audit-key";
/// What is added to the key's name for the file of checkpoints.
const CHECKPOINTS_SUFFIX: &str = ".checkpoints";

/// The signer of this server.
#[derive(Debug)]
pub struct Notary {
    key: AuditKey,
    file: PathBuf,
    /// Newest checkpoint of each clinic, as the file has it.
    newest: Mutex<HashMap<ClinicId, Checkpoint>>,
}

impl Notary {
    /// Opens the key and the checkpoints beside it; makes the key where it is missing.
    ///
    /// # Errors
    /// Files that cannot be read or written.
    pub fn open(key: &Path) -> Result<Self, KeyError> {
        let mut name = key.as_os_str().to_owned();
        name.push(CHECKPOINTS_SUFFIX);
        let file = PathBuf::from(name);
        let key = AuditKey::load_or_make(key)?;
        let mut newest: HashMap<ClinicId, Checkpoint> = HashMap::new();
        for checkpoint in read_file(&file)?.into_iter().filter(|c| c.is_signed_by(&key.public_key())) {
            let known = newest.entry(checkpoint.clinic).or_insert_with(|| checkpoint.clone());
            if known.size < checkpoint.size {
                *known = checkpoint;
            }
        }
        Ok(Self { key, file, newest: Mutex::new(newest) })
    }

    /// Where the key of a data directory is.
    #[must_use]
    pub fn key_in(data: &Path) -> PathBuf {
        data.join(KEY_FILE)
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.key.public_key()
    }

    /// Signs what has a context of its own.
    #[must_use]
    pub(crate) fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.key.sign(bytes)
    }

    /// The file of checkpoints.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Every checkpoint of the file.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn checkpoints(&self) -> Result<Vec<Checkpoint>, KeyError> {
        read_file(&self.file)
    }

    /// The newest checkpoint of a clinic.
    #[must_use]
    pub fn newest(&self, clinic: ClinicId) -> Option<Checkpoint> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).get(&clinic).cloned()
    }

    /// Makes a checkpoint of a clinic's log if one is due: enough entries, or enough time with any, or `always` with
    /// any. `None` when none is due, or when the log was tampered with: then an item opens.
    ///
    /// # Errors
    /// A database failure.
    pub async fn attest(
        &self,
        store: &Store,
        clinic: ClinicId,
        now: ServerInstant,
        always: bool,
    ) -> StoreResult<Option<Checkpoint>> {
        let mut scoped = store.begin_read(&Actor::system(clinic)).await?;
        let head = scoped.find_audit_place().await?;
        let before = self.newest(clinic);
        let start = before.as_ref().map_or((0, genesis(clinic)), |before| (before.size, *before.hash));
        if !is_due(start.0, before.as_ref().map(|before| before.at), head.0, now, always) {
            scoped.rollback().await?;
            return Ok(None);
        }
        // The entry the last checkpoint speaks of must still be there: its own hash links the stretch to it.
        let mut walk = Walk::from(clinic, start, std::iter::empty(), &self.key.public_key());
        let mut after = start.0;
        loop {
            let page = scoped.list_audit(after, PAGE).await?;
            page.iter().for_each(|row| walk.step(row));
            after = page.last().map_or(after, |row| row.seq);
            if page.len() < PAGE {
                break;
            }
        }
        scoped.rollback().await?;
        let report = walk.finish(head);
        if let Some(first) = report.findings.first() {
            tracing::error!(%clinic, what = ?first.what, seq = first.seq, "the audit was tampered with; nothing is signed");
            open_item(store, clinic, "audit_broken", json!({ "findings": report.findings }), now).await?;
            return Ok(None);
        }
        let made = Checkpoint::sign(clinic, head, now, self.key.public_key(), |bytes| self.key.sign(bytes));
        if let Err(error) = self.keep(&made) {
            tracing::error!(%error, "keeping a checkpoint failed; the next round makes another");
            return Ok(None);
        }
        let mut scoped = store.begin(&Actor::system(clinic)).await?;
        scoped.append_checkpoint(&made).await?;
        scoped.commit().await?;
        Ok(Some(made))
    }

    /// Appends to the file, durably.
    fn keep(&self, checkpoint: &Checkpoint) -> Result<(), KeyError> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let failed = |source| KeyError::File { path: self.file.clone(), source };
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&self.file)
            .map_err(failed)?;
        file.write_all(format!("{}\n", checkpoint.to_line()).as_bytes()).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        newest.insert(checkpoint.clinic, checkpoint.clone());
        Ok(())
    }
}

fn is_due(known: i64, known_at: Option<ServerInstant>, size: i64, now: ServerInstant, always: bool) -> bool {
    // A log that shrank is looked at too: the walk says so.
    if size == known {
        return false;
    }
    let waited = known_at.is_none_or(|at| {
        now.0.saturating_sub(at.0) >= AUDIT_CHECKPOINT_SECONDS.saturating_mul(US_PER_SECOND)
    });
    always || waited || size < known || size.saturating_sub(known) >= AUDIT_CHECKPOINT_ENTRIES
}

/// Reads a file of checkpoints; a missing one has none. Lines that are none are passed over: a crash may have cut one.
fn read_file(path: &Path) -> Result<Vec<Checkpoint>, KeyError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text.lines().filter_map(Checkpoint::from_line).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(KeyError::File { path: path.to_owned(), source }),
    }
}

/// A person must look at the log.
pub(crate) async fn open_item(
    store: &Store,
    clinic: ClinicId,
    code: &'static str,
    sides: serde_json::Value,
    now: ServerInstant,
) -> StoreResult<()> {
    let clinics = neonpro_contract::catalogue::table("clinics").map_or(TableId(0), |table| table.id);
    let item = NewItem {
        kind: ItemKind::Devices,
        severity: Severity::Urgent,
        code,
        matter: format!("audit/{code}"),
        table: clinics,
        record: clinic.0,
        patient: None,
        sealed_for: None,
        sides,
    };
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    scoped.upsert_items(&[item], now).await?;
    scoped.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_due_by_entries_by_time_and_always_when_the_log_shrank() {
        let at = |seconds: i64| ServerInstant(seconds * US_PER_SECOND);
        let due = |known, size, now, always| is_due(known, Some(at(0)), size, now, always);
        assert!(!due(5, 5, at(AUDIT_CHECKPOINT_SECONDS * 9), true), "nothing to say");
        assert!(!due(5, 6, at(AUDIT_CHECKPOINT_SECONDS - 1), false));
        assert!(due(5, 6, at(AUDIT_CHECKPOINT_SECONDS), false));
        assert!(due(5, 6, at(0), true));
        assert!(due(5, 5 + AUDIT_CHECKPOINT_ENTRIES, at(0), false));
        assert!(due(5, 4, at(0), false));
        assert!(is_due(0, None, 1, at(0), false), "the first one does not wait");
    }
}
