//! Consent as this tablet knows it: a preview with the rules the server decides by.

use super::plan::Planned;
use crate::error::ReplicaError;
use crate::project::Batch;
use crate::store::records::{self, StoredRow, table_named};
use neonpro_contract::catalogue::{PatientLink, Purpose, Table, table};
use neonpro_contract::consent::{ConsentEvent, Verdict, cover, judge, standing};
use neonpro_contract::edit::FieldOp;
use neonpro_contract::fate::Code;
use neonpro_contract::ids::{PatientId, RecordId};
use neonpro_contract::time::Capture;
use rusqlite::Connection;
use rusqlite::types::Value as SqlValue;
use serde_json::Value as Json;
use uuid::Uuid;

const TABLE: &str = "data_consent_records";
/// Consent events of one patient. A lifetime of yearly renewals of five purposes stays far below.
const EVENTS_MAX: usize = 2_000;
/// How deep a chain of parents may go. The catalogue's deepest has two.
const PARENTS_MAX: usize = 4;

/// The consent events of a patient.
pub(crate) fn list_events(conn: &Connection, patient: PatientId) -> Result<Vec<ConsentEvent>, ReplicaError> {
    let key = SqlValue::Blob(patient.0.as_bytes().to_vec());
    let rows = records::list(conn, table_named(TABLE)?, "patient_id = ?1", &[key], EVENTS_MAX)?;
    Ok(rows.iter().filter_map(event).collect())
}

fn event(stored: &StoredRow) -> Option<ConsentEvent> {
    let stamp = &stored.stamp;
    let captured = stamp.captured_at.map_or(0, |at| at.0);
    ConsentEvent::of_row(stored.id, &stored.row, captured, stamp.merged_at, stamp.feed_seq)
}

/// A new grant names the withdrawals its author had seen; it answers only those.
pub(crate) fn fill_seen_withdrawals(conn: &Connection, planned: &mut [Planned]) -> Result<(), ReplicaError> {
    for part in planned.iter_mut().filter(|part| part.create && part.table.name == TABLE) {
        let put = |name: &str| {
            part.ops.iter().rev().find_map(|op| match op {
                FieldOp::Put { field, value } if field == name => Some(value.clone()),
                _ => None,
            })
        };
        let given = put("consent_given").and_then(|value| value.as_bool()).unwrap_or(false);
        let named = part.ops.iter().any(|op| op.field() == "seen_withdrawals");
        let patient = put("patient_id").as_ref().and_then(Json::as_str).and_then(|text| text.parse().ok());
        let purpose = put("consent_type").as_ref().and_then(Json::as_str).and_then(Purpose::from_name);
        let (true, false, Some(patient), Some(purpose)) = (given, named, patient, purpose) else { continue };
        let seen = list_events(conn, PatientId(patient))?;
        part.ops.extend(seen.iter().filter(|event| event.purpose == purpose && !event.given).map(|event| {
            FieldOp::Add { field: "seen_withdrawals".to_owned(), member: event.id.to_string() }
        }));
    }
    Ok(())
}

/// What the server will most likely say about the consent for an edit.
pub(crate) fn warning(
    conn: &Connection,
    batch: &mut Batch,
    planned: &[Planned],
    purpose: Purpose,
    (capture, now_us): (Capture, i64),
    seen_seq: i64,
) -> Result<Option<Code>, ReplicaError> {
    if purpose == Purpose::Operation {
        return Ok(None);
    }
    for part in planned {
        let Some(facet) = part.table.facet(part.document.facet) else { continue };
        let Some(patient) = patient_of(conn, batch, part.table, part.document.record)? else { continue };
        let events = list_events(conn, patient)?;
        // An act that is done again was captured earlier: what counts is where the patient stands now.
        let standing = standing(&events, purpose, now_us.max(capture.latest_us()));
        let covered = cover(standing, &events, purpose, capture, seen_seq);
        match judge(facet, purpose, covered) {
            Verdict::Accept => {}
            Verdict::AcceptWithItem(code) | Verdict::Quarantine(code) => return Ok(Some(code)),
        }
    }
    Ok(None)
}

/// The patient whose consent covers a record, through its parents if need be.
fn patient_of(
    conn: &Connection,
    batch: &mut Batch,
    table_of: &'static Table,
    record: RecordId,
) -> Result<Option<PatientId>, ReplicaError> {
    let (mut at, mut id) = (table_of, record);
    for _ in 0..PARENTS_MAX {
        let field = match at.patient {
            PatientLink::None => return Ok(None),
            PatientLink::Own => return Ok(Some(PatientId(id.0))),
            PatientLink::Field(field) | PatientLink::Parent(field) => field,
        };
        let Some(named): Option<Uuid> = batch.record(conn, at, id)?.row.get(field).as_uuid() else {
            return Ok(None);
        };
        if matches!(at.patient, PatientLink::Field(_)) {
            return Ok(Some(PatientId(named)));
        }
        let parent = at.field(field).and_then(|(_, field)| field.references).and_then(table);
        let Some(parent) = parent else { return Ok(None) };
        (at, id) = (parent, RecordId(named));
    }
    Ok(None)
}
