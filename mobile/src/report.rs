//! What the tablet says about itself, as JSON: for scripts, `/estado.json` and whoever watches a tablet.
//!
//! Owns the stable names of statuses, attention and conflicts. Invariant: the three facts stay three facts.

use neonpro_client_core::{
    Attention, ConflictRow, Connection, Edited, Identity, Note, Place, QueryResult, Status, User,
};
use neonpro_contract::consent::Standing;
use neonpro_contract::edit::DocumentId;
use neonpro_contract::value::instant_text;
use serde_json::{Value as Json, json};

/// The sync status and who the tablet is.
#[must_use]
pub fn status(status: &Status, identity: &Identity) -> Json {
    json!({
        "device": identity.device.to_string(),
        "name": identity.name,
        "clinic": identity.clinic.to_string(),
        "clinic_name": identity.clinic_name,
        "audience": identity.audience.name(),
        "last_confirmed_at": status.last_confirmed_at.map(|at| instant_text(at.0)),
        "waiting_edits": status.waiting.edits,
        "waiting_records": status.waiting.records,
        "waiting_files": status.waiting.files,
        "waiting_file_bytes": status.waiting.file_bytes,
        "needs_attention": status.needs_attention,
        "connection": connection(&status.connection),
        "caught_up": matches!(status.connection, Connection::Live { caught_up: true }),
        "stopped": if let Connection::Stopped { reason } = &status.connection { Some(reason) } else { None },
        "first_sync": status.first_sync.map(|progress| json!({"done": progress.done, "total": progress.total})),
        "synced_once": status.synced_once,
        "cursor": status.cursor,
        "head": status.head,
        "generation": status.generation,
        "notes": status.notes.iter().map(note).collect::<Vec<_>>(),
    })
}

/// The stable name of what the engine does.
#[must_use]
pub const fn connection(connection: &Connection) -> &'static str {
    match connection {
        Connection::Offline => "offline",
        Connection::Connecting => "connecting",
        Connection::Live { .. } => "live",
        Connection::Waiting { .. } => "waiting",
        Connection::Stopped { .. } => "stopped",
    }
}

fn note(note: &Note) -> Json {
    match note {
        Note::CopiedReplica { at_us } => json!({"note": "copied_replica", "at": instant_text(*at_us)}),
        Note::ClockOff { by_ms } => json!({"note": "clock_off", "by_ms": by_ms}),
        Note::LeaseExpired { since_us } => json!({"note": "lease_expired", "since": instant_text(*since_us)}),
        Note::AuditDoubted { why } => json!({"note": "audit_doubted", "why": why}),
        Note::ScopeBundleIgnored { count } => json!({"note": "scope_bundle_ignored", "count": count}),
    }
}

/// An edit that was set aside, with the person's own words.
#[must_use]
pub fn attention(entry: &Attention) -> Json {
    json!({
        "edit": entry.edit.to_string(),
        "author": entry.author.to_string(),
        "code": entry.code.map_or("held", neonpro_contract::fate::Code::as_str),
        "remedy": entry.remedy,
        "place": match entry.place {
            Place::Quarantined => "quarantined",
            Place::Refused => "refused",
            Place::Held => "held",
        },
        "captured_at": instant_text(entry.captured_us),
        "since": instant_text(entry.since_us),
        "decided_by": entry.decided_by.map(|by| by.to_string()),
        "reason": entry.reason,
        "documents": entry.documents.iter().map(|part| json!({
            "document": document(&part.document),
            "create": part.create,
            "ops": part.ops,
        })).collect::<Vec<_>>(),
    })
}

/// A disputed field with all its values, the one shown first.
#[must_use]
pub fn conflict(row: &ConflictRow) -> Json {
    json!({
        "document": document(&row.document),
        "field": row.field,
        "since": instant_text(row.since_us),
        "choices": row.choices.iter().map(|choice| json!({
            "value": choice.value,
            "author": choice.author.map(|id| id.to_string()),
            "edit": choice.edit.map(|id| id.to_string()),
            "captured_at": choice.captured_at.map(|at| instant_text(at.0)),
        })).collect::<Vec<_>>(),
    })
}

/// What an edit did.
#[must_use]
pub fn edited(edited: &Edited) -> Json {
    json!({
        "edit": edited.edit.to_string(),
        "documents": edited.documents.iter().map(document).collect::<Vec<_>>(),
        "records": edited.records.iter().map(|changed| json!({
            "table": changed.table,
            "record": changed.id.to_string(),
        })).collect::<Vec<_>>(),
        "warning": edited.warning.map(neonpro_contract::fate::Code::as_str),
        "scope": edited.scope.as_ref().map(|preview| json!({
            "verdict": preview.verdict,
            "starting": preview.act.starting,
            "blocks": preview.blocks(),
        })),
    })
}

/// Somebody who may use the tablet.
#[must_use]
pub fn user(user: &User) -> Json {
    json!({
        "author": user.author.to_string(),
        "name": user.name,
        "profession": user.profession,
        "role": user.role.name(),
        "is_active": user.is_active,
    })
}

/// Rows of a query.
#[must_use]
pub fn query(result: QueryResult) -> Json {
    json!({"columns": result.columns, "rows": result.rows, "more": result.more})
}

/// Where a patient stands on one purpose.
#[must_use]
pub fn standing(standing: Standing) -> Json {
    match standing {
        Standing::Never => json!({"standing": "never"}),
        Standing::Granted { since_us, until_us } => {
            json!({"standing": "granted", "since": instant_text(since_us), "until": until_us.map(instant_text)})
        }
        Standing::Expired { at_us } => json!({"standing": "expired", "at": instant_text(at_us)}),
        Standing::Withdrawn { at_us, .. } => json!({"standing": "withdrawn", "at": instant_text(at_us)}),
    }
}

fn document(id: &DocumentId) -> Json {
    let table = id.table();
    json!({
        "table": table.map_or("?", |table| table.name),
        "record": id.record.to_string(),
        "facet": table.and_then(|table| table.facet(id.facet)).map_or("?", |facet| facet.name),
    })
}
