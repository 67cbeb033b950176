//! The ledger of erasures: a file outside of PostgreSQL that no restored backup of it can take back.
//!
//! One JSON line per step, each naming the SHA-256 of the line before it. It holds ids, purposes and times, and nothing
//! about a patient beside. Invariant: an erasure is in the ledger, on disk, before anything of it is in the database.

use super::Request;
use super::plan::Plan;
use neonpro_contract::catalogue::Purpose;
use neonpro_contract::ids::{AuthorId, ClinicId, PatientId};
use neonpro_contract::time::ServerInstant;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use uuid::Uuid;

/// Name of the file in a data directory.
const FILE: &str = "erasures.ledger";

/// Why the ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file.
    #[error("reading or writing the ledger of erasures {path} failed")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A line that was changed, or one that is missing.
    #[error(
        "line {line} of the ledger of erasures {path} does not follow the line before it: bring back the file"
    )]
    Broken {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
}

/// Where an erasure stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    Begun,
    Done,
}

/// One line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    step: Step,
    /// The erasure.
    pub erasure: Uuid,
    /// The clinic.
    pub clinic: ClinicId,
    patient: PatientId,
    asked: BTreeSet<Purpose>,
    /// What was erased.
    pub erased: BTreeSet<Purpose>,
    by: AuthorId,
    reason: String,
    at_us: i64,
}

/// A line as it is written.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    entry: Entry,
    /// SHA-256 of the line before it, in hexadecimal; of nothing for the first.
    before: String,
}

impl Entry {
    /// An erasure begins.
    #[must_use]
    pub fn begun(clinic: ClinicId, request: &Request, plan: &Plan, now: ServerInstant) -> Self {
        Self {
            step: Step::Begun,
            erasure: request.id,
            clinic,
            patient: request.patient,
            asked: request.purposes.clone(),
            erased: plan.erase.clone(),
            by: request.by,
            reason: request.reason.clone(),
            at_us: now.0,
        }
    }

    /// It is committed.
    #[must_use]
    pub fn done(clinic: ClinicId, request: &Request, plan: &Plan, now: ServerInstant) -> Self {
        Self { step: Step::Done, ..Self::begun(clinic, request, plan, now) }
    }

    /// The same erasure, committed.
    #[must_use]
    pub fn finished(&self, now: ServerInstant) -> Self {
        Self { step: Step::Done, at_us: now.0, ..self.clone() }
    }

    /// What was asked.
    #[must_use]
    pub fn request(&self) -> Request {
        Request {
            id: self.erasure,
            patient: self.patient,
            purposes: self.asked.clone(),
            by: self.by,
            reason: self.reason.clone(),
        }
    }
}

/// The ledger.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    writing: Mutex<()>,
}

