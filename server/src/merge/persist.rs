//! Writing a judged group: rows in bulk, what triggers added, items, then the sync tables, the head last.

use super::intake::{Candidate, Rejected};
use super::judge::Accepted;
use super::scope::Judged;
use super::whose;
use super::workspace::{OpenDocument, RecordKey, Stage, Workspace};
use crate::reconcile;
use crate::store::audit::AuditRecord;
use crate::store::canonical::Record;
use crate::store::documents::DocumentState;
use crate::store::edits::{EditRecord, document_key};
use crate::store::feed::{FeedKind, FeedRecord};
use crate::store::heads::Head;
use crate::store::items::NewItem;
use crate::store::made::Numbering;
use crate::store::receipts::PurgeOrder;
use crate::store::scope::ScopeRecord;
use crate::store::written::Written;
use crate::store::{Scoped, StoreResult};
use neonpro_contract::catalogue::{FacetId, Purpose, TABLES, Table};
use neonpro_contract::consent::{Cover, Evidence};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::ids::{DeviceId, PatientId, RecordId};
use neonpro_contract::time::ServerInstant;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// What a group will write beside the rows.
#[derive(Debug)]
pub(super) struct Merged {
    pub head: Head,
    pub now: ServerInstant,
    pub edits: Vec<EditRecord>,
    pub feed: Vec<FeedRecord>,
    pub items: Vec<NewItem>,
    pub settled: Vec<String>,
    pub audit: Vec<AuditRecord>,
    /// Documents devices must purge.
    pub purges: Vec<PurgeOrder>,
    pub consents_came: bool,
    pub acts: Vec<Judged>,
    /// Edits their tablets are asked to express again.
    pub asked: Vec<Uuid>,
    touched: BTreeSet<String>,
    patients: HashMap<Uuid, PatientId>,
    /// What was asked about consent, by edit.
    evidence: HashMap<Uuid, Vec<Evidence>>,
}

impl Merged {
    pub fn new(head: Head, now: ServerInstant) -> Self {
        Self {
            head,
            now,
            edits: Vec::new(),
            feed: Vec::new(),
            items: Vec::new(),
            settled: Vec::new(),
            audit: Vec::new(),
            purges: Vec::new(),
            consents_came: false,
            acts: Vec::new(),
            asked: Vec::new(),
            touched: BTreeSet::new(),
            patients: HashMap::new(),
            evidence: HashMap::new(),
        }
    }

    /// Whether a document (in key form) got a change here.
    pub fn touches(&self, key: &str) -> bool {
        self.touched.contains(key)
    }

    pub fn patient_of(&mut self, candidate: &Candidate, patient: Option<PatientId>) {
        if let Some(patient) = patient {
            self.patients.insert(candidate.envelope.edit.0, patient);
        }
    }

    /// Safety data taken without cover opens an item.
    pub fn note_uncovered(&mut self, accepted: &Accepted) {
        for (id, code) in &accepted.uncovered {
            self.items.push(reconcile::consent::uncovered(id, *code, accepted.patient));
        }
    }

    pub fn note_evidence(&mut self, candidate: &Candidate, evidence: Vec<Evidence>) {
        self.evidence.insert(candidate.envelope.edit.0, evidence);
    }

    /// What was captured while a consent lasted and arrived after its end is kept aside, and a person decides.
    pub fn note_too_late(
        &mut self,
        candidate: &Candidate,
        evidence: &[Evidence],
        fate: &Fate,
        workspace: &Workspace,
    ) {
        let late = evidence.iter().find(|asked| asked.cover == Cover::BeforeWithdrawal);
        if let (Some(late), Fate::Quarantined { code: Code::ConsentWithdrawn }) = (late, fate) {
            let patient = whose::patient(workspace, candidate);
            self.items.push(reconcile::consent::too_late(&candidate.envelope, late, patient));
        }
    }

    /// Feeds the changes of a merged edit. `writer` is the device that holds them already, if one does.
    pub fn append_changes(
        &mut self,
        candidate: &Candidate,
        numbered: &[(DocumentId, u16, i64)],
        writer: Option<DeviceId>,
        workspace: &Workspace,
    ) {
        for (id, position, seq) in numbered {
            let Some(open) = workspace.documents.get(id) else { continue };
            self.touched.insert(document_key(id));
            self.consents_came |= id.table().is_some_and(|table| table.name == "data_consent_records");
            self.feed.push(FeedRecord {
                seq: *seq,
                kind: FeedKind::Change,
                document: *id,
                purpose: open.state.purpose,
                epoch: open.state.epoch,
                edit: Some((candidate.envelope.edit.0, *position)),
                device: writer.map(|device| device.0),
            });
        }
    }

