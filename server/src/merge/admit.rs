//! Between intake and judge: has every change tried in a worker, on the very documents the judge will merge into.
//!
//! A proof speaks of a document's heads. Where the judge finds other heads, because an edit before it was set aside, it
//! says so and the edit is tried again. Invariant: this process applies a change only to heads a worker merged it with.

use super::group::{GroupError, GroupResult};
use super::intake::Candidate;
use super::workspace::Workspace;
use crate::admission::{
    Admission, AdmissionError, BATCH_BYTES_MAX, BATCH_EDITS_MAX, Base, Batch, DEATHS_PER_EDIT, Step, Verdict,
};
use futures_util::future::try_join_all;
use neonpro_contract::edit::{DocumentChange, DocumentId};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

type Heads = Vec<[u8; 32]>;

/// What a worker found out about an edit.
#[derive(Debug, Clone)]
pub(super) enum Proof {
    /// Merging its changes is safe on documents with these heads, one list per change.
    On(Vec<Heads>),
    /// Merging it is not safe.
    Harmful,
}

/// Proofs by the edit's place in the group.
pub(super) type Proofs = HashMap<usize, Proof>;

impl Proof {
    /// Whether it speaks of these heads. `None` for an edit that must never be merged.
    pub(super) fn covers(&self, change: usize, heads: &Heads) -> Option<bool> {
        match self {
            Self::On(before) => Some(before.get(change) == Some(heads)),
            Self::Harmful => None,
        }
    }
}

/// How long the trials of one merge may still keep its clinic's head locked.
#[derive(Debug)]
pub(super) struct Patience(Duration);

impl Patience {
    pub fn of(admission: &Admission) -> Self {
        Self(admission.locked_wait())
    }
}

/// Tries these edits of a group, in this order, while the clinic's head is locked.
///
/// # Errors
/// `TooLong`: a worker died, or patience came to its end. No worker can be started. Nothing may be merged then.
pub(super) async fn prove(
    admission: &Admission,
    edits: &[usize],
    candidates: &[Candidate],
    workspace: &Workspace,
    patience: &mut Patience,
) -> GroupResult<Proofs> {
    let guilty = |index: &usize| candidates.get(*index).is_some_and(|edit| admission.is_guilty(&edit.digest));
    let (guilty, edits): (Vec<usize>, Vec<usize>) = edits.iter().copied().partition(guilty);
    let mut proofs: Proofs = guilty.into_iter().map(|index| (index, Proof::Harmful)).collect();
    if edits.is_empty() {
        return Ok(proofs);
    }
    let began = Instant::now();
    let until = began.checked_add(patience.0).unwrap_or(began);
    let parts = part(&edits, candidates, admission.workers());
    let trials = parts.iter().map(|part| {
        let edits = part.iter().filter_map(|index| Some((*index, candidates.get(*index)?))).collect();
        Trial { workspace, edits }.run_locked(admission, until)
    });
    let tried = try_join_all(trials).await;
    patience.0 = patience.0.saturating_sub(began.elapsed());
    admission.metrics().admission_seconds.observe(began.elapsed().as_secs_f64());
    let tried: Vec<(usize, Proof)> = tried?.into_iter().flatten().collect();
    count(admission, tried.iter().map(|(_, proof)| proof));
    proofs.extend(tried);
    Ok(proofs)
}

/// Tries one edit alone, while nobody waits for it. Who kills its worker twice is guilty, and remembered.
///
/// # Errors
/// No worker can be started.
pub(super) async fn prove_apart(
    admission: &Admission,
    candidate: &Candidate,
    workspace: &Workspace,
) -> Result<Proof, AdmissionError> {
    let proof = if admission.is_guilty(&candidate.digest) {
        Proof::Harmful
    } else {
        Trial { workspace, edits: vec![(0, candidate)] }.run_apart(admission).await?
    };
    if matches!(proof, Proof::Harmful) {
        admission.note_guilty(&candidate.digest);
    }
    count(admission, std::iter::once(&proof));
    Ok(proof)
}

