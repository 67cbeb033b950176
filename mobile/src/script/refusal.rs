//! Why a request was not done: a stable code, and a sentence that says what, why and what to do.
//!
//! Owns the English of scripts. Never shows a value of a record. Invariant: a code never changes its meaning.

use crate::key_file::KeyFileError;
use crate::opening::OpenError;
use neonpro_client_core::{EditRejected, EnrolError, ReplicaError};
use std::borrow::Cow;
use std::fmt::Display;

/// A refusal, as it is answered.
#[derive(Debug)]
pub struct Refusal {
    /// Stable name.
    pub code: Cow<'static, str>,
    /// What, why, what to do.
    pub message: String,
}

impl Refusal {
    /// A refusal with its own sentence.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }

    /// The line could not be read.
    pub fn malformed(why: impl Display) -> Self {
        let message = format!("The request was not understood: {why}. Correct the line and send it again.");
        Self::new("malformed_request", message)
    }

    /// Nothing can be done before the tablet is enrolled.
    #[must_use]
    pub fn not_enrolled() -> Self {
        let message = "There is no replica yet, so nothing was done. Send `enrol` with a ticket first.";
        Self::new("not_enrolled", message)
    }

    /// The server said so.
    #[must_use]
    pub fn wiped() -> Self {
        let message = "The server had this tablet wiped: its key and its replica are gone. What was not sent lies sealed in \
                       the file that ends in `.escrow`; hand it to the administrator.";
        Self::new("wiped", message)
    }

    /// Something did not come about in time.
    #[must_use]
    pub fn timed_out(what: &str, timeout_ms: u64) -> Self {
        let message = format!(
            "{what} did not come about within {timeout_ms} ms. Look at `status`, or allow more time."
        );
        Self::new("timed_out", message)
    }

    /// A file beside the replica could not be read or written.
    #[must_use]
    pub fn file(error: &std::io::Error) -> Self {
        Self::new("file_failed", format!("The file could not be read or written: {error}. Check its path."))
    }

    /// A thread ended early.
    #[must_use]
    pub fn interrupted() -> Self {
        let message =
            "The work ended early; an edit is written whole or not at all. Look at `status` and try again.";
        Self::new("interrupted", message)
    }
}

impl From<ReplicaError> for Refusal {
    fn from(error: ReplicaError) -> Self {
        let message = format!("The replica did not do it: {error}. {}", replica_remedy(error.code()));
        Self::new(error.code(), message)
    }
}

impl From<EditRejected> for Refusal {
    fn from(error: EditRejected) -> Self {
        match error {
            EditRejected::Replica(error) => error.into(),
            rejected => {
                let message = format!("Nothing was written: {rejected}. {}", edit_remedy(rejected.code()));
                Self::new(rejected.code(), message)
            }
        }
    }
}

impl From<EnrolError> for Refusal {
    fn from(error: EnrolError) -> Self {
        let message =
            format!("The tablet was not enrolled: {error}. Ask for a new ticket, or check the address.");
        Self { code: error.code().to_owned().into(), message }
    }
}

impl From<KeyFileError> for Refusal {
    fn from(error: KeyFileError) -> Self {
        Self::new("key_file", format!("There is no key for the replica: {error}."))
    }
}

impl From<OpenError> for Refusal {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Key(error) => error.into(),
            OpenError::Replica(error) => error.into(),
            error => Self::new("key_file", format!("There is no key for the replica: {error}.")),
        }
    }
}

fn replica_remedy(code: &str) -> &'static str {
    match code {
        "missing" => "Enrol first, or check the path.",
        "exists" => "Choose another path; a replica is never overwritten.",
        "wrong_key" => "Use the key file this replica was created with.",
        "lease_expired" => "Sync: edits are still taken and sent, and reading is allowed again afterwards.",
        "in_use" => "Close the other program that has it open.",
        "query_refused" => "Correct the statement; one SELECT is allowed.",
        "query_too_slow" => "Ask for less.",
        "unknown_table" => "Check the names against the data dictionary.",
        "storage_full" => "Free some space and try again.",
        "newer_app" => "Use the newer app.",
        _ => "Nothing that was acknowledged is lost. Keep the file and report the code.",
    }
}

fn edit_remedy(code: &str) -> &'static str {
    match code {
        "unknown_author" => "Use one of `users`.",
        "role_not_allowed" => "Use an author whose role may do this.",
        "unknown_table" | "unknown_field" => "Check the names against the data dictionary.",
        "not_found" => "Sync first, or check the id.",
        "already_exists" => "Use `update`, or leave the id out.",
        "not_held_here" => "Use a tablet of the clinical audience.",
        "several_purposes" => "Send one edit per consent purpose.",
        "ledger_append_only" => "Create another record.",
        "field_fixed" => "Leave the field out.",
        "record_locked" => "Merge into `addenda`.",
        "invalid_value" => "Correct the value and send it again.",
        "wrong_operation" => "Use the operation the field's kind takes.",
        "nothing_to_do" => "The values are already these.",
        "too_large" => "Split it.",
        "no_such_edit" => "Look at `attention`.",
        _ => "Correct it and send it again.",
    }
}
