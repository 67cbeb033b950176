//! Reading a CSV file row by row, by the names of its columns.
//!
//! Never holds more than one row. Invariant: every row below the header is counted, whatever it looks like.

use super::ImportError;
use super::remark::{Place, Remark, Remarks};
use csv::{ByteRecord, Reader, ReaderBuilder};
use neonpro_contract::limits::SHORT_TEXT_BYTES_MAX;
use neonpro_contract::validate::br::text::{TextKind, normalise};
use std::fs::File;
use std::path::Path;

/// An open file of which `N` columns are read.
#[derive(Debug)]
pub(super) struct Sheet<const N: usize> {
    file: &'static str,
    reader: Reader<File>,
    names: [&'static str; N],
    places: [usize; N],
    width: usize,
    record: ByteRecord,
    read: u64,
}

/// A row: the columns in the order in which they were asked for.
#[derive(Debug)]
pub(super) struct Line<const N: usize> {
    /// Its first line in the file, counting from 1 with the header.
    pub(super) number: u64,
    /// Its fields: trimmed, in the stored form of text, without control characters.
    pub(super) fields: [String; N],
}

impl<const N: usize> Sheet<N> {
    /// Opens a file below a directory. A byte-order mark is skipped.
    ///
    /// # Errors
    /// When the file cannot be read or lacks a column.
    pub(super) fn open(
        dir: &Path,
        file: &'static str,
        names: [&'static str; N],
    ) -> Result<Self, ImportError> {
        let failed = |source| ImportError::Read { file, source };
        let mut reader = ReaderBuilder::new().flexible(true).from_path(dir.join(file)).map_err(failed)?;
        let header = reader.byte_headers().map_err(failed)?.clone();
        let mut places = [0; N];
        for (place, column) in places.iter_mut().zip(names) {
            let found = header.iter().position(|name| name == column.as_bytes());
            *place = found.ok_or(ImportError::Column { file, column })?;
        }
        Ok(Self { file, reader, names, places, width: header.len(), record: ByteRecord::new(), read: 0 })
    }

    /// How many rows were read, refused ones included.
    pub(super) fn read(&self) -> u64 {
        self.read
    }

    /// Where a column of a row stands.
    pub(super) fn place(&self, line: u64, column: &'static str) -> Place {
        Place { file: self.file, line, column }
    }

    /// The next row that can be read; rows that cannot go into the report.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn next(&mut self, remarks: &mut Remarks) -> Result<Option<Line<N>>, ImportError> {
        loop {
            let failed = |source| ImportError::Read { file: self.file, source };
            if !self.reader.read_byte_record(&mut self.record).map_err(failed)? {
                return Ok(None);
            }
            self.read = self.read.saturating_add(1);
            let number = self.record.position().map_or(0, csv::Position::line);
            if self.record.len() != self.width {
                remarks.refused(self.place(number, ""), Remark::FieldCount)?;
                continue;
            }
            if let Some(fields) = self.fields(number, remarks)? {
                return Ok(Some(Line { number, fields }));
            }
        }
    }

    fn fields(&self, number: u64, remarks: &mut Remarks) -> Result<Option<[String; N]>, ImportError> {
        let mut fields = [const { String::new() }; N];
        for ((field, place), column) in fields.iter_mut().zip(self.places).zip(self.names) {
            let bytes = self.record.get(place).unwrap_or_default();
            let Ok(text) = std::str::from_utf8(bytes) else {
                remarks.refused(self.place(number, column), Remark::NotUtf8)?;
                return Ok(None);
            };
            let mut text = std::borrow::Cow::Borrowed(text);
            if text.contains(char::is_control) {
                remarks.taken(self.place(number, column), Remark::ControlCharacter)?;
                let words = text.split(char::is_control).map(str::trim).filter(|word| !word.is_empty());
                text = words.collect::<Vec<_>>().join(" ").into();
            }
            let Ok(text) = normalise(text.trim(), TextKind::Line, SHORT_TEXT_BYTES_MAX) else {
                remarks.refused(self.place(number, column), Remark::Invalid)?;
                return Ok(None);
            };
            *field = text;
        }
        Ok(Some(fields))
    }
}
