//! The register of requests and incidents.

use super::documents::purpose_of;
use super::{Scoped, StoreError, StoreResult};
use neonpro_contract::ids::DeviceId;
use neonpro_contract::permissions::Audience;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::instant_text;
use serde::Serialize;
use serde_json::{Map, Value as Json};
use sqlx_core::row::Row as _;
use uuid::Uuid;

/// A request as it is kept.
#[derive(Debug, Clone, Serialize)]
pub struct SubjectRequest {
    /// Its id.
    pub id: Uuid,
    /// Whose.
    pub patient: Uuid,
    /// What is asked.
    pub kind: String,
    /// How identity was checked.
    pub identity_check: String,
    /// Who sees to it.
    pub owner: Uuid,
    /// When it came, µs.
    pub received_at: i64,
    /// When it is due, µs.
    pub due_at: i64,
    /// When it was answered, µs.
    pub answered_at: Option<i64>,
    /// The answer.
    pub answer: Option<String>,
}

/// An incident as it is kept.
#[derive(Debug, Clone, Serialize)]
pub struct Incident {
    /// Its id.
    pub id: Uuid,
    /// `lost_device`, `leak` or `other`.
    pub kind: String,
    /// The device, if one.
    pub device: Option<Uuid>,
    /// When it was known, µs.
    pub known_at: i64,
    /// When it is to be reported, µs.
    pub due_at: i64,
    /// What happened.
    pub what: String,
    /// Whose data, by purpose.
    pub concerned: Json,
    /// When it was closed, µs.
    pub closed_at: Option<i64>,
    /// What was reported.
    pub report: Option<String>,
}

impl Scoped {
    /// Registers a request.
    ///
    /// # Errors
    /// A database failure.
    pub async fn append_subject_request(&mut self, request: &SubjectRequest) -> StoreResult<()> {
        let clinic = self.actor().clinic().0;
        sqlx_core::query::query(
            "insert into sync.subject_requests (clinic_id, id, patient_id, kind, identity_check, owner_id, received_at, \
             due_at) values ($1, $2, $3, $4, $5, $6, $7::timestamptz, $8::timestamptz)",
        )
        .bind(clinic)
        .bind(request.id)
        .bind(request.patient)
        .bind(&request.kind)
        .bind(&request.identity_check)
        .bind(request.owner)
        .bind(instant_text(request.received_at))
        .bind(instant_text(request.due_at))
        .execute(self.connection())
        .await
        .map_err(StoreError::during("registering a request"))?;
        Ok(())
    }

    /// Notes an answer; `false` when no such request is open.
    ///
    /// # Errors
    /// A database failure.
    pub async fn mark_subject_answered(
        &mut self,
        request: Uuid,
        by: Uuid,
        answer: &str,
        now: ServerInstant,
    ) -> StoreResult<bool> {
        let clinic = self.actor().clinic().0;
        let done = sqlx_core::query::query(
            "update sync.subject_requests set answered_at = $3::timestamptz, answered_by = $4, answer = $5 \
             where clinic_id = $1 and id = $2 and answered_at is null",
        )
        .bind(clinic)
        .bind(request)
        .bind(instant_text(now.0))
        .bind(by)
        .bind(answer)
        .execute(self.connection())
        .await
        .map_err(StoreError::during("answering a request"))?;
        Ok(done.rows_affected() > 0)
    }

