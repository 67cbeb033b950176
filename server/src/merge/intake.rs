//! Intake: what can be decided about an edit without the database: the envelope, its signature, then its changes.

use crate::store::edits::{EditRecord, WaitingEdit};
use neonpro_contract::document::{Actor as CrdtActor, ParsedChange};
use neonpro_contract::edit::{DocumentId, Envelope, Intent, SignedEdit, decode_envelope, signing_bytes};
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::ids::{ClinicId, DeviceId};
use neonpro_contract::signature::verifies;
use std::sync::Arc;

/// An edit as a session received it.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// The authenticated device.
    pub device: DeviceId,
    /// Its public key.
    pub public_key: Arc<[u8]>,
    /// The signed bytes.
    pub signed: SignedEdit,
}

/// An edit whose signature and form are good.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub signed: SignedEdit,
    pub digest: Vec<u8>,
    pub envelope: Envelope,
    pub changes: Vec<ParsedChange>,
    /// Documents the person touched; one that is reissued may need no change to some of them any more.
    pub(super) touched: Vec<DocumentId>,
    /// The envelope with changes made anew by the server, for one whose signed changes do not fit any more.
    pub reissued: Option<Vec<u8>>,
    /// What is known of one that waited here.
    pub waited: Option<Box<Waited>>,
}

impl Candidate {
    /// The documents the person touched.
    pub fn documents(&self) -> impl Iterator<Item = DocumentId> + '_ {
        self.touched.iter().copied()
    }

    /// Whether it waited for a consent.
    pub fn waited_for_consent(&self) -> bool {
        let code = self.waited.as_ref().and_then(|waited| waited.code);
        matches!(code, Some(Code::ConsentMissing | Code::ConsentWithdrawn))
    }
}

/// What is known of an edit that waited on the server.
#[derive(Debug, Clone)]
pub(super) struct Waited {
    pub code: Option<Code>,
    pub asked: bool,
    /// What was meant, if its tablet handed it over.
    pub intent: Option<Intent>,
}

/// An edit that goes no further.
#[derive(Debug, Clone)]
pub(super) struct Rejected {
    pub device: DeviceId,
    pub digest: Vec<u8>,
    /// Known when the envelope could be read and was signed by the device.
    pub envelope: Option<Envelope>,
    pub code: Code,
}

impl Rejected {
    /// The record of an edit refused at intake. One whose envelope could not be read has no id to be kept under; the audit
    /// keeps its digest.
    pub fn record(&self) -> Option<EditRecord> {
        let envelope = self.envelope.as_ref()?;
        // An envelope that names another device was signed by this one: never let it speak for that edit id.
        if envelope.device != self.device {
            return None;
        }
        let documents: Vec<DocumentId> = envelope.changes.iter().map(|change| change.document).collect();
        Some(EditRecord {
            id: envelope.edit.0,
            device: envelope.device.0,
            author: envelope.author.0,
            fate: Fate::Refused { code: self.code },
            captured_at: envelope.captured_at.0,
            envelope: Vec::new(),
            signature: Vec::new(),
            digest: self.digest.clone(),
            subjects: Vec::new(),
            documents,
            patient: None,
            reissued: None,
            awaits: Vec::new(),
        })
    }
}

pub(super) type Taken = Result<Candidate, Box<Rejected>>;

/// Checks many edits on two threads: verifying signatures is most of an edit's CPU.
pub(super) async fn take_all(clinic: ClinicId, incoming: Vec<Incoming>) -> Vec<Taken> {
    if incoming.len() < 8 {
        return incoming.into_iter().map(|edit| take(clinic, edit)).collect();
    }
    let mut first = incoming;
    let second = first.split_off(first.len() / 2);
    let later = tokio::task::spawn_blocking(move || {
        second.into_iter().map(|edit| take(clinic, edit)).collect::<Vec<_>>()
    });
    let mut taken: Vec<Taken> = first.into_iter().map(|edit| take(clinic, edit)).collect();
    // The closure cannot panic: it only calls `take`, which catches what the decoder may do.
    taken.extend(later.await.unwrap_or_default());
    taken
}

/// What an edit's signed bytes are known by.
pub(super) fn digest(envelope: &[u8]) -> Vec<u8> {
    ring::digest::digest(&ring::digest::SHA256, envelope).as_ref().to_vec()
}

pub(super) fn take(clinic: ClinicId, incoming: Incoming) -> Taken {
    let Incoming { device, public_key, signed } = incoming;
    let digest = digest(&signed.envelope);
    let reject = |envelope: Option<Envelope>, code: Code, digest: Vec<u8>| {
        Err(Box::new(Rejected { device, digest, envelope, code }))
    };
    let Some(envelope) = decode_envelope(&signed.envelope) else {
        return reject(None, Code::Malformed, digest);
    };
    let message = signing_bytes(clinic, &envelope);
    if !verifies(&public_key, &message, &signed.signature) {
        return reject(None, Code::BadSignature, digest);
    }
    if envelope.catalogue > neonpro_contract::catalogue::CATALOGUE_VERSION {
        return reject(Some(envelope), Code::CatalogueUnknown, digest);
    }
    match parse_changes(&envelope, device) {
        Ok(changes) => {
            let touched = envelope.changes.iter().map(|change| change.document).collect();
            Ok(Candidate { signed, digest, envelope, changes, touched, reissued: None, waited: None })
        }
        Err(code) => reject(Some(envelope), code, digest),
    }
}

/// Reads an edit that waited on the server. Its signature was verified when it came.
pub(super) fn reread(waiting: WaitingEdit) -> Option<Candidate> {
    let envelope = decode_envelope(&waiting.envelope)?;
    let changes = parse_changes(&envelope, DeviceId(waiting.device)).ok()?;
    let digest = digest(&waiting.envelope);
    let signed = SignedEdit { envelope: waiting.envelope.into(), signature: waiting.signature.into() };
    let intent = waiting.intent.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let waited = Some(Box::new(Waited { code: waiting.code, asked: waiting.asked, intent }));
    let touched = envelope.changes.iter().map(|change| change.document).collect();
    Some(Candidate { signed, digest, envelope, changes, touched, reissued: None, waited })
}

fn parse_changes(envelope: &Envelope, device: DeviceId) -> Result<Vec<ParsedChange>, Code> {
    if envelope.device != device {
        return Err(Code::BadSignature);
    }
    let mut changes = Vec::with_capacity(envelope.changes.len());
    for change in &envelope.changes {
        let parsed = ParsedChange::parse(&change.change).map_err(|_| Code::Malformed)?;
        let header = parsed.header();
        let same = header.edit == envelope.edit
            && header.author == envelope.author
            && header.capture == envelope.capture()
            && header.seen_seq == envelope.seen_seq;
        if !same || !CrdtActor::belongs_to(parsed.actor(), device) {
            return Err(Code::Malformed);
        }
        changes.push(parsed);
    }
    let mut documents: Vec<_> = envelope.changes.iter().map(|change| change.document).collect();
    documents.sort_unstable();
    documents.dedup();
    if documents.len() == envelope.changes.len() { Ok(changes) } else { Err(Code::Malformed) }
}