impl Ledger {
    /// The ledger in this file, which need not be there yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, writing: Mutex::new(()) }
    }

    /// Where it is in a data directory.
    #[must_use]
    pub fn file_in(data: &Path) -> PathBuf {
        data.join(FILE)
    }

    /// Adds a line. On disk when it returns.
    ///
    /// # Errors
    /// A file that cannot be written, or whose lines do not follow each other.
    pub fn append(&self, entry: &Entry) -> Result<(), LedgerError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, before) = self.read()?;
        // Its types have no map with other keys than texts and no number JSON does not know.
        let mut line = serde_json::to_string(&Line { entry: entry.clone(), before }).unwrap_or_default();
        line.push('\n');
        let failed = |source| LedgerError::File { path: self.path.clone(), source };
        if let Some(dir) = self.path.parent() {
            std::fs::create_dir_all(dir).map_err(failed)?;
        }
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.path)
            .map_err(failed)?;
        file.write_all(line.as_bytes()).map_err(failed)?;
        file.sync_all().map_err(failed)
    }

    /// Every erasure in the order in which it began, and whether it was finished.
    ///
    /// # Errors
    /// A file that cannot be read, or whose lines do not follow each other.
    pub fn erasures(&self) -> Result<Vec<(Entry, bool)>, LedgerError> {
        let mut found: Vec<(Entry, bool)> = Vec::new();
        let mut places: BTreeMap<Uuid, usize> = BTreeMap::new();
        for entry in self.read()?.0 {
            let done = entry.step == Step::Done;
            match places.get(&entry.erasure).and_then(|at| found.get_mut(*at)) {
                Some(known) => known.1 |= done,
                None => {
                    places.insert(entry.erasure, found.len());
                    found.push((entry, done));
                }
            }
        }
        Ok(found)
    }

    /// Every entry, and the digest of the last line. A last line that was cut off while it was written is none.
    fn read(&self) -> Result<(Vec<Entry>, String), LedgerError> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(LedgerError::File { path: self.path.clone(), source }),
        };
        let (mut entries, mut before) = (Vec::new(), digest(""));
        for (at, line) in text.split_inclusive('\n').enumerate() {
            let broken = || LedgerError::Broken { path: self.path.clone(), line: at.saturating_add(1) };
            let Some(line) = line.strip_suffix('\n') else {
                self.cut(text.len().saturating_sub(line.len()))?;
                break;
            };
            let read: Line = serde_json::from_str(line).map_err(|_| broken())?;
            if read.before != before {
                return Err(broken());
            }
            before = digest(line);
            entries.push(read.entry);
        }
        Ok((entries, before))
    }

    /// Takes away what a crash left of a line: nothing of its erasure was begun.
    fn cut(&self, length: usize) -> Result<(), LedgerError> {
        let failed = |source| LedgerError::File { path: self.path.clone(), source };
        let file = std::fs::OpenOptions::new().write(true).open(&self.path).map_err(failed)?;
        file.set_len(u64::try_from(length).unwrap_or(u64::MAX)).map_err(failed)?;
        file.sync_all().map_err(failed)
    }
}

fn digest(line: &str) -> String {
    let sum = ring::digest::digest(&ring::digest::SHA256, line.as_bytes());
    sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u128, step: Step) -> Entry {
        let request = Request {
            id: Uuid::from_u128(number),
            patient: PatientId(Uuid::from_u128(7)),
            purposes: [Purpose::Photography].into(),
            by: AuthorId(Uuid::from_u128(8)),
            reason: "pedido do titular".into(),
        };
        let plan = Plan { erase: [Purpose::Photography].into(), keep: Vec::new() };
        Entry { step, ..Entry::begun(ClinicId(Uuid::from_u128(9)), &request, &plan, ServerInstant(1)) }
    }

    fn told(ledger: &Ledger) -> Vec<(u128, bool)> {
        ledger.erasures().unwrap().iter().map(|(entry, done)| (entry.erasure.as_u128(), *done)).collect()
    }

    #[test]
    fn erasures_are_read_back_in_their_order_with_what_became_of_them() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(Ledger::file_in(dir.path()));
        assert_eq!(told(&ledger), []);
        for (number, step) in [(1, Step::Begun), (2, Step::Begun), (1, Step::Done)] {
            ledger.append(&entry(number, step)).unwrap();
        }
        assert_eq!(told(&ledger), [(1, true), (2, false)]);
    }

    #[test]
    fn a_line_cut_off_by_a_crash_is_none_and_the_next_follows_the_last_whole_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = Ledger::file_in(dir.path());
        let ledger = Ledger::new(path.clone());
        ledger.append(&entry(1, Step::Begun)).unwrap();
        let whole = std::fs::read(&path).unwrap();
        ledger.append(&entry(2, Step::Begun)).unwrap();
        let both = std::fs::read(&path).unwrap();
        for length in whole.len() + 1..both.len() {
            std::fs::write(&path, &both[..length]).unwrap();
            assert_eq!(told(&ledger), [(1, false)]);
            ledger.append(&entry(3, Step::Begun)).unwrap();
            assert_eq!(told(&ledger), [(1, false), (3, false)]);
        }
    }

    #[test]
    fn a_line_that_was_changed_or_taken_out_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = Ledger::file_in(dir.path());
        let ledger = Ledger::new(path.clone());
        for number in 1..=3 {
            ledger.append(&entry(number, Step::Begun)).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let without = format!("{}\n{}\n", lines[0], lines[2]);
        let changed = text.replacen("pedido", "Pedido", 1);
        for forged in [without, changed] {
            std::fs::write(&path, forged).unwrap();
            assert!(matches!(ledger.erasures(), Err(LedgerError::Broken { line: 2, .. })));
        }
    }
}