    /// Requests, those due first; with `all` the answered ones too.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_subject_requests(&mut self, all: bool, limit: i64) -> StoreResult<Vec<SubjectRequest>> {
        let clinic = self.actor().clinic().0;
        let rows = sqlx_core::query::query(
            "select id, patient_id, kind, identity_check, owner_id, (extract(epoch from received_at) * 1000000)::bigint, \
             (extract(epoch from due_at) * 1000000)::bigint, (extract(epoch from answered_at) * 1000000)::bigint, answer \
             from sync.subject_requests where clinic_id = $1 and ($2 or answered_at is null) order by due_at, id limit $3",
        )
        .bind(clinic)
        .bind(all)
        .bind(limit)
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("listing requests"))?;
        let unreadable = |_| StoreError::Unreadable("sync.subject_requests");
        rows.iter()
            .map(|row| {
                Ok(SubjectRequest {
                    id: row.try_get(0).map_err(unreadable)?,
                    patient: row.try_get(1).map_err(unreadable)?,
                    kind: row.try_get(2).map_err(unreadable)?,
                    identity_check: row.try_get(3).map_err(unreadable)?,
                    owner: row.try_get(4).map_err(unreadable)?,
                    received_at: row.try_get(5).map_err(unreadable)?,
                    due_at: row.try_get(6).map_err(unreadable)?,
                    answered_at: row.try_get(7).map_err(unreadable)?,
                    answer: row.try_get(8).map_err(unreadable)?,
                })
            })
            .collect()
    }

    /// Whose data a device may hold, and for which purposes: every document its audience sees that was there when it was
    /// last seen, and every one it wrote. `None` for a device that is not of this clinic.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_held_by(&mut self, device: DeviceId) -> StoreResult<Option<Map<String, Json>>> {
        let clinic = self.actor().clinic().0;
        let audience: Option<String> = sqlx_core::query_scalar::query_scalar(
            "select audience from sync.devices where clinic_id = $1 and id = $2",
        )
        .bind(clinic)
        .bind(device.0)
        .fetch_optional(self.connection())
        .await
        .map_err(StoreError::during("reading a device"))?;
        let Some(audience) = audience.as_deref().and_then(Audience::from_name) else { return Ok(None) };
        let rows = sqlx_core::query::query(
            "select d.patient_id, array_agg(distinct d.purpose order by d.purpose) from sync.documents d \
             where d.clinic_id = $1 and d.patient_id is not null and d.purpose = any($2) and not d.withdrawn \
             group by d.patient_id order by d.patient_id",
        )
        .bind(clinic)
        .bind(super::documents::purpose_numbers(audience))
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("listing whose data a device holds"))?;
        let unreadable = |_| StoreError::Unreadable("sync.documents");
        let mut held = Map::new();
        for row in &rows {
            let patient: Uuid = row.try_get(0).map_err(unreadable)?;
            let purposes: Vec<i16> = row.try_get(1).map_err(unreadable)?;
            let names = purposes.into_iter().filter_map(purpose_of).map(|purpose| purpose.name().into());
            held.insert(patient.to_string(), Json::Array(names.collect()));
        }
        Ok(Some(held))
    }

    /// Registers an incident.
    ///
    /// # Errors
    /// A database failure.
    pub async fn append_incident(&mut self, incident: &Incident, by: Uuid) -> StoreResult<()> {
        let clinic = self.actor().clinic().0;
        sqlx_core::query::query(
            "insert into sync.incidents (clinic_id, id, kind, device_id, known_at, due_at, what, opened_by, concerned) \
             values ($1, $2, $3, $4, $5::timestamptz, $6::timestamptz, $7, $8, $9)",
        )
        .bind(clinic)
        .bind(incident.id)
        .bind(&incident.kind)
        .bind(incident.device)
        .bind(instant_text(incident.known_at))
        .bind(instant_text(incident.due_at))
        .bind(&incident.what)
        .bind(by)
        .bind(&incident.concerned)
        .execute(self.connection())
        .await
        .map_err(StoreError::during("registering an incident"))?;
        Ok(())
    }

    /// Closes an incident; `false` when no such one is open.
    ///
    /// # Errors
    /// A database failure.
    pub async fn mark_incident_closed(
        &mut self,
        incident: Uuid,
        by: Uuid,
        report: &str,
        now: ServerInstant,
    ) -> StoreResult<bool> {
        let clinic = self.actor().clinic().0;
        let done = sqlx_core::query::query(
            "update sync.incidents set closed_at = $3::timestamptz, closed_by = $4, report = $5 \
             where clinic_id = $1 and id = $2 and closed_at is null",
        )
        .bind(clinic)
        .bind(incident)
        .bind(instant_text(now.0))
        .bind(by)
        .bind(report)
        .execute(self.connection())
        .await
        .map_err(StoreError::during("closing an incident"))?;
        Ok(done.rows_affected() > 0)
    }

    /// Incidents, those due first; with `all` the closed ones too.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_incidents(&mut self, all: bool, limit: i64) -> StoreResult<Vec<Incident>> {
        let clinic = self.actor().clinic().0;
        let rows = sqlx_core::query::query(
            "select id, kind, device_id, (extract(epoch from known_at) * 1000000)::bigint, \
             (extract(epoch from due_at) * 1000000)::bigint, what, concerned, \
             (extract(epoch from closed_at) * 1000000)::bigint, report \
             from sync.incidents where clinic_id = $1 and ($2 or closed_at is null) order by due_at, id limit $3",
        )
        .bind(clinic)
        .bind(all)
        .bind(limit)
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("listing incidents"))?;
        let unreadable = |_| StoreError::Unreadable("sync.incidents");
        rows.iter()
            .map(|row| {
                Ok(Incident {
                    id: row.try_get(0).map_err(unreadable)?,
                    kind: row.try_get(1).map_err(unreadable)?,
                    device: row.try_get(2).map_err(unreadable)?,
                    known_at: row.try_get(3).map_err(unreadable)?,
                    due_at: row.try_get(4).map_err(unreadable)?,
                    what: row.try_get(5).map_err(unreadable)?,
                    concerned: row.try_get(6).map_err(unreadable)?,
                    closed_at: row.try_get(7).map_err(unreadable)?,
                    report: row.try_get(8).map_err(unreadable)?,
                })
            })
            .collect()
    }
}
