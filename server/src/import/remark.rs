//! The report: one line for every row that is refused, or taken with a change.
//!
//! Invariant: a line names the file, the row and the reason, never what stood in the row.

use super::ImportError;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

/// Why a row needs a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remark {
    /// The row has another number of fields than the header.
    FieldCount,
    /// A field is not UTF-8.
    NotUtf8,
    /// A field without which there is no record is empty.
    Empty,
    /// A date or instant cannot be read.
    Unreadable,
    /// A value is none of those the source documents.
    UnknownValue,
    /// Another row of the file has the same key.
    Duplicate,
    /// The record would break a rule of the product.
    Invalid,
    /// A whole column is not mapped.
    ColumnNotTaken,
    /// Tabs or control characters were replaced by a space.
    ControlCharacter,
    /// A TUSS code does not fit its check digit.
    TussCheckDigit,
    /// A TUSS code has not eight digits.
    TussForm,
    /// A TUSS term is no longer in force.
    TussNotInForce,
    /// A CNPJ does not fit its check digits.
    CnpjCheckDigits,
    /// A registration number looks like none of ANVISA's kinds.
    RegistrationForm,
    /// A registration number was seen before.
    RegistrationRepeated,
    /// An optional date is missing.
    DateMissing,
    /// Age below zero.
    AgeBelowZero,
    /// Age above 115 years.
    AgeAbove115,
    /// A patient's ages contradict each other by more than a birthday.
    AgeVaries,
    /// A patient id written like a number with an exponent.
    ExponentInId,
    /// The visit's day lies before the booking's.
    VisitBeforeBooking,
    /// Patient, booking and visit of another row.
    RepeatedBooking,
    /// No free slot after the booking on the day of the visit.
    SlotBeforeBooking,
}

impl Remark {
    /// Every remark.
    pub const ALL: [Self; 23] = [
        Self::FieldCount,
        Self::NotUtf8,
        Self::Empty,
        Self::Unreadable,
        Self::UnknownValue,
        Self::Duplicate,
        Self::Invalid,
        Self::ColumnNotTaken,
        Self::ControlCharacter,
        Self::TussCheckDigit,
        Self::TussForm,
        Self::TussNotInForce,
        Self::CnpjCheckDigits,
        Self::RegistrationForm,
        Self::RegistrationRepeated,
        Self::DateMissing,
        Self::AgeBelowZero,
        Self::AgeAbove115,
        Self::AgeVaries,
        Self::ExponentInId,
        Self::VisitBeforeBooking,
        Self::RepeatedBooking,
        Self::SlotBeforeBooking,
    ];

    /// The stable code and what was done about it.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::FieldCount => ("field_count", "refused: other number of fields than the header"),
            Self::NotUtf8 => ("not_utf8", "refused: not UTF-8"),
            Self::Empty => ("empty", "refused: a required field is empty"),
            Self::Unreadable => ("unreadable", "refused: a date or instant cannot be read"),
            Self::UnknownValue => {
                ("unknown_value", "taken without this value, or refused if nothing is left")
            }
            Self::Duplicate => ("duplicate", "refused: its key was seen before"),
            Self::Invalid => ("invalid", "refused: breaks a rule of the product"),
            Self::ColumnNotTaken => ("column_not_taken", "the whole column is not imported"),
            Self::ControlCharacter => ("control_character", "taken, control characters replaced by a space"),
            Self::TussCheckDigit => ("tuss_check_digit", "taken as it is"),
            Self::TussForm => ("tuss_form", "taken as it is"),
            Self::TussNotInForce => ("tuss_not_in_force", "taken as not active"),
            Self::CnpjCheckDigits => ("cnpj_check_digits", "taken as it is"),
            Self::RegistrationForm => ("registration_form", "taken as it is"),
            Self::RegistrationRepeated => ("registration_repeated", "taken as another product"),
            Self::DateMissing => ("date_missing", "taken without the date"),
            Self::AgeBelowZero => ("age_below_zero", "taken without a date of birth"),
            Self::AgeAbove115 => ("age_above_115", "taken without a date of birth"),
            Self::AgeVaries => ("age_varies", "taken, the age at the first visit counts"),
            Self::ExponentInId => ("exponent_in_id", "taken, the id is a text"),
            Self::VisitBeforeBooking => ("visit_before_booking", "taken as it is"),
            Self::RepeatedBooking => ("repeated_booking", "taken as another appointment"),
            Self::SlotBeforeBooking => ("slot_before_booking", "taken, the day had no later slot"),
        }
    }

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.words().0
    }
}

/// The report under way.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    writer: Option<csv::Writer<File>>,
    by_code: BTreeMap<&'static str, u64>,
    remarked: BTreeSet<u64>,
    refused: BTreeSet<u64>,
}

impl Remarks {
    /// Opens the report file, if there is to be one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, ImportError> {
        let mut writer = path.map(csv::Writer::from_path).transpose().map_err(ImportError::Report)?;
        if let Some(writer) = &mut writer {
            let header = ["file", "line", "column", "reason_code", "detail"];
            writer.write_record(header).map_err(ImportError::Report)?;
        }
        Ok(Self { writer, ..Self::default() })
    }

    /// A row that is taken nevertheless.
    ///
    /// # Errors
    /// When the report cannot be written.
    pub(super) fn taken(&mut self, at: Place, remark: Remark) -> Result<(), ImportError> {
        if !self.refused.contains(&at.line) {
            self.remarked.insert(at.line);
        }
        self.write(at, remark)
    }

    /// A row that is not taken.
    ///
    /// # Errors
    /// When the report cannot be written.
    pub(super) fn refused(&mut self, at: Place, remark: Remark) -> Result<(), ImportError> {
        self.remarked.remove(&at.line);
        self.refused.insert(at.line);
        self.write(at, remark)
    }

    /// A remark on a file as a whole.
    ///
    /// # Errors
    /// When the report cannot be written.
    pub(super) fn of_file(&mut self, file: &'static str, column: &'static str) -> Result<(), ImportError> {
        self.write(Place { file, line: 1, column }, Remark::ColumnNotTaken)
    }

    /// Ends a file: rows taken with a remark, and rows refused.
    pub(super) fn settle(&mut self) -> (u64, u64) {
        let count = |lines: &BTreeSet<u64>| u64::try_from(lines.len()).unwrap_or(u64::MAX);
        let counts = (count(&self.remarked), count(&self.refused));
        self.remarked.clear();
        self.refused.clear();
        counts
    }

    /// Finishes the report; how often each code occurred.
    ///
    /// # Errors
    /// When the report cannot be written.
    pub(super) fn close(&mut self) -> Result<BTreeMap<&'static str, u64>, ImportError> {
        if let Some(writer) = &mut self.writer {
            writer.flush().map_err(|error| ImportError::Report(error.into()))?;
        }
        Ok(std::mem::take(&mut self.by_code))
    }

    fn write(&mut self, at: Place, remark: Remark) -> Result<(), ImportError> {
        let (code, detail) = remark.words();
        let count = self.by_code.entry(code).or_default();
        *count = count.saturating_add(1);
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let line = at.line.to_string();
        writer.write_record([at.file, line.as_str(), at.column, code, detail]).map_err(ImportError::Report)
    }
}

/// Where something stands in a source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The file.
    pub(super) file: &'static str,
    /// The row's first line, counting from 1 with the header.
    pub(super) line: u64,
    /// The column, or nothing for the row.
    pub(super) column: &'static str,
}
