//! Who may act: what was read in this transaction, seen through what the group itself has changed since.
//!
//! Pure. Invariant: an edit never counts on a membership that an earlier edit of its group has ended, and may count on
//! one that an earlier edit has brought.

use super::facts::Facts;
use super::workspace::{OpenRecord, Workspace};
use neonpro_contract::catalogue::{Role, table};
use neonpro_contract::edit::Envelope;
use neonpro_contract::fate::Code;
use uuid::Uuid;

/// The roles the author acts in, or why the edit goes no further. Someone who was not granted the device is answered
/// like someone who does not exist.
///
/// An edit that waited came while its device was active and granted to its author: of it only the membership is asked.
pub(super) fn roles(
    envelope: &Envelope,
    facts: &Facts,
    workspace: &Workspace,
    waited: bool,
) -> Result<Vec<Role>, Code> {
    if !waited {
        let Some(people) = facts.devices.get(&envelope.device.0) else { return Err(Code::DeviceRevoked) };
        if !people.include(envelope.author) {
            return Err(Code::NotFound);
        }
    }
    let roles = memberships(envelope.author.0, facts, workspace);
    if roles.is_empty() { Err(Code::NotFound) } else { Ok(roles) }
}

fn memberships(author: Uuid, facts: &Facts, workspace: &Workspace) -> Vec<Role> {
    let (Some(members), Some(people)) = (table("clinic_professionals"), table("professionals")) else {
        return Vec::new();
    };
    if workspace.records.get(&(people.id, author)).is_some_and(|record| !in_force(record)) {
        return Vec::new();
    }
    let known = facts.memberships.get(&author).map_or(&[][..], Vec::as_slice);
    let standing =
        known.iter().filter_map(|membership| match workspace.records.get(&(members.id, membership.id)) {
            Some(record) => role(record),
            None => Some(membership.role),
        });
    let brought = workspace
        .written(members)
        .filter(|(id, _)| known.iter().all(|membership| membership.id != *id))
        .filter(|(_, record)| record.row.get("professional_id").as_uuid() == Some(author))
        .filter_map(|(_, record)| role(record));
    standing.chain(brought).collect()
}

/// The role of a membership in force.
fn role(membership: &OpenRecord) -> Option<Role> {
    membership.row.get("role").as_text().and_then(Role::from_name).filter(|_| in_force(membership))
}

fn in_force(record: &OpenRecord) -> bool {
    let retired = !record.row.get("retired_at").is_null();
    !retired && record.row.get("is_active").as_bool().unwrap_or(true)
}
