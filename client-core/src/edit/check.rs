//! What an edit must satisfy before it is taken: a preview of the server's verdict, never stricter in form.

use super::plan::Planned;
use crate::error::{EditRejected, ReplicaError};
use crate::project::{Batch, holds};
use crate::store::documents::Standing;
use crate::store::records::{self, table_named};
use neonpro_contract::catalogue::{Lifecycle, Purpose, Role};
use neonpro_contract::fate::Code;
use neonpro_contract::ids::{AuthorId, RecordId};
use neonpro_contract::permissions::{Audience, may_write, purpose};
use neonpro_contract::row::Row;
use neonpro_contract::validate::{self, Joined};
use rusqlite::Connection;
use rusqlite::types::Value as SqlValue;

/// Memberships one person has in one clinic. One, unless two tablets added it.
const MEMBERSHIPS_MAX: usize = 8;

/// The author's role in this clinic; `None` for nobody's, and for someone who no longer works here. A membership the
/// server has not confirmed has the least.
pub(crate) fn find_role(conn: &Connection, author: AuthorId) -> Result<Option<Role>, ReplicaError> {
    let person = records::find(conn, table_named("professionals")?, RecordId(author.0))?;
    let gone = |row: &Row| !row.get("retired_at").is_null() || row.get("is_active").as_bool() == Some(false);
    if person.is_some_and(|person| gone(&person.row)) {
        return Ok(None);
    }
    let table = table_named("clinic_professionals")?;
    let condition =
        "professional_id = ?1 AND is_active IS NOT 0 AND retired_at IS NULL ORDER BY feed_seq DESC";
    let author = SqlValue::Blob(author.0.as_bytes().to_vec());
    let memberships = records::list(conn, table, condition, &[author], MEMBERSHIPS_MAX)?;
    let role = |stored: &records::StoredRow| {
        let confirmed = stored.stamp.merged_at.is_some();
        let role = stored.row.get("role").as_text().and_then(Role::from_name);
        role.filter(|_| confirmed).unwrap_or(Role::Assistant)
    };
    Ok(memberships.first().map(role))
}

/// Whether the role may write every document, and whether this tablet holds its kind.
pub(crate) fn authority(planned: &[Planned], role: Role, audience: Audience) -> Result<(), EditRejected> {
    for part in planned {
        if !may_write(part.table, part.document.facet, role) {
            return Err(EditRejected::RoleNotAllowed { table: part.table.name });
        }
        if !holds(part.table, part.document.facet, audience) {
            return Err(EditRejected::NotHeldHere);
        }
        if part.table.lifecycle == Lifecycle::Ledger && !part.create {
            return Err(EditRejected::LedgerAppendOnly { table: part.table.name });
        }
    }
    Ok(())
}

/// Whether records to be created are new and others are here.
pub(crate) fn existence(
    conn: &Connection,
    batch: &mut Batch,
    planned: &[Planned],
) -> Result<(), EditRejected> {
    for part in planned {
        let record = part.document.record;
        let created = planned.iter().any(|other| other.create && other.document.record == record);
        let existed = batch.record(conn, part.table, record)?.existed;
        match (created, existed) {
            (true, true) => return Err(EditRejected::AlreadyExists),
            (false, false) => return Err(EditRejected::NotFound),
            _ => {}
        }
        if batch.document(conn, part.document)?.standing == Standing::Withdrawn {
            return Err(EditRejected::NotHeldHere);
        }
    }
    Ok(())
}

/// Projects the edit and checks what it makes of the records. Returns the one purpose it serves.
pub(crate) fn result(
    conn: &Connection,
    batch: &mut Batch,
    planned: &[Planned],
    audience: Audience,
) -> Result<Purpose, EditRejected> {
    let mut served = None;
    for part in planned {
        batch.project(conn, part.document)?;
        let record = batch.record(conn, part.table, part.document.record)?;
        let Some(facet) = part.table.facet(part.document.facet) else {
            return Err(EditRejected::UnknownTable);
        };
        let serves = purpose(facet, &record.row);
        if !audience.sees(serves) {
            return Err(EditRejected::NotHeldHere);
        }
        if *served.get_or_insert(serves) != serves {
            return Err(EditRejected::SeveralPurposes);
        }
    }
    for part in planned {
        let record = batch.record(conn, part.table, part.document.record)?;
        validate::step(record.before(), &record.row, Joined::Alone)?;
        validate::transition(record.before(), &record.row, Joined::Alone).map_err(|code| match code {
            Code::FieldFixed => EditRejected::FieldFixed("a field"),
            Code::RecordLocked => EditRejected::RecordLocked,
            _ => EditRejected::LedgerAppendOnly { table: part.table.name },
        })?;
    }
    served.ok_or(EditRejected::NothingToDo)
}
