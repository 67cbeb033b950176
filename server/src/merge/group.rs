//! One group commit: facts, judgement in order, one transaction, fates.
//!
//! When the database itself refuses (a constraint nobody foresaw), the group is split in halves until the guilty edit
//! stands alone; that one is quarantined as `projection_failed`, the others go through.

use super::admit::{self, Patience, Proof, Proofs};
use super::consents;
use super::facts::{self, Facts};
use super::intake::{Candidate, Incoming, Taken, reread, take_all};
use super::judge::{Decision, answered, judge, take_over};
use super::persist::{self, Merged};
use super::reissue::{Ahead, is_due, reissue};
use super::workspace::Workspace;
use crate::actor::Actor;
use crate::admission::{Admission, AdmissionError, BATCH_EDITS_MAX};
use crate::reconcile;
use crate::store::edits::{WaitingEdit, document_key};
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
#[derive(Debug, Default)]
pub(super) struct Done {
    pub fates: Vec<EditFate>,
    pub head: i64,
    /// Waiting edits that are to be looked at again, apart: trying them with the clinic's head locked took too long.
    pub left: Vec<WaitingEdit>,
}

/// Why a group was not merged.
#[derive(Debug, thiserror::Error)]
pub(super) enum GroupError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    /// Trying these edits (by their digests) took longer than a clinic's head may be locked. Nothing of them was merged.
    #[error("trying edits took longer than a clinic may wait")]
    TooLong(Vec<Vec<u8>>),
}

impl GroupError {
    fn is_refusal(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_refusal())
    }

    fn refused_by(&self) -> Option<String> {
        if let Self::Store(error) = self { error.refused_by() } else { None }
    }
}

pub(super) type GroupResult<T> = Result<T, GroupError>;

/// Merges a group of edits and then, in transactions of their own, those that waited for what it brought, and those
/// that waited for these. `apart`: one by one, tried before the clinic's head is locked.
pub(super) async fn merge(
    store: &Store,
    admission: &Admission,
    clinic: ClinicId,
    incoming: Vec<Incoming>,
    now: ServerInstant,
    apart: bool,
) -> GroupResult<Done> {
    let taken = take_all(clinic, incoming).await;
    let round = Round { apart, ..Round::new(store, admission, clinic, now) };
    let (mut done, released) = round.run(taken).await?;
    let retry = Round { retry: true, ..round };
    // What waited before this push cannot fail it: the next merge looks again.
    match retry.look_again(released.clone()).await {
        Ok(Some(again)) => done.head = done.head.max(again.head),
        Ok(None) => {}
        Err(GroupError::TooLong(_)) => done.left = released,
        Err(error) => tracing::warn!(%clinic, %error, "looking again at waiting edits failed"),
    }
    Ok(done)
}

/// Judges waiting edits again that took too long while the clinic's head was locked.
pub(super) async fn look_again_apart(
    store: &Store,
    admission: &Admission,
    clinic: ClinicId,
    waiting: Vec<WaitingEdit>,
    now: ServerInstant,
) -> GroupResult<Option<Done>> {
    let retry = Round { retry: true, apart: true, ..Round::new(store, admission, clinic, now) };
    retry.look_again(waiting).await
}

/// Judges an edit an administrator released, and then what was set aside with it.
pub(super) async fn release(
    store: &Store,
    admission: &Admission,
    clinic: ClinicId,
    waiting: WaitingEdit,
    now: ServerInstant,
) -> GroupResult<Option<Done>> {
    let release = Release { waived: waiting.code, documents: waiting.documents.clone() };
    let retry = Round { retry: true, release: Some(&release), ..Round::new(store, admission, clinic, now) };
    match retry.look_again(vec![waiting.clone()]).await {
        Err(GroupError::TooLong(_)) => Round { apart: true, ..retry }.look_again(vec![waiting]).await,
        judged => judged,
    }
}

#[derive(Clone, Copy)]
pub(super) struct Round<'a> {
    pub store: &'a Store,
    pub admission: &'a Admission,
    pub actor: Actor,
    pub now: ServerInstant,
    pub retry: bool,
    pub release: Option<&'a Release>,
    /// One by one, tried before the clinic's head is locked.
    pub apart: bool,
    /// What a trial before the lock found.
    pub tried: Option<&'a Tried>,
}

