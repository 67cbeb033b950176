//! Between intake and judge: has every change tried in a worker, on the very documents the judge will merge into.
//!
//! A proof speaks of a document's heads. Where the judge finds other heads, because an edit before it was set aside, it
//! says so and the edit is tried again. Invariant: this process applies a change only to heads a worker merged it with.

use super::intake::Candidate;
use super::workspace::Workspace;
use crate::admission::{
    Admission, AdmissionError, BATCH_BYTES_MAX, BATCH_EDITS_MAX, Base, Batch, DEATHS_PER_EDIT,
    GUILTY_PER_DEVICE_MAX, Step, Verdict,
};
use futures_util::future::try_join_all;
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::DeviceId;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

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

/// Tries these edits of a group, in this order.
///
/// # Errors
/// No worker can be started. Nothing may be merged then.
pub(super) async fn prove(
    admission: &Admission,
    edits: &[usize],
    candidates: &[Candidate],
    workspace: &Workspace,
) -> Result<Proofs, AdmissionError> {
    if edits.is_empty() {
        return Ok(Proofs::new());
    }
    let began = Instant::now();
    let guilty = Mutex::new(HashMap::new());
    let parts = part(edits, candidates, admission.workers());
    let trials = parts.iter().map(|part| {
        let edits = part.iter().filter_map(|index| Some((*index, candidates.get(*index)?))).collect();
        Trial { admission, workspace, guilty: &guilty, edits }.run()
    });
    let proofs: Proofs = try_join_all(trials).await?.into_iter().flatten().collect();
    let harmful = proofs.values().filter(|proof| matches!(proof, Proof::Harmful)).count();
    let metrics = admission.metrics();
    metrics.count_admission(proofs.len().saturating_sub(harmful), harmful);
    metrics.admission_seconds.observe(began.elapsed().as_secs_f64());
    Ok(proofs)
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
    admission: &'a Admission,
    workspace: &'a Workspace,
    /// Guilty edits of each device, in the whole group.
    guilty: &'a Mutex<HashMap<DeviceId, u32>>,
    edits: Vec<(usize, &'a Candidate)>,
}

impl Trial<'_> {
    /// Tries the part until a worker lives through it; who kills it twice alone is left out.
    async fn run(mut self) -> Result<Vec<(usize, Proof)>, AdmissionError> {
        let mut proofs = Vec::new();
        let mut deaths: HashMap<usize, u32> = HashMap::new();
        let mut eager = false;
        loop {
            self.leave_out(&mut proofs);
            let (batch, documents) = self.batch(eager);
            if batch.edits.is_empty() {
                return Ok(proofs);
            }
            let run = self.admission.run(&batch, eager).await?;
            if !run.died {
                proofs.extend(self.read(&batch, &documents, &run.verdicts));
                return Ok(proofs);
            }
            if !eager {
                // All its verdicts came at once or not at all: try again, one by one, in a worker of its own.
                eager = true;
                continue;
            }
            let suspect = self.edits.get(run.verdicts.len()).map(|(index, candidate)| (*index, *candidate));
            let Some((index, candidate)) = suspect else { continue };
            let died = deaths.entry(index).or_insert(0);
            *died = died.saturating_add(1);
            if *died >= DEATHS_PER_EDIT {
                let envelope = &candidate.envelope;
                tracing::warn!(edit = %envelope.edit, device = %envelope.device, "an edit kills admission workers");
                let mut guilty = self.guilty.lock().unwrap_or_else(PoisonError::into_inner);
                let count = guilty.entry(envelope.device).or_insert(0);
                *count = count.saturating_add(1);
                drop(guilty);
                self.edits.retain(|(other, _)| *other != index);
                proofs.push((index, Proof::Harmful));
            }
        }
    }

    /// Leaves out what can never fit a batch, and what comes from a device that has done enough harm here.
    fn leave_out(&mut self, proofs: &mut Vec<(usize, Proof)>) {
        let guilty = self.guilty.lock().unwrap_or_else(PoisonError::into_inner);
        let workspace = self.workspace;
        self.edits.retain(|(index, candidate)| {
            let envelope = &candidate.envelope;
            let kills = guilty.get(&envelope.device).is_some_and(|count| *count >= GUILTY_PER_DEVICE_MAX);
            let bytes: usize = envelope
                .changes
                .iter()
                .map(|change| size(workspace, &change.document).saturating_add(change.change.len()))
                .sum();
            let out = kills || bytes > BATCH_BYTES_MAX / 2;
            if out {
                proofs.push((*index, Proof::Harmful));
            }
            !out
        });
    }

    /// The edits that fit into one batch by bytes, and their documents in the order of the bases. What does not fit
    /// stays for the next round of the judge: without a proof it is tried again there.
    fn batch(&mut self, eager: bool) -> (Batch, Vec<DocumentId>) {
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
        (Batch { eager, bases, edits: taken }, documents)
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
