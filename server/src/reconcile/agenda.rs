//! Double bookings: both appointments stay, a person decides.

use crate::merge::Workspace;
use crate::store::items::{ItemKind, NewItem, Severity};
use crate::store::{Scoped, StoreResult};
use uuid::Uuid;

/// Opens an item per overlap that involves a written appointment, and closes those that no longer overlap.
///
/// # Errors
/// A database failure.
pub(crate) async fn detect(
    scoped: &mut Scoped,
    workspace: &Workspace,
    items: &mut Vec<NewItem>,
    settled: &mut Vec<String>,
) -> StoreResult<()> {
    let Some(table) = neonpro_contract::catalogue::table("appointments") else { return Ok(()) };
    let written: Vec<Uuid> = workspace.written(table).map(|(id, _)| id).collect();
    if written.is_empty() {
        return Ok(());
    }
    let overlaps = scoped.list_overlaps(&written).await?;
    let matters: Vec<String> =
        overlaps.iter().map(|overlap| format!("agenda/{}/{}", overlap.first, overlap.second)).collect();
    let open = scoped.list_agenda_matters(&written).await?;
    settled.extend(open.into_iter().filter(|matter| !matters.contains(matter)));
    for (overlap, matter) in overlaps.into_iter().zip(matters) {
        items.push(NewItem {
            kind: ItemKind::Agenda,
            severity: Severity::Urgent,
            code: "double_booking",
            matter,
            table: table.id,
            record: overlap.first,
            patient: None,
            sealed_for: None,
            sides: overlap.sides,
        });
    }
    Ok(())
}