fn count<'a>(admission: &Admission, proofs: impl Iterator<Item = &'a Proof> + Clone) {
    let harmful = proofs.clone().filter(|proof| matches!(proof, Proof::Harmful)).count();
    admission.metrics().count_admission(proofs.count().saturating_sub(harmful), harmful);
}

/// Splits a group so that edits of one document stay together and in order, and every worker gets its share.
fn part(edits: &[usize], candidates: &[Candidate], workers: usize) -> Vec<Vec<usize>> {
    let mut of_document: HashMap<DocumentId, usize> = HashMap::new();
    let mut clusters: Vec<Vec<usize>> = Vec::new();
    for index in edits {
        let Some(candidate) = candidates.get(*index) else { continue };
        let documents = candidate.envelope.changes.iter().map(|change| change.document);
        let mut touched: Vec<usize> =
            documents.clone().filter_map(|document| of_document.get(&document).copied()).collect();
        touched.sort_unstable();
        touched.dedup();
        let home = touched.first().copied().unwrap_or(clusters.len());
        if home == clusters.len() {
            clusters.push(Vec::new());
        }
        // An edit of several clusters joins them.
        for other in touched.into_iter().skip(1) {
            let joined = clusters.get_mut(other).map(std::mem::take).unwrap_or_default();
            for cluster in of_document.values_mut().filter(|cluster| **cluster == other) {
                *cluster = home;
            }
            if let Some(cluster) = clusters.get_mut(home) {
                cluster.extend(joined);
                cluster.sort_by_key(|index| edits.iter().position(|edit| edit == index));
            }
        }
        of_document.extend(documents.map(|document| (document, home)));
        if let Some(cluster) = clusters.get_mut(home) {
            cluster.push(*index);
        }
    }
    let share = edits.len().div_ceil(workers.max(1)).clamp(1, BATCH_EDITS_MAX);
    let mut parts: Vec<Vec<usize>> = Vec::new();
    for cluster in clusters.into_iter().filter(|cluster| !cluster.is_empty()) {
        match parts.last_mut().filter(|part| part.len() < share) {
            Some(part) => part.extend(cluster),
            None => parts.push(cluster),
        }
    }
    parts
}

/// One part of a group.
struct Trial<'a> {
    workspace: &'a Workspace,
    edits: Vec<(usize, &'a Candidate)>,
}

