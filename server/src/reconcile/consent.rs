//! Matters of consent that a person must know of: safety data without cover, what came too late, what came too early, and
//! patients whose consent to treatment has ended.

use crate::store::items::{ItemKind, NewItem, Severity};
use neonpro_contract::catalogue::table;
use neonpro_contract::consent::{Evidence, Standing};
use neonpro_contract::edit::{DocumentId, Envelope};
use neonpro_contract::fate::Code;
use neonpro_contract::ids::{EditId, PatientId};
use neonpro_contract::value::instant_text;
use serde_json::{Value as Json, json};

/// Safety data taken without a covering consent: kept (LGPD art. 11 II e), and shown to a person.
pub(crate) fn uncovered(id: &DocumentId, code: Code, patient: Option<PatientId>) -> NewItem {
    NewItem {
        kind: ItemKind::ConsentPhotos,
        severity: Severity::Info,
        code: code.as_str(),
        matter: format!("consent/{id}"),
        table: id.table,
        record: id.record.0,
        patient: patient.map(|patient| patient.0),
        sealed_for: None,
        sides: json!({ "document": id.to_string(), "reason": "safety data is kept without consent" }),
    }
}

/// Captured while the consent lasted, arrived after its end: kept aside and given to nobody. An administrator decides.
pub(crate) fn too_late(envelope: &Envelope, asked: &Evidence, patient: Option<PatientId>) -> NewItem {
    let capture = envelope.capture();
    NewItem {
        kind: ItemKind::ConsentPhotos,
        severity: Severity::Warning,
        code: "captured_before_withdrawal",
        matter: too_late_matter(envelope.edit),
        table: asked.document.table,
        record: asked.document.record.0,
        patient: patient.map(|patient| patient.0),
        sealed_for: None,
        sides: json!({
            "edit": envelope.edit,
            "author": envelope.author,
            "device": envelope.device,
            "documents": envelope.changes.iter().map(|change| change.document.to_string()).collect::<Vec<_>>(),
            "captured": { "earliest": instant_text(capture.earliest_us()), "latest": instant_text(capture.latest_us()) },
            "purpose": asked.purpose,
            "standing": asked.standing,
            "event": asked.ground.map(|(event, _, _)| event),
        }),
    }
}

/// What makes it the same matter when the edit is looked at again.
pub(crate) fn too_late_matter(edit: EditId) -> String {
    format!("consent/edit/{edit}")
}

/// The consent to treatment has ended: records stay (LGPD art. 11 II a and f, 16 I; Lei 13.787/2018), processing beyond
/// care and the keeping of the chart must stop.
pub(crate) fn processing_ended(patient: PatientId, standing: Standing) -> NewItem {
    let at = match standing {
        Standing::Expired { at_us } | Standing::Withdrawn { at_us, .. } => Some(instant_text(at_us)),
        Standing::Never | Standing::Granted { .. } => None,
    };
    let sides =
        json!({ "standing": standing.name(), "at": at, "kept": "chart", "stops": "processing beyond care" });
    of_patient(patient, "processing_ended", processing_matter(patient), Severity::Warning, sides)
}

/// What makes it the same matter when the consent changes again.
pub(crate) fn processing_matter(patient: PatientId) -> String {
    format!("consent/processing/{patient}")
}

/// Records of care captured after a withdrawal that was not known here when they were merged: they stay in the chart,
/// and a person must know.
pub(crate) fn too_early(patient: PatientId, withdrawn_us: i64, documents: &[String]) -> NewItem {
    let sides = json!({ "withdrawn_at": instant_text(withdrawn_us), "documents": documents });
    let matter = format!("consent/early/{patient}");
    of_patient(patient, "captured_after_withdrawal", matter, Severity::Warning, sides)
}

fn of_patient(
    patient: PatientId,
    code: &'static str,
    matter: String,
    severity: Severity,
    sides: Json,
) -> NewItem {
    NewItem {
        kind: ItemKind::ConsentPhotos,
        severity,
        code,
        matter,
        table: table("patients").map_or(crate::store::items::NO_TABLE, |table| table.id),
        record: patient.0,
        patient: Some(patient.0),
        sealed_for: None,
        sides,
    }
}
