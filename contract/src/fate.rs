//! What becomes of an edit, and the stable codes that say why.
//!
//! Invariant: every edit ends with exactly one of these, persisted before it is told, and replayed when the
//! answer was lost. A code leaks nothing about other clinics and tells what to do.

use crate::edit::DocumentId;
use minicbor::{Decode, Encode};
use serde::Serialize;

/// Why an edit was set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// Not an envelope, or over a limit.
    #[n(0)]
    Malformed,
    /// The signature is not this device's over these bytes.
    #[n(1)]
    BadSignature,
    /// The record, its parent or its author does not exist here. Also the answer for another clinic's.
    #[n(2)]
    NotFound,
    /// The device was revoked.
    #[n(3)]
    DeviceRevoked,
    /// The author's role may not write this.
    #[n(4)]
    RoleNotAllowed,
    /// No consent covers this purpose.
    #[n(5)]
    ConsentMissing,
    /// The consent was withdrawn before this was captured, or may have been.
    #[n(6)]
    ConsentWithdrawn,
    /// A field's value does not fit it.
    #[n(7)]
    InvalidValue,
    /// The edit changes something that is fixed at creation.
    #[n(8)]
    FieldFixed,
    /// The table is append-only.
    #[n(9)]
    LedgerAppendOnly,
    /// The record is locked; only addenda may be added.
    #[n(10)]
    RecordLocked,
    /// It builds on an edit that was set aside.
    #[n(11)]
    DependsOnSetAside,
    /// The canonical database would not take it.
    #[n(12)]
    ProjectionFailed,
    /// It reuses another edit's place in the device's history.
    #[n(13)]
    ActorForked,
    /// Prohibited by the scope of practice in force.
    #[n(14)]
    ScopeProhibited,
    /// A dependency never came.
    #[n(15)]
    DependencyExpired,
    /// Written by an app this server cannot read.
    #[n(16)]
    CatalogueUnknown,
    /// Merging it would have cost more than an edit may, or harmed the document.
    #[n(17)]
    AdmissionFailed,
    /// A named person decided that it will not be merged. The server keeps its bytes and the reason.
    #[n(18)]
    Discarded,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 19] = [
        Self::Malformed,
        Self::BadSignature,
        Self::NotFound,
        Self::DeviceRevoked,
        Self::RoleNotAllowed,
        Self::ConsentMissing,
        Self::ConsentWithdrawn,
        Self::InvalidValue,
        Self::FieldFixed,
        Self::LedgerAppendOnly,
        Self::RecordLocked,
        Self::DependsOnSetAside,
        Self::ProjectionFailed,
        Self::ActorForked,
        Self::ScopeProhibited,
        Self::DependencyExpired,
        Self::CatalogueUnknown,
        Self::AdmissionFailed,
        Self::Discarded,
    ];

    /// The stable name, in logs, tables and scripts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::BadSignature => "bad_signature",
            Self::NotFound => "not_found",
            Self::DeviceRevoked => "device_revoked",
            Self::RoleNotAllowed => "role_not_allowed",
            Self::ConsentMissing => "consent_missing",
            Self::ConsentWithdrawn => "consent_withdrawn",
            Self::InvalidValue => "invalid_value",
            Self::FieldFixed => "field_fixed",
            Self::LedgerAppendOnly => "ledger_append_only",
            Self::RecordLocked => "record_locked",
            Self::DependsOnSetAside => "depends_on_set_aside",
            Self::ProjectionFailed => "projection_failed",
            Self::ActorForked => "actor_forked",
            Self::ScopeProhibited => "scope_prohibited",
            Self::DependencyExpired => "dependency_expired",
            Self::CatalogueUnknown => "catalogue_unknown",
            Self::AdmissionFailed => "admission_failed",
            Self::Discarded => "discarded",
        }
    }

    /// The code of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == name)
    }

    /// What the person can do about it, for screens and scripts.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Malformed | Self::BadSignature | Self::CatalogueUnknown => "update the app, then resend",
            Self::NotFound => "check that the record still exists here, or hand over to the administrator",
            Self::DeviceRevoked => "hand the tablet to the administrator",
            Self::RoleNotAllowed => "hand over to someone whose role may do this",
            Self::ConsentMissing | Self::ConsentWithdrawn => {
                "record the patient's consent; the edit is then released"
            }
            Self::InvalidValue | Self::FieldFixed | Self::LedgerAppendOnly => "correct the value and resend",
            Self::RecordLocked => "add an addendum instead",
            Self::DependsOnSetAside | Self::DependencyExpired => "settle the earlier edit first, then resend",
            Self::ProjectionFailed | Self::AdmissionFailed => "hand over to the administrator",
            Self::Discarded => "read the reason; correct and resend, or close it",
            Self::ActorForked => "resend: the tablet has taken a new identity",
            Self::ScopeProhibited => "hand over to a professional authorised for this act",
        }
    }
}

/// What became of an edit.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(tag = "fate", rename_all = "snake_case")]
pub enum Fate {
    /// Merged and committed under this feed number.
    #[n(0)]
    Accepted {
        /// Feed number of its last entry.
        #[n(0)]
        seq: i64,
        /// When the server merged it, µs.
        #[n(1)]
        merged_at: i64,
    },
    /// Merged earlier.
    #[n(1)]
    Duplicate {
        /// Feed number of its last entry.
        #[n(0)]
        seq: i64,
        /// When the server merged it, µs.
        #[n(1)]
        merged_at: i64,
    },
    /// Kept until a dependency arrives; resolves by itself.
    #[n(2)]
    Held {
        /// The document whose history is incomplete.
        #[n(0)]
        missing: DocumentId,
    },
    /// Kept sealed on the server until consent arrives or an administrator decides.
    #[n(3)]
    Quarantined {
        /// Why.
        #[n(0)]
        code: Code,
    },
    /// Not stored: only its digest and reason are.
    #[n(4)]
    Refused {
        /// Why.
        #[n(0)]
        code: Code,
    },
    /// Not an end: the document was flattened into a newer epoch. The tablet re-expresses the edit and sends it
    /// again under the same id.
    #[n(5)]
    Rebase {
        /// The document.
        #[n(0)]
        document: DocumentId,
        /// Its epoch on the server.
        #[n(1)]
        epoch: u32,
    },
}

impl Fate {
    /// Whether the edit was not merged and a person must look at it.
    #[must_use]
    pub fn set_aside(&self) -> Option<Code> {
        match self {
            Self::Quarantined { code } | Self::Refused { code } => Some(*code),
            _ => None,
        }
    }

    /// The stable name.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Duplicate { .. } => "duplicate",
            Self::Held { .. } => "held",
            Self::Quarantined { .. } => "quarantined",
            Self::Refused { .. } => "refused",
            Self::Rebase { .. } => "rebase",
        }
    }
}