impl Trial<'_> {
    /// Tries the part once, up to an instant. Who is to blame for a death is found out apart.
    async fn run_locked(mut self, admission: &Admission, until: Instant) -> GroupResult<Vec<(usize, Proof)>> {
        let mut proofs = self.leave_out();
        let (batch, documents) = self.batch();
        if batch.edits.is_empty() {
            return Ok(proofs);
        }
        let run = admission.run_locked(&batch, until).await?;
        if run.died {
            let digests = self.edits.iter().map(|(_, candidate)| candidate.digest.clone());
            return Err(GroupError::TooLong(digests.collect()));
        }
        proofs.extend(self.read(&batch, &documents, &run.verdicts));
        Ok(proofs)
    }

    /// Tries the one edit it is, each time in a process of its own, until one lives through it.
    async fn run_apart(mut self, admission: &Admission) -> Result<Proof, AdmissionError> {
        let left_out = self.leave_out();
        let (batch, documents) = self.batch();
        for _ in 0..DEATHS_PER_EDIT {
            if batch.edits.is_empty() {
                break;
            }
            let run = admission.run_apart(&batch).await?;
            if !run.died {
                let read = self.read(&batch, &documents, &run.verdicts);
                return Ok(read.into_iter().next().map_or(Proof::Harmful, |(_, proof)| proof));
            }
        }
        for (_, candidate) in self.edits.iter().filter(|_| left_out.is_empty()) {
            let envelope = &candidate.envelope;
            tracing::warn!(edit = %envelope.edit, device = %envelope.device, "an edit kills admission workers");
        }
        Ok(Proof::Harmful)
    }

    /// Leaves out what can never fit a batch.
    fn leave_out(&mut self) -> Vec<(usize, Proof)> {
        let (workspace, mut out) = (self.workspace, Vec::new());
        self.edits.retain(|(index, candidate)| {
            let changes = &candidate.envelope.changes;
            let weigh = |change: &DocumentChange| {
                size(workspace, &change.document).saturating_add(change.change.len())
            };
            let fits = changes.iter().map(weigh).sum::<usize>() <= BATCH_BYTES_MAX / 2;
            if !fits {
                out.push((*index, Proof::Harmful));
            }
            fits
        });
        out
    }

    /// The edits that fit into one batch by bytes, and their documents in the order of the bases. What does not fit
    /// stays for the next round of the judge: without a proof it is tried again there.
    fn batch(&mut self) -> (Batch, Vec<DocumentId>) {
        let (mut bases, mut documents) = (Vec::new(), Vec::new());
        let mut places: HashMap<DocumentId, u32> = HashMap::new();
        let (mut bytes, mut taken) = (0usize, Vec::new());
        for (_, candidate) in &self.edits {
            let changes = &candidate.envelope.changes;
            let new = changes.iter().filter(|change| !places.contains_key(&change.document));
            let more: usize = new
                .map(|change| size(self.workspace, &change.document))
                .chain(changes.iter().map(|change| change.change.len()))
                .sum();
            bytes = bytes.saturating_add(more);
            if bytes > BATCH_BYTES_MAX / 2 && !taken.is_empty() {
                break;
            }
            let mut steps = Vec::with_capacity(changes.len());
            for change in changes {
                let place = *places.entry(change.document).or_insert_with(|| {
                    bases.push(base(self.workspace, change.document));
                    documents.push(change.document);
                    u32::try_from(bases.len().saturating_sub(1)).unwrap_or(u32::MAX)
                });
                steps.push(Step { base: place, change: change.change.clone() });
            }
            taken.push(steps);
        }
        self.edits.truncate(taken.len());
        (Batch { bases, edits: taken }, documents)
    }

    fn read(&self, batch: &Batch, documents: &[DocumentId], verdicts: &[Verdict]) -> Vec<(usize, Proof)> {
        let at = |id: &DocumentId| {
            self.workspace.documents.get(id).map(|open| open.state.heads.clone()).unwrap_or_default()
        };
        let mut heads: Vec<Heads> = documents.iter().map(at).collect();
        let mut proofs = Vec::with_capacity(verdicts.len());
        for (((index, candidate), steps), verdict) in self.edits.iter().zip(&batch.edits).zip(verdicts) {
            let place = |step: &Step| usize::try_from(step.base).unwrap_or(usize::MAX);
            let before = steps.iter().filter_map(|step| heads.get(place(step)).cloned()).collect();
            match verdict {
                Verdict::Fits(after) => {
                    for (step, after) in steps.iter().zip(after) {
                        if let Some(slot) = heads.get_mut(place(step)) {
                            *slot = after.iter().map(|hash| **hash).collect();
                        }
                    }
                    proofs.push((*index, Proof::On(before)));
                }
                Verdict::Unmerged => proofs.push((*index, Proof::On(before))),
                Verdict::Harms => {
                    let envelope = &candidate.envelope;
                    tracing::warn!(edit = %envelope.edit, device = %envelope.device, "an edit was not admitted");
                    proofs.push((*index, Proof::Harmful));
                }
            }
        }
        proofs
    }
}

/// Bytes a document's base takes at most.
fn size(workspace: &Workspace, id: &DocumentId) -> usize {
    let saved = workspace.documents.get(id).and_then(|open| open.state.snapshot.as_ref());
    saved.map_or(4_096, Vec::len)
}

/// A document as it stands in this transaction.
fn base(workspace: &Workspace, id: DocumentId) -> Base {
    let open = workspace.documents.get(&id);
    let epoch = open.map_or(1, |open| open.state.epoch);
    let saved = open.and_then(|open| {
        let opened = open.document.as_ref().map(|document| document.clone().save());
        opened.or_else(|| open.state.snapshot.clone())
    });
    match saved {
        Some(saved) => Base { document: id, epoch, saved: Some(saved.into()), row: None },
        None => {
            let record = workspace.records.get(&(id.table, id.record.0));
            Base::of_row(id, epoch, record.map(|record| &record.row))
        }
    }
}
