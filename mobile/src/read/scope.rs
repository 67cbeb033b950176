//! What the scope of practice says of a record's act, in words.

use crate::text::scope as words;
use neonpro_client_core::{Replica, ReplicaError};
use neonpro_contract::ids::RecordId;

/// A verdict as a screen shows it.
pub struct ScopeView {
    /// Tone of the message.
    pub tone: &'static str,
    /// The verdict in one line.
    pub title: &'static str,
    /// What follows, and the conditions.
    pub lines: Vec<String>,
    /// Legal basis, one per rule.
    pub basis: Vec<String>,
    /// Version of the rules.
    pub version: Option<String>,
}

/// The verdict on a record; nothing for one that is no act.
///
/// # Errors
/// What the replica reports.
pub fn find_scope(replica: &Replica, table: &str, id: RecordId) -> Result<Option<ScopeView>, ReplicaError> {
    Ok(replica.scope_of(table, id)?.map(|preview| {
        let (level, authorised) = (preview.verdict.level, preview.verdict.authorised);
        let consequence = words::consequence(&preview).map(str::to_owned);
        ScopeView {
            tone: words::tone(level, authorised),
            title: words::title(level, authorised),
            lines: consequence.into_iter().chain(preview.verdict.conditions).collect(),
            basis: preview.verdict.basis,
            version: preview.verdict.bundle,
        }
    }))
}

/// The message after saving: `plain`, or `told` where the person must know.
///
/// # Errors
/// What the replica reports.
pub fn notice(
    replica: &Replica,
    table: &str,
    id: RecordId,
    (plain, told): (&'static str, &'static str),
) -> Result<&'static str, ReplicaError> {
    let preview = replica.scope_of(table, id)?;
    let tell = preview
        .is_some_and(|preview| preview.blocks() || !preview.act.starting && !preview.verdict.authorised);
    Ok(if tell { told } else { plain })
}
