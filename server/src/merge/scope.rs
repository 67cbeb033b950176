//! Scope of practice in the merge: which edits are acts, and what the rules in force at the act say of them.
//!
//! The verdict itself is the contract's. Invariant: only what has yet to begin is set aside; what was done is recorded,
//! with its verdict.

use super::intake::Candidate;
use super::workspace::{Stage, Workspace};
use crate::store::scope::ScopeQuestion;
use crate::store::{Scoped, StoreResult};
use neonpro_contract::catalogue::Table;
use neonpro_contract::edit::{DocumentId, Envelope};
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::ids::PatientId;
use neonpro_contract::row::Row;
use neonpro_contract::scope_of_practice::{Act, Asked, Facts, Verdict, asked, verdict};
use std::borrow::Cow;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Tables whose records are acts.
const ACTS: &[&str] = &["treatment_sessions", "appointments", "treatment_plans"];
/// Tables an edit of the same group may have changed, and that verdicts are drawn from.
const SOURCES: &[&str] = &["professionals", "inventory_products", "scope_decisions"];
const PEOPLE: &[&str] = &["professional_id", "performed_by"];
const PROCEDURES: &[&str] = &["procedure_id", "service_type_id"];

/// An act of an accepted edit.
#[derive(Debug, Clone)]
pub(crate) struct Judged {
    /// Its record.
    pub document: DocumentId,
    /// The edit.
    pub edit: Uuid,
    /// Its patient.
    pub patient: Option<PatientId>,
    /// Whether the record was there before: only then can an item be open.
    pub existed: bool,
    /// The act and its verdict; nothing where the record is no act any more.
    pub act: Option<(Act, Verdict)>,
}

/// What the verdicts on a group are drawn from; nothing where no edit is an act.
pub(super) async fn read(
    scoped: &mut Scoped,
    candidates: &[Candidate],
    workspace: &Workspace,
) -> StoreResult<Facts> {
    let (mut people, mut procedures) = (BTreeSet::new(), BTreeSet::new());
    let (mut acts, mut products) = (false, false);
    let mut mention = |name: &str, id: Uuid| {
        if PEOPLE.contains(&name) {
            people.insert(id);
        } else if PROCEDURES.contains(&name) {
            procedures.insert(id);
        }
    };
    for candidate in candidates {
        for (change, parsed) in candidate.envelope.changes.iter().zip(&candidate.changes) {
            let Some(table) = change.document.table().filter(|table| is_act(table)) else { continue };
            acts = true;
            products |= table.name == "treatment_sessions";
            mention("performed_by", candidate.envelope.author.0);
            for (name, id) in parsed.root_ids() {
                mention(&name, id);
            }
            let Some(record) = workspace.records.get(&(table.id, change.document.record.0)) else { continue };
            for name in PEOPLE.iter().chain(PROCEDURES) {
                if let Some(id) = record.row.get(name).as_uuid() {
                    mention(name, id);
                }
            }
        }
    }
    if !acts {
        return Ok(Facts::default());
    }
    let asked = ScopeQuestion {
        people: people.into_iter().collect(),
        procedures: procedures.into_iter().collect(),
        products,
    };
    scoped.load_scope_facts(&asked).await
}

fn is_act(table: &Table) -> bool {
    ACTS.contains(&table.name)
}

/// Judges what an edit leaves of a record.
///
/// # Errors
/// The fate of an edit that would start a prohibited act.
pub(super) fn judge(
    document: DocumentId,
    (before, after): (Option<&Row>, &Row),
    envelope: &Envelope,
    (workspace, stage): (&Workspace, &Stage),
    patient: Option<PatientId>,
) -> Result<Option<Judged>, Fate> {
    let act = match asked(before, after, envelope.author, envelope.capture()) {
        Asked::Untouched => return Ok(None),
        Asked::NoAct => None,
        Asked::Act(act) => {
            let verdict = verdict(&facts(workspace, stage), &act);
            if act.starting && verdict.forbids() {
                return Err(Fate::Quarantined { code: Code::ScopeProhibited });
            }
            // Of an act that names nothing, the rules can only say who may not act at all.
            (act.names_something() || verdict.forbids()).then_some((act, verdict))
        }
    };
    let edit = envelope.edit.0;
    Ok(Some(Judged { document, edit, patient, existed: before.is_some(), act }))
}

/// The facts with what edits before this one in the group, and this one itself, made of them.
fn facts<'a>(workspace: &'a Workspace, stage: &Stage) -> Cow<'a, Facts> {
    let is_source = |table: &Table| SOURCES.contains(&table.name);
    let written = workspace.order.iter().filter_map(|key| Some((key.1, workspace.records.get(key)?)));
    let staged = stage.records.iter().map(|(key, record)| (key.1, record));
    let mut facts = Cow::Borrowed(&workspace.scope);
    for (id, record) in written.chain(staged).filter(|(_, record)| is_source(record.table)) {
        facts.to_mut().learn(id, &record.row);
    }
    facts
}
