//! Concurrent values of guarded fields: canonical carries the latest, both are shown, a person decides.

use crate::merge::{OpenDocument, Workspace};
use crate::store::items::{ItemKind, NewItem, Severity};
use neonpro_contract::catalogue::{Field, Rule, Table};
use neonpro_contract::document::Dispute;
use neonpro_contract::edit::DocumentId;
use serde_json::{Value as Json, json};

/// Opens an item per disputed field of the documents written, and closes those a later edit settled.
pub(crate) fn detect(workspace: &Workspace, items: &mut Vec<NewItem>, settled: &mut Vec<String>) {
    for open in workspace.documents.values().filter(|open| open.dirty) {
        let id = open.state.id;
        let Some(table) = id.table() else { continue };
        for dispute in &open.disputes {
            items.push(NewItem {
                kind: ItemKind::Fields,
                severity: Severity::Warning,
                code: "concurrent_values",
                matter: matter(&id, dispute.field.name),
                table: id.table,
                record: id.record.0,
                patient: open.state.patient.map(|patient| patient.0),
                sealed_for: Some(open.state.subject()),
                sides: sides(dispute),
            });
        }
        for field in &open.overgrown {
            items.push(overgrown(open, table, field));
        }
        settled.extend(open.shrunk.iter().map(|field| size_matter(&id, field.name)));
        if !open.was_disputed {
            continue;
        }
        let guarded = table.facet_fields(id.facet).filter(|(_, field)| field.rule == Rule::Guarded);
        let quiet =
            guarded.filter(|(_, field)| open.disputes.iter().all(|dispute| dispute.field.name != field.name));
        settled.extend(quiet.map(|(_, field)| matter(&id, field.name)));
    }
}

/// Texts that were each short enough are too long together. All of it is kept; nobody can lengthen it until a person has
/// shortened it.
fn overgrown(open: &OpenDocument, table: &Table, field: &Field) -> NewItem {
    let id = open.state.id;
    NewItem {
        kind: ItemKind::Fields,
        severity: Severity::Info,
        code: "merged_too_long",
        matter: size_matter(&id, field.name),
        table: table.id,
        record: id.record.0,
        patient: open.state.patient.map(|patient| patient.0),
        sealed_for: None,
        sides: json!({ "field": field.name }),
    }
}

fn size_matter(id: &DocumentId, field: &str) -> String {
    format!("size/{id}/{field}")
}

fn matter(id: &DocumentId, field: &str) -> String {
    format!("fields/{id}/{field}")
}

fn sides(dispute: &Dispute) -> Json {
    let values: Vec<Json> = dispute
        .values
        .iter()
        .map(|side| {
            json!({
                "value": side.value.to_json(),
                "author": side.author,
                "edit": side.edit,
                "captured_at": side.captured_at.map(|at| neonpro_contract::value::instant_text(at.0)),
            })
        })
        .collect();
    json!({ "field": dispute.field.name, "values": values })
}
