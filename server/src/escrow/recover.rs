//! Merging what a tablet left in its escrow file, as if the tablet had pushed it.

use super::{load_keys, open_with, require_admin};
use crate::actor::Actor;
use crate::blobs::BlobError;
use crate::blobs::custody::CustodyError;
use crate::merge::{Incoming, MergeError, Merger};
use crate::set_aside;
use crate::store::StoreError;
use crate::store::audit::AuditRecord;
use hpke::Kem;
use hpke::kem::X25519HkdfSha256;
use neonpro_contract::escrow::{
    Content, Header, KEY_LABEL, Record, Records, associated_data, nonce, read_header,
};
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::ids::{AuthorId, ClinicId, EditId};
use neonpro_contract::limits::{PUSH_BYTES_MAX, PUSH_EDITS_MAX};
use neonpro_contract::time::{DeviceInstant, ServerInstant};
use neonpro_contract::wire::{Decided, Decision};
use ring::aead::{Aad, LessSafeKey, Nonce};
use serde_json::json;
use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Why a file was not recovered, or not to its end. Doing it again goes on where it stopped.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// It is no escrow file.
    #[error("this is not an escrow file of a tablet")]
    NotEscrow,
    /// It is another clinic's.
    #[error("this file was sealed for another clinic")]
    OtherClinic,
    /// The clinic has no key that opens it.
    #[error("this clinic has no key that opens the file")]
    NoKey,
    /// The device is not of the clinic.
    #[error("the file's device is not one of this clinic")]
    NoDevice,
    /// Only an administrator of the clinic may.
    #[error("that person is not an administrator of this clinic")]
    NotAnAdministrator,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The merge failed.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// The folder of files.
    #[error("{0} could not be read")]
    Folder(PathBuf, #[source] std::io::Error),
    /// The store of files failed.
    #[error(transparent)]
    Blobs(#[from] BlobError),
}

impl From<CustodyError> for RecoverError {
    fn from(error: CustodyError) -> Self {
        match error {
            CustodyError::Store(error) => error.into(),
            CustodyError::Blobs(error) => error.into(),
        }
    }
}

/// What became of one edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The edit.
    pub edit: EditId,
    /// Its fate, as its tablet would have heard it.
    pub fate: Fate,
    /// The server had an answer for it before.
    pub known: bool,
    /// The merge refused it; it is kept for an administrator to release or discard.
    pub handed_over: bool,
}

/// What came of a file.
#[derive(Debug)]
pub struct Report {
    /// Every edit of the file, in the order of the tablet.
    pub edits: Vec<Recovered>,
    /// Records that did not open: they were not sealed for this place, by anybody.
    pub unreadable: usize,
    /// Bytes behind the last whole record: what a power loss tore.
    pub torn_bytes: usize,
}

/// Gives every edit of an escrow file to the merge, in the name of its device, and what that refuses to the administrators.
/// `by` is the administrator who does it.
///
/// # Errors
/// What is wrong with the file, or what failed.
pub async fn recover(
    merger: &Merger,
    clinic: ClinicId,
    by: AuthorId,
    file: &[u8],
    now: ServerInstant,
) -> Result<Report, RecoverError> {
    let header = read_header(file).ok_or(RecoverError::NotEscrow)?;
    if header.clinic != clinic {
        return Err(RecoverError::OtherClinic);
    }
    let mut scoped = merger.store().begin(&Actor::system(clinic)).await?;
    let admin = require_admin(&mut scoped, by).await;
    let device = scoped.find_device(header.device).await?;
    let keys = load_keys(&mut scoped).await?;
    let key = keys.into_iter().find(|(public, _)| *public == header.public_key).map(|(_, private)| private);
    let opened = key.as_ref().map(|key| open(file, &header, key));
    let (known, handed) = match &opened {
        Some(opened) => {
            let ids: Vec<EditId> = opened.edits.iter().map(|(edit, _)| *edit).collect();
            scoped.list_answered_edits(&ids).await?
        }
        None => Default::default(),
    };
    scoped.commit().await?;
    admin?;
    let device = device.ok_or(RecoverError::NoDevice)?;
    let Opened { edits, unreadable, torn_bytes } = opened.ok_or(RecoverError::NoKey)?;
    let public_key: Arc<[u8]> = device.public_key.into();
    let fates = merge(merger, &header, &public_key, &edits).await?;
    let recovered = edits.iter().zip(fates).map(|((edit, _), fate)| {
        let handed_over = matches!(fate, Fate::Refused { .. });
        Recovered { edit: *edit, fate, known: known.contains(edit), handed_over }
    });
    let report = Report { edits: recovered.collect(), unreadable, torn_bytes };
    hand_over(merger, &header, &public_key, &edits, (&report, &handed, by), now).await?;
    note(merger, &header, file, (&report, by), now).await?;
    Ok(report)
}

