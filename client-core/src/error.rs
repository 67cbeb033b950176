//! What can go wrong with a replica, and why an edit is not taken. No personal data in either.

use neonpro_contract::document::{DocumentError, EditError};
use neonpro_contract::fate::Code;
use neonpro_contract::validate::Invalid;
use std::path::PathBuf;

/// A failure of the replica itself.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaError {
    /// There is no file at this path.
    #[error("there is no replica at this path")]
    Missing,
    /// There already is a file at this path; a replica is never overwritten.
    #[error("there already is a file at this path")]
    Exists,
    /// The key does not open the file.
    #[error("the key does not open this file")]
    WrongKey,
    /// Another process (or this one) already has it open.
    #[error("the replica is already open")]
    InUse,
    /// The tablet has worked without its server for longer than it may: nothing is shown until it syncs. Edits are still
    /// taken, and what waits is still sent.
    #[error("the time this tablet may work without its server has passed")]
    LeaseExpired,
    /// It was closed.
    #[error("the replica was closed")]
    Closed,
    /// The file is damaged. It was set aside whole, never deleted.
    #[error("the file is damaged and was set aside")]
    SetAside {
        /// Where it is now.
        path: PathBuf,
    },
    /// Damage was met while reading or writing.
    #[error("the file is damaged")]
    Damaged,
    /// The storage is full; nothing was written.
    #[error("the storage is full")]
    StorageFull,
    /// A newer app wrote the file.
    #[error("a newer app wrote this file (schema {found}, this app knows {known})")]
    NewerApp {
        /// The file's schema.
        found: i64,
        /// The newest schema this app knows.
        known: i64,
    },
    /// The free query is not one, or not one that may be run.
    #[error("the query was refused: {reason}")]
    QueryRefused {
        /// SQLite's words about the statement; they name tables and columns, never values.
        reason: String,
    },
    /// The free query took longer than allowed.
    #[error("the query took too long")]
    QueryTooSlow,
    /// No such table or column.
    #[error("no such table or column")]
    UnknownTable,
    /// A file is empty, or has more bytes than a file may have.
    #[error("a file may have 1 to {max} bytes")]
    BlobSize {
        /// Most bytes.
        max: usize,
    },
    /// A stored document does not read.
    #[error("a stored document does not read: {0}")]
    Document(#[from] DocumentError),
    /// A stored record of the replica's own bookkeeping does not read.
    #[error("stored bookkeeping does not read: {0}")]
    Bookkeeping(&'static str),
    /// The device's key could not be made or read.
    #[error("the device's key does not read")]
    DeviceKey,
    /// What the server sent does not fit where the replica stands.
    #[error("the server's frame does not fit: {0}")]
    Protocol(&'static str),
    /// The file system failed.
    #[error("the file system failed")]
    File(#[source] std::io::Error),
    /// SQLite failed.
    #[error("the database failed")]
    Database(#[source] rusqlite::Error),
}

impl ReplicaError {
    /// The stable name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Exists => "exists",
            Self::WrongKey => "wrong_key",
            Self::InUse => "in_use",
            Self::LeaseExpired => "lease_expired",
            Self::Closed => "closed",
            Self::SetAside { .. } => "set_aside",
            Self::Damaged => "damaged",
            Self::StorageFull => "storage_full",
            Self::NewerApp { .. } => "newer_app",
            Self::QueryRefused { .. } => "query_refused",
            Self::QueryTooSlow => "query_too_slow",
            Self::UnknownTable => "unknown_table",
            Self::BlobSize { .. } => "blob_size",
            Self::Document(_) => "document_unreadable",
            Self::Bookkeeping(_) => "bookkeeping_unreadable",
            Self::DeviceKey => "device_key_unreadable",
            Self::Protocol(_) => "protocol",
            Self::File(_) => "file_system",
            Self::Database(_) => "database",
        }
    }
}

impl From<rusqlite::Error> for ReplicaError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::StorageFull,
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => Self::Damaged,
            _ => Self::Database(error),
        }
    }
}

impl From<std::io::Error> for ReplicaError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull => Self::StorageFull,
            _ => Self::File(error),
        }
    }
}