    /// Keeps an edit with its fate and writes the audit. Replays leave no second trace.
    pub fn remember(&mut self, candidate: &Candidate, fate: &Fate, workspace: &mut Workspace, retry: bool) {
        let envelope = &candidate.envelope;
        let documents: Vec<DocumentId> = candidate.documents().collect();
        if matches!(fate, Fate::Duplicate { .. } | Fate::Rebase { .. }) {
            return;
        }
        if !matches!(fate, Fate::Accepted { .. }) {
            workspace.set_aside.extend(documents.iter().copied());
            if retry {
                return;
            }
        }
        let patient =
            self.patients.get(&envelope.edit.0).copied().or_else(|| whose::patient(workspace, candidate));
        let code = fate.set_aside().map(Code::as_str);
        if retry {
            self.settled.push(format!("edit/{}", envelope.edit));
            self.tell(candidate);
        }
        self.audit.push(AuditRecord {
            action: match fate {
                Fate::Accepted { .. } if retry => "edit_released",
                Fate::Accepted { .. } => "edit_accepted",
                Fate::Held { .. } => "edit_held",
                Fate::Quarantined { .. } => "edit_quarantined",
                _ => "edit_refused",
            },
            device: Some(envelope.device.0),
            author: Some(envelope.author.0),
            edit: Some(envelope.edit.0),
            code,
            detail: json!({
                "documents": documents.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "consent": self.evidence.remove(&envelope.edit.0).iter().flatten().map(evidence).collect::<Vec<_>>(),
            }),
        });
        // Sent twice under one id with other content, and set aside the first time: the last one stands.
        self.edits.retain(|kept| kept.id != envelope.edit.0);
        self.edits.push(EditRecord {
            id: envelope.edit.0,
            device: envelope.device.0,
            author: envelope.author.0,
            fate: fate.clone(),
            captured_at: envelope.captured_at.0,
            envelope: candidate.signed.envelope.to_vec(),
            signature: candidate.signed.signature.to_vec(),
            digest: candidate.digest.clone(),
            awaits: awaited(candidate, fate, &documents),
            subjects: whose::subjects(workspace, candidate),
            documents,
            patient: patient.map(|id| id.0),
            reissued: candidate.reissued.clone(),
        });
    }

    /// Tells the author's device what became of an edit that waited.
    fn tell(&mut self, candidate: &Candidate) {
        let envelope = &candidate.envelope;
        let Some(document) = candidate.documents().next() else { return };
        let seq = self.next_seq();
        self.feed.push(FeedRecord::fate(seq, envelope.edit.0, envelope.device.0, document));
    }

    /// An edit that may go in, but only its author's tablet can say how: it is asked, once.
    pub fn ask(&mut self, candidate: &Candidate) {
        if candidate.waited.as_ref().is_some_and(|waited| !waited.asked) {
            self.asked.push(candidate.envelope.edit.0);
            self.tell(candidate);
        }
    }

    pub fn audit_rejected(&mut self, rejected: &Rejected) {
        let digest: String = rejected.digest.iter().map(|byte| format!("{byte:02x}")).collect();
        self.audit.push(AuditRecord {
            action: "edit_refused",
            device: Some(rejected.device.0),
            author: None,
            edit: rejected.envelope.as_ref().map(|envelope| envelope.edit.0),
            code: Some(rejected.code.as_str()),
            detail: json!({ "digest": digest }),
        });
    }

    pub fn next_seq(&mut self) -> i64 {
        self.head.seq = self.head.seq.saturating_add(1);
        self.head.seq
    }

    fn row_entry(&mut self, table: &Table, record: Uuid) -> i64 {
        let seq = self.next_seq();
        self.feed.push(FeedRecord {
            seq,
            kind: FeedKind::Row,
            document: DocumentId { table: table.id, record: RecordId(record), facet: FacetId(0) },
            purpose: Purpose::Operation,
            epoch: 1,
            edit: None,
            device: None,
        });
        seq
    }
}

/// What a decision about consent rested on, without patient data.
fn evidence(asked: &Evidence) -> serde_json::Value {
    json!({
        "document": asked.document.to_string(),
        "rule": asked.rule(),
        "standing": asked.standing,
        "event": asked.ground.map(|(event, _, _)| event),
        "version": asked.ground.map(|(_, version, _)| version),
        "event_seq": asked.ground.and_then(|(_, _, seq)| seq),
    })
}

/// Documents whose next change may settle an edit that waits for another one: its own, and the records it points at.
fn awaited(candidate: &Candidate, fate: &Fate, documents: &[DocumentId]) -> Vec<DocumentId> {
    let waits = matches!(fate, Fate::Held { .. } | Fate::Quarantined { code: Code::DependsOnSetAside });
    if !waits {
        return Vec::new();
    }
    let mut awaited = documents.to_vec();
    for (change, parsed) in candidate.envelope.changes.iter().zip(&candidate.changes) {
        let Some(table) = change.document.table() else { continue };
        awaited.extend(parsed.root_ids().into_iter().filter_map(|(name, target)| {
            let parent = table.field(&name).and_then(|(_, field)| field.references)?;
            let table = neonpro_contract::catalogue::table(parent)?.id;
            Some(DocumentId { table, record: RecordId(target), facet: FacetId(0) })
        }));
    }
    awaited
}

