//! One group commit: facts, judgement in order, one transaction, fates.
//!
//! When the database itself refuses (a constraint nobody foresaw), the group is split in halves until the guilty edit
//! stands alone; that one is quarantined as `projection_failed`, the others go through.

use super::consents;
use super::facts;
use super::intake::{Candidate, Incoming, Rejected, Taken, reread, take_all};
use super::judge::{Decision, judge, take_over};
use super::persist::{self, Merged};
use super::workspace::Workspace;
use crate::actor::Actor;
use crate::reconcile;
use crate::store::edits::{EditRecord, WaitingEdit};
use crate::store::{Store, StoreResult};
use neonpro_contract::catalogue::FacetId;
use neonpro_contract::edit::DocumentId;
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::ids::ClinicId;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::wire::EditFate;

/// Result of a group.
#[derive(Debug)]
pub(super) struct Done {
    pub fates: Vec<EditFate>,
    pub head: i64,
}

/// Merges a group of edits and then, in a second transaction, those that waited for what it brought.
pub(super) async fn merge(
    store: &Store,
    clinic: ClinicId,
    incoming: Vec<Incoming>,
    now: ServerInstant,
) -> StoreResult<Done> {
    let taken = take_all(clinic, incoming).await;
    let round = Round { store, actor: Actor::system(clinic), now, retry: false };
    let (mut done, released) = round.run(taken).await?;
    if !released.is_empty() {
        let taken = released.into_iter().filter_map(|edit| reread(edit).map(Ok)).collect();
        let retry = Round { retry: true, ..round };
        // What waited before this push cannot fail it: the next merge looks again.
        match retry.run(taken).await {
            Ok((retried, _)) => done.head = retried.head,
            Err(error) => tracing::warn!(%clinic, %error, "looking again at waiting edits failed"),
        }
    }
    Ok(done)
}

struct Round<'a> {
    store: &'a Store,
    actor: Actor,
    now: ServerInstant,
    retry: bool,
}

impl Round<'_> {
    async fn run(&self, taken: Vec<Taken>) -> StoreResult<(Done, Vec<WaitingEdit>)> {
        match self.attempt(&taken, false).await {
            Err(error) if error.is_refusal() => {
                tracing::warn!(clinic = %self.actor.clinic(), %error, edits = taken.len(), "database refused a group");
                self.split(taken).await
            }
            other => other,
        }
    }

    async fn split(&self, mut taken: Vec<Taken>) -> StoreResult<(Done, Vec<WaitingEdit>)> {
        if taken.len() <= 1 {
            return self.attempt(&taken, true).await;
        }
        let later = taken.split_off(taken.len() / 2);
        let (mut first, mut released) = Box::pin(self.run(taken)).await?;
        let (second, more) = Box::pin(self.run(later)).await?;
        first.fates.extend(second.fates);
        first.head = second.head;
        released.extend(more);
        Ok((first, released))
    }

    /// One transaction. With `quarantine_all`, every edit in it is kept aside as `projection_failed`.
    async fn attempt(&self, taken: &[Taken], quarantine_all: bool) -> StoreResult<(Done, Vec<WaitingEdit>)> {
        let candidates: Vec<Candidate> =
            taken.iter().filter_map(|edit| edit.as_ref().ok().cloned()).collect();
        let mut scoped = self.store.begin(&self.actor).await?;
        let head = scoped.lock_head().await?;
        let (facts, mut workspace) = facts::read(&mut scoped, &candidates).await?;
        let mut merged = Merged::new(head, self.now);
        let mut fates: Vec<Option<Fate>> = vec![None; candidates.len()];
        let (mut turn, mut put_off) = (order(&candidates), true);
        while !turn.is_empty() {
            let mut later = Vec::new();
            for index in turn {
                let Some(candidate) = candidates.get(index) else { continue };
                let fate = if quarantine_all {
                    Fate::Quarantined { code: Code::ProjectionFailed }
                } else {
                    match judge(candidate, &facts, &workspace, self.now, self.retry) {
                        Decision::Known(fate) => {
                            set(&mut fates, index, fate);
                            continue;
                        }
                        // Judged ahead of its place: the record it points at may be made by an edit that came before it.
                        Decision::Aside(Fate::Refused { code: Code::NotFound }, _)
                            if put_off && leads(candidate) =>
                        {
                            later.push(index);
                            continue;
                        }
                        decision => self.settle(candidate, decision, &mut workspace, &mut merged),
                    }
                };
                merged.remember(candidate, &fate, &mut workspace, self.retry);
                set(&mut fates, index, fate);
            }
            (turn, put_off) = (later, false);
        }
        consents::settle(&mut scoped, &mut workspace, &mut merged).await?;
        for rejected in taken.iter().filter_map(|edit| edit.as_ref().err()) {
            merged.edits.extend(refused_record(rejected));
            merged.audit_rejected(rejected);
        }
        let released = releasable(&facts.waiting, &merged, self.retry);
        persist::write(&mut scoped, &mut workspace, &mut merged).await?;
        scoped.commit().await?;
        crate::crash_point!("merge.after_commit");
        Ok((Done { fates: answers(taken, fates), head: merged.head.seq }, released))
    }

    fn settle(
        &self,
        candidate: &Candidate,
        decision: Decision,
        workspace: &mut Workspace,
        merged: &mut Merged,
    ) -> Fate {
        match decision {
            Decision::Known(fate) => fate,
            Decision::Aside(fate, evidence) => {
                if !self.retry {
                    merged.note_too_late(candidate, &evidence, &fate, workspace);
                }
                merged.note_evidence(candidate, evidence);
                fate
            }
            Decision::Accept(mut accepted) => {
                merged.note_evidence(candidate, std::mem::take(&mut accepted.evidence));
                if self.retry {
                    merged.settled.push(reconcile::consent::too_late_matter(candidate.envelope.edit));
                }
                merged.note_uncovered(&accepted);
                merged.patient_of(candidate, accepted.patient);
                let numbered = take_over(workspace, *accepted, &mut merged.head.seq);
                // The author's tablet gave a waiting edit up when it was set aside: it gets the change like everyone else.
                let writer = (!self.retry).then_some(candidate.envelope.device);
                merged.append_changes(candidate, &numbered, writer, workspace);
                Fate::Accepted { seq: merged.head.seq, merged_at: self.now.0 }
            }
        }
    }
}

