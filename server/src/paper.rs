//! Papers: what a person is handed as PDF. Certificates, statements, reports.
//!
//! Owns the layout of A4 pages from blocks of text. Never reads the database and never decides what a paper says. PDF/A-3
//! (ISO 19005-3) with structure tags: it reads the same in twenty years, aloud too, and carries the data it was made from.

mod face;
mod lines;
mod sheet;

use krilla::configure::{Archival, ConfigurationBuilder};
use krilla::embed::{AssociationKind, EmbeddedFile, MimeType};
use krilla::metadata::{DateTime, Metadata};
use krilla::tagging::TagTree;
use krilla::{Document, SerializeSettings};
use neonpro_contract::time::ServerInstant;

use chrono::{DateTime as Moment, Datelike as _, Timelike as _, Utc};
use face::Faces;
use sheet::Sheets;

/// Language of every paper.
const LANGUAGE: &str = "pt-BR";

/// A paper.
#[derive(Debug, Clone)]
pub struct Paper {
    /// Its title, on the first page and in the metadata.
    pub title: String,
    /// Who hands it out, above the title.
    pub issuer: String,
    /// At the foot of every page, beside the page's number.
    pub foot: String,
    /// When it was made.
    pub made_at: ServerInstant,
    /// What it says, in order.
    pub blocks: Vec<Block>,
    /// The data it was made from, for programs.
    pub data: Option<Data>,
}

/// A part of a paper.
#[derive(Debug, Clone)]
pub enum Block {
    /// A heading.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// A paragraph in small print.
    Small(String),
    /// Labels and what they stand for, one below the other.
    Facts(Vec<(String, String)>),
    /// A table; columns share the width by `shares`.
    Table {
        /// Width of each column, relative to the others.
        shares: Vec<u16>,
        /// Heads of the columns.
        head: Vec<String>,
        /// Rows; a missing cell is empty.
        rows: Vec<Vec<String>>,
    },
}

/// A file inside of the PDF.
#[derive(Debug, Clone)]
pub struct Data {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub media_type: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The PDF could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the paper could not be made: {0}")]
pub struct PaperError(String);

impl Paper {
    /// The PDF's bytes. The same paper gives the same bytes.
    ///
    /// # Errors
    /// When the font cannot be read or the PDF would not conform.
    pub fn pdf(&self) -> Result<Vec<u8>, PaperError> {
        let failed = |what: &'static str| move || PaperError(what.to_owned());
        let configuration = ConfigurationBuilder::new()
            .with_archival_validator(Archival::A3_A)
            .finish()
            .map_err(|error| PaperError(format!("{error:?}")))?;
        let settings = SerializeSettings { configuration, ..SerializeSettings::default() };
        let mut document = Document::new_with(settings);
        document.set_metadata(self.metadata().ok_or_else(failed("its date is out of range"))?);
        let faces = Faces::load().ok_or_else(failed("its font does not read"))?;
        let tags = self
            .sheets(&faces)
            .print(&mut document, &self.foot)
            .ok_or_else(failed("a page is out of range"))?;
        document.set_tag_tree(TagTree { children: tags, lang: Some(LANGUAGE.to_owned()) });
        if let Some(data) = &self.data {
            document.embed_file(self.file(data)).ok_or_else(failed("two of its files have one name"))?;
        }
        document.finish().map_err(|error| PaperError(format!("{error:?}")))
    }

    fn sheets<'f>(&self, faces: &'f Faces) -> Sheets<'f> {
        let mut sheets = Sheets::new(faces);
        sheets.title(&self.issuer, &self.title);
        for block in &self.blocks {
            sheets.block(block);
        }
        sheets
    }

    fn date(&self) -> Option<DateTime> {
        let at: Moment<Utc> = Moment::from_timestamp_micros(self.made_at.0)?;
        let part = |value: u32| u8::try_from(value).ok();
        Some(
            DateTime::new(u16::try_from(at.year()).ok()?)
                .month(part(at.month())?)
                .day(part(at.day())?)
                .hour(part(at.hour())?)
                .minute(part(at.minute())?)
                .second(part(at.second())?)
                .utc_offset_hour(0)
                .utc_offset_minute(0),
        )
    }

    fn metadata(&self) -> Option<Metadata> {
        Some(
            Metadata::new()
                .title(self.title.clone())
                .authors(vec![self.issuer.clone()])
                .language(LANGUAGE.to_owned())
                .creator("NeonPro".to_owned())
                .creation_date(self.date()?),
        )
    }

    fn file(&self, data: &Data) -> EmbeddedFile {
        EmbeddedFile {
            path: data.name.clone(),
            mime_type: MimeType::new(data.media_type),
            description: Some(self.title.clone()),
            association_kind: AssociationKind::Source,
            data: data.bytes.clone().into(),
            modification_date: self.date(),
            compress: None,
            location: None,
        }
    }
}

#[cfg(test)]
mod tests;
