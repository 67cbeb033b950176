//! Facts: everything the judge needs, read in this transaction with a handful of bulk queries.

use super::intake::Candidate;
use super::workspace::{OpenDocument, OpenRecord, RecordKey, Workspace};
use crate::store::authority::{Membership, People};
use crate::store::edits::{KnownEdit, WaitingEdit, document_key};
use crate::store::{Scoped, StoreResult};
use neonpro_contract::catalogue::{
    Lifecycle, PatientLink, Purpose, Scope, Table, TableId, table, table_by_id,
};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::{PatientId, RecordId};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// What is known before judging.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Active devices, and who may write on them.
    pub devices: HashMap<Uuid, People>,
    /// Memberships in force, by person.
    pub memberships: HashMap<Uuid, Vec<Membership>>,
    pub known: HashMap<Uuid, KnownEdit>,
    pub waiting: Vec<WaitingEdit>,
}

/// Ids a group of edits speaks of.
#[derive(Debug, Default)]
struct Mentioned {
    touched: BTreeSet<RecordKey>,
    documents: BTreeSet<DocumentId>,
    referenced: BTreeSet<RecordKey>,
}

/// Reads the facts and opens a workspace over them.
pub(super) async fn read(scoped: &mut Scoped, candidates: &[Candidate]) -> StoreResult<(Facts, Workspace)> {
    let mentioned = mention(candidates);
    let ids = |pick: fn(&Candidate) -> Uuid| -> Vec<Uuid> {
        candidates.iter().map(pick).collect::<BTreeSet<_>>().into_iter().collect()
    };
    let devices = ids(|candidate| candidate.envelope.device.0);
    let authors = ids(|candidate| candidate.envelope.author.0);
    let edits = ids(|candidate| candidate.envelope.edit.0);
    let mut facts = Facts {
        devices: scoped.list_active_devices(&devices).await?,
        memberships: scoped.list_memberships(&authors).await?,
        known: scoped.list_known_edits(&edits).await?.into_iter().map(|known| (known.id, known)).collect(),
        waiting: Vec::new(),
    };
    let mut workspace = Workspace::default();
    read_documents(scoped, &mentioned, &mut workspace).await?;
    read_foreign(scoped, &mentioned, &mut workspace).await?;
    let patients = patients_of(&mentioned, candidates, &workspace);
    facts.waiting = read_waiting(scoped, &mentioned, candidates, &patients).await?;
    // An edit that is looked at again does not stand in its own way.
    for edit in facts.waiting.iter().filter(|edit| !edits.contains(&edit.id)) {
        workspace.set_aside.extend(edit.documents.iter().filter_map(|key| parse(key)));
    }
    read_server_parents(scoped, &mentioned, &mut workspace).await?;
    read_registries(scoped, &mentioned, &mut workspace).await?;
    read_rows(scoped, &mentioned, candidates, &patients, &mut workspace).await?;
    if !patients.is_empty() {
        let list: Vec<Uuid> = patients.iter().map(|id| id.0).collect();
        workspace.consents = scoped.list_consents(&list).await?;
    }
    workspace.erased = scoped.list_erased_subjects().await?;
    workspace.scope = super::scope::read(scoped, candidates, &workspace).await?;
    Ok((facts, workspace))
}

fn parse(key: &str) -> Option<DocumentId> {
    crate::store::edits::parse_key(key)
}

fn mention(candidates: &[Candidate]) -> Mentioned {
    let mut mentioned = Mentioned::default();
    for candidate in candidates {
        for (change, parsed) in candidate.envelope.changes.iter().zip(&candidate.changes) {
            let id = change.document;
            mentioned.documents.insert(id);
            mentioned.touched.insert((id.table, id.record.0));
            let Some(table) = id.table() else { continue };
            for (name, target) in parsed.root_ids() {
                let parent = table.field(&name).and_then(|(_, field)| field.references);
                if let Some(parent) = parent.and_then(neonpro_contract::catalogue::table) {
                    mentioned.referenced.insert((parent.id, target));
                }
            }
        }
    }
    mentioned
}

async fn read_documents(
    scoped: &mut Scoped,
    mentioned: &Mentioned,
    workspace: &mut Workspace,
) -> StoreResult<()> {
    let records: BTreeSet<Uuid> =
        mentioned.touched.iter().chain(&mentioned.referenced).map(|(_, record)| *record).collect();
    let records: Vec<Uuid> = records.into_iter().collect();
    for state in scoped.list_documents_of(&records).await? {
        let id = state.id;
        workspace.existing.insert((id.table, id.record.0));
        workspace.documents.insert(id, OpenDocument::existing(state));
    }
    Ok(())
}

/// What is not here as this clinic's own may be another's, shared.
async fn read_foreign(
    scoped: &mut Scoped,
    mentioned: &Mentioned,
    workspace: &mut Workspace,
) -> StoreResult<()> {
    let unknown: BTreeSet<Uuid> =
        mentioned.touched.iter().filter(|key| !workspace.existing.contains(key)).map(|key| key.1).collect();
    if !unknown.is_empty() {
        let unknown: Vec<Uuid> = unknown.into_iter().collect();
        workspace.foreign = scoped.list_shared_ids(&unknown).await?.into_iter().collect();
    }
    Ok(())
}

