//! The trial itself: merge, save, load, compare. Pure; runs in the worker, and in tests and fuzzing.
//!
//! Invariant: an edit that is not merged leaves every document as it was.

use super::message::{Base, Heads, Step, Verdict};
use neonpro_contract::document::{Clamps, Document, DocumentError, ParsedChange};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::limits::DOCUMENT_BYTES_MAX;
use neonpro_contract::row::Row;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Copies of the documents of one batch.
#[derive(Debug)]
pub struct Scratch {
    copies: Vec<WorkingCopy>,
}

#[derive(Debug)]
struct WorkingCopy {
    base: Base,
    document: Option<Document>,
    /// What was merged since the base: a copy that failed is built anew from both.
    merged: Vec<ParsedChange>,
}

/// Why an edit was not merged.
enum Stop {
    Unmerged,
    Harms,
}

impl Scratch {
    /// Copies of these documents.
    #[must_use]
    pub fn new(bases: Vec<Base>) -> Self {
        let copy = |base| WorkingCopy { base, document: None, merged: Vec::new() };
        Self { copies: bases.into_iter().map(copy).collect() }
    }

    /// Tries one edit.
    pub fn admit(&mut self, edit: &[Step]) -> Verdict {
        let tried = catch_unwind(AssertUnwindSafe(|| self.merge(edit))).unwrap_or(Err(Stop::Harms));
        match tried {
            Ok(heads) => {
                for step in edit {
                    if let (Some(copy), Ok(change)) = (self.copy(step), ParsedChange::parse(&step.change)) {
                        copy.merged.push(change);
                    }
                }
                Verdict::Fits(heads)
            }
            Err(stop) => {
                for step in edit {
                    if let Some(copy) = self.copy(step) {
                        copy.document = None;
                    }
                }
                match stop {
                    Stop::Unmerged => Verdict::Unmerged,
                    Stop::Harms => Verdict::Harms,
                }
            }
        }
    }

    fn copy(&mut self, step: &Step) -> Option<&mut WorkingCopy> {
        self.copies.get_mut(usize::try_from(step.base).ok()?)
    }

    fn merge(&mut self, edit: &[Step]) -> Result<Vec<Heads>, Stop> {
        let mut heads = Vec::with_capacity(edit.len());
        for step in edit {
            let change = ParsedChange::parse(&step.change).map_err(|_| Stop::Harms)?;
            let document = self.copy(step).ok_or(Stop::Harms)?.open()?;
            if !document.contains(&change.hash()) {
                document.apply(&change).map_err(|error| match error {
                    DocumentError::Write => Stop::Harms,
                    _ => Stop::Unmerged,
                })?;
                prove(document)?;
            }
            heads.push(document.heads().into_iter().map(Into::into).collect());
        }
        Ok(heads)
    }
}

impl WorkingCopy {
    fn open(&mut self) -> Result<&mut Document, Stop> {
        if self.document.is_none() {
            // A base that cannot be built is the server's own trouble: the judge meets it and says so.
            let mut document = build(&self.base).ok_or(Stop::Unmerged)?;
            for change in &self.merged {
                if !document.contains(&change.hash()) {
                    document.apply(change).map_err(|_| Stop::Harms)?;
                }
            }
            self.document = Some(document);
        }
        self.document.as_mut().ok_or(Stop::Harms)
    }
}

fn build(base: &Base) -> Option<Document> {
    let table = base.document.table()?;
    if let Some(saved) = &base.saved {
        return Document::load(base.document, saved).ok();
    }
    let row = match &base.row {
        Some(row) => Row::decode_from(&mut minicbor::Decoder::new(row), table).ok()?,
        None => Row::empty(table),
    };
    Document::genesis(base.document, base.epoch, &row).ok()
}

/// What is stored must read back as what was merged.
fn prove(document: &mut Document) -> Result<(), Stop> {
    document.check_fields().map_err(|_| Stop::Unmerged)?;
    let merged = values(document)?;
    let saved = document.save();
    if saved.len() > DOCUMENT_BYTES_MAX {
        return Err(Stop::Harms);
    }
    let mut again = Document::load(document.id(), &saved).map_err(|_| Stop::Harms)?;
    let same = again.heads() == document.heads() && values(&again).is_ok_and(|values| values == merged);
    if same { Ok(()) } else { Err(Stop::Harms) }
}

fn values(document: &Document) -> Result<Row, Stop> {
    let mut row = Row::empty(document.table());
    document.project(&Clamps::new(), &mut row).map_err(|_| Stop::Unmerged)?;
    Ok(row)
}

impl Base {
    /// The base of a document that has no live history.
    #[must_use]
    pub fn of_row(document: DocumentId, epoch: u32, row: Option<&Row>) -> Self {
        let row = row.map(|row| {
            let mut bytes = Vec::with_capacity(256);
            // Writing to memory cannot fail.
            let _: Result<(), minicbor::encode::Error<std::convert::Infallible>> =
                row.encode_to(&mut minicbor::Encoder::new(&mut bytes));
            bytes.into()
        });
        Self { document, epoch, saved: None, row }
    }
}
