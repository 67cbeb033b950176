//! Reads that tablets tell of: into the clinic's audit, then the answer.
//!
//! Never judges a read: it happened. Invariant: a read is answered only after the transaction that holds it committed.

use super::handshake::Caller;
use super::outbox::Outbox;
use crate::state::AppState;
use crate::store::StoreResult;
use crate::store::audit::AuditRecord;
use neonpro_contract::catalogue::table_by_id;
use neonpro_contract::value::instant_text;
use neonpro_contract::wire::{Audited, Frame, Read, Reads};
use serde_json::json;
use std::sync::Arc;
use tokio::sync::mpsc;
use uuid::Uuid;

/// Frames of reads a session may have unanswered. Tablets send the next one after the answer.
pub(super) const READS_UNANSWERED: usize = 2;

/// Keeps reads in the order they come, until the session ends.
pub(super) async fn keep(
    mut queue: mpsc::Receiver<Reads>,
    caller: Arc<Caller>,
    state: AppState,
    outbox: Outbox,
) {
    while let Some(Reads { reads }) = queue.recv().await {
        let ids = reads.iter().map(|read| read.id).collect();
        if let Err(error) = append(&state, &caller, reads).await {
            // The tablet keeps them and tells them in its next session.
            tracing::warn!(%error, "reads could not be kept");
            continue;
        }
        let checkpoint = state.notary.newest(caller.actor.clinic());
        if outbox.send(&Frame::Audited(Audited { reads: ids, checkpoint })).await.is_err() {
            return;
        }
    }
}

async fn append(state: &AppState, caller: &Caller, reads: Vec<Read>) -> StoreResult<()> {
    let device = caller.hello.device.0;
    let entries = reads.into_iter().map(|read| (entry(device, &read), Uuid::from_bytes(*read.id))).collect();
    let mut scoped = state.store.begin(&caller.actor).await?;
    scoped.append_reads(entries, state.clock.now()).await?;
    scoped.commit().await
}

fn entry(device: Uuid, read: &Read) -> AuditRecord {
    let table = read.table.and_then(table_by_id);
    let record = table.zip(read.record).map(|(table, record)| format!("{}/{record}", table.name));
    let facets: Vec<&str> = table
        .into_iter()
        .flat_map(|table| table.facets.iter().enumerate())
        .filter(|(at, _)| {
            u32::try_from(*at).is_ok_and(|at| read.facets & 1u8.checked_shl(at).unwrap_or(0) != 0)
        })
        .map(|(_, facet)| facet.name)
        .collect();
    let query: Option<String> =
        read.query.as_ref().map(|hash| hash.iter().map(|byte| format!("{byte:02x}")).collect());
    AuditRecord {
        action: if read.query.is_some() { "query_run" } else { "record_read" },
        device: Some(device),
        author: read.person.map(|person| person.0),
        edit: None,
        code: None,
        detail: json!({ "at": instant_text(read.at.0), "record": record, "facets": facets, "query": query }),
    }
}