/// What a trial before the lock found out about an edit.
#[derive(Debug)]
pub(super) struct Tried {
    pub digest: Vec<u8>,
    pub proof: Proof,
}

/// What an administrator released: the question that is not asked again of edits to these documents that were set aside
/// with it.
#[derive(Debug)]
pub(super) struct Release {
    waived: Option<Code>,
    documents: Vec<String>,
}

impl Release {
    fn covers(&self, candidate: &Candidate) -> bool {
        let depends = candidate.waited.as_ref().is_some_and(|w| w.code == Some(Code::DependsOnSetAside));
        depends && candidate.documents().all(|id| self.documents.contains(&document_key(&id)))
    }
}

impl<'a> Round<'a> {
    fn new(store: &'a Store, admission: &'a Admission, clinic: ClinicId, now: ServerInstant) -> Self {
        let actor = Actor::system(clinic);
        Self { store, admission, actor, now, retry: false, release: None, apart: false, tried: None }
    }

    /// Judges waiting edits again, and then what waited for them. Ends because every round but the last merges at least
    /// one of them. The fates are those of the first round.
    async fn look_again(&self, mut waiting: Vec<WaitingEdit>) -> GroupResult<Option<Done>> {
        let mut first: Option<Done> = None;
        while !waiting.is_empty() {
            let taken = waiting.into_iter().filter_map(|edit| reread(edit).map(Ok)).collect();
            let (done, more) = self.run(taken).await?;
            waiting = more;
            match &mut first {
                Some(first) => first.head = done.head,
                None => first = Some(done),
            }
        }
        Ok(first)
    }