struct Opened {
    edits: Vec<(EditId, Content)>,
    unreadable: usize,
    torn_bytes: usize,
}

/// The last expression of every edit, in the order they were last expressed.
fn open(file: &[u8], header: &Header, key: &<X25519HkdfSha256 as Kem>::PrivateKey) -> Opened {
    let (mut last, mut unreadable) = (BTreeMap::new(), 0usize);
    let mut places: BTreeMap<EditId, u64> = BTreeMap::new();
    let mut records = Records::of(file);
    // Records of one opening of the file have one key and stand together.
    let mut opening: Option<([u8; 32], Option<LessSafeKey>)> = None;
    for (_, record) in records.by_ref() {
        if opening.as_ref().is_none_or(|(encapsulated, _)| *encapsulated != record.encapsulated) {
            opening = Some((record.encapsulated, open_with(header, key, &record.encapsulated, KEY_LABEL)));
        }
        let record_key = opening.as_ref().and_then(|(_, key)| key.as_ref());
        match record_key.and_then(|key| unseal(key, &record)) {
            Some(content) => {
                if let Some(earlier) = places.insert(record.edit, record.sequence) {
                    last.remove(&earlier);
                }
                last.insert(record.sequence, (record.edit, content));
            }
            None => unreadable = unreadable.saturating_add(1),
        }
    }
    let torn_bytes = file.len().saturating_sub(records.position());
    Opened { edits: last.into_values().collect(), unreadable, torn_bytes }
}

fn unseal(key: &LessSafeKey, record: &Record<'_>) -> Option<Content> {
    let bound = Aad::from(associated_data(record.sequence, record.edit, &record.mark));
    let nonce = Nonce::assume_unique_for_key(nonce(record.sequence));
    let mut bytes = Zeroizing::new(record.sealed.to_vec());
    minicbor::decode(key.open_in_place(nonce, bound, &mut bytes).ok()?).ok()
}

/// In pushes of the size a tablet may send.
async fn merge(
    merger: &Merger,
    header: &Header,
    public_key: &Arc<[u8]>,
    edits: &[(EditId, Content)],
) -> Result<Vec<Fate>, RecoverError> {
    let (mut fates, mut rest) = (Vec::with_capacity(edits.len()), edits);
    while !rest.is_empty() {
        let mut bytes = 0usize;
        let fits = rest.iter().take(PUSH_EDITS_MAX).take_while(|(_, content)| {
            bytes = bytes.saturating_add(content.signed.envelope.len());
            bytes <= PUSH_BYTES_MAX
        });
        let (push, later) = rest.split_at(fits.count().max(1));
        let incoming = push.iter().map(|(_, content)| Incoming {
            device: header.device,
            public_key: Arc::clone(public_key),
            signed: content.signed.clone(),
        });
        let answers = merger.enqueue(header.clinic, incoming.collect())?.await;
        fates.extend(answers.map_err(|_| MergeError::Failed)??.into_iter().map(|answer| answer.fate));
        rest = later;
    }
    Ok(fates)
}

/// What the merge does not keep is kept as the tablet would hand it over: with the words of its author.
async fn hand_over(
    merger: &Merger,
    header: &Header,
    public_key: &Arc<[u8]>,
    edits: &[(EditId, Content)],
    (report, handed, by): (&Report, &HashSet<EditId>, AuthorId),
    now: ServerInstant,
) -> Result<(), RecoverError> {
    for ((edit, content), recovered) in edits.iter().zip(&report.edits) {
        if !recovered.handed_over || handed.contains(edit) {
            continue;
        }
        let decided = Decided {
            edit: *edit,
            by,
            at: DeviceInstant(now.0),
            decision: Decision::HandedOver,
            code: recovered.fate.set_aside().unwrap_or(Code::DependsOnSetAside),
            intent: content.intent.clone(),
            envelope: content.signed.envelope.clone(),
            signature: content.signed.signature.clone(),
        };
        set_aside::take(merger.store(), header.clinic, header.device, public_key, &[decided], now).await?;
    }
    Ok(())
}

/// One entry for what was new; none where nothing was.
async fn note(
    merger: &Merger,
    header: &Header,
    file: &[u8],
    (report, by): (&Report, AuthorId),
    now: ServerInstant,
) -> Result<(), RecoverError> {
    let new: Vec<String> =
        report.edits.iter().filter(|one| !one.known).map(|one| one.edit.to_string()).collect();
    if new.is_empty() {
        return Ok(());
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, file);
    let digest: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let entry = AuditRecord {
        action: "outbox_recovered",
        device: Some(header.device.0),
        author: Some(by.0),
        edit: None,
        code: None,
        detail: json!({ "edits": new, "file": digest, "unreadable": report.unreadable }),
    };
    let mut scoped = merger.store().begin(&Actor::system(header.clinic)).await?;
    scoped.lock_head().await?;
    scoped.append_audit(&[entry], now).await?;
    Ok(scoped.commit().await?)
}