fn set(fates: &mut [Option<Fate>], index: usize, fate: Fate) {
    if let Some(slot) = fates.get_mut(index) {
        *slot = Some(fate);
    }
}

/// Identities and consents first, so that what they cover in the same group is judged with them; otherwise as they
/// came. Per document the order is kept: those two tables always move together.
fn order(candidates: &[Candidate]) -> Vec<usize> {
    let (mut first, rest): (Vec<_>, Vec<_>) =
        (0..candidates.len()).partition(|index| candidates.get(*index).is_some_and(leads));
    first.extend(rest);
    first
}

fn leads(candidate: &Candidate) -> bool {
    candidate.envelope.changes.iter().all(|change| {
        change.document.table().is_some_and(|table| {
            table.name == "data_consent_records"
                || table.name == "patients" && change.document.facet == FacetId(0)
        })
    })
}

/// Waiting edits worth another look: a dependency came, or a consent did.
fn releasable(waiting: &[WaitingEdit], merged: &Merged, retry: bool) -> Vec<WaitingEdit> {
    if retry {
        return Vec::new();
    }
    let hit = |edit: &WaitingEdit| match edit.fate.as_str() {
        "held" => edit.documents.iter().any(|key| merged.touches(key)),
        "quarantined" => merged.consents_came,
        _ => false,
    };
    waiting.iter().filter(|edit| hit(edit)).cloned().collect()
}

fn answers(taken: &[Taken], fates: Vec<Option<Fate>>) -> Vec<EditFate> {
    let mut fates = fates.into_iter();
    taken
        .iter()
        .map(|edit| match edit {
            Ok(candidate) => EditFate {
                edit: Some(candidate.envelope.edit),
                fate: fates.next().flatten().unwrap_or(Fate::Refused { code: Code::Malformed }),
            },
            Err(rejected) => EditFate {
                edit: rejected.envelope.as_ref().map(|envelope| envelope.edit),
                fate: Fate::Refused { code: rejected.code },
            },
        })
        .collect()
}

/// The record of an edit refused at intake. One whose envelope could not be read has no id to be kept under; the audit
/// keeps its digest.
fn refused_record(rejected: &Rejected) -> Option<EditRecord> {
    let envelope = rejected.envelope.as_ref()?;
    // An envelope that names another device was signed by this one: never let it speak for that edit id.
    if envelope.device != rejected.device {
        return None;
    }
    let documents: Vec<DocumentId> = envelope.changes.iter().map(|change| change.document).collect();
    Some(EditRecord {
        id: envelope.edit.0,
        device: envelope.device.0,
        author: envelope.author.0,
        fate: Fate::Refused { code: rejected.code },
        captured_at: envelope.captured_at.0,
        envelope: Vec::new(),
        signature: Vec::new(),
        digest: rejected.digest.clone(),
        documents,
        patient: None,
    })
}
