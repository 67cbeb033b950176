//! Requests of patients and incidents whose deadline is near or over: a person must answer them.
//!
//! Never answers anything. Invariant: each has an open item exactly while it is open and due within the time to warn, as of the
//! last look.

use crate::store::items::{ItemKind, NO_TABLE, NewItem, Severity};
use crate::store::{Scoped, StoreResult};
use neonpro_contract::time::{ServerInstant, US_PER_DAY};
use neonpro_contract::value::instant_text;
use serde_json::json;
use uuid::Uuid;

/// How long before a statement is due its item opens: the last days of fifteen (LGPD art. 19 II).
const REQUEST_WARN_US: i64 = 3 * US_PER_DAY;
/// How long before an incident is due its item opens: all of the three business days (ANPD Res. 15/2024).
const INCIDENT_WARN_US: i64 = 7 * US_PER_DAY;
/// Most of each that are looked at; the ones due first.
const LOOK_MAX: i64 = 1_000;

/// What is near or over.
struct Duty {
    kind: ItemKind,
    matter: String,
    code: &'static str,
    id: Uuid,
    due_at: i64,
    over: bool,
}

/// Opens an item per duty that is near or over and closes those that are answered. Returns how many are over.
///
/// # Errors
/// A database failure.
pub(crate) async fn watch(scoped: &mut Scoped, now: ServerInstant) -> StoreResult<usize> {
    let mut near = Vec::new();
    for request in scoped.list_subject_requests(false, LOOK_MAX).await? {
        let code = ("subject_request_due", "subject_request_overdue");
        near.extend(duty(
            (ItemKind::ConsentPhotos, "request"),
            code,
            (request.id, request.due_at),
            (REQUEST_WARN_US, now),
        ));
    }
    for incident in scoped.list_incidents(false, LOOK_MAX).await? {
        let code = ("incident_due", "incident_overdue");
        near.extend(duty(
            (ItemKind::Devices, "incident"),
            code,
            (incident.id, incident.due_at),
            (INCIDENT_WARN_US, now),
        ));
    }
    scoped.upsert_items(&near.iter().map(item).collect::<Vec<_>>(), now).await?;
    for (kind, prefix) in [(ItemKind::ConsentPhotos, "request/"), (ItemKind::Devices, "incident/")] {
        let mut settled = scoped.list_open_matters(kind, prefix).await?;
        settled.retain(|open| near.iter().all(|duty| duty.matter != *open));
        scoped.mark_items_settled(&settled, now).await?;
    }
    Ok(near.iter().filter(|duty| duty.over).count())
}

fn duty(
    (kind, prefix): (ItemKind, &str),
    (near, over): (&'static str, &'static str),
    (id, due_at): (Uuid, i64),
    (warn_us, now): (i64, ServerInstant),
) -> Option<Duty> {
    let is_over = now.0 > due_at;
    let code = if is_over { over } else { near };
    let matter = format!("{prefix}/{id}");
    (now.0 >= due_at.saturating_sub(warn_us)).then_some(Duty {
        kind,
        matter,
        code,
        id,
        due_at,
        over: is_over,
    })
}

fn item(duty: &Duty) -> NewItem {
    NewItem {
        kind: duty.kind,
        severity: if duty.over { Severity::Urgent } else { Severity::Warning },
        code: duty.code,
        matter: duty.matter.clone(),
        table: NO_TABLE,
        record: duty.id,
        patient: None,
        sealed_for: None,
        sides: json!({ "due_at": instant_text(duty.due_at) }),
    }
}