/// Writes everything; the caller commits.
pub(super) async fn write(
    scoped: &mut Scoped,
    workspace: &mut Workspace,
    merged: &mut Merged,
) -> StoreResult<()> {
    reconcile::duplicates::detect(scoped, workspace, &mut merged.items).await?;
    write_rows(scoped, workspace, merged).await?;
    crate::crash_point!("merge.after_rows");
    reconcile::fields::detect(workspace, &mut merged.items, &mut merged.settled);
    reconcile::agenda::detect(scoped, workspace, &mut merged.items, &mut merged.settled).await?;
    reconcile::stock::detect(scoped, workspace, &mut merged.items).await?;
    reconcile::scope::detect(&merged.acts, workspace, &mut merged.items, &mut merged.settled);
    keep_verdicts(scoped, merged).await?;
    let mut numbering = Numbering { head: &mut merged.head, feed: Some(&mut merged.feed), documents: 0 };
    let brought = workspace.documents.keys().map(|id| id.record.0).collect();
    scoped.number_made_rows(&mut numbering, &brought).await?;
    scoped.mark_asked(&merged.asked).await?;
    scoped.append_purge_orders(&merged.purges, merged.now).await?;
    scoped.append_audit(&merged.audit, merged.now).await?;
    crate::crash_point!("merge.before_items");
    scoped.upsert_items(&merged.items, merged.now).await?;
    scoped.mark_items_settled(&merged.settled, merged.now).await?;
    let documents = finish_documents(workspace, merged);
    let written = Written {
        documents: &documents.iter().collect::<Vec<_>>(),
        edits: &merged.edits,
        feed: &merged.feed,
        head: &merged.head,
    };
    scoped.append_written(&written, merged.now).await?;
    crate::crash_point!("merge.before_commit");
    Ok(())
}

/// Keeps what was said about each act, with the version of the rules that said it.
async fn keep_verdicts(scoped: &mut Scoped, merged: &Merged) -> StoreResult<()> {
    let records: Vec<ScopeRecord<'_>> = merged
        .acts
        .iter()
        .filter_map(|judged| {
            let (act, verdict) = judged.act.as_ref()?;
            let (table, record) = (judged.document.table.0, judged.document.record.0);
            Some(ScopeRecord { table, record, edit: judged.edit, act, verdict })
        })
        .collect();
    scoped.append_scope_verdicts(&records, merged.now).await
}

/// Inserts new records and updates changed columns, tables in the order of their references.
async fn write_rows(scoped: &mut Scoped, workspace: &mut Workspace, merged: &mut Merged) -> StoreResult<()> {
    for key in workspace.order.clone() {
        let Some(record) = workspace.records.get(&key) else { continue };
        if record.derived_dirty {
            let seq = merged.row_entry(record.table, key.1);
            if let Some(record) = workspace.records.get_mut(&key) {
                record.stamp.feed_seq = seq;
                record.stamp.merged_at = merged.now;
            }
        }
    }
    for table in TABLES {
        let keys: Vec<RecordKey> = workspace.order.iter().copied().filter(|key| key.0 == table.id).collect();
        if keys.is_empty() {
            continue;
        }
        let mut new = Vec::new();
        let mut updates: BTreeMap<Vec<usize>, Vec<Record<'_>>> = BTreeMap::new();
        for key in keys {
            let Some(open) = workspace.records.get(&key) else { continue };
            let record = Record {
                id: RecordId(key.1),
                patient: workspace.patient_of(&Stage::default(), &key),
                row: &open.row,
                stamp: open.stamp,
            };
            if open.existed {
                updates.entry(open.dirty.iter().copied().collect()).or_default().push(record);
            } else {
                new.push(record);
            }
        }
        if !new.is_empty() {
            scoped.append_records(table, &new).await?;
        }
        for (columns, records) in updates {
            scoped.update_records(table, &columns, &records).await?;
        }
    }
    Ok(())
}

/// Saves dirty documents and moves the digests, in the order of their ids: rows are locked in it everywhere.
fn finish_documents(workspace: &mut Workspace, merged: &mut Merged) -> Vec<DocumentState> {
    let mut dirty: Vec<&mut OpenDocument> =
        workspace.documents.values_mut().filter(|open| open.dirty).collect();
    dirty.sort_unstable_by_key(|open| open.state.id);
    let mut written = Vec::with_capacity(dirty.len());
    for open in dirty {
        save(open);
        if let Some(digest) = merged.head.of_purpose(open.state.purpose) {
            if let Some(before) = open.fingerprint_before {
                digest.remove(before);
            }
            if let Some(term) = open.state.term() {
                digest.add(term);
            }
        }
        written.push(open.state.clone());
    }
    written
}

fn save(open: &mut OpenDocument) {
    if let Some(document) = open.document.as_mut().filter(|_| open.state.live_changes > 0) {
        open.state.snapshot = Some(document.save());
    }
}