    pub(super) async fn run(&self, taken: Vec<Taken>) -> GroupResult<(Done, Vec<WaitingEdit>)> {
        if self.apart {
            return self.one_by_one(taken).await;
        }
        match self.attempt(&taken, false).await {
            Err(error) if error.is_refusal() => {
                let by = error.refused_by().unwrap_or_default();
                tracing::warn!(clinic = %self.actor.clinic(), %error, by, edits = taken.len(), "database refused a group");
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
        let (mut facts, mut workspace) = facts::read(&mut scoped, &candidates).await?;
        self.let_follow(&candidates, &mut facts);
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
            let refused = rejected.record();
            merged.edits.extend(refused.filter(|edit| merged.edits.iter().all(|kept| kept.id != edit.id)));
            merged.audit_rejected(rejected);
        }
        // One look covers so many; where one was let in, the next ones are looked at, too.
        let consents_came = merged.consents_came || let_in(&candidates, &fates);
        let released = releasable(&facts.waiting, &merged, consents_came);
        persist::write(&mut scoped, &mut workspace, &mut merged).await?;
        scoped.commit().await?;
        crate::crash_point!("merge.after_commit");
        let done = Done { fates: answers(taken, fates), head: merged.head.seq, left: Vec::new() };
        Ok((done, released))
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
        let mut patience = Patience::of(self.admission);
        let mut proofs = self.prove_new(&queue, candidates, facts, workspace, &mut patience).await?;
        let (mut put_off, mut tried_again) = (true, None);
        let mut ahead = if self.retry { Ahead::of(&facts.waiting) } else { Ahead::default() };
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
            let Some(original) = candidates.get(index) else { continue };
            if let Some(fate) = told.get(&original.envelope.edit).and_then(|first| repeated(first, original))
            {
                set(&mut fates, index, fate);
                continue;
            }
            let decision = judge(original, facts, workspace, proofs.get(&index), self.now, self.retry);
            let refitted = self.refit(original, decision, facts, workspace, &ahead, &mut patience);
            let (fitted, decision) = refitted.await?;
            let candidate = fitted.as_ref().unwrap_or(original);
            let fate = match decision {
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
                    let tried = admit::prove(self.admission, &again, candidates, workspace, &mut patience);
                    proofs.extend(tried.await?);
                    tried_again = Some(index);
                    continue;
                }
                decision => self.settle(candidate, decision, workspace, merged),
            };
            ahead.forget_merged(original.envelope.edit.0, &fate);
            merged.remember(candidate, &fate, workspace, self.retry);
            told.insert(original.envelope.edit, (original, fate.clone()));
            set(&mut fates, index, fate);
        }
    }

    /// What was set aside with a released edit, on the same documents, follows it.
    fn let_follow(&self, candidates: &[Candidate], facts: &mut Facts) {
        let Some(release) = self.release else { return };
        for candidate in candidates.iter().filter(|candidate| release.covers(candidate)) {
            if let Some(known) = facts.known.get_mut(&candidate.envelope.edit.0) {
                known.waived = known.waived.or(release.waived);
            }
        }
    }

    /// An edit that waited and does not fit any more is decided as expressed anew.
    async fn refit(
        &self,
        candidate: &Candidate,
        decision: Decision,
        facts: &Facts,
        workspace: &Workspace,
        ahead: &Ahead,
        patience: &mut Patience,
    ) -> GroupResult<(Option<Candidate>, Decision)> {
        let Decision::Aside(fate, _) = &decision else { return Ok((None, decision)) };
        let known = facts.known.get(&candidate.envelope.edit.0);
        let waited = candidate.waited.as_ref().and_then(|waited| waited.code);
        let released = known.is_some_and(|known| known.waived.is_some() && known.waived == waited);
        if !is_due(fate, candidate, released, ahead) {
            return Ok((None, decision));
        }
        let Some(anew) = reissue(candidate, fate, workspace) else {
            // Only its tablet can say it anew.
            let document = candidate.documents().next();
            let rebase = |document| Decision::Aside(Fate::Rebase { document, epoch: 0 }, Vec::new());
            return Ok((None, document.map_or(decision, rebase)));
        };
        let one = std::slice::from_ref(&anew);
        let proofs = admit::prove(self.admission, &[0], one, workspace, patience).await?;
        let decision = judge(&anew, facts, workspace, proofs.get(&0), self.now, self.retry);
        Ok((Some(anew), decision))
    }

    /// Tries every edit that will be judged, but those that only write maps: they reach Automerge only where the judge
    /// finds that they do not fit by themselves, and are tried then.
    async fn prove_new(
        &self,
        queue: &VecDeque<usize>,
        candidates: &[Candidate],
        facts: &Facts,
        workspace: &Workspace,
        patience: &mut Patience,
    ) -> GroupResult<Proofs> {
        let mut known = Proofs::new();
        let mut new = Vec::new();
        for index in queue {
            let Some(edit) = candidates.get(*index) else { continue };
            if let Some(tried) = self.tried.filter(|tried| tried.digest == edit.digest) {
                known.insert(*index, tried.proof.clone());
                continue;
            }
            let plain = edit.changes.iter().all(ParsedChange::is_plain);
            if !plain && answered(edit, facts, self.retry).is_none() {
                new.push(*index);
            }
        }
        known.extend(admit::prove(self.admission, &new, candidates, workspace, patience).await?);
        Ok(known)
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
                if matches!(fate, Fate::Rebase { .. }) {
                    merged.ask(candidate);
                }
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

/// Waiting edits worth another look: what they build on came, or a consent did. Those merged just now wait no more.
fn releasable(waiting: &[WaitingEdit], merged: &Merged, consents_came: bool) -> Vec<WaitingEdit> {
    let touched = |keys: &[String]| keys.iter().any(|key| merged.touches(key));
    let hit = |edit: &&WaitingEdit| match (edit.fate.as_str(), edit.code) {
        ("quarantined", Some(Code::ConsentMissing | Code::ConsentWithdrawn)) => consents_came,
        ("held", _) | ("quarantined", Some(Code::DependsOnSetAside | Code::DependencyExpired)) => {
            touched(&edit.documents) || touched(&edit.awaits)
        }
        _ => false,
    };
    let merged_now = |edit: &WaitingEdit| merged.edits.iter().any(|record| record.id == edit.id);
    waiting.iter().filter(hit).filter(|edit| !merged_now(edit)).cloned().collect()
}

/// Whether an edit that waited for a consent was accepted.
fn let_in(candidates: &[Candidate], fates: &[Option<Fate>]) -> bool {
    let let_in = |fate: &Option<Fate>| matches!(fate, Some(Fate::Accepted { .. }));
    candidates.iter().zip(fates).any(|(candidate, fate)| candidate.waited_for_consent() && let_in(fate))
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
