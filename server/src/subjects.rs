//! What patients ask of their data (LGPD art. 18 and 19), and incidents (LGPD art. 48, ANPD Res. 15/2024): each with its
//! clock, its owner and its answer.
//!
//! Needs a named legal reviewer: the sources are secondary. Owns the register and the statement of what is held; never
//! erases ([`crate::erasure`] does).

pub mod clocks;
mod files;
mod paper;
mod statement;

pub use files::{FilesError, write_files};
pub use paper::paper;
pub use statement::{Extent, statement};

use crate::actor::Actor;
use crate::store::audit::AuditRecord;
use crate::store::subjects::{Incident, SubjectRequest};
use crate::store::{Store, StoreError, StoreResult};
use neonpro_contract::catalogue::table;
use neonpro_contract::ids::{AuthorId, ClinicId, DeviceId, PatientId};
use neonpro_contract::time::ServerInstant;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// What a patient asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestKind {
    /// Confirmation and access in simplified form: at once (art. 19 I).
    Access,
    /// The full statement: within 15 days (art. 19 II).
    Export,
    /// Correction: by addendum where a record of care is concerned.
    Correction,
    /// Blocking of what is excessive or unlawful.
    Block,
    /// The statement in a form other software reads.
    Portability,
    /// Erasure of what rests on consent.
    Erasure,
    /// With whom data was shared.
    SharingList,
}

impl RequestKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Access,
        Self::Export,
        Self::Correction,
        Self::Block,
        Self::Portability,
        Self::Erasure,
        Self::SharingList,
    ];

    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Export => "export",
            Self::Correction => "correction",
            Self::Block => "block",
            Self::Portability => "portability",
            Self::Erasure => "erasure",
            Self::SharingList => "sharing_list",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Registers what a patient asks, with the moment by which it is due.
///
/// # Errors
/// A database failure, or nobody of that id.
pub async fn register(
    store: &Store,
    clinic: ClinicId,
    (kind, patient): (RequestKind, PatientId),
    identity_check: &str,
    owner: AuthorId,
    now: ServerInstant,
) -> StoreResult<SubjectRequest> {
    let request = SubjectRequest {
        id: crate::clock::fresh_id(now),
        patient: patient.0,
        kind: kind.name().to_owned(),
        identity_check: identity_check.to_owned(),
        owner: owner.0,
        received_at: now.0,
        due_at: clocks::request_due(kind, now).0,
        answered_at: None,
        answer: None,
    };
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    scoped.lock_head().await?;
    let people = table("patients").ok_or(StoreError::Missing("table"))?;
    if scoped.list_existing(people, &[patient.0]).await?.is_empty() {
        return Err(StoreError::Missing("patient in this clinic"));
    }
    scoped.append_subject_request(&request).await?;
    let detail = json!({ "request": request.id, "kind": kind.name() });
    scoped.append_audit(&[entry("subject_request_received", owner, detail)], now).await?;
    scoped.commit().await?;
    Ok(request)
}

/// Notes the answer. `false` when there is no such open request.
///
/// # Errors
/// A database failure.
pub async fn answer(
    store: &Store,
    clinic: ClinicId,
    request: Uuid,
    by: AuthorId,
    answer: &str,
    now: ServerInstant,
) -> StoreResult<bool> {
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    scoped.lock_head().await?;
    if !scoped.mark_subject_answered(request, by.0, answer, now).await? {
        scoped.rollback().await?;
        return Ok(false);
    }
    let detail = json!({ "request": request });
    scoped.append_audit(&[entry("subject_request_answered", by, detail)], now).await?;
    scoped.commit().await?;
    Ok(true)
}

/// Opens the incident of a lost tablet: lists whose data it may hold, and starts the clock. Revoking it is another step,
/// and comes first.
///
/// # Errors
/// A database failure, or no such device.
pub async fn open_lost_device(
    store: &Store,
    clinic: ClinicId,
    device: DeviceId,
    (by, what): (AuthorId, &str),
    now: ServerInstant,
) -> StoreResult<Incident> {
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    scoped.lock_head().await?;
    let concerned = scoped.list_held_by(device).await?.ok_or(StoreError::Missing("device in this clinic"))?;
    let incident = Incident {
        id: crate::clock::fresh_id(now),
        kind: "lost_device".to_owned(),
        device: Some(device.0),
        known_at: now.0,
        due_at: clocks::incident_due(now).0,
        what: what.to_owned(),
        concerned: Json::Object(concerned),
        closed_at: None,
        report: None,
    };
    scoped.append_incident(&incident, by.0).await?;
    let detail = json!({ "incident": incident.id, "device": device });
    scoped.append_audit(&[entry("incident_opened", by, detail)], now).await?;
    scoped.commit().await?;
    Ok(incident)
}

/// Closes an incident with what was reported. `false` when there is no such open one.
///
/// # Errors
/// A database failure.
pub async fn close_incident(
    store: &Store,
    clinic: ClinicId,
    incident: Uuid,
    (by, report): (AuthorId, &str),
    now: ServerInstant,
) -> StoreResult<bool> {
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    scoped.lock_head().await?;
    if !scoped.mark_incident_closed(incident, by.0, report, now).await? {
        scoped.rollback().await?;
        return Ok(false);
    }
    scoped.append_audit(&[entry("incident_closed", by, json!({ "incident": incident }))], now).await?;
    scoped.commit().await?;
    Ok(true)
}

fn entry(action: &'static str, by: AuthorId, detail: Json) -> AuditRecord {
    AuditRecord { action, device: None, author: Some(by.0), edit: None, code: None, detail }
}
