//! Importing public data sets: procedures (TUSS), products (ANVISA), appointments (no-show).
//!
//! Owns the reading of other people's files and what becomes of each row. Never guesses in silence: a row that is
//! refused, or taken with a change, has a line in the report. Invariants: a run accounts for every row it read, and a
//! run that was interrupted is finished by running it again, because ids follow from the source's own keys.
//!
//! What is mapped to what, and the traps of each file: `docs/import.md`.

mod anvisa;
mod command;
mod keys;
pub mod local_time;
mod remark;
mod sheet;
mod tuss;
mod visits;
mod writer;

pub use command::{ImportArgs, command};
pub use remark::Remark;

use self::remark::Remarks;
use crate::store::load::Loaded;
use crate::store::{Store, StoreError};
use neonpro_contract::time::ServerInstant;
use serde::Serialize;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// A data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Source {
    /// Procedures of TUSS table 22.
    Tuss,
    /// Appointments of the health units of one city, as a network of clinics.
    NoShow,
    /// Medical devices registered with ANVISA, into clinics of that network.
    Anvisa,
}

impl Source {
    /// All of them, in the order in which they are imported.
    pub const ALL: [Self; 3] = [Self::Tuss, Self::NoShow, Self::Anvisa];

    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tuss => "tuss",
            Self::NoShow => "no_show",
            Self::Anvisa => "anvisa",
        }
    }
}

/// What to import.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// Directory with `tuss/`, `anvisa/` and `no_show/`.
    pub from: PathBuf,
    /// Only these; empty means all.
    pub only: Vec<Source>,
    /// Where the report is written, if anywhere.
    pub report: Option<PathBuf>,
    /// How many clinics, largest first, get the aesthetic products; the first gets every product.
    pub anvisa_clinics: usize,
}

/// How far a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The source.
    pub source: Source,
    /// Records handled.
    pub done: u64,
    /// Records there are: never below `done`.
    pub total: u64,
}

/// Told after every transaction; breaking stops the import there.
pub type OnProgress<'a> = dyn FnMut(Progress) -> ControlFlow<()> + Send + 'a;

/// What became of the rows of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileTotals {
    /// The file, below the source directory.
    pub file: &'static str,
    /// Rows read.
    pub read: u64,
    /// Rows taken.
    pub taken: u64,
    /// Of those, rows taken with a remark.
    pub remarked: u64,
    /// Rows refused.
    pub refused: u64,
    /// Records the taken rows stand for.
    pub records: u64,
    /// Of those, records written now.
    pub written: u64,
    /// Of those, records that were there already.
    pub present: u64,
}

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ImportReport {
    /// By file.
    pub files: Vec<FileTotals>,
    /// Clinics the import made or found.
    pub clinics: u64,
    /// Patients the import made or found: one record per unit where a person was seen.
    pub patients: u64,
    /// Distinct people behind them.
    pub people: u64,
    /// Remarks by code.
    pub remarks: BTreeMap<&'static str, u64>,
}

/// Why an import stopped.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file cannot be read.
    #[error("{file} cannot be read")]
    Read {
        /// The file.
        file: &'static str,
        /// What the reader says.
        #[source]
        source: csv::Error,
    },
    /// A file lacks a column.
    #[error("{file} has no column {column}")]
    Column {
        /// The file.
        file: &'static str,
        /// The column.
        column: &'static str,
    },
    /// The report cannot be written.
    #[error("the report cannot be written")]
    Report(#[source] csv::Error),
    /// The database.
    #[error("the import stopped in the database; run it again to go on")]
    Store(#[from] StoreError),
    /// The clinics that should get the products are not there yet.
    #[error("the clinics of no_show are not there: import no_show first")]
    NoClinics,
    /// The catalogue lacks a table or column this importer writes.
    #[error("the catalogue has no {0}")]
    Catalogue(&'static str),
    /// The caller asked to stop.
    #[error("stopped; run it again to go on")]
    Stopped,
    /// Rows are unaccounted for: a defect of the importer.
    #[error("{file}: {read} rows read, {taken} taken, {refused} refused")]
    Unreconciled {
        /// The file.
        file: &'static str,
        /// Rows read.
        read: u64,
        /// Rows taken.
        taken: u64,
        /// Rows refused.
        refused: u64,
    },
}

/// One import under way.
struct Run<'a> {
    store: &'a Store,
    options: &'a ImportOptions,
    now: ServerInstant,
    remarks: Remarks,
    progress: &'a mut OnProgress<'a>,
    report: ImportReport,
}

/// Imports. Everything is written in transactions of at most a few thousand records.
///
/// # Errors
/// See [`ImportError`]; what was committed stays, and running again goes on from there.
///
/// # Cancel safety
/// Cancelled, it leaves whole transactions; run again, it goes on.
pub async fn run<'a>(
    store: &'a Store,
    options: &'a ImportOptions,
    now: ServerInstant,
    progress: &'a mut OnProgress<'a>,
) -> Result<ImportReport, ImportError> {
    let remarks = Remarks::open(options.report.as_deref())?;
    let mut run = Run { store, options, now, remarks, progress, report: ImportReport::default() };
    for source in Source::ALL {
        if !options.only.is_empty() && !options.only.contains(&source) {
            continue;
        }
        match source {
            Source::Tuss => tuss::import(&mut run).await?,
            Source::NoShow => visits::import(&mut run).await?,
            Source::Anvisa => anvisa::import(&mut run).await?,
        }
    }
    run.report.remarks = run.remarks.close()?;
    Ok(run.report)
}

impl Run<'_> {
    /// Says how far it is; an error if the caller wants to stop.
    fn told(&mut self, source: Source, done: u64, total: u64) -> Result<(), ImportError> {
        match (self.progress)(Progress { source, done: done.min(total), total }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(ImportError::Stopped),
        }
    }

    /// Closes a file's account: every row is taken or refused, and every record of a taken row is in the database.
    fn settle(
        &mut self,
        file: &'static str,
        read: u64,
        taken: u64,
        records: u64,
        loaded: Loaded,
    ) -> Result<(), ImportError> {
        let (remarked, refused) = self.remarks.settle();
        let found = loaded.records.saturating_add(loaded.present);
        if read != taken.saturating_add(refused) || records != found {
            return Err(ImportError::Unreconciled { file, read, taken, refused });
        }
        let (written, present) = (loaded.records, loaded.present);
        self.report.files.push(FileTotals {
            file,
            read,
            taken,
            remarked,
            refused,
            records,
            written,
            present,
        });
        Ok(())
    }
}
