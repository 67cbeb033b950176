//! One group commit: facts, judgement in order, one transaction, fates.
//!
//! When the database itself refuses (a constraint nobody foresaw), the group is split in halves until the guilty edit
//! stands alone; that one is quarantined as `projection_failed`, the others go through.

use super::admit::{self, Proofs};
use super::consents;
use super::facts::{self, Facts};
use super::intake::{Candidate, Incoming, Rejected, Taken, reread, take_all};
use super::judge::{Decision, answered, judge, take_over};
use super::persist::{self, Merged};
use super::workspace::Workspace;
use crate::actor::Actor;
use crate::admission::{Admission, AdmissionError, BATCH_EDITS_MAX};
use crate::reconcile;
use crate::store::edits::{EditRecord, WaitingEdit};
use crate::store::{Store, StoreError};
use neonpro_contract::catalogue::FacetId;
use neonpro_contract::document::ParsedChange;
use neonpro_contract::edit::DocumentId;
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::ids::{ClinicId, EditId};
use neonpro_contract::time::ServerInstant;
use neonpro_contract::wire::EditFate;
use std::collections::{HashMap, VecDeque};

/// Result of a group.
#[derive(Debug)]
pub(super) struct Done {
    pub fates: Vec<EditFate>,
    pub head: i64,
}

/// Why a group was not merged.
#[derive(Debug, thiserror::Error)]
pub(super) enum GroupError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Admission(#[from] AdmissionError),
}

impl GroupError {
    fn is_refusal(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_refusal())
    }
}

type GroupResult<T> = Result<T, GroupError>;

/// Merges a group of edits and then, in a second transaction, those that waited for what it brought.
pub(super) async fn merge(
    store: &Store,
    admission: &Admission,
    clinic: ClinicId,
    incoming: Vec<Incoming>,
    now: ServerInstant,
) -> GroupResult<Done> {
    let taken = take_all(clinic, incoming).await;
    let round = Round { store, admission, actor: Actor::system(clinic), now, retry: false };
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
    admission: &'a Admission,
    actor: Actor,
    now: ServerInstant,
    retry: bool,
}

