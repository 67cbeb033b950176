//! Safety data taken without a covering consent: kept (LGPD art. 11 II e), and shown to a person.

use crate::store::items::{ItemKind, NewItem, Severity};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::fate::Code;
use neonpro_contract::ids::PatientId;
use serde_json::json;

/// The item of one document.
pub(crate) fn uncovered(id: &DocumentId, code: Code, patient: Option<PatientId>) -> NewItem {
    NewItem {
        kind: ItemKind::ConsentPhotos,
        severity: Severity::Info,
        code: code.as_str(),
        matter: format!("consent/{id}"),
        table: id.table,
        record: id.record.0,
        patient: patient.map(|patient| patient.0),
        sides: json!({ "document": id.to_string(), "reason": "safety data is kept without consent" }),
    }
}