/// Patients whose consents may be asked for.
fn patients_of(
    mentioned: &Mentioned,
    candidates: &[Candidate],
    workspace: &Workspace,
) -> BTreeSet<PatientId> {
    let consented = |id: &DocumentId| {
        workspace.documents.get(id).is_none_or(|open| open.state.purpose != Purpose::Operation)
    };
    let mut patients: BTreeSet<PatientId> = mentioned
        .documents
        .iter()
        .filter(|id| consented(id))
        .filter_map(|id| workspace.documents.get(id).and_then(|open| open.state.patient))
        .collect();
    for candidate in candidates {
        for (change, parsed) in candidate.envelope.changes.iter().zip(&candidate.changes) {
            let Some(table) = change.document.table() else { continue };
            let link = match table.patient {
                PatientLink::Field(field) | PatientLink::Parent(field) if needs_consents(table) => field,
                _ => continue,
            };
            let Some((_, target)) = parsed.root_ids().into_iter().find(|(name, _)| name == link) else {
                continue;
            };
            match table.patient {
                PatientLink::Parent(_) => {
                    let parent = workspace.documents.values().find(|open| open.state.id.record.0 == target);
                    patients.extend(parent.and_then(|open| open.state.patient));
                }
                _ => drop(patients.insert(PatientId(target))),
            }
        }
    }
    patients
}

/// Whether edits of the table ask for consents, or change them.
fn needs_consents(table: &Table) -> bool {
    let operation = neonpro_contract::catalogue::PurposeRule::Fixed(Purpose::Operation);
    table.name == "data_consent_records" || table.facets.iter().any(|facet| facet.purpose != operation)
}

async fn read_waiting(
    scoped: &mut Scoped,
    mentioned: &Mentioned,
    candidates: &[Candidate],
    patients: &BTreeSet<PatientId>,
) -> StoreResult<Vec<WaitingEdit>> {
    let parents = mentioned.referenced.iter().map(|(table, record)| DocumentId {
        table: *table,
        record: RecordId(*record),
        facet: neonpro_contract::catalogue::FacetId(0),
    });
    let keys: Vec<String> =
        mentioned.documents.iter().copied().chain(parents).map(|id| document_key(&id)).collect();
    let changed: Vec<String> = mentioned.documents.iter().map(document_key).collect();
    // Only a new consent event can release what was quarantined for lack of one; what did not fit into the first look
    // follows what did.
    let consents = table("data_consent_records").map(|table| table.id);
    let consent_in_group = candidates
        .iter()
        .flat_map(|candidate| &candidate.envelope.changes)
        .any(|change| Some(change.document.table) == consents);
    let follows = candidates.iter().any(Candidate::waited_for_consent);
    let patients: Vec<Uuid> =
        if consent_in_group || follows { patients.iter().map(|id| id.0).collect() } else { Vec::new() };
    let looked_at: Vec<Uuid> = candidates.iter().map(|candidate| candidate.envelope.edit.0).collect();
    scoped.list_waiting_edits(&keys, &changed, (&patients, &looked_at)).await
}

/// Parents in tables without documents: reference data and server rows.
async fn read_server_parents(
    scoped: &mut Scoped,
    mentioned: &Mentioned,
    workspace: &mut Workspace,
) -> StoreResult<()> {
    let mut by_table: BTreeMap<TableId, Vec<Uuid>> = BTreeMap::new();
    for (table, record) in &mentioned.referenced {
        by_table.entry(*table).or_default().push(*record);
    }
    for (id, records) in by_table {
        let Some(table) = table_by_id(id) else { continue };
        if table.scope == Scope::Reference || table.lifecycle == Lifecycle::Server {
            let found = scoped.list_existing(table, &records).await?;
            workspace.existing.extend(found.into_iter().map(|record| (id, record)));
        }
    }
    Ok(())
}

/// Codes of the registries that fields of the touched tables name.
async fn read_registries(
    scoped: &mut Scoped,
    mentioned: &Mentioned,
    workspace: &mut Workspace,
) -> StoreResult<()> {
    let tables: BTreeSet<TableId> = mentioned.touched.iter().map(|(table, _)| *table).collect();
    let fields = tables.into_iter().filter_map(table_by_id).flat_map(Table::columns);
    let registries: BTreeSet<&'static str> = fields.filter_map(|field| field.registry).collect();
    for registry in registries {
        let codes = scoped.list_registered(registry).await?;
        workspace.registered.extend(codes.into_iter().map(|code| (registry, code)));
    }
    Ok(())
}

/// Canonical rows of the records touched, and of patients whose consents change.
async fn read_rows(
    scoped: &mut Scoped,
    mentioned: &Mentioned,
    candidates: &[Candidate],
    patients: &BTreeSet<PatientId>,
    workspace: &mut Workspace,
) -> StoreResult<()> {
    let mut by_table: BTreeMap<TableId, BTreeSet<Uuid>> = BTreeMap::new();
    for (table, record) in mentioned.touched.iter().filter(|key| workspace.existing.contains(key)) {
        by_table.entry(*table).or_default().insert(*record);
    }
    let consents = table("data_consent_records").map(|table| table.id);
    let consent_in_group = candidates
        .iter()
        .flat_map(|candidate| &candidate.envelope.changes)
        .any(|change| Some(change.document.table) == consents);
    if let (true, Some(people)) = (consent_in_group, table("patients")) {
        by_table.entry(people.id).or_default().extend(patients.iter().map(|id| id.0));
    }
    for (id, records) in by_table {
        let Some(table) = table_by_id(id) else { continue };
        let records: Vec<Uuid> = records.into_iter().collect();
        for stored in scoped.list_records(table, &records).await? {
            let open = OpenRecord {
                table,
                row: stored.row,
                stamp: stored.stamp,
                existed: true,
                dirty: BTreeSet::new(),
                derived_dirty: false,
            };
            workspace.records.insert((id, stored.id.0), open);
        }
    }
    Ok(())
}