impl Round<'_> {
    async fn run(&self, taken: Vec<Taken>) -> GroupResult<(Done, Vec<WaitingEdit>)> {
        match self.attempt(&taken, false).await {
            Err(error) if error.is_refusal() => {
                tracing::warn!(clinic = %self.actor.clinic(), %error, edits = taken.len(), "database refused a group");
                self.split(taken).await
            }
            other => other,
        }
    }

    async fn split(&self, mut taken: Vec<Taken>) -> GroupResult<(Done, Vec<WaitingEdit>)> {
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
    async fn attempt(&self, taken: &[Taken], quarantine_all: bool) -> GroupResult<(Done, Vec<WaitingEdit>)> {
        let candidates: Vec<Candidate> =
            taken.iter().filter_map(|edit| edit.as_ref().ok().cloned()).collect();
        let mut scoped = self.store.begin(&self.actor).await?;
        let head = scoped.lock_head().await?;
        let (facts, mut workspace) = facts::read(&mut scoped, &candidates).await?;
        let mut merged = Merged::new(head, self.now);
        let fates = if quarantine_all {
            let fate = Fate::Quarantined { code: Code::ProjectionFailed };
            for candidate in &candidates {
                merged.remember(candidate, &fate, &mut workspace, self.retry);
            }
            vec![Some(fate); candidates.len()]
        } else {
            self.decide(&candidates, &facts, &mut workspace, &mut merged).await?
        };
        consents::settle(&mut scoped, &mut workspace, &mut merged).await?;
        for rejected in taken.iter().filter_map(|edit| edit.as_ref().err()) {
            let refused = refused_record(rejected);
            merged.edits.extend(refused.filter(|edit| merged.edits.iter().all(|kept| kept.id != edit.id)));
            merged.audit_rejected(rejected);
        }
        let released = releasable(&facts.waiting, &merged, self.retry);
        persist::write(&mut scoped, &mut workspace, &mut merged).await?;
        scoped.commit().await?;
        crate::crash_point!("merge.after_commit");
        Ok((Done { fates: answers(taken, fates), head: merged.head.seq }, released))
    }

    /// Judges every edit on what the ones before it left.
    async fn decide(
        &self,
        candidates: &[Candidate],
        facts: &Facts,
        workspace: &mut Workspace,
        merged: &mut Merged,
    ) -> GroupResult<Vec<Option<Fate>>> {
        let mut fates: Vec<Option<Fate>> = vec![None; candidates.len()];
        let (mut queue, mut later) = (VecDeque::from(order(candidates)), Vec::new());
        let mut proofs = self.prove_new(&queue, candidates, facts, workspace).await?;
        let (mut put_off, mut tried_again) = (true, None);
        let mut told: HashMap<EditId, (&Candidate, Fate)> = HashMap::new();
        loop {
            let Some(index) = queue.pop_front() else {
                if later.is_empty() {
                    return Ok(fates);
                }
                queue.extend(later.drain(..));
                put_off = false;
                continue;
            };
            let Some(candidate) = candidates.get(index) else { continue };
            if let Some(fate) =
                told.get(&candidate.envelope.edit).and_then(|first| repeated(first, candidate))
            {
                set(&mut fates, index, fate);
                continue;
            }
            let fate = match judge(candidate, facts, workspace, proofs.get(&index), self.now, self.retry) {
                Decision::Known(fate) => {
                    set(&mut fates, index, fate);
                    continue;
                }
                // Judged ahead of its place: the record it points at may be made by an edit that came before it.
                Decision::Aside(Fate::Refused { code: Code::NotFound }, _) if put_off && leads(candidate) => {
                    later.push(index);
                    continue;
                }
                Decision::Unproven if tried_again != Some(index) => {
                    queue.push_front(index);
                    let again = together(&queue, candidates, candidate);
                    proofs.extend(admit::prove(self.admission, &again, candidates, workspace).await?);
                    tried_again = Some(index);
                    continue;
                }
                decision => self.settle(candidate, decision, workspace, merged),
            };
            merged.remember(candidate, &fate, workspace, self.retry);
            told.insert(candidate.envelope.edit, (candidate, fate.clone()));
            set(&mut fates, index, fate);
        }
    }

    /// Tries every edit that will be judged, but those that only write maps: they reach Automerge only where the judge
    /// finds that they do not fit by themselves, and are tried then.
    async fn prove_new(
        &self,
        queue: &VecDeque<usize>,
        candidates: &[Candidate],
        facts: &Facts,
        workspace: &Workspace,
    ) -> GroupResult<Proofs> {
        let is_new = |index: &usize| {
            candidates.get(*index).is_some_and(|edit| {
                let plain = edit.changes.iter().all(ParsedChange::is_plain);
                !plain && answered(edit, facts, self.retry).is_none()
            })
        };
        let new: Vec<usize> = queue.iter().copied().filter(is_new).collect();
        Ok(admit::prove(self.admission, &new, candidates, workspace).await?)
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
            // Just tried on these very documents: never merged without a proof.
            Decision::Unproven => Fate::Quarantined { code: Code::AdmissionFailed },
            Decision::Accept(mut accepted) => {
                merged.note_evidence(candidate, std::mem::take(&mut accepted.evidence));
                if self.retry {
                    merged.settled.push(reconcile::consent::too_late_matter(candidate.envelope.edit));
                }
                merged.note_uncovered(&accepted);
                merged.acts.extend(accepted.acts.iter().cloned());
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

/// The answer to an edit whose id was decided a moment ago in the same group; `None` if it is to be judged.
fn repeated((first, fate): &(&Candidate, Fate), again: &Candidate) -> Option<Fate> {
    let foreign = first.envelope.device != again.envelope.device;
    match fate {
        Fate::Accepted { seq, merged_at } => Some(Fate::Duplicate { seq: *seq, merged_at: *merged_at }),
        Fate::Refused { .. } => (first.digest == again.digest).then(|| fate.clone()),
        fate => (foreign || first.digest == again.digest).then(|| fate.clone()),
    }
}

/// The edits still to be judged that share a document with this one, itself first: as many as one worker tries at once.
fn together(queue: &VecDeque<usize>, candidates: &[Candidate], with: &Candidate) -> Vec<usize> {
    let shares = |index: &usize| {
        candidates.get(*index).is_some_and(|other| {
            let touched = |id: &DocumentId| with.envelope.changes.iter().any(|change| change.document == *id);
            other.envelope.changes.iter().any(|change| touched(&change.document))
        })
    };
    queue.iter().copied().filter(shares).take(BATCH_EDITS_MAX).collect()
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
