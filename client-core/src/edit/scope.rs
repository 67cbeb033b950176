//! Scope of practice as this tablet knows it: a preview with the rules the server decides by.
//!
//! Never refuses an edit. Invariant: a bundle that no pinned publisher signed is as if it were not there.

use super::plan::Planned;
use crate::error::ReplicaError;
use crate::project::Batch;
use crate::store::records::{self, StoredRow, table_named};
use neonpro_contract::ids::{AuthorId, RecordId};
use neonpro_contract::scope_of_practice::{
    Act, Asked, Bundle, Facts, PublisherKey, Verdict, asked, publisher_keys, verdict,
};
use neonpro_contract::time::Capture;
use neonpro_contract::value::Value;
use rusqlite::Connection;
use rusqlite::types::Value as SqlValue;
use std::sync::Arc;
use uuid::Uuid;

/// Validations of one person: every procedure and product of a clinic, and their past.
const RULES_MAX: usize = 20_000;
/// Bundles looked at for the newest that counts.
const BUNDLES_MAX: usize = 64;

/// What the rules say of an act, before the server does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopePreview {
    /// The act.
    pub act: Act,
    /// The verdict, under the rules on this tablet.
    pub verdict: Verdict,
}

impl ScopePreview {
    /// Whether the server will set the edit aside: only what has yet to begin.
    #[must_use]
    pub fn blocks(&self) -> bool {
        self.act.starting && self.verdict.forbids()
    }
}

/// The strictest verdict on the acts of an edit.
pub(crate) fn preview(
    conn: &Connection,
    batch: &mut Batch,
    planned: &[Planned],
    author: AuthorId,
    capture: Capture,
) -> Result<Option<ScopePreview>, ReplicaError> {
    let mut strictest: Option<ScopePreview> = None;
    for part in planned {
        let record = batch.record(conn, part.table, part.document.record)?;
        let Asked::Act(act) = asked(record.before(), &record.row, author, capture) else { continue };
        let mut facts = facts(conn, &act)?;
        // Who and what this very edit brings.
        for other in planned {
            let id = other.document.record.0;
            facts.learn(id, &batch.record(conn, other.table, other.document.record)?.row);
        }
        let Some(found) = of_act(&facts, act) else { continue };
        if strictest.as_ref().is_none_or(|known| known.verdict.level < found.verdict.level) {
            strictest = Some(found);
        }
    }
    Ok(strictest)
}

/// The verdict on an act; nothing where it names nothing the rules could permit.
pub(crate) fn of_act(facts: &Facts, act: Act) -> Option<ScopePreview> {
    let verdict = verdict(facts, &act);
    (act.names_something() || verdict.forbids()).then_some(ScopePreview { act, verdict })
}

/// What the verdict on an act is drawn from.
pub(crate) fn facts(conn: &Connection, act: &Act) -> Result<Facts, ReplicaError> {
    let mut facts = Facts { bundles: bundle_at(conn, act.at_us)?.into_iter().collect(), ..Facts::default() };
    let who = || SqlValue::Blob(act.professional.as_bytes().to_vec());
    for (name, condition, params) in [
        ("professional_scope_validation", "professional_id = ?1", vec![who()]),
        ("professional_supervision", "supervisee_id = ?1", vec![who()]),
        ("scope_decisions", "1", Vec::new()),
    ] {
        for stored in records::list(conn, table_named(name)?, condition, &params, RULES_MAX)? {
            facts.learn(stored.id.0, &stored.row);
        }
    }
    let supervisors: Vec<Uuid> = facts.supervisions.iter().map(|one| one.supervisor).collect();
    let people = supervisors.into_iter().chain([act.professional]).map(|id| ("professionals", id));
    let procedure = act.procedure.map(|id| ("service_types", id));
    let products = act.products.iter().map(|id| ("inventory_products", *id));
    for (name, id) in people.chain(procedure).chain(products) {
        if let Some(stored) = records::find(conn, table_named(name)?, RecordId(id))? {
            facts.learn(id, &stored.row);
        }
    }
    Ok(facts)
}

/// The newest bundle in force at an instant that a publisher signed.
fn bundle_at(conn: &Connection, at_us: i64) -> Result<Option<Arc<Bundle>>, ReplicaError> {
    let condition = "in_force_from <= ?1 ORDER BY in_force_from DESC, version DESC";
    let began = [SqlValue::Integer(at_us)];
    let keys = publisher_keys();
    let stored = records::list(conn, table_named("scope_bundles")?, condition, &began, BUNDLES_MAX)?;
    Ok(stored.iter().find_map(|stored| open(stored, &keys)).map(Arc::new))
}

/// The bundle of a row, if a publisher signed it.
pub(crate) fn open(stored: &StoredRow, keys: &[PublisherKey]) -> Option<Bundle> {
    let Value::Json(content) = stored.row.get("content") else { return None };
    Bundle::open(content, stored.row.get("signature").as_text()?, keys).ok()
}

#[cfg(test)]
mod tests;