/// Why an edit was not taken. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum EditRejected {
    /// The author is not a member of the clinic, as far as this tablet knows.
    #[error("the author is not known on this tablet")]
    UnknownAuthor,
    /// The author's role may not write this.
    #[error("the author's role may not write {table}")]
    RoleNotAllowed {
        /// The table.
        table: &'static str,
    },
    /// No such table.
    #[error("no such table")]
    UnknownTable,
    /// No such field, or one of the server's.
    #[error("{0} is not a field that can be written here")]
    UnknownField(String),
    /// The record is not on this tablet.
    #[error("there is no such record on this tablet")]
    NotFound,
    /// A record of this id already is on this tablet.
    #[error("there already is a record of this id")]
    AlreadyExists,
    /// This tablet does not hold this kind of data.
    #[error("this tablet does not hold this kind of data")]
    NotHeldHere,
    /// The edit touches several consent purposes; each needs its own edit.
    #[error("an edit touches one consent purpose only")]
    SeveralPurposes,
    /// The table is append-only.
    #[error("{table} is append-only: add another record instead")]
    LedgerAppendOnly {
        /// The table.
        table: &'static str,
    },
    /// The field is fixed at creation.
    #[error("{0} cannot be changed after creation")]
    FieldFixed(&'static str),
    /// The record is locked.
    #[error("the record is locked: add an addendum instead")]
    RecordLocked,
    /// A value does not fit its field.
    #[error(transparent)]
    InvalidValue(#[from] Invalid),
    /// The field takes another operation.
    #[error("{0} takes another operation")]
    WrongOperation(&'static str),
    /// Nothing would change.
    #[error("nothing would change")]
    NothingToDo,
    /// The edit is larger than one edit may be.
    #[error("the edit is larger than one edit may be")]
    TooLarge,
    /// There is no such edit that needs attention.
    #[error("there is no such edit that needs attention")]
    NoSuchEdit,
    /// The replica itself failed.
    #[error(transparent)]
    Replica(#[from] ReplicaError),
}

impl EditRejected {
    /// The stable name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownAuthor => "unknown_author",
            Self::RoleNotAllowed { .. } => "role_not_allowed",
            Self::UnknownTable => "unknown_table",
            Self::UnknownField(_) => "unknown_field",
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::NotHeldHere => "not_held_here",
            Self::SeveralPurposes => "several_purposes",
            Self::LedgerAppendOnly { .. } => "ledger_append_only",
            Self::FieldFixed(_) => "field_fixed",
            Self::RecordLocked => "record_locked",
            Self::InvalidValue(_) => "invalid_value",
            Self::WrongOperation(_) => "wrong_operation",
            Self::NothingToDo => "nothing_to_do",
            Self::TooLarge => "too_large",
            Self::NoSuchEdit => "no_such_edit",
            Self::Replica(error) => error.code(),
        }
    }

    /// The code the server would set the edit aside with, for edits that are re-expressed on a new base.
    pub(crate) const fn as_fate_code(&self) -> Code {
        match self {
            Self::NotFound | Self::NotHeldHere => Code::DependsOnSetAside,
            Self::FieldFixed(_) => Code::FieldFixed,
            Self::LedgerAppendOnly { .. } => Code::LedgerAppendOnly,
            Self::RecordLocked => Code::RecordLocked,
            Self::RoleNotAllowed { .. } | Self::UnknownAuthor => Code::RoleNotAllowed,
            _ => Code::InvalidValue,
        }
    }
}

impl From<rusqlite::Error> for EditRejected {
    fn from(error: rusqlite::Error) -> Self {
        Self::Replica(error.into())
    }
}

impl From<DocumentError> for EditRejected {
    fn from(error: DocumentError) -> Self {
        Self::Replica(error.into())
    }
}

impl From<EditError> for EditRejected {
    fn from(error: EditError) -> Self {
        match error {
            EditError::UnknownField(field) => Self::UnknownField(field),
            EditError::Fixed(field) => Self::FieldFixed(field),
            EditError::WrongOperation(field) => Self::WrongOperation(field),
            EditError::Invalid(invalid) => Self::InvalidValue(invalid),
            EditError::NothingToDo => Self::NothingToDo,
            EditError::Document(error) => error.into(),
        }
    }
}
